//! Which nginx it is: what is known of it from its record, or from its parameters and its
//! configuration.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::{About, Daemon, Polite};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command::{self, find_in_path, hide_parameters, is_program};
use ocf::sys::file::Disk;
use ocf::sys::listen::Place;

use crate::config::compiled::Compiled;
use crate::config::{self, Config, include};
use crate::record::Record;
use crate::settings::Identity;
use crate::{stop, title};

/// Where nginx is by default.
const USUAL: [&str; 2] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"];

/// `nginx -V` takes milliseconds.
const TELLING: Duration = Duration::from_secs(5);

/// An instance of nginx.
pub struct Instance {
    /// What it is made of.
    pub record: Record,
    /// The programs that its processes may run.
    programs: Vec<PathBuf>,
    /// The file with the note about its master.
    note: PathBuf,
}

/// An instance as its configuration describes it now.
pub struct Described {
    /// The instance.
    pub instance: Instance,
    /// Whether the program is there.
    pub installed: bool,
    /// Whether the configuration file can be read.
    pub readable: bool,
    /// Whether nginx detaches itself.
    pub daemon: bool,
    /// The places that it binds.
    pub places: Vec<Place>,
    /// Files and directories that a check makes.
    pub made: Vec<PathBuf>,
}

impl Instance {
    /// The instance that was started or adopted, by its record.
    pub fn recorded(invocation: &Invocation) -> Option<Self> {
        let record = Record::load(invocation)?;
        let programs = vec![record.program.clone()];
        Some(Self::new(invocation, record, programs))
    }

    /// As [`Self::recorded`], where it was started with other parameters.
    pub fn earlier(invocation: &Invocation, identity: &Identity) -> Option<Self> {
        Self::recorded(invocation).filter(|instance| instance.record.identity != *identity)
    }

    fn new(invocation: &Invocation, record: Record, programs: Vec<PathBuf>) -> Self {
        Self { record, programs, note: Record::path(invocation, "master") }
    }

    /// A call of nginx with this instance's options.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.record.program);
        command
            .args(arguments)
            .args(&self.record.identity.options)
            .arg("-c")
            .arg(&self.record.conf);
        // Whatever directory the caller was in: the server would hold it for as long as it runs.
        command.current_dir("/");
        hide_parameters(&mut command);
        command
    }
}

impl Daemon for Instance {
    fn about(&self) -> About<'_> {
        About {
            name: "nginx",
            pid_file: &self.record.pid_file,
            note: &self.note,
            programs: &self.programs,
        }
    }

    fn claims(&self, arguments: &[Vec<u8>]) -> Option<bool> {
        title::is_instance(arguments, &self.record.conf, || self.record.usual)
    }

    fn polite(&self, invocation: &Invocation) -> Polite {
        Polite::for_clients(Signal::SIGQUIT, &invocation.values)
    }

    fn save(&self, invocation: &Invocation) -> Result<(), Failure> {
        self.record.save(invocation)
    }

    fn forget(&self, invocation: &Invocation) -> Result<(), Failure> {
        Record::forget(invocation)
    }

    fn make_way(&self, context: &Context<'_>) -> Result<(), Failure> {
        self.sweep(context)
    }

    fn sweep(&self, context: &Context<'_>) -> Result<(), Failure> {
        stop::sweep(context, &self.record);
        Ok(())
    }
}

/// Describes an instance by what the parameters say and the configuration says now.
pub fn describe(context: &Context<'_>, identity: &Identity) -> Described {
    let program = program(identity, context.invocation.variable("PATH").unwrap_or_default());
    let compiled =
        program.as_deref().and_then(|program| compiled(program, identity, context.budget.work()));
    let compiled = compiled.unwrap_or_else(Compiled::usual);
    let conf = identity.configfile.clone().unwrap_or_else(|| compiled.conf.clone());
    let base = conf.parent().unwrap_or(Path::new("/"));
    let directives = include::load(&Disk, &conf, base);
    let readable = directives.is_some();
    let config = config::read(&directives.unwrap_or_default(), identity.globals(), &compiled);
    let Config { pid, daemon, listens, places, status, status_host, locals, made } = config;
    let installed = program.is_some();
    let program =
        program.unwrap_or_else(|| identity.httpd.clone().unwrap_or_else(|| USUAL[0].into()));
    let record = Record {
        identity: identity.clone(),
        usual: same(&conf, &compiled.conf),
        // Processes are found by the name that the kernel has for their program.
        program: program.canonicalize().unwrap_or(program),
        conf,
        pid_file: pid,
        listens,
        status,
        status_host,
        locals,
        serial: None,
    };
    // It may have been started with another one.
    let mut programs = vec![record.program.clone()];
    let named = identity.httpd.iter().cloned().chain(USUAL.map(PathBuf::from));
    programs.extend(named.map(|path| path.canonicalize().unwrap_or(path)));
    programs.dedup();
    Described {
        instance: Instance::new(context.invocation, record, programs),
        installed,
        readable,
        daemon,
        places,
        made,
    }
}

/// The program to use.
fn program(identity: &Identity, path: &str) -> Option<PathBuf> {
    let named = identity
        .httpd
        .iter()
        .cloned()
        .chain(USUAL.map(PathBuf::from))
        .find(|path| is_program(path));
    named.or_else(|| find_in_path("nginx", path))
}

fn compiled(program: &Path, identity: &Identity, deadline: Deadline) -> Option<Compiled> {
    let mut command = Command::new(program);
    command.arg("-V");
    let output = command::run(command, None, Deadline::after(TELLING).min(deadline)).ok()?;
    let text = [output.stderr, output.stdout].concat();
    Some(Compiled::read(&String::from_utf8_lossy(&text), identity.prefix()))
}

fn same(one: &Path, other: &Path) -> bool {
    one == other
        || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
