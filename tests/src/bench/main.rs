//! `ocf-bench`: our IPaddr2 beside the shell agent and beside the floor, in one run, on one
//! machine.
//!
//! Everything happens inside simulated machines of the harness. What drifts with the load of the
//! machine (times) is measured in rounds, each in a random order, and printed as medians and as
//! ratios of each round; what does not (instructions, system calls, processes) is counted. Where a
//! number cannot be had on a machine, the output says so and why.
//!
//! * [`agents`] says what is compared, and with which environment it starts;
//! * [`spawn`] runs it through a small program of its own, [`count`] under strace, perf or
//!   valgrind;
//! * [`startup`], [`monitor`], [`many`], [`start`], [`parallel`], [`web`], [`director`] and
//!   [`systemd`] are the sections; [`report`] is their output.
#![allow(
    clippy::disallowed_methods,
    reason = "the bench is the caller: it owns the environment, waits and processes of what it \
        measures"
)]

mod agents;
mod count;
mod director;
mod machine;
mod many;
mod monitor;
mod parallel;
mod report;
mod spawn;
mod start;
mod startup;
mod systemd;
mod web;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use harness::Host;
use harness::figures::MONITOR;

use crate::agents::{Program, Who};
use crate::count::Counter;
use crate::report::{Report, Section};

/// The words after `--only`, and what they measure.
type Measure = fn(&mut Bench) -> Result<(), String>;
const SECTIONS: [(&str, Measure); 8] = [
    ("startup", startup::run),
    ("monitor", monitor::run),
    ("many", many::run),
    ("start", start::run),
    ("parallel", parallel::run),
    ("web", web::run),
    ("director", director::run),
    ("systemd", systemd::run),
];

/// The run: its options, and what is known so far.
#[derive(Debug)]
pub struct Bench {
    /// Few rounds: whether it works, not how good the numbers are.
    pub quick: bool,
    /// A directory with the agents of an earlier build.
    pub earlier: Option<PathBuf>,
    counter: Option<Option<Counter>>,
    report: Report,
}

impl Bench {
    /// How many rounds.
    pub fn rounds(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Prints what is going on.
    pub fn say(&self, what: &str) {
        // A closed stderr is no failure.
        let _ = writeln!(std::io::stderr(), "measuring: {what}");
    }

    /// Adds results.
    pub fn add(&mut self, section: Section) {
        self.report.sections.push(section);
    }

    /// Adds what could not be measured, once.
    pub fn not_measured(&mut self, what: &str) {
        if !self.report.unmeasured.iter().any(|known| known == what) {
            self.report.unmeasured.push(what.to_owned());
        }
    }

    /// How instructions are counted on this machine.
    pub fn counter(&mut self, host: &Host, small: &Program) -> Option<Counter> {
        if let Some(known) = self.counter {
            return known;
        }
        let found = match Counter::find(host, small) {
            Ok((counter, missing)) => {
                missing.iter().for_each(|missing| self.not_measured(missing));
                Some(counter)
            }
            Err(why) => {
                self.not_measured(&why);
                None
            }
        };
        self.counter = Some(found);
        found
    }

    /// Gives a machine what the shell agents find on every other one.
    pub fn prepare(&self, host: &Host) {
        host.sh("mkdir -p /run/resource-agents");
    }

    /// Waits until what a start left in the background is over: ours announces for three and a half
    /// seconds, the shell agent for one.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_millis(4200));
    }
}

fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("ocf-bench")
        .about(
            "Measures our IPaddr2 beside the shell agent of resource-agents and beside a \
            program that only asks the kernel",
        )
        .after_help(
            "The exit code is 0 unless something could not run, or with --strict a target \
            is missed.",
        )
        .arg(flag("quick").help("few rounds: whether it works, not how good the numbers are"))
        .arg(flag("strict").help("fail when a target is missed"))
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("SECTION")
                .action(ArgAction::Append)
                .value_parser(SECTIONS.map(|(name, _)| name))
                .help("measure this section alone; may be repeated"),
        )
        .arg(
            Arg::new("earlier")
                .long("earlier")
                .value_name("DIRECTORY")
                .value_parser(earlier)
                .help("compare start-up with the agents of an earlier build, too"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .value_name("FILE")
                .default_value("bench-results.json")
                .help("where the results go"),
        )
}

/// A directory with the agents of an earlier build.
fn earlier(directory: &str) -> Result<PathBuf, String> {
    let directory = PathBuf::from(directory);
    match startup::OF_EARLIER.iter().find(|agent| !directory.join(agent).is_file()) {
        Some(agent) => Err(format!("there is no file {agent}")),
        None => Ok(directory),
    }
}

fn main() -> ExitCode {
    let options = command().get_matches();
    match measure(&options) {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ocf-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; whether the exit code is to be a failure.
fn measure(options: &ArgMatches) -> Result<bool, String> {
    let mut bench = Bench {
        quick: options.get_flag("quick"),
        earlier: options.get_one("earlier").cloned(),
        counter: None,
        report: Report::default(),
    };
    bench.report.machine = machine::describe();
    if Who::Shell.path().is_none() {
        bench.not_measured(
            "the shell agent: install the package resource-agents to compare with it",
        );
    }
    let only: Option<Vec<&String>> = options.get_many("only").map(Iterator::collect);
    let mut failed = false;
    for (name, measure) in SECTIONS {
        if only.as_ref().is_some_and(|only| !only.iter().any(|wanted| *wanted == name)) {
            continue;
        }
        // The harness panics where a machine cannot be made: what was measured until then is still
        // worth telling.
        let result = catch_unwind(AssertUnwindSafe(|| measure(&mut bench)));
        if let Err(error) = result.unwrap_or_else(|_| Err("see the panic above".into())) {
            failed = true;
            bench.not_measured(&format!("section {name} ended early: {error}"));
        }
    }
    let report = bench.report;
    let costs = report.costs();
    let costs: Vec<(&str, &str, f64)> =
        costs.iter().map(|(of, series, value)| (of.as_str(), *series, *value)).collect();
    MONITOR.record(&harness::figures::machine(), &costs);
    if let Some(path) = options.get_one::<String>("json") {
        std::fs::write(path, format!("{:#}\n", report.json()))
            .map_err(|error| format!("{path}: {error}"))?;
    }
    std::io::stdout()
        .write_all(report.text().as_bytes())
        .map_err(|error| format!("standard output: {error}"))?;
    Ok(failed || (options.get_flag("strict") && report.missed() > 0))
}
