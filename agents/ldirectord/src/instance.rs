//! Which daemons belong to a resource, and how they are recognised.
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use ocf::daemon::{Daemon, Found};
use ocf::prelude::*;

use crate::argv::{self, Told};
use crate::record::Record;

/// One daemon: one configuration file.
pub struct Instance {
    /// Its configuration.
    pub conf: PathBuf,
    /// Its pid file.
    pub pid_file: PathBuf,
    /// Its program, as the parameters name it.
    program: PathBuf,
    /// What its processes run: the script's interpreter.
    programs: Vec<PathBuf>,
    /// Where its master's number is kept.
    master: PathBuf,
}

impl Instance {
    /// The daemon of a configuration; `number` tells those of one resource apart.
    pub fn new(invocation: &Invocation, program: &Path, conf: &Path, number: usize) -> Self {
        let kind = if number == 0 { "master".to_owned() } else { format!("master{number}") };
        Self {
            conf: conf.to_owned(),
            pid_file: argv::pid_file(conf),
            program: program.to_owned(),
            programs: programs(program),
            master: Record::path(invocation, &kind),
        }
    }

    /// Its processes.
    pub fn with<T>(&self, work: impl FnOnce(&Daemon<'_>) -> T) -> T {
        work(&Daemon {
            name: "ldirectord",
            pid_file: &self.pid_file,
            record: &self.master,
            programs: &self.programs,
            is_instance: &|arguments| self.is_instance(arguments),
            forks_twice: true,
        })
    }

    /// Who there is of it.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn observe(&self) -> Result<Found, Failure> {
        self.with(|daemon| daemon.observe())
    }

    /// Whether a start has got as far as to see a master, and no stop has followed.
    pub fn was_up(&self) -> bool {
        self.master.exists()
    }

    fn is_instance(&self, arguments: &[Vec<u8>]) -> Option<bool> {
        match argv::read(arguments, &self.program) {
            Told::Daemon(name) => {
                let conf = argv::conf(&name, Path::is_file);
                Some(
                    conf == self.conf
                        || conf.canonicalize().is_ok_and(|conf| Ok(conf) == self.conf.canonicalize().map_err(drop)),
                )
            }
            Told::Child => None,
            Told::Other => Some(false),
        }
    }

    /// A call of the daemon's program with this configuration and a word.
    pub fn command(&self, word: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(&self.conf).arg(word);
        // Whatever directory the caller was in: the daemon looks for helpers beside it.
        command.current_dir("/");
        command
    }
}

/// What runs a program: itself, or for a script its interpreter. Processes are told by the name that the kernel has.
fn programs(program: &Path) -> Vec<PathBuf> {
    let mut start = [0; 256];
    let read = std::fs::File::open(program).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
    let named = argv::interpreter(&start[..read]).unwrap_or_else(|| program.to_owned());
    // Whoever has started it may have taken another one.
    let mut all: Vec<PathBuf> = [named, "/usr/bin/perl".into()]
        .into_iter()
        .flat_map(|path: PathBuf| [path.canonicalize().unwrap_or_else(|_| path.clone()), path])
        .collect();
    all.dedup();
    all
}
