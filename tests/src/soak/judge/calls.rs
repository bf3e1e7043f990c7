//! No call reaches its time-out unless what it waited for was held.

use super::super::deed::Deed;
use super::super::history::{Call, History};
use super::super::service_of;
use super::{Rule, Violation, Window, violation};

pub(super) fn judge(history: &History, windows: &[Window]) -> Vec<Violation> {
    let late = history.calls().filter(|call| call.timed_out && !held(call, windows));
    let text = |call: &Call| {
        let took = call.ended.map(|ended| ended - call.began).unwrap_or_default();
        format!(
            "{} of {} on {} reached its time-out after {took:.1} s, and nothing was held",
            call.action, call.resource, call.node
        )
    };
    late.map(|call| violation(Rule::TimeOuts, call.ended.unwrap_or(call.began), text(call)))
        .collect()
}

/// Something stood still that the call needs. An agent ends by itself where a server stands still,
/// so that a server is none.
fn held(call: &Call, windows: &[Window]) -> bool {
    let ended = call.ended.unwrap_or(f64::INFINITY);
    windows.iter().any(|it| {
        it.deed == Deed::Starve
            && it.target == call.node
            && service_of(&call.resource).is_some()
            && it.began <= ended
            && it.ended >= call.began
    })
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{call, deed, done, history};
    use super::super::windows;
    use super::*;

    #[test]
    fn a_call_that_reached_its_time_out_is_reported_even_if_the_server_stood_still() {
        let late = || Call { timed_out: true, code: None, ..call("WEB", "stop", 5.0, 25.0, 1) };
        let judged = |history: &History| judge(history, &windows(history)).len();
        assert_eq!(judged(&history(vec![done(late())])), 1);
        let frozen = (4.0, deed(Deed::Freeze, "SITE", "node1", true));
        assert_eq!(judged(&history(vec![frozen, done(late())])), 1);
        let starved = (4.0, deed(Deed::Starve, "node1", "node1", true));
        assert_eq!(judged(&history(vec![starved, done(late())])), 0);
    }
}
