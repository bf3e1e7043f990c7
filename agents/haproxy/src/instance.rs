//! Which haproxy it is: what is known of it from its record, or from its parameters.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use ocf::daemon::{About, Daemon, Polite};
use ocf::prelude::*;
use ocf::state;
use ocf::sys::command::{find_in_path, hide_parameters, is_program};
use ocf::sys::file;
use ocf::sys::process::Process;

use crate::arguments::{self, Arguments, Known};
use crate::record::Record;
use crate::settings::{Identity, Mode};
use crate::sum;

/// Where haproxy is by default.
const USUAL: [&str; 2] = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];

/// The longest name of a socket: the kernel takes 107 bytes, and haproxy makes it under another
/// name first.
const LONGEST_SOCKET: usize = 90;

/// The file that is added to a configuration has a few lines.
const LARGEST: u64 = 4096;

/// An instance of haproxy.
pub struct Instance {
    /// What it is made of.
    pub record: Record,
    /// The configuration that is on record, where the parameters say something else by now.
    former: Option<Vec<PathBuf>>,
    /// The programs that its processes may run.
    programs: Vec<PathBuf>,
    /// The file with the note about its master.
    note: PathBuf,
    /// The file that is added to its configuration.
    pub extra: PathBuf,
    /// Whether the program is there.
    pub installed: bool,
}

impl Instance {
    /// The instance that was started or adopted, by its record.
    pub fn recorded(invocation: &Invocation) -> Option<Self> {
        let record = Record::load(invocation)?;
        let programs = vec![record.program.clone()];
        Some(Self::new(invocation, record, programs, true))
    }

    /// As [`Self::recorded`], where it was started with other parameters.
    pub fn earlier(invocation: &Invocation, identity: &Identity) -> Option<Self> {
        Self::recorded(invocation).filter(|instance| instance.record.identity != *identity)
    }

    fn new(
        invocation: &Invocation,
        record: Record,
        programs: Vec<PathBuf>,
        installed: bool,
    ) -> Self {
        let note = Record::path(invocation, "master");
        let extra = extra_file(invocation);
        Self { record, former: None, programs, note, extra, installed }
    }

    /// Whether a process has this instance's configuration, as far as its arguments tell.
    pub fn has_configuration(&self, process: &Process) -> bool {
        let is_other = |path: &&PathBuf| !self.is_added(path);
        let Some(found) = arguments_of(process) else { return false };
        found.configs.iter().filter(is_other).eq(self.record.configs.iter().filter(is_other))
    }

    /// The same instance with the sockets that a process has, by whatever means it was started, if
    /// its arguments can be read. Names are taken from the arguments of root's process alone:
    /// another user's process may have written anything there.
    pub fn taken_from(mut self, process: &Process) -> Self {
        if process.arguments().is_err() {
            return self;
        }
        if let Some(found) = process.arguments_of_root().map(|words| arguments::parse(&words)) {
            if let Some(pid_file) = found.pid_file.filter(|path| path.is_absolute()) {
                self.record.pid_file = pid_file;
            }
            self.record.master_socket = found.master_socket.filter(|_| found.master_worker);
            let added: Vec<PathBuf> =
                found.configs.into_iter().filter(|path| self.is_added(path)).collect();
            self.record.configs.extend(added);
            self.record.configs.dedup();
        }
        let has_extra = self.uses_extra(process);
        let given = self.record.identity.stats_socket.as_ref();
        self.record.stats_socket =
            self.record.stats_socket.take().filter(|path| has_extra || given == Some(path));
        self
    }

    /// Whether this agent has added a file to a configuration, under whatever name the resource had
    /// then.
    fn is_added(&self, path: &Path) -> bool {
        path == self.extra || path.parent() == self.extra.parent() && is_named(path, "cfg")
    }

    /// A call of haproxy with this instance's configuration.
    fn command(&self, arguments: &[String], extra: bool) -> Command {
        let mut command = Command::new(&self.record.program);
        command.args(arguments).args(&self.record.identity.options);
        for config in &self.record.identity.configs {
            command.arg("-f").arg(config);
        }
        if extra {
            command.arg("-f").arg(&self.extra);
        }
        // Whatever directory the caller was in: the server would hold it for as long as it runs.
        command.current_dir("/");
        hide_parameters(&mut command);
        command
    }

    /// The call that starts it.
    pub fn start_command(&self) -> Command {
        self.command(&self.start_words(), true)
    }

    /// The call that lets haproxy judge its configuration: that of the start and `-c`, for what is
    /// allowed depends on the others (a section `program` needs `-W`). `extra` says whether the
    /// file that is added to the configuration is there.
    pub fn check_command(&self, extra: bool) -> Command {
        let mut words = self.start_words();
        words.push("-c".to_owned());
        self.command(&words, extra)
    }

    fn start_words(&self) -> Vec<String> {
        let record = &self.record;
        let mut words =
            vec!["-D".to_owned(), "-p".to_owned(), record.pid_file.to_string_lossy().into_owned()];
        if record.identity.mode == Mode::MasterWorker {
            words.push("-W".to_owned());
            if let Some(socket) = &record.master_socket {
                words.extend(["-S".to_owned(), format!("{},mode,600", socket.display())]);
            }
        }
        words
    }

    /// Writes the file that is added to the configuration.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_extra(&self, hard_stop_after: Option<u32>) -> Result<(), Failure> {
        state::ensure_directory(&self.extra)?;
        let text = self.extra_text(hard_stop_after);
        file::write_if_changed(&self.extra, text.as_bytes(), 0o600)
            .or_fail(self.extra.display())
            .map(drop)
    }

    /// Whether that file says already what it should.
    pub fn has_extra(&self, hard_stop_after: Option<u32>) -> bool {
        let wanted = self.extra_text(hard_stop_after);
        file::read_small(&self.extra, LARGEST)
            .ok()
            .flatten()
            .is_some_and(|found| found == wanted.as_bytes())
    }

    /// Whether a process reads that file: one that was started by other means does not.
    pub fn uses_extra(&self, process: &Process) -> bool {
        arguments_of(process).is_some_and(|found| found.configs.contains(&self.extra))
    }

    fn extra_text(&self, hard_stop_after: Option<u32>) -> String {
        let own_socket = match (self.record.identity.mode, &self.record.identity.stats_socket) {
            (Mode::Daemon, None) => self.record.stats_socket.as_deref(),
            _ => None,
        };
        extra_text(hard_stop_after, own_socket)
    }
}

impl Daemon for Instance {
    fn about(&self) -> About<'_> {
        About {
            name: "haproxy",
            pid_file: &self.record.pid_file,
            note: &self.note,
            programs: &self.programs,
        }
    }

    fn claims(&self, arguments: &[Vec<u8>]) -> Option<bool> {
        let is_added = |path: &Path| self.is_added(path);
        let pid_file = self.record.pid_file.as_path();
        let known = Known {
            configs: &self.record.configs,
            former: self.former.as_deref(),
            pid_file,
            is_own_pid_file: pid_file.parent() == self.extra.parent() && is_named(pid_file, "pid"),
        };
        arguments::parse(arguments).is_instance(&known, is_added)
    }

    fn polite(&self, invocation: &Invocation) -> Polite {
        Polite::for_clients(Signal::SIGUSR1, &invocation.values)
    }

    /// The programs of its configuration's `program` sections.
    fn has_helpers(&self) -> bool {
        true
    }

    fn drops_rights(&self) -> bool {
        self.record.identity.mode == Mode::Daemon
    }

    fn save(&self, invocation: &Invocation) -> Result<(), Failure> {
        self.record.save(invocation)
    }

    fn forget(&self, invocation: &Invocation) -> Result<(), Failure> {
        Record::forget(invocation)
    }

    /// Removes what only a running instance needs. Sockets that the configuration names are its
    /// own.
    fn sweep(&self, context: &Context<'_>) -> Result<(), Failure> {
        let identity = &self.record.identity;
        let stats = self.record.stats_socket.as_ref().filter(|_| identity.stats_socket.is_none());
        let master = self.record.master_socket.as_ref();
        let is_own =
            |path: &&PathBuf| path.parent() == self.extra.parent() && is_named(path, "sock");
        let ours =
            master.filter(|path| identity.master_socket.as_ref() == Some(path) || is_own(path));
        // Its own pid file, too, and below its own socket: one that was started again by other
        // means has others.
        let mut paths = vec![self.extra.clone(), Record::path(context.invocation, "pid")];
        // What the resource had under its former name.
        for former in
            self.record.configs.iter().filter(|path| **path != self.extra && self.is_added(path))
        {
            paths.extend(["cfg", "record", "master"].map(|kind| former.with_extension(kind)));
        }
        let mut failures: Vec<Failure> =
            paths.iter().filter_map(|path| state::forget(path).err()).collect();
        let own = socket(context.invocation, "sock");
        let trials = [trial_of(&own), trial_of(master.unwrap_or(&own))];
        let sockets = [stats, ours, Some(&own)].into_iter().flatten().chain(&trials);
        failures.extend(
            sockets.filter_map(|path| file::remove_socket(path).or_fail(path.display()).err()),
        );
        Failure::collect(failures).map_or(Ok(()), Err)
    }
}

/// The socket that a reload makes for a moment beside the master's, to see whether it can.
pub fn trial_of(socket: &Path) -> PathBuf {
    socket.with_extension("ocf-trial")
}

/// Whether a file has a name that this agent gives to its own.
fn is_named(path: &Path, kind: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix("haproxy-")
        .is_some_and(|rest| rest.strip_suffix(kind).is_some_and(|rest| rest.ends_with('.')))
}

/// What is added to a configuration.
fn extra_text(hard_stop_after: Option<u32>, stats_socket: Option<&Path>) -> String {
    let mut text =
        "# Written by the resource agent haproxy: a change here is lost.\nglobal\n".to_owned();
    if let Some(seconds) = hard_stop_after {
        text.push_str(&format!("    hard-stop-after {seconds}s\n"));
    }
    if let Some(path) = stats_socket {
        // In these quotes nothing but their end means anything (HAProxy's configuration manual,
        // 2.2).
        let quoted = path.to_string_lossy().replace('\'', "'\\''");
        text.push_str(&format!(
            "    stats socket '{quoted}' mode 600 level admin expose-fd listeners\n"
        ));
    }
    text
}

fn extra_file(invocation: &Invocation) -> PathBuf {
    Record::path(invocation, "cfg")
}

/// A socket of the resource's own. A name that is too long for one is replaced by its sum.
fn socket(invocation: &Invocation, kind: &str) -> PathBuf {
    let path = Record::path(invocation, kind);
    if path.as_os_str().len() <= LONGEST_SOCKET {
        return path;
    }
    path.with_file_name(format!("haproxy-{}.{kind}", sum::of_text(invocation.instance())))
}

/// What the arguments of a process say, to compare them with what is known.
fn arguments_of(process: &Process) -> Option<Arguments> {
    process.arguments().ok().map(|words| arguments::parse(&words))
}

/// Describes an instance by what the parameters say.
pub fn describe(invocation: &Invocation, identity: &Identity) -> Instance {
    let found = program(identity, invocation.variable("PATH").unwrap_or_default());
    let installed = found.is_some();
    let program =
        found.unwrap_or_else(|| identity.binary.clone().unwrap_or_else(|| USUAL[0].into()));
    let real = |path: PathBuf| path.canonicalize().unwrap_or(path);
    let is_master_worker = identity.mode == Mode::MasterWorker;
    let master_socket = is_master_worker
        .then(|| identity.master_socket.clone().unwrap_or_else(|| socket(invocation, "sock")));
    let stats_socket = match (&identity.stats_socket, is_master_worker) {
        (Some(given), _) => Some(given.clone()),
        (None, true) => None,
        (None, false) => Some(socket(invocation, "stats")),
    };
    let record = Record {
        identity: identity.clone(),
        // Processes are found by the name that the kernel has for their program.
        program: real(program),
        configs: Vec::new(),
        pid_file: identity.pid_file.clone().unwrap_or_else(|| Record::path(invocation, "pid")),
        master_socket,
        stats_socket,
        serial: None,
        sum: String::new(),
    };
    // It may have been started with another one.
    let mut programs = vec![record.program.clone()];
    programs.extend(identity.binary.iter().cloned().chain(USUAL.map(PathBuf::from)).map(real));
    programs.dedup();
    let mut instance = Instance::new(invocation, record, programs, installed);
    instance.former = Record::load(invocation).map(|known| known.configs);
    // The options may have configuration files, too.
    let words: Vec<Vec<u8>> = std::iter::once(Vec::new())
        .chain(instance.command(&[], true).get_args().map(|word| word.to_owned().into_vec()))
        .collect();
    instance.record.configs = arguments::parse(&words).configs;
    instance
}

/// The program to use. One that was named is the one that is meant: another version may not
/// understand the configuration.
fn program(identity: &Identity, path: &str) -> Option<PathBuf> {
    match &identity.binary {
        Some(named) => Some(named.clone()).filter(|path| is_program(path)),
        None => USUAL
            .map(PathBuf::from)
            .into_iter()
            .find(|path| is_program(path))
            .or_else(|| find_in_path("haproxy", path)),
    }
}

#[cfg(test)]
mod tests;
