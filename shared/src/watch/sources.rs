//! What a waiting monitor is woken by.
#![forbid(unsafe_code)]

use std::fs::Metadata;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::failure::{Failure, OrFail};
use crate::sys::process::{Handle, Process};

/// Something of which events come.
pub trait Source {
    /// The descriptor that is readable when there may be an event; `None` when [`Self::event`] must
    /// be called now and then.
    fn fd(&self) -> Option<BorrowedFd<'_>>;

    /// Reads what has come: what happened, as in `the master process 123 ended`; `None` when it
    /// does not matter here.
    fn event(&mut self) -> Option<String>;

    /// How long to wait after an event until things have settled, when the check must not see them
    /// half done.
    fn settling(&self) -> Duration {
        Duration::ZERO
    }
}

/// The event sources of a resource that is well.
#[derive(Default)]
pub struct Sources {
    list: Vec<Box<dyn Source>>,
}

impl Sources {
    /// The end of a server's master process; nothing where there is none.
    ///
    /// # Errors
    /// When the process cannot be looked at.
    pub fn of_master(master: Option<Process>) -> Result<Self, Failure> {
        let mut sources = Self::default();
        if let Some(master) = master {
            sources.add_process(master, "the master process")?;
        }
        Ok(sources)
    }

    /// Adds a source.
    pub fn add(&mut self, source: impl Source + 'static) {
        self.list.push(Box::new(source));
    }

    /// Adds the end of a process, which is called `what`: `the master process`. One that has ended
    /// already adds nothing: the check that follows sees it.
    ///
    /// # Errors
    /// When the process cannot be looked at.
    pub fn add_process(&mut self, process: Process, what: &str) -> Result<(), Failure> {
        let handle = match process.open() {
            Ok(None) => return Ok(()),
            Ok(Some(handle)) => Some(handle),
            // No pidfd: an old kernel, or a filter of system calls.
            Err(_) if process.lives().or_fail("/proc")? => None,
            Err(_) => return Ok(()),
        };
        self.add(End { process, handle, what: format!("{what} {}", process.pid) });
        Ok(())
    }

    /// Adds changes of a file: written, replaced, removed, or renamed; or of the files in a
    /// directory. A write counts when it is complete.
    ///
    /// # Errors
    /// When the file cannot be watched, as one that is not there.
    pub fn add_file(&mut self, path: &Path, settling: Duration) -> Result<(), Failure> {
        let seen = look(path).or_fail(path.display())?;
        let inotify = match inotify(path) {
            Ok(inotify) => Some(inotify),
            // A user may have 128 of them (inotify(7)), and so many resources.
            Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOSPC | Errno::ENOSYS) => None,
            Err(error) => return Err(error).or_fail(path.display()),
        };
        self.add(File { inotify, path: path.to_owned(), seen, settling });
        Ok(())
    }

    /// Whether there is nothing to wait for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them.
    pub(super) fn list(&mut self) -> &mut [Box<dyn Source>] {
        &mut self.list
    }
}

/// The end of a process.
struct End {
    process: Process,
    handle: Option<Handle>,
    what: String,
}

impl Source for End {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.handle.as_ref().map(AsFd::as_fd)
    }

    fn event(&mut self) -> Option<String> {
        // A descriptor that is readable says it all. The process may be there as a zombie whose
        // other threads still run.
        let ended = self.handle.is_some() || !matches!(self.process.lives(), Ok(true));
        ended.then(|| format!("{} ended", self.what))
    }
}

fn inotify(path: &Path) -> nix::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    // IN_ATTRIB: the number of its names changes when it is replaced or removed.
    let changes = AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE;
    inotify.add_watch(path, changes)?;
    Ok(inotify)
}

/// A file's device and number, how many names it has, its size, and the last change of it and of
/// what it holds.
type Seen = [i128; 6];

/// What a file looks like, and with a directory the files in it.
fn look(path: &Path) -> io::Result<Vec<Seen>> {
    let seen = |it: &Metadata| -> Seen {
        let time = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let changed = [time(it.mtime(), it.mtime_nsec()), time(it.ctime(), it.ctime_nsec())];
        let is = [it.dev(), it.ino(), it.nlink(), it.size()].map(i128::from);
        [is[0], is[1], is[2], is[3], changed[0], changed[1]]
    };
    let own = std::fs::metadata(path)?;
    let mut all = vec![seen(&own)];
    if own.is_dir() {
        for entry in std::fs::read_dir(path)? {
            all.push(seen(&entry?.metadata()?));
        }
    }
    Ok(all)
}

/// Changes of a file.
struct File {
    inotify: Option<Inotify>,
    path: PathBuf,
    seen: Vec<Seen>,
    settling: Duration,
}

impl Source for File {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    fn event(&mut self) -> Option<String> {
        let has_changed = match &self.inotify {
            // What exactly is for the check to see.
            Some(inotify) => {
                let _ = inotify.read_events();
                true
            }
            None => look(&self.path).map_or(true, |now| now != self.seen),
        };
        has_changed.then(|| format!("{} changed", self.path.display()))
    }

    fn settling(&self) -> Duration {
        self.settling
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;
    use crate::sys::clock::Deadline;
    use crate::watch::wait::{Pace, Woken, wait};

    #[test]
    fn the_end_of_a_process_is_an_event_with_a_pidfd_and_without() {
        for has_pidfd in [true, false] {
            let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
            let process = Process::find(child.id() as i32).unwrap().unwrap();
            let handle = if has_pidfd { process.open().unwrap() } else { None };
            let mut sources = Sources::default();
            sources.add(End { process, handle, what: "the master process 7".to_owned() });
            let mut pace = Pace::default();
            let quiet = wait(&mut sources, Deadline::after(Duration::from_millis(250)), &mut pace);
            assert_eq!(quiet, Woken::Time);
            child.kill().unwrap();
            child.wait().unwrap();
            let killed = Instant::now();
            let woken = wait(&mut sources, Deadline::after(Duration::from_secs(20)), &mut pace);
            assert_eq!(
                woken,
                Woken::Event("the master process 7 ended".to_owned(), Duration::ZERO)
            );
            assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
        }
    }

    #[test]
    fn a_change_of_a_file_is_an_event_with_inotify_and_without() {
        let folder = tempfile::tempdir().unwrap();
        for has_inotify in [true, false] {
            for (number, change) in ["write", "replace", "remove", "add"].into_iter().enumerate() {
                let place = folder.path().join(format!("{has_inotify}{number}"));
                std::fs::create_dir(&place).unwrap();
                let file = place.join("file");
                std::fs::write(&file, "a").unwrap();
                let watched = if change == "add" { &place } else { &file };
                let mut sources = Sources::default();
                sources.add(File {
                    inotify: has_inotify.then(|| inotify(watched).unwrap()),
                    path: watched.clone(),
                    seen: look(watched).unwrap(),
                    settling: Duration::ZERO,
                });
                let mut pace = Pace::default();
                let mut next =
                    |ms| wait(&mut sources, Deadline::after(Duration::from_millis(ms)), &mut pace);
                assert_eq!(next(250), Woken::Time);
                match change {
                    "write" => std::fs::write(&file, "b").unwrap(),
                    "replace" => {
                        std::fs::write(place.join("new"), "a").unwrap();
                        std::fs::rename(place.join("new"), &file).unwrap();
                    }
                    "remove" => std::fs::remove_file(&file).unwrap(),
                    _ => std::fs::write(place.join("another"), "a").unwrap(),
                }
                let what = format!("{} changed", watched.display());
                assert_eq!(next(10_000), Woken::Event(what, Duration::ZERO), "{change}");
            }
        }
    }

    #[test]
    fn a_process_that_has_ended_and_a_file_that_is_not_there_are_no_sources() {
        let mut child = Command::new("/bin/true").spawn().unwrap();
        let process = Process { pid: child.id() as i32, start_time: 1 };
        child.wait().unwrap();
        let mut sources = Sources::of_master(Some(process)).unwrap();
        assert!(sources.add_file(Path::new("/nowhere/at/all"), Duration::ZERO).is_err());
        assert!(sources.is_empty());
    }
}
