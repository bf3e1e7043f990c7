//! `make install` and `make uninstall`: what was put there, and nothing else.
//!
//! The binaries are stand-ins, of a few bytes: it is about where files go.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{agents, make, said};

/// A root directory to install into, and what there is to install.
struct Stage {
    directory: TempDir,
}

impl Stage {
    fn new() -> Stage {
        let stage = Stage { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(stage.built()).unwrap();
        stage.build("one");
        stage
    }

    fn built(&self) -> PathBuf {
        self.directory.path().join("built")
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Binaries of a version.
    fn build(&self, version: &str) {
        for name in agents().iter().map(String::as_str).chain(["ocf-tester"]) {
            fs::write(self.built().join(name), format!("{name} {version}")).unwrap();
        }
    }

    fn try_make(&self, target: &str, more: &[&str]) -> Result<String, String> {
        let places = [
            format!("DESTDIR={}", self.root().display()),
            format!("BUILT={}", self.built().display()),
        ];
        let mut words = vec![target, &places[0], &places[1]];
        words.extend(more);
        let done = make(&words);
        if done.status.success() { Ok(said(&done)) } else { Err(said(&done)) }
    }

    fn make(&self, target: &str, more: &[&str]) -> String {
        self.try_make(target, more)
            .unwrap_or_else(|printed| panic!("make {target} {more:?}: {printed}"))
    }

    /// Every file and directory below the root, with content and mode.
    fn all(&self) -> BTreeMap<String, (String, u32)> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![self.root()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
                let name = format!("/{}", path.strip_prefix(self.root()).unwrap().display());
                let content = fs::read_to_string(&path).unwrap_or_default();
                found.insert(name, (content, mode));
                if path.is_dir() {
                    waiting.push(path);
                }
            }
        }
        found
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[test]
fn what_is_installed_is_where_it_belongs_and_goes_without_a_trace() {
    let stage = Stage::new();
    stage.put("/usr/share/man/man7/other.7", "another program's");
    let before = stage.all();
    stage.make("install", &[]);
    let there = stage.all();
    for agent in agents() {
        assert_eq!(
            there[&format!("/usr/lib/ocf/resource.d/native/{agent}")],
            (format!("{agent} one"), 0o755)
        );
        assert_eq!(there[&format!("/usr/share/man/man7/ocf_native_{agent}.7")].1, 0o644);
    }
    for path in [
        "/usr/bin/ocf-tester",
        "/usr/share/man/man1/ocf-tester.1",
        "/usr/share/bash-completion/completions/ocf-tester",
        "/usr/share/zsh/site-functions/_ocf-tester",
        "/usr/share/fish/vendor_completions.d/ocf-tester.fish",
        "/usr/share/doc/ocf-agents/README.md",
        "/usr/share/doc/ocf-agents/LICENSE-APACHE",
    ] {
        assert!(there.contains_key(path), "{path} is not in {:#?}", there.keys());
    }
    stage.make("uninstall", &[]);
    assert_eq!(stage.all(), before);
}

#[test]
fn an_installation_replaces_its_own_older_one() {
    let stage = Stage::new();
    stage.make("install", &[]);
    stage.build("two");
    stage.make("install", &[]);
    let there = stage.all();
    assert_eq!(there["/usr/lib/ocf/resource.d/native/IPaddr2"].0, "IPaddr2 two");
    assert!(!there.keys().any(|path| path.ends_with(".new")), "{:#?}", there.keys());
    stage.make("uninstall", &[]);
    assert!(stage.all().is_empty(), "{:#?}", stage.all().keys());
}

#[test]
fn another_provider_gets_pages_of_its_own_and_the_tester_stays_for_the_last() {
    let stage = Stage::new();
    stage.make("install", &[]);
    stage.make("install", &["PROVIDER=mine"]);
    let there = stage.all();
    let page = &there["/usr/share/man/man7/ocf_mine_IPaddr2.7"].0;
    assert!(
        page.contains("ocf:mine:IPaddr2") && page.contains("resource.d/mine/IPaddr2"),
        "{page}"
    );
    assert!(
        !page.contains("native:") && !page.contains("ocf_native") && !page.contains("d/native"),
        "{page}"
    );
    stage.make("uninstall", &[]);
    let there = stage.all();
    assert!(
        there.contains_key("/usr/bin/ocf-tester")
            && !there.contains_key("/usr/lib/ocf/resource.d/native")
    );
    assert!(there.contains_key("/usr/lib/ocf/resource.d/mine/IPaddr2"));
    stage.make("uninstall", &["PROVIDER=mine"]);
    assert!(stage.all().is_empty(), "{:#?}", stage.all().keys());
}

#[test]
fn files_of_others_are_neither_overwritten_nor_removed() {
    let stage = Stage::new();
    stage.put("/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "the shell agent");
    let before = stage.all();
    let printed = stage.try_make("install", &["PROVIDER=heartbeat"]).unwrap_err();
    assert!(printed.contains("resource.d/heartbeat/IPaddr2 is there already"), "{printed}");
    assert!(printed.contains("nothing was installed"), "{printed}");
    assert_eq!(stage.all(), before);
    let printed = stage.try_make("uninstall", &["PROVIDER=heartbeat"]).unwrap_err();
    assert!(printed.contains("nothing was installed by make install"), "{printed}");
    assert_eq!(stage.all(), before);
}

#[test]
fn a_file_that_somebody_has_replaced_since_is_his() {
    let stage = Stage::new();
    stage.make("install", &["PROVIDER=heartbeat"]);
    // As the package of the shell agents does when it is installed later.
    stage.put("/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "the shell agent");
    let printed = stage.try_make("install", &["PROVIDER=heartbeat"]).unwrap_err();
    assert!(printed.contains("resource.d/heartbeat/IPaddr2 is there already"), "{printed}");
    let printed = stage.make("uninstall", &["PROVIDER=heartbeat"]);
    assert!(printed.contains("has changed since it was installed, and stays"), "{printed}");
    let there = stage.all();
    assert_eq!(there["/usr/lib/ocf/resource.d/heartbeat/IPaddr2"].0, "the shell agent");
    assert!(!there.contains_key("/usr/lib/ocf/resource.d/heartbeat/Dummy"), "{:#?}", there.keys());
}

#[test]
fn a_link_is_not_followed() {
    let stage = Stage::new();
    let target = stage.directory.path().join("precious");
    fs::write(&target, "precious").unwrap();
    let place = stage.root().join("usr/lib/ocf/resource.d/native/IPaddr2");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, &place).unwrap();
    stage.try_make("install", &[]).unwrap_err();
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn wrong_settings_are_refused_before_anything_is_written() {
    let stage = Stage::new();
    for wrong in ["PROVIDER=a/b", "PROVIDER=..", "PROVIDER=a b", "PREFIX=usr", "BUILT=/nowhere"] {
        let printed = stage.try_make("install", &[wrong]).unwrap_err();
        assert!(printed.contains("make install: "), "{wrong}: {printed}");
        assert!(!Path::new(&stage.root()).exists(), "{wrong}");
    }
}
