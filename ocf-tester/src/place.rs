//! Where a call runs: the user, the directory, and what it can see of the machine.
//!
//! A view of the machine is a set of namespaces that one thread makes, by ordinary calls, and
//! leaves behind as descriptors; a call then only joins them. Nothing outside the view ever
//! changes.
#![allow(
    clippy::disallowed_methods,
    reason = "all of it is in a directory or namespace that the tester has made"
)]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};

/// Where a call runs. The default is here, as who we are.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Another user and group, without supplementary groups.
    pub user: Option<(u32, u32)>,
    /// The working directory; ours if unset.
    pub directory: Option<PathBuf>,
    /// What it sees of the machine; all of it if unset.
    pub view: Option<Arc<View>>,
    /// What it reads.
    pub input: Input,
    /// Open as the descriptors 3 to 9; none if unset.
    pub descriptors: Option<Arc<OwnedFd>>,
    /// Signals that it finds ignored.
    pub ignored: Vec<Signal>,
    /// How little of the processor and of the disks it gets.
    pub priority: Priority,
}

/// What a call reads as its standard input.
#[derive(Clone, Debug, Default)]
pub enum Input {
    /// What the program's start gives it: nothing, or a text.
    #[default]
    Usual,
    /// It has none.
    Closed,
    /// A terminal without any input.
    Terminal(Arc<OwnedFd>),
}

/// How much of the processor and of the disks a call gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// As much as we.
    #[default]
    Usual,
    /// Less of the processor. The least would make a call on a busy machine look as if it hung.
    Nice,
    /// Less of the disks.
    SlowDisk,
}

impl Place {
    /// Makes a command start there.
    ///
    /// # Errors
    /// For a directory whose name no path can be.
    pub fn enter(&self, command: &mut Command, umask: u32) -> io::Result<()> {
        let place = self.clone();
        let directory = place
            .directory
            .as_ref()
            .map(|path| CString::new(path.as_os_str().as_bytes()))
            .transpose()?;
        let closure = move || {
            // What this process waits for in a thread is blocked in all others, and std lets a
            // child inherit that.
            SigSet::empty().thread_set_mask()?;
            if let Some(view) = &place.view {
                view.join()?;
            }
            if let Some(directory) = &directory {
                // SAFETY: a path that ends with a zero byte.
                check(unsafe { libc::chdir(directory.as_ptr()) })?;
            }
            // SAFETY: plain system calls on numbers.
            unsafe {
                libc::umask(umask);
                if let Some((user, group)) = place.user {
                    check(libc::setgroups(0, std::ptr::null()))?;
                    check(libc::setresgid(group, group, group))?;
                    check(libc::setresuid(user, user, user))?;
                }
            }
            place.inherit()
        };
        // SAFETY: between fork and exec only system calls are made; nothing allocates, no lock is
        // taken.
        unsafe { command.pre_exec(closure) };
        Ok(())
    }
}

impl Place {
    /// What a child inherits besides, set last: the descriptors may be those that were needed
    /// before.
    fn inherit(&self) -> io::Result<()> {
        // SAFETY: system calls on numbers, between fork and exec; each descriptor is open as long
        // as `self` is.
        unsafe {
            for signal in &self.ignored {
                libc::signal(*signal as i32, libc::SIG_IGN);
            }
            match self.priority {
                Priority::Usual => {}
                Priority::Nice => check(libc::setpriority(libc::PRIO_PROCESS, 0, 5))?,
                // ioprio_set(2): of this process, the class best-effort, the last of its eight
                // levels.
                Priority::SlowDisk => {
                    check(libc::syscall(libc::SYS_ioprio_set, 1, 0, 2 << 13 | 7) as i32)?
                }
            }
            match &self.input {
                Input::Usual => {}
                Input::Closed => check(libc::close(0))?,
                Input::Terminal(terminal) => check(libc::dup2(terminal.as_raw_fd(), 0))?,
            }
            if let Some(open) = &self.descriptors {
                // First out of the way of its own copies.
                let high = libc::fcntl(open.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10);
                check(high)?;
                (3..=9).try_for_each(|number| check(libc::dup2(high, number)))?;
            }
        }
        Ok(())
    }
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Namespaces that a call may join.
#[derive(Debug)]
pub struct View {
    namespaces: Vec<(OwnedFd, CloneFlags)>,
    /// What was written instead of the machine's directories: the directory meant, and the one that
    /// took it.
    written: Vec<(PathBuf, OwnedFd)>,
    /// What the making of the view has written itself.
    ours: Vec<PathBuf>,
    /// When the run began.
    since: Option<SystemTime>,
}

/// What a view shows.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Directories whose changes go to memory instead, to be looked at.
    pub overlaid: Vec<PathBuf>,
    /// Directories that are empty.
    pub empty: Vec<PathBuf>,
    /// Directories that cannot be written.
    pub read_only: Vec<PathBuf>,
    /// Paths below those that stay what they are.
    pub kept: Vec<PathBuf>,
    /// No network but a loopback that is down.
    pub offline: bool,
    /// When the run began: a directory that is older is not the agent's.
    pub since: Option<SystemTime>,
}

impl View {
    /// Makes the namespaces. Needs root.
    ///
    /// # Errors
    /// When the kernel, or a container around us, does not allow it.
    pub fn new(plan: Plan) -> io::Result<Arc<Self>> {
        let made =
            std::thread::Builder::new().name("view".to_owned()).spawn(move || build(&plan))?.join();
        made.map_err(|_| io::Error::other("the thread that prepared it panicked"))?.map(Arc::new)
    }

    fn join(&self) -> io::Result<()> {
        for (namespace, kind) in &self.namespaces {
            // SAFETY: a descriptor that the command keeps open, and its kind.
            check(unsafe { libc::setns(namespace.as_raw_fd(), kind.bits()) })?;
        }
        Ok(())
    }

    /// Every path that was made, changed or removed in an overlaid directory, as the view shows it.
    /// A directory that the machine has too is no change: the overlay copies it as soon as
    /// something below it is touched, whatever comes of that.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn written(&self) -> io::Result<Vec<PathBuf>> {
        Ok(self.changes()?.into_iter().map(|(path, _)| path).collect())
    }

    /// As [`Self::written`], without what was removed.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn left(&self) -> io::Result<Vec<PathBuf>> {
        Ok(self
            .changes()?
            .into_iter()
            .filter(|(_, removed)| !removed)
            .map(|(path, _)| path)
            .collect())
    }

    /// Each path, and whether it was removed.
    fn changes(&self) -> io::Result<Vec<(PathBuf, bool)>> {
        let mut found = Vec::new();
        for (meant, taken) in &self.written {
            let root = through(taken.as_raw_fd());
            let mut folders = vec![PathBuf::new()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(root.join(&folder))? {
                    let entry = entry?;
                    let (path, kind) = (folder.join(entry.file_name()), entry.file_type()?);
                    let shown = meant.join(&path);
                    if kind.is_dir() {
                        folders.push(path);
                        if self.was_there(&shown) {
                            continue;
                        }
                    }
                    // A device 0, 0 is an overlay's mark of what was removed (overlayfs.rst,
                    // whiteouts).
                    let removed = kind.is_char_device() && entry.metadata()?.rdev() == 0;
                    found.push((shown, removed));
                }
            }
        }
        found.retain(|(path, _)| !self.ours.contains(path));
        found.sort();
        Ok(found)
    }

    /// Whether the machine had this directory before the run: what came later the agent may have
    /// left.
    fn was_there(&self, directory: &Path) -> bool {
        made(directory).is_some_and(|made| self.since.is_none_or(|since| made < since))
    }
}

/// When a directory was made; where the file system does not say that, long ago.
fn made(path: &Path) -> Option<SystemTime> {
    let meta = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some(meta.created().unwrap_or(SystemTime::UNIX_EPOCH))
}

/// A path that leads to an open directory, whatever mount namespace it is in.
fn through(fd: RawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{fd}"))
}

fn build(plan: &Plan) -> io::Result<View> {
    let mut kinds = vec![(CloneFlags::CLONE_NEWNS, "mnt")];
    if plan.offline {
        kinds.extend([(CloneFlags::CLONE_NEWNET, "net"), (CloneFlags::CLONE_NEWIPC, "ipc")]);
    }
    unshare(kinds.iter().fold(CloneFlags::empty(), |all, (kind, _)| all | *kind))?;
    let none = None::<&str>;
    // What we mount must not travel to the machine.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // Opened before anything hides them.
    let kept: Vec<(&PathBuf, File)> =
        plan.kept.iter().filter_map(|path| Some((path, File::open(path).ok()?))).collect();
    let scratch = plan.overlaid.first().map(|_| scratch()).transpose()?;
    let mut written = Vec::new();
    for (number, path) in plan.overlaid.iter().enumerate() {
        let scratch = scratch.as_ref().ok_or_else(|| io::Error::other("no scratch directory"))?;
        let (upper, work) =
            (scratch.join(format!("{number}.upper")), scratch.join(format!("{number}.work")));
        std::fs::create_dir(&upper)?;
        std::fs::create_dir(&work)?;
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            path.display(),
            upper.display(),
            work.display()
        );
        let fd = OwnedFd::from(File::open(&upper)?);
        std::fs::set_permissions(&upper, std::fs::metadata(path)?.permissions())?;
        mount(Some("overlay"), path, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
        written.push((path.clone(), fd));
    }
    for path in &plan.empty {
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("mode=755,size=16m"))?;
    }
    for path in &plan.read_only {
        mount(Some(path), path, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    }
    for (path, open) in &kept {
        bring_back(path, open)?;
    }
    for path in &plan.read_only {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, path, none, flags, none)?;
    }
    let mut namespaces = Vec::new();
    for (kind, name) in kinds {
        namespaces.push((OwnedFd::from(File::open(format!("/proc/thread-self/ns/{name}"))?), kind));
    }
    let mut view = View { namespaces, written, ours: Vec::new(), since: plan.since };
    view.ours = view.written()?;
    Ok(view)
}

/// Memory to write to, over a directory that no agent has business with.
fn scratch() -> io::Result<PathBuf> {
    let path = PathBuf::from("/mnt");
    mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("mode=755,size=256m"))?;
    Ok(path)
}

/// Binds what was opened before to the place where it was.
fn bring_back(path: &Path, open: &File) -> io::Result<()> {
    if open.metadata()?.is_dir() {
        std::fs::create_dir_all(path)?;
    } else {
        path.parent().map(std::fs::create_dir_all).transpose()?;
        File::options().create(true).append(true).open(path)?;
    }
    let none = None::<&str>;
    mount(Some(&through(open.as_raw_fd())), path, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    Ok(())
}
