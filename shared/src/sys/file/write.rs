//! Writing and deleting: relative to the directory, which is found without following the links of
//! others.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::signal::kill;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{Pid, UnlinkatFlags, unlinkat};

use super::walk::Walk;
use super::{ALL_WRITE, bits, ensure_dir, kind, mode_of, owned, plain, read_small, set_mode};
use crate::sys::at::{fstat, open};

/// How much of a file's name is in that of the new one beside it: names have at most 255 bytes.
const LONGEST_NAME: usize = 200;

/// Writes a file so that readers see the old content or the new, never a part: a new file beside
/// it, then a rename. Not synced to disk, for state belongs in /run, which a power cut empties
/// anyway.
///
/// The mode is exactly this one, whatever the caller's umask (Pacemaker's daemons have 026).
///
/// # Errors
/// When it cannot be written, or something else than a plain file is in its place; the old content
/// is then still there.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path, bytes, mode_of(mode), None)
}

/// Writes a file unless it has this content already; says whether it did.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_if_changed(path: &Path, bytes: &[u8], mode: u32) -> io::Result<bool> {
    if has(path, bytes) {
        return Ok(false);
    }
    write_atomic(path, bytes, mode).map(|()| true)
}

/// As [`write_if_changed`], and what is written gets a time stamp.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_stamped(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    modified: SystemTime,
) -> io::Result<bool> {
    if has(path, bytes) {
        return Ok(false);
    }
    replace(path, bytes, mode_of(mode), Some(modified)).map(|()| true)
}

fn has(path: &Path, bytes: &[u8]) -> bool {
    read_small(path, bytes.len() as u64).is_ok_and(|found| found.as_deref() == Some(bytes))
}

fn replace(path: &Path, bytes: &[u8], mode: Mode, modified: Option<SystemTime>) -> io::Result<()> {
    let (directory, name) = Walk::default().parent(path)?;
    if let Some(found) = look(&directory, name)? {
        plain(&found)?;
    }
    let beside = beside(name);
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let create = || openat(&directory, beside.as_os_str(), flags, mode);
    let fd = create().or_else(|error| match error {
        // Left by a process of this number that was killed between the two steps.
        Errno::EEXIST => unlink(&directory, &beside).and_then(|()| create()),
        _ => Err(error),
    })?;
    let fill = |fd: OwnedFd| {
        set_mode(&fd, mode)?;
        let mut file = File::from(fd);
        file.write_all(bytes)?;
        modified.map_or(Ok(()), |at| file.set_modified(at))
    };
    let written =
        fill(fd).and_then(|()| Ok(renameat(&directory, beside.as_os_str(), &directory, name)?));
    if written.is_err() {
        let _ = unlink(&directory, &beside);
    }
    written
}

/// The name of the new file: that of the old one between a dot and the number of this process.
fn beside(name: &OsStr) -> OsString {
    let mut beside = before_number(name);
    beside.push(std::process::id().to_string());
    beside
}

fn before_number(name: &OsStr) -> OsString {
    let name = name.as_bytes();
    let mut before = OsString::from(".");
    before.push(OsStr::from_bytes(&name[..name.len().min(LONGEST_NAME)]));
    before.push(".");
    before
}

/// The process that a name in a directory is [`beside`] another name for.
fn writer(found: &OsStr, name: &OsStr) -> Option<Pid> {
    let number = found.as_bytes().strip_prefix(before_number(name).as_bytes())?;
    let number = std::str::from_utf8(number).ok()?;
    number.parse().ok().filter(|number| *number > 0).map(Pid::from_raw)
}

/// Changes a setting of the kernel's (/proc, /sys).
///
/// # Errors
/// The kernel's.
pub fn write_kernel(path: &Path, value: &str) -> io::Result<()> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY, Mode::empty())?;
    File::from(file).write_all(value.as_bytes())
}

/// Opens a file for locking, made when it is missing. Never through a symbolic link. Others cannot
/// open it, for a process that can may hold its lock.
///
/// # Errors
/// When it can be neither opened nor made; a missing directory is made with it.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let open = || open_ours(path, OFlag::O_RDWR | OFlag::O_CREAT);
    let (file, stat) = open().or_else(|error| match (error.kind(), path.parent()) {
        (io::ErrorKind::NotFound, Some(directory)) => {
            ensure_dir(directory, 0o755).and_then(|()| open())
        }
        _ => Err(error),
    })?;
    if bits(&stat) != 0o600 && stat.st_uid == nix::unistd::geteuid().as_raw() {
        nix::sys::stat::fchmod(&file, mode_of(0o600))?;
    }
    Ok(file)
}

/// Opens the file of a lock to ask who holds it: it is only read, for the state directory may have
/// become read-only.
///
/// # Errors
/// When it is not there, or is no plain file.
pub fn open_to_ask(path: &Path) -> io::Result<File> {
    open_ours(path, OFlag::O_RDONLY).map(|(file, _)| file)
}

/// Opens a file to add to, made when it is missing. Never through a symbolic link. Another user's
/// will do where not everybody can put files: Pacemaker's log, and the directory of it, belong to
/// hacluster.
///
/// # Errors
/// When it can be neither opened nor made, or anybody could have made it.
pub fn open_append(path: &Path) -> io::Result<File> {
    let (file, stat) = open_ours(path, OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT)?;
    let (directory, _) = Walk::default().parent(path)?;
    if bits(&fstat(&directory)?) & ALL_WRITE != 0 {
        owned(&stat)?;
    }
    // Where others may write, it could be one of any file of ours.
    if stat.st_nlink > 1 {
        return Err(io::Error::other("has a second name (a hard link)"));
    }
    Ok(file)
}

/// Opens a plain file with these flags.
fn open_ours(path: &Path, flags: OFlag) -> io::Result<(File, FileStat)> {
    let (directory, name) = Walk::default().parent(path)?;
    // Before it is opened: to open a device can do something.
    if let Some(found) = look(&directory, name)? {
        plain(&found)?;
    }
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let fd = openat(&directory, name, flags, mode_of(0o600))?;
    let stat = fstat(&fd)?;
    plain(&stat)?;
    Ok((File::from(fd), stat))
}

/// Deletes a plain file or a link; good when there is none.
///
/// # Errors
/// When it stays: it cannot be deleted, or is something else.
pub fn remove(path: &Path) -> io::Result<()> {
    let Some((directory, name, stat)) = find(path)? else { return Ok(()) };
    if kind(&stat) != SFlag::S_IFLNK {
        plain(&stat)?;
    }
    Ok(unlink(&directory, name)?)
}

/// Deletes a file that one of the functions above has made, as [`remove`], and
/// [`remove_unfinished`] ones.
///
/// # Errors
/// As [`remove`].
pub fn remove_written(path: &Path) -> io::Result<()> {
    remove(path)?;
    remove_unfinished(path);
    Ok(())
}

/// Deletes what writers of a file that were killed before the rename have left beside it, as far as
/// that is possible.
pub fn remove_unfinished(path: &Path) {
    let Ok((directory, name)) = Walk::default().parent(path) else { return };
    // By the directory's descriptor: the path could lead elsewhere by now.
    let listed = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    for entry in std::fs::read_dir(listed).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let ended = |pid| matches!(kill(pid, None), Err(Errno::ESRCH));
        if writer(&found, name).is_some_and(ended)
            && let Ok(Some(stat)) = look(&directory, &found)
            && plain(&stat).and_then(|()| owned(&stat)).is_ok()
        {
            let _ = unlink(&directory, &found);
        }
    }
}

/// Deletes a socket of ours that no process listens on any more; good when there is none.
///
/// # Errors
/// When it stays: it is in use, another user's, or no socket.
pub fn remove_socket(path: &Path) -> io::Result<()> {
    let Some((directory, name, stat)) = find(path)? else { return Ok(()) };
    if kind(&stat) != SFlag::S_IFSOCK {
        return Err(io::Error::other("is not a socket"));
    }
    owned(&stat)?;
    if is_in_use(&directory, name)? {
        return Err(io::Error::other("is in use by another process"));
    }
    Ok(unlink(&directory, name)?)
}

/// Whether a process has this socket open. The kernel answers at once.
fn is_in_use(directory: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    // By the directory's descriptor: the path may be longer than a socket's address can be.
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    let client = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    match connect(client.as_raw_fd(), &UnixAddr::new(&path)?) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Ok(false),
        // A queue that is full (EAGAIN) and another kind of socket (EPROTOTYPE) have an owner, too.
        _ => Ok(true),
    }
}

/// Deletes a directory if it is empty. Nothing happens to one that is not, or that cannot be
/// deleted.
pub fn remove_empty_dir(path: &Path) {
    if let Ok((directory, name)) = Walk::default().parent(path) {
        let _ = unlinkat(&directory, name, UnlinkatFlags::RemoveDir);
    }
}

/// The directory of a file, its name there, and what it is; `None` when there is none.
fn find(path: &Path) -> io::Result<Option<(OwnedFd, &OsStr, FileStat)>> {
    match Walk::default().parent(path) {
        Ok((directory, name)) => Ok(look(&directory, name)?.map(|stat| (directory, name, stat))),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What a name in a directory is; `None` when there is none.
fn look(directory: &OwnedFd, name: &OsStr) -> io::Result<Option<FileStat>> {
    match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn unlink(directory: &OwnedFd, name: &OsStr) -> nix::Result<()> {
    unlinkat(directory, name, UnlinkatFlags::NoRemoveDir)
}
