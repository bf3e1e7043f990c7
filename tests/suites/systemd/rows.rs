//! The reported failures that are about the units.

use std::time::Duration;

use harness::process::wait_until;

use crate::{READY, SIMPLE, at, machine, state, unit, wait_state};

/// A start counted as done before the unit was active, which was queried two seconds later (fixed
/// in PCMK:6e70bb67c2).
#[test]
fn sd_01_a_start_lasts_until_the_unit_is_active() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("slow.service", &format!("{SIMPLE}ExecStartPre=/bin/sleep 10\n"))]);
    let agent = unit(&machine, "slow").timeout(Duration::from_secs(60));
    let started = agent.start();
    started.expect_code(0).expect_silent();
    assert!(started.elapsed >= Duration::from_secs(10), "{:?}", started.elapsed);
    agent.monitor().expect_code(0);
}

/// A unit that never leaves `deactivating` was pending for ever (PCMK#3720).
#[test]
fn sd_03_a_unit_stuck_in_deactivating_fails_in_time_with_its_state() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[(
        "stuck.service",
        &format!("{READY}ExecStop=/bin/sleep 1000\nTimeoutStopSec=infinity\n"),
    )]);
    let agent = unit(&machine, "stuck").timeout(Duration::from_secs(3));
    agent.start().expect_code(0);
    machine.sh("systemctl stop --no-block stuck");
    wait_state(&machine, "stuck", "deactivating");
    let reason = ["stuck.service is deactivating (stop)", "stop job"];
    agent.monitor().expect_code(1).expect_reason(&reason).expect_within(Duration::from_secs(3));
    agent
        .stop()
        .expect_code(1)
        .expect_reason(&["stuck.service is deactivating (stop)", "does not end"]);
    // A monitor in the middle of a restart waits for its end instead.
    machine.units(&[("brief.service", &format!("{READY}ExecStop=/bin/sleep 1\n"))]);
    let agent = unit(&machine, "brief").instance("brief");
    agent.start().expect_code(0);
    machine.sh("systemctl restart --no-block brief");
    wait_state(&machine, "brief", "deactivating");
    agent.monitor().expect_code(0).expect_silent();
}

/// A process that does nothing was shown as started: only ActiveState was looked at (pcs#215).
#[test]
fn sd_05_a_main_process_that_is_held_is_found_at_level_10() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("held.service", READY)]);
    let agent = unit(&machine, "held");
    agent.start().expect_code(0);
    at(&agent, 10).expect_code(0).expect_silent();
    let pid = machine.main_pid("held");
    machine.sh(&format!("kill -STOP {pid}"));
    agent.monitor().expect_code(0);
    at(&agent, 10).expect_code(1).expect_reason(&["held.service", &pid.to_string(), "SIGCONT"]);
    machine.sh(&format!("kill -CONT {pid}"));
    at(&agent, 10).expect_code(0);
}

/// The settings went to the wrong directory for names with a type or an instance, and those in /etc
/// took their place (PCMK:a74123bd8e, PCMK:09ef95a2ee).
#[test]
fn sd_07_the_settings_are_where_systemd_looks_and_go_with_the_stop() {
    let Some(machine) = machine(&[]) else { return };
    machine
        .units(&[("httpd.service", &format!("{READY}Restart=always\n")), ("foo@.service", READY)]);
    for (name, full) in [
        ("httpd", "httpd.service"),
        ("httpd.service", "httpd.service"),
        ("foo@bar", "foo@bar.service"),
    ] {
        let agent = unit(&machine, name);
        agent.start().expect_code(0).expect_silent();
        let file = format!("/run/systemd/system/{full}.d/50-ocf-agents.conf");
        assert_eq!(machine.property(full, "DropInPaths"), file);
        assert_eq!(machine.property(full, "Restart"), "no");
        assert_eq!(machine.property(full, "NeedDaemonReload"), "no");
        assert_eq!(machine.sh(&format!("stat -c %a:%U {file}")).trim(), "644:root");
        agent.stop().expect_code(0);
        machine.sh(&format!("! test -e /run/systemd/system/{full}.d"));
    }
    // One of the same name in /etc wins: that is reported, and nothing pretended.
    machine.write(
        "/etc/systemd/system/httpd.service.d/50-ocf-agents.conf",
        "[Service]\nRestart=always",
    );
    machine.sh("systemctl daemon-reload");
    let agent = unit(&machine, "httpd");
    agent
        .start()
        .expect_code(0)
        .expect_stderr(&["/etc/systemd/system/httpd.service.d/50-ocf-agents.conf"]);
    agent.validate_here().expect_code(0).expect_stderr(&["takes the place"]);
    agent.stop().expect_code(0);
    // Without settings, if so wanted.
    machine.sh("rm -r /etc/systemd/system/httpd.service.d; systemctl daemon-reload");
    let agent = agent.param("drop_in", "no");
    agent.start().expect_code(0);
    machine.sh("! test -e /run/systemd/system/httpd.service.d");
    agent.validate_here().expect_code(0).expect_stderr(&["Restart="]);
    agent.stop().expect_code(0);
}

/// Each start made systemd read all of its files again: a storm at boot (RA#1983, PCMK#822).
#[test]
fn sd_08_twenty_starts_of_an_unchanged_unit_make_systemd_read_its_files_once() {
    let Some(machine) = machine(&[]) else { return };
    // Something that runs knows of it, so systemd keeps it in memory.
    machine.units(&[
        ("calm.service", &format!("{READY}Restart=always\n")),
        ("holder.service", &format!("[Unit]\nAfter=calm.service\n{SIMPLE}")),
    ]);
    machine.sh("systemctl start holder");
    let agent = unit(&machine, "calm");
    let before = machine.reloads();
    for _ in 0..20 {
        agent.start().expect_code(0);
    }
    for _ in 0..5 {
        agent.stop().expect_code(0);
        agent.start().expect_code(0);
        assert_eq!(machine.property("calm", "Restart"), "no");
    }
    assert_eq!(machine.reloads() - before, 1);
    assert_eq!(machine.property("calm", "NeedDaemonReload"), "no");
    agent.stop().expect_code(0);
    // Something made systemd forget: once more, and in force again.
    machine.sh("systemctl daemon-reload");
    assert_eq!(machine.property("calm", "Restart"), "always");
    agent.start().expect_code(0);
    assert_eq!(machine.property("calm", "Restart"), "no");
    assert_eq!(machine.reloads() - before, 3);
}

/// Units, or the bus, were stopped before Pacemaker when the machine went down (PCMK#887,
/// PCMK:fc453d96ef).
#[test]
fn sd_09_when_the_machine_goes_down_pacemaker_is_first() {
    let Some(mut machine) = machine(&[]) else { return };
    // What stops reports when; the stand-in for Pacemaker takes its time over it, as the real one
    // does.
    let tells = |name: &str, time: &str| {
        format!("{READY}ExecStop=/bin/sh -c 'sleep {time}; echo {name} >>/var/log/order'\n")
    };
    machine.units(&[
        ("pacemaker.service", &tells("pacemaker", "1")),
        ("pacemaker_remote.service", &tells("remote", "1")),
        ("app.service", &tells("app", "0")),
        ("other.service", &tells("other", "0")),
    ]);
    machine.sh("systemctl start pacemaker pacemaker_remote other");
    unit(&machine, "app").start().expect_code(0);
    let order = machine.halt("/var/log/order");
    let place = |name: &str| {
        order.lines().position(|line| line == name).unwrap_or_else(|| panic!("{name}: {order}"))
    };
    assert!(place("app") > place("pacemaker") && place("app") > place("remote"), "{order}");
    assert!(
        place("other") < place("pacemaker"),
        "without the settings, the order is another one: {order}"
    );
}

/// With the order before Pacemaker in force, systemd keeps a unit's stop waiting until Pacemaker
/// has ended, which waits for the stop: what the cluster manager orders on its way down must not
/// wait for it.
#[test]
fn sd_09_a_pacemaker_that_goes_down_can_stop_its_units_first() {
    let Some(machine) = machine(&[]) else { return };
    let lasts = format!("{READY}ExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity\n");
    machine.units(&[("pacemaker.service", &lasts), ("app.service", READY)]);
    machine.sh("systemctl start pacemaker");
    let agent = unit(&machine, "app").timeout(Duration::from_secs(60));
    agent.start().expect_code(0);
    machine.sh("systemctl stop --no-block pacemaker");
    wait_state(&machine, "pacemaker", "deactivating");
    agent.stop().expect_code(0);
    assert_eq!(
        (state(&machine, "app").as_str(), state(&machine, "pacemaker").as_str()),
        ("inactive", "deactivating")
    );
    // As when the machine goes down: there is a stop already, which waits.
    machine.sh("systemctl kill --signal=KILL pacemaker");
    wait_state(&machine, "pacemaker", "failed");
    machine.sh("systemctl start pacemaker");
    agent.start().expect_code(0);
    machine.sh("systemctl stop --no-block pacemaker app");
    wait_state(&machine, "pacemaker", "deactivating");
    assert_eq!(state(&machine, "app"), "active");
    agent.stop().expect_code(0);
    assert_eq!(
        (state(&machine, "app").as_str(), state(&machine, "pacemaker").as_str()),
        ("inactive", "deactivating")
    );
}

/// `Restart=always` works against the cluster, and so does a unit that is enabled (pcs#108).
#[test]
fn sd_10_what_works_against_the_cluster_is_told_and_restart_is_off() {
    let Some(machine) = machine(&[]) else { return };
    let text =
        format!("{READY}Restart=always\nRestartSec=100ms\n[Install]\nWantedBy=multi-user.target\n");
    machine.units(&[
        ("eager.service", &text),
        ("eager.socket", "[Socket]\nListenStream=/run/eager.sock\n"),
    ]);
    let agent = unit(&machine, "eager");
    machine.sh("systemctl start eager.socket");
    agent.validate_here().expect_code(0).expect_stderr(&["eager.socket"]);
    machine.sh("systemctl stop eager.socket");
    machine.sh("systemctl enable eager");
    agent
        .validate_here()
        .expect_code(0)
        .expect_stderr(&["eager.service is enabled", "systemctl disable"]);
    agent.start().expect_code(0);
    machine.sh(&format!("kill -9 {}", machine.main_pid("eager")));
    wait_state(&machine, "eager", "failed");
    agent.monitor().expect_code(7).expect_reason(&["eager.service is failed", "SIGKILL"]);
    agent.stop().expect_code(0);
    // Without our settings systemd restarts it, and the monitor waits to see that.
    machine.sh("systemctl daemon-reload");
    let agent = agent.param("drop_in", "no");
    agent.start().expect_code(0);
    let pid = machine.main_pid("eager");
    machine.sh(&format!("kill -9 {pid}"));
    let other = wait_until(crate::SOON, || {
        agent.monitor().expect_code(0);
        (machine.property("eager", "MainPID") != pid.to_string()).then_some(())
    });
    assert!(other.is_some() && state(&machine, "eager") == "active");
}

/// A unit that the service depends on was stopped, and it was not noticed (RA#835, RA#846).
#[test]
fn sd_12_a_required_unit_that_is_stopped_is_named() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("nfs.service", READY),
        ("rpcbind.service", READY),
        ("statd@1.service", SIMPLE),
    ]);
    let agent = unit(&machine, "nfs")
        .param("required_units", "rpcbind, statd@1")
        .timeout(Duration::from_secs(3));
    agent.start().expect_code(1).expect_reason(&["required_units", "rpcbind.service is inactive"]);
    assert_eq!(state(&machine, "nfs"), "inactive");
    machine.sh("systemctl start rpcbind statd@1");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0).expect_silent();
    machine.sh("systemctl stop statd@1");
    agent
        .monitor()
        .expect_code(1)
        .expect_reason(&["required_units", "statd@1.service is inactive"]);
    // What does not run needs nothing.
    agent.stop().expect_code(0);
    agent.monitor().expect_code(7);
}
