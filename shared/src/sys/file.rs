//! Every file that root makes, opens, believes, gives away or deletes.
//!
//! Agents run as root among directories that others can write to: /run/lock, /tmp, a web team's
//! tree. One module knows what may happen there, and clippy.toml forbids the functions of
//! [`std::fs`] that do not.
//!
//! | to | call | what is refused |
//! | --- | --- | --- |
//! | read a file of ours | [`read_small`] | links, other owners or writers, large files |
//! | read the beginning of a program | [`read_start`] | pipes, devices |
//! | read what a user names | [`read`] with [`Trust`] | pipes, devices, and by [`Trust`] |
//! | read the end of a log | [`length`], [`read_since`] | pipes, devices, large files |
//! | read /proc and /sys | [`read_kernel`], [`read_kernel_text`], [`open_kernel`] | nothing |
//! | change a setting of the kernel's | [`write_kernel`] | nothing |
//! | list a directory | [`names`] | nothing |
//! | read a server's configuration | [`Disk`] | as [`Trust::Anyone`] |
//! | write a file of ours | [`write_atomic`], [`write_if_changed`] | all but plain files |
//! | add to a log | [`open_append`] | links, pipes, devices, hard links; strangers' in a place for everybody |
//! | make a lock file | [`open_lock`] | links, pipes, devices |
//! | make a directory of ours | [`ensure_dir`] | other owners, what others can write |
//! | make a directory that a server needs | [`make_dir`] | links and directories of others |
//! | delete a file | [`remove`] | directories, sockets, pipes, devices |
//! | delete a socket | [`remove_socket`] | all else, other owners, sockets in use |
//! | delete a directory | [`remove_empty_dir`] | what is not empty |
//!
//! Everything that changes something is done relative to a descriptor of the directory, which is
//! found name by name without following links (`walk`): a link is followed by us, and only when it
//! is root's or ours.
#![forbid(unsafe_code)]

mod read;
mod walk;
mod write;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod};
use nix::unistd::{Gid, Uid, fchown, geteuid};

use crate::sys::at::{fstat, lstat, open, stat};

pub use read::{
    Disk, Trust, length, names, open_kernel, read, read_kernel, read_kernel_text, read_since,
    read_small, read_start,
};
pub use write::{
    open_append, open_lock, open_to_ask, remove, remove_empty_dir, remove_socket,
    remove_unfinished, remove_written, write_atomic, write_if_changed, write_kernel, write_stamped,
};

/// Write permission for group and others.
const OTHERS_WRITE: u32 = 0o022;

/// Write permission for everybody.
const ALL_WRITE: u32 = 0o002;

/// Only the owner of a file in the directory may remove or rename it.
const STICKY: u32 = 0o1000;

/// Who is to own something that root makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: Uid,
    /// The group; root's own when there is none.
    pub group: Option<Gid>,
}

/// Makes a directory for state, with the parents that are missing (/run is empty after a boot).
///
/// # Errors
/// When it cannot be made, or others could put files into it, lead us elsewhere with a symbolic
/// link, or put another directory in the place of the one just made.
pub fn ensure_dir(path: &Path, mode: u32) -> io::Result<()> {
    let walk = walk::Walk { make: Some(mode_of(mode)), ..walk::Walk::default() };
    trusted(&fstat(&walk.directory(path)?.fd)?)
}

/// Makes a directory that a server needs, with the parents that are missing, and gives it to
/// `owner`. What is there already stays as it is. Says whether it was missing.
///
/// # Errors
/// When it cannot be made; when a link of another user is on the way, or a directory of another
/// user than `owner` in a place where everybody may make one (/run/lock, /tmp).
pub fn make_dir(path: &Path, mode: u32, owner: Option<Owner>) -> io::Result<bool> {
    let walk = walk::Walk {
        make: Some(mode_of(mode)),
        owner: owner.map(|owner| owner.user),
        ..walk::Walk::default()
    };
    let found = walk.directory(path)?;
    if found.made
        && let Some(Owner { user, group }) = owner
    {
        fchown(&found.fd, Some(user), group)?;
    }
    Ok(found.made)
}

/// A descriptor of ours, opened again to add to: what it leads to may be a pipe without a reader,
/// or a full one, which must not hold the action up.
///
/// # Errors
/// When there is no such descriptor, or it is a socket.
pub fn open_descriptor(number: u32) -> io::Result<File> {
    let path = format!("/proc/self/fd/{number}");
    let flags =
        OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    Ok(File::from(open(path.as_str(), flags, Mode::empty())?))
}

/// Whether there is anything but a socket at a path.
#[must_use]
pub fn is_not_socket(path: &Path) -> bool {
    lstat(path).is_ok_and(|found| kind(&found) != SFlag::S_IFSOCK)
}

/// `/dev/null`, to read from and to write to.
///
/// # Errors
/// When there is none (a broken container).
pub fn null() -> io::Result<File> {
    let fd = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok(File::from(fd))
}

fn mode_of(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits as nix::libc::mode_t)
}

fn bits(stat: &FileStat) -> u32 {
    stat.st_mode & 0o7777
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Whether a user may do everything on this machine anyway: root, we, and the owner of the root
/// directory (root again, whom a user namespace shows under another number).
fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw() || stat("/").is_ok_and(|root| root.st_uid == user)
}

/// Whether it is root's or ours.
fn owned(stat: &FileStat) -> io::Result<()> {
    if is_trusted(stat.st_uid) {
        return Ok(());
    }
    Err(io::Error::other(format!("belongs to user {}; it must belong to root", stat.st_uid)))
}

/// Whether only root and we can change it.
fn trusted(stat: &FileStat) -> io::Result<()> {
    owned(stat)?;
    if bits(stat) & OTHERS_WRITE != 0 {
        Err(io::Error::other(format!("can be written by others (mode {:o})", bits(stat))))
    } else {
        Ok(())
    }
}

fn plain(stat: &FileStat) -> io::Result<()> {
    match kind(stat) {
        SFlag::S_IFREG => Ok(()),
        SFlag::S_IFLNK => Err(io::Error::other("is a symbolic link")),
        SFlag::S_IFDIR => Err(io::Error::from_raw_os_error(nix::libc::EISDIR)),
        _ => Err(io::Error::other("is not a plain file")),
    }
}

/// Gives a file the mode that it should have, whatever the caller's umask was.
fn set_mode(fd: &OwnedFd, mode: Mode) -> io::Result<()> {
    Ok(fchmod(fd, mode)?)
}

#[cfg(test)]
mod tests;
