//! State files: written at once or not at all, with tight modes, in directories that nobody else can write to.
#![forbid(unsafe_code)]

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::libc::{O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};

/// Write permission for group and others.
const OTHERS_WRITE: u32 = 0o022;

/// Only the owner of a file in the directory may remove or rename it.
const STICKY: u32 = 0o1000;

/// Reads a file of ours; `None` when there is none.
///
/// # Errors
/// When it cannot be read, is a symbolic link or no plain file, belongs to somebody else, can be written by others, or
/// has more than `limit` bytes.
pub fn read_small(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    // O_NONBLOCK: to open a pipe that somebody has put there must not wait for ever.
    let file = match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("is not a plain file"));
    }
    trusted(&metadata)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("has more than {limit} bytes")));
    }
    Ok(Some(bytes))
}

/// Writes a file so that readers see the old content or the new, never a part: a new file beside it, then a rename. Not
/// synced to disk, for state belongs in /run, which a power cut empties anyway.
///
/// # Errors
/// When it cannot be written; the old content is then still there.
///
/// The mode is as asked whatever the caller's umask (Pacemaker's daemons have 026).
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("has no name"))?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let create = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode).custom_flags(O_NOFOLLOW | O_CLOEXEC).open(&beside)
    };
    let mut file = create().or_else(|error| match error.kind() {
        // Left by a process of this number that was killed between the two steps.
        io::ErrorKind::AlreadyExists => std::fs::remove_file(&beside).and_then(|()| create()),
        _ => Err(error),
    })?;
    let written = file
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Writes a file unless it has this content already; tells whether it did.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_if_changed(path: &Path, bytes: &[u8], mode: u32) -> io::Result<bool> {
    if read_small(path, bytes.len() as u64).is_ok_and(|found| found.as_deref() == Some(bytes)) {
        return Ok(false);
    }
    write_atomic(path, bytes, mode).map(|()| true)
}

/// Makes a directory for state, with the parents that are missing (/run is empty after a boot).
///
/// # Errors
/// When it cannot be made, or others could put files into it, lead us elsewhere with a symbolic link, or put another
/// directory in the place of the one just made.
pub fn ensure_dir(path: &Path, mode: u32) -> io::Result<()> {
    let found = std::fs::symlink_metadata(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => make_dir(path, mode).and_then(|()| std::fs::symlink_metadata(path)),
        _ => Err(error),
    })?;
    if found.is_symlink() {
        // In /tmp or /run/lock, anybody may have put it there.
        owned(&found)?;
    }
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("is not a directory"));
    }
    trusted(&metadata)
}

fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    let above = path.ancestors().skip(1).find_map(|above| std::fs::metadata(above).ok());
    let above = above.ok_or_else(|| io::Error::other("has no directory above it"))?;
    owned(&above)?;
    // With the sticky bit, others can add to it but not take away what is ours.
    if above.mode() & STICKY == 0 {
        trusted(&above)?;
    }
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Whether it is root's or ours.
fn owned(metadata: &Metadata) -> io::Result<()> {
    if metadata.uid() == 0 || metadata.uid() == nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::other(format!("belongs to user {}; it must belong to root", metadata.uid())))
}

/// Whether only root and we can change it.
fn trusted(metadata: &Metadata) -> io::Result<()> {
    owned(metadata)?;
    if metadata.mode() & OTHERS_WRITE != 0 {
        Err(io::Error::other(format!("can be written by others (mode {:o})", metadata.mode() & 0o7777)))
    } else {
        Ok(())
    }
}

/// Opens a file for locking, made when it is missing. Never through a symbolic link.
///
/// # Errors
/// When it can be neither opened nor made; a missing directory is made with it.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let open = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK).open(path)
    };
    open().or_else(|error| match (error.kind(), path.parent()) {
        (io::ErrorKind::NotFound, Some(directory)) => ensure_dir(directory, 0o755).and_then(|()| open()),
        _ => Err(error),
    })
}

/// Opens a file to add to, made when it is missing. Never through a symbolic link.
///
/// # Errors
/// When it can be neither opened nor made.
pub fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW | O_CLOEXEC).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn sl_21_the_same_content_is_not_written_again() {
        let folder = folder();
        let path = folder.path().join("state");
        assert!(write_if_changed(&path, b"one", 0o600).unwrap());
        let first = std::fs::metadata(&path).unwrap();
        assert!(!write_if_changed(&path, b"one", 0o600).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), first.ino());
        assert!(write_if_changed(&path, b"two", 0o600).unwrap());
        assert_eq!(read_small(&path, 10).unwrap().unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no file is left beside it");
        assert_eq!(first.mode() & 0o777, 0o600);
        // The usual umask, 022, would take the group's right to write away.
        write_atomic(&path, b"three", 0o664).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o664);
    }

    #[test]
    fn what_others_could_have_written_is_not_believed() {
        let folder = folder();
        let path = folder.path().join("state");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read_small(&path, 10).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read_small(&path, 10).is_ok());
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(read_small(&link, 10).is_err(), "symbolic link");
        assert!(open_lock(&link).is_err(), "lock through a symbolic link");
        assert!(read_small(folder.path(), 10).is_err(), "directory");
        assert!(read_small(&path, 0).is_err(), "too long");
        assert_eq!(read_small(&folder.path().join("none"), 10).unwrap(), None);
    }

    #[test]
    fn sl_20_a_missing_state_directory_is_made_and_an_open_one_is_refused() {
        let folder = folder();
        let deep = folder.path().join("run").join("resource-agents");
        ensure_dir(&deep, 0o755).unwrap();
        ensure_dir(&deep, 0o755).unwrap();
        std::fs::set_permissions(&deep, std::fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(ensure_dir(&deep, 0o755).is_err());
        // As systemd-tmpfiles makes it for the peer.
        std::fs::set_permissions(&deep, std::fs::Permissions::from_mode(0o1755)).unwrap();
        assert!(ensure_dir(&deep, 0o755).is_ok());
    }

    #[test]
    fn sl_20_no_state_directory_is_made_where_others_could_replace_it() {
        let folder = folder();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(ensure_dir(&open.join("state"), 0o755).is_err());
        std::fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert!(ensure_dir(&open.join("a/b"), 0o755).is_ok(), "a sticky one, like /run/lock, keeps ours in its place");
    }

    #[test]
    fn sl_20_a_link_leads_to_a_state_directory_only_if_it_is_ours() {
        if !nix::unistd::geteuid().is_root() {
            return; // Only root can make a link that is somebody else's.
        }
        let folder = folder();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert!(ensure_dir(&link, 0o755).is_ok());
        std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
        assert!(ensure_dir(&link, 0o755).is_err());
    }

    #[test]
    fn a_leftover_of_a_killed_writer_is_no_obstacle() {
        let folder = folder();
        let path = folder.path().join("state");
        std::fs::write(folder.path().join(format!(".state.{}", std::process::id())), "half").unwrap();
        write_atomic(&path, b"whole", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    }
}
