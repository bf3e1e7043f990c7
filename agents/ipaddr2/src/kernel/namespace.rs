//! Enters a network namespace: the one thing that `ip netns exec` would be needed for.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use ocf::failure::{Failure, OrFail};
use ocf::sys::file;

/// Where `ip netns` keeps the names.
const DIRECTORY: &str = "/run/netns";

/// Enters a namespace for the rest of this process's life; `false` when there is none of this name.
///
/// # Errors
/// When there is one, and it cannot be entered.
pub fn enter(name: &str) -> Result<bool, Failure> {
    let path = path(name);
    let context = || format!("network namespace {name}");
    match file::open_kernel(&path) {
        Ok(file) => match setns(file, CloneFlags::CLONE_NEWNET) {
            // A plain file: what was mounted on it is gone, and so perhaps is the namespace.
            Err(nix::Error::EINVAL) => Err(Failure::generic(format!(
                "network namespace {name}: {} is a stale file; remove it with ip netns delete",
                path.display()
            ))),
            entered => entered.or_fail(context()).map(|()| true),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).or_fail(context()),
    }
}

/// Why nothing can be started there.
pub fn missing(name: &str) -> Failure {
    Failure::installed(format!(
        "network_namespace=\"{name}\": no such namespace on this node ({})",
        path(name).display()
    ))
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}
