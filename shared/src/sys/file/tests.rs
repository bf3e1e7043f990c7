use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

/// A user who owns nothing.
const STRANGER: u32 = 65_534;

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
    assert!(
        ensure_dir(&open.join("a/b"), 0o755).is_ok(),
        "a sticky one, like /run/lock, keeps ours in its place"
    );
}

#[test]
fn sl_20_a_link_leads_to_a_state_directory_only_if_it_is_ours() {
    if !nix::unistd::geteuid().is_root() {
        return; // Only root can make a link that belongs to another user.
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

#[test]
fn what_killed_writers_left_goes_with_the_file() {
    let folder = folder();
    let path = folder.path().join("state");
    let mut ended = std::process::Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let (ended, alive) = (ended.id(), std::process::id());
    let left = folder.path().join(format!(".state.{ended}"));
    let others = [
        format!(".state.{alive}"),
        format!(".state.x.{ended}"),
        format!(".state.{ended}.x"),
        format!("state.{ended}"),
        ".state.-1".to_owned(),
        ".state.".to_owned(),
    ];
    others.iter().for_each(|name| std::fs::write(folder.path().join(name), "").unwrap());
    // Once with the file, once without: its first writer was killed.
    for content in [Some("whole"), None] {
        std::fs::write(&left, "half").unwrap();
        content.iter().for_each(|content| std::fs::write(&path, content).unwrap());
        remove_written(&path).unwrap();
        assert!(!path.exists() && !left.exists());
    }
    let stay = others.iter().all(|name| folder.path().join(name).exists());
    assert!(stay, "{:?}", std::fs::read_dir(folder.path()).unwrap().collect::<Vec<_>>());
    if nix::unistd::geteuid().is_root() {
        std::fs::write(&left, "a stranger's").unwrap();
        give(&left);
        remove_written(&path).unwrap();
        assert!(left.exists(), "another user's file");
    }
    remove_written(&folder.path().join("none/state")).unwrap();
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A directory as /run/lock is: everybody may add to it. `None` where this is not root, who alone
/// can give things away.
fn open_place() -> Option<(tempfile::TempDir, PathBuf)> {
    let folder = folder();
    mode(folder.path(), 0o755);
    let lock = folder.path().join("lock");
    std::fs::create_dir(&lock).unwrap();
    mode(&lock, 0o1777);
    nix::unistd::geteuid().is_root().then_some((folder, lock))
}

fn give(path: &Path) {
    std::os::unix::fs::lchown(path, Some(STRANGER), Some(STRANGER)).unwrap();
}

#[test]
fn rt_1_a_link_of_another_user_leads_root_nowhere() {
    let Some((folder, lock)) = open_place() else { return };
    let link = lock.join("apache2");
    let target = folder.path().join("victim");
    symlink(&target, &link).unwrap();
    give(&link);
    let owner = Owner { user: Uid::from_raw(33), group: None };
    for path in [link.clone(), link.join("below")] {
        let refused = make_dir(&path, 0o755, Some(owner)).unwrap_err().to_string();
        assert!(refused.contains("is a link of user 65534"), "{refused}");
    }
    assert!(!target.exists(), "nothing was made behind the link");
    std::fs::create_dir(&target).unwrap();
    assert!(make_dir(&link, 0o755, Some(owner)).is_err());
    assert!(
        ensure_dir(&link, 0o755).is_err() && write_atomic(&link.join("x"), b"", 0o600).is_err()
    );
    assert_eq!(target.metadata().unwrap().uid(), 0, "and nothing was given away");
    std::fs::write(target.join("file"), "x").unwrap();
    assert!(remove(&link.join("file")).is_err() && target.join("file").exists());
    // Root's own link, as /var/lock is on Debian, is followed.
    let own = folder.path().join("var-lock");
    symlink("lock", &own).unwrap();
    assert!(make_dir(&own.join("nginx"), 0o755, Some(owner)).unwrap());
    assert_eq!(lock.join("nginx").metadata().unwrap().uid(), 33);
    assert_eq!(lock.join("nginx").metadata().unwrap().mode() & 0o777, 0o755);
    assert!(!make_dir(&lock.join("nginx"), 0o755, Some(owner)).unwrap(), "it is there already");
}

#[test]
fn rt_1_a_directory_of_another_user_is_refused_where_everybody_could_make_it() {
    let Some((folder, lock)) = open_place() else { return };
    let made = lock.join("apache2");
    std::fs::create_dir(&made).unwrap();
    give(&made);
    assert!(
        make_dir(&made, 0o755, None).is_err()
            && make_dir(&made.join("deeper"), 0o755, None).is_err()
    );
    let owner = Owner { user: Uid::from_raw(STRANGER), group: None };
    assert!(!make_dir(&made, 0o755, Some(owner)).unwrap(), "of the user that it is for");
    // Where only root could have made it for that user, it is his by root's will.
    let given = folder.path().join("given");
    std::fs::create_dir(&given).unwrap();
    give(&given);
    assert!(!make_dir(&given, 0o755, None).unwrap());
    assert!(
        make_dir(&given.join("new"), 0o755, None).is_err(),
        "he could replace it while it is being made"
    );
}

#[test]
fn a_directory_behind_a_link_to_nothing_is_made_at_its_end() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("run")).unwrap();
    symlink("run/lock", path("lock")).unwrap();
    symlink(path("lock"), path("twice")).unwrap();
    assert!(make_dir(&path("twice/apache2"), 0o755, None).unwrap());
    assert!(path("run/lock/apache2").is_dir());
    assert!(!make_dir(&path("lock/../lock/apache2"), 0o755, None).unwrap());
    symlink(path("loop"), path("loop")).unwrap();
    let error = make_dir(&path("loop/apache2"), 0o755, None).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
}

#[test]
fn rt_3_only_a_socket_of_ours_without_a_listener_is_deleted() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("victim"), "x").unwrap();
    symlink(path("victim"), path("link")).unwrap();
    for name in ["victim", "link"] {
        assert!(remove_socket(&path(name)).is_err() && path("victim").exists(), "{name}");
    }
    let listener = UnixListener::bind(path("socket")).unwrap();
    assert!(remove_socket(&path("socket")).is_err(), "a process listens on it");
    assert!(remove(&path("socket")).is_err(), "a socket is no file");
    drop(listener);
    if nix::unistd::geteuid().is_root() {
        give(&path("socket"));
        assert!(remove_socket(&path("socket")).is_err(), "another user's");
        std::os::unix::fs::lchown(path("socket"), Some(0), Some(0)).unwrap();
    }
    remove_socket(&path("socket")).unwrap();
    assert!(!path("socket").exists());
    remove_socket(&path("socket")).unwrap();
}

#[test]
fn what_is_no_plain_file_is_neither_deleted_nor_replaced() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("directory")).unwrap();
    nix::unistd::mkfifo(&path("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    for name in ["directory", "pipe"] {
        assert!(remove(&path(name)).is_err(), "{name}");
        assert!(write_atomic(&path(name), b"x", 0o600).is_err(), "{name}");
        assert!(open_append(&path(name)).is_err() && open_lock(&path(name)).is_err(), "{name}");
    }
    remove(&path("none/at/all")).unwrap();
    remove(&path("pipe/none")).unwrap();
    std::fs::write(path("log"), "").unwrap();
    std::fs::hard_link(path("log"), path("second")).unwrap();
    assert!(open_append(&path("log")).is_err(), "a second name of another file");
    remove(&path("second")).unwrap();
    assert!(open_append(&path("log")).is_ok());
}

#[test]
fn a_log_may_be_of_another_user_where_not_everybody_can_put_one() {
    let Some((folder, open)) = open_place() else { return };
    // As Pacemaker's: /var/log/pacemaker is of hacluster, and so is pacemaker.log in it.
    let own = folder.path().join("pacemaker");
    std::fs::create_dir(&own).unwrap();
    mode(&own, 0o770);
    give(&own);
    for (directory, good) in [(&own, true), (&open, false)] {
        let log = directory.join("log");
        std::fs::write(&log, "").unwrap();
        mode(&log, 0o660);
        give(&log);
        assert_eq!(open_append(&log).is_ok(), good, "{}", log.display());
    }
    let link = own.join("link");
    symlink(own.join("log"), &link).unwrap();
    give(&link);
    assert!(open_append(&link).is_err(), "a link of another user");
}

#[test]
fn rt_5_pipes_devices_and_huge_files_are_not_read() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    nix::unistd::mkfifo(&path("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
    let huge = File::create(path("huge")).unwrap();
    huge.set_len(8 << 30).unwrap();
    for file in [path("pipe"), path("huge"), folder.path().to_owned(), "/dev/zero".into()] {
        for trust in [Trust::Anyone, Trust::NotEverybody, Trust::Root] {
            assert!(read(&file, 1000, trust).is_err(), "{}", file.display());
        }
    }
    std::fs::write(path("good"), "text").unwrap();
    symlink(path("good"), path("link")).unwrap();
    for trust in [Trust::Anyone, Trust::NotEverybody, Trust::Root] {
        assert_eq!(read(&path("link"), 4, trust).unwrap(), b"text");
    }
    assert!(
        read(&path("good"), 3, Trust::Anyone)
            .unwrap_err()
            .to_string()
            .contains("more than 3 bytes")
    );
    assert_eq!(read(&path("none"), 3, Trust::Root).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn rt_5_whose_a_file_may_be_depends_on_what_it_is_for() {
    let Some((folder, open)) = open_place() else { return };
    let read_all = |path: &Path| {
        [Trust::Anyone, Trust::NotEverybody, Trust::Root].map(|trust| read(path, 10, trust).is_ok())
    };
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(read_all(&file), [true, true, true]);
    mode(&file, 0o664);
    assert_eq!(read_all(&file), [true, true, false]);
    mode(&file, 0o666);
    assert_eq!(read_all(&file), [true, false, false]);
    mode(&file, 0o644);
    give(&file);
    assert_eq!(read_all(&file), [true, true, false]);
    // Root's file in a directory of another user, who can put another one in its place.
    let theirs = folder.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::fs::write(theirs.join("file"), "x").unwrap();
    give(&theirs);
    assert_eq!(read_all(&theirs.join("file")), [true, true, false]);
    // Another user's link to a file of root's that he has chosen.
    std::fs::write(&file, "x").unwrap();
    std::os::unix::fs::lchown(&file, Some(0), Some(0)).unwrap();
    let link = open.join("link");
    symlink(&file, &link).unwrap();
    assert_eq!(read_all(&link), [true, true, true]);
    give(&link);
    assert_eq!(
        read(&link, 10, Trust::Root).unwrap_err().to_string(),
        "is a link of user 65534; remove it"
    );
}

#[test]
fn a_lock_file_is_made_so_that_others_cannot_hold_its_lock() {
    let folder = folder();
    let path = folder.path().join("below/lock");
    open_lock(&path).unwrap();
    mode(&path, 0o644);
    open_lock(&path).unwrap();
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_stamp_is_set_with_the_content() {
    let folder = folder();
    let path = folder.path().join("file");
    let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
    assert!(write_stamped(&path, b"x", 0o644, at).unwrap());
    assert!(!write_stamped(&path, b"x", 0o644, at).unwrap());
    assert_eq!(path.metadata().unwrap().modified().unwrap(), at);
}

#[test]
fn the_longest_name_can_be_written() {
    let folder = folder();
    let path = folder.path().join("x".repeat(255));
    write_atomic(&path, b"x", 0o600).unwrap();
    assert_eq!(names(folder.path()), ["x".repeat(255)]);
}
