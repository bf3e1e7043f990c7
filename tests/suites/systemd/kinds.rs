//! Names and types of units.

use crate::{SIMPLE, at, machine, state, unit};

#[test]
fn templates_are_found_by_either_way_of_naming_an_instance() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("work@.service", "[Service]\nExecStart=/bin/sleep infinity\n")]);
    for (name, instance, full) in [
        ("work@1", None, "work@1.service"),
        ("work@2.service", None, "work@2.service"),
        ("work@", Some("3"), "work@3.service"),
        ("work", Some("4"), "work@4.service"),
        ("work@.service", Some("/5"), "work@-5.service"),
    ] {
        let mut agent = unit(&machine, name);
        if let Some(instance) = instance {
            agent = agent.param("instance", instance);
        }
        agent.start().expect_code(0).expect_silent();
        assert_eq!(state(&machine, full), "active", "{full}");
        machine.sh(&format!("test -f '/run/systemd/system/{full}.d/50-ocf-agents.conf'"));
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        assert_eq!(state(&machine, full), "inactive", "{full}");
    }
    unit(&machine, "work@").start().expect_code(6).expect_reason(&["template", "instance"]);
}

#[test]
fn an_alias_leads_to_the_unit_itself() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("real.service", SIMPLE)]);
    machine.sh("ln -s real.service /etc/systemd/system/other.service; systemctl daemon-reload");
    let (alias, real) = (unit(&machine, "other"), unit(&machine, "real"));
    alias.start().expect_code(0).expect_silent();
    real.monitor().expect_code(0);
    machine.sh("test -f /run/systemd/system/real.service.d/50-ocf-agents.conf");
    machine.sh("! test -e /run/systemd/system/other.service.d");
    real.stop().expect_code(0);
    alias.monitor().expect_code(7);
    machine.sh("! test -e /run/systemd/system/real.service.d");
}

#[test]
fn sockets_timers_mounts_and_targets_are_units_too() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[
        ("echo.socket", "[Socket]\nListenStream=127.0.0.1:7777\nAccept=yes\n"),
        ("echo@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n"),
        ("later.timer", "[Timer]\nOnActiveSec=1h\n"),
        ("later.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
        ("srv-data.mount", "[Mount]\nWhat=tmpfs\nWhere=/srv/data\nType=tmpfs\n"),
        ("group.target", "[Unit]\nWants=later.timer\n"),
        ("changed.path", "[Path]\nPathExists=/run/never\nUnit=later.service\n"),
    ]);
    for (name, sight) in [
        ("echo.socket", "ss -Htln | grep -q 127.0.0.1:7777"),
        ("later.timer", "true"),
        ("srv-data.mount", "mountpoint -q /srv/data"),
        ("group.target", "systemctl is-active -q later.timer"),
        ("changed.path", "true"),
    ] {
        let agent = unit(&machine, name);
        agent.probe().expect_code(7);
        agent.start().expect_code(0).expect_silent();
        machine.sh(sight);
        assert_eq!(state(&machine, name), "active", "{name}");
        let before = machine.property(name, "Before");
        assert!(
            before.contains("pacemaker.service") && before.contains("pacemaker_remote.service"),
            "{name}: {before}"
        );
        at(&agent, 10).expect_code(0).expect_silent();
        agent.stop().expect_code(0).expect_silent();
        assert_eq!(state(&machine, name), "inactive", "{name}");
        agent.monitor().expect_code(7);
    }
    machine.sh("! mountpoint -q /srv/data; ! ss -Htln | grep -q 7777");
}

#[test]
fn a_mount_that_cannot_be_fails_with_its_result() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[(
        "srv-none.mount",
        "[Mount]\nWhat=/dev/no-such-disk\nWhere=/srv/none\nType=ext4\nOptions=nofail\n",
    )]);
    machine.sh("mkdir -p /srv/none");
    let agent = unit(&machine, "srv-none.mount").timeout(std::time::Duration::from_secs(15));
    agent.start().expect_code(1).expect_reason(&["srv-none.mount"]);
    agent.stop().expect_code(0);
}

#[test]
fn names_that_are_none_are_refused_before_anything_is_touched() {
    let Some(machine) = machine(&[]) else { return };
    for bad in [
        "../../etc/passwd",
        "/etc/systemd/system/x.service",
        "a b",
        "sda.device",
        "",
        ".service",
        "x;reboot",
    ] {
        let agent = unit(&machine, bad);
        agent.start().expect_code(6).expect_reason(&["unit"]);
        agent.validate().expect_code(6);
        agent.stop().expect_code(0);
    }
    machine.sh("test -z \"$(ls /run/systemd/system)\"");
}

#[test]
fn a_unit_that_is_not_there_is_not_installed() {
    let Some(machine) = machine(&[]) else { return };
    let agent = unit(&machine, "nowhere");
    agent.probe().expect_code(7);
    agent.start().expect_code(5).expect_reason(&["nowhere.service", "not installed"]);
    agent.validate_here().expect_code(5);
    agent.stop().expect_code(0);
    agent.validate().expect_code(0);
    machine.units(&[("bad.service", "[Service]\nType=nonsense\n")]);
    let agent = unit(&machine, "bad");
    agent.start().expect_code(5).expect_reason(&["bad.service", "faulty unit file"]);
    agent.stop().expect_code(0);
    machine.units(&[("masked.service", SIMPLE)]);
    machine.sh("rm /etc/systemd/system/masked.service; systemctl mask masked");
    let agent = unit(&machine, "masked");
    agent.probe().expect_code(7);
    agent.start().expect_code(5).expect_reason(&["masked.service is masked", "unmask"]);
    agent.validate_here().expect_code(0).expect_stderr(&["masked"]);
    agent.stop().expect_code(0);
}

#[test]
fn a_scope_is_watched_and_stopped_and_ordered_but_not_started() {
    let Some(machine) = machine(&["systemd-run"]) else { return };
    let _inside = machine.spawn("systemd-run", &["--scope", "--unit=guest", "sleep", "infinity"]);
    crate::wait_state(&machine, "guest.scope", "active");
    let agent = unit(&machine, "guest.scope");
    agent.start().expect_code(0).expect_silent();
    assert!(machine.property("guest.scope", "Before").contains("pacemaker.service"));
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    agent.monitor().expect_code(7);
    agent.start().expect_code_in(&[1, 5]).expect_reason(&["guest.scope"]);
}
