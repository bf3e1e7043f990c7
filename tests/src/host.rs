//! One simulated machine.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use tempfile::TempDir;

use crate::enter::{self, Entry, PidPipe, in_network, open_pidfd};
use crate::process::{self, Finished, Victim, wait_until};

mod builder;

pub use builder::Builder;

/// `PATH` inside, unless a test says otherwise.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Limit of every set-up command: long enough for a busy machine.
const SET_UP: Duration = Duration::from_secs(30);

/// The directory of the built binaries: above that of the test executable.
#[must_use]
pub fn built_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("path of the test executable");
    let directory = executable.parent().expect("its directory");
    match directory.file_name() {
        Some(name) if name == OsStr::new("deps") || name == OsStr::new("examples") => {
            directory.parent().expect("the target directory").to_owned()
        }
        _ => directory.to_owned(),
    }
}

/// The directories with the programs under test: that of the built binaries, and `OCF_PORTABLE`.
pub(crate) fn under_test() -> impl Iterator<Item = PathBuf> {
    let portable = std::env::var_os("OCF_PORTABLE").map(PathBuf::from);
    std::iter::once(built_directory()).chain(portable)
}

fn clean() -> [(&'static str, &'static str); 3] {
    [("PATH", PATH), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")]
}

/// One simulated machine: own network, mount, UTS, IPC and PID namespaces, a `/run` and a `/dev` of
/// its own, a process 1 that reaps. What it has in common with the machine that it runs on it can
/// only read ([`Builder::overlay`], [`Builder::tmpfs`]).
///
/// Dropping it is a power cut.
#[derive(Debug)]
pub struct Host {
    name: String,
    init: i32,
    pidfd: Arc<OwnedFd>,
    outside: Child,
    /// The machine lives while the other end of its process 1's stdin does.
    _cord: Option<ChildStdin>,
    /// Where its overlay is mounted, if it has one in memory.
    _scratch: Option<TempDir>,
}

/// An address as `ip` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The network device that has it.
    pub nic: String,
    /// Prefix length.
    pub prefix: u64,
    /// IPv4 label, or nothing.
    pub label: String,
    /// Broadcast address, or nothing.
    pub broadcast: String,
    /// The entry of `ip -j address`, for all else.
    pub raw: Value,
}

impl Seen {
    /// Whether `ip` shows a flag, such as `tentative` or `noprefixroute`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.raw[name] == Value::Bool(true)
    }
}

impl Host {
    /// Begins a machine called `name`.
    #[must_use]
    pub fn builder(name: &str) -> Builder {
        Builder::new(name)
    }

    /// A machine called `name` with nothing special.
    #[must_use]
    pub fn new(name: &str) -> Host {
        Host::builder(name).start()
    }

    /// A machine whose process 1 another part has started: `outside` ends when that does.
    pub(crate) fn adopt(name: &str, init: i32, outside: Child) -> std::io::Result<Host> {
        let pidfd = Arc::new(open_pidfd(init)?);
        Ok(Host { name: name.to_owned(), init, pidfd, outside, _cord: None, _scratch: None })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process 1, as seen from outside: for `ip link … netns PID`.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.init
    }

    /// Where a path of the machine is as seen from outside: the two have no directory in common
    /// that both can write to.
    #[must_use]
    pub fn outside(&self, path: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.init.to_string())
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// A program that will start inside, with a clean environment, `/` as directory and no input.
    ///
    /// Its [`Child`] is the process that waits for it outside; killing that kills the program.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_as(program, Entry::default()).0
    }

    /// As [`Host::command`], entering in another way; and where to read its process id once it is
    /// spawned.
    #[must_use]
    pub fn command_as(&self, program: impl AsRef<OsStr>, entry: Entry) -> (Command, PidPipe) {
        let mut command = Command::new(program);
        command.env_clear().envs(clean()).stdin(Stdio::null());
        let pid = enter::enter(&mut command, Arc::clone(&self.pidfd), entry).expect("pipe");
        (command, pid)
    }

    /// Runs a program inside until it ends; panics when it cannot be started or takes longer than
    /// half a minute.
    pub fn run(&self, program: &str, args: &[&str]) -> Finished {
        self.finish(program, args, Entry::default())
    }

    fn finish(&self, program: &str, args: &[&str], entry: Entry) -> Finished {
        let (mut command, pid) = self.command_as(program, entry);
        command.args(args);
        let done = process::run(&mut command, pid, SET_UP, Victim::Process)
            .unwrap_or_else(|error| panic!("{}: {program} {args:?}: {error}", self.name));
        assert!(!done.timed_out, "{}: {program} {args:?} did not end: {done:#?}", self.name);
        done
    }

    fn succeed(&self, program: &str, args: &[&str], entry: Entry) -> String {
        let done = self.finish(program, args, entry);
        assert!(done.code == Some(0), "{}: {program} {args:?} failed: {done:#?}", self.name);
        done.stdout
    }

    /// Runs `ip` inside with words split at white space; panics with all that it said when it
    /// fails.
    ///
    /// It joins the machine's network alone, so that `netns PID` means a pid outside.
    pub fn ip(&self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.succeed("ip", &words, Entry::network())
    }

    /// As [`Host::ip`], but a failure is an answer.
    pub fn try_ip(&self, words: &str) -> Finished {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.finish("ip", &words, Entry::network())
    }

    /// What `ip -j` prints for the words: the second opinion on what an agent did.
    pub fn ip_json(&self, words: &str) -> Value {
        let said = self.ip(&format!("-j {words}"));
        match said.trim() {
            "" => Value::Array(Vec::new()),
            said => serde_json::from_str(said)
                .unwrap_or_else(|error| panic!("ip -j {words}: {error}: {said}")),
        }
    }

    /// Kills a process of the machine, as a crash would; returns when nothing of it runs any more.
    #[track_caller]
    pub fn crash(&self, pid: &str) {
        // A killed process runs on until its processor comes round to it; then it is a zombie, or
        // no more.
        self.sh(&format!(
            "kill -9 {pid}; while grep -q '^State:[[:space:]]*[^ZX]' \
                          /proc/{pid}/status 2>/dev/null; do sleep 0.01; done"
        ));
    }

    /// Runs a shell script inside for set-up; panics with all that it said when it fails.
    pub fn sh(&self, script: &str) -> String {
        self.succeed("/bin/sh", &["-euc", script], Entry::default())
    }

    /// Lets all name servers be silent: what is sent to the only one disappears. The machine's
    /// `/etc` must be its own ([`Builder::overlay`]).
    pub fn silent_name_servers(&self) {
        self.sh("ip link add hole type veth peer name bottom; ip link set bottom up; ip link set \
            hole up
             ip address add 192.0.2.1/24 dev hole; ip neighbour add 192.0.2.53 lladdr \
             02:00:00:00:00:53 dev hole
             rm -f /etc/resolv.conf; echo nameserver 192.0.2.53 > /etc/resolv.conf
             echo 'hosts: files dns' > /etc/nsswitch.conf");
    }

    /// Where `ip` sees the address: nowhere, once, or on several devices.
    #[must_use]
    pub fn seen(&self, address: &str) -> Vec<Seen> {
        let wanted: IpAddr = address.parse().expect("an address");
        let devices = self.ip_json("-d address show");
        let mut found = Vec::new();
        for device in devices.as_array().into_iter().flatten() {
            for entry in device["addr_info"].as_array().into_iter().flatten() {
                if entry["local"].as_str().and_then(|local| local.parse().ok()) == Some(wanted) {
                    let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                    found.push(Seen {
                        nic: device["ifname"].as_str().unwrap_or_default().to_owned(),
                        prefix: entry["prefixlen"].as_u64().unwrap_or_default(),
                        label: word("label"),
                        broadcast: word("broadcast"),
                        raw: entry.clone(),
                    });
                }
            }
        }
        found
    }

    /// The one place where `ip` sees the address; panics when it is absent or there are several.
    pub fn only(&self, address: &str) -> Seen {
        let mut found = self.seen(address);
        assert!(found.len() == 1, "{}: {address} once is expected, ip shows {found:#?}", self.name);
        found.remove(0)
    }

    /// Panics when `ip` sees the address anywhere.
    pub fn expect_absent(&self, address: &str) {
        let found = self.seen(address);
        assert!(found.is_empty(), "{}: {address} must not be here, ip shows {found:#?}", self.name);
    }

    /// Waits until a device is in a state such as `UP`, or in one of several
    /// (`DOWN|LOWERLAYERDOWN`): the kernel may take a second to tell.
    pub fn wait_link(&self, nic: &str, state: &str) {
        let now = || self.ip_json(&format!("link show {nic}"))[0]["operstate"].clone();
        let there = wait_until(Duration::from_secs(10), || {
            let now = now();
            state.split('|').any(|state| now == state).then_some(())
        });
        assert!(there.is_some(), "{}: {nic} does not get {state}, it is {}", self.name, now());
    }

    /// Sets a kernel parameter of its network, named as with sysctl, but with `/` between the
    /// parts.
    pub fn sysctl(&self, name: &str, value: &str) {
        let file = format!("/proc/sys/{name}");
        self.in_network(|| std::fs::write(&file, value))
            .unwrap_or_else(|error| panic!("{}: {file}={value}: {error}", self.name));
    }

    /// Reads a kernel parameter of its network.
    #[must_use]
    pub fn read_sysctl(&self, name: &str) -> String {
        let file = format!("/proc/sys/{name}");
        let value = self.in_network(|| std::fs::read_to_string(&file));
        value.unwrap_or_else(|error| panic!("{}: {file}: {error}", self.name)).trim().to_owned()
    }

    /// Runs `work` on a thread of its own inside its network. Sockets opened there stay usable.
    pub fn in_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_network(&self.pidfd, work)
    }

    /// Its network, for threads that outlive this call.
    #[must_use]
    pub fn network(&self) -> enter::Network {
        enter::Network(Arc::clone(&self.pidfd))
    }

    /// Starts a program that stays, such as `sleep`; it ends when the value is dropped or with the
    /// machine.
    pub fn spawn(&self, program: &str, args: &[&str]) -> Resident {
        let (mut command, pid) = self.command_as(program, Entry::default());
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {program}: {error}", self.name));
        Resident { child, pid: pid.read().expect("its process id") }
    }

    /// Whether process 1 is alive.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !ended(&self.pidfd, Duration::ZERO)
    }

    /// Every process inside dies at once. Returns when they have.
    pub fn cut_power(&mut self) {
        // SAFETY: plain system call; the handle means process 1 and no other, even if its number
        // was used again.
        unsafe {
            use std::os::fd::AsRawFd as _;
            libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), libc::SIGKILL, 0, 0);
        }
        let gone = ended(&self.pidfd, Duration::from_secs(20));
        if gone {
            let _ = self.outside.wait();
        }
        assert!(gone || std::thread::panicking(), "{}: process 1 survived its SIGKILL", self.name);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn ended(pidfd: &OwnedFd, limit: Duration) -> bool {
    let limit = PollTimeout::try_from(limit.as_millis() as i32).unwrap_or(PollTimeout::ZERO);
    poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], limit).is_ok_and(|count| count > 0)
}

/// A program that stays, inside a machine.
#[derive(Debug)]
pub struct Resident {
    child: Child,
    pid: i32,
}

impl Resident {
    /// Its process id as seen from outside.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Its process id as seen from inside.
    #[must_use]
    pub fn pid_inside(&self) -> i32 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        line.split_whitespace()
            .last()
            .and_then(|pid| pid.parse().ok())
            .expect("NSpid in its status")
    }

    /// Asks it to end (SIGTERM), and waits until it has; `false` when it has not within `limit`.
    pub fn end(&mut self, limit: Duration) -> bool {
        if self.is_alive() {
            // SAFETY: plain system call; the process in between still waits for the program, so the
            // number is the program's.
            unsafe { libc::kill(self.pid, libc::SIGTERM) };
        }
        wait_until(limit, || (!self.is_alive()).then_some(())).is_some()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
