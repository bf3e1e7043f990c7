//! What checks need to know of the machine, and who cannot be had here.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::place::{Plan, View};
use crate::stand::Stand;
use crate::verdict::{Finding, Judged};

/// Directories where a program may leave something.
pub const WRITABLE: &[&str] =
    &["/etc", "/var", "/run", "/tmp", "/home", "/root", "/opt", "/srv", "/dev/shm"];

/// Those of them that are there, real directories, and no part of another.
#[must_use]
pub fn existing(directories: &[&str]) -> Vec<PathBuf> {
    let there = |path: &&&str| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    directories.iter().filter(there).map(PathBuf::from).collect()
}

/// What every view must leave alone: the agent with what is beside it, the cluster's libraries or
/// their stubs, and the directory where it runs. A library of a provider's own is often one
/// directory up.
#[must_use]
pub fn kept(stand: &Stand<'_>) -> Vec<PathBuf> {
    let above = stand.setup.agent.ancestors().skip(1).take(2);
    let own = above.filter(|path| {
        path.parent().is_some() && !WRITABLE.iter().any(|common| Path::new(common) == *path)
    });
    let root = PathBuf::from(&stand.setup.resource.root);
    let stubs =
        stand.setup.extra.get(OsStr::new("HA_SBIN_DIR")).and_then(|sbin| Path::new(sbin).parent());
    own.chain(stubs).map(Path::to_path_buf).chain([root, stand.setup.directory.clone()]).collect()
}

/// A view of the machine.
///
/// # Errors
/// When the kernel, or a container around us, does not allow it.
pub fn view(plan: Plan) -> Result<Arc<View>, Finding> {
    View::new(plan).map_err(|error| {
        Finding::unknown(format!("no view of the machine can be made here: {error}"))
    })
}

/// The user nobody and its group.
///
/// # Errors
/// When we cannot become that user.
pub fn nobody() -> Result<(u32, u32), Finding> {
    root()?;
    match nix::unistd::User::from_name("nobody") {
        Ok(Some(user)) => Ok((user.uid.as_raw(), user.gid.as_raw())),
        _ => Err(Finding::unknown("there is no user nobody")),
    }
}

/// Nothing, for root.
///
/// # Errors
/// For everybody else.
pub fn root() -> Judged {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err(Finding::unknown("only root can do that: run the tester as root"))
    }
}

/// Nothing, when every user can get at a file.
///
/// # Errors
/// Names the directory that keeps them away.
pub fn reachable(path: &Path) -> Judged {
    let whole = path.canonicalize()?;
    let open = |path: &&Path| {
        std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0)
    };
    match whole.ancestors().skip(1).find(|path| !open(path)) {
        Some(closed) => Err(Finding::unknown(format!(
            "{} lets no other user in: put the agent elsewhere",
            closed.display()
        ))),
        None => Ok(()),
    }
}
