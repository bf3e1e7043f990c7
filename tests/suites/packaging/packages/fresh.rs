//! Fresh systems of several releases, made by mmdebstrap: what the packages need there, and whether
//! our list of packages is whole.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Host;

use super::{Machine, PLACES, debs, live_and_die, possible, tell};
use crate::{said, sources};

/// Releases of Ubuntu. The other names are Debian's.
const UBUNTU: [&str; 3] = ["focal", "jammy", "noble"];

/// Releases of Debian with a C library that is older than the one that these tests need, and no
/// Rust that is new enough.
const OLD: [&str; 2] = ["buster", "bullseye"];

/// The systems that `FRESH` names.
fn systems() -> Vec<String> {
    let named = std::env::var("OCF_FRESH_ROOTS").unwrap_or_default();
    assert!(!named.trim().is_empty(), "which? make package-test FRESH='bookworm trixie'");
    named.split_whitespace().map(str::to_owned).collect()
}

/// Those where the project can be built and tested too: our list of packages is of Debian's.
pub fn systems_of_builders() -> Vec<String> {
    let builds = |name: &String| !UBUNTU.contains(&name.as_str()) && !OLD.contains(&name.as_str());
    systems().into_iter().filter(builds).collect()
}

/// Where a release is, as it was made: updates of an old one are no longer kept on every mirror.
/// Debian 12 has no package with the keys of Ubuntu.
fn release(suite: &str) -> String {
    const KEYS: &str = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
    if !UBUNTU.contains(&suite) {
        return "http://deb.debian.org/debian".to_owned();
    }
    let trust = match Path::new(KEYS).is_file() {
        true => format!("signed-by={KEYS}"),
        false => "trusted=yes".to_owned(),
    };
    format!("deb [{trust}] http://archive.ubuntu.com/ubuntu {suite} main universe")
}

/// Makes a system of the essential packages and some more, as a directory or an archive;
/// without mirrors from those that mmdebstrap knows, updates included.
pub fn fresh(suite: &str, packages: &str, target: &Path, mirrors: &[&str]) {
    let (more, target) = (format!("--include={packages}"), target.to_str().unwrap());
    let words = ["--quiet", "--variant=minbase", &more, suite, target];
    tell("mmdebstrap", &[&words, mirrors].concat());
}

/// The overlay has what this machine has. A system of nothing but Debian's essential packages and
/// the cluster's shells shows what the packages need besides, and other versions of all that. It is
/// opt-in, for it needs Debian's archive and minutes.
#[test]
#[ignore = "fetches whole systems: make package-test FRESH='bookworm trixie'"]
fn the_debian_packages_live_in_fresh_roots() {
    let suites = systems();
    if !possible(&["mmdebstrap"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for suite in suites {
        let archive = directory.path().join(format!("{suite}.tar"));
        fresh(&suite, "pcs,crmsh,pacemaker-cli-utils,iproute2", &archive, &[&release(&suite)]);
        let host =
            Host::builder("fresh").tmpfs("/srv").bind(directory.path(), "/srv/given").start();
        host.sh(&format!(
            "mkdir /srv/root; tar -C /srv/root --exclude='./dev/*' -xf /srv/given/{suite}.tar"
        ));
        host.sh("cd /srv/root; mount --rbind /dev dev; mount -t proc proc proc; mount -t tmpfs \
                 tmpfs run");
        for (package, place) in debs().iter().zip(PLACES) {
            std::fs::copy(package, directory.path().join("package")).unwrap();
            host.sh(&format!("cp /srv/given/package /srv/root{place}"));
        }
        live_and_die(&Machine { host, root: Some("/srv/root") }, PLACES);
        std::fs::remove_file(archive).unwrap();
    }
}

/// Enters a fresh system with this machine's network, which `apt-get` needs, and with its sources
/// and what was built of them.
const ENTER: &str = r#"
    root=$1; sources=$2; shift 2
    mount --make-rprivate /; mount --bind "$root" "$root"; cd "$root"
    mount --rbind /dev dev; mount --rbind /sys sys; mount -t proc proc proc
    mount -t tmpfs tmpfs run
    mkdir -p "./$sources" old; mount --rbind "$sources" "./$sources"
    cp /etc/resolv.conf etc/
    pivot_root . old; cd /; umount -l old
    cd "$sources/tests"
    # Not by exec: process 1 has to reap orphans, or machines inside do not end.
    "$@"
    true
"#;

/// Where chance is small and the system's packages matter: the user's manager, servers, the
/// crossing of namespaces.
const SUITES: [(&str, &str); 5] = [
    ("harness", "machine::"),
    ("systemd", "user::"),
    ("nginx", "life::"),
    ("haproxy", "life::"),
    ("apache", "life::"),
];

/// The newest build of a suite. Agents have builds of the same names there, which have no list of
/// tests.
fn suite(name: &str, filter: &str) -> PathBuf {
    let deps = harness::host::built_directory().join("deps");
    let entries = std::fs::read_dir(&deps).unwrap().map(|entry| entry.unwrap().path());
    let has_name = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        path.extension().is_none()
            && file.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    };
    let mut found: Vec<PathBuf> = entries.filter(has_name).collect();
    found.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().modified().unwrap()));
    let lists = |path: &&PathBuf| {
        let listed = Command::new(path).args([filter, "--list"]).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).contains(": test")
    };
    let newest = found.iter().find(lists);
    newest.unwrap_or_else(|| panic!("the suite {name} is not built in {}", deps.display())).clone()
}

/// On a system with nothing but Debian's essential packages, what `tests/provide` installs is all
/// that the suites need.
#[test]
#[ignore = "fetches whole systems: make package-test FRESH='bookworm trixie'"]
fn the_list_of_packages_is_whole_in_fresh_roots() {
    let systems = systems_of_builders();
    println!("The list of packages is tested on {systems:?}");
    if !possible(&["mmdebstrap", "unshare"]) {
        return;
    }
    let sources = sources();
    for system in systems {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fresh(&system, "apt", &root, &[&release(&system)]);
        let inside = |words: &[&str]| {
            let mut command = Command::new("unshare");
            command.args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-euc",
                ENTER,
                "enter",
            ]);
            let done = command
                .arg(&root)
                .arg(&sources)
                .args(words)
                .env("OCF_OFFICIAL", "1")
                .output()
                .unwrap();
            let all = said(&done);
            assert!(done.status.success(), "{system}: {words:?}: {all}");
            all
        };
        let provide = sources.join("tests/provide");
        let provide = provide.to_str().unwrap();
        let printed = inside(&[provide, "demo"]);
        assert!(
            printed.contains("will be installed, with no service started")
                && printed.contains("pacemaker"),
            "{printed}"
        );
        inside(&[harness::host::built_directory().join("ocf-demo").to_str().unwrap(), "standby"]);
        assert!(inside(&[provide]).contains("ldirectord"));
        assert_eq!(inside(&[provide]), "", "a second time there is nothing to do");
        inside(&["sh", "-c", "test ! -e /usr/sbin/policy-rc.d"]);
        for (name, filter) in SUITES {
            let printed = inside(&[suite(name, filter).to_str().unwrap(), filter]);
            assert!(
                printed.contains("test result: ok.") && !printed.contains(" 0 passed"),
                "{system}: {name}: {printed}"
            );
        }
    }
}
