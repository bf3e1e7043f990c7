//! How a machine is made.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::{Host, built_directory, clean, under_test};
use crate::enter::open_pidfd;

/// How a machine is made. See [`Host::builder`].
#[derive(Debug)]
pub struct Builder {
    steps: Vec<String>,
    overlay: Option<Disk>,
    name: String,
}

/// Where the changes of an overlaid machine go.
#[derive(Debug)]
enum Disk {
    Memory,
    Kept(PathBuf),
}

impl Builder {
    pub(super) fn new(name: &str) -> Self {
        Self { steps: Vec::new(), overlay: None, name: name.to_owned() }
    }

    /// The machine's `/` becomes an overlay of ours: its changes are visible to no one else, and
    /// are gone with the machine.
    #[must_use]
    pub fn overlay(mut self) -> Self {
        self.overlay = Some(Disk::Memory);
        self
    }

    /// As [`Builder::overlay`], but the changes stay in `directory` (not on an overlay itself), as
    /// on a disk: a machine made with the same directory later finds them.
    #[must_use]
    pub fn disk(mut self, directory: impl Into<PathBuf>) -> Self {
        self.overlay = Some(Disk::Kept(directory.into()));
        self
    }

    /// An empty private file system at `path`, where the outside has such a directory; everybody
    /// may write to it where that is the custom. Everything else of a machine without an overlay
    /// can only be read, but for `/run` and `/dev`, which are its own.
    #[must_use]
    pub fn tmpfs(mut self, path: &str) -> Self {
        let open = ["/tmp", "/var/tmp", "/dev/shm"].contains(&path);
        self.steps.extend(["tmpfs", path, if open { "1777" } else { "0755" }].map(String::from));
        self
    }

    /// A directory, made if absent. Under a private file system only.
    #[must_use]
    pub fn dir(mut self, path: &str) -> Self {
        self.steps.extend(["dir", path].map(String::from));
        self
    }

    /// What is at `from` outside appears at `to` inside too.
    #[must_use]
    pub fn bind(mut self, from: &Path, to: &str) -> Self {
        self.steps.extend(["bind".into(), from.display().to_string(), to.into()]);
        self
    }

    /// Makes the machine; returns when its process 1 is ready and the loopback device is up.
    #[must_use]
    pub fn start(self) -> Host {
        if let Err(reason) = crate::root::available() {
            panic!("cannot make a machine: {reason}");
        }
        let scratch = matches!(self.overlay, Some(Disk::Memory))
            .then(|| TempDir::with_prefix("ocf-host-").expect("temporary directory"));
        let mut steps = match &self.overlay {
            Some(Disk::Memory) => {
                let at = scratch.as_ref().map(|scratch| text(scratch.path())).unwrap_or_default();
                vec!["overlay".into(), at, "tmpfs".into()]
            }
            Some(Disk::Kept(path)) => vec!["overlay".into(), text(path), "disk".into()],
            None => Vec::new(),
        };
        steps.extend(
            ["name", &self.name, "tmpfs", "/run", "0755", "dir", "/run/lock"].map(String::from),
        );
        let hides = |directory: &PathBuf| {
            self.steps.windows(2).any(|pair| pair[0] == "tmpfs" && directory.starts_with(&pair[1]))
        };
        // An overlay of / has no other file system under it, and the programs under test may be on
        // one.
        let shown: Vec<PathBuf> =
            under_test().filter(|directory| self.overlay.is_some() || hides(directory)).collect();
        steps.extend(self.steps);
        for directory in shown {
            steps.extend(["bind".into(), text(&directory), text(&directory)]);
        }
        let mut outside = Command::new(built_directory().join("ocf-test-init"))
            .args(steps)
            .env_clear()
            .envs(clean())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}/ocf-test-init: {error}: run cargo build --workspace first",
                    text(&built_directory())
                )
            });
        let cord = outside.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = outside.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).expect("read from process 1");
        }
        let Ok(init) = line.trim().parse::<i32>() else {
            let _ = outside.wait();
            panic!("the machine {} did not come up; its process 1 says why on stderr", self.name);
        };
        let pidfd = Arc::new(open_pidfd(init).expect("handle of process 1"));
        let host = Host { name: self.name, init, pidfd, outside, _cord: cord, _scratch: scratch };
        host.ip("link set lo up");
        host
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
