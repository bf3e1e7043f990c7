//! Reading: plain files only, never more than a limit, and a look at owner and mode.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstatat};

use super::walk::Walk;
use super::{ALL_WRITE, bits, is_trusted, kind, plain, trusted};
use crate::glob::Files;
use crate::sys::at::{fstat, open, stat};

/// O_NONBLOCK: to open a pipe that another user has put there must not wait for ever.
const READ: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// The most names of a directory that are looked at.
const MOST_NAMES: usize = 65_536;

/// Whose a file that the administrator names may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Any user's: a server's configuration, about which the server itself, which runs as root, has
    /// the last word.
    Anyone,
    /// Any user's, but not one that everybody can write to: what decides how a service is checked.
    NotEverybody,
    /// Root's, in directories that only root can change: what is run as root.
    Root,
}

/// Reads a file of ours; `None` when there is none.
///
/// # Errors
/// When it cannot be read, is a symbolic link or no plain file, belongs to another user, can be
/// written by others, or has more than `limit` bytes.
pub fn read_small(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let fd = match open(path, READ | OFlag::O_NOFOLLOW, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::ENOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = fstat(&fd)?;
    plain(&found)?;
    trusted(&found)?;
    whole(fd, limit).map(Some)
}

/// Reads a file that the administrator names, through links, too.
///
/// # Errors
/// When it cannot be read, is no plain file, has more than `limit` bytes, or is not to be trusted.
pub fn read(path: &Path, limit: u64, trust: Trust) -> io::Result<Vec<u8>> {
    // Before it is opened: to open a device can do something (a watchdog begins to count).
    plain(&stat(path)?)?;
    let fd = match trust {
        Trust::Root => open_roots(path)?,
        Trust::Anyone | Trust::NotEverybody => open(path, READ, Mode::empty())?,
    };
    let found = fstat(&fd)?;
    plain(&found)?;
    match trust {
        Trust::Anyone => {}
        Trust::NotEverybody if bits(&found) & ALL_WRITE != 0 => {
            return Err(io::Error::other(format!(
                "can be written by everybody (mode {:o})",
                bits(&found)
            )));
        }
        Trust::NotEverybody => {}
        Trust::Root => trusted(&found)?,
    }
    whole(fd, limit)
}

/// Opens what no other user could have put there, nor can replace afterwards.
fn open_roots(path: &Path) -> io::Result<OwnedFd> {
    let walk = Walk { strict: true, ..Walk::default() };
    let (parent, name) = walk.parent(path)?;
    let found = fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if kind(&found) == SFlag::S_IFLNK && !is_trusted(found.st_uid) {
        return Err(io::Error::other(format!("is a link of user {}; remove it", found.st_uid)));
    }
    // The end of its links: the way there is looked at as well.
    let real = path.canonicalize()?;
    let (parent, name) = walk.parent(&real)?;
    Ok(openat(&parent, name, READ | OFlag::O_NOFOLLOW, Mode::empty())?)
}

fn whole(fd: OwnedFd, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::from(fd).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// How long a plain file is; `None` where there is none.
#[must_use]
pub fn length(path: &Path) -> Option<u64> {
    let found = stat(path).ok()?;
    plain(&found).ok()?;
    u64::try_from(found.st_size).ok()
}

/// What a log has got since it had `from` bytes, at most `limit` bytes of it.
///
/// # Errors
/// When it cannot be read, or is no plain file.
pub fn read_since(path: &Path, from: u64, limit: u64) -> io::Result<Vec<u8>> {
    plain(&stat(path)?)?;
    let mut file = File::from(open(path, READ, Mode::empty())?);
    plain(&fstat(&file)?)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file of the kernel's, which says nothing about its size.
///
/// # Errors
/// The kernel's.
pub fn read_kernel(path: &Path) -> io::Result<Vec<u8>> {
    // Most of them fit. The kernel makes the text of some anew for each read.
    let mut bytes = Vec::with_capacity(1024);
    // Through `take`, which does not ask for the size (0) first.
    open_kernel(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file of the kernel's: one in /proc or /sys, a namespace.
///
/// # Errors
/// The kernel's.
pub fn open_kernel(path: &Path) -> io::Result<File> {
    Ok(File::from(open(path, READ, Mode::empty())?))
}

/// Reads the beginning of a file that the administrator names: which program a script is for stands
/// in its first line.
///
/// # Errors
/// When it cannot be read, or is no plain file.
pub fn read_start(path: &Path, count: u64) -> io::Result<Vec<u8>> {
    plain(&stat(path)?)?;
    let fd = open(path, READ, Mode::empty())?;
    plain(&fstat(&fd)?)?;
    let mut bytes = Vec::new();
    File::from(fd).take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file of the kernel's, without white space around it.
///
/// # Errors
/// The kernel's, and `InvalidData` when it is no text.
pub fn read_kernel_text(path: &Path) -> io::Result<String> {
    let bytes = read_kernel(path)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(text.trim().to_owned())
}

/// Longer configuration files than any that people write are not read.
const LARGEST: u64 = 16 << 20;

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    /// Bytes that are no text are replaced.
    fn text(&self, path: &Path) -> Option<String> {
        read(path, LARGEST, Trust::Anyone)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        path.is_dir().then(|| names(path))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// The names in a directory, sorted; none when it cannot be read.
#[must_use]
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten().take(MOST_NAMES);
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
