//! Units of systemd: its signals wake the monitor, and a manager that replaces itself does not end
//! it.

use std::time::{Duration, Instant};

use harness::cluster::installed;
use harness::skip::skip;
use harness::{SystemdBox, agent, systemd_box};

use crate::executor::{Executor, watched};

/// How long a verdict may take, on a machine where other suites run.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn watch_1_and_6_a_unit_that_ends_is_reported_at_once_and_a_new_manager_is_no_failure() {
    if let Some(why) =
        systemd_box::missing().or((!installed("dbus-daemon")).then(|| "no dbus-daemon".to_owned()))
    {
        return skip(&why);
    }
    let machine = SystemdBox::up("box");
    machine.sh("printf '[Service]\\nExecStart=/bin/sleep infinity\\n' \
                >/run/systemd/system/one.service; systemctl daemon-reload");
    let agent = watched(agent(&machine, "systemd").instance("unit").param("unit", "one"), "30s");
    let executor = Executor::new(&machine);
    for (deed, is_reexecuted) in
        [("systemctl kill -s KILL one", true), ("systemctl stop one", false)]
    {
        let started = executor.run(&agent, "start");
        assert_eq!(started.code, 0, "{started:?}");
        let run = executor.waiting(&agent);
        if is_reexecuted {
            machine.sh("systemctl daemon-reload; systemctl daemon-reexec");
            std::thread::sleep(Duration::from_secs(1));
            run.waits();
        }
        machine.sh(deed);
        let done = Instant::now();
        let ended = run.end();
        assert!(done.elapsed() < SOON, "{deed}: {:?}: {ended:?}", done.elapsed());
        assert!([1, 7].contains(&ended.code), "{deed}: {ended:?}");
        assert!(ended.stderr.contains(" ms ago"), "{deed}: {ended:?}");
        assert_eq!(executor.run(&agent, "stop").code, 0);
    }
}
