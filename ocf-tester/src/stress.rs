//! Actions at random for a while, some of them killed, with monitors beside them, against a model
//! of the three states.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use ocf::sys::clock::Deadline;

use crate::ask::{Ask, DEMOTE, MONITOR, PROBE, PROMOTE, START, STOP};
use crate::call::{Done, choice};
use crate::check::{OK, PROMOTED, RUNNING, STOPPED, State};
use crate::process::name_of;
use crate::run::{leave, untouched};
use crate::stand::{Stand, known};
use crate::verdict::{Finding, Judgement, Report, Verdict};

/// The id under which a stress run reports.
pub const ID: &str = "stress";

/// What is known of the resource; `None` after an action that was killed: anything may be there
/// then.
type Known = Option<State>;

/// One action of the random walk: which, and whether it is killed half-way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Move {
    ask: Ask,
    killed: bool,
}

/// The next action. What Pacemaker would never do in a state is left out: after a doubt there is
/// only stop.
fn choose(known: Known, promotable: bool, random: &mut Rng) -> Move {
    let choices: &[Ask] = match (known, promotable) {
        (None, _) => &[STOP],
        (Some(State::Stopped), _) => &[START, START, STOP, PROBE],
        (Some(State::Running), false) => &[STOP, STOP, START, MONITOR, PROBE],
        (Some(State::Running), true) => &[PROMOTE, PROMOTE, STOP, START, DEMOTE, MONITOR],
        (Some(State::Promoted), _) => &[DEMOTE, STOP, PROMOTE, MONITOR, PROBE],
    };
    let ask = choices[random.usize(..choices.len())].clone();
    // A stop that clears a doubt may be killed as well: then the doubt stays.
    Move { ask, killed: random.u8(..5) == 0 }
}

/// The state after an action that succeeded, and the codes that mean success in the state before.
fn expected(before: Known, ask: &Ask) -> (Known, &'static [u8]) {
    match (ask.action(), before) {
        ("start", _) => (Some(State::Running), OK),
        ("stop", _) => (Some(State::Stopped), OK),
        ("promote", _) => (Some(State::Promoted), OK),
        ("demote", _) => (Some(State::Running), OK),
        (_, state) => (state, seen(state)),
    }
}

/// What a monitor may say of a state.
fn seen(state: Known) -> &'static [u8] {
    match state {
        None => &[0, 1, 2, 5, 6, 7, 8, 9, 190, 191],
        Some(State::Stopped) => STOPPED,
        Some(State::Running) => RUNNING,
        Some(State::Promoted) => PROMOTED,
    }
}

/// Acts at random for so many seconds; stops at the first contradiction.
///
/// # Errors
/// As [`crate::run::run`].
pub fn stress(stand: &Stand<'_>, seconds: u64, seed: u64, force: bool) -> Result<Report, String> {
    let blocked = untouched(stand, force)?;
    let is_touched = blocked.is_none();
    let verdict = match blocked {
        Some(blocked) => Verdict::Skip(blocked.reason),
        None => match walk(
            stand,
            Deadline::after(Duration::from_secs(seconds)),
            &mut Rng::with_seed(seed),
        ) {
            Ok(()) => Verdict::Pass,
            Err(Finding::Violation(what)) => {
                Verdict::Fail(format!("{what} (--seed {seed} repeats the order)"))
            }
            Err(Finding::Inconclusive(why)) => Verdict::Skip(why),
        },
    };
    let notes = leave(stand, is_touched);
    Ok(Report {
        agent: stand.setup.agent.display().to_string(),
        judgements: vec![Judgement { id: ID, verdict, took: stand.age(), call: stand.last_call() }],
        calls: stand.calls(),
        notes,
        took: stand.age(),
        ..Report::default()
    })
}

/// The random walk. Like Pacemaker it does one action at a time, and monitors whenever it likes.
fn walk(stand: &Stand<'_>, end: Deadline, random: &mut Rng) -> Result<(), Finding> {
    stand.given(State::Stopped)?;
    let promotable = stand.metadata.advertises("promote");
    let mut state = Some(State::Stopped);
    let mut usual = Duration::from_millis(20);
    while !end.expired() && !stand.is_interrupted() {
        let next = choose(state, promotable, random);
        let delay = usual.mul_f64(random.f64());
        let (done, beside) = with_monitors(stand, &next, delay)?;
        let (after, codes) = expected(state, &next.ask);
        if done.cut_short {
            // A monitor that is killed changes nothing.
            state = if next.ask.action() == "monitor" { state } else { None };
        } else {
            usual = done.ended.elapsed;
            let done = known(done)?;
            agree(&done, codes, state)?;
            state = after;
        }
        // A monitor during a change may see either state, or that it is in between; during another
        // monitor, only what is.
        if next.ask.action() == "monitor" {
            beside
                .iter()
                .filter(|done| !done.cut_short)
                .try_for_each(|done| agree(done, seen(state), state))?;
        }
        agree(&known(stand.ask(PROBE)?)?, seen(state), state)?;
        if state == Some(State::Stopped)
            && let Some(process) = stand.left_over()?.first()
        {
            return Err(Finding::broken(format!("stopped, but still there: {}", name_of(process))));
        }
    }
    if stand.is_interrupted() { Err(Finding::unknown("interrupted")) } else { Ok(()) }
}

fn agree(done: &Done, codes: &[u8], state: Known) -> Result<(), Finding> {
    if done.is(codes) {
        return Ok(());
    }
    let model =
        state.map_or_else(|| "in doubt".to_owned(), |state| format!("{state:?}").to_lowercase());
    Err(Finding::broken(format!(
        "the resource was {model}, then {}; expected {}",
        done.summary(),
        choice(codes)
    )))
}

/// Makes a move, and monitors as fast as they go beside it.
fn with_monitors(
    stand: &Stand<'_>,
    next: &Move,
    delay: Duration,
) -> Result<(Done, Vec<Done>), Finding> {
    let over = AtomicBool::new(false);
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let Ok(done) = stand.call(MONITOR).how("beside another action").run() else {
                    break;
                };
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(done);
            }
        });
        let mut call = stand.call(next.ask.clone());
        if next.killed {
            call = call.how("killed half-way").kill_after(delay);
        }
        let done = call.run();
        over.store(true, Ordering::Relaxed);
        done
    })
    .map(|done| (done, seen.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_doubt_there_is_only_stop() {
        let mut random = Rng::with_seed(1);
        assert!((0..50).all(|_| choose(None, true, &mut random).ask == STOP));
    }

    #[test]
    fn only_what_can_be_promoted_is() {
        let mut random = Rng::with_seed(2);
        let moves: Vec<_> =
            (0..200).map(|_| choose(Some(State::Running), false, &mut random)).collect();
        assert!(moves.iter().all(|next| next.ask != PROMOTE && next.ask != DEMOTE));
        assert!(moves.iter().any(|next| next.killed) && moves.iter().any(|next| !next.killed));
    }

    #[test]
    fn the_model_knows_the_three_states() {
        assert_eq!(expected(None, &STOP), (Some(State::Stopped), OK));
        assert_eq!(expected(Some(State::Running), &PROMOTE), (Some(State::Promoted), OK));
        assert_eq!(expected(Some(State::Promoted), &MONITOR), (Some(State::Promoted), PROMOTED));
        assert!(seen(None).contains(&1) && !seen(Some(State::Running)).contains(&1));
    }
}
