//! SIGKILL to the process group at any moment, as Pacemaker sends it at the time-out.

use std::time::Duration;

use crate::subject::Subject;
use crate::{Extent, Findings, dice};

/// Actions that change nothing of a resource that is well.
const HARMLESS: [&str; 4] = ["monitor", "probe", "validate-all", "reload-agent"];

fn rounds(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
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
            findings.tries += 1;
            let (seen, mut wrong) = subject.look(&subject.agent(), "monitor");
            if harmless && up && !subject.settled(true).whole {
                wrong.push("it has cost the service".to_owned());
            }
            // A stop after each of them takes long, and the next round needs a service.
            if !harmless || round + 1 == count {
                wrong.extend(subject.aftermath());
            }
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
    crate::for_each_agent!(|subject| rounds(subject, Extent::Whole), #[ignore = "takes minutes: \
        make test-slow"]);
}
