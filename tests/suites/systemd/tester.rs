//! The testers' judgement.

use std::time::Duration;

use harness::call::executable;
use harness::enter::Entry;
use harness::process::{self, Victim};

use crate::{READY, machine, state};

#[test]
fn the_shell_tester_finds_nothing() {
    let Some(machine) = machine(&["ocf-tester", "xmllint", "su"]) else { return };
    machine.units(&[("app.service", READY)]);
    machine.sh(&format!(
        "mkdir -p -m 1755 /run/resource-agents; mkdir -m 755 /srv/native; install -m 755 {} \
         /srv/native/systemd",
        executable("systemd").display()
    ));
    let (mut command, pid) = machine.command_as("/usr/sbin/ocf-tester", Entry::default());
    command.args(["-n", "tested", "-o", "unit=app", "/srv/native/systemd"]);
    let done = process::run(&mut command, pid, Duration::from_secs(300), Victim::Process)
        .expect("it runs");
    harness::shell_tester::expect_dtd_alone(&done);
    assert_eq!(state(&machine, "app"), "inactive");
}
