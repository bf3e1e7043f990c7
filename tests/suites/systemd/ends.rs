//! How starts and stops can end besides well.

use std::time::Duration;

use harness::process::wait_until;

use crate::{READY, SIMPLE, machine, state, unit, wait_state};

#[test]
fn a_service_that_dies_right_after_its_start_was_never_started() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("dies.service", "[Service]\nExecStart=/bin/sh -c 'echo wrong option; exit 3'\n"),
        ("absent.service", "[Service]\nExecStart=/no/such/program\n"),
        ("crashes.service", "[Service]\nExecStart=/bin/sh -c 'kill -SEGV $$$$'\n"),
        (
            "forks.service",
            "[Service]\nType=forking\nExecStart=/bin/sh -c 'echo no such user; exit 1'\n",
        ),
    ]);
    for (name, words) in [
        ("dies", vec!["dies.service", "exit status 3", "exit-code", "wrong option"]),
        ("absent", vec!["absent.service", "exit status 203"]),
        ("crashes", vec!["crashes.service", "SIGSEGV"]),
        ("forks", vec!["forks.service", "start job", "failed", "no such user"]),
    ] {
        // Long enough for a busy machine to get to its end.
        let agent = unit(&machine, name).param("start_settle", "5s");
        // Also where systemd would refuse to try again so soon.
        for _ in 0..(if name == "dies" { 6 } else { 1 }) {
            agent.start().expect_code(1).expect_reason(&words);
        }
        agent.monitor().expect_code(7).expect_reason(&[&format!("{name}.service is failed")]);
        agent.stop().expect_code(0);
    }
}

#[test]
fn a_program_that_runs_once_is_no_service() {
    let Some(machine) = machine(&[]) else { return };
    let once = "[Service]\nType=oneshot\nExecStart=/bin/true\n";
    machine.units(&[
        ("once.service", once),
        ("kept.service", &format!("{once}RemainAfterExit=yes\n")),
    ]);
    unit(&machine, "once")
        .start()
        .expect_code(1)
        .expect_reason(&["once.service", "RemainAfterExit"]);
    let kept = unit(&machine, "kept");
    kept.start().expect_code(0);
    crate::at(&kept, 10).expect_code(0);
    kept.stop().expect_code(0);
    kept.monitor().expect_code(7);
}

#[test]
fn conditions_assertions_and_dependencies_have_their_own_reasons() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("cond.service", &format!("[Unit]\nConditionPathExists=/no/such/file\n{SIMPLE}")),
        ("assert.service", &format!("[Unit]\nAssertPathExists=/no/such/file\n{SIMPLE}")),
        (
            "needs.service",
            &format!("[Unit]\nRequires=fails.service\nAfter=fails.service\n{SIMPLE}"),
        ),
        ("fails.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
        ("manual.service", &format!("[Unit]\nRefuseManualStart=yes\n{SIMPLE}")),
    ]);
    unit(&machine, "cond")
        .start()
        .expect_code(1)
        .expect_reason(&["cond.service", "ConditionPathExists=/no/such/file"]);
    unit(&machine, "assert").start().expect_code(1).expect_reason(&["assert.service", "assertion"]);
    unit(&machine, "needs").start().expect_code(1).expect_reason(&["needs.service", "depends on"]);
    unit(&machine, "manual").start().expect_code(5).expect_reason(&["manual.service"]);
    for name in ["cond", "assert", "needs", "manual"] {
        unit(&machine, name).monitor().expect_code(7);
        unit(&machine, name).stop().expect_code(0);
    }
}

#[test]
fn a_start_that_somebody_else_ends_says_so() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("slow.service", &format!("{SIMPLE}ExecStartPre=/bin/sleep 60\n"))]);
    std::thread::scope(|scope| {
        let start = scope.spawn(|| unit(&machine, "slow").start());
        wait_state(&machine, "slow", "activating");
        machine.sh("systemctl stop slow");
        start
            .join()
            .expect("the start")
            .expect_code(1)
            .expect_reason(&["start job of slow.service", "cancelled"]);
    });
    unit(&machine, "slow").stop().expect_code(0);
}

#[test]
fn a_start_that_takes_too_long_is_taken_back_in_time() {
    let Some(machine) = machine(&[]) else { return };
    let never = READY.replace("systemd-notify --ready; ", "");
    machine.units(&[("never.service", &format!("{never}TimeoutStartSec=infinity\n"))]);
    let agent = unit(&machine, "never");
    for agent in [
        agent.clone().timeout(Duration::from_secs(3)),
        agent.clone().param("start_timeout", "1500ms"),
    ] {
        let late = agent.start();
        late.expect_code(1).expect_reason(&[
            "never.service was not active in time",
            "our job was cancelled",
            "stopped again",
        ]);
        late.expect_within(Duration::from_secs(10));
        assert_eq!(state(&machine, "never"), "inactive");
    }
    agent.probe().expect_code(7);
}

#[test]
fn a_service_that_ignores_sigterm_is_told_or_killed() {
    let Some(machine) = machine(&[]) else { return };
    let stubborn = "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStopSec=300\n\
                    ExecStart=/bin/sh -c 'trap \"\" TERM; systemd-notify --ready; while :; do \
                    sleep 1; done'\n";
    machine.units(&[("stubborn.service", stubborn)]);
    let agent = unit(&machine, "stubborn").timeout(Duration::from_secs(3));
    agent.start().expect_code(0);
    let late = agent.stop();
    late.expect_code(1).expect_reason(&[
        "stubborn.service is deactivating",
        "stop-sigterm",
        "TimeoutStopSec",
    ]);
    // A start instead would wait for the end of the stop.
    agent
        .clone()
        .param("stop_timeout", "500ms")
        .stop()
        .expect_code(1)
        .expect_within(Duration::from_secs(2));
    agent.clone().param("stop_force", "yes").stop().expect_code(0);
    assert_eq!(state(&machine, "stubborn"), "failed");
    assert_eq!(machine.property("stubborn", "TasksCurrent"), "[not set]");
    agent.monitor().expect_code(7);
}

#[test]
fn processes_that_outlive_their_unit_are_no_clean_stop_unless_it_wants_them() {
    let Some(machine) = machine(&[]) else { return };
    let leaves = |mode: &str| {
        format!(
            "[Service]\nType=forking\nKillMode={mode}\n\
             ExecStart=/bin/sh -c 'setsid sleep 1000 & setsid sleep 2000 &'\n"
        )
    };
    machine.units(&[("wanted.service", &leaves("process"))]);
    let agent = unit(&machine, "wanted");
    agent.start().expect_code(0);
    agent.stop().expect_code(0);
    agent.monitor().expect_code(7);
    // A unit whose stop means all of it, and that systemd gives up on.
    let stays = "[Service]\nType=notify\nNotifyAccess=all\nSendSIGKILL=no\nTimeoutStopSec=1\n\
                 ExecStart=/bin/sh -c 'trap \"\" TERM; systemd-notify --ready; while :; do sleep \
                 1; done'\n";
    machine.units(&[("all.service", stays)]);
    let agent = unit(&machine, "all");
    agent.start().expect_code(0);
    let pid = machine.main_pid("all").to_string();
    agent.stop().expect_code(1).expect_reason(&["all.service", &pid, "still there"]);
    agent.monitor().expect_code(1).expect_reason(&["all.service", &pid, "still there"]);
    machine.sh(&format!("kill -9 {pid}"));
    // Its child ends a moment later.
    let gone = wait_until(crate::SOON, || (agent.stop().code == 0).then_some(()));
    assert!(gone.is_some());
    agent.monitor().expect_code(7);
}

#[test]
fn a_stop_needs_no_good_parameters() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("plain.service", SIMPLE)]);
    for (name, value) in [
        ("check_http", "nonsense"),
        ("job_mode", "wild"),
        ("drop_in", "perhaps"),
        ("stop_timeout", "soon"),
    ] {
        unit(&machine, "plain").start().expect_code(0);
        unit(&machine, "plain").param(name, value).stop().expect_code(0);
        assert_eq!(state(&machine, "plain"), "inactive");
    }
    // What can never have been started is stopped.
    unit(&machine, "plain").without("unit").stop().expect_code(0);
}

#[test]
fn a_start_killed_anywhere_leaves_what_a_stop_ends() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("slow.service", &format!("{READY}ExecStartPre=/bin/sleep 0.05\n"))]);
    let agent = unit(&machine, "slow");
    for delay in [2, 5, 10, 20, 40, 80] {
        agent.clone().kill_after(Duration::from_millis(delay)).start();
        // What is there when it was killed between the making of the file and its last name.
        machine.sh("sh -c 'cd /run/systemd/system; mkdir -p slow.service.d; \
             : >slow.service.d/.50-ocf-agents.conf.$$'");
        agent.stop().expect_code(0);
        // "failed" where the stop has ended the command that comes before the service.
        let ended = |state: &str| matches!(state, "inactive" | "failed");
        let gone = wait_until(crate::SOON, || ended(&state(&machine, "slow")).then_some(()));
        assert!(gone.is_some(), "after {delay} ms: {}", state(&machine, "slow"));
        machine.sh("! test -e /run/systemd/system/slow.service.d");
        agent.start().expect_code(0);
        agent.stop().expect_code(0);
    }
}

/// Parameters that were changed while the cluster did not look: a probe said that nothing runs, a
/// start forgot what was started with the earlier ones, and it stayed after a stop.
#[test]
fn a_unit_that_was_started_with_other_parameters_does_not_stay() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("old.service", &format!("{SIMPLE}[Install]\nAlias=alias.service\n")),
        ("new.service", SIMPLE),
    ]);
    machine.sh("systemctl enable old.service");
    let named = |name| unit(&machine, name).instance("one");
    let (old, new) = (named("old"), named("new"));
    old.start().expect_code(0);
    let words = ["old.service is active", "other parameters", "stop the resource"];
    new.probe().expect_code(1).expect_reason(&words);
    new.start().expect_code(0);
    assert_eq!((&*state(&machine, "old"), &*state(&machine, "new")), ("inactive", "active"));
    new.stop().expect_code(0);
    // Another name of the same unit.
    old.start().expect_code(0);
    let pid = machine.main_pid("old");
    named("alias").probe().expect_code(0);
    named("alias").start().expect_code(0);
    assert_eq!(machine.main_pid("old"), pid, "it was not started anew");
    named("alias").stop().expect_code(0);
    assert_eq!(state(&machine, "old"), "inactive");
}
