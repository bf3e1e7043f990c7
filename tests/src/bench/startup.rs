//! What it costs to start: the portable programs beside those of this build and of an earlier one,
//! beside the shell agents, and beside a program that does nothing but exit.
//!
//! A healthy monitor is mostly start: the kernel's exec, a loader, page faults. The programs run in
//! random order, so that each begins with the caches that the others have left, as it does on a
//! node.

use std::path::{Path, PathBuf};

use harness::host::{Host, built_directory};
use harness::rig::{L2, VIP4};

use crate::Bench;
use crate::agents::{Program, Resource, Who};
use crate::count;
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, Order, median, ratio};
use crate::web;

/// At most so many times the wall time of a program that does nothing, for IPaddr2.
const OVER_NOTHING: f64 = 2.5;
/// At most this part of the shell IPaddr2's wall time.
const OF_SHELL: f64 = 1.0 / 75.0;
/// At most this part of the wall time of a build for this machine's C library, for nginx at level
/// 0: of the earlier build, where there is one.
const OF_BUILD: f64 = 0.55;

/// Where `make portable` puts programs, beside those of `make build`.
fn portable(name: &str) -> Option<PathBuf> {
    let target = format!("{}-unknown-linux-musl/portable", std::env::consts::ARCH);
    let path = built_directory().parent()?.join(target).join(name);
    path.is_file().then_some(path)
}

/// IPaddr2, then nginx at both of its levels.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    let scratch = tempfile::tempdir().map_err(|error| format!("temporary directory: {error}"))?;
    let nothing = scratch.path().join("nothing");
    harness::nothing::write(&nothing, "")
        .map_err(|error| format!("a program that does nothing: {error}"))?;
    bench.say("start-up, IPaddr2");
    let rig = L2::new();
    bench.prepare(&rig.a);
    let (ours, shells) = (Resource::new(VIP4, 24), Resource::new("10.9.0.51", 24));
    let mut programs = Vec::new();
    for (who, resource) in [(Who::Ours, &ours), (Who::Shell, &shells)] {
        if let (Some(start), Some(monitor)) =
            (resource.action(who, &rig.a, "start"), resource.monitor(who, &rig.a))
        {
            spawn::once(&rig.a, start)?;
            programs.push(monitor);
        }
    }
    bench.settle();
    let goals =
        Goals { over_nothing: Some(OVER_NOTHING), of_shell: Some(OF_SHELL), of_build: None };
    compare(bench, &rig.a, "IPaddr2", &programs, &nothing, &goals)?;
    if !Path::new("/usr/sbin/nginx").is_file() {
        bench.not_measured("start-up of nginx's agent: install the package nginx");
        return Ok(());
    }
    for depth in ["0", "10"] {
        bench.say(&format!("start-up, nginx, depth {depth}"));
        let (host, programs) = web::nginx(bench, depth)?;
        let of_build = (depth == "0").then_some(OF_BUILD);
        let goals = Goals { over_nothing: None, of_shell: None, of_build };
        compare(bench, &host, &format!("nginx, depth {depth}"), &programs, &nothing, &goals)?;
    }
    Ok(())
}

/// What the portable program may take.
struct Goals {
    /// Times the program that does nothing.
    over_nothing: Option<f64>,
    /// Part of the shell agent's.
    of_shell: Option<f64>,
    /// Part of this build's.
    of_build: Option<f64>,
}

/// The first programs that are compared.
const NOTHING: usize = 0;
const BUILD: usize = 1;
const PORTABLE: usize = 2;

/// The agents that an earlier build has to have, to be compared with this one.
pub const OF_EARLIER: [&str; 2] = ["IPaddr2", "nginx"];

/// Monitors in random order: ours as `make build` and as `make portable` make it, that of an
/// earlier build, the shell agent's, and nothing.
fn compare(
    bench: &mut Bench,
    host: &Host,
    name: &str,
    monitors: &[Program],
    nothing: &Path,
    goals: &Goals,
) -> Result<(), String> {
    let Some(build) = monitors.iter().find(|program| program.who == Who::Ours) else {
        return Err(format!("our {name} is not built"));
    };
    let file = build.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(path) = portable(&file) else {
        bench.not_measured("start-up of the portable files: make portable");
        return Ok(());
    };
    let mut programs = vec![
        Program { who: Who::Floor, path: nothing.to_owned(), ..build.clone() },
        build.clone(),
        Program { path, ..build.clone() },
    ];
    let mut add = |program| {
        programs.push(program);
        programs.len() - 1
    };
    let earlier = bench.earlier.as_ref().map(|directory| directory.join(&file));
    let earlier = earlier.map(|path| add(Program { path, ..build.clone() }));
    let shell = monitors.iter().find(|program| program.who == Who::Shell).cloned().map(add);
    let turns = spawn::run(host, &programs, Order::Turns(bench.rounds(300, 10)))?;
    if let Some(number) = (0..programs.len()).find(|number| turns.wrong(*number, 0) > 0) {
        return Err(format!(
            "{}: a healthy monitor did not say so",
            programs[number].path.display()
        ));
    }
    let walls = |number: usize| turns.of(number, |run| run.wall);
    let of = |number: usize, under: Option<usize>| ratio(&walls(number), &walls(under?));
    let mut rows = Vec::new();
    let of_ours = [(Some(PORTABLE), "portable"), (Some(BUILD), "this build"), (earlier, "earlier")];
    for (number, what) in of_ours.into_iter().filter_map(|(number, what)| Some((number?, what))) {
        let mut wall = Row::new(format!("{what}: wall time, median"), Unit::Time);
        let mut faults = Row::new(format!("{what}: page faults"), Unit::Count);
        for (number, who) in
            [(Some(number), Who::Ours), (shell, Who::Shell), (Some(NOTHING), Who::Floor)]
        {
            wall.set(who, number.and_then(|number| median(walls(number))));
            faults.set(who, number.and_then(|number| median(turns.of(number, |run| run.faults))));
        }
        let (over_nothing, of_shell) = (of(number, Some(NOTHING)), of(number, shell));
        let demanded = |limit: Option<f64>| limit.filter(|_| number == PORTABLE);
        let wall = match demanded(goals.over_nothing) {
            Some(limit) => wall.at_most_times(limit, Who::Floor, over_nothing),
            None => wall.compare(Who::Floor, over_nothing),
        };
        rows.push(match demanded(goals.of_shell) {
            Some(limit) => wall.at_most_times(limit, Who::Shell, of_shell),
            None => wall.compare(Who::Shell, of_shell),
        });
        rows.push(faults);
        rows.extend(asked(bench, host, what, &programs[number]));
    }
    let of_builds = [(Some(BUILD), "this build"), (earlier, "the earlier build")];
    for (build, what) in of_builds.into_iter().filter(|(build, _)| build.is_some()) {
        let part = Row::new(format!("portable, of {what}: wall time"), Unit::Ratio)
            .with(Who::Ours, of(PORTABLE, build));
        let demanded = goals.of_build.filter(|_| build == earlier.or(Some(BUILD)));
        rows.push(demanded.into_iter().fold(part, Row::at_most));
    }
    let title = format!("Start-up, {name}, beside a program that does nothing");
    bench.add(Section { name: "startup", title, rows });
    Ok(())
}

/// What a program asks of the kernel, and how much of that is for memory.
fn asked(bench: &mut Bench, host: &Host, what: &str, program: &Program) -> Vec<Row> {
    match count::calls(host, program) {
        Ok(found) => [
            ("system calls", found.calls),
            ("of these for memory (brk, mmap, mremap)", found.memory),
        ]
        .map(|(name, value)| {
            Row::new(format!("{what}: {name}"), Unit::Count).with(Who::Ours, value)
        })
        .into(),
        Err(why) => {
            bench.not_measured(&why);
            Vec::new()
        }
    }
}
