//! What a waiting monitor is woken by.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

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
        let inotify =
            Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).or_fail("inotify")?;
        // IN_ATTRIB: the number of its names changes when it is replaced or removed.
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE;
        inotify.add_watch(path, changes).or_fail(path.display())?;
        self.add(File { inotify, what: format!("{} changed", path.display()), settling });
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

/// Changes of a file.
struct File {
    inotify: Inotify,
    what: String,
    settling: Duration,
}

impl Source for File {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.inotify.as_fd())
    }

    fn event(&mut self) -> Option<String> {
        // What exactly is for the check to see.
        let _ = self.inotify.read_events();
        Some(self.what.clone())
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
    fn a_process_that_has_ended_and_a_file_that_is_not_there_are_no_sources() {
        let mut child = Command::new("/bin/true").spawn().unwrap();
        let process = Process { pid: child.id() as i32, start_time: 1 };
        child.wait().unwrap();
        let mut sources = Sources::of_master(Some(process)).unwrap();
        assert!(sources.add_file(Path::new("/nowhere/at/all"), Duration::ZERO).is_err());
        assert!(sources.is_empty());
    }
}
