//! Which daemons belong to a resource, and how they are recognised.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use ocf::daemon::{About, Daemon, Polite};
use ocf::prelude::*;
use ocf::sys::command::hide_parameters;
use ocf::sys::process::Process;
use ocf::sys::{file, pidfile};

use crate::argv::{self, Role};
use crate::record::Record;

/// One daemon: one configuration file.
pub struct Instance {
    /// Its configuration.
    pub conf: PathBuf,
    /// Its pid file.
    pub pid_file: PathBuf,
    /// Whether the daemon that runs was started without the name of its configuration.
    unnamed: bool,
    /// Its program, as the parameters name it.
    program: PathBuf,
    /// What its processes run: the script's interpreter.
    programs: Vec<PathBuf>,
    /// The file with the note about its master.
    note: PathBuf,
    /// Whether the daemon has ended by itself.
    has_purged: Cell<bool>,
}

impl Instance {
    /// The daemon of a configuration; `number` distinguishes those of one resource.
    pub fn new(invocation: &Invocation, program: &Path, conf: &Path, number: usize) -> Self {
        let own = argv::pid_file(conf);
        let unnamed = runs_unnamed(conf, &own);
        let kind = if number == 0 { "master".to_owned() } else { format!("master{number}") };
        Self {
            conf: conf.to_owned(),
            pid_file: if unnamed { argv::UNNAMED.1.into() } else { own },
            unnamed,
            program: program.to_owned(),
            programs: programs(program),
            note: Record::path(invocation, &kind),
            has_purged: Cell::new(false),
        }
    }

    /// Whether the daemon was seen to end by itself: it has taken its virtual services away then.
    pub fn has_purged(&self) -> bool {
        self.has_purged.get()
    }

    /// A call of the daemon's program with this configuration and a word.
    pub fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.program);
        if !self.unnamed {
            command.arg(&self.conf);
        }
        command.arg(word);
        // Whatever directory the caller was in: the daemon looks for helpers beside it.
        command.current_dir("/");
        hide_parameters(&mut command);
        command
    }
}

impl Daemon for Instance {
    fn about(&self) -> About<'_> {
        About {
            name: "ldirectord",
            pid_file: &self.pid_file,
            note: &self.note,
            programs: &self.programs,
        }
    }

    fn claims(&self, arguments: &[Vec<u8>]) -> Option<bool> {
        match argv::read(arguments, &self.program) {
            Role::Daemon(name) => {
                let conf = argv::conf(&name, Path::is_file);
                Some(
                    conf == self.conf
                        || conf
                            .canonicalize()
                            .is_ok_and(|conf| Ok(conf) == self.conf.canonicalize().map_err(drop)),
                )
            }
            Role::Child => None,
            Role::Other => Some(false),
        }
    }

    /// The daemon hears a signal only between two checks, and may have a command to run and
    /// children to end. A second SIGTERM would end it in the middle of that.
    fn polite(&self, _invocation: &Invocation) -> Polite {
        Polite::until_it_ends(Signal::SIGTERM)
    }

    /// The last that it does as it ends by itself is to remove its pid file.
    fn seen_to_end(&self) {
        self.has_purged.set(!self.pid_file.exists());
    }

    fn forks_twice(&self) -> bool {
        true
    }

    /// The record is of several daemons: the agent keeps it.
    fn save(&self, _invocation: &Invocation) -> Result<(), Failure> {
        Ok(())
    }

    fn forget(&self, _invocation: &Invocation) -> Result<(), Failure> {
        Ok(())
    }
}

/// Whether the daemon of a configuration has the pid file of one that was started without a name:
/// the distribution's unit may have started it.
fn runs_unnamed(conf: &Path, own: &Path) -> bool {
    let lives = |pid_file: &Path| {
        let numbers = pidfile::read(pid_file).unwrap_or_default();
        numbers.into_iter().any(|pid| Process::find(pid).is_ok_and(|process| process.is_some()))
    };
    argv::conf(Path::new(argv::UNNAMED.0), Path::is_file) == conf
        && lives(Path::new(argv::UNNAMED.1))
        && !lives(own)
}

/// As much of a script as the kernel looks at for the name of its interpreter (BINPRM_BUF_SIZE).
const FIRST_LINE: u64 = 256;

/// What runs a program: itself, or for a script its interpreter. Where the kernel hides that, as
/// from users without rights, a script has its own name.
fn programs(program: &Path) -> Vec<PathBuf> {
    let start = file::read_start(program, FIRST_LINE).unwrap_or_default();
    let named = argv::interpreter(&start).unwrap_or_else(|| program.to_owned());
    // It may have been started with another one.
    let mut all: Vec<PathBuf> = [named, "/usr/bin/perl".into()]
        .into_iter()
        .flat_map(|path: PathBuf| [path.canonicalize().unwrap_or_else(|_| path.clone()), path])
        .collect();
    all.push(program.to_owned());
    all.dedup();
    all
}
