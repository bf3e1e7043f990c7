//! `make release`, in a copy of the sources.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::sources;

fn git(directory: &Path, words: &[&str]) -> String {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .current_dir(directory)
        .output()
        .expect("git");
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The sources as they are now, as a commit of their own.
fn copy() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let excluded = ["--exclude=./target", "--exclude=./.git", "--exclude=./bench-results.json"];
    let script = "tar -C \"$0\" \"$@\" -cf - . | tar -xf -";
    let done = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(sources())
        .args(excluded)
        .current_dir(copy.path())
        .status()
        .unwrap();
    assert!(done.success());
    git(copy.path(), &["init", "-q"]);
    git(copy.path(), &["add", "-A"]);
    git(copy.path(), &["commit", "-qm", "all"]);
    copy
}

fn release(directory: &Path, version: &str) -> Result<String, String> {
    let done = Command::new("make")
        .args(["--no-print-directory", "release", "DRY_RUN=1", &format!("VERSION={version}")])
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .current_dir(directory)
        .output()
        .expect("make");
    let printed = crate::said(&done);
    if done.status.success() { Ok(printed) } else { Err(printed) }
}

#[test]
fn a_dry_run_shows_every_change_and_makes_none() {
    let copy = copy();
    let printed = release(copy.path(), "98.7.6").unwrap();
    for line in [
        "+version = \"98.7.6\"",
        "+<resource-agent name=\"IPaddr2\" version=\"98.7.6\">",
        "+.TH ocf_native_IPaddr2 7 \"\" \"ocf-agents 98.7.6\" \"OCF resource agents\"",
        "+## 98.7.6 - 20",
        "would test, commit \"release 98.7.6\" and tag v98.7.6",
    ] {
        assert!(printed.lines().any(|have| have.starts_with(line)), "{line} is not in {printed}");
    }
    // Every member of the workspace, in Cargo.lock.
    assert!(
        printed.contains("+++ new/Cargo.lock")
            && printed.matches("+version = \"98.7.6\"").count() > 5,
        "{printed}"
    );
    assert_eq!(git(copy.path(), &["status", "--porcelain"]), "");
    assert_eq!(git(copy.path(), &["tag"]), "");
}

#[test]
fn what_cannot_be_released_is_reported() {
    let copy = copy();
    for (version, reason) in [("1.2", "not of the form"), ("0.0.1", "is older than")] {
        let printed = release(copy.path(), version).unwrap_err();
        assert!(printed.contains(reason), "{version}: {printed}");
    }
    git(copy.path(), &["tag", "v98.0.0"]);
    assert!(release(copy.path(), "98.0.0").unwrap_err().contains("the tag v98.0.0 exists"));
    std::fs::write(copy.path().join("README.md"), "changed").unwrap();
    assert!(release(copy.path(), "98.7.6").unwrap_err().contains("changes that are not committed"));
    let changelog = copy.path().join("CHANGELOG.md");
    std::fs::write(&changelog, "# Changelog\n\n## Unreleased\n\n## 0.0.1\n\n- something\n")
        .unwrap();
    git(copy.path(), &["commit", "-qam", "nothing new"]);
    assert!(release(copy.path(), "98.7.6").unwrap_err().contains("says nothing below"));
}
