//! The archive of `make tarball`: for systems without dpkg and rpm, and for images.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::Host;

use super::{Machine, built, debs, possible, rpms, tell};
use crate::agents;

/// Unpacks an archive or a package into a directory.
fn unpack(package: &Path, directory: &Path) {
    let (file, to) = (package.to_str().unwrap(), directory.to_str().unwrap());
    match package.extension().and_then(OsStr::to_str) {
        Some("deb") => drop(tell("dpkg-deb", &["--extract", file, to])),
        // rpm2cpio fails, once all is done, where a package does not say how large its archive is.
        Some("rpm") => {
            let copy = directory.join("package.rpm");
            std::fs::copy(package, &copy).unwrap();
            tell("rpm2archive", &[copy.to_str().unwrap()]);
            tell("tar", &["-C", to, "-xzf", &format!("{}.tgz", copy.display())]);
        }
        _ => drop(tell("tar", &["--zstd", "-C", to, "-xf", file])),
    }
}

/// The programs below a directory: files that begin as all programs of Linux do (elf(5)).
fn programs(directory: &Path) -> Vec<PathBuf> {
    let listed = tell("find", &[directory.to_str().unwrap(), "-type", "f", "-perm", "-100"]);
    let files = listed.lines().map(PathBuf::from);
    files.filter(|path| std::fs::read(path).unwrap().starts_with(b"\x7fELF")).collect()
}

/// No program in a package names a version of a C library, a loader or a library: it runs wherever
/// the kernel does. `objdump -T` says the same, of its own architecture only.
pub fn needs_only_the_kernel(package: &Path, count: usize) {
    let directory = tempfile::tempdir().unwrap();
    unpack(package, directory.path());
    let found = programs(directory.path());
    assert_eq!(found.len(), count, "{}: {found:?}", package.display());
    for path in found {
        let words = ["--wide", "--dyn-syms", "--program-headers", "--dynamic", "--version-info"];
        let said = tell("readelf", &[&words[..], &[path.to_str().unwrap()]].concat());
        let name = path.display();
        for fault in ["GLIBC", "INTERP", "NEEDED"] {
            assert!(!said.contains(fault), "{name}: {said}");
        }
        assert!(said.contains("DYNAMIC"), "{name} is not position-independent: {said}");
    }
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn no_program_in_a_package_names_a_version_of_a_c_library() {
    if !possible(&["readelf", "dpkg-deb", "rpm2archive", "tar", "zstd"]) {
        return;
    }
    let count = agents().len();
    for [with_agents, with_tester] in [debs(), rpms()] {
        needs_only_the_kernel(&with_agents, count);
        needs_only_the_kernel(&with_tester, 1);
    }
    needs_only_the_kernel(&built("ocf-agents-", "x86_64.tar.zst"), count + 1);
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn the_tarball_is_installed_checked_and_removed() {
    if !possible(&["tar", "zstd", "sha256sum"]) {
        return;
    }
    let archive = built("ocf-agents-", "x86_64.tar.zst");
    let sum = format!("{}.sha256", archive.file_name().unwrap().to_string_lossy());
    let mut check = Command::new("sha256sum");
    check.args(["--quiet", "--check", &sum]).current_dir(archive.parent().unwrap());
    assert!(check.status().unwrap().success());
    let machine = Machine {
        host: Host::builder("image")
            .overlay()
            .tmpfs("/srv")
            .bind(&archive, "/run/archive.tar.zst")
            .start(),
        root: None,
    };
    machine.sh("tar --zstd -C /srv -xf /run/archive.tar.zst; mv /srv/ocf-agents-* /srv/unpacked");
    machine.remember();
    machine.sh("/srv/unpacked/install");
    // An installation over the same one is an upgrade.
    machine.sh("/srv/unpacked/install");
    for agent in agents() {
        let path = format!("/usr/lib/ocf/resource.d/native/{agent}");
        assert_eq!(machine.sh(&format!("stat -c %a {path}")).trim(), "755", "{agent}");
        assert_eq!(
            machine.sh(&format!("{path} meta-data")),
            crate::text(&format!("metadata/{agent}.xml")),
            "{agent}"
        );
    }
    machine.sh("ip link set lo up; mkdir -p /run/resource-agents");
    machine.sh("/usr/bin/ocf-tester --strict --only well-formed,start-running ocf:native:Dummy");
    machine.sh("/srv/unpacked/install uninstall");
    let left = machine.added();
    assert!(left.is_empty(), "{left:#?}");
    // A damaged copy is not installed.
    machine.sh("echo x >>/srv/unpacked/bin/Dummy");
    let refused = machine.run("/srv/unpacked/install");
    assert!(refused.code == Some(1) && refused.stderr.contains("damaged"), "{refused:#?}");
}
