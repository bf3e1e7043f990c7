//! A kernel of its own for a test, where this one lacks something: User-Mode Linux.
//!
//! Debian's package `user-mode-linux` is a Linux kernel that is an ordinary program, with modules
//! for IP_VS and nearly all else. It boots over this machine's own `/`, copy on write, in two
//! seconds, and needs no privileges. The test that wants it is run again inside, by its name, with
//! everything that the harness has: machines in namespaces, agents, eyes.
//!
//! What differs inside: one CPU; a system call costs 14 µs, a fork some milliseconds; nothing
//! written stays. What the kernel of this machine has is used as it is, and no module is ever
//! loaded here.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::host::{Host, PATH, built_directory};
use crate::skip::skip;
use crate::tell::tell;

/// Set in the test that runs inside.
const INSIDE: &str = "OCF_IN_UML";

/// Begins a line that is printed outside at once.
pub(crate) const TOLD: &str = "TOLD ";

/// Whether this is the kernel of its own.
pub(crate) fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Where Debian has the kernel, and its modules below a directory of the version.
const KERNEL: &str = "/usr/bin/linux.uml";
const MODULES: &str = "/usr/lib/uml/modules";

/// Memory of the machine; taken from this one as far as it is used.
const MEMORY: &str = "mem=1024M";

/// Runs a test where the kernel has IP Virtual Server, as `with` does.
pub fn with_ipvs<T: FnOnce()>(limit: Duration, test: T) {
    with("IP_VS", Path::new("/proc/net/ip_vs").exists(), limit, test);
}

/// Runs a test where the kernel has devices of these kinds, as `with` does. The modules of the
/// kernel of its own are listed in `ocf-test-uml`.
pub fn with_devices<T: FnOnce()>(kinds: &[&str], limit: Duration, test: T) {
    if let Err(reason) = crate::root::available() {
        return skip(&reason);
    }
    let host = Host::new("try");
    host.ip("link add lower type veth peer name other");
    let missing = kinds.iter().find(|kind| {
        let what = match **kind {
            "vlan" => "link lower type vlan id 7",
            "macvlan" => "link lower type macvlan mode bridge",
            "ipvlan" => "link lower type ipvlan mode l2",
            "vrf" => "type vrf table 77",
            other => &format!("type {other}"),
        };
        let made = host.try_ip(&format!("link add upper {what}")).code == Some(0);
        if made {
            host.ip("link del upper");
        }
        !made
    });
    drop(host);
    with(&format!("device of the kind {}", missing.unwrap_or(&"")), missing.is_none(), limit, test);
}

/// Runs a test where the kernel has `what`: here, if `is_here`, else in a kernel of its own, or not
/// at all and loudly.
///
/// `test` is the closure that is the whole test; `limit` is for the run in a kernel of its own.
fn with<T: FnOnce()>(what: &str, is_here: bool, limit: Duration, test: T) {
    if is_here {
        return test();
    }
    assert!(!inside(), "the kernel of our own has no {what} either");
    if !Path::new(KERNEL).is_file() || !Path::new(MODULES).is_dir() {
        return skip(&format!("this kernel has no {what}, and user-mode-linux is not installed"));
    }
    if let Err(reason) = crate::root::available() {
        return skip(&format!(
            "this kernel has no {what}, and one of our own needs a namespace: {reason}"
        ));
    }
    again(&name_of(&test), limit);
}

/// The name that libtest has for the test whose closure this is: `crate::module::test::{{closure}}`
/// without the ends.
fn name_of<T>(test: &T) -> String {
    let whole = std::any::type_name_of_val(test);
    let (_, rest) = whole.split_once("::").expect("a path");
    rest.split("::{{closure}}").next().expect("a name").to_owned()
}

/// Runs a test of this executable in a kernel of its own; panics with what it said when it fails.
fn again(name: &str, limit: Duration) {
    let executable = std::env::current_exe().expect("path of the test executable");
    let path = executable.as_os_str().to_str().expect("a plain path");
    // The caller outside has decided whether one that is ignored runs.
    let words = [path, "--exact", name, "--include-ignored", "--nocapture", "--test-threads=1"];
    let ran = run(&words, limit);
    if ran.said.contains("SKIPPED ") {
        skip(ran.said.lines().find(|line| line.starts_with("SKIPPED ")).unwrap_or_default());
    }
    let passed = ran.code == Some(0) && ran.said.contains(" 1 passed;");
    assert!(
        passed,
        "{name}, in a kernel of its own (exit code {:?} after {:?}):\n{}\n{}",
        ran.code, ran.lasted, ran.said, ran.console
    );
}

/// What became of a program in a kernel of its own.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` when it, or the kernel, did not end by itself.
    pub code: Option<i32>,
    /// What it wrote.
    pub said: String,
    /// What the kernel wrote.
    pub console: String,
    /// From the boot to the end.
    pub lasted: Duration,
}

/// Boots, runs a program, and ends. Nothing of it lives longer than this call.
pub fn run(words: &[&str], limit: Duration) -> Ran {
    let share = TempDir::with_prefix("ocf-uml-").expect("temporary directory");
    let file = |name: &str| share.path().join(name);
    fs::write(file("command"), words.join("\0")).expect("command");
    fs::write(file("environment"), environment().join("\0")).expect("environment");
    fs::write(file("said"), "").expect("said");
    let console = fs::File::create(file("console")).expect("console");
    let version = newest(Path::new(MODULES)).expect("modules of the kernel");
    let began = Instant::now();
    // A PID namespace, so that nothing outlives it: the kernel has a process here for each of its
    // own. And what ends the test ends that.
    let mut child = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "env",
            &format!("LD_PRELOAD={}", completing_ptrace().display()),
            KERNEL,
            MEMORY,
        ])
        .args([
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            "quiet",
            "loglevel=3",
            "con=null",
            "con0=null,fd:2",
            "ssl=null",
        ])
        .arg(format!("init={}", built_directory().join("ocf-test-uml").display()))
        .arg(format!("uml_dir={}/", share.path().display()))
        .arg(format!("ocf.share={}", share.path().display()))
        .arg(format!("ocf.modules={}", version.display()))
        .arg(format!("ocf.built={}", built_directory().display()))
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .stdout(console.try_clone().expect("console"))
        .stderr(console)
        .spawn()
        .expect("setpriv starts");
    let mut relay = Relay::of(&file("said"));
    while matches!(child.try_wait(), Ok(None)) && began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(20));
        relay.pass_on();
    }
    let _ = child.kill();
    let _ = child.wait();
    relay.pass_on();
    let text = |name: &str| {
        String::from_utf8_lossy(&fs::read(file(name)).unwrap_or_default()).into_owned()
    };
    Ran {
        code: text("code").trim().parse().ok(),
        said: text("said"),
        console: text("console"),
        lasted: began.elapsed(),
    }
}

/// The library with which the kernel sets the registers of its processes on every processor:
/// fixtures/uml/ptrace.c, compiled once per test executable.
fn completing_ptrace() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/uml/ptrace.c");
        let library = built_directory().join("uml-ptrace.so");
        let part = library.with_extension(std::process::id().to_string());
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(&part)
            .arg(source)
            .status();
        assert!(compiled.expect("cc starts").success(), "cc compiles the library");
        fs::rename(&part, &library).expect("library");
        library
    })
}

/// What the program inside prints, on its way out.
struct Relay {
    said: fs::File,
    /// The beginning of a line.
    rest: Vec<u8>,
}

impl Relay {
    fn of(said: &Path) -> Relay {
        Relay { said: fs::File::open(said).expect("said"), rest: Vec::new() }
    }

    /// Prints what has come since the last time.
    fn pass_on(&mut self) {
        self.said.read_to_end(&mut self.rest).expect("said");
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        // libtest has begun a line with the name of the test.
        let marked = |line| Some(str::split_once(line, TOLD)?.1);
        String::from_utf8_lossy(&lines).lines().filter_map(marked).for_each(tell);
    }
}

/// What a test inside may know of the caller's environment.
fn environment() -> Vec<String> {
    let ours =
        std::env::vars().filter(|(name, _)| name.starts_with("OCF_") || name == "RUST_BACKTRACE");
    let mut all: Vec<String> = ours.map(|(name, value)| format!("{name}={value}")).collect();
    all.extend([
        format!("{INSIDE}=1"),
        format!("PATH={PATH}"),
        "LC_ALL=C.UTF-8".into(),
        "TZ=UTC".into(),
        "HOME=/root".into(),
    ]);
    all
}

/// The directory of modules, of which a machine may have kept an old one.
fn newest(directory: &Path) -> Option<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| path.join("modules.dep").is_file());
    all.sort();
    all.pop()
}
