//! SIGKILL: to the process group at any moment, as Pacemaker sends it at the time-out, and to the
//! process that is about to make a change.

use std::time::Duration;

use harness::Outcome;

use crate::calls::{occurrences, take_trace, traced};
use crate::subject::Subject;
use crate::{Extent, Findings, dice};

/// Actions that change nothing of a resource that is well.
const HARMLESS: [&str; 4] = ["monitor", "probe", "validate-all", "reload-agent"];

/// Looks at what a killed action has left: whether the service works, where it did before and the
/// action was not to change that, and whether a stop ends it all, where one is wanted.
fn judge(
    subject: &Subject,
    occasion: &str,
    killed: &Outcome,
    (works, stops): (bool, bool),
    findings: &mut Findings,
) {
    findings.tries += 1;
    let (seen, mut wrong) = subject.look(&subject.agent(), "monitor");
    if works && !subject.settled(true).whole {
        wrong.push("it has cost the service".to_owned());
    }
    if stops {
        wrong.extend(subject.aftermath());
    }
    let wrong = wrong.into_iter().map(|text| format!("{text}\n{killed}\n{seen}"));
    findings.add(&format!("{} {occasion}", subject.kind), wrong);
}

fn rounds(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
    subject.learn_clean();
    let mut findings = Findings::default();
    let mut dice = dice(subject.kind);
    for action in ["start", "stop"].into_iter().chain(HARMLESS) {
        let harmless = HARMLESS.contains(&action);
        let up = action != "start" && subject.starts();
        let count = match extent {
            Extent::Whole => 100,
            Extent::Sample if harmless => 1,
            Extent::Sample => 3,
        };
        // How long the whole action takes, and a little more.
        subject.prepare(up, action);
        let whole = subject.call(&subject.agent(), action).elapsed.mul_f64(1.2);
        for round in 0..count {
            subject.prepare(up, action);
            let delay = Duration::from_micros(dice.below(whole.as_micros() as usize) as u64);
            let killed = subject.call(&subject.agent().kill_after(delay), action);
            // A stop after each of them takes long, and the next round needs a service.
            let stops = !harmless || round + 1 == count;
            let occasion = format!("{action}, round {round}, killed after {delay:?}");
            judge(&subject, &occasion, &killed, (harmless && up, stops), &mut findings);
        }
    }
    findings.expect_none(&format!("kills of {}", subject.kind));
}

mod after_some_kills_monitors_are_honest_and_stop_leaves_nothing {
    use super::*;
    crate::for_each_agent!(|subject| rounds(subject, Extent::Sample));
}

mod after_a_kill_at_any_moment_monitors_are_honest_and_stop_leaves_nothing {
    use super::*;
    crate::for_each_agent!(|subject| rounds(subject, Extent::Whole), #[ignore = "takes minutes: \
        make test-slow"]);
}

/// Calls by which something changes that others can see.
const CHANGING: [&str; 24] = [
    "bind",
    "chown",
    "clone",
    "clone3",
    "connect",
    "execve",
    "fchmod",
    "fchown",
    "flock",
    "ftruncate",
    "kill",
    "mkdir",
    "mkdirat",
    "openat",
    "pidfd_send_signal",
    "rename",
    "renameat",
    "rmdir",
    "sendmsg",
    "sendto",
    "symlink",
    "unlink",
    "unlinkat",
    "write",
];

/// Kills a process before its Nth call of a name, for all of them that an action makes.
fn before_each_change(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
    subject.learn_clean();
    let mut findings = Findings::default();
    let mut dice = dice(&format!("{} changes", subject.kind));
    for action in ["start", "stop", "monitor", "reload-agent"] {
        let harmless = HARMLESS.contains(&action);
        let up = action != "start" && subject.starts();
        subject.prepare(up, action);
        traced(&subject, &[], action);
        let counts = occurrences(&take_trace(&subject));
        let changing = counts.iter().filter(|(call, _)| CHANGING.contains(&call.as_str()));
        let mut moments: Vec<(&str, usize)> = changing
            .flat_map(|(call, count)| (1..=*count).map(|occurrence| (call.as_str(), occurrence)))
            .collect();
        if extent == Extent::Sample {
            let count = if harmless { 1 } else { 2 };
            moments = (0..count).map(|_| moments[dice.below(moments.len())]).collect();
        }
        for (call, occurrence) in moments {
            subject.prepare(up, action);
            let expression = format!("inject={call}:signal=KILL:when={occurrence}");
            let killed = traced(&subject, &["-e", &expression], action);
            take_trace(&subject);
            let occasion = format!("{action}, {expression}");
            judge(&subject, &occasion, &killed, (harmless && up, true), &mut findings);
        }
    }
    findings.expect_none(&format!("kills of {} before changes", subject.kind));
}

mod killed_before_some_changes_it_leaves_nothing_that_a_stop_does_not_take_away {
    use super::*;
    crate::for_each_agent!(|subject| before_each_change(subject, Extent::Sample));
}

mod killed_before_any_change_it_leaves_nothing_that_a_stop_does_not_take_away {
    use super::*;
    crate::for_each_agent!(|subject| before_each_change(subject, Extent::Whole), #[ignore = "takes \
        minutes: make test-slow"]);
}
