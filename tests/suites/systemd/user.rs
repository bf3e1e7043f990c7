//! `systemd --user` instead of the system's manager: another bus, and other directories.

use harness::skip::skip;
use harness::{UserSystemd, agent, systemd_box, user_systemd};

use crate::{READY, SIMPLE};

#[test]
fn another_manager_is_found_by_its_address_and_settings_go_to_its_own_directory() {
    if let Some(reason) = systemd_box::missing() {
        return skip(&reason);
    }
    let machine = UserSystemd::up(&[
        ("app.service", &format!("{READY}Restart=always\n")),
        ("task@.service", SIMPLE),
    ]);
    let by_parameter =
        agent(&machine, "systemd").param("unit", "app").param("bus_address", user_systemd::BUS);
    let by_environment = agent(&machine, "systemd")
        .param("unit", "task@1")
        .env("DBUS_SYSTEM_BUS_ADDRESS", user_systemd::BUS);
    for (agent, unit, file) in [
        (
            by_parameter,
            "app.service",
            "/run/user-systemd/systemd/user/app.service.d/50-ocf-agents.conf",
        ),
        (
            by_environment,
            "task@1.service",
            "/run/user-systemd/systemd/user/task@1.service.d/50-ocf-agents.conf",
        ),
    ] {
        agent.probe().expect_code(7);
        agent.start().expect_code(0).expect_silent();
        assert_eq!(machine.systemctl(&format!("is-active {unit}")).trim(), "active");
        assert_eq!(machine.systemctl(&format!("show --value -p DropInPaths {unit}")).trim(), file);
        assert_eq!(machine.systemctl(&format!("show --value -p Restart {unit}")).trim(), "no");
        agent.clone().env("OCF_CHECK_LEVEL", "10").monitor().expect_code(0).expect_silent();
        machine.systemctl("daemon-reexec");
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0).expect_silent();
        machine.sh(&format!("! test -e {file}"));
        agent.monitor().expect_code(7);
    }
}
