//! Process 1 of a simulated machine: makes the namespaces, mounts what is private, then reaps until
//! it is cut off.
//!
//! `ocf-test-init STEP…` with steps in order: `overlay DIR tmpfs|disk` (first, if at all),
//! `name NAME`, `bind FROM TO`, `tmpfs PATH MODE`, `dir PATH`. Once all is ready it prints the
//! process id of process 1, as the caller sees it, on stdout.
//!
//! It ends when its stdin ends: the maker of the machine holds the other end of that pipe, so the
//! machine cannot outlive a test process that was killed. Processes that lose their parent are
//! adopted and reaped, as a real init would.
#![allow(
    clippy::disallowed_methods,
    reason = "the harness is the caller: it owns the environment, waits and processes of what it \
              tests"
)]

use std::ffi::CString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd as _, RawFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pivot_root, sethostname};

/// An error with the step that met it.
type Step<T> = Result<T, String>;

trait At<T> {
    fn at(self, what: &str) -> Step<T>;
}
impl<T, E: std::fmt::Display> At<T> for Result<T, E> {
    fn at(self, what: &str) -> Step<T> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(io::stderr(), "ocf-test-init: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Step<ExitCode> {
    let steps: Vec<String> = std::env::args().skip(1).collect();
    let flags = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID;
    unshare(flags).at("unshare")?;
    let (mut ready, done) = io::pipe().at("pipe")?;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.at("fork")? {
        ForkResult::Child => {
            drop(ready);
            process_one(&steps, done)
        }
        ForkResult::Parent { child } => {
            drop(done);
            outside(child, &mut ready)
        }
    }
}

/// The process outside: reports to the caller which pid process 1 has there, and ends with it.
fn outside(child: Pid, ready: &mut impl Read) -> Step<ExitCode> {
    let mut word = String::new();
    ready.read_to_string(&mut word).at("ready pipe")?;
    if word == "ready" {
        writeln!(io::stdout(), "{child}").at("stdout")?;
        io::stdout().flush().at("stdout")?;
    }
    match waitpid(child, None).at("waitpid")? {
        WaitStatus::Exited(_, 0) => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::FAILURE),
    }
}

fn process_one(steps: &[String], mut done: impl Write) -> Step<ExitCode> {
    // SAFETY: plain system call; asks for SIGKILL when the process outside dies.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // Whatever the caller's own terminal does must not reach the machine's processes.
    nix::unistd::setsid().at("setsid")?;
    build(steps)?;
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block().at("sigprocmask")?;
    let children = SignalFd::new(&signals).at("signalfd")?;
    done.write_all(b"ready").at("ready pipe")?;
    drop(done);
    // Only what the machine's own processes print may keep the caller's pipes open.
    close_stdout();
    let stdin = io::stdin();
    loop {
        let mut watched = [
            PollFd::new(children.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(format!("poll: {error}")),
        }
        if watched[1].revents().is_some_and(|events| !events.is_empty()) {
            return Ok(ExitCode::SUCCESS);
        }
        let _ = children.read_signal();
        while let Ok(status) = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
    }
}

fn close_stdout() {
    if let Ok(null) = fs::File::create("/dev/null") {
        let _ = nix::unistd::dup2_stdout(&null);
    }
}

/// Gives the machine its own view of processes and network devices, and carries out the steps.
fn build(steps: &[String]) -> Step<()> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .at("mount --make-rprivate /")?;
    // An overlay comes first: everything else is mounted on it.
    let (root, steps) = match steps {
        [step, dir, kind, rest @ ..] if step == "overlay" => {
            (Some(overlay(Path::new(dir), kind)?), rest)
        }
        rest => (None, rest),
    };
    let place = |root: &Option<PathBuf>, path: &str| match root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    // Before anything hides them.
    let mut sources = sources(steps)?.into_iter();
    if root.is_none() {
        // Without an overlay it is the outside's. A test that writes to `/etc` needs one, or a file
        // system of its own there; it fails instead of changing the machine that it runs on.
        read_only(Path::new("/"), true)?;
    }
    devices(root.as_deref().unwrap_or(Path::new("/")))?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &place(&root, "/proc"), Some("proc"), quiet, none).at("mount /proc")?;
    // /sys/class/net shows the network namespace of the process that mounted it.
    mount(Some("sysfs"), &place(&root, "/sys"), Some("sysfs"), quiet, none).at("mount /sys")?;
    let mut words = steps.iter().map(String::as_str);
    while let Some(step) = words.next() {
        let mut word = || words.next().ok_or_else(|| format!("{step}: an argument is missing"));
        match step {
            "name" => sethostname(word()?).at("sethostname")?,
            "bind" => {
                let (from, to) = (word()?, place(&root, word()?));
                let source =
                    sources.next().ok_or_else(|| format!("bind {from}: it was not opened"))?;
                match source.metadata().at(from)?.is_dir() {
                    true => fs::create_dir_all(&to).at("bind")?,
                    false => {
                        fs::create_dir_all(to.parent().unwrap_or(Path::new("/"))).at("bind")?;
                        fs::OpenOptions::new().create(true).append(true).open(&to).at("bind")?;
                    }
                }
                attach(&source, &to).at(&format!("bind {from}"))?;
            }
            "tmpfs" => {
                let (at, mode) = (place(&root, word()?), word()?);
                match fs::create_dir_all(&at) {
                    // The outside has no such directory, for lack of a package: then the machine
                    // has none.
                    Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => continue,
                    made => made.at("tmpfs")?,
                }
                let mode = format!("mode={mode}");
                mount(Some("tmpfs"), &at, Some("tmpfs"), MsFlags::MS_NOSUID, Some(mode.as_str()))
                    .at("mount tmpfs")?;
            }
            "dir" => {
                let dir = place(&root, word()?);
                fs::create_dir_all(&dir).at(&dir.display().to_string())?;
            }
            other => return Err(format!("unknown step {other}")),
        }
    }
    if let Some(root) = root {
        let old = root.join(".old");
        fs::create_dir_all(&old).at("pivot_root")?;
        pivot_root(&root, &old).at("pivot_root")?;
        std::env::set_current_dir("/").at("chdir")?;
        umount2("/.old", MntFlags::MNT_DETACH).at("umount the old root")?;
        let _ = fs::remove_dir("/.old");
    }
    Ok(())
}

/// A copy of the mount at a path with all below it, which is mounted nowhere yet: what is done to
/// that mount later does not change it.
fn copy(path: &str) -> io::Result<fs::File> {
    let name = CString::new(path)?;
    let flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: reads a path that ends with a zero.
    let number =
        unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, name.as_ptr(), flags) };
    if number < 0 {
        Err(io::Error::last_os_error())
    } else {
        // SAFETY: the kernel has just given this descriptor to this process; it has no other owner.
        Ok(unsafe { fs::File::from_raw_fd(number as RawFd) })
    }
}

/// Mounts such a copy.
fn attach(source: &fs::File, to: &Path) -> io::Result<()> {
    let to = CString::new(to.as_os_str().as_encoded_bytes())?;
    let (from, number) = (source.as_raw_fd(), libc::SYS_move_mount);
    let empty = libc::MOVE_MOUNT_F_EMPTY_PATH;
    // SAFETY: reads two paths that end with a zero; the descriptor is open.
    let result =
        unsafe { libc::syscall(number, from, c"".as_ptr(), libc::AT_FDCWD, to.as_ptr(), empty) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the steps bind, in their order.
fn sources(steps: &[String]) -> Step<Vec<fs::File>> {
    let mut words = steps.iter();
    let mut open = Vec::new();
    while let Some(step) = words.next() {
        let mut arguments = words.by_ref().take(match step.as_str() {
            "bind" | "tmpfs" => 2,
            _ => 1,
        });
        if step == "bind"
            && let Some(from) = arguments.next()
        {
            open.push(copy(from).at(from)?);
        }
        arguments.for_each(drop);
    }
    Ok(open)
}

/// Makes a mount read-only, with all below it if that is wanted. What is forbidden there already
/// stays so.
fn read_only(path: &Path, recursive: bool) -> Step<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let name = CString::new(path.as_os_str().as_encoded_bytes()).at("path")?;
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    let (number, size) = (libc::SYS_mount_setattr, size_of_val(&attributes));
    // SAFETY: reads a path that ends with a zero and a struct of this size; both live longer than
    // the call.
    let result = unsafe {
        libc::syscall(number, libc::AT_FDCWD, name.as_ptr(), flags, &raw const attributes, size)
    };
    let done = if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    done.at(&format!("make {} read-only", path.display()))
}

/// A `/dev` of its own with the harmless devices: no shared memory, terminals or log of the
/// outside's.
fn devices(root: &Path) -> Step<()> {
    let none: Option<&str> = None;
    let dev = root.join("dev");
    fs::create_dir_all(&dev).at("/dev")?;
    // Open before the mount hides them.
    let mut devices = Vec::new();
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let path = Path::new("/dev").join(name);
        devices.push((
            name,
            fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).at(name)?,
        ));
    }
    mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))
        .at("mount /dev")?;
    for (name, device) in devices {
        let to = dev.join(name);
        fs::File::create(&to).at(name)?;
        let from = format!("/proc/self/fd/{}", device.as_raw_fd());
        mount(Some(from.as_str()), &to, none, MsFlags::MS_BIND, none).at(name)?;
        // A device works as before, but its mode and its owner are those of the outside's.
        read_only(&to, false)?;
    }
    for name in ["shm", "pts"] {
        fs::create_dir(dev.join(name)).at(name)?;
    }
    mount(Some("shm"), &dev.join("shm"), Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=1777"))
        .at("mount /dev/shm")?;
    let own = Some("newinstance,ptmxmode=0666,mode=620");
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), MsFlags::MS_NOSUID, own)
        .at("mount /dev/pts")?;
    for (link, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        std::os::unix::fs::symlink(target, dev.join(link)).at(link)?;
    }
    Ok(())
}

/// Mounts an overlay of `/` whose changes go to `dir` (on a tmpfs of its own, or kept on disk), and
/// returns its root.
fn overlay(dir: &Path, kind: &str) -> Step<PathBuf> {
    let none: Option<&str> = None;
    if kind == "tmpfs" {
        mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .at("mount tmpfs")?;
    }
    let part = |name: &str| {
        let path = dir.join(name);
        fs::create_dir_all(&path).at("overlay").map(|()| path)
    };
    let (upper, work, root) = (part("upper")?, part("work")?, part("root")?);
    let mut options = format!("lowerdir=/,upperdir={},workdir={}", upper.display(), work.display());
    // In a user namespace overlayfs keeps its marks in user.* attributes; as real root in
    // trusted.*.
    let first =
        mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()));
    if first.is_err() {
        options.push_str(",userxattr");
        mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .at("mount overlay")?;
    }
    mount(none, &root, none, MsFlags::MS_PRIVATE, none).at("mount --make-private")?;
    Ok(root)
}
