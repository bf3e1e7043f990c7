//! Running programs inside a machine through the small spawner, and what their runs cost.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::enter::Entry;
pub use harness::figures::{largest, median};
use harness::host::{Host, built_directory};
use harness::process::{self, Victim};

use crate::agents::Program;

/// Far above every plan; only against a run that hangs for ever.
const LIMIT: Duration = Duration::from_secs(1800);

/// In which order programs run.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// One after the other, so many rounds, each in a random order: a fixed one favours what
    /// follows a relative.
    Turns(usize),
    /// As turns, but started in the way that measures memory rightly.
    Memory(usize),
    /// All at once, once.
    Together,
}

/// One run of a program.
#[derive(Clone, Debug)]
pub struct Run {
    /// Which program of the list.
    pub program: usize,
    /// Exit code, or 128 + signal.
    pub code: i32,
    /// Nanoseconds from before the start to the end.
    pub wall: f64,
    /// Largest resident memory of its processes, KiB.
    pub rss: f64,
    /// Page faults, of all its processes.
    pub faults: f64,
    /// Processor time of all its processes, nanoseconds.
    pub cpu: f64,
    /// When it ended.
    pub ended: SystemTime,
}

/// All runs of a plan.
#[derive(Clone, Debug)]
pub struct Runs {
    /// The runs, in the order of their ends.
    pub runs: Vec<Run>,
    /// Nanoseconds from the first start to the last end.
    pub total: f64,
}

impl Runs {
    /// One number of every run of a program, in order.
    pub fn of(&self, program: usize, number: fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().filter(|run| run.program == program).map(number).collect()
    }

    /// How many runs of a program did not end with `code`.
    pub fn wrong(&self, program: usize, code: i32) -> usize {
        self.runs.iter().filter(|run| run.program == program && run.code != code).count()
    }
}

/// Runs programs inside a machine.
pub fn run(host: &Host, programs: &[Program], order: Order) -> Result<Runs, String> {
    let mut plan = String::new();
    let (mode, rounds, fork) = match order {
        Order::Turns(rounds) => ("turns", rounds, "no"),
        Order::Memory(rounds) => ("turns", rounds, "yes"),
        Order::Together => ("together", 1, "no"),
    };
    let _ = writeln!(plan, "mode {mode}\nrounds {rounds}\nfork {fork}");
    for program in programs {
        let _ = writeln!(plan, "program {}", program.path.display());
        for arg in &program.args {
            let _ = writeln!(plan, "arg {arg}");
        }
        for (name, value) in &program.env {
            let _ = writeln!(plan, "env {name}={value}");
        }
    }
    let file =
        tempfile::NamedTempFile::new().map_err(|error| format!("temporary file: {error}"))?;
    std::fs::write(file.path(), plan).map_err(|error| format!("temporary file: {error}"))?;
    let (mut command, pid) =
        host.command_as(built_directory().join("ocf-bench-spawn"), Entry::default());
    command.arg(file.path());
    let done = process::run(&mut command, pid, LIMIT, Victim::Process)
        .map_err(|error| error.to_string())?;
    if done.code != Some(0) {
        return Err(format!("ocf-bench-spawn ended with {:?}: {}", done.code, done.stderr.trim()));
    }
    let mut runs = Runs { runs: Vec::new(), total: 0.0 };
    for line in done.stdout.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["total", total] => runs.total = number(total),
            [program, _round, code, wall, rss, minor, major, cpu, ended] => runs.runs.push(Run {
                program: program.parse().unwrap_or_default(),
                code: code.parse().unwrap_or(-1),
                wall: number(wall),
                rss: number(rss),
                faults: number(minor) + number(major),
                cpu: number(cpu) * 1000.0,
                ended: UNIX_EPOCH + Duration::from_nanos(ended.parse().unwrap_or_default()),
            }),
            _ => return Err(format!("ocf-bench-spawn said {line:?}")),
        }
    }
    Ok(runs)
}

fn number(word: &str) -> f64 {
    word.parse().unwrap_or(f64::NAN)
}

/// Runs one program once; an error when it does not end with exit code 0.
pub fn once(host: &Host, program: Program) -> Result<Run, String> {
    let what = format!("{} {}", program.path.display(), program.args.join(" "));
    let found = run(host, &[program], Order::Turns(1))?;
    match found.runs.into_iter().next() {
        Some(run) if run.code == 0 => Ok(run),
        Some(run) => Err(format!("{what} ended with {}", run.code)),
        None => Err(format!("{what} did not run")),
    }
}

/// The median of the ratios of each round.
pub fn ratio(over: &[f64], under: &[f64]) -> Option<f64> {
    median(over.iter().zip(under).map(|(over, under)| over / under).collect())
}
