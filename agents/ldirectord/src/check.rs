//! The judgement of a configuration: first our own, which names every mistake and leaves no trace.
//!
//! The daemon has no such command. Its `status` reads the configuration, too, but when it finds a
//! mistake it removes the pid file, even of a daemon that runs; and each call writes to the log.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::failure::plain;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command::is_program;
use ocf::sys::file::{self, Trust};

use crate::argv;
use crate::config::{self, Checks, Config, Note, resolve};
use crate::modules::{self, Need};
use crate::names::System;
use crate::schedulers::{self, Scheduler};
use crate::settings::{Identity, Settings};
use crate::table::Wanted;

/// No configuration file is larger.
const LARGEST: u64 = 16 << 20;

/// Daemons that execute others that execute others.
const MOST: usize = 16;

/// Of many mistakes, as many are reported.
const REPORTED: usize = 3;

/// What a resource consists of by its configuration files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its own configuration, and those that it executes.
    pub confs: Vec<PathBuf>,
    /// The virtual services of all.
    pub wanted: Vec<Wanted>,
    /// Whether the daemon reads its file again when that changes.
    pub autoreload: bool,
    /// What the daemon accepts, and is hardly meant.
    pub remarks: Vec<String>,
    /// Perl modules that its checks load later.
    pub needs: Vec<Need>,
    /// Schedulers that the kernel must have.
    pub schedulers: Vec<Scheduler>,
}

/// Describes a resource; names are looked up before the deadline.
///
/// # Errors
/// What is wrong with a file, with its lines, or that the name servers do not answer.
pub fn describe(conf: &Path, deadline: Deadline) -> Result<Described, Failure> {
    read(conf, Some(deadline))
}

/// Describes a resource as far as that needs no name server. Virtual services that have a name are
/// left out.
///
/// # Errors
/// What is wrong with a file, with its lines.
pub fn describe_offline(conf: &Path) -> Result<Described, Failure> {
    read(conf, None)
}

fn read(conf: &Path, deadline: Option<Deadline>) -> Result<Described, Failure> {
    let mut described = Described {
        confs: vec![conf.to_owned()],
        wanted: Vec::new(),
        autoreload: false,
        remarks: Vec::new(),
        needs: Vec::new(),
        schedulers: Vec::new(),
    };
    let mut next = 0;
    while let Some(conf) = described.confs.get(next).cloned() {
        let config = load(&conf)?;
        if !config.faults.is_empty() {
            return Err(refused(&conf, &config.faults));
        }
        if let Some(fault) = no_log(&config) {
            return Err(refused(&conf, &[fault]));
        }
        if let Some(line) = config.supervised {
            let text = "with supervised=yes the daemon never detaches and a start never returns; \
                        remove it"
                .to_owned();
            return Err(refused(&conf, &[Note { line, text }]));
        }
        let names = System::new(deadline);
        let wanted = match deadline {
            Some(_) => resolve::resolve(&config, &names),
            None => Ok(resolve::known(&config, &names)),
        };
        described.needs.extend(modules::needed(&config, &names, &conf));
        described.schedulers.extend(schedulers::used(&config, &conf));
        // The daemon would not start, and a name server that is away comes back: as with other
        // servers the node must not be barred for it.
        let kind = if names.found_all() { Kind::Installed } else { Kind::Generic };
        if let Some(error) = names.unknown_now() {
            return Err(error).or_fail(conf.display());
        }
        described.wanted.extend(
            wanted.map_err(|faults| Failure::new(kind, refused(&conf, &faults).to_string()))?,
        );
        described.autoreload |= config.autoreload;
        described.remarks.extend(config.remarks.iter().map(|note| at(&conf, note)));
        described.remarks.extend(no_commands(&config).iter().map(|note| at(&conf, note)));
        for name in &config.executes {
            let other = argv::conf(Path::new(name), Path::is_file);
            if !described.confs.contains(&other) && described.confs.len() < MOST {
                described.confs.push(other);
            }
        }
        next += 1;
    }
    Ok(described)
}

/// A log that the daemon cannot open, and then it refuses its configuration.
fn no_log(config: &Config) -> Option<Note> {
    let (line, log) = config.log.as_ref()?;
    let directory = Path::new(log).parent().filter(|_| log.starts_with('/'))?;
    (!directory.is_dir()).then(|| Note {
        line: *line,
        text: format!("logfile: there is no directory {}", directory.display()),
    })
}

/// Programs of checks that are not there: real servers count as dead then.
fn no_commands(config: &Config) -> Vec<Note> {
    let external = config.virtuals.iter().filter(|section| section.checks == Checks::External);
    let commands = external.filter_map(|section| section.command.as_ref());
    let is_absent = |(_, command): &&(usize, String)| {
        let path = Path::new(command);
        path.is_absolute() && !path.is_file()
    };
    let note = |(line, command): &(usize, String)| Note {
        line: *line,
        text: format!("checkcommand: there is no {command}, and its real servers count as dead"),
    };
    commands.filter(is_absent).map(note).collect()
}

/// Whether the daemon can load what its checks need, and the kernel what its services need.
///
/// # Errors
/// The first that is missing, and what needs it.
pub fn loadable(
    described: &Described,
    identity: &Identity,
    deadline: Deadline,
) -> Result<(), Failure> {
    modules::check(&described.needs, &identity.program, deadline)?;
    schedulers::check(&described.schedulers)
}

fn load(conf: &Path) -> Result<Config, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::installed(format!(
            "the configuration file {} cannot be read: {why}",
            conf.display()
        ))
    };
    let bytes = file::read(conf, LARGEST, Trust::Anyone).map_err(|error| failed(&plain(&error)))?;
    Ok(config::read(&String::from_utf8_lossy(&bytes)))
}

fn at(conf: &Path, note: &Note) -> String {
    format!("{}:{}: {}", conf.display(), note.line, note.text)
}

/// The first mistakes, in one line.
fn refused(conf: &Path, faults: &[Note]) -> Failure {
    let mut all: Vec<String> = faults.iter().take(REPORTED).map(|fault| at(conf, fault)).collect();
    if faults.len() > REPORTED {
        all.push(format!("and {} more", faults.len() - REPORTED));
    }
    Failure::installed(all.join("; "))
}

/// Whether the files that the parameters name are there.
///
/// # Errors
/// Which is not.
pub fn files(settings: &Settings) -> Result<(), Failure> {
    let program = &settings.identity.program;
    if !is_program(program) {
        return Err(Failure::installed(format!("{} is not installed", program.display())));
    }
    match settings.ca.as_ref().filter(|ca| file::read(ca, LARGEST, Trust::NotEverybody).is_err()) {
        Some(ca) => Err(Failure::installed(format!("ca: {} cannot be read", ca.display()))),
        None => Ok(()),
    }
}
