//! What a program prints, read while it runs and no longer than it runs, as Pacemaker's executor
//! reads it.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags};

/// What is kept of each stream: as much as Pacemaker keeps.
const KEPT: usize = 10 << 20;

/// One of the program's output streams.
#[derive(Debug)]
pub struct Stream {
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    /// The reading end of its pipe; none when it is not wanted.
    #[must_use]
    pub fn new(pipe: Option<OwnedFd>) -> Self {
        let pipe = pipe.map(File::from);
        if let Some(pipe) = &pipe {
            let _ = fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Self { pipe, bytes: Vec::new() }
    }

    /// Whether a process may still write to it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Everything that came, byte for byte.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What it is called in /proc, such as `pipe:[4711]`.
    #[must_use]
    pub fn name(&self) -> Option<PathBuf> {
        let pipe = self.pipe.as_ref()?;
        std::fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd())).ok()
    }

    /// What to wait for, while it is open.
    #[must_use]
    pub fn watch(&self) -> Option<PollFd<'_>> {
        self.pipe.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
    }

    /// Takes what is there now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16384];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = KEPT.saturating_sub(self.bytes.len()).min(count);
                    self.bytes.extend_from_slice(&buffer[..room]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
