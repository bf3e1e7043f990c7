//! Finds the agent that is meant.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::explain;

/// The absolute path of an agent that was given as a path, or as `ocf:PROVIDER:TYPE`.
///
/// # Errors
/// In one line, when there is none that can be run, with a better name if there is one.
pub fn agent(given: &OsStr, root: &OsStr) -> Result<PathBuf, String> {
    let named = installed(given, root);
    let path = match &named {
        Some(path) if !Path::new(given).exists() => path.clone(),
        _ => std::path::absolute(given).map_err(|error| format!("{}: {error}", given.display()))?,
    };
    let shown = path.display();
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(format!("{shown} is a directory, not an agent")),
        Ok(metadata) if !metadata.is_file() => Err(format!("{shown} is no regular file")),
        Ok(metadata) if metadata.permissions().mode() & 0o111 != 0 && explain::is_noexec(&path) => {
            Err(format!("{shown} cannot be run: {}", explain::noexec()))
        }
        Ok(_) if access(&path, AccessFlags::X_OK).is_err() => {
            Err(format!("{shown} is not executable (an agent's mode is 755)"))
        }
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let candidates: Vec<_> =
                namesakes(given, root).iter().map(|path| path.display().to_string()).collect();
            let hint = if candidates.is_empty() {
                "".into()
            } else {
                format!("; do you mean {}?", candidates.join(" or "))
            };
            Err(format!("there is no agent {shown}{hint}"))
        }
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// The agents in a directory of a provider, or in one of providers, in the order of their names.
///
/// # Errors
/// In one line, when it cannot be read or holds none.
pub fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let read = |path: &Path| {
        std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let hidden =
        |path: &Path| path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let visible = |entries: std::fs::ReadDir| {
        entries.flatten().map(|entry| entry.path()).filter(|path| !hidden(path)).collect::<Vec<_>>()
    };
    let directory = std::path::absolute(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut found = Vec::new();
    for path in visible(read(&directory)?) {
        if path.is_dir() {
            found.extend(visible(read(&path)?));
        } else {
            found.push(path);
        }
    }
    // Libraries and texts lie there as well.
    found.retain(|path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    });
    found.sort();
    if found.is_empty() {
        Err(format!("there is no agent in {}", directory.display()))
    } else {
        Ok(found)
    }
}

/// Where an agent named as in a cluster's configuration is installed.
fn installed(given: &OsStr, root: &OsStr) -> Option<PathBuf> {
    let (provider, kind) =
        given.to_str()?.strip_prefix("ocf:")?.trim_start_matches(':').split_once(':')?;
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('/');
    (plain(provider) && plain(kind)).then(|| directory(root).join(provider).join(kind))
}

/// Installed agents with the same file name.
fn namesakes(given: &OsStr, root: &OsStr) -> Vec<PathBuf> {
    let kind = given.to_str().and_then(|given| given.rsplit(':').next()).map_or(given, OsStr::new);
    let Some(kind) = Path::new(kind).file_name() else { return Vec::new() };
    let providers = std::fs::read_dir(directory(root)).into_iter().flatten().flatten();
    let mut found: Vec<_> = providers
        .map(|provider| provider.path().join(kind))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

fn directory(root: &OsStr) -> PathBuf {
    Path::new(root).join("resource.d")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with the agents one/a, two/a (which cannot be run) and one/b.
    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, mode) in [("one/a", 0o755), ("two/a", 0o644), ("one/b", 0o755)] {
            let path = root.path().join("resource.d").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        root
    }

    #[test]
    fn an_installed_agent_is_found_by_its_name_in_a_cluster() {
        let root = root();
        let expected = root.path().join("resource.d/one/b");
        for given in ["ocf:one:b", "ocf::one:b", expected.to_str().unwrap()] {
            assert_eq!(agent(OsStr::new(given), root.path().as_os_str()), Ok(expected.clone()));
        }
    }

    #[test]
    fn a_directory_gives_what_can_be_run() {
        let root = root();
        let folder = root.path().join("resource.d");
        std::fs::copy(folder.join("one/a"), folder.join("one/.a")).unwrap();
        let expected = ["one/a", "one/b"].map(|name| folder.join(name));
        assert_eq!(in_directory(&folder), Ok(expected.to_vec()));
        assert_eq!(in_directory(&folder.join("one")), Ok(expected.to_vec()));
        assert!(
            in_directory(&folder.join("two")).unwrap_err().starts_with("there is no agent in ")
        );
    }

    #[test]
    fn what_cannot_be_an_agent_is_refused_with_a_hint() {
        let root = root();
        let folder = root.path().join("resource.d");
        let shown = folder.display();
        let refused = |given: &str| agent(OsStr::new(given), root.path().as_os_str()).unwrap_err();
        assert!(
            refused("b").ends_with(&format!("/b; do you mean {shown}/one/b?")),
            "{}",
            refused("b")
        );
        assert!(refused("a").ends_with(&format!("; do you mean {shown}/one/a or {shown}/two/a?")));
        assert!(
            refused("ocf:two:b").ends_with(&format!("{shown}/two/b; do you mean {shown}/one/b?"))
        );
        assert!(refused("ocf:..:b").ends_with(&format!("/ocf:..:b; do you mean {shown}/one/b?")));
        assert!(refused("/nowhere/x").ends_with("there is no agent /nowhere/x"));
        assert!(
            refused(&format!("{shown}/two/a"))
                .ends_with("two/a is not executable (an agent's mode is 755)")
        );
        assert!(refused(folder.to_str().unwrap()).ends_with("is a directory, not an agent"));
        assert!(refused("/dev/null").ends_with("/dev/null is no regular file"));
        assert!(refused("").contains("empty"), "{}", refused(""));
    }
}
