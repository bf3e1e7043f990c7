//! A node takes over everything at once.

use std::collections::BTreeSet;

use harness::host::Host;
use harness::rig::L2;

use crate::Bench;
use crate::agents::{NIC, Program, Resource, Who};
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, Order, largest, median};

/// Starts and stops of many resources at the same time.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    let mut rows = Vec::new();
    for (who, full, quick) in [(Who::Ours, 200, 20), (Who::Shell, 50, 5)] {
        if who.path().is_none() {
            continue;
        }
        let count = bench.rounds(full, quick);
        bench.say(&format!("{count} starts at once, {who:?}"));
        let rig = L2::new();
        bench.prepare(&rig.a);
        let resources: Vec<Resource> =
            (1..=count).map(|number| Resource::new(&format!("10.9.0.{}", number + 10), 24)).collect();
        for (action, are_there) in [("start", true), ("stop", false)] {
            let programs: Vec<Program> =
                resources.iter().filter_map(|resource| resource.action(who, &rig.a, action)).collect();
            let found = spawn::run(&rig.a, &programs, Order::Together)?;
            let failed = found.runs.iter().filter(|run| run.code != 0).count();
            let seen = addresses(&rig.a);
            let misplaced = resources.iter().filter(|resource| seen.contains(resource.ip()) != are_there).count();
            let walls: Vec<f64> = found.runs.iter().map(|run| run.wall).collect();
            let mut failures =
                Row::new(format!("{count} {action}s at once: failed"), Unit::Count).with(who, failed as f64);
            let left = if are_there { "address not there" } else { "address still there" };
            let mut wrong =
                Row::new(format!("{count} {action}s at once: {left}"), Unit::Count).with(who, misplaced as f64);
            if who == Who::Ours {
                (failures, wrong) = (failures.at_most(0.0), wrong.at_most(0.0));
            }
            let each = found.total / count as f64;
            rows.extend([
                failures,
                wrong,
                Row::new(format!("{count} {action}s at once: first start to last end"), Unit::Time)
                    .with(who, found.total),
                Row::new(format!("{count} {action}s at once: total for each"), Unit::Time).with(who, each),
                Row::new(format!("{count} {action}s at once: one of them, median"), Unit::Time)
                    .with(who, median(walls.clone())),
                Row::new(format!("{count} {action}s at once: one of them, longest"), Unit::Time)
                    .with(who, largest(&walls)),
            ]);
        }
    }
    bench.add(Section { name: "parallel", title: "Many resources at once, IPv4".into(), rows });
    Ok(())
}

/// What `ip` sees on the device.
fn addresses(host: &Host) -> BTreeSet<String> {
    let device = &host.ip_json(&format!("-4 address show dev {NIC}"))[0];
    let all = device["addr_info"].as_array().into_iter().flatten();
    all.filter_map(|entry| entry["local"].as_str().map(str::to_owned)).collect()
}
