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
    let mut rows: Vec<Row> = Vec::new();
    let mut counts = Vec::new();
    for (who, full, quick) in [(Who::Ours, 200, 20), (Who::Shell, 50, 5)] {
        if who.path().is_none() {
            continue;
        }
        let count = bench.rounds(full, quick);
        counts
            .push(format!("{count} of {}", if who == Who::Ours { "ours" } else { "the shell's" }));
        bench.say(&format!("{count} starts at once, {who:?}"));
        for (at, (what, unit, value)) in at_once(bench, who, count)?.into_iter().enumerate() {
            if rows.len() == at {
                rows.push(Row::new(what, unit));
            }
            rows[at].set(who, value);
        }
    }
    let title = format!("Many resources at once, IPv4 ({})", counts.join(", "));
    let finish = |row: Row| if row.is(Unit::Count) { row.at_most(0.0) } else { row };
    bench.add(Section { name: "parallel", title, rows: rows.into_iter().map(finish).collect() });
    Ok(())
}

/// A number of the table: what it is, its unit, its value.
type Number = (String, Unit, Option<f64>);

fn at_once(bench: &Bench, who: Who, count: usize) -> Result<Vec<Number>, String> {
    let rig = L2::new();
    bench.prepare(&rig.a);
    let resource = |number| Resource::new(&format!("10.9.0.{}", number + 10), 24);
    let resources: Vec<Resource> = (1..=count).map(resource).collect();
    let mut numbers = Vec::new();
    for (action, are_there) in [("start", true), ("stop", false)] {
        let programs: Vec<Program> =
            resources.iter().filter_map(|resource| resource.action(who, &rig.a, action)).collect();
        let found = spawn::run(&rig.a, &programs, Order::Together)?;
        let failed = found.runs.iter().filter(|run| run.code != 0).count();
        let seen = addresses(&rig.a);
        let misplaced =
            resources.iter().filter(|resource| seen.contains(resource.ip()) != are_there).count();
        let walls: Vec<f64> = found.runs.iter().map(|run| run.wall).collect();
        let left = if are_there { "is not there" } else { "is still there" };
        let mut add =
            |what: &str, unit, value| numbers.push((format!("{action}: {what}"), unit, value));
        add("failed", Unit::Count, Some(failed as f64));
        add(&format!("address {left}"), Unit::Count, Some(misplaced as f64));
        add("from the first's begin to the last's end", Unit::Time, Some(found.total));
        add("the same, divided by their number", Unit::Time, Some(found.total / count as f64));
        add("one of them, median", Unit::Time, median(walls.clone()));
        add("one of them, longest", Unit::Time, largest(&walls));
    }
    Ok(numbers)
}

/// What `ip` sees on the device.
fn addresses(host: &Host) -> BTreeSet<String> {
    let device = &host.ip_json(&format!("-4 address show dev {NIC}"))[0];
    let all = device["addr_info"].as_array().into_iter().flatten();
    all.filter_map(|entry| entry["local"].as_str().map(str::to_owned)).collect()
}
