//! `--explain`: what start and monitor go by.

use crate::{READY, SIMPLE, machine, unit};

#[test]
fn an_explanation_says_what_was_found_and_what_a_start_would_do() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("ready.service", READY),
        ("other.service", &format!("{SIMPLE}Restart=always\nRemainAfterExit=yes\n")),
    ]);
    let agent = unit(&machine, "ready")
        .param("required_units", "other")
        .param("check_tcp", "127.0.0.1:8085");
    let stopped = agent.explain();
    stopped.expect_code(0).expect_lines(&[
        "unit: ready.service (unit, and instance)",
        "state: ready.service is inactive (dead) (loaded)",
        "unit file: static",
        "type: notify (it notifies systemd when it is ready)",
        "required unit: other.service is inactive (dead)",
        "level 10 requests: port 8085 of 127.0.0.1 (check_tcp)",
        "settings for the cluster: /run/systemd/system (drop_in: a start writes them)",
        "start: orders ready.service from systemd (job mode replace)",
    ]);
    assert!(
        stopped.stdout.contains("version: systemd ")
            && stopped.stdout.contains("monitor: not running"),
        "{stopped}"
    );
    assert_eq!(crate::state(&machine, "ready"), "inactive");
    machine.sh("! ls -d /run/systemd/system/ready.service.d");
    let agent = unit(&machine, "ready");
    agent.start().expect_code(0);
    let number = machine.property("ready", "MainPID");
    agent.explain().expect_code(0).expect_lines(&[
        "state: ready.service is active (running) (loaded)",
        &format!("process: {number}"),
        "monitor: running",
        "start: does nothing but the checks (the unit is active)",
    ]);
    let other = unit(&machine, "other").param("drop_in", "no").explain();
    other.expect_code(0);
    assert!(other.stdout.contains("warning: other.service has Restart="), "{other}");
    let absent = unit(&machine, "absent").explain();
    absent.expect_code(5).expect_reason(&["absent.service", "not installed"]);
    absent.expect_lines(&["state: absent.service is inactive (dead) (not-found)"]);
}
