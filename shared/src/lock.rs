//! Locks that the kernel releases when their holder dies, however it dies.
//!
//! Two kinds. [`Lock`] (flock) makes actions take turns: [`lock_resource`], which the frame takes
//! for every action that changes something, and [`lock_common`], for what several resources change.
//! All are in the state directory, where only root can open them: any process that can open a file
//! can hold its lock. A *holder's* lock (a POSIX record lock) marks a process that works in the
//! background: the kernel reports its number, so that it can be found and ended without believing a
//! file. The file of a lock is deleted only by who holds it ([`Lock::remove`]), and who gets a lock
//! looks whether its file is still there: a lock on a deleted file excludes no one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::FlockArg;
use nix::libc;
use nix::sys::signal::Signal;

use crate::invocation::Invocation;
use crate::state;
use crate::sys::at::{fstat, lstat};
use crate::sys::clock::Deadline;
use crate::sys::file::{open_lock, open_to_ask, remove};
use crate::sys::process::{Process, end_all};

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// Why a lock is not held.
#[derive(Debug)]
pub enum LockError {
    /// Another process had it until the deadline. The text is what that one has said about itself;
    /// it may be empty.
    Busy(String),
    /// The file cannot be used.
    File(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(note) if note.is_empty() => {
                f.write_str("locked by another process for too long")
            }
            Self::Busy(note) => write!(f, "locked for too long by {note}"),
            Self::File(error) => write!(f, "cannot be locked: {error}"),
        }
    }
}

impl std::error::Error for LockError {}

/// Waits until no other action changes this resource. In the lock's file stands who holds it, for
/// people and for [`LockError::Busy`].
///
/// # Errors
/// At the deadline, and at once when the file cannot be used.
pub fn lock_resource(
    invocation: &Invocation,
    agent: &str,
    deadline: Deadline,
) -> Result<Lock, LockError> {
    let lock = Lock::take(&state::path(invocation, agent, "lock"), deadline)?;
    let note = format!("{}, process {}\n", invocation.action_word(), std::process::id());
    // The lock counts, not the note: a full file system is no obstacle.
    let _ = lock.file().set_len(0).and_then(|()| lock.file().write_all_at(note.as_bytes(), 0));
    Ok(lock)
}

/// What the holder of [`lock_resource`] says about itself, if there is one at this moment. Waits
/// for nothing.
#[must_use]
pub fn busy_with(invocation: &Invocation, agent: &str) -> Option<String> {
    let file = open_to_ask(&state::path(invocation, agent, "lock")).ok()?;
    // Given back when the file is closed.
    match flock(&file, FlockArg::LockSharedNonblock) {
        Err(Errno::EWOULDBLOCK) => Some(note(file)),
        _ => None,
    }
}

/// Waits until no other resource of this agent changes `thing`: an interface, say.
///
/// # Errors
/// At the deadline, and at once when the file cannot be used.
pub fn lock_common(
    invocation: &Invocation,
    agent: &str,
    thing: &str,
    deadline: Deadline,
) -> Result<Lock, LockError> {
    Lock::take(&common_path(invocation, agent, thing), deadline)
}

/// No resource's name can make this the path of [`lock_resource`].
fn common_path(invocation: &Invocation, agent: &str, thing: &str) -> PathBuf {
    state::directory(invocation).join([agent, "-", &state::name(thing), ".common"].concat())
}

impl Lock {
    /// Waits for the lock of a file. flock has no time-out of its own, hence looks from a
    /// millisecond upward.
    ///
    /// # Errors
    /// At the deadline, and at once when the file cannot be used.
    pub fn take(path: &Path, deadline: Deadline) -> Result<Self, LockError> {
        let mut file = Some(open_lock(path).map_err(LockError::File)?);
        let attempt = || {
            let opened = match file.take().map_or_else(|| open_lock(path), Ok) {
                Ok(opened) => opened,
                Err(error) => return Some(Err(LockError::File(error))),
            };
            match flock(&opened, FlockArg::LockExclusiveNonblock) {
                Ok(()) if is_at(&opened, path) => {
                    Some(Ok(Self { file: opened, path: path.to_owned() }))
                }
                // Its last holder has deleted it.
                Ok(()) => None,
                Err(Errno::EWOULDBLOCK | Errno::EINTR) => {
                    file = Some(opened);
                    None
                }
                Err(error) => Some(Err(LockError::File(error.into()))),
            }
        };
        deadline
            .poll(attempt)
            .unwrap_or_else(|| Err(LockError::Busy(file.map(note).unwrap_or_default())))
    }

    /// Gives the lock back and deletes its file, if that can be done. Who waits for it makes the
    /// next one.
    pub fn remove(self) {
        let _ = remove(&self.path);
    }

    /// The locked file, for a few bytes that its holders share.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock {
    /// Gives it back also where a copy of the descriptor lives on in a process that was forked
    /// meanwhile. If the kernel refuses that, the end of this process does it.
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockArg::Unlock);
    }
}

#[expect(
    deprecated,
    reason = "nix's Flock panics when it is dropped and the kernel does not give the lock back"
)]
fn flock(file: &File, how: FlockArg) -> nix::Result<()> {
    nix::fcntl::flock(file.as_raw_fd(), how)
}

/// Whether a path still leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    match (fstat(file), lstat(path)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

/// What a holder has written about itself.
fn note(file: File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST_NOTE).read_to_string(&mut text);
    let is_plain = read.is_ok()
        && text.trim_end().chars().all(|letter| letter.is_ascii_graphic() || letter == ' ');
    if is_plain { text.trim_end().to_owned() } else { String::new() }
}

/// A note is one line.
const LONGEST_NOTE: u64 = 80;

/// Opens the file of a holder's lock.
///
/// # Errors
/// When it can be neither opened nor made.
pub fn open_holder(path: &Path) -> io::Result<File> {
    open_lock(path)
}

/// Makes this process the holder, until it ends or closes any descriptor of the file; `false` when
/// another one is.
///
/// # Errors
/// The kernel's.
pub fn hold(file: &File) -> io::Result<bool> {
    match record_lock(file, libc::F_SETLK) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// How often a holder may end or change while it is looked at.
const ATTEMPTS: usize = 100;

/// The process that holds the lock now; `None` when none does.
///
/// # Errors
/// When the file cannot be used, or the holder cannot be looked at from here (another pid
/// namespace, another /proc).
pub fn holder(path: &Path) -> io::Result<Option<Process>> {
    // Only read: to ask needs no more, and the state directory may have become read-only.
    let file = match open_to_ask(path) {
        Ok(file) => file,
        // No file, or none that could ever be: a name that is too long (ENAMETOOLONG).
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG)
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    for _ in 0..ATTEMPTS {
        let Some(pid) = holder_pid(&file)? else { return Ok(None) };
        let process = Process::find(pid)?;
        // Read again: the number was the holder's before and after we learned whose it is, so it is
        // this process's. A lock that has changed hands in between is held all the same.
        if process.is_some() && holder_pid(&file)? == Some(pid) {
            return Ok(process);
        }
    }
    Err(io::Error::other("the lock is held by a process that is not in /proc"))
}

/// Ends the holder, and returns when it has ended; `false` when one still holds the lock at the
/// deadline.
///
/// # Errors
/// As [`holder`], and the kernel's.
pub fn end_holder(path: &Path, deadline: Deadline) -> io::Result<bool> {
    while let Some(process) = holder(path)? {
        // Gives back those that still live at the deadline.
        if !end_all(&[process], &[Signal::SIGKILL], deadline)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holder_pid(file: &File) -> io::Result<Option<i32>> {
    let lock = record_lock(file, libc::F_GETLK)?;
    match i32::from(lock.l_type) {
        libc::F_UNLCK => Ok(None),
        _ if lock.l_pid <= 0 => {
            Err(io::Error::other("the lock is held by a process of another pid namespace"))
        }
        _ => Ok(Some(lock.l_pid)),
    }
}

/// One request about a lock on the whole file.
fn record_lock(file: &File, command: libc::c_int) -> io::Result<libc::flock> {
    // SAFETY: a struct flock is plain data, for which all zeros is a value (the whole file, from
    // its start).
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: F_SETLK and F_GETLK read and write a struct flock, which `lock` is, and keep no
    // pointer to it.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, std::ptr::from_mut(&mut lock)) } == 0 {
        Ok(lock)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::io::BufRead;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// Names the lock that the process below holds.
    const HOLD: &str = "OCF_TEST_HOLD";

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how one process of this test talks to another")]
    fn holds_the_lock_that_another_test_names() {
        let Some(path) = std::env::var_os(HOLD) else { return };
        let file = open_holder(Path::new(&path)).unwrap();
        assert!(hold(&file).unwrap());
        println!("held");
        soon().sleep(Duration::from_secs(60));
    }

    #[test]
    fn sl_03_fifty_contenders_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, counter) = (folder.path().join("lock"), folder.path().join("counter"));
        std::fs::write(&counter, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..50 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        // Each turn opens the file anew, so threads exclude each other as processes
                        // do.
                        let turn = Lock::take(&lock, soon()).unwrap();
                        let count: u32 =
                            std::fs::read_to_string(&counter).unwrap().parse().unwrap();
                        std::fs::write(&counter, (count + 1).to_string()).unwrap();
                        if count.is_multiple_of(3) {
                            turn.remove();
                        }
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&counter).unwrap(), "5000");
    }

    #[test]
    fn sl_03_the_lock_of_a_killed_holder_is_free_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut holder = Command::new("/usr/bin/flock")
            .arg(&path)
            .args(["/bin/sh", "-c", "echo held; exec sleep 60"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        holder.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
        assert!(matches!(
            Lock::take(&path, Deadline::after(Duration::from_millis(50))),
            Err(LockError::Busy(_))
        ));
        let child = Process::find(holder.id() as i32).unwrap().unwrap();
        let all: Vec<Process> = child.descendants().unwrap().into_iter().chain([child]).collect();
        end_all(&all, &[Signal::SIGKILL], soon()).unwrap();
        assert!(Lock::take(&path, soon()).is_ok());
        holder.wait().unwrap();
    }

    #[test]
    fn rt_2_the_lock_of_a_resource_says_who_holds_it_and_is_no_other_resources() {
        let folder = tempfile::tempdir().unwrap();
        let call = |instance: &str, action: &str| {
            let variables = [
                ("HA_RSCTMP", folder.path().to_str().unwrap()),
                ("OCF_RESOURCE_INSTANCE", instance),
            ];
            let environment =
                variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
            Invocation::new([OsString::from("agent"), OsString::from(action)], environment)
        };
        let short = || Deadline::after(Duration::from_millis(20));
        let held = lock_resource(&call("vip", "start"), "IPaddr2", soon()).unwrap();
        let busy = lock_resource(&call("vip", "stop"), "IPaddr2", short()).unwrap_err();
        let expected = format!("locked for too long by start, process {}", std::process::id());
        assert_eq!(busy.to_string(), expected);
        let _other = lock_resource(&call("vip2", "stop"), "IPaddr2", short()).unwrap();
        let _common = lock_common(&call("vip", "start"), "IPaddr2", "vip", short()).unwrap();
        assert!(matches!(
            lock_common(&call("x", "stop"), "IPaddr2", "vip", short()),
            Err(LockError::Busy(_))
        ));
        drop(held);
        lock_resource(&call("vip", "stop"), "IPaddr2", short()).unwrap();
    }

    #[test]
    fn sl_03_a_directory_that_cannot_be_made_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let began = Instant::now();
        assert!(matches!(Lock::take(&file.join("below"), soon()), Err(LockError::File(_))));
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn ip_39_the_holder_is_who_holds_the_lock_and_not_who_is_named_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert_eq!(holder(&path).unwrap(), None);
        let mut bystander = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        std::fs::write(&path, bystander.id().to_string()).unwrap();
        assert_eq!(holder(&path).unwrap(), None);
        assert!(end_holder(&path, soon()).unwrap());
        assert!(bystander.try_wait().unwrap().is_none(), "the bystander lives");
        // This very test program, as another process, by way of the test below.
        let mut real = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lock::tests::holds_the_lock_that_another_test_names", "--nocapture"])
            .env(HOLD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = std::io::BufReader::new(real.stdout.as_mut().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("held")));
        assert_eq!(holder(&path).unwrap().map(|p| p.pid), Some(real.id() as i32));
        assert!(!hold(&open_holder(&path).unwrap()).unwrap());
        assert!(end_holder(&path, soon()).unwrap());
        assert!(!real.wait().unwrap().success());
        assert!(bystander.try_wait().unwrap().is_none(), "the bystander lives");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
