//! A systemd, or a bus, that does not answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::SystemdBox;

use crate::{READY, machine, state, unit};

/// Does something in the machine again and again while `work` goes on.
fn meanwhile(machine: &SystemdBox, script: &str, work: impl FnOnce()) -> usize {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let disturber = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                machine.sh(script);
                count += 1;
            }
            count
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        let count = disturber.join().expect("the disturber");
        match result {
            Ok(()) => count,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// While systemd replaced itself there was no reply, and all resources were restarted (PCMK#3880,
/// PCMK#3927).
#[test]
fn sd_02_a_manager_that_replaces_itself_is_waited_for() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("steady.service", READY)]);
    let agent = unit(&machine, "steady");
    agent.start().expect_code(0);
    let pid = machine.main_pid("steady");
    // systemd 257 hears systemctl before it is on the bus again: without a moment between, a busy
    // machine leaves none in which it could answer.
    let count = meanwhile(&machine, "systemctl daemon-reexec; sleep 0.1", || {
        // Long enough for several, on a fast machine as on a busy one.
        let began = Instant::now();
        let mut monitors = 0;
        while monitors < 25 || began.elapsed() < Duration::from_secs(4) {
            agent.monitor().expect_code(0).expect_silent();
            monitors += 1;
        }
    });
    assert!(count >= 3, "only {count} times");
    assert_eq!(machine.main_pid("steady"), pid);
}

#[test]
fn starts_and_stops_survive_a_manager_that_replaces_itself() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("slow.service", &format!("{READY}ExecStartPre=/bin/sleep 0.3\n"))]);
    let agent = unit(&machine, "slow");
    // A moment between, so that systemctl, which does not ask again, can tell the state.
    meanwhile(&machine, "systemctl daemon-reexec; sleep 0.3", || {
        for _ in 0..4 {
            agent.start().expect_code(0);
            assert_eq!(state(&machine, "slow"), "active");
            agent.stop().expect_code(0);
            assert_eq!(state(&machine, "slow"), "inactive");
        }
    });
}

#[test]
fn a_bus_that_is_restarted_is_waited_for() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("steady.service", READY),
        ("slow.service", &format!("{READY}ExecStartPre=/bin/sleep 1\n")),
    ]);
    let (steady, slow) = (unit(&machine, "steady"), unit(&machine, "slow").instance("slow"));
    steady.start().expect_code(0);
    // A second between, so that systemd does not give up on it.
    meanwhile(&machine, "systemctl reset-failed dbus; systemctl restart dbus; sleep 1", || {
        for _ in 0..2 {
            slow.start().expect_code(0);
            for _ in 0..10 {
                steady.monitor().expect_code(0).expect_silent();
            }
            slow.stop().expect_code(0);
        }
    });
}

#[test]
fn a_manager_that_never_answers_is_a_doubt_in_time() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("steady.service", READY)]);
    let agent = unit(&machine, "steady").timeout(Duration::from_secs(3));
    agent.start().expect_code(0);
    // SAFETY: plain system calls; the number is that of a process that the harness has not waited
    // for.
    unsafe { libc::kill(machine.pid(), libc::SIGSTOP) };
    let monitor = agent.monitor();
    let (probe, stop) = (agent.probe(), agent.stop());
    // SAFETY: as above.
    unsafe { libc::kill(machine.pid(), libc::SIGCONT) };
    for outcome in [&monitor, &probe, &stop] {
        outcome.expect_code(1).expect_reason(&["steady.service", "systemd does not answer"]);
        outcome.expect_within(Duration::from_secs(3));
    }
    agent.timeout(Duration::from_secs(20)).monitor().expect_code(0);
}

#[test]
fn a_bus_that_is_gone_is_a_doubt_in_time() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("steady.service", READY)]);
    let agent = unit(&machine, "steady").timeout(Duration::from_secs(2));
    agent.start().expect_code(0);
    let elsewhere = agent.param("bus_address", "unix:path=/run/no-such-bus");
    for outcome in [elsewhere.monitor(), elsewhere.probe(), elsewhere.start(), elsewhere.stop()] {
        outcome.expect_code(1).expect_reason(&[
            "steady.service",
            "does not answer",
            "no connection",
        ]);
    }
    assert_eq!(state(&machine, "steady"), "active");
}

#[test]
fn a_machine_without_systemd_runs_no_units() {
    let host = harness::Host::builder("bare").tmpfs("/run").start();
    let agent = harness::agent(&host, "systemd").param("unit", "haproxy");
    agent.probe().expect_code(7).expect_reason(&["not booted with systemd"]);
    agent.start().expect_code(5);
    agent.monitor().expect_code(1);
    agent.stop().expect_code(0);
}
