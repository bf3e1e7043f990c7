//! Machines: private, clean, reaping, and gone when dropped.

use std::time::Duration;

use harness::process::wait_until;
use harness::{Host, L2};

#[test]
fn a_machine_is_private() {
    let host = Host::new("alone");
    assert_eq!(host.sh("hostname; ls /run"), "alone\nlock\n");
    assert_eq!(host.sh("ls /sys/class/net"), "lo\n");
    assert_eq!(host.sh("env | cut -d= -f1 | grep -v PWD | sort | tr '\\n' ' '"), "LC_ALL PATH TZ ");
    assert!(
        host.sh("ls -d /proc/[0-9]* | wc -l").trim().parse::<u32>().is_ok_and(|count| count < 8)
    );
}

/// While faults were looked for, pid files that led elsewhere had the files of the machine below
/// overwritten.
#[test]
fn no_machine_can_change_the_files_and_devices_of_the_one_that_it_runs_on() {
    let host = Host::new("sealed");
    let refused = |path: &str| {
        let said = host.run("/bin/sh", &["-c", &format!("echo mine > {path}")]);
        assert!(
            said.code != Some(0) && said.stderr.contains("Read-only file system"),
            "{path}: {said:?}"
        );
        assert!(!std::path::Path::new(path).exists(), "{path}");
    };
    for directory in ["/etc", "/var/log", "/var/lib", "/usr/lib", "/tmp", "/root"] {
        refused(&format!("{directory}/ocf-test-of-a-sealed-machine"));
    }
    // What is its own can be written to, and nothing of it is outside.
    for path in ["/run", "/dev", "/dev/shm"]
        .map(|directory| format!("{directory}/ocf-test-of-a-sealed-machine"))
    {
        host.sh(&format!("echo mine > {path}; echo nothing > /dev/null"));
        assert!(!std::path::Path::new(&path).exists(), "{path}");
    }
    // Of a device that both have not even the mode can be changed. This one is what it has.
    let overlaid =
        harness::root::has_other_users().then(|| Host::builder("overlaid").overlay().start());
    for host in [host].iter().chain(&overlaid) {
        let said = host.run("chmod", &["666", "/dev/null"]);
        assert!(said.stderr.contains("Read-only file system"), "{said:?}");
    }
}

#[test]
fn an_overlaid_machine_changes_nothing_outside() {
    if !harness::root::has_other_users() {
        return harness::skip::skip("an overlay of / needs real root");
    }
    let host = Host::builder("overlaid").overlay().start();
    host.sh("rm -r /usr/share/doc; echo mine > /etc/hostname; test ! -e /usr/share/doc");
    assert!(std::path::Path::new("/usr/share/doc").exists());
    assert_ne!(std::fs::read_to_string("/etc/hostname").unwrap_or_default(), "mine\n");
    assert_eq!(host.ip_json("link show").as_array().map(Vec::len), Some(1));
    assert_eq!(
        host.sh(
            "ls /dev/shm /run; test -w /dev/null; test ! -e /dev/log; echo hello > /dev/stdout"
        ),
        "/dev/shm:\n\n/run:\nlock\nhello\n"
    );
    assert!(harness::call::executable("IPaddr2").is_file());
    assert_eq!(harness::agent(&host, "IPaddr2").action("meta-data").code, 0);
}

#[test]
fn a_disk_survives_a_power_cut() {
    if !harness::root::has_other_users() {
        return harness::skip::skip("an overlay of / needs real root");
    }
    // On a tmpfs, for a disk cannot be on an overlay itself, which / may be.
    let Ok(disk) = tempfile::TempDir::with_prefix_in("ocf-disk-", "/dev/shm") else {
        return harness::skip::skip("there is no /dev/shm");
    };
    let host = Host::builder("first").disk(disk.path()).start();
    host.sh("echo kept > /etc/kept; echo lost > /run/lost");
    drop(host);
    let host = Host::builder("second").disk(disk.path()).start();
    assert_eq!(host.sh("cat /etc/kept; ls /run"), "kept\nlock\n");
}

#[test]
fn orphans_are_reaped() {
    let host = Host::new("orphanage");
    host.sh("for i in 1 2 3; do setsid sh -c 'sleep 0.05' & done; exit 0");
    let clean = wait_until(Duration::from_secs(5), || {
        let states = host.sh("cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' Z \\|(sleep)' || true");
        (states.trim() == "0").then_some(())
    });
    assert!(clean.is_some(), "zombies or sleepers stay: {}", host.sh("cat /proc/[0-9]*/stat"));
}

#[test]
fn a_power_cut_ends_everything_inside() {
    let mut host = Host::new("doomed");
    let mut resident = host.spawn("sleep", &["1000"]);
    let outside = resident.pid();
    assert!(resident.is_alive());
    assert_eq!(resident.pid_inside(), 2);
    host.cut_power();
    assert!(!host.is_up());
    assert!(wait_until(Duration::from_secs(5), || (!resident.is_alive()).then_some(())).is_some());
    assert!(!std::path::Path::new(&format!("/proc/{outside}")).exists());
}

#[test]
fn exit_codes_and_signals_come_through() {
    let host = Host::new("codes");
    assert_eq!(host.run("/bin/sh", &["-c", "exit 190"]).code, Some(190));
    assert_eq!(host.run("/bin/sh", &["-c", "kill -9 $$"]).signal, Some(9));
}

#[test]
fn two_machines_reach_each_other() {
    let rig = L2::new();
    rig.a.sh("ping -c 1 -W 5 10.9.0.2 >/dev/null");
    rig.b.sh("ping -c 1 -W 5 2001:db8:9::1 >/dev/null");
    assert_eq!(rig.a.only("10.9.0.1").nic, "ethA");
    assert_eq!(rig.a.only("2001:DB8:9:0::1").prefix, 64);
    rig.a.expect_absent(harness::rig::VIP4);
}

#[test]
fn a_child_that_keeps_the_output_is_noticed_and_does_not_hold_the_caller() {
    let host = Host::new("pipes");
    let began = std::time::Instant::now();
    let done = host.run("/bin/sh", &["-c", "sleep 30 & echo done"]);
    assert!(done.held_output && done.stdout == "done\n", "{done:#?}");
    let done = host.run("/bin/sh", &["-c", "sleep 30 >/dev/null 2>&1 & echo done"]);
    assert!(!done.held_output && done.stdout == "done\n", "{done:#?}");
    assert!(began.elapsed() < Duration::from_secs(20));
}
