//! What the kernel says about one process: its owner, its program, and whether it has our process
//! numbers and our root directory.
//!
//! Everything is read below one descriptor of /proc/PID. That descriptor stays with the process:
//! once it has ended, each question fails, and none is answered by another process that has the
//! number by then.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};

use crate::sys::at::{fstat, open, stat};
use crate::sys::clock::Deadline;

use super::{Member, Process, gone, parse_stat};

/// The most that is read of a command line. The kernel gives more of it: as much as the process
/// says, which may be gigabytes of a mapping without any memory (PR_SET_MM_MAP, prctl(2)).
pub const LONGEST_ARGUMENTS: u64 = 128 << 10;

/// The kernel's mark of a program whose file has been removed (proc_pid_exe(5)).
const REMOVED: &[u8] = b" (deleted)";

/// One file, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file at a path; links are followed.
    ///
    /// # Errors
    /// When there is none, or it cannot be looked at.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&stat(path)?))
    }

    fn from(found: &FileStat) -> Self {
        Self { device: found.st_dev, inode: found.st_ino }
    }
}

/// The program that a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// The name by which it was started, without the kernel's mark of a removed file.
    pub path: PathBuf,
    /// The file was removed, or replaced by another one, since then.
    pub removed: bool,
    /// The file itself.
    pub file: FileId,
}

/// How long a process may be without arguments while it executes a program: the kernel has given it
/// new memory, and reads the file (fs/exec.c, `begin_new_exec`; fs/binfmt_elf.c).
const EXECUTING: Duration = Duration::from_millis(100);

/// A process's directory in /proc.
#[derive(Debug)]
pub struct Entry {
    directory: OwnedFd,
    pid: i32,
}

impl Entry {
    /// Opens it; `None` when there is no such process.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(pid: i32) -> io::Result<Option<Self>> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        match open(format!("/proc/{pid}").as_str(), flags, Mode::empty()) {
            Ok(directory) => Ok(Some(Self { directory, pid })),
            Err(error) if gone(&error.into()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The process, its parent and its session; `None` when it has ended.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn member(&self) -> io::Result<Option<Member>> {
        match self.read("stat", u64::MAX) {
            Ok(bytes) => {
                let stat = parse_stat(&bytes).ok_or_else(|| {
                    io::Error::other(format!("/proc/{}/stat is in no known form", self.pid))
                })?;
                Ok(Member::living(self.pid, &stat))
            }
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The user whose rights it has. The directory itself shows that also of a process that may not
    /// be traced; the files in it belong to root then (proc_pid(5), task_dump_owner in the kernel's
    /// fs/proc/base.c).
    ///
    /// # Errors
    /// When it has ended.
    pub fn owner(&self) -> io::Result<u32> {
        Ok(fstat(&self.directory)?.st_uid)
    }

    /// The program that it runs.
    ///
    /// # Errors
    /// `PermissionDenied` when this caller may not trace it; otherwise when it has ended.
    pub fn executable(&self) -> io::Result<Executable> {
        let link = readlinkat(&self.directory, "exe")?.into_vec();
        let file = FileId::from(&fstatat(&self.directory, "exe", AtFlags::empty())?);
        let (name, removed) = match link.strip_suffix(REMOVED) {
            Some(name) => (name, true),
            None => (link.as_slice(), false),
        };
        Ok(Executable { path: OsStr::from_bytes(name).into(), removed, file })
    }

    /// Whether its process numbers are ours: another PID namespace is a container's.
    ///
    /// # Errors
    /// As [`Self::executable`].
    pub fn shares_numbers(&self) -> io::Result<bool> {
        let own = std::fs::read_link("/proc/self/ns/pid")?;
        Ok(readlinkat(&self.directory, "ns/pid")?.as_os_str() == own.as_os_str())
    }

    /// Whether its root directory is ours. A mount namespace of its own (PrivateTmp of systemd)
    /// leaves that as it is; a container and chroot(2) do not.
    ///
    /// # Errors
    /// As [`Self::executable`].
    pub fn shares_root(&self) -> io::Result<bool> {
        let root = fstatat(&self.directory, "root", AtFlags::empty())?;
        Ok(FileId::from(&root) == FileId::of(Path::new("/"))?)
    }

    /// The name that the kernel has for its program: at most fifteen bytes of the file's name
    /// (proc_pid_comm(5)).
    ///
    /// # Errors
    /// When it has ended.
    pub fn name(&self) -> io::Result<Vec<u8>> {
        let mut name = self.read("comm", 64)?;
        name.pop_if(|byte| *byte == b'\n');
        Ok(name)
    }

    /// The arguments that it was started with, and whether these are all of them: no more than
    /// [`LONGEST_ARGUMENTS`] are read. There are none of a process that is ending, and for a moment
    /// of one that executes a program: a master of haproxy does so at each reload. That moment is
    /// waited for.
    ///
    /// # Errors
    /// When it has ended.
    pub fn arguments(&self) -> io::Result<(Vec<Vec<u8>>, bool)> {
        let bytes = Deadline::after(EXECUTING).poll(|| {
            let read = self.read("cmdline", LONGEST_ARGUMENTS + 1);
            let is_final = !matches!(&read, Ok(bytes) if bytes.is_empty()) || self.is_ending();
            is_final.then_some(read)
        });
        let bytes = bytes.unwrap_or_else(|| Ok(Vec::new()))?;
        let is_whole = bytes.len() as u64 <= LONGEST_ARGUMENTS;
        let mut words = split(&bytes);
        if !is_whole {
            // Half a word.
            words.pop();
        }
        Ok((words, is_whole))
    }

    /// Whether it has ended, or is ending: the kernel takes its program away first.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.executable().is_err_and(|error| gone(&error))
    }

    /// Reads one of its files, at most so many bytes. Nothing else knows the size of these.
    fn read(&self, file: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(1024);
        let file =
            openat(&self.directory, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        File::from(file).take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A command line in its words.
pub(super) fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

impl Process {
    /// Its directory in /proc; `None` when it has ended.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn entry(&self) -> io::Result<Option<Entry>> {
        let Some(entry) = Entry::open(self.pid)? else { return Ok(None) };
        Ok(entry.member()?.filter(|member| member.process == *self).map(|_| entry))
    }

    /// The program that it runs, by the name that it was started by. An update that replaces the
    /// file of a running program does not make it another one.
    ///
    /// # Errors
    /// When it is gone or not ours to look at.
    pub fn exe(&self) -> io::Result<PathBuf> {
        super::program_of(self.pid)
    }

    /// The arguments that it was started with. They are the process's own word: who owns it is the
    /// first question.
    ///
    /// # Errors
    /// When it has ended, has none, or they are longer than [`LONGEST_ARGUMENTS`].
    pub fn arguments(&self) -> io::Result<Vec<Vec<u8>>> {
        let entry = self.entry()?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        match entry.arguments()? {
            (words, _) if words.is_empty() => Err(io::Error::other("it has no command line")),
            (words, true) => Ok(words),
            (_, false) => Err(io::Error::other("its command line is longer than 128 KiB")),
        }
    }

    /// The arguments of a process that root owns; `None` of another's, who may have written
    /// anything there, and when they cannot be read.
    #[must_use]
    pub fn arguments_of_root(&self) -> Option<Vec<Vec<u8>>> {
        let is_roots = self.entry().ok()??.owner().ok()? == 0;
        if is_roots { self.arguments().ok() } else { None }
    }
}
