//! Start, stop and monitor in every state.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::ask::{Ask, MONITOR, PROBE, START, STOP};
use crate::call::{Done, choice};
use crate::check::{Check, OK, Proof, RUNNING, STOPPED, State, Step, Weight};
use crate::stand::{Stand, known};
use crate::verdict::{Finding, Judged};

const IDEMPOTENT: &str = "OCF 1.1, Resource Agent Actions: actions must be idempotent; doing \
    again what is done must be successful";
const LEVELS: &str =
    "OCF 1.1, Check Levels: if a level is not implemented, the next lower one should be performed";

/// How much longer than a probe a first monitor may take: for what it looks at besides, not for
/// waiting.
const PROMPT: Duration = Duration::from_secs(1);

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "probe-stopped",
        says: "a probe of a stopped resource gives 7",
        clause: "OCF 1.1, Exit Status Codes: 7, the service is completely stopped",
        fix: "make monitor tell the absence of the resource (7) from a failure (1); a probe has \
            no interval",
        costs: "Pacemaker takes the resource for active or failed where it is not, and stops or \
            restarts it",
        weight: Weight::Must,
        proof: Proof::Alone(probe_stopped),
    },
    Check {
        id: "monitor-stopped",
        says: "a recurring monitor of a stopped resource gives 7",
        clause: "OCF 1.1, Exit Status Codes: 7, the service is completely stopped",
        fix: "make monitor tell the absence of the resource (7) from a failure (1)",
        costs: "a service that was stopped outside the cluster counts as failed in another way, \
            or as running",
        weight: Weight::Must,
        proof: Proof::Steps(&[Step::Given(State::Stopped), Step::Call(MONITOR, STOPPED)]),
    },
    Check {
        id: "probe-forms",
        says: "a monitor whose interval is unset, empty or 0 is a probe, even if programs are \
            missing",
        clause: "Pacemaker leaves the interval unset in probes (lib/pengine/pe_actions.c); \
            crm_resource --force-check as well",
        fix: "treat unset, empty and 0 alike, as a probe: 7 if the resource cannot be here",
        costs: "a probe on a node without the software fails: Pacemaker stops the resource there, \
            and fences if that fails",
        weight: Weight::Must,
        proof: Proof::Alone(probe_forms),
    },
    Check {
        id: "stop-stopped",
        says: "stop of a stopped resource succeeds",
        clause: "OCF 1.1, stop: must succeed if the resource is already stopped",
        fix: "exit with 0 when there is nothing to stop: a failed stop fences the node",
        costs: "a failed stop fences the node, although nothing was running",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            Step::Given(State::Stopped),
            Step::Call(STOP, OK),
            Step::Call(PROBE, STOPPED),
        ]),
    },
    Check {
        id: "start",
        says: "start succeeds",
        clause: "OCF 1.1, start: must bring the resource instance online and make it available \
            for use",
        fix: "give with -o what the resource needs, or see the reason",
        costs: "the service is down",
        weight: Weight::Must,
        proof: Proof::Steps(&[Step::Given(State::Stopped), Step::Call(START, OK)]),
    },
    Check {
        id: "probe-running",
        says: "when start has returned, a probe sees the resource run",
        clause: "OCF 1.1, start: should not terminate before the resource has been fully started",
        fix: "let start wait until monitor succeeds",
        costs: "Pacemaker starts the service elsewhere as well, or recovers what is well",
        weight: Weight::Must,
        proof: Proof::Alone(|stand| after_start(stand, PROBE)),
    },
    Check {
        id: "monitor-running",
        says: "when start has returned, a recurring monitor sees the resource run",
        clause: "OCF 1.1, monitor: 0 if the service is properly active",
        fix: "let start wait until monitor succeeds; the interval is no reason for another answer",
        costs: "Pacemaker recovers a service that is well, again and again",
        weight: Weight::Must,
        proof: Proof::Alone(|stand| after_start(stand, MONITOR)),
    },
    Check {
        id: "first-monitor-prompt",
        says: "the first recurring monitor after a start answers as soon as a probe does",
        clause: "a first run is part of the cluster's transition, which waits for it \
            (pcmk_graph_consumer.c); a later one is not",
        fix: "let a monitor wait for events only when the last one has ended an interval ago",
        costs: "while a first monitor waits, the cluster recovers nothing else: a resource that \
            fails meanwhile stays down",
        weight: Weight::Should,
        proof: Proof::Alone(first_monitor),
    },
    Check {
        id: "status",
        says: "status answers as monitor does",
        clause: "OCF 1.1, Relation to the LSB: status is what init scripts call monitor",
        fix: "let status do what monitor does, or drop it",
        costs: "people who ask status get another answer than the cluster",
        weight: Weight::Should,
        proof: Proof::Steps(&[
            Step::Advertised("status"),
            Step::Given(State::Stopped),
            Step::Call(Ask::words(&["status"]), STOPPED),
            Step::Given(State::Running),
            Step::Call(Ask::words(&["status"]), RUNNING),
        ]),
    },
    Check {
        id: "start-running",
        says: "start of a running resource succeeds, and it runs on",
        clause: "OCF 1.1, start: must succeed if the resource instance is already running",
        fix: "look first: exit with 0 when monitor would",
        costs: "Pacemaker starts what runs already after a lost result: a failure, or a second \
            instance",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            Step::Given(State::Running),
            Step::Call(START, OK),
            Step::Call(PROBE, RUNNING),
        ]),
    },
    Check {
        id: "stop",
        says: "stop of a running resource succeeds, and nothing runs afterwards",
        clause: "OCF 1.1, stop: after it has completed, no component of the resource shall remain \
            active",
        fix: "wait until all is gone; the time-out is the cluster's business",
        costs: "the node is fenced, or the service starts elsewhere while it still runs here",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            Step::Given(State::Running),
            Step::Call(STOP, OK),
            Step::Call(PROBE, STOPPED),
        ]),
    },
    Check {
        id: "stop-twice",
        says: "a second stop succeeds",
        clause: IDEMPOTENT,
        fix: "do not rely on what the first stop has removed",
        costs: "a stop that is repeated after a lost result fails, and the node is fenced",
        weight: Weight::Must,
        proof: Proof::Alone(stop_twice),
    },
    Check {
        id: "two-starts",
        says: "after two starts, one stop is enough",
        clause: "OCF 1.1, start of a running resource does not change its state; after stop \
            nothing shall remain active",
        fix: "let start of a running resource do nothing",
        costs: "a second instance runs on after stop: data are written from two nodes",
        weight: Weight::Must,
        proof: Proof::Alone(two_starts),
    },
    Check {
        id: "restart",
        says: "a resource that was stopped can be started again",
        clause: "OCF 1.1, stop: it must be possible to start it on the same node or another node",
        fix: "let stop remove what start refuses to find",
        costs: "the service cannot be recovered on its node",
        weight: Weight::Must,
        proof: Proof::Alone(restart),
    },
    Check {
        id: "monitor-depths",
        says: "each advertised depth of monitor is right in both states",
        clause: "OCF 1.1, Check Levels: levels are advertised by the attribute depth",
        fix: "implement the level, or do not advertise it",
        costs: "the deeper monitor restarts a healthy service, or sees a dead one as healthy",
        weight: Weight::Must,
        proof: Proof::Alone(monitor_depths),
    },
    Check {
        id: "unsupported-depth",
        says: "a check level that the agent does not have is the next lower one",
        clause: LEVELS,
        fix: "compare levels with at-least, not with equality",
        costs: "a monitor with a level that the agent does not know restarts a healthy service",
        weight: Weight::Should,
        proof: Proof::Alone(unsupported_depth),
    },
    Check {
        id: "check-level-garbage",
        says: "a check level that is no number is taken as level 0",
        clause: LEVELS,
        fix: "read nonsense as 0",
        costs: "a level that is no number is a mistake in the configuration, which shows at the \
            first monitor",
        weight: Weight::May,
        proof: Proof::Alone(check_level_garbage),
    },
    Check {
        id: "monitors-at-once",
        says: "two monitors at the same time both see the resource run",
        clause: "Pacemaker Explained, Resource Operations: monitors with different intervals may \
            overlap",
        fix: "share no temporary file between two calls",
        costs: "two monitors that meet make a healthy service look failed, once in a while",
        weight: Weight::Must,
        proof: Proof::Alone(monitors_at_once),
    },
    Check {
        id: "monitor-during-start",
        says: "a monitor during start does not disturb it",
        clause: "OCF 1.1, Resource Agent Actions: an agent should not assume that it is the only \
            one that runs",
        fix: "let monitor change nothing",
        costs: "a monitor that meets a start makes it fail, or leaves a service half started",
        weight: Weight::Must,
        proof: Proof::Alone(monitor_during_start),
    },
];

/// The very first finding about the resource: whatever it is, it is not brought to a state first.
fn probe_stopped(stand: &Stand<'_>) -> Judged {
    stand.expect(PROBE, STOPPED).map(drop)
}

fn probe_forms(stand: &Stand<'_>) -> Judged {
    stand.given(State::Stopped)?;
    for missing in [false, true] {
        for ask in [PROBE, PROBE.every(""), PROBE.every("0")] {
            let mut call = stand.call(ask);
            if missing {
                // What the library of the shell agents reads as "no program is installed".
                call = call.how("programs missing").env("OCF_TESTER_FAIL_HAVE_BINARY", "1");
            }
            call.expect(if missing { &[7, 5] } else { STOPPED })?;
        }
    }
    Ok(())
}

/// Starts, and asks at once.
fn after_start(stand: &Stand<'_>, ask: Ask) -> Judged {
    stand.given(State::Stopped)?;
    stand.presume(START, OK)?;
    stand.expect(ask, RUNNING).map(drop)
}

/// Twice, for a busy machine may be slow once. The interval is one that makes waiting worth while.
fn first_monitor(stand: &Stand<'_>) -> Judged {
    let mut slow = None;
    for _ in 0..2 {
        stand.given(State::Stopped)?;
        stand.presume(START, OK)?;
        let first = known(stand.ask(PROBE.every("1000"))?)?;
        let probe = known(stand.ask(PROBE)?)?;
        let (took, usual) = (first.ended.elapsed, probe.ended.elapsed);
        if took <= usual + PROMPT {
            return Ok(());
        }
        slow = Some(format!(
            "{} took {:.1} s, a probe {:.1} s",
            first.what,
            took.as_secs_f32(),
            usual.as_secs_f32()
        ));
    }
    slow.map_or(Ok(()), |slow| Err(Finding::broken(slow)))
}

fn stop_twice(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    stand.given(State::Running)?;
    stand.presume(STOP, OK)?;
    stand.expect(STOP, OK)?;
    stand.expect(PROBE, STOPPED).map(drop)
}

fn two_starts(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    stand.given(State::Running)?;
    stand.presume(START, OK)?;
    stand.expect(STOP, OK)?;
    stand.expect(PROBE, STOPPED).map(drop)
}

fn restart(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    stand.given(State::Running)?;
    stand.presume(STOP, OK)?;
    stand.expect(START, OK)?;
    stand.expect(PROBE, RUNNING).map(drop)
}

fn monitor_depths(stand: &Stand<'_>) -> Judged {
    let depths = stand.metadata.depths("monitor");
    if depths.iter().all(|depth| *depth == 0) {
        return Err(Finding::unknown("the meta-data advertise no other depth than 0"));
    }
    let mut unconfigured = Ok(());
    for (state, codes) in [(State::Stopped, STOPPED), (State::Running, RUNNING)] {
        stand.given(state)?;
        stand.presume(MONITOR, codes)?;
        for depth in &depths {
            let done = at_level(stand, &depth.to_string())?;
            if done.is(&[2, 5, 6]) {
                unconfigured = Err(Finding::unknown(format!(
                    "{}: give the parameters that this depth needs",
                    done.summary()
                )));
            } else if !done.is(codes) {
                return Err(Finding::broken(format!(
                    "{}; expected {}",
                    done.summary(),
                    choice(codes)
                )));
            }
        }
    }
    unconfigured
}

/// What a running resource's monitor answers at a level.
fn at_level(stand: &Stand<'_>, level: &str) -> Result<Done, Finding> {
    known(
        stand
            .call(MONITOR)
            .env("OCF_CHECK_LEVEL", level)
            .how(format!("check level {level:?}"))
            .run()?,
    )
}

/// Whether both levels get the same answer. Which one that is, is another check's matter.
fn alike(stand: &Stand<'_>, level: &str, as_level: u32) -> Judged {
    let (done, usual) = (at_level(stand, level)?, at_level(stand, &as_level.to_string())?);
    if done.code() == usual.code() || done.is(RUNNING) {
        return Ok(());
    }
    Err(Finding::broken(format!("{}; level {as_level} {}", done.summary(), usual.ending())))
}

fn unsupported_depth(stand: &Stand<'_>) -> Judged {
    let depths = stand.metadata.depths("monitor");
    stand.given(State::Running)?;
    stand.presume(MONITOR, RUNNING)?;
    [1, 7, 9999].into_iter().filter(|level| !depths.contains(level)).try_for_each(|level| {
        let lower = depths.iter().rev().find(|depth| **depth < level).copied().unwrap_or(0);
        alike(stand, &level.to_string(), lower)
    })
}

fn check_level_garbage(stand: &Stand<'_>) -> Judged {
    stand.given(State::Running)?;
    stand.presume(MONITOR, RUNNING)?;
    ["", "abc", "-1"].into_iter().try_for_each(|level| alike(stand, level, 0))?;
    // More than any number type holds: nonsense to one reader, the deepest level to another.
    let deepest = stand.metadata.depths("monitor").last().copied().unwrap_or(0);
    let huge = "99999999999999999999";
    alike(stand, huge, deepest).or_else(|trouble| alike(stand, huge, 0).map_err(|_| trouble))
}

fn monitors_at_once(stand: &Stand<'_>) -> Judged {
    stand.given(State::Running)?;
    stand.presume(MONITOR, RUNNING)?;
    for _ in 0..4 {
        std::thread::scope(|scope| {
            let both = [0, 1]
                .map(|_| scope.spawn(|| stand.call(MONITOR).how("two at once").expect(RUNNING)));
            both.into_iter().try_for_each(|thread| joined(thread.join())?.map(drop))
        })?;
    }
    Ok(())
}

fn monitor_during_start(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    for _ in 0..3 {
        stand.given(State::Stopped)?;
        std::thread::scope(|scope| {
            let start =
                scope.spawn(|| stand.call(START).how("with a monitor beside it").expect(OK));
            let monitor = stand.call(MONITOR).how("during start").run();
            joined(start.join())??;
            monitor.map(drop)
        })?;
        stand.expect(PROBE, RUNNING)?;
    }
    Ok(())
}

/// What a thread gave; a panic in it is a fault of the tester.
fn joined<T>(thread: std::thread::Result<T>) -> Result<T, Finding> {
    thread.map_err(|_| Finding::unknown("a thread of the tester panicked"))
}
