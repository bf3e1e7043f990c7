//! The way to a directory, name by name, each opened relative to the one before and without
//! following links (path_resolution(7) in our own hands). openat2(2) could do a part of it, but not
//! say whose the links may be, and RHEL 8's kernel has none.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, mkdirat};
use nix::unistd::{Uid, geteuid};

use crate::sys::at::{fstat, open};

use super::{ALL_WRITE, OTHERS_WRITE, STICKY, bits, is_trusted, kind, owned, set_mode, trusted};

/// How many links lead to a directory at most, as for the kernel.
const MOST_LINKS: usize = 40;

/// How often another process may make or take away what is being looked at.
const ATTEMPTS: usize = 8;

/// How to go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    /// Make what is missing, with this mode.
    pub make: Option<Mode>,
    /// A user besides root whose directories are no stranger's.
    pub owner: Option<Uid>,
    /// Whether each directory on the way must be one in which only root decides.
    pub strict: bool,
}

/// A directory.
pub(super) struct Found {
    /// Where files in it are opened from.
    pub fd: OwnedFd,
    /// Whether it was missing.
    pub made: bool,
}

const LOOK: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Walk {
    /// Goes to a directory.
    ///
    /// # Errors
    /// When it is not there or cannot be made, and when another user could have chosen what it is.
    pub fn directory(&self, path: &Path) -> io::Result<Found> {
        let mut todo = names(path);
        let mut place = PathBuf::from(if path.is_absolute() { "/" } else { "." });
        let mut here = Found { fd: start(&place)?, made: false };
        let mut stat = fstat(&here.fd)?;
        let (mut links, mut attempts) = (0, 0);
        while let Some(name) = todo.pop_front() {
            self.judge(path, &place, &stat)?;
            let next = place.join(&name);
            let fd = match openat(&here.fd, name.as_os_str(), LOOK, Mode::empty()) {
                Ok(fd) => fd,
                Err(Errno::ENOENT) if self.make.is_some() && attempts < ATTEMPTS => {
                    attempts += 1;
                    match make(&here.fd, &stat, &name, self.make.unwrap_or(Mode::empty())) {
                        Ok(fd) => {
                            here = Found { fd, made: true };
                            stat = fstat(&here.fd)?;
                            place = next;
                        }
                        // Another process was faster: look at what it has made.
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                            todo.push_front(name)
                        }
                        Err(error) => return Err(within(path, &next, error)),
                    }
                    continue;
                }
                Err(error) => return Err(within(path, &next, error.into())),
            };
            let found = fstat(&fd)?;
            match kind(&found) {
                SFlag::S_IFLNK => {
                    if !is_trusted(found.st_uid) {
                        return Err(refused(
                            path,
                            &next,
                            &format!("is a link of user {}; remove it", found.st_uid),
                        ));
                    }
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::ELOOP.into());
                    }
                    let target = PathBuf::from(readlinkat(&fd, "")?);
                    if target.is_absolute() {
                        place = PathBuf::from("/");
                        here = Found { fd: start(&place)?, made: false };
                        stat = fstat(&here.fd)?;
                    }
                    names(&target).into_iter().rev().for_each(|name| todo.push_front(name));
                }
                SFlag::S_IFDIR => {
                    // A directory of another user in a place of root's is the administrator's will.
                    let is_owners = self.owner.is_some_and(|owner| owner.as_raw() == found.st_uid);
                    if bits(&stat) & ALL_WRITE != 0 && !is_owners && !is_trusted(found.st_uid) {
                        let why = format!("belongs to user {}; remove it", found.st_uid);
                        return Err(refused(path, &next, &why));
                    }
                    (here, stat, place) = (Found { fd, made: false }, found, next);
                }
                _ => return Err(within(path, &next, Errno::ENOTDIR.into())),
            }
        }
        self.judge(path, &place, &stat)?;
        Ok(here)
    }

    /// Whether only root can change a directory, in strict walks. A group that may write is root's
    /// choice.
    fn judge(&self, whole: &Path, place: &Path, stat: &FileStat) -> io::Result<()> {
        let is_kept = bits(stat) & ALL_WRITE == 0 || bits(stat) & STICKY != 0;
        if self.strict && !(is_trusted(stat.st_uid) && is_kept) {
            let why = format!("can be changed by user {}; give it to root", stat.st_uid);
            return Err(refused(
                whole,
                place,
                if is_kept { &why } else { "can be changed by everybody" },
            ));
        }
        Ok(())
    }

    /// Goes to the directory of a file, and gives the file's name in it.
    ///
    /// # Errors
    /// As [`Self::directory`], and when the path ends without a name.
    pub fn parent<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or_else(|| io::Error::other("has no name"))?;
        let parent = path.parent().unwrap_or(Path::new("."));
        Ok((self.directory(parent)?.fd, name))
    }
}

fn start(place: &Path) -> io::Result<OwnedFd> {
    Ok(open(place, LOOK.union(OFlag::O_DIRECTORY), Mode::empty())?)
}

fn names(path: &Path) -> VecDeque<OsString> {
    let is_name =
        |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(is_name).map(|part| part.as_os_str().to_owned()).collect()
}

/// Makes a directory in one that only root decides about: in another, it could be replaced before
/// it is opened.
fn make(parent: &OwnedFd, stat: &FileStat, name: &OsStr, mode: Mode) -> io::Result<OwnedFd> {
    owned(stat)?;
    // With the sticky bit, others can add to it but not take away what is ours.
    if bits(stat) & STICKY == 0 && bits(stat) & OTHERS_WRITE != 0 {
        trusted(stat)?;
    }
    mkdirat(parent, name, mode)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = openat(parent, name, flags, Mode::empty())?;
    let made = fstat(&fd)?;
    if made.st_uid != geteuid().as_raw() {
        return Err(io::Error::other(format!("was replaced by user {}", made.st_uid)));
    }
    set_mode(&fd, mode)?;
    Ok(fd)
}

/// A refusal that names the place on the way, unless that is the end of it.
fn refused(whole: &Path, place: &Path, why: &str) -> io::Error {
    if whole == place {
        io::Error::other(why.to_owned())
    } else {
        io::Error::other(format!("on the way there, {} {why}", place.display()))
    }
}

/// An error about a place on the way; what the kernel said stays what it is.
fn within(whole: &Path, place: &Path, error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { refused(whole, place, &error.to_string()) }
}
