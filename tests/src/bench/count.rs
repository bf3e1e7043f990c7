//! Counting what a program does: its instructions, its system calls, the processes it starts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::enter::Entry;
use harness::host::Host;
use harness::process::{self, Victim};

use crate::agents::Program;

/// A shell agent under valgrind starts dozens of simulated processes.
const LIMIT: Duration = Duration::from_secs(900);

/// With what instructions are counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// The processor's own counters: what the program does and what the kernel does for it.
    Perf,
    /// The same without the kernel's part, which this user may not see.
    PerfUser,
    /// Simulation: the program's own instructions only.
    Callgrind,
}

impl Counter {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Counter::Perf => "instructions, user + kernel (perf)",
            Counter::PerfUser => "instructions, user only (perf)",
            Counter::Callgrind => "instructions, user only (callgrind)",
        }
    }

    /// The best that works here; else why none does.
    pub fn find(host: &Host, program: &Program) -> Result<(Counter, Option<String>), String> {
        let perf = match perf(host, program) {
            Ok((_, Some(_))) => return Ok((Counter::Perf, None)),
            Ok((_, None)) => {
                return Ok((
                    Counter::PerfUser,
                    Some("perf may not count the kernel's part here".into()),
                ));
            }
            Err(why) => why,
        };
        match callgrind(host, program) {
            Ok(_) => Ok((Counter::Callgrind, Some(format!("kernel instructions: {perf}")))),
            Err(why) => Err(format!("instructions: {perf}; {why}")),
        }
    }

    /// The instructions of a program and all its children.
    pub fn count(self, host: &Host, program: &Program) -> Result<f64, String> {
        match self {
            Counter::Callgrind => callgrind(host, program),
            // Repeats within a few percent: the least of some runs is the one that was disturbed
            // least.
            Counter::Perf | Counter::PerfUser => {
                let mut least = f64::INFINITY;
                for _ in 0..5 {
                    let (user, kernel) = perf(host, program)?;
                    least = least.min(user + kernel.unwrap_or_default());
                }
                Ok(least)
            }
        }
    }
}

/// User and, where it may be seen, kernel instructions.
fn perf(host: &Host, program: &Program) -> Result<(f64, Option<f64>), String> {
    let (inside, outside) = scratch(host);
    let words = ["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-o"];
    under(host, &words, &Path::new(&inside).join("perf"), program)?;
    let text =
        std::fs::read_to_string(outside.join("perf")).map_err(|error| format!("perf: {error}"))?;
    // A machine with two kinds of cores has a line for each; one that never ran the program says
    // "<not counted>".
    let field = |event: &str| {
        let lines = text.lines().filter(|line| line.contains(event));
        lines
            .filter_map(|line| line.split(',').next()?.parse::<f64>().ok())
            .reduce(|one, other| one + other)
    };
    match field("instructions:u") {
        Some(user) => Ok((user, field("instructions:k"))),
        None => Err("perf stat does not support instructions on this machine".into()),
    }
}

/// User instructions of a program and its children.
fn callgrind(host: &Host, program: &Program) -> Result<f64, String> {
    let (inside, outside) = scratch(host);
    let mut words = vec!["valgrind", "-q", "--vgdb=no", "--tool=callgrind", "--trace-children=yes"];
    // A forked child begins with its parent's counts, and a program's counts are lost when it
    // becomes another by exec: what was counted until then is written out, and the counts start at
    // zero again. All parts are summed up.
    words.extend([
        "--dump-before=fork",
        "--dump-before=_Fork",
        "--dump-before=vfork",
        "--dump-before=execve",
    ]);
    let out = format!("--callgrind-out-file={inside}/%p");
    words.push(&out);
    under(host, &words, Path::new("--"), program)?;
    let files = std::fs::read_dir(outside).map_err(|error| format!("callgrind: {error}"))?;
    let texts = files.flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let total = |text: String| {
        text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse::<f64>().ok())
    };
    match texts.filter_map(total).sum() {
        sum if sum > 0.0 => Ok(sum),
        _ => Err("callgrind wrote no counts".into()),
    }
}

/// What a program asks of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// System calls of it and all its children.
    pub calls: f64,
    /// Processes and threads that it started.
    pub children: f64,
    /// Other programs that it ran.
    pub programs: f64,
    /// Calls for memory.
    pub memory: f64,
}

/// Counts system calls.
pub fn calls(host: &Host, program: &Program) -> Result<Calls, String> {
    let (inside, outside) = scratch(host);
    let words = ["strace", "-f", "-qq", "-e", "signal=none", "-o"];
    under(host, &words, &Path::new(&inside).join("strace"), program)?;
    let text = std::fs::read_to_string(outside.join("strace"))
        .map_err(|error| format!("strace: {error}"))?;
    // A call that another process interrupted has two lines.
    let calls: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start().split_once(char::is_whitespace))
        .map(|(_pid, call)| call.trim_start())
        .filter(|call| !call.starts_with("<...") && !call.starts_with("+++"))
        .collect();
    let named = |names: &[&str]| {
        let name =
            |call: &&&str| call.split_once('(').is_some_and(|(name, _)| names.contains(&name));
        calls.iter().filter(name).filter(|call| !call.contains("= -1 ")).count() as f64
    };
    Ok(Calls {
        calls: calls.len() as f64,
        children: named(&["clone", "clone3", "fork", "vfork"]),
        programs: named(&["execve", "execveat"]) - 1.0,
        memory: named(&["brk", "mmap", "mremap"]),
    })
}

/// A directory for what a counter writes: inside, and as it is seen from here. It goes with the
/// machine.
fn scratch(host: &Host) -> (String, PathBuf) {
    let inside = host.sh("mktemp -d /run/bench-XXXXXX").trim().to_owned();
    let outside = host.outside(&inside);
    (inside, outside)
}

/// Runs a program as arguments of another one; an error unless it ends with exit code 0.
fn under(host: &Host, words: &[&str], last: &Path, program: &Program) -> Result<(), String> {
    let (mut command, pid) = host.command_as(words[0], Entry::default());
    let own = [last.as_os_str().to_owned(), OsString::from(&program.path)];
    command
        .args(&words[1..])
        .args(own)
        .args(&program.args)
        .env_clear()
        .envs(program.env.iter().cloned());
    // valgrind writes there; the machine's /tmp can only be read.
    command.env("TMPDIR", "/run");
    let done =
        process::run(&mut command, pid, LIMIT, Victim::Process).map_err(|error| {
            match error.kind() {
                std::io::ErrorKind::NotFound => format!("{} is not installed", words[0]),
                _ => format!("{}: {error}", words[0]),
            }
        })?;
    match done.code {
        Some(0) => Ok(()),
        code => Err(format!(
            "{} {} ended with {code:?}: {}",
            words[0],
            program.path.display(),
            done.stderr.trim()
        )),
    }
}
