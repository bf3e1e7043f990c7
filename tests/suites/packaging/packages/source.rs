//! What `make dist` makes, built without a network as a distribution builds it: with its own Rust,
//! by `debian/` and by the spec file that are in the archive.

use std::path::Path;
use std::process::Command;

use harness::cluster::installed;
use harness::skip::skip;

use super::fresh::{fresh, systems_of_builders};
use super::{possible, tell};
use crate::{agents, said, sources, text};

/// Debian's packages that a build needs, and those of the life after it.
const NEEDED: &str = "build-essential,debhelper,rustc-web,cargo-web,xz-utils,iproute2,rpm";

/// A system of its own in a directory, with loopback and no other network.
const ENTER: &str = r#"
    root=$1; shift
    mount --make-rprivate /; mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
    chroot "$root" /bin/sh -euc "$1"
"#;

/// Runs a script there and gives what it printed.
fn inside(root: &Path, script: &str) -> String {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-euc", ENTER, "enter"])
        .arg(root);
    // The settings of this build, as cargo gives them to tests, are no settings of that one.
    command.env_clear();
    command.arg(script).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/nonexistent");
    // To optimise takes most of the time, and changes nothing of what is judged here.
    for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "0"), ("CODEGEN_UNITS", "16")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    let done = command.output();
    let done = done.expect("unshare");
    let all = said(&done);
    assert!(done.status.success(), "{script}: {all}");
    all
}

/// The version that is stated, and the archive of it.
fn name() -> String {
    let manifest = text("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "))
        .unwrap()
        .trim_matches('"');
    format!("ocf-agents-{version}")
}

/// Runs a judge of packages, where it is installed; what it says must hold none of these
/// beginnings.
fn judge(program: &str, args: &[&str], packages: &[String], faults: &[&str]) {
    if !installed(program) {
        return skip(&format!("{program} is not installed"));
    }
    let done = Command::new(program).args(args).args(packages).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let found: Vec<&str> =
        said.lines().filter(|line| faults.iter().any(|fault| line.contains(fault))).collect();
    assert!(found.is_empty(), "{said}");
}

/// The packages of a kind below a directory.
fn made(directory: &Path, kind: &str) -> Vec<String> {
    let listed = tell("find", &[directory.to_str().unwrap(), "-name", &format!("*.{kind}")]);
    let made: Vec<String> =
        listed.lines().map(str::to_owned).filter(|path| !path.contains("dbgsym")).collect();
    assert_eq!(made.len(), 2, "{kind}: {made:?}");
    made
}

#[test]
#[ignore = "builds everything on fresh systems: make package-test FRESH='bookworm trixie' \
            FROM_SOURCE=1"]
fn packages_are_built_from_source_in_fresh_roots_without_a_network() {
    let suites = systems_of_builders();
    println!("The packages are built from source on {suites:?}");
    if !possible(&["mmdebstrap", "unshare"]) {
        return;
    }
    let name = name();
    let archive = sources().join(format!("target/package/{name}.tar.xz"));
    for suite in suites {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        // Debian's newer Rust comes with its updates.
        fresh(&suite, NEEDED, &root, &[]);
        let build = root.join("build");
        std::fs::create_dir(&build).unwrap();
        std::fs::copy(&archive, build.join("archive.tar.xz")).unwrap();
        inside(
            &root,
            &format!(
                "cd /build; tar -xf archive.tar.xz; cd {name}; cp -r metadata/packaging/debian .
                dpkg-buildpackage --no-sign --build=binary"
            ),
        );
        let debs = made(&build, "deb");
        judge("lintian", &["--no-cfg", "--allow-root"], &debs, &["E: ", "W: "]);
        inside(
            &root,
            &format!(
                "cd /build/{name}; rpmbuild --quiet -bb --nodeps --build-in-place --define \
                 '_topdir /build/rpm' ocf-agents.spec"
            ),
        );
        let known = sources().join("metadata/packaging/rpmlint.toml");
        let args = ["--config", known.to_str().unwrap()];
        judge("rpmlint", &args, &made(&build.join("rpm"), "rpm"), &[" E: ", " W: "]);
        live(&root);
    }
}

/// The packages are installed, an address comes and goes, the tester judges, and the packages go.
fn live(root: &Path) {
    let agent = "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=vip OCF_RESKEY_ip=192.0.2.10 \
         OCF_RESKEY_nic=lo OCF_RESKEY_cidr_netmask=32 /usr/lib/ocf/resource.d/native/IPaddr2";
    let life = [("monitor", 7), ("start", 0), ("monitor", 0), ("stop", 0), ("monitor", 7)];
    let calls: Vec<String> = life
        .iter()
        .map(|(action, code)| format!("code=0; {agent} {action} || code=$?; [ $code = {code} ]"))
        .collect();
    let printed = inside(
        root,
        &format!(
            "dpkg -i /build/*.deb; ip link set lo up; mkdir -p /run/resource-agents; {}
            ocf-tester --strict --only well-formed,start-running ocf:native:Dummy
            ls /usr/lib/ocf/resource.d/native; dpkg --purge ocf-agents ocf-agents-tester; [ ! -e \
            /usr/lib/ocf ]",
            calls.join("; ")
        ),
    );
    assert!(agents().iter().all(|agent| printed.lines().any(|line| line == agent)), "{printed}");
}
