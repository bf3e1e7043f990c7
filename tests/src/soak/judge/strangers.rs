//! No process, file, address, route or firewall rule of others is ever changed.

use super::super::history::{Event, History};
use super::{Rule, Violation, violation};

pub(super) fn judge(history: &History) -> Vec<Violation> {
    let changed = history.entries.iter().filter_map(|entry| match &entry.event {
        Event::Stranger { node, what } => {
            Some(violation(Rule::Strangers, entry.t, format!("{node}: {what}")))
        }
        _ => None,
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::made_up::history;
    use super::*;

    #[test]
    fn a_change_of_what_is_of_others_is_reported() {
        let event = Event::Stranger { node: "node1".into(), what: "a process is gone".into() };
        assert_eq!(judge(&history(vec![(3.0, event)])).len(), 1);
        assert_eq!(judge(&history(vec![])), []);
    }
}
