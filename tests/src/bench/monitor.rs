//! What a healthy monitor costs: what Pacemaker asks every few seconds, for ever.

use harness::host::Host;
use harness::rig::{L2, VIP4, VIP6};

use crate::Bench;
use crate::agents::{Program, Resource, Who};
use crate::count::{self, Counter};
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, Order, median, ratio};

/// At most so many times the floor's instructions.
pub const OVER_FLOOR: f64 = 1.3;
/// At most this part of the shell agent's instructions.
pub const OF_SHELL: f64 = 1.0 / 40.0;
/// At most this part of the shell agent's wall time.
pub const OF_SHELL_WALL: f64 = 1.0 / 15.0;
/// KiB.
pub const MEMORY: f64 = 4096.0;
/// KiB.
pub const FILE: f64 = 2048.0;

/// Both families.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    family(bench, "IPv4", Resource::new(VIP4, 24), Resource::new("10.9.0.51", 24))?;
    family(
        bench,
        "IPv6",
        Resource::new(VIP6, 64).param("nodad", "true"),
        Resource::new("2001:db8:9::51", 64).param("nodad", "true"),
    )
}

/// One family; each agent has an address that it started itself.
fn family(bench: &mut Bench, name: &str, ours: Resource, shells: Resource) -> Result<(), String> {
    bench.say(&format!("healthy monitor, {name}"));
    let rig = L2::new();
    bench.prepare(&rig.a);
    let mut programs = Vec::new();
    for who in Who::ALL {
        let resource = if who == Who::Shell { &shells } else { &ours };
        if who != Who::Floor {
            let Some(start) = resource.action(who, &rig.a, "start") else { continue };
            spawn::once(&rig.a, start)?;
        }
        programs.extend(resource.monitor(who, &rig.a));
    }
    // The announcements of the starts are sent in the background; they must not be measured.
    bench.settle();
    let mut rows = Vec::new();
    rows.extend(instructions(bench, &rig.a, &programs, (OVER_FLOOR, OF_SHELL)));
    rows.extend(calls(bench, &rig.a, &programs));
    let turns = spawn::run(&rig.a, &programs, Order::Turns(bench.rounds(200, 10)))?;
    let of = |who: Who| programs.iter().position(|program| program.who == who);
    for (number, program) in programs.iter().enumerate() {
        match turns.wrong(number, 0) {
            0 => {}
            wrong => {
                return Err(format!(
                    "{:?}: {wrong} monitors of a healthy address did not say so",
                    program.who
                ));
            }
        }
    }
    let mut faults = Row::new("page faults", Unit::Count);
    let mut cpu = Row::new("processor time (user + kernel), median", Unit::Time);
    let mut wall = Row::new("wall time, median", Unit::Time);
    for (number, program) in programs.iter().enumerate() {
        faults.set(program.who, median(turns.of(number, |run| run.faults)));
        cpu.set(program.who, median(turns.of(number, |run| run.cpu)));
        wall.set(program.who, median(turns.of(number, |run| run.wall)));
    }
    let walls = |who| of(who).map(|number| turns.of(number, |run| run.wall));
    let against = |who| ratio(&walls(Who::Ours)?, &walls(who)?);
    rows.push(faults);
    rows.push(cpu.compare(Who::Floor, None).compare(Who::Shell, None));
    rows.push(
        wall.at_most_times(OF_SHELL_WALL, Who::Shell, against(Who::Shell))
            .compare(Who::Floor, against(Who::Floor)),
    );
    rows.push(memory(&rig.a, &programs, bench.rounds(10, 3), Some(MEMORY))?);
    let mut size = Row::new("file", Unit::Memory);
    for program in &programs {
        size.set(
            program.who,
            std::fs::metadata(&program.path).ok().map(|file| file.len() as f64 / 1024.0),
        );
    }
    rows.push(size.at_most(FILE));
    bench.add(Section { name: "monitor", title: format!("Healthy monitor, {name}"), rows });
    Ok(())
}

/// The instructions of each, with what ours may have at most: times the floor's, and part of the
/// shell's.
pub fn instructions(
    bench: &mut Bench,
    host: &Host,
    programs: &[Program],
    (over_floor, of_shell): (f64, f64),
) -> Option<Row> {
    let counter = bench.counter(host, programs.last()?)?;
    let mut row = Row::new(counter.name(), Unit::Count);
    for program in programs {
        if program.who == Who::Shell && counter == Counter::Callgrind && bench.quick {
            bench.not_measured(
                "instructions of the shell agent: callgrind takes long for it (--quick)",
            );
            continue;
        }
        match counter.count(host, program) {
            Ok(count) => row.set(program.who, count),
            Err(why) => bench.not_measured(&why),
        }
    }
    Some(row.at_most_times(over_floor, Who::Floor, None).at_most_times(of_shell, Who::Shell, None))
}

/// What each asks of the kernel.
pub fn calls(bench: &mut Bench, host: &Host, programs: &[Program]) -> Vec<Row> {
    let mut calls = Row::new("system calls", Unit::Count);
    let mut children = Row::new("processes and threads started", Unit::Count);
    let mut others = Row::new("programs run by it", Unit::Count);
    for program in programs {
        match count::calls(host, program) {
            Ok(found) => {
                calls.set(program.who, found.calls);
                children.set(program.who, found.children);
                others.set(program.who, found.programs);
            }
            Err(why) => {
                bench.not_measured(&why);
                return Vec::new();
            }
        }
    }
    vec![calls, children.at_most(0.0), others.at_most(0.0)]
}

/// Processor and wall time of each, in turns; an error when one of them does not say that all is
/// well.
pub fn times(host: &Host, programs: &[Program], rounds: usize) -> Result<[Row; 2], String> {
    let turns = spawn::run(host, programs, Order::Turns(rounds))?;
    let mut cpu = Row::new("processor time (user + kernel), median", Unit::Time);
    let mut wall = Row::new("wall time, median", Unit::Time);
    for (number, program) in programs.iter().enumerate() {
        if turns.wrong(number, 0) > 0 {
            return Err(format!(
                "{}: a monitor of what is healthy did not say so",
                program.path.display()
            ));
        }
        cpu.set(program.who, median(turns.of(number, |run| run.cpu)));
        wall.set(program.who, median(turns.of(number, |run| run.wall)));
    }
    let walls = |who: Who| {
        let number = programs.iter().position(|program| program.who == who)?;
        Some(turns.of(number, |run| run.wall))
    };
    let against = |who| ratio(&walls(Who::Ours)?, &walls(who)?);
    Ok([
        cpu.compare(Who::Floor, None).compare(Who::Shell, None),
        wall.compare(Who::Floor, against(Who::Floor)).compare(Who::Shell, against(Who::Shell)),
    ])
}

/// The largest process of each, and of a program that does nothing: what is not above that cannot
/// be measured.
pub fn memory(
    host: &Host,
    programs: &[Program],
    rounds: usize,
    limit: Option<f64>,
) -> Result<Row, String> {
    let mut all = programs.to_vec();
    let nothing = std::path::PathBuf::from("/bin/true");
    all.push(Program { who: Who::Floor, path: nothing, args: Vec::new(), env: Vec::new() });
    let found = spawn::run(host, &all, Order::Memory(rounds))?;
    let mut row = Row::new("largest process, resident", Unit::Memory);
    for (number, program) in programs.iter().enumerate() {
        row.set(program.who, median(found.of(number, |run| run.rss)));
    }
    let least = median(found.of(programs.len(), |run| run.rss)).unwrap_or_default();
    let row = limit.into_iter().fold(row, Row::at_most);
    Ok(row.note(&format!("/bin/true {least:.0} KiB")))
}
