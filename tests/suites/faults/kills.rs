//! SIGKILL to the process group at any moment, as Pacemaker sends it at the time-out.

use std::time::Duration;

use crate::subject::Subject;
use crate::{Extent, Findings, dice};

fn rounds(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
    let mut findings = Findings::default();
    let count = if extent == Extent::Whole { 100 } else { 3 };
    let mut dice = dice(subject.kind);
    for action in ["start", "stop"] {
        let up = action == "stop" && subject.starts();
        // How long the whole action takes, and a little more.
        subject.prepare(up, action);
        let whole = subject.call(&subject.agent(), action).elapsed.mul_f64(1.2);
        for round in 0..count {
            subject.prepare(up, action);
            let delay = Duration::from_micros(dice.below(whole.as_micros() as usize) as u64);
            let killed = subject.call(&subject.agent().kill_after(delay), action);
            findings.tries += 1;
            let (seen, mut wrong) = subject.look(&subject.agent(), "monitor");
            wrong.extend(subject.aftermath());
            let occasion =
                format!("{} {action}, round {round}, killed after {delay:?}", subject.kind);
            findings
                .add(&occasion, wrong.into_iter().map(|text| format!("{text}\n{killed}\n{seen}")));
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
    crate::for_each_agent!(|subject| rounds(subject, Extent::Whole), #[ignore = "takes minutes: make test-slow"]);
}
