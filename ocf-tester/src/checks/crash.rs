//! Actions that are killed half-way, as Pacemaker kills them at their time-out: SIGKILL to the
//! whole process group.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::ask::{Ask, MONITOR, PROBE, START, STOP};
use crate::check::{Check, OK, Proof, RUNNING, STOPPED, State, Weight};
use crate::process::name_of;
use crate::stand::{Stand, known};
use crate::verdict::{Finding, Judged};

/// At how many points an action is killed.
const POINTS: u32 = 10;

/// Actions that take longer are killed at fewer points: that much time, all points together.
const BUDGET: Duration = Duration::from_secs(20);

const TIME_OUT: &str = "Pacemaker kills an action at its time-out without a warning \
    (lib/common/mainloop.c), and then calls stop";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "start-killed",
        says: "after a start that was killed anywhere, stop succeeds and nothing is left",
        clause: TIME_OUT,
        fix: "write state atomically, take locks that the kernel releases, and let stop look at \
            what is, not at what was noted",
        costs: "after a start that was too slow the service cannot be stopped: the node is fenced",
        weight: Weight::Must,
        proof: Proof::Alone(start_killed),
    },
    Check {
        id: "stop-killed",
        says: "after a stop that was killed anywhere, another stop succeeds and nothing is left",
        clause: TIME_OUT,
        fix: "remove the note of what is to be stopped last, after it has been stopped",
        costs: "after a stop that was too slow every further stop fails: the node is fenced",
        weight: Weight::Must,
        proof: Proof::Alone(stop_killed),
    },
    Check {
        id: "monitor-killed",
        says: "a monitor that is killed anywhere leaves the resource well",
        clause: "Pacemaker kills a monitor in flight when another action is due \
            (lib/services/services.c)",
        fix: "let monitor change nothing, and take no lock that outlives it",
        costs: "a monitor that is cancelled takes the service down",
        weight: Weight::Must,
        proof: Proof::Alone(monitor_killed),
    },
];

/// When to kill an action that takes `took`: evenly over its time, from the very beginning to its
/// end.
fn points(took: Duration) -> Vec<Duration> {
    // On average a point costs half of the action's time.
    let affordable = (BUDGET.as_secs_f64() * 2.0 / took.as_secs_f64().max(0.001)) as u32;
    let count = POINTS.min(affordable).max(2);
    (0..count).map(|point| took.mul_f64((f64::from(point) + 0.5) / f64::from(count))).collect()
}

/// How long an action takes from a state; that it works is another check's matter.
fn measured(stand: &Stand<'_>, from: State, ask: Ask) -> Result<Duration, Finding> {
    stand.given(from)?;
    let done = known(stand.ask(ask)?)?;
    if done.is(OK) || done.is(RUNNING) {
        return Ok(done.ended.elapsed);
    }
    Err(Finding::unknown(format!("{}, even when it is not killed", done.summary())))
}

/// A stop after something was killed.
fn stop_cleans(stand: &Stand<'_>, killed: &str, after: Duration) -> Judged {
    let reworded = |trouble| match trouble {
        Finding::Violation(what) => Finding::broken(format!(
            "after a {killed} that was killed at {:.3} s: {what}",
            after.as_secs_f32()
        )),
        unknown => unknown,
    };
    stand.call(STOP).how(format!("after a killed {killed}")).expect(OK).map_err(reworded)?;
    stand
        .call(PROBE)
        .how(format!("after a killed {killed} and a stop"))
        .expect(STOPPED)
        .map_err(reworded)?;
    if stand.is_leaky() {
        // The check process-left has said it: also without a kill something is left.
        return Ok(());
    }
    match stand.left_over()?.first() {
        Some(process) => {
            Err(reworded(Finding::broken(format!("stop has left {}", name_of(process)))))
        }
        None => Ok(()),
    }
}

fn start_killed(stand: &Stand<'_>) -> Judged {
    for after in points(measured(stand, State::Stopped, START)?) {
        stand.given(State::Stopped)?;
        let done = stand.call(START).how("killed half-way").kill_after(after).run()?;
        // One that was faster than usual was not killed: the stop after it has a check of its own.
        if done.cut_short {
            stop_cleans(stand, "start", after)?;
        }
    }
    Ok(())
}

fn stop_killed(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    for after in points(measured(stand, State::Running, STOP)?) {
        stand.given(State::Running)?;
        let done = stand.call(STOP).how("killed half-way").kill_after(after).run()?;
        // One that was faster than usual was not killed: what comes is a second stop, which has a
        // check of its own.
        if !done.cut_short {
            continue;
        }
        match stop_cleans(stand, "stop", after) {
            // So has one that was killed when all its work was done.
            Err(Finding::Violation(_)) if second_stop_fails(stand) => {
                return Err(Finding::unknown(
                    "a second stop fails, even when the first was not killed",
                ));
            }
            judged => judged?,
        }
    }
    Ok(())
}

/// Whether a second stop fails also after a first that came to its end.
fn second_stop_fails(stand: &Stand<'_>) -> bool {
    let stopped = || known(stand.ask(STOP)?).map(|done| done.is(OK));
    let fails = stand.given(State::Running).and_then(|()| Ok(stopped()? && !stopped()?));
    // Then the kill is to blame, as far as anyone knows.
    fails.unwrap_or(false)
}

fn monitor_killed(stand: &Stand<'_>) -> Judged {
    for after in points(measured(stand, State::Running, MONITOR)?) {
        stand.call(MONITOR).how("killed half-way").kill_after(after).run()?;
        stand.call(MONITOR).how("after a killed monitor").expect(RUNNING)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_spread_over_the_action_and_cost_little_time() {
        let short = points(Duration::from_millis(10));
        assert_eq!((short.len(), short[0]), (10, Duration::from_micros(500)));
        assert!(
            short.windows(2).all(|pair| pair[0] < pair[1]) && short[9] < Duration::from_millis(10)
        );
        for seconds in [1, 10, 60] {
            let all = points(Duration::from_secs(seconds));
            assert!(
                all.len() >= 2 && (all.len() == 2 || all.iter().sum::<Duration>() <= BUDGET),
                "{all:?}"
            );
        }
    }
}
