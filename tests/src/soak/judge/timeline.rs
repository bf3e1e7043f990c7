//! What was true on a node at any moment, by the witnesses.

use std::collections::BTreeMap;

use super::super::history::{Event, History};

/// Something about a node that is true or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The kernel has the address.
    Address(String),
    /// Processes of a program run.
    Runs(String),
    /// All processes of a program are stopped by a signal.
    Frozen(String),
    /// Something listens at a port.
    Listens(u16),
    /// It has no power.
    Dark,
}

/// All facts of all nodes, with the moments at which they changed.
#[derive(Debug, Default)]
pub struct Timeline {
    facts: BTreeMap<(String, Fact), Vec<(f64, bool)>>,
}

impl Timeline {
    /// Reads a history.
    #[must_use]
    pub fn of(history: &History) -> Timeline {
        let mut timeline = Timeline::default();
        for entry in &history.entries {
            match &entry.event {
                Event::Address { node, address, there } => {
                    timeline.note(node, Fact::Address(address.clone()), entry.t, *there);
                }
                Event::Processes { node, program, count, stopped } => {
                    timeline.note(node, Fact::Runs(program.clone()), entry.t, *count > 0);
                    let frozen = *count > 0 && count == stopped;
                    timeline.note(node, Fact::Frozen(program.clone()), entry.t, frozen);
                }
                Event::Port { node, port, there } => {
                    timeline.note(node, Fact::Listens(*port), entry.t, *there);
                }
                Event::Power { node, on } => {
                    timeline.note(node, Fact::Dark, entry.t, !on);
                    if !on {
                        timeline.clear(node, entry.t);
                    }
                }
                _ => {}
            }
        }
        timeline
    }

    fn note(&mut self, node: &str, fact: Fact, t: f64, is: bool) {
        let changes = self.facts.entry((node.to_owned(), fact)).or_default();
        if changes.last().map_or(is, |(_, last)| *last != is) {
            changes.push((t, is));
        }
    }

    /// Without power nothing is there.
    fn clear(&mut self, node: &str, t: f64) {
        let all = self
            .facts
            .iter_mut()
            .filter(|((where_, fact), _)| where_ == node && *fact != Fact::Dark);
        for (_, changes) in all {
            if changes.last().is_some_and(|(_, last)| *last) {
                changes.push((t, false));
            }
        }
    }

    fn changes(&self, node: &str, fact: &Fact) -> &[(f64, bool)] {
        self.facts.get(&(node.to_owned(), fact.clone())).map_or(&[], Vec::as_slice)
    }

    /// Whether it was so at a moment.
    #[must_use]
    pub fn at(&self, node: &str, fact: &Fact, t: f64) -> bool {
        let before = self.changes(node, fact).iter().take_while(|(at, _)| *at <= t);
        before.last().is_some_and(|(_, is)| *is)
    }

    /// Whether it was `wanted` at any moment from `from` to `to`.
    #[must_use]
    pub fn ever(&self, node: &str, fact: &Fact, from: f64, to: f64, wanted: bool) -> bool {
        self.at(node, fact, from) == wanted
            || self
                .changes(node, fact)
                .iter()
                .any(|(at, is)| *at >= from && *at <= to && *is == wanted)
    }

    /// When it was so, up to a moment.
    #[must_use]
    pub fn spans(&self, node: &str, fact: &Fact, end: f64) -> Vec<(f64, f64)> {
        let changes = self.changes(node, fact);
        let next = |index: usize| changes.get(index + 1).map_or(end, |(at, _)| *at);
        let spans = changes.iter().enumerate().filter(|(_, (_, is))| *is);
        spans.map(|(index, (at, _))| (*at, next(index))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{address, history, processes};
    use super::*;

    #[test]
    fn facts_hold_from_one_change_to_the_next_and_end_with_the_power() {
        let timeline = Timeline::of(&history(vec![
            (1.0, address("node1", "a", true)),
            (3.0, address("node1", "a", false)),
            (4.0, processes("node1", "nginx", 2)),
            (6.0, Event::Power { node: "node1".into(), on: false }),
        ]));
        let there = Fact::Address("a".into());
        assert!(timeline.at("node1", &there, 2.0) && !timeline.at("node1", &there, 3.5));
        assert!(timeline.ever("node1", &there, 2.5, 3.5, false));
        assert!(!timeline.ever("node1", &there, 3.5, 9.0, true));
        assert!(!timeline.at("node2", &there, 2.0));
        let runs = Fact::Runs("nginx".into());
        assert!(timeline.at("node1", &runs, 5.0) && !timeline.at("node1", &runs, 7.0));
        assert!(timeline.at("node1", &Fact::Dark, 7.0));
        assert_eq!(timeline.spans("node1", &runs, 9.0), [(4.0, 6.0)]);
    }
}
