//! Every result of a call agrees with what the witnesses saw.

use super::super::deed::Deed;
use super::super::history::{Call, Event, History};
use super::super::witness::{INTERVAL, STALL};
use super::super::{UNIT, address_of, service_of};
use super::timeline::Fact;
use super::{Rule, Timeline, Violation, Window, violation};

/// How much later than it happened a witness may see something without a stall's mark, in seconds:
/// a look that just missed it, and the next one, each as late as is no stall yet.
pub(super) const SLACK: f64 = 2.0 * (INTERVAL.as_millis() + STALL.as_millis()) as f64 / 1000.0;

/// A monitor's result is about the last moments before its end, however long it has waited.
const CHECKED: f64 = 3.0;

pub(super) fn judge(history: &History, timeline: &Timeline, windows: &[Window]) -> Vec<Violation> {
    let stalls: Vec<(f64, f64)> = history
        .entries
        .iter()
        .filter_map(|entry| match entry.event {
            Event::Stall { seconds } => Some((entry.t - seconds, entry.t)),
            _ => None,
        })
        .collect();
    let said = history.calls().filter_map(|call| Some((call, call.ended?, call.code?)));
    let said = said.filter(|(call, ..)| !is_without_parameters(call, history, windows));
    let lie = |(call, ended, code): (&Call, f64, i32)| {
        let why = contradiction(call, ended, code, timeline, windows, &stalls)?;
        let text = format!(
            "{} of {} on {} said {code}{}, but {why}",
            call.action,
            call.resource,
            call.node,
            if call.reason.is_empty() { String::new() } else { format!(" ({})", call.reason) }
        );
        Some(violation(Rule::TrueResults, ended, text))
    };
    said.filter_map(lie).collect()
}

/// Whether a stop may know nothing of what runs: Pacemaker calls it without the resource's
/// parameters, for what is not configured any more has those of its last start alone, and a probe
/// discards them; and the agent has no record, for it has not started anything by this name.
fn is_without_parameters(call: &Call, history: &History, windows: &[Window]) -> bool {
    let named = windows.iter().rfind(|it| {
        it.deed == Deed::Rename && it.target == call.resource && it.began <= call.began
    });
    let Some(named) = named.filter(|it| call.action == "stop" && call.began < it.mended) else {
        return false;
    };
    let last = |action: &str, from: f64, to: f64| {
        history
            .calls()
            .filter(|it| it.resource == call.resource && it.node == call.node)
            .filter(|it| it.action == action && it.interval == 0 && it.code == Some(0))
            .map(|it| it.began)
            .filter(|began| (from..to).contains(began))
            .fold(f64::NEG_INFINITY, f64::max)
    };
    // The second name was taken back, and has only been probed.
    if call.began >= named.ended {
        return last("start", named.began, named.ended) == f64::NEG_INFINITY;
    }
    let started = last("start", f64::NEG_INFINITY, call.began);
    let cuts = history.entries.iter().filter(|entry| {
        matches!(&entry.event, Event::Power { node, on: false } if *node == call.node)
            && entry.t < call.began
    });
    let cut = cuts.map(|entry| entry.t).fold(f64::NEG_INFINITY, f64::max);
    let could_not_be_recorded = windows.iter().any(|it| {
        matches!(it.deed, Deed::StateFull | Deed::StateReadOnly)
            && it.node == call.node
            && (it.began..it.mended).contains(&started)
    });
    started <= last("stop", f64::NEG_INFINITY, call.began).max(cut) || could_not_be_recorded
}

fn contradiction(
    call: &Call,
    ended: f64,
    code: i32,
    timeline: &Timeline,
    windows: &[Window],
    stalls: &[(f64, f64)],
) -> Option<String> {
    let claims_to_run = match (call.action.as_str(), code) {
        ("start" | "monitor" | "reload-agent", 0) => true,
        ("stop", 0) | ("monitor", 7) => false,
        _ => return None,
    };
    let from = if call.action == "monitor" { call.began.max(ended - CHECKED) } else { call.began };
    // What a witness does not see while it stands still it sees after that; and in the order of
    // time, it may stand still again before it does.
    let seen = stalls.iter().fold(ended, |seen, (began, over)| {
        if *began <= seen + SLACK && *over >= from { seen.max(*over) } else { seen }
    });
    let (from, to) = (from - SLACK, seen + SLACK);
    let node = call.node.as_str();
    let ever = |fact: &Fact, wanted| timeline.ever(node, fact, from, to, wanted);
    if let Some(address) = address_of(&call.resource) {
        let fact = Fact::Address(address.to_owned());
        // An address on a device without a link does not work, and is said not to run.
        let linkless = !claims_to_run
            && call.action == "monitor"
            && windows.iter().any(|it| {
                matches!(it.deed, Deed::LinkDown | Deed::Cable | Deed::RenameLink | Deed::OneWay)
                    && it.target == node
                    && it.began <= to
                    && it.ended + SLACK >= from
            });
        return (!ever(&fact, claims_to_run) && !linkless).then(|| {
            let word = if claims_to_run { "had not" } else { "had" };
            format!("the kernel {word} {address} all the while")
        });
    }
    if call.resource == UNIT.0 {
        let runs = Fact::Runs(UNIT.1.to_owned());
        let word = if claims_to_run { "no process" } else { "processes" };
        return (!ever(&runs, claims_to_run))
            .then(|| format!("{word} of the unit ran all the while"));
    }
    let service = service_of(&call.resource)?;
    let runs = Fact::Runs(service.program.to_owned());
    if !ever(&runs, claims_to_run) {
        let word = if claims_to_run { "no process" } else { "processes" };
        return Some(format!("{word} of {} ran all the while", service.program));
    }
    let listens = Fact::Listens(service.port);
    if ["start", "stop"].contains(&call.action.as_str()) && !ever(&listens, claims_to_run) {
        let word = if claims_to_run { "nothing" } else { "something" };
        return Some(format!("{word} listened at port {} all the while", service.port));
    }
    // From its beginning on: what is stopped while a monitor waits is found by its next check.
    let frozen = Fact::Frozen(service.program.to_owned());
    let all_frozen = claims_to_run
        && call.action == "monitor"
        && !timeline.ever(node, &frozen, call.began - SLACK, to, false);
    all_frozen.then(|| format!("all processes of {} were stopped", service.program))
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{address, call, deed, done, history, processes};
    use super::super::windows;
    use super::*;

    fn found(events: Vec<(f64, Event)>) -> Vec<String> {
        let history = history(events);
        let found = judge(&history, &Timeline::of(&history), &windows(&history));
        found.into_iter().map(|it| it.found).collect()
    }

    fn with_address(call: Call) -> Vec<String> {
        found(vec![
            (1.0, address("node1", "10.9.0.50", true)),
            (20.0, address("node1", "10.9.0.50", false)),
            done(call),
        ])
    }

    #[test]
    fn a_result_about_an_address_must_be_true_at_some_moment_of_the_call() {
        assert_eq!(with_address(call("VIP4", "monitor", 5.0, 5.1, 0)), [] as [String; 0]);
        assert_eq!(with_address(call("VIP4", "monitor", 30.0, 30.1, 0)).len(), 1);
        assert_eq!(with_address(call("VIP4", "monitor", 5.0, 5.1, 7)).len(), 1);
        assert_eq!(with_address(call("VIP4", "stop", 5.0, 5.1, 0)).len(), 1);
        assert_eq!(with_address(call("VIP4", "stop", 19.9, 20.1, 0)), [] as [String; 0]);
        assert_eq!(with_address(call("VIP4", "start", 30.0, 30.1, 0)).len(), 1);
        // It waited for a minute, and missed that the address went.
        assert_eq!(with_address(call("VIP4", "monitor", 5.0, 65.0, 0)).len(), 1);
    }

    #[test]
    fn a_result_about_a_server_must_be_true_too() {
        let of = |call: Call| {
            found(vec![
                (1.0, processes("node1", "nginx", 3)),
                (1.0, Event::Port { node: "node1".into(), port: 80, there: true }),
                (20.0, processes("node1", "nginx", 0)),
                done(call),
            ])
        };
        assert_eq!(of(call("WEB", "monitor", 5.0, 5.1, 0)), [] as [String; 0]);
        assert_eq!(of(call("WEB", "monitor", 25.0, 25.1, 0)).len(), 1);
        assert_eq!(of(call("WEB", "start", -0.5, -0.4, 0)).len(), 1);
        assert_eq!(of(call("WEB", "monitor", 5.0, 5.1, 7)).len(), 1);
        assert_eq!(of(call("WEB", "stop", 5.0, 6.0, 0)).len(), 1);
        // Seen only after two stalls, one right after the other.
        let late = |second| {
            found(vec![
                (5.9, Event::Stall { seconds: 0.8 }),
                (second + 0.9, Event::Stall { seconds: 0.9 }),
                (second + 0.95, processes("node1", "nginx", 3)),
                (second + 0.95, Event::Port { node: "node1".into(), port: 80, there: true }),
                done(call("WEB", "start", 5.1, 5.3, 0)),
            ])
        };
        assert_eq!(late(6.0), [] as [String; 0]);
        assert_eq!(late(8.0).len(), 1);
        // The processes are gone, and the port is still in use.
        assert!(of(call("WEB", "stop", 19.0, 20.1, 0))[0].contains("port 80"));
    }

    #[test]
    fn a_result_about_the_unit_must_be_true_too() {
        let of = |call: Call| {
            found(vec![
                (1.0, processes("node1", UNIT.1, 1)),
                (20.0, processes("node1", UNIT.1, 0)),
                done(call),
            ])
        };
        assert_eq!(of(call("UNIT", "monitor", 5.0, 5.1, 0)), [] as [String; 0]);
        assert_eq!(of(call("UNIT", "monitor", 25.0, 25.1, 0)).len(), 1);
        assert_eq!(of(call("UNIT", "stop", 5.0, 6.0, 0)).len(), 1);
    }

    #[test]
    fn a_name_by_which_nothing_was_started_is_stopped_without_parameters() {
        let of = |started: Option<f64>, more: Vec<(f64, Event)>, stopped: f64| {
            let mut all = vec![(0.4, processes("node1", UNIT.1, 1))];
            all.extend(started.map(|at| done(call("UNIT", "start", at, at + 0.1, 0))));
            all.extend(more);
            all.extend([
                (6.0, deed(Deed::Rename, "UNIT", "node1", true)),
                (9.0, deed(Deed::Rename, "UNIT", "node1", false)),
                (12.0, Event::Mended { number: 0 }),
                done(call("UNIT", "stop", stopped, stopped + 0.1, 0)),
            ]);
            found(all).len()
        };
        assert_eq!((of(None, vec![], 6.5), of(None, vec![], 9.5)), (0, 0));
        // The second name has been probed alone, whatever the first one has started.
        assert_eq!(of(Some(0.5), vec![], 9.5), 0);
        // At another time; and where there is a record, of the first name or of the second.
        assert_eq!((of(None, vec![], 20.0), of(Some(0.5), vec![], 6.5)), (1, 1));
        assert_eq!(of(Some(7.0), vec![], 9.5), 1);
        // The record is gone, or could not be written.
        let cut = |on| Event::Power { node: "node1".into(), on };
        let again = vec![(2.0, cut(false)), (3.0, cut(true)), (4.0, processes("node1", UNIT.1, 1))];
        assert_eq!(of(Some(0.5), again, 6.5), 0);
        let full = |begins| (0.3, deed(Deed::StateFull, "", "node1", begins));
        assert_eq!(of(Some(0.5), vec![full(true), (1.0, full(false).1)], 6.5), 0);
    }

    #[test]
    fn a_server_that_is_stopped_by_a_signal_is_not_healthy() {
        let frozen = |count| Event::Processes {
            node: "node1".into(),
            program: "nginx".into(),
            count,
            stopped: 3,
        };
        let of =
            |count| found(vec![(1.0, frozen(count)), done(call("WEB", "monitor", 5.0, 5.2, 0))]);
        assert_eq!(of(4), [] as [String; 0]);
        assert_eq!(of(3).len(), 1);
    }

    #[test]
    fn an_address_without_a_link_does_not_run() {
        let with_link_down = vec![
            (1.0, address("node1", "10.9.0.50", true)),
            (4.0, deed(Deed::LinkDown, "node1", "node1", true)),
            (9.0, deed(Deed::LinkDown, "node1", "node1", false)),
            done(call("VIP4", "monitor", 5.0, 5.2, 7)),
        ];
        assert_eq!(found(with_link_down), [] as [String; 0]);
    }
}
