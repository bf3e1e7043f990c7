//! Process 1 of a User-Mode Linux kernel: makes the machine's root copy on write, runs one program,
//! and ends.
//!
//! The kernel starts it with this machine's `/` as its root, read only. `ocf.share=` on its command
//! line is a directory of this machine: `command` and `environment` (words with a NUL between) are
//! read there, `said` and `code` are written. `ocf.built=` is where the programs are that cargo has
//! built.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the first process of a machine: it owns its environment and processes"
)]

use std::ffi::CString;
use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir, pivot_root};

/// Modules for machines in namespaces, for IP Virtual Server with the usual schedulers, and for the
/// kinds of devices that addresses are put on. The kernel would ask modprobe, which a machine
/// without modules has not.
const MODULES: [&str; 13] = [
    "veth",
    "bridge",
    "dummy",
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wrr",
    "ip_vs_wlc",
    "ip_vs_sh",
    "bonding",
    "8021q",
    "macvlan",
    "ipvlan",
    "vrf",
];

type Step<T> = Result<T, String>;

fn main() {
    if let Err(message) = run() {
        let _ = writeln!(std::io::stderr(), "ocf-test-uml: {message}");
    }
    nix::unistd::sync();
    // SAFETY: plain system call; ends this kernel, which is a process of its own on the machine
    // outside.
    unsafe { libc::reboot(libc::RB_POWER_OFF) };
}

fn run() -> Step<()> {
    attach("proc", "/proc", "proc", "")?;
    let line =
        fs::read_to_string("/proc/cmdline").map_err(|error| format!("/proc/cmdline: {error}"))?;
    let word = |name: &str| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
        value.ok_or_else(|| format!("no {name} on the kernel's command line"))
    };
    let (share, modules) = (word("ocf.share=")?, Path::new(word("ocf.modules=")?));
    root(share, modules)?;
    show(word("ocf.built=")?)?;
    load(modules)?;
    let _ = Command::new("/sbin/ip").args(["link", "set", "lo", "up"]).status();
    let code = program()?;
    fs::write("/mnt/share/code", code.to_string()).map_err(|error| format!("code: {error}"))
}

fn attach(what: &str, to: impl AsRef<Path>, kind: &str, options: &str) -> Step<()> {
    let to = to.as_ref();
    mount(Some(what), to, Some(kind), MsFlags::empty(), Some(options))
        .map_err(|error| format!("mount {kind} on {}: {error}", to.display()))
}

fn make(path: &str) -> Step<()> {
    fs::create_dir_all(path).map_err(|error| format!("{path}: {error}"))
}

/// An overlay of the machine's root becomes the root.
fn root(share: &str, modules: &Path) -> Step<()> {
    insert(&modules.join("kernel/fs/overlayfs/overlay.ko"))?;
    attach("upper", "/mnt", "tmpfs", "mode=755,size=80%")?;
    ["/mnt/upper", "/mnt/work", "/mnt/root"].into_iter().try_for_each(make)?;
    attach("overlay", "/mnt/root", "overlay", "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work")?;
    let own = format!(
        "/mnt/root/usr/lib/modules/{}",
        modules.file_name().unwrap_or_default().to_string_lossy()
    );
    ["/mnt/root/mnt/share", "/mnt/root/mnt/old", &own].into_iter().try_for_each(make)?;
    let none: Option<&str> = None;
    let bind = mount(Some(modules), own.as_str(), none, MsFlags::MS_BIND, none);
    bind.map_err(|error| format!("modules: {error}"))?;
    attach("share", "/mnt/root/mnt/share", "hostfs", share)?;
    attach("dev", "/mnt/root/dev", "devtmpfs", "")?;
    attach("proc", "/mnt/root/proc", "proc", "")?;
    chdir("/mnt/root")
        .and_then(|()| pivot_root(".", "mnt/old"))
        .map_err(|error| format!("pivot_root: {error}"))?;
    chdir("/")
        .and_then(|()| umount2("/mnt/old", MntFlags::MNT_DETACH))
        .map_err(|error| format!("old root: {error}"))?;
    ["/dev/pts", "/dev/shm"].into_iter().try_for_each(make)?;
    attach("devpts", "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666")?;
    attach("sys", "/sys", "sysfs", "")?;
    for (path, mode) in [("/run", "mode=755"), ("/tmp", "mode=1777"), ("/dev/shm", "mode=1777")] {
        attach("tmpfs", path, "tmpfs", mode)?;
    }
    Ok(())
}

/// What was built may be below a directory that is empty now.
fn show(built: &str) -> Step<()> {
    if Path::new(built).exists() {
        return Ok(());
    }
    make(built)?;
    attach("built", built, "hostfs", built)
}

/// Loads the modules and what each needs, the last of a list first (modules.dep(5)).
fn load(modules: &Path) -> Step<()> {
    let text = fs::read_to_string(modules.join("modules.dep"))
        .map_err(|error| format!("modules.dep: {error}"))?;
    let mut loaded: Vec<&str> = Vec::new();
    for module in MODULES {
        let file = format!("/{module}.ko");
        let line = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.ends_with(&file));
        // What is built in is no file.
        let Some((name, needs)) = line else { continue };
        for file in needs.split_whitespace().rev().chain([name]) {
            if !loaded.contains(&file) {
                insert(&modules.join(file))?;
                loaded.push(file);
            }
        }
    }
    Ok(())
}

fn insert(module: &Path) -> Step<()> {
    let file = fs::File::open(module).map_err(|error| format!("{}: {error}", module.display()))?;
    let none = CString::default();
    // SAFETY: a descriptor of ours, an empty string, no flags.
    let done = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), none.as_ptr(), 0) };
    if done == 0 {
        Ok(())
    } else {
        Err(format!("{}: {}", module.display(), std::io::Error::last_os_error()))
    }
}

/// Runs the program, and takes in every process that has lost its parent, until that program ends.
fn program() -> Step<i32> {
    let words = |name: &str| {
        let text = fs::read_to_string(format!("/mnt/share/{name}"))
            .map_err(|error| format!("{name}: {error}"))?;
        Ok::<Vec<String>, String>(text.split('\0').map(str::to_owned).collect())
    };
    let said = fs::OpenOptions::new()
        .append(true)
        .open("/mnt/share/said")
        .map_err(|error| format!("said: {error}"))?;
    let command = words("command")?;
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let environment = words("environment")?;
    let also = said.try_clone().map_err(|error| format!("said: {error}"))?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().filter_map(|pair| pair.split_once('=')))
        .stdin(Stdio::null())
        .stdout(said)
        .stderr(also)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    loop {
        match waitpid(None::<Pid>, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() == child.id() as i32 => {
                return Ok(code);
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == child.id() as i32 => {
                return Ok(128 + signal as i32);
            }
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(format!("waitpid: {error}")),
        }
    }
}
