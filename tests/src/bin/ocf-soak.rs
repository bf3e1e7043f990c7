//! `ocf-soak`: a cluster of three nodes under random faults, judged by witnesses (`make soak`).
//!
//! Everything happens on simulated machines that have no way out; nothing of the machine it runs on
//! is touched.
#![allow(
    clippy::disallowed_methods,
    reason = "the harness is the caller: it owns the environment, waits and processes of what it \
        tests"
)]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::call::is_there;
use harness::cluster::{installed, missing};
use harness::keeper;
use harness::soak::history::History;
use harness::soak::judge::{Rule, Violation, judge};
use harness::soak::page;
use harness::soak::plan::Plan;
use harness::soak::run::run;
use harness::soak::shrink::shrink;
use harness::systemd_box;

const USAGE: &str = "\
Usage: ocf-soak [--seconds N] [--seed N] [--shell] [--out DIR]
       ocf-soak --replay HISTORY [--shrink TRIES] [--out DIR]
       ocf-soak --judge HISTORY [--out DIR]

Three nodes with Corosync and Pacemaker, web servers, a balancer, and clients that
request pages all the time, simulated with kernel namespaces. Faults and wishes of
an administrator overlap as the seed says; witnesses that never ask the agents
record what happens, and rules judge the record.

  --seconds N  as long as episodes begin (60)
  --seed N     what the schedule is made of (1); its three lowest bits choose watch,
               fencing, and nodes with systemd
  --shell      the shell agents ocf:heartbeat:*, to compare
  --replay F   the schedule of a history that was recorded
  --shrink N   run parts of it again, N times at most, and keep what still fails
  --judge F    judge a history again, without a run
  --out DIR    where history and report go (target/soak)

Exit code: 0, 1 when a rule was broken, 2 when it could not run.
";

/// The options.
#[derive(Debug, Default)]
struct Wish {
    seconds: Option<u64>,
    seed: Option<u64>,
    shell: bool,
    replay: Option<PathBuf>,
    shrink: usize,
    judge: Option<PathBuf>,
    out: Option<PathBuf>,
    /// Set by the keeper for the process that does the work: where the nodes' disks are.
    inside: Option<PathBuf>,
}

fn main() -> ExitCode {
    let wish = match wish(std::env::args().skip(1)) {
        Ok(Some(wish)) => wish,
        Ok(None) => return say(&mut io::stdout(), USAGE, ExitCode::SUCCESS),
        Err(why) => {
            let text = format!("ocf-soak: {why}\n\n{USAGE}");
            return say(&mut io::stderr(), &text, ExitCode::from(2));
        }
    };
    let failed =
        |why: String| say(&mut io::stderr(), &format!("ocf-soak: {why}\n"), ExitCode::from(2));
    if let Some(file) = &wish.judge {
        return again(file, &out(&wish)).unwrap_or_else(|error| failed(error.to_string()));
    }
    if let Some(directory) = &wish.inside {
        return perform(&wish, directory).unwrap_or_else(|error| failed(error.to_string()));
    }
    if let Some(why) = obstacle() {
        return failed(format!("it cannot run here: {why}"));
    }
    keeper::keep("ocf-soak-").unwrap_or_else(|error| failed(error.to_string()))
}

fn say(to: &mut impl Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = to.write_all(text.as_bytes());
    code
}

fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn wish(mut words: impl Iterator<Item = String>) -> Result<Option<Wish>, String> {
    let mut wish = Wish::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--seconds" => wish.seconds = Some(number(value()?)?),
            "--seed" => wish.seed = Some(number(value()?)?),
            "--shell" => wish.shell = true,
            "--replay" => wish.replay = Some(value()?.into()),
            "--shrink" => wish.shrink = number(value()?)? as usize,
            "--judge" => wish.judge = Some(value()?.into()),
            "--out" => wish.out = Some(value()?.into()),
            "--inside" => wish.inside = Some(value()?.into()),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(Some(wish))
}

fn out(wish: &Wish) -> PathBuf {
    wish.out.clone().unwrap_or_else(|| "target/soak".into())
}

/// Why it cannot run, if so.
fn obstacle() -> Option<String> {
    let programs = ["IPaddr2", "nginx", "haproxy", "apache", "ocf-test-init", "ocf-test-shim"];
    let unbuilt = programs.into_iter().find(|program| !is_there(program));
    let absent = ["crm_standby", "nginx", "haproxy", "apache2", "nft"]
        .into_iter()
        .find(|program| !installed(program));
    missing()
        .or(absent.map(|program| format!("{program} is not installed: tests/provide installs it")))
        .or(unbuilt.map(|program| format!("{program} is not built: make soak builds it")))
}

fn plan(wish: &Wish) -> io::Result<Plan> {
    let provider = if wish.shell { "heartbeat" } else { "native" };
    let Some(file) = &wish.replay else {
        let mut plan = Plan::of(wish.seed.unwrap_or(1), wish.seconds.unwrap_or(60), provider);
        plan.systemd &= systemd_box::missing().is_none();
        return Ok(plan);
    };
    let mut plan = History::read(file)?.done().ok_or_else(|| io::Error::other("no history"))?;
    // All of its episodes, however long they take.
    plan.seconds = u64::MAX;
    if wish.shell {
        plan.provider = provider.to_owned();
        plan.watch = false;
        plan.systemd = false;
    }
    Ok(plan)
}

fn perform(wish: &Wish, disks: &Path) -> io::Result<ExitCode> {
    let plan = plan(wish)?;
    let out = out(wish);
    std::fs::create_dir_all(&out)?;
    let name = format!("{}-{}", plan.provider, plan.seed);
    let file = out.join(format!("{name}.jsonl"));
    print(&format!(
        "seed {}, {} agents, {}, {}, {}; history: {}",
        plan.seed,
        plan.provider,
        if plan.watch { "monitors wait for events" } else { "monitors do not wait" },
        if plan.fencing { "with fencing" } else { "without fencing" },
        if plan.systemd { "nodes with systemd" } else { "nodes without systemd" },
        file.display()
    ));
    let outcome = run(&plan, disks, &file, print)?;
    let calls = outcome.history.calls().count();
    print(&format!("{:.0} s of faults, {calls} calls of agents", outcome.seconds));
    let code = report(&outcome.history, &outcome.violations, &out, &name)?;
    if wish.shrink > 0 && !outcome.violations.is_empty() {
        let rules: Vec<Rule> = outcome.violations.iter().map(|it| it.rule).collect();
        let mut suspects: Vec<usize> =
            outcome.violations.iter().filter_map(|it| it.episode).collect();
        suspects.dedup();
        let small = out.join(format!("{name}-small.jsonl"));
        let part = out.join(format!("{name}-part.jsonl"));
        let smallest = shrink(&plan, &suspects, wish.shrink, |plan| {
            print(&format!("again, with {} steps", plan.steps()));
            let again = run(plan, disks, &part, |_| {});
            let fails =
                again.is_ok_and(|it| it.violations.iter().any(|it| rules.contains(&it.rule)));
            if fails {
                let _ = std::fs::rename(&part, &small);
            }
            print(if fails { "it fails" } else { "it does not fail" });
            fails
        });
        print(&format!("{} steps are left, in {}", smallest.steps(), small.display()));
    }
    Ok(code)
}

/// Judges a history that was recorded before.
fn again(file: &Path, out: &Path) -> io::Result<ExitCode> {
    let history = History::read(file)?;
    std::fs::create_dir_all(out)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    report(&history, &judge(&history), out, &name)
}

/// Prints what was found, and writes the page.
fn report(
    history: &History,
    violations: &[Violation],
    out: &Path,
    name: &str,
) -> io::Result<ExitCode> {
    let mut count: BTreeMap<Rule, usize> = BTreeMap::new();
    violations.iter().for_each(|it| *count.entry(it.rule).or_default() += 1);
    for it in violations {
        let episode = it.episode.map_or("-".to_owned(), |number| number.to_string());
        print(&format!("{:7.1} s  episode {episode}  {:?}: {}", it.t, it.rule, it.found));
    }
    for rule in Rule::ALL {
        let times = count.get(&rule).copied().unwrap_or_default();
        print(&format!("{times:5}  {}", rule.says()));
    }
    let page = out.join(format!("{name}.html"));
    std::fs::write(&page, page::page(history, violations))?;
    print(&format!("{} violations; report: {}", violations.len(), page.display()));
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
