//! The testers' judgement.

use std::time::Duration;

use harness::Host;
use harness::call::executable;
use harness::cluster::installed;
use harness::enter::Entry;
use harness::host::built_directory;
use harness::process::{self, Finished, Victim};
use harness::shell_tester;
use harness::skip::skip;
use harness::tell::tell;

use crate::life::PLAIN;
use crate::{CONF, expect_gone, expect_table, has, machine, within, write};

/// As long as a tester may take in a slow kernel on a busy machine.
const LIMIT: Duration = Duration::from_secs(1500);

/// A machine with the agent where every user can get at it.
fn prepared() -> Host {
    let host = machine("lvs01");
    host.sh(&format!(
        "cp {} /srv/ldirectord; chmod 755 /srv /srv/ldirectord",
        executable("ldirectord").display()
    ));
    write(&host, CONF, PLAIN);
    host
}

fn judge(host: &Host, program: impl AsRef<std::ffi::OsStr>, options: &[&str]) -> Finished {
    let (mut command, pid) = host.command_as(program, Entry::default());
    command.args(options).args(["-n", "tested", "/srv/ldirectord"]);
    let done = process::run(&mut command, pid, LIMIT, Victim::Process).expect("it runs");
    expect_table(host, &[]);
    expect_gone(host);
    done
}

#[test]
#[ignore = "some hundred calls take minutes in a kernel of its own"]
fn the_tester_finds_nothing() {
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm", "/usr/bin/xmllint"]) {
        return;
    }
    within(LIMIT, || {
        let done = judge(&prepared(), built_directory().join("ocf-tester"), &["--strict"]);
        assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
        let said = done.stdout;
        assert!(said.contains(" 0 failed, 0 warned, "), "{said}");
        said.lines().rev().take(2).for_each(tell);
    });
}

#[test]
#[ignore = "starts of the daemon take long in a kernel of its own"]
fn the_shell_tester_objects_to_nothing_but_its_dtd() {
    if !["ocf-tester", "xmllint", "su"].iter().all(|program| installed(program)) {
        return skip("ocf-tester, xmllint or su is not installed");
    }
    if !harness::root::has_other_users() {
        return skip("the tester needs to change to the user nobody, which takes root");
    }
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm"]) {
        return;
    }
    within(LIMIT, || {
        let host = prepared();
        host.sh("mkdir -p -m 1755 /run/resource-agents");
        shell_tester::expect_dtd_alone(&judge(&host, shell_tester::PROGRAM, &[]));
    });
}
