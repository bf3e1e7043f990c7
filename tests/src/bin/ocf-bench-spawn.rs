//! `ocf-bench-spawn PLAN`: starts programs and says what each run cost. `ocf-bench` runs it inside
//! a simulated machine.
//!
//! It is a program of its own because it has to be small: after `posix_spawn` a child lives in its
//! parent's memory until exec, and the kernel counts that as the child's largest memory. For the
//! runs that measure memory it forks instead.
//!
//! A plan is a file of lines, `WORD VALUE`: `mode turns` (rounds, each in a random order) or
//! `mode together`; `rounds N`; `fork yes`; then for each program `program PATH` followed by its
//! `arg` and `env NAME=VALUE`; `{round}` in a value becomes the round's number. It prints a line a
//! run (program, round, exit code or 128 + signal, nanoseconds, KiB, minor and major page faults,
//! microseconds of processor time, time of the end in nanoseconds since 1970) and at last
//! `total NANOSECONDS`.
#![allow(
    clippy::disallowed_methods,
    reason = "part of the bench: it owns the processes it measures"
)]

use std::io::{self, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ocf::testing::Numbers;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else { return ExitCode::from(2) };
    match std::fs::read_to_string(&path).and_then(|text| carry_out(&Plan::read(&text))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ocf-bench-spawn: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Plan<'text> {
    together: bool,
    fork: bool,
    rounds: usize,
    programs: Vec<Program<'text>>,
}

#[derive(Default)]
struct Program<'text> {
    path: &'text str,
    args: Vec<&'text str>,
    env: Vec<(&'text str, &'text str)>,
}

impl<'text> Plan<'text> {
    fn read(text: &'text str) -> Plan<'text> {
        let mut plan = Plan { rounds: 1, ..Plan::default() };
        for (word, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            match (word, plan.programs.last_mut()) {
                ("mode", _) => plan.together = value == "together",
                ("fork", _) => plan.fork = value == "yes",
                ("rounds", _) => plan.rounds = value.parse().unwrap_or(1),
                ("program", _) => plan.programs.push(Program { path: value, ..Program::default() }),
                ("arg", Some(program)) => program.args.push(value),
                ("env", Some(program)) => program.env.extend(value.split_once('=')),
                _ => {}
            }
        }
        plan
    }
}

impl Program<'_> {
    fn command(&self, round: usize, fork: bool) -> Command {
        let mut command = Command::new(self.path);
        command.args(&self.args).env_clear().process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for (name, value) in &self.env {
            command.env(name, value.replace("{round}", &round.to_string()));
        }
        if fork {
            // With anything to do in between, the standard library forks.
            // SAFETY: the closure does nothing.
            unsafe { command.pre_exec(|| Ok(())) };
        }
        command
    }
}

fn carry_out(plan: &Plan<'_>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let began = Instant::now();
    if plan.together {
        let mut running = Vec::new();
        for (number, program) in plan.programs.iter().enumerate() {
            let mut command = program.command(0, plan.fork);
            let began = Instant::now();
            running.push((command.spawn()?.id() as i32, number, began));
        }
        while !running.is_empty() {
            let (pid, end) = wait(-1)?;
            if let Some(at) = running.iter().position(|(running, ..)| *running == pid) {
                let (_, number, began) = running.swap_remove(at);
                end.tell(&mut out, number, 0, began)?;
            }
        }
    } else {
        let mut order: Vec<usize> = (0..plan.programs.len()).collect();
        let mut numbers = Numbers::new(u64::from(std::process::id()) << 20 | 1);
        for round in 0..plan.rounds {
            shuffle(&mut order, &mut numbers);
            for number in &order {
                let (number, program) = (*number, &plan.programs[*number]);
                let mut command = program.command(round, plan.fork);
                let began = Instant::now();
                let child = command.spawn()?;
                let (_, end) = wait(child.id() as i32)?;
                end.tell(&mut out, number, round, began)?;
            }
        }
    }
    writeln!(out, "total {}", began.elapsed().as_nanos())
}

/// Each order is as likely as each other (Fisher and Yates).
fn shuffle(order: &mut [usize], numbers: &mut Numbers) {
    for last in (1..order.len()).rev() {
        order.swap(last, numbers.below(last + 1));
    }
}

/// The end of a run.
struct End {
    status: i32,
    usage: libc::rusage,
    at: Instant,
    on: SystemTime,
}

fn wait(pid: i32) -> io::Result<(i32, End)> {
    let mut status = 0;
    // SAFETY: a struct rusage is plain data, for which all zeros is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both places live through the call.
    let found = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
    if found < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((found, End { status, usage, at: Instant::now(), on: SystemTime::now() }))
}

impl End {
    fn tell(
        &self,
        out: &mut impl Write,
        number: usize,
        round: usize,
        began: Instant,
    ) -> io::Result<()> {
        let code = match libc::WIFSIGNALED(self.status) {
            true => 128 + libc::WTERMSIG(self.status),
            false => libc::WEXITSTATUS(self.status),
        };
        let wall = self.at.saturating_duration_since(began).as_nanos();
        let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
        let cpu = micros(self.usage.ru_utime) + micros(self.usage.ru_stime);
        let usage = &self.usage;
        let (rss, minor, major) = (usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt);
        let on = self.on.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        writeln!(out, "{number} {round} {code} {wall} {rss} {minor} {major} {cpu} {on}")
    }
}
