//! With fencing or quorum, never do two nodes answer for one address for longer than it takes to
//! announce it.

use std::collections::BTreeMap;

use super::super::deed::Deed;
use super::super::history::{Event, History};
use super::{Rule, Violation, Window, violation};

/// The first repetitions of an announcement, in seconds.
const ANNOUNCED: f64 = 1.0;

/// As long as a node without quorum, and without fencing, may have what others have taken: both
/// begin when they miss each other, and Pacemaker 2.1 may sleep a second before it decides to stop.
const PARTED: f64 = 3.0;

/// As long as both may go on where such a node is back before it has begun to stop: Pacemaker lets
/// all nodes join and elects who decides, and only then finds what runs twice, and stops both.
const REJOINED: f64 = 8.0;

/// How long after such a deed a node without fencing may still have what others have taken, in
/// seconds.
const UNFENCED: f64 = 30.0;

pub(super) fn judge(history: &History, windows: &[Window]) -> Vec<Violation> {
    let fencing = history.plan().is_some_and(|plan| plan.fencing);
    let mut since: BTreeMap<&str, (f64, &[String])> = BTreeMap::new();
    let mut found = Vec::new();
    let mut close = |address: &str, from: f64, to: f64, nodes: &[String]| {
        let limit = match fencing {
            false if rejoined(windows, from) => REJOINED,
            false if parted(windows, from) => PARTED,
            _ => ANNOUNCED,
        };
        if to - from > limit && (fencing || !excused(windows, from)) {
            let nodes = nodes.join(" and ");
            found.push(violation(
                Rule::OneOwner,
                from,
                format!("{nodes} answer for {address}, {:.1} s long", to - from),
            ));
        }
    };
    for entry in &history.entries {
        let Event::Answer { address, nodes } = &entry.event else { continue };
        let open = since.remove(address.as_str());
        match (open, nodes.len() > 1) {
            (None, true) => {
                since.insert(address, (entry.t, nodes));
            }
            (Some(open), true) => {
                since.insert(address, open);
            }
            (Some((from, nodes)), false) => close(address, from, entry.t, nodes),
            (None, false) => {}
        }
    }
    for (address, (from, nodes)) in since {
        close(address, from, history.end(), nodes);
    }
    found
}

/// Whether a node has lost the others.
fn parted(windows: &[Window], t: f64) -> bool {
    windows.iter().any(|it| it.deed.parts() && t >= it.began && t <= it.mended)
}

/// Whether a node that had lost the others is just back.
fn rejoined(windows: &[Window], t: f64) -> bool {
    windows.iter().any(|it| it.deed.loses() && (t - it.ended).abs() <= PARTED)
}

/// Without fencing Pacemaker takes a node for dead whose controller is, and starts elsewhere what
/// runs there still. Quorum does not help: the node has it.
fn excused(windows: &[Window], t: f64) -> bool {
    windows.iter().any(|it| {
        matches!(it.deed, Deed::KillController | Deed::KillExecutor | Deed::OneWay)
            && t >= it.began
            && t <= it.mended + UNFENCED
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::Plan;
    use super::super::made_up::{deed, history, with_plan};
    use super::super::windows;
    use super::*;

    fn answer(nodes: &[&str]) -> Event {
        let nodes = nodes.iter().map(|it| (*it).to_owned()).collect();
        Event::Answer { address: "10.9.0.50".into(), nodes }
    }

    fn judged(history: &History) -> Vec<Violation> {
        judge(history, &windows(history))
    }

    #[test]
    fn two_nodes_may_answer_while_it_is_announced_and_no_longer() {
        let after = |seconds: f64| {
            judged(&history(vec![
                (5.0, answer(&["node1"])),
                (6.0, answer(&["node1", "node2"])),
                (6.0 + seconds, answer(&["node2"])),
            ]))
        };
        assert_eq!(after(0.6), []);
        assert_eq!(after(1.4).len(), 1);
        let to_the_end = history(vec![(6.0, answer(&["a", "b"])), (8.0, answer(&["a", "b"]))]);
        assert_eq!(judged(&to_the_end).len(), 1);
    }

    #[test]
    fn a_node_without_quorum_and_fencing_may_take_three_seconds() {
        let of = |seed, seconds: f64| {
            judged(&with_plan(
                Plan::of(seed, 60, "native"),
                vec![
                    (5.0, deed(Deed::DeleteRoute, "node1", "node1", true)),
                    (6.0, answer(&["node1", "node2"])),
                    (6.0 + seconds, answer(&["node2"])),
                    (20.0, Event::Mended { number: 0 }),
                ],
            ))
        };
        assert_eq!(of(0, 2.0), []);
        assert_eq!((of(0, 4.0).len(), of(2, 2.0).len()), (1, 1));
    }

    #[test]
    fn a_node_that_is_back_before_it_stops_may_take_as_long_as_a_join() {
        let of = |seed, back: f64, seconds: f64| {
            judged(&with_plan(
                Plan::of(seed, 60, "native"),
                vec![
                    (5.0, deed(Deed::Cable, "node1", "node1", true)),
                    (back, deed(Deed::Cable, "node1", "node1", false)),
                    (8.0, answer(&["node1", "node2"])),
                    (8.0 + seconds, answer(&["node2"])),
                    (30.0, Event::Mended { number: 0 }),
                ],
            ))
            .len()
        };
        assert_eq!((of(0, 7.8, 5.0), of(0, 7.8, 9.0)), (0, 1));
        assert_eq!((of(0, 14.0, 5.0), of(2, 7.8, 5.0)), (1, 1));
    }

    #[test]
    fn a_controller_that_died_excuses_only_a_cluster_without_fencing() {
        let of = |seed| {
            judged(&with_plan(
                Plan::of(seed, 60, "native"),
                vec![
                    (5.0, deed(Deed::KillController, "node1", "node1", true)),
                    (6.0, answer(&["node1", "node2"])),
                    (9.0, answer(&["node2"])),
                ],
            ))
        };
        assert_eq!(of(0), []);
        assert_eq!(of(2).len(), 1);
    }
}
