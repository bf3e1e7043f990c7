//! The deeds of a history as windows of time, and whom each of them touches.

use super::super::deed::{Bound, Deed, Scope};
use super::super::history::{Event, History};
use super::super::service_of;

/// A deed, from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// What.
    pub deed: Deed,
    /// The service, resource or node; empty for everything.
    pub target: String,
    /// Where it was done, or empty.
    pub node: String,
    /// When it began.
    pub began: f64,
    /// When it ended; for what was not undone the end of the history.
    pub ended: f64,
    /// When everything of the episode was undone.
    pub mended: f64,
    /// How long a service may be away.
    pub bound: Bound,
    /// Another node is lost meanwhile: without quorum everything is stopped everywhere.
    pub without_quorum: bool,
}

/// A node that was lost is a member again so long after its mending at the latest, in seconds.
const JOINED: f64 = 10.0;

impl Window {
    /// Whether it was done to this service, or to the cluster as a whole. A deed to a node is done
    /// to the services that it had, which `had` knows.
    #[must_use]
    pub fn touches(&self, service: &str, had: impl Fn(&str) -> bool) -> bool {
        match self.deed.scope() {
            _ if self.without_quorum => true,
            Scope::Everything => true,
            Scope::Service => self.target == service,
            Scope::Resource => service_of(&self.target).is_some_and(|it| it.name == service),
            Scope::Node => had(&self.target),
        }
    }
}

/// The deeds that were really done.
#[must_use]
pub fn windows(history: &History) -> Vec<Window> {
    let Some(plan) = history.plan() else { return Vec::new() };
    let mut windows: Vec<((usize, usize), Window)> = Vec::new();
    for entry in &history.entries {
        match &entry.event {
            Event::Deed { episode, step, deed, target, node, begins, idle, .. } => {
                let key = (*episode, *step);
                let open = windows.iter().rposition(|(known, window)| {
                    *known == key && window.deed == *deed && window.target == *target
                });
                match open {
                    Some(at) if !begins && *idle => {
                        windows.remove(at);
                    }
                    Some(at) if !begins => windows[at].1.ended = entry.t,
                    _ if *begins => windows.push((
                        key,
                        Window {
                            deed: *deed,
                            target: target.clone(),
                            node: node.clone(),
                            began: entry.t,
                            ended: f64::INFINITY,
                            mended: f64::INFINITY,
                            bound: deed.bound(plan),
                            without_quorum: false,
                        },
                    )),
                    _ => {}
                }
            }
            Event::Mended { number } => {
                for (_, window) in windows.iter_mut().filter(|((episode, _), _)| episode == number)
                {
                    window.ended = window.ended.min(entry.t);
                    window.mended = entry.t;
                }
            }
            _ => {}
        }
    }
    let end = history.end();
    for (_, window) in &mut windows {
        window.ended = window.ended.min(end);
        window.mended = window.mended.min(end);
    }
    let two: Vec<bool> =
        windows.iter().map(|it| windows.iter().any(|other| both_lost(it, other))).collect();
    let all = windows.into_iter().zip(two);
    all.map(|((_, window), without_quorum)| Window { without_quorum, ..window }).collect()
}

/// Whether two windows, each with its episode and step, are the loss of two nodes, one while the
/// other is. Before an episode all nodes are members.
fn both_lost(
    ((episode, _), one): &((usize, usize), Window),
    ((again, _), other): &((usize, usize), Window),
) -> bool {
    episode == again
        && one.deed.loses()
        && other.deed.loses()
        && one.target != other.target
        && one.began <= other.ended + JOINED
        && other.began <= one.ended + JOINED
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{deed, history};
    use super::*;

    #[test]
    fn a_deed_lasts_until_it_ends_or_all_is_mended() {
        let mut not_done = deed(Deed::Reload, "PAGES", "node2", false);
        if let Event::Deed { idle, .. } = &mut not_done {
            *idle = true;
        }
        let found = windows(&history(vec![
            (1.0, deed(Deed::Kill, "SITE", "node1", true)),
            (2.0, deed(Deed::Cable, "node2", "node2", true)),
            (5.0, deed(Deed::Cable, "node2", "node2", false)),
            (5.5, deed(Deed::Reload, "PAGES", "node2", true)),
            (5.6, not_done),
            (7.0, Event::Mended { number: 0 }),
        ]));
        let times: Vec<_> = found.iter().map(|it| (it.began, it.ended, it.mended)).collect();
        assert_eq!(times, [(1.0, 7.0, 7.0), (2.0, 5.0, 7.0)]);
        assert!(found[0].touches("SITE", |_| false) && !found[0].touches("PAGES", |_| true));
        assert!(found[1].touches("PAGES", |node| node == "node2"));
    }

    #[test]
    fn the_loss_of_two_nodes_at_once_touches_everything() {
        let of = |second: &str, later: f64| {
            let found = windows(&history(vec![
                (1.0, deed(Deed::Power, "node1", "node1", true)),
                (5.0, deed(Deed::Power, "node1", "node1", false)),
                (later, deed(Deed::Fenced, second, second, true)),
                (40.0, Event::Mended { number: 0 }),
            ]));
            found.iter().map(|it| it.touches("PAGES", |_| false)).collect::<Vec<_>>()
        };
        assert_eq!(of("node2", 6.0), [true, true]);
        assert_eq!((of("node1", 6.0), of("node2", 20.0)), (vec![false; 2], vec![false; 2]));
    }
}
