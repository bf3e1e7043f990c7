//! Locks that the kernel releases when their holder dies, however it dies.
//!
//! Two kinds. [`Lock`] (flock) makes actions take turns. A *holder's* lock (a POSIX record lock) marks a process that works
//! in the background: the kernel tells its number to whoever asks, so that it can be found and ended without believing
//! a file. Lock files are never removed: a lock on a removed file excludes nobody.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use nix::sys::signal::Signal;

use crate::sys::clock::Deadline;
use crate::sys::file::open_lock;
use crate::sys::process::{Process, end_all};

/// A turn; over when this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: Flock<File>,
}

/// Why there is no turn.
#[derive(Debug)]
pub enum LockError {
    /// Others had it until the deadline.
    Busy,
    /// The file cannot be used.
    File(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("locked by another process for too long"),
            Self::File(error) => write!(f, "cannot be locked: {error}"),
        }
    }
}

impl std::error::Error for LockError {}

impl Lock {
    /// Waits for a turn. flock has no time-out of its own, hence looks from a millisecond upward.
    ///
    /// # Errors
    /// At the deadline, and at once when the file cannot be used.
    pub fn take(path: &Path, deadline: Deadline) -> Result<Self, LockError> {
        Self::wait(open_lock(path).map_err(LockError::File)?, deadline)
    }

    /// As [`Lock::take`], but of a file or directory that is there anyway, and only read: nothing is left behind.
    ///
    /// # Errors
    /// As [`Lock::take`], and when there is nothing at `path`.
    pub fn take_existing(path: &Path, deadline: Deadline) -> Result<Self, LockError> {
        Self::wait(File::open(path).map_err(LockError::File)?, deadline)
    }

    fn wait(file: File, deadline: Deadline) -> Result<Self, LockError> {
        let mut file = Some(file);
        let attempt = || match Flock::lock(file.take()?, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Some(Ok(Self { file: locked })),
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => {
                file = Some(back);
                None
            }
            Err((_, error)) => Some(Err(LockError::File(error.into()))),
        };
        deadline.poll(attempt).unwrap_or(Err(LockError::Busy))
    }
}

impl Lock {
    /// The locked file, for a few bytes that those who take turns share.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Opens the file of a holder's lock.
///
/// # Errors
/// When it can be neither opened nor made.
pub fn open_holder(path: &Path) -> io::Result<File> {
    open_lock(path)
}

/// Makes this process the holder, until it ends or closes any descriptor of the file; `false` when another one is.
///
/// # Errors
/// The kernel's.
pub fn hold(file: &File) -> io::Result<bool> {
    match record_lock(file, libc::F_SETLK) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How often a holder may end or change while it is looked at.
const ATTEMPTS: usize = 100;

/// The process that holds the lock now; `None` when none does.
///
/// # Errors
/// When the file cannot be used, or the holder cannot be looked at from here (another pid namespace, another /proc).
pub fn holder(path: &Path) -> io::Result<Option<Process>> {
    // Only read: to ask needs no more, and the state directory may have become read-only.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // No file, or none that could ever be: a name that is too long (ENAMETOOLONG).
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG)) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    for _ in 0..ATTEMPTS {
        let Some(pid) = holder_pid(&file)? else { return Ok(None) };
        let process = Process::find(pid)?;
        // Asked again: the number was the holder's before and after we learned whose it is, so it is this process's. A
        // lock that has changed hands in between is held all the same.
        if process.is_some() && holder_pid(&file)? == Some(pid) {
            return Ok(process);
        }
    }
    Err(io::Error::other("the lock is held by a process that is not in /proc"))
}

/// Ends the holder, and returns when it has ended; `false` when one still holds the lock at the deadline.
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
        _ if lock.l_pid <= 0 => Err(io::Error::other("the lock is held by a process of another pid namespace")),
        _ => Ok(Some(lock.l_pid)),
    }
}

/// One request about a lock on the whole file.
fn record_lock(file: &File, command: libc::c_int) -> io::Result<libc::flock> {
    // SAFETY: a struct flock is plain data, for which all zeros is a value (the whole file, from its start).
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: F_SETLK and F_GETLK read and write a struct flock, which `lock` is, and keep no pointer to it.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, std::ptr::from_mut(&mut lock)) } == 0 {
        Ok(lock)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, Read};
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
                        // Each turn opens the file anew, so threads exclude each other as processes do.
                        let _turn = Lock::take(&lock, soon()).unwrap();
                        let count: u32 = std::fs::read_to_string(&counter).unwrap().parse().unwrap();
                        std::fs::write(&counter, (count + 1).to_string()).unwrap();
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
        assert!(matches!(Lock::take(&path, Deadline::after(Duration::from_millis(50))), Err(LockError::Busy)));
        let child = Process::find(holder.id() as i32).unwrap().unwrap();
        let all: Vec<Process> = child.descendants().unwrap().into_iter().chain([child]).collect();
        end_all(&all, &[Signal::SIGKILL], soon()).unwrap();
        assert!(Lock::take(&path, soon()).is_ok());
        holder.wait().unwrap();
    }

    #[test]
    fn what_is_there_anyway_can_be_locked_too() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("file")] {
            let absent = Lock::take_existing(&folder.path().join("none"), soon());
            assert!(matches!(absent, Err(LockError::File(_))));
            if path != folder.path() {
                std::fs::write(&path, "x").unwrap();
            }
            let first = Lock::take_existing(&path, soon()).unwrap();
            let busy = Lock::take_existing(&path, Deadline::after(Duration::from_millis(20)));
            assert!(matches!(busy, Err(LockError::Busy)), "{}", path.display());
            drop(first);
            Lock::take_existing(&path, soon()).unwrap();
        }
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
