//! A whole run: description first, then what leaves the resource alone, side by side, then its
//! life, step by step.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use ocf::sys::clock::Deadline;
use ocf::sys::process::end_all;

use crate::ask::{DEMOTE, META_DATA, MONITOR, PROBE, START, STOP, VALIDATE};
use crate::call::{Done, HUNG};
use crate::check::{Check, Proof, STOPPED, State, Step};
use crate::metadata::{MetaData, parse};
use crate::observer::Event;
use crate::process;
use crate::signals;
use crate::stand::{Setup, Stand, known, state_of};
use crate::verdict::{Finding, Judged, Judgement, Report, Verdict};

/// How many calls run side by side: they wait more than they work.
const SIDE_BY_SIDE: usize = 4;

/// How long what is left of the resource may take to end.
const ENDING: Duration = Duration::from_secs(2);

/// Runs the selected checks over an agent that has described itself.
///
/// # Errors
/// Why the agent cannot be tested at all, in one line: above all, when the resource is in use.
pub fn run(stand: &Stand<'_>, selected: &[&'static Check], force: bool) -> Result<Report, String> {
    let setup = stand.setup;
    let touching =
        selected.iter().any(|check| !matches!(check.proof, Proof::Document(_) | Proof::Aside(_)));
    let blocked = if touching { untouched(stand, force)? } else { None };
    let mut judgements = Vec::new();
    side_by_side(stand, selected, &mut judgements);
    if blocked.is_none() {
        judge_alone(stand, selected, &mut judgements);
        if touching {
            tour(stand);
        }
    }
    let mut report = Report { agent: setup.agent.display().to_string(), ..Report::default() };
    report.notes.extend(leave(stand, blocked.is_none() && touching));
    stand.attribute(signals::sent());
    for check in selected {
        let judged = judgements.iter().find(|judgement| judgement.id == check.id).cloned();
        report
            .judgements
            .push(judged.unwrap_or_else(|| judge_late(stand, check, blocked.as_ref())));
    }
    report.notes.extend(untested(&report));
    report.calls = stand.calls();
    report.took = stand.age();
    Ok(report)
}

/// What was not tested because something did not end.
fn untested(report: &Report) -> Option<String> {
    let hung = |verdict: &Verdict| matches!(verdict, Verdict::Skip(why) if why.contains(HUNG));
    let left = report.judgements.iter().filter(|judgement| hung(&judgement.verdict));
    let ids: Vec<_> = left.map(|judgement| judgement.id).collect();
    (!ids.is_empty())
        .then(|| format!("not tested, for the agent does not end in time: {}", ids.join(", ")))
}

/// A stand for an agent, which has printed its description; an unreadable one is empty.
///
/// # Errors
/// Why the agent cannot be called, in one line.
pub fn described<'a>(setup: &'a Setup, interrupted: &'a AtomicBool) -> Result<Stand<'a>, String> {
    let mut stand = Stand::new(setup, interrupted);
    let done = stand.ask(META_DATA).map_err(text)?;
    stand.metadata = Arc::new(parse(&done.stdout()).unwrap_or_default());
    stand.described = Arc::new(done);
    Ok(stand)
}

fn text(trouble: Finding) -> String {
    match trouble {
        Finding::Violation(text) | Finding::Inconclusive(text) => text,
    }
}

/// Why the resource is left alone.
pub(crate) struct Blocked {
    /// In words.
    pub(crate) reason: String,
    /// The probe has answered, but not what a probe of a stopped resource answers.
    answered: bool,
}

/// Looks at the resource before anything is done to it. Gives the reason for leaving it alone when
/// it is not known whether it is in use; refuses when it is.
pub(crate) fn untouched(stand: &Stand<'_>, force: bool) -> Result<Option<Blocked>, String> {
    let done = match stand.ask(PROBE) {
        Ok(done) => done,
        Err(trouble) if stand.is_interrupted() => return Err(text(trouble)),
        Err(trouble) => return Ok(Some(Blocked { reason: text(trouble), answered: false })),
    };
    if matches!(state_of(&done), Some(State::Running | State::Promoted)) {
        if force {
            return Ok(None);
        }
        return Err(format!(
            "the resource is running ({}): a test would stop it; --force does, and leaves it \
             stopped",
            done.summary()
        ));
    }
    // 5: what is not installed does not run.
    let answered = known(done.clone()).is_ok();
    let doubt = !answered || !done.is(STOPPED) && !done.is(&[5]);
    let reason = format!(
        "{}: the resource may be in use, so it is left alone; --force tests it nonetheless",
        done.summary()
    );
    Ok((doubt && !force).then_some(Blocked { reason, answered }))
}

/// Judges what leaves the resource alone, a few checks at a time.
fn side_by_side(stand: &Stand<'_>, selected: &[&'static Check], judgements: &mut Vec<Judgement>) {
    let aside: Vec<_> = selected
        .iter()
        .filter(|check| matches!(check.proof, Proof::Document(_) | Proof::Aside(_)))
        .collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(aside.len()) {
            scope.spawn(|| {
                while let Some(check) = aside.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judgement = judge(stand, check);
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(judgement);
                }
            });
        }
    });
    judgements.extend(found.into_inner().unwrap_or_else(PoisonError::into_inner));
}

fn judge_alone(stand: &Stand<'_>, selected: &[&'static Check], judgements: &mut Vec<Judgement>) {
    judgements
        .extend(selected.iter().filter(|check| check.is_alone()).map(|check| judge(stand, check)));
}

/// Makes a check's calls and judges them.
fn judge(stand: &Stand<'_>, check: &'static Check) -> Judgement {
    let (began, stand) = (Instant::now(), &stand.of(check.id));
    stand.setup.observer.report(Event::Began(check));
    let described = |meta: &MetaData| !meta.text.is_empty();
    let judged = match check.proof {
        _ if stand.is_interrupted() => Err(Finding::unknown("interrupted")),
        Proof::Document(read) if described(&stand.metadata) => read(&stand.metadata),
        Proof::Document(_) => Err(Finding::unknown("there are no meta-data that can be read")),
        Proof::Aside(calls) | Proof::Alone(calls) => calls(stand),
        Proof::Steps(steps) => steps.iter().try_for_each(|step| take(stand, step)),
        Proof::Calls(_) => Err(Finding::unknown("judged at the end")),
    };
    let verdict = check.verdict(judged);
    if verdict.found().is_some() {
        stand.forget_rehearsal();
    }
    let call = verdict.found().and_then(|found| shown_by(stand, check, found));
    Judgement { id: check.id, verdict, took: began.elapsed(), call }
}

/// The call that shows what a check has found: the one that it speaks of, or else the last one that
/// it made.
fn shown_by(stand: &Stand<'_>, check: &Check, found: &str) -> Option<Done> {
    let calls = stand.calls();
    let own = || calls.iter().rev().filter(|done| done.check == check.id);
    let spoken_of = own().find(|done| found.contains(&done.summary()));
    let last = || if check.is_alone() { own().next() } else { None };
    spoken_of
        .or_else(last)
        .or(Some(stand.described.as_ref()))
        .filter(|done| !done.what.is_empty())
        .cloned()
}

fn take(stand: &Stand<'_>, step: &Step) -> Judged {
    match step {
        Step::Given(state) => stand.given(*state),
        Step::Advertised(action) if stand.metadata.advertises(action) => Ok(()),
        Step::Advertised(action) => Err(Finding::unknown(format!("{action} is not advertised"))),
        Step::Presume(ask, codes) => stand.presume(ask.clone(), codes).map(drop),
        Step::Call(ask, codes) => match stand.expect(ask.clone(), codes) {
            // One check says it for all.
            Err(Finding::Violation(_))
                if stand
                    .last_call()
                    .is_some_and(|done| done.is(&[3]) && is_optional(&done.action)) =>
            {
                Err(Finding::unknown(format!(
                    "{} is not implemented (see the check advertised-actions)",
                    ask.action()
                )))
            }
            judged => judged.map(drop),
        },
    }
}

fn is_optional(action: &str) -> bool {
    !matches!(action, "start" | "stop" | "monitor" | "meta-data")
}

/// An ordinary life, so that the rules for each call have calls to judge, whatever was selected.
fn tour(stand: &Stand<'_>) {
    for ask in [VALIDATE, START, PROBE, MONITOR, STOP, PROBE] {
        // What goes wrong is in the list of calls.
        let _ = stand.ask(ask);
    }
}

/// The verdict of a check that was not run by itself.
fn judge_late(stand: &Stand<'_>, check: &'static Check, blocked: Option<&Blocked>) -> Judgement {
    let mut call = None;
    let verdict = match (check.proof, blocked) {
        (Proof::Calls(wrong), _) => {
            let calls = stand.calls();
            let usual = calls.iter().filter(|done| !done.unusual);
            let found = usual.filter_map(|done| Some((done, wrong(done, &stand.metadata)?)));
            let found: Vec<(&Done, String)> = found.collect();
            let more = if found.len() > 1 {
                format!(" (and {} more calls)", found.len() - 1)
            } else {
                String::new()
            };
            call = found.first().map(|(done, _)| (*done).clone());
            check.verdict(
                found
                    .first()
                    .map_or(Ok(()), |(_, first)| Err(Finding::broken(format!("{first}{more}")))),
            )
        }
        // The answer that blocks all others is itself a finding of the one that asks for nothing
        // else.
        (Proof::Alone(_), Some(blocked)) if check.id == "probe-stopped" && blocked.answered => {
            call = stand.calls().into_iter().rfind(|done| done.action == PROBE.action());
            check.verdict(Err(Finding::broken(blocked.reason.as_str())))
        }
        (_, Some(blocked)) => Verdict::Skip(blocked.reason.clone()),
        (_, None) => Verdict::Skip("not run".to_owned()),
    };
    Judgement { id: check.id, verdict, took: Duration::ZERO, call }
}

/// Leaves the machine as a stopped resource leaves it. Gives what people should know if that fails.
pub(crate) fn leave(stand: &Stand<'_>, touched: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if touched {
        let ask = |ask| stand.call(ask).how("to leave nothing behind").even_if_interrupted().run();
        let mut state = ask(PROBE).ok();
        if !state.as_ref().is_some_and(|done| done.is(STOPPED)) {
            if state.as_ref().and_then(state_of) == Some(State::Promoted) {
                let _ = ask(DEMOTE);
            }
            let _ = ask(STOP);
            state = ask(PROBE).ok();
        }
        match state {
            Some(done) if done.is(STOPPED) || done.is(&[5]) => {}
            Some(done) => {
                notes.push(format!("the resource may still be there: {}", done.summary()))
            }
            None => {
                notes.push("the resource may still be there: its monitor does not end".to_owned())
            }
        }
    }
    let ended = process::orphans().and_then(|left| {
        end_all(&left, &[Signal::SIGTERM, Signal::SIGKILL], Deadline::after(ENDING))
            .map(|living| (left, living))
    });
    match ended {
        Ok((left, living)) => {
            notes.extend(left.iter().filter(|process| living.contains(process)).map(|process| {
                format!(
                    "a process of the resource could not be ended: {}",
                    process::name_of(process)
                )
            }));
        }
        Err(error) => notes.push(format!("what the resource has left could not be ended: {error}")),
    }
    notes
}
