//! The archive of `make tarball`: for systems without dpkg and rpm, and for images.

use std::process::Command;

use harness::Host;

use super::{Machine, built, possible, tell};
use crate::{agents, sources};

/// The programs in the archive and in the packages name no version of a C library: they run
/// wherever the kernel does.
#[test]
#[ignore = "needs the packages: make package-test"]
fn no_program_names_a_version_of_a_c_library() {
    if !possible(&["objdump"]) {
        return;
    }
    let directory = sources().join("target/package");
    let agents = agents().into_iter().map(|agent| format!("agents/{agent}"));
    for name in agents.chain(["bin/ocf-tester".to_owned()]) {
        let path = directory.join(&name);
        let path = path.to_str().unwrap();
        let symbols = tell("objdump", &["-T", path]);
        assert!(!symbols.contains("GLIBC"), "{name}: {symbols}");
        let headers = tell("objdump", &["-p", path]);
        assert!(!headers.contains("INTERP") && !headers.contains("NEEDED"), "{name}: {headers}");
    }
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
