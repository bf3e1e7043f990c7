//! Ten seconds after the faults everything runs that can run, nothing twice, and nothing is left.

use super::super::history::{Event, History};
use super::super::plan::Plan;
use super::super::{CLONED, NODES, SERVICES, UNIT, node_name};
use super::timeline::Fact;
use super::{Rule, Timeline, Violation, violation};

/// From the end of the faults, in seconds.
const LIMIT: f64 = 10.0;

/// From the beginning of calm until this looks, in seconds: the cluster misses what no client asks
/// for with its next monitor, two seconds later at most, and no deed is done for three seconds.
const SETTLED: f64 = 2.8;

pub(super) fn judge(history: &History, timeline: &Timeline) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut mended = None;
    let mut stalled = 0.0;
    let cloned = history.plan().is_some_and(Plan::has_clone);
    let unit = history.plan().is_some_and(|plan| plan.systemd);
    for entry in &history.entries {
        match &entry.event {
            Event::Mended { .. } => (mended, stalled) = (Some(entry.t), 0.0),
            // The machine took that time from the cluster.
            Event::Stall { seconds } => stalled += seconds,
            Event::Restless { view, .. } => {
                found.push(violation(
                    Rule::AtRest,
                    entry.t,
                    format!("it does not get well: {view}"),
                ));
                mended = None;
            }
            Event::Calm { .. } => {
                let from = mended.take().unwrap_or(entry.t);
                let took = entry.t - from;
                let held = history
                    .outlived()
                    .map(|(since, until)| (until.min(entry.t) - since.max(from)).max(0.0));
                if took > LIMIT + stalled + held.sum::<f64>() {
                    let text = format!("all was well only {took:.1} s after the faults");
                    found.push(violation(Rule::AtRest, entry.t, text));
                }
                let wrong = wrong(timeline, entry.t + SETTLED, cloned, unit);
                found.extend(wrong.into_iter().map(|it| violation(Rule::AtRest, entry.t, it)));
            }
            _ => {}
        }
    }
    found
}

/// What is not as it must be at a moment of rest.
fn wrong(timeline: &Timeline, t: f64, cloned: bool, unit: bool) -> Vec<String> {
    let nodes: Vec<String> = (1..=NODES).map(node_name).collect();
    let with = |fact: &Fact| -> Vec<&str> {
        nodes.iter().filter(|it| timeline.at(it, fact, t)).map(String::as_str).collect()
    };
    let mut wrong = Vec::new();
    for service in &SERVICES {
        let runs = with(&Fact::Runs(service.program.to_owned()));
        if runs.len() != 1 {
            wrong.push(format!("{} runs on {}", service.program, list(&runs)));
        }
        for (id, address) in service.addresses {
            let has = with(&Fact::Address((*address).to_owned()));
            if has != runs || has.len() != 1 {
                wrong.push(format!(
                    "{id} is on {}, {} on {}",
                    list(&has),
                    service.program,
                    list(&runs)
                ));
            }
        }
    }
    let runs = with(&Fact::Runs(UNIT.1.to_owned()));
    if unit && runs.len() != 1 {
        wrong.push(format!("the unit runs on {}", list(&runs)));
    }
    let has = with(&Fact::Address(CLONED.1.to_owned()));
    if cloned && has.len() != NODES {
        wrong.push(format!("the cloned address is on {}", list(&has)));
    }
    wrong
}

fn list(nodes: &[&str]) -> String {
    if nodes.is_empty() { "no node".to_owned() } else { nodes.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::super::history::Call;
    use super::super::made_up::{address, call, done, history, processes};
    use super::*;

    fn found(more: Vec<(f64, Event)>) -> Vec<String> {
        let mut events = vec![
            (0.5, address("node1", "10.9.0.50", true)),
            (0.5, address("node1", "2001:db8:9::50", true)),
            (0.5, address("node2", "10.9.0.60", true)),
            (0.5, address("node3", "10.9.0.70", true)),
            (0.5, processes("node1", "nginx", 2)),
            (0.5, processes("node2", "haproxy", 2)),
            (0.5, processes("node3", "apache2", 2)),
        ];
        let cloned = ["node1", "node2", "node3"].map(|node| (0.5, address(node, CLONED.1, true)));
        events.extend(cloned);
        events.extend(more);
        let history = history(events);
        judge(&history, &Timeline::of(&history)).into_iter().map(|it| it.found).collect()
    }

    #[test]
    fn ten_seconds_are_enough() {
        let after = |seconds: f64| {
            found(vec![
                (20.0, Event::Mended { number: 0 }),
                (20.0 + seconds, Event::Calm { number: Some(0) }),
            ])
        };
        assert_eq!(after(9.0), [] as [String; 0]);
        assert_eq!(after(11.0).len(), 1);
        let held = |cancelled| {
            let call = call("VIP4", "monitor", 20.1, 50.0, 0);
            found(vec![
                (20.0, Event::Mended { number: 0 }),
                done(Call { cancelled, ..call }),
                (55.0, Event::Calm { number: Some(0) }),
            ])
        };
        assert_eq!((held(Some(20.2)).len(), held(None).len()), (0, 1));
        let never = Event::Restless { number: 0, view: "WEB Stopped".into() };
        assert_eq!(found(vec![(50.0, never)]).len(), 1);
    }

    #[test]
    fn nothing_runs_twice_and_nothing_is_left() {
        let calm = (30.0, Event::Calm { number: Some(0) });
        assert_eq!(found(vec![calm.clone()]), [] as [String; 0]);
        let twice = found(vec![(5.0, processes("node2", "nginx", 1)), calm.clone()]);
        assert!(twice[0].contains("node1, node2"), "{twice:?}");
        let left = found(vec![(5.0, address("node2", "10.9.0.50", true)), calm.clone()]);
        assert!(left[0].contains("VIP4 is on node1, node2"), "{left:?}");
        let gone = found(vec![(5.0, address("node2", CLONED.1, false)), calm]);
        assert!(gone[0].contains("cloned"), "{gone:?}");
    }
}
