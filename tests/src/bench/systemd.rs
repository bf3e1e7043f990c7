//! The agent of units of systemd: a healthy monitor beside one question over D-Bus, and how soon a
//! start is over.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use harness::host::built_directory;
use harness::{UserSystemd, systemd_box, user_systemd};
use ocf_tester::environment::{self, Operation};

use crate::Bench;
use crate::agents::{Program, Who};
use crate::monitor;
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, median};

/// At most so many times the floor's instructions. There is no shell agent beside it.
const INSTRUCTIONS: (f64, f64) = (2.5, 1.0);
/// Nanoseconds from the unit's active state to the end of the start.
const AFTER: f64 = 30e6;

/// A service that notifies systemd when it is ready, and one of which systemd knows only that it
/// was begun.
const UNITS: [(&str, &str); 2] = [
    (
        "notifies.service",
        "[Service]\nType=notify\nNotifyAccess=all\n\
         ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'",
    ),
    ("plain.service", "[Service]\nExecStart=/bin/sleep infinity"),
];

/// All of it, with `systemd --user` on a bus of its own in the place of the system's.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    if let Some(reason) = systemd_box::missing() {
        bench.not_measured(&format!("systemd: {reason}"));
        return Ok(());
    }
    bench.say("units of systemd");
    let host = UserSystemd::up(&UNITS);
    spawn::once(&host, action("notifies", "start", "0"))?;
    for depth in ["0", "10"] {
        let programs = [action("notifies", "monitor", depth), floor("notifies")];
        let mut rows = Vec::new();
        rows.extend(monitor::instructions(bench, &host, &programs, INSTRUCTIONS));
        rows.extend(monitor::calls(bench, &host, &programs));
        rows.extend(monitor::times(&host, &programs, bench.rounds(100, 10))?);
        rows.push(monitor::memory(&host, &programs, bench.rounds(10, 3), None)?);
        let mut size = Row::new("file", Unit::Memory);
        for program in &programs {
            size.set(
                program.who,
                std::fs::metadata(&program.path).ok().map(|file| file.len() as f64 / 1024.0),
            );
        }
        rows.push(size);
        bench.add(Section {
            name: "systemd",
            title: format!("Healthy monitor of a unit, depth {depth}"),
            rows,
        });
    }
    starts(bench, &host)
}

/// How long after the unit's active state a start ends.
fn starts(bench: &mut Bench, host: &UserSystemd) -> Result<(), String> {
    let mut rows = Vec::new();
    for (unit, what) in [
        ("notifies", "start: its end after the active state, Type=notify"),
        ("plain", "the same, Type=simple"),
    ] {
        let (mut after, mut stops) = (Vec::new(), Vec::new());
        for _ in 0..bench.rounds(20, 3) {
            let _ = spawn::once(host, action(unit, "stop", "0"))?;
            let ended = spawn::once(host, action(unit, "start", "0"))?.ended;
            let ended = ended.duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
            let active = Duration::from_micros(active_since(host, unit)?);
            after.push(ended.as_nanos() as f64 - active.as_nanos() as f64);
            stops.push(spawn::once(host, action(unit, "stop", "0"))?.wall);
        }
        rows.push(Row::new(what, Unit::Time).with(Who::Ours, median(after)).at_most(AFTER));
        rows.push(Row::new(format!("stop, {unit}"), Unit::Time).with(Who::Ours, median(stops)));
    }
    bench.add(Section { name: "systemd", title: "Start and stop of a unit".into(), rows });
    Ok(())
}

/// When systemd says that the unit became active, in microseconds since 1970.
fn active_since(host: &UserSystemd, unit: &str) -> Result<u64, String> {
    let (address, object) = (format!("--address={}", user_systemd::BUS), object(unit));
    let words = [
        &address,
        "get-property",
        "org.freedesktop.systemd1",
        &object,
        "org.freedesktop.systemd1.Unit",
    ];
    let said = host.run("busctl", &[&words[..], &["ActiveEnterTimestamp"]].concat()).stdout;
    let number = said.trim().strip_prefix("t ").and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("busctl said {said:?}"))
}

fn object(unit: &str) -> String {
    format!("/org/freedesktop/systemd1/unit/{unit}_2eservice")
}

fn action(unit: &str, action: &str, depth: &str) -> Program {
    let resource = environment::Resource {
        instance: unit.into(),
        kind: "systemd".into(),
        provider: "bench".into(),
        root: "/usr/lib/ocf".into(),
        node: "user".into(),
        parameters: [("unit".into(), unit.into())].into_iter().collect(),
    };
    let interval = (action == "monitor").then_some("10000");
    let all = environment::of(
        &resource,
        &Operation { action, timeout: Duration::from_secs(40), interval, level: Some(depth) },
    );
    let text = |value: &std::ffi::OsString| value.to_string_lossy().into_owned();
    let mut env: Vec<(String, String)> =
        all.iter().map(|(name, value)| (text(name), text(value))).collect();
    env.push(bus());
    Program {
        who: Who::Ours,
        path: built_directory().join("systemd"),
        args: vec![action.to_owned()],
        env,
    }
}

fn floor(unit: &str) -> Program {
    let env = action(unit, "monitor", "0").env;
    let path: PathBuf = built_directory().join("ocf-bench-floor-dbus");
    Program { who: Who::Floor, path, args: vec![object(unit)], env }
}

fn bus() -> (String, String) {
    ("DBUS_SYSTEM_BUS_ADDRESS".into(), user_systemd::BUS.into())
}
