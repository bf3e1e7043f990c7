//! Every failed call has a reason of at most 127 bytes, and something was done that explains it.

use super::super::deed::Deed;
use super::super::history::{Call, History};
use super::super::{address_of, service_of};
use super::timeline::Fact;
use super::{Rule, Timeline, Violation, Window, violation};

/// Pacemaker cuts a reason at 128 bytes.
const LONGEST: usize = 127;

/// How long after all is mended a deed may be the cause of a failure, in seconds.
const LATER: f64 = 20.0;

pub(super) fn judge(history: &History, timeline: &Timeline, windows: &[Window]) -> Vec<Violation> {
    let said = history.calls().filter_map(|call| Some((call, call.ended?, call.code?)));
    let failed = said.filter(|(call, _, code)| {
        let probe = call.interval == 0 && call.action == "monitor";
        *code != 0 && !(probe && *code == 7)
    });
    let wrong = |(call, ended, code): (&Call, f64, i32)| {
        let why = fault(call, ended, code, timeline, windows)?;
        let text = format!(
            "{} of {} on {} said {code} ({}): {why}",
            call.action, call.resource, call.node, call.reason
        );
        Some(violation(Rule::Reasons, ended, text))
    };
    failed.filter_map(wrong).collect()
}

fn fault(
    call: &Call,
    ended: f64,
    code: i32,
    timeline: &Timeline,
    windows: &[Window],
) -> Option<String> {
    let reason = call.reason.as_str();
    if code != 7 && reason.is_empty() {
        return Some("there is no reason".into());
    }
    if reason.len() > LONGEST {
        return Some(format!("the reason has {} bytes", reason.len()));
    }
    let near = |it: &&Window| {
        is_cause(it, call, timeline) && it.began <= ended + 0.2 && it.mended + LATER >= call.began
    };
    let causes: Vec<&Window> =
        windows.iter().filter(|it| near(it) || is_kept(it, call, timeline)).collect();
    if causes.is_empty() {
        return Some("nothing was done that explains it".into());
    }
    let lower = reason.to_lowercase();
    let named =
        code == 7 || causes.iter().any(|it| words(it.deed).iter().any(|word| lower.contains(word)));
    (!named).then(|| {
        let deeds: Vec<String> = causes.iter().map(|it| it.deed.to_string()).collect();
        format!("the reason names none of: {}", deeds.join(", "))
    })
}

/// Whether a deed was done to what was called, or to what it needs: the resources of a group, its
/// node, or the address that the server listens on.
fn is_cause(window: &Window, call: &Call, timeline: &Timeline) -> bool {
    if window.target == call.resource {
        return true;
    }
    let name = service_of(&call.resource).map_or(call.resource.as_str(), |it| it.name);
    window.touches(name, |node| {
        let had = |address: &str| {
            let fact = Fact::Address(address.to_owned());
            timeline.ever(node, &fact, window.began - 1.0, window.ended, true)
        };
        // The node that it moved to is a consequence, too.
        let first = service_of(&call.resource).map(|it| it.addresses[0].1);
        node == call.node || first.or(address_of(&call.resource)).is_some_and(had)
    })
}

/// Whether a faulty configuration is still on the node, which had no power when all others got the
/// right one.
fn is_kept(window: &Window, call: &Call, timeline: &Timeline) -> bool {
    window.deed == Deed::BadConfig
        && window.began <= call.began
        && service_of(&call.resource).is_some_and(|it| it.name == window.target)
        && timeline.ever(&call.node, &Fact::Dark, window.ended - 1.0, window.ended, true)
}

/// Words of reasons that name a deed, or what follows from it; in small letters.
fn words(deed: Deed) -> &'static [&'static str] {
    use Deed as D;
    match deed {
        D::Kill | D::KillMaster | D::KillWorker | D::KillUnit => {
            &["died", "ended", "not run", "worker", "serve", "left", "answer", "killed"]
        }
        D::Freeze | D::FreezeMaster | D::FreezeWorkers => {
            &["answer", "serve", "stopped", "signal", "in time", "worker"]
        }
        D::DeleteAddress => &["address", "listen", "bind"],
        D::DeleteRoute => &["route", "address", "network", "reach"],
        D::LinkDown | D::Cable | D::RenameLink | D::OneWay => {
            &["link", "carrier", "interface", "device", "address", "nic", "network"]
        }
        // Where it is, and what the server says of it.
        D::BadConfig => &["configuration", "refused", "soak.c"],
        D::StateFull => &["no space", "room", "full", "cannot be written", "write"],
        D::StateReadOnly => &["read-only", "cannot be written", "write"],
        D::SilentNames => &["name server", "resolv"],
        D::Starve => &["time", "answer"],
        // The agent did not end by itself: what the next ones find is half done.
        D::KillAgent | D::KillExecutor | D::KillController => {
            &["killed", "signal", "process", "address", "runs", "ended", "terminated", "way out"]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{call, deed, done, history};
    use super::super::windows;
    use super::*;
    use crate::soak::history::Event;

    fn found(call: Call, with_cause: bool) -> Vec<String> {
        let mut events = vec![done(call)];
        if with_cause {
            events.push((4.0, deed(Deed::Kill, "SITE", "node1", true)));
        }
        let history = history(events);
        let found = judge(&history, &Timeline::of(&history), &windows(&history));
        found.into_iter().map(|it| it.found).collect()
    }

    #[test]
    fn a_failure_needs_a_reason_that_fits_and_a_cause_that_it_names() {
        let with = |reason: &str, code| Call {
            reason: reason.into(),
            ..call("WEB", "monitor", 5.0, 5.1, code)
        };
        assert_eq!(found(with("the master process 7 has died", 1), true), [] as [String; 0]);
        assert!(found(with("", 1), true)[0].contains("no reason"));
        assert!(found(with(&"died ".repeat(26), 1), true)[0].contains("130 bytes"));
        assert!(found(with("the master process 7 has died", 1), false)[0].contains("nothing was"));
        assert!(found(with("the moon is full", 1), true)[0].contains("names none"));
        assert_eq!(found(with("", 7), true), [] as [String; 0]);
        assert_eq!(found(with("", 7), false).len(), 1);
    }

    #[test]
    fn a_node_without_power_keeps_a_faulty_configuration() {
        let of = |node: &str| {
            let text = "unknown directive \"no_such_directive\" in /etc/nginx/soak.conf:14";
            let start = Call { reason: text.into(), ..call("WEB", "start", 90.0, 90.1, 5) };
            let history = history(vec![
                (4.0, deed(Deed::BadConfig, "SITE", "node2", true)),
                (5.0, Event::Power { node: node.into(), on: false }),
                (8.0, deed(Deed::BadConfig, "SITE", "node2", false)),
                (9.0, Event::Power { node: node.into(), on: true }),
                (10.0, Event::Mended { number: 0 }),
                done(start),
            ]);
            judge(&history, &Timeline::of(&history), &windows(&history)).len()
        };
        assert_eq!((of("node1"), of("node3")), (0, 1));
    }

    #[test]
    fn a_probe_that_finds_nothing_is_no_failure() {
        let probe = Call { interval: 0, ..call("WEB", "monitor", 5.0, 5.1, 7) };
        assert_eq!(found(probe, false), [] as [String; 0]);
    }
}
