//! The tool: options in, tests, report out. Only here it uses its environment, its streams and its
//! signals.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::check::Check;
use crate::environment::Environment;
use crate::matrix::Set;
use crate::observer::{Event, Observer};
use crate::options::{Format, Options, Request, parse};
use crate::progress::{ERASE, Progress};
use crate::report::text::{self, Style};
use crate::report::{folded, github, html, json, junit, tap};
use crate::signals::{self, INTERRUPTED};
use crate::stand::Setup;
use crate::verdict::{Judgement, Report, Verdict};
use crate::{checks, compare, names, process, report, run, stress, stubs, trace};

/// A check failed.
const FAILED: u8 = 1;

/// Wrong usage, or nothing could be tested.
const UNTESTED: u8 = 2;

/// Everything, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let environment = environment();
    let code = match words.split_first() {
        Some((first, rest)) if first == stubs::CALL => stubs::call(rest, &environment),
        _ => {
            let table: Vec<_> = checks::all().collect();
            let answered = match parse(words, &environment, &table) {
                Ok(Request::Text(text)) => say(&text).map(|()| 0),
                Ok(Request::Test(options)) => test(&options, &table),
                Err(complaint) => Err(complaint),
            };
            answered.unwrap_or_else(|complaint| {
                complain(&complaint);
                UNTESTED
            })
        }
    };
    ExitCode::from(code)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment; from here on it is a value"
)]
fn environment() -> Environment {
    std::env::vars_os().collect()
}

/// One line on stderr.
fn complain(text: &str) {
    // Nothing can be said to a closed stderr; the exit code says it too.
    let _ = writeln!(io::stderr(), "ocf-tester: {}", folded(text));
}

/// Prints. A reader that has gone has read enough.
fn say(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot print the report: {error}"))
        }
        _ => Ok(()),
    }
}

/// Makes all runs and prints the result.
fn test(options: &Options, table: &[&'static Check]) -> Result<u8, String> {
    let prepared = signals::watch().and_then(|()| process::adopt_orphans());
    prepared.map_err(|error| format!("this process cannot be prepared: {error}"))?;
    if !options.unused.is_empty() {
        let names = options.unused.join(", ");
        complain(&format!(
            "{names} in the environment: not used, for agents of a cluster get none of it; give it \
             with -o"
        ));
    }
    if options.meta_data_only {
        return described(options, table);
    }
    let agent = options.agents.first().ok_or("no agent")?;
    let (mut reports, mut trouble) = (Vec::new(), None);
    let rounds =
        (1..=options.repeat).flat_map(|round| options.sets.iter().map(move |set| (round, set)));
    for (round, set) in rounds {
        if INTERRUPTED.load(Ordering::Relaxed) {
            break;
        }
        announce(options, agent, round, set)?;
        match one(options, agent, set) {
            Ok(report) => reports.push(printed(options, table, report)?),
            Err(error) if set.name.is_empty() => trouble = Some(error),
            Err(error) => trouble = Some(format!("{error} (set {})", set.name)),
        }
        if trouble.is_some() {
            break;
        }
    }
    conclude(options, table, &reports, trouble)
}

fn announce(options: &Options, agent: &Path, round: u64, set: &Set) -> Result<(), String> {
    if options.format != Format::Text || options.quiet {
        return Ok(());
    }
    let round =
        if options.repeat > 1 { format!("{round} of {}", options.repeat) } else { String::new() };
    say(&text::opening(&agent.to_string_lossy(), &set.name, &round))
}

/// Prints a run, in the formats that can before the others are known. What is not needed any more
/// is dropped.
fn printed(
    options: &Options,
    table: &[&'static Check],
    mut report: Report,
) -> Result<Report, String> {
    match options.format {
        Format::Text => say(&text::run(&report, table, style(options)))?,
        Format::Json => say(&json::line(&report))?,
        Format::Github => say(&github::annotations(&report, table, options.strict, &base()))?,
        Format::Tap | Format::Junit | Format::Html => {}
    }
    if options.format != Format::Html {
        report.calls = Vec::new();
    }
    Ok(report)
}

/// Where paths begin: an action of GitHub runs in the directory of the project.
fn base() -> PathBuf {
    std::env::current_dir().unwrap_or_default()
}

fn style(options: &Options) -> Style {
    let colour = options.colour.unwrap_or_else(|| io::stdout().is_terminal());
    Style { verbose: options.verbose, quiet: options.quiet, strict: options.strict, colour }
}

/// The end of the report, and the exit code.
fn conclude(
    options: &Options,
    table: &[&'static Check],
    reports: &[Report],
    trouble: Option<String>,
) -> Result<u8, String> {
    let failures: usize = reports.iter().map(|report| text::failures(report, options.strict)).sum();
    let trouble = trouble.or_else(|| {
        let said = |report: &Report| report.count("skip") < report.judgements.len();
        if INTERRUPTED.load(Ordering::Relaxed) {
            return Some(signals::interruption());
        }
        let silent = failures == 0 && !reports.iter().all(said);
        silent.then(|| "nothing could be tested: every check was skipped (-v shows why)".to_owned())
    });
    match options.format {
        Format::Tap => {
            let end = trouble.as_deref().map(tap::bail_out).unwrap_or_default();
            say(&(tap::stream(reports, table, options.strict) + &end))?;
        }
        Format::Junit => {
            let document = junit::document(reports, table, options.strict);
            say(&document.map_err(|error| format!("no XML can be made: {error}"))?)?;
        }
        Format::Html => say(&html::page(reports, table, options.strict, trouble.as_deref()))?,
        Format::Text | Format::Json | Format::Github => {}
    }
    let agent = options.agents.first().map(|agent| agent.to_string_lossy()).unwrap_or_default();
    match (failures, trouble) {
        (0, None) if options.format == Format::Text => say(&text::passed(&agent)).map(|()| 0),
        (0, None) => Ok(0),
        (_, Some(trouble)) => Err(trouble),
        (_, None) => {
            if options.format == Format::Text {
                let _ = io::stderr().write_all(text::failed(&agent, failures).as_bytes());
            }
            Ok(FAILED)
        }
    }
}

/// Judges the meta-data of all agents, several at a time; printed in their order.
fn described(options: &Options, table: &[&'static Check]) -> Result<u8, String> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..workers.min(options.agents.len()) {
            scope.spawn(|| {
                while let Some(agent) = options.agents.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if INTERRUPTED.load(Ordering::Relaxed) {
                        break;
                    }
                    let report = one(options, agent, &Set::default())
                        .unwrap_or_else(|error| unreadable(agent, error));
                    found
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(agent.clone(), report);
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if options.format == Format::Text {
        let reports: Vec<Report> = found.into_values().collect();
        say(&report::table::table(&reports, table, options.verbose))?;
        say(&report::table::conclusion(&reports, options.strict))?;
        let failed = reports.iter().any(|report| report.failed(options.strict));
        return if INTERRUPTED.load(Ordering::Relaxed) {
            Err(signals::interruption())
        } else {
            Ok(u8::from(failed))
        };
    }
    let reports: Vec<Report> = found
        .into_values()
        .map(|report| printed(options, table, report))
        .collect::<Result<_, _>>()?;
    conclude(options, table, &reports, None)
}

/// What there is to say of an agent that could not be called at all.
fn unreadable(agent: &Path, error: String) -> Report {
    let judgement = Judgement {
        id: "meta-data",
        verdict: Verdict::Fail(error),
        took: Duration::ZERO,
        call: None,
    };
    Report { agent: agent.display().to_string(), judgements: vec![judgement], ..Report::default() }
}

/// One run with one set of parameters, in a directory that goes with it.
fn one(options: &Options, agent: &Path, set: &Set) -> Result<Report, String> {
    let unprepared =
        |error: io::Error| format!("no directory can be prepared for the test: {error}");
    let scratch = tempfile::Builder::new().prefix("ocf-tester.").tempdir().map_err(unprepared)?;
    // Agents run as other users, too.
    let (directory, tools) = (scratch.path().join("run"), scratch.path().join("stubs"));
    stubs::open_to_all(scratch.path())
        .and_then(|()| stubs::make_directory(&directory))
        .map_err(unprepared)?;
    let mut extra = options.extra.clone();
    if options.stub_cluster {
        extra.extend(stubs::prepare(&tools, &options.node).map_err(unprepared)?);
    }
    let (observer, shown) = observer(options, agent);
    let setup = Setup {
        agent: agent.to_owned(),
        resource: options.resource(agent, set),
        extra,
        longest: options.timeout,
        directory,
        observer,
    };
    let stand = run::described(&setup, &INTERRUPTED)?;
    let unknown = names::unknown(&stand.metadata, set, options.matrix.as_deref());
    unknown.iter().for_each(|name| complain(name));
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let report = match options.stress {
        Some(seconds) => stress::stress(&stand, seconds, seed, options.force),
        None => run::run(&stand, &options.selected, options.force),
    };
    if shown {
        let _ = io::stderr().write_all(ERASE.as_bytes());
    }
    let mut report = report?;
    report.set.clone_from(&set.name);
    // People have just read it.
    if options.format != Format::Text {
        report.notes.splice(0..0, unknown);
    }
    report.changes =
        options.old.as_ref().map_or_else(Vec::new, |old| compare::changes(old, &report));
    if options.verbose || options.format == Format::Json {
        report.notes.extend(stub_notes(&tools));
    }
    Ok(report)
}

/// The calls of a cluster's tools, and how often.
fn stub_notes(tools: &Path) -> impl Iterator<Item = String> {
    let mut counted = BTreeMap::new();
    for call in stubs::calls(tools) {
        *counted.entry(call).or_insert(0_usize) += 1;
    }
    counted.into_iter().map(|(call, count)| format!("of a cluster's tool, {count} times: {call}"))
}

/// The observer of the run, and whether it writes to a terminal, to be erased at the end.
fn observer(options: &Options, agent: &Path) -> (Observer, bool) {
    if options.trace {
        let agent = agent.to_owned();
        let trace = move |event: Event<'_>| {
            if let Event::Done(done) = event {
                let _ = io::stderr().write_all(trace::trace(&agent, done).as_bytes());
            }
        };
        return (Observer::new(trace), false);
    }
    if options.format != Format::Text
        || options.quiet
        || options.meta_data_only
        || !io::stderr().is_terminal()
    {
        return (Observer::default(), false);
    }
    let progress = Arc::new(Progress::default());
    let show = move |event: Event<'_>| {
        let _ = io::stderr().write_all(progress.after(event).as_bytes());
    };
    (Observer::new(show), true)
}
