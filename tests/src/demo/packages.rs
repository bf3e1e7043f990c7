//! The programs that the demo runs: installed when they are missing and may be, explained otherwise.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use harness::cluster::installed;

/// A program, and Debian's package of it.
const WANTED: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("corosync", "corosync"),
    ("pacemakerd", "pacemaker"),
    ("crm_mon", "pacemaker-cli-utils"),
    ("crm_standby", "pacemaker-cli-utils"),
    ("pcs", "pcs"),
    ("nginx", "nginx"),
    ("apt-get", "apt"),
];

/// Asked by Debian's packages whether they may start their services.
const GUARD: &str = "/usr/sbin/policy-rc.d";

/// The packages of what is missing, each once.
fn absent() -> Vec<&'static str> {
    let mut packages: Vec<&str> = WANTED
        .into_iter()
        .filter(|(program, _)| *program != "apt-get" && !installed(program))
        .map(|(_, it)| it)
        .collect();
    packages.dedup();
    packages
}

/// Installs what is missing on Debian as root, saying so first.
pub fn provide(out: &mut impl Write) -> Result<(), String> {
    let packages = absent();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let root = nix::unistd::geteuid().is_root() && harness::root::has_other_users();
    if !(root && installed("apt-get") && Path::new("/etc/debian_version").exists()) {
        return Err(format!(
            "these packages are not installed: {list}.\nOn Debian, as root: apt-get install {list}\n(other distributions have \
             the programs {} in packages of similar names)",
            WANTED.map(|(program, _)| program).join(", ")
        ));
    }
    let _ = writeln!(out, "These packages are missing and will be installed, with no service started: {list}");
    install(&packages)?;
    match absent().is_empty() {
        true => Ok(()),
        false => Err(format!("after apt-get, these packages are still missing: {}", absent().join(" "))),
    }
}

/// Runs apt-get; the packages' services do not start, now or at the next boot.
fn install(packages: &[&str]) -> Result<(), String> {
    let guarded = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(GUARD);
    let ours = match guarded {
        Ok(mut file) => {
            file.write_all(b"#!/bin/sh\nexit 101\n").map_err(|error| format!("{GUARD}: {error}"))?;
            true
        }
        // Somebody has decided already.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(format!("{GUARD}: {error}")),
    };
    let done = apt(&["update", "-q"]).and_then(|()| {
        let words = ["install", "-q", "-y", "--no-install-recommends"];
        apt(&words.iter().chain(packages).copied().collect::<Vec<_>>())
    });
    if ours {
        let _ = fs::remove_file(GUARD);
    }
    for service in ["corosync", "pacemaker", "pcsd", "nginx"] {
        let new = packages.iter().any(|package| service.starts_with(package));
        if new && installed("systemctl") {
            // Where systemd does not run there is nothing to disable.
            let _ = Command::new("systemctl").args(["disable", "--quiet", service]).status();
        }
    }
    done
}

fn apt(words: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive").status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("apt-get {} ended with {status}", words.join(" "))),
        Err(error) => Err(format!("apt-get: {error}")),
    }
}
