//! What is said of a unit: what systemd knows of its last run, and what would work against the
//! cluster.

use std::time::Duration;

use crate::{READY, SIMPLE, at, machine, state, unit, wait_state};

/// A main process that ended by itself was taken for a stop by hand.
#[test]
fn sd_f1_who_ended_a_unit_is_said() {
    let Some(machine) = machine(&[]) else { return };
    let short = "[Service]\nExecStart=/bin/sleep 3\n";
    machine.units(&[
        ("short.service", short),
        ("needed.service", short),
        ("steady.service", READY),
    ]);
    machine.units(&[("needs.service", &format!("[Unit]\nAfter=needed.service\n{READY}"))]);
    // What another unit names, systemd remembers; of another one only the journal has it.
    machine.sh("systemctl start needs");
    for (name, said) in
        [("needed", "ended by itself with exit status 0"), ("short", "Deactivated successfully")]
    {
        let short = unit(&machine, name);
        short.start().expect_code(0);
        wait_state(&machine, name, "inactive");
        short.monitor().expect_code(7).expect_reason(&[&format!("{name}.service"), said]);
        short.stop().expect_code(0);
    }
    let steady = unit(&machine, "steady");
    steady.start().expect_code(0);
    machine.sh("systemctl stop steady");
    steady
        .monitor()
        .expect_code(7)
        .expect_reason(&["steady.service", "was stopped outside the cluster"]);
}

/// The reason of a start that never came to its program quoted what an earlier run had written.
#[test]
fn sd_f2_only_lines_of_this_run_are_quoted() {
    let Some(machine) = machine(&[]) else { return };
    let script = |program: &str| {
        format!("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={program}\n")
    };
    machine.units(&[("app.service", &script("/bin/sh -c 'echo words of an earlier run'"))]);
    let agent = unit(&machine, "app");
    agent.start().expect_code(0);
    agent.stop().expect_code(0);
    machine.units(&[("app.service", &script("/no/such/program"))]);
    machine.sh("systemctl daemon-reload");
    let failed = agent.start();
    failed.expect_code(1).expect_reason(&["app.service", "exit status 203", "Failed at step EXEC"]);
    assert!(!failed.stderr.contains("earlier run"), "{failed}");
}

/// A required unit that is not installed was waited for, and then its start advised.
#[test]
fn sd_f3_a_required_unit_that_is_not_installed_is_said_at_once() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("nfs.service", READY)]);
    let agent = unit(&machine, "nfs").param("required_units", "rpcbind-of-another-name");
    let words = ["required_units", "rpcbind-of-another-name.service is not installed"];
    agent.start().expect_code(5).expect_reason(&words).expect_within(Duration::from_secs(10));
    agent.validate_here().expect_code(5).expect_reason(&words);
    assert_eq!(state(&machine, "nfs"), "inactive");
    machine.sh("systemctl start nfs");
    agent.monitor().expect_code(1).expect_reason(&words);
    agent.stop().expect_code(0);
}

#[test]
fn sd_f4_what_starts_a_unit_again_is_named() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("kept.service", &format!("[Unit]\nStopWhenUnneeded=no\n{READY}")),
        ("keeper.target", "[Unit]\nUpholds=kept.service\n"),
        ("manual.service", &format!("[Unit]\nRefuseManualStop=yes\n{READY}")),
        (
            "hidden.service",
            "[Service]\nType=forking\nRemainAfterExit=yes\nExecStart=/bin/sh -c '/bin/sleep 2 &'\n",
        ),
    ]);
    machine.sh("systemctl start keeper.target");
    let kept = unit(&machine, "kept");
    kept.start().expect_code(0);
    kept.validate_here().expect_code(0).expect_stderr(&["keeper.target (Upholds=)"]);

    let manual = unit(&machine, "manual").instance("manual");
    manual
        .validate_here()
        .expect_code(5)
        .expect_reason(&["manual.service", "RefuseManualStop=yes"]);
    manual.start().expect_code(5).expect_reason(&["manual.service", "RefuseManualStop=yes"]);
    assert_eq!(state(&machine, "manual"), "inactive");
    machine.sh("systemctl start manual");
    manual
        .stop()
        .expect_code(1)
        .expect_reason(&["manual.service cannot be stopped by itself", "RefuseManualStop=yes"]);

    let hidden = unit(&machine, "hidden").instance("hidden");
    hidden.start().expect_code(0);
    at(&hidden, 10).expect_code(0);
    let ended = || machine.property("hidden", "SubState") == "exited";
    assert!(harness::process::wait_until(crate::SOON, || ended().then_some(())).is_some());
    at(&hidden, 10).expect_code(190).expect_reason(&[
        "hidden.service",
        "no process",
        "RemainAfterExit=yes",
    ]);
    hidden.monitor().expect_code(0);
    hidden.validate_here().expect_code(0).expect_stderr(&["RemainAfterExit=yes"]);
    hidden.stop().expect_code(0);
}

/// The stop's job was done, and the stop said 0 in the moment before the unit was started again.
#[test]
fn sd_f4_a_stop_fails_while_others_start_the_unit_again_and_says_which() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("watched.service", READY),
        ("watched.path", "[Path]\nPathExists=/run/watched\n"),
        ("kept.service", READY),
        ("keeper.target", "[Unit]\nUpholds=kept.service\n"),
        ("called.service", "[Service]\nExecStart=/bin/sleep infinity\n"),
        ("called.socket", "[Socket]\nListenStream=/run/called.sock\n"),
    ]);
    machine.sh("touch /run/watched");
    for (name, starter, word) in [
        ("watched", "watched.path", "watched.path"),
        ("kept", "keeper.target", "keeper.target (Upholds=)"),
        ("called", "called.socket", "called.socket"),
    ] {
        machine.sh(&format!("systemctl start {starter}"));
        // A client that is never answered keeps the socket ready to be read.
        let client = (name == "called").then(|| {
            let talk = "import socket, time; s = socket.socket(socket.AF_UNIX); \
                        s.connect('/run/called.sock'); time.sleep(600)";
            machine.spawn("python3", &["-c", talk])
        });
        wait_state(&machine, name, "active");
        let agent = unit(&machine, name);
        agent.validate_here().expect_code(0).expect_stderr(&[word]);
        agent.start().expect_code(0);
        for _ in 0..3 {
            agent.stop().expect_code(1).expect_reason(&[&format!("{name}.service"), word, "again"]);
        }
        wait_state(&machine, name, "active");
        drop(client);
        machine.sh(&format!("systemctl stop {starter}"));
        agent.stop().expect_code(0);
        assert_eq!(state(&machine, name), "inactive", "{name}");
    }
}

/// systemd restarted the unit behind the cluster's back, and only a start wrote that into the log.
#[test]
fn sd_10_settings_that_override_ours_are_named_by_validate() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("eager.service", READY)]);
    machine.sh("mkdir /etc/systemd/system/eager.service.d");
    machine.write(
        "/etc/systemd/system/eager.service.d/90-restart.conf",
        "[Service]\nRestart=always\nRestartSec=100ms\n",
    );
    machine.sh("systemctl daemon-reload");
    let agent = unit(&machine, "eager");
    agent.validate_here().expect_code(0).expect_stderr(&["90-restart.conf sets Restart="]);
    agent.start().expect_code(0).expect_stderr(&["override Restart=no"]);
    agent.validate_here().expect_code(0).expect_stderr(&["90-restart.conf sets Restart="]);
    agent.stop().expect_code(0);
    assert_eq!(state(&machine, "eager"), "inactive");
}

/// The time of the start was over, and the check went on to the end of the operation; the unit
/// stayed active.
#[test]
fn wt_3_a_check_ends_with_the_time_of_the_start_and_the_unit_is_stopped_again() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("steady.service", READY)]);
    let agent = unit(&machine, "steady")
        .param("check_command", "/bin/sleep 100")
        .param("start_timeout", "2s");
    let start = agent.timeout(Duration::from_secs(10)).start();
    start.expect_code(1).expect_reason(&["check_command", "did not end in time", "stopped again"]);
    start.expect_within(Duration::from_secs(5));
    assert_eq!(state(&machine, "steady"), "inactive");
}

/// A probe with a faulty parameter said "not running" while the unit ran.
#[test]
fn an_1_a_probe_with_a_faulty_parameter_looks_for_the_unit() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("plain.service", SIMPLE)]);
    let faulty = unit(&machine, "plain").param("start_timeout", "soon");
    faulty.probe().expect_code(7).expect_reason(&["start_timeout"]);
    machine.sh("systemctl start plain");
    faulty.probe().expect_code(0).expect_stderr(&["start_timeout"]);
    unit(&machine, "../x").probe().expect_code(7);
}
