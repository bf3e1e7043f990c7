//! Requests are lost only inside a deed's window and its bound.

use super::super::deed::{Bound, Deed};
use super::super::history::{Event, History};
use super::super::{SERVICES, Service, service_of};
use super::timeline::Fact;
use super::{Rule, Timeline, Violation, Window, violation};
use crate::visitor::NO_ANSWER;

/// A restart that Pacemaker makes of a change, in seconds.
const RESTART: f64 = 6.0;

/// A stop or start that was killed: fencing, or a start on another node.
const STOPPED: f64 = 15.0;

/// From a wish for a graceful reload of apache until its new workers serve.
const RELOAD: f64 = 2.5;

/// From the signal until haproxy's master has its socket again.
const BUSY: f64 = 1.0;

/// After all is mended, where nothing else helps.
const MENDED: f64 = 10.0;

/// What a stall may spoil before and after itself: the visitor's patience, in seconds.
const STALLED: (f64, f64) = (1.0, 0.5);

pub(super) fn judge(history: &History, windows: &[Window]) -> Vec<Violation> {
    let timeline = Timeline::of(history);
    let mut found = Vec::new();
    for service in &SERVICES {
        let allowed = allowed(history, &timeline, windows, service.name);
        let late: Vec<_> = allowed.iter().copied().chain(late(windows, service)).collect();
        // Until all was well for the first time nothing is served.
        let first = history.entries.iter().position(|it| matches!(it.event, Event::Calm { .. }));
        for entry in &history.entries[first.unwrap_or(history.entries.len())..] {
            let Event::Requests { service: of, address, until, count, page: None, error } =
                &entry.event
            else {
                continue;
            };
            let is_late = error == NO_ANSWER && covered(entry.t, *until, &late);
            if of != service.name || covered(entry.t, *until, &allowed) || is_late {
                continue;
            }
            let near: Vec<String> = windows
                .iter()
                .filter(|it| it.began <= *until && it.mended + 10.0 >= entry.t)
                .map(|it| format!("{} {}", it.deed, it.target).trim().to_owned())
                .collect();
            let near = if near.is_empty() { "nothing".to_owned() } else { near.join(", ") };
            found.push(violation(
                Rule::Requests,
                entry.t,
                format!(
                    "{of}: {count} requests to {address} failed in {:.1} s ({error}), beyond what \
                     is allowed for: {near}",
                    until - entry.t
                ),
            ));
        }
    }
    found
}

/// A deed that explains lost requests, or adds to others.
#[derive(Clone, Copy)]
struct Part {
    began: f64,
    ended: f64,
    bound: f64,
    /// It was done to the service.
    own: bool,
}

/// When requests of a service may be lost: the deeds that touch it, each with its bound; bounds of
/// deeds that overlap add up. The loss of another node alone explains nothing, but adds to what
/// does: Pacemaker finishes the transition in which it waits for that node before it does anything
/// else. Never after all was calm again.
fn allowed(
    history: &History,
    timeline: &Timeline,
    windows: &[Window],
    name: &str,
) -> Vec<(f64, f64)> {
    let service = SERVICES.iter().find(|it| it.name == name).expect("a service");
    let address = Fact::Address(service.addresses[0].1.to_owned());
    let calm: Vec<f64> = history
        .entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::Calm { .. }))
        .map(|entry| entry.t)
        .collect();
    let mut parts: Vec<Part> = Vec::new();
    for window in windows {
        let end = calm.iter().copied().find(|t| *t > window.began).unwrap_or(f64::INFINITY);
        let had = |node: &str| {
            timeline.ever(node, &address, window.began - 1.0, end.min(window.ended), true)
        };
        let own = window.touches(name, had);
        if own || window.deed.loses() {
            let part = part(history, window, service, windows);
            parts.extend(part.map(|(began, ended, bound)| Part { began, ended, bound, own }));
        }
    }
    let merged = merge(parts, &calm);
    let capped = |part: Part| {
        let end = calm.iter().copied().find(|t| *t > part.began).unwrap_or(f64::INFINITY);
        (part.began - 1.0, (part.ended + part.bound).min(end))
    };
    let stalls = history.entries.iter().filter_map(|entry| match entry.event {
        Event::Stall { seconds } => Some((entry.t - seconds - STALLED.0, entry.t + STALLED.1)),
        _ => None,
    });
    let held = history.outlived().map(|(since, until)| (since, until + RESTART));
    merged.into_iter().map(capped).chain(stalls).chain(held).collect()
}

/// Makes one of those that overlap, from the first one that was done to the service.
fn merge(mut parts: Vec<Part>, calm: &[f64]) -> Vec<Part> {
    parts.sort_by(|a, b| a.began.total_cmp(&b.began));
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        let calm_before =
            calm.iter().copied().filter(|t| *t <= part.began).fold(f64::NEG_INFINITY, f64::max);
        match merged.last_mut() {
            Some(last) if part.began <= last.ended + last.bound && calm_before <= last.began => {
                if part.own && !last.own {
                    last.began = part.began;
                }
                last.ended = last.ended.max(part.ended);
                last.bound += part.bound;
                last.own |= part.own;
            }
            _ => merged.push(part),
        }
    }
    merged.retain(|part| part.own);
    merged
}

/// A deed's beginning and end, and how long a service may be away after that.
fn part(
    history: &History,
    window: &Window,
    service: &Service,
    windows: &[Window],
) -> Option<(f64, f64, f64)> {
    let after = |seconds| Some((window.began, window.ended, seconds));
    let mended = Some((window.began, window.mended, MENDED));
    match window.deed {
        Deed::Reloadable if restarted(history, window, &window.target) => after(RESTART),
        // A restart with it cannot succeed on any node.
        Deed::BadConfig
            if restarted(history, window, service.server)
                || overlaps(window, service.name, windows) =>
        {
            mended
        }
        // What is not recorded is not started.
        Deed::StateFull | Deed::StateReadOnly
            if overlaps(window, service.name, windows) || rebinds(window, service, windows) =>
        {
            mended
        }
        Deed::KillAgent => match killed(history, window)? {
            "stop" if matches!(window.bound, Bound::Mended(_)) => mended,
            "stop" | "start" => after(STOPPED),
            "monitor" => after(RESTART),
            _ => after(0.0),
        },
        _ => match window.bound {
            Bound::Within(time) => Some((window.began, window.began, time.as_secs_f64())),
            Bound::After(time) => after(time.as_secs_f64()),
            Bound::Mended(_) => mended,
            Bound::Nothing => None,
        },
    }
}

/// When answers of apache may come later than a visitor waits, though none is lost: at a graceful
/// reload its idle workers end at once, and the master makes new ones in the next round of its
/// loop, a second later; connections wait for that.
fn late(windows: &[Window], service: &Service) -> Vec<(f64, f64)> {
    let reloads = windows.iter().filter(|it| {
        let own = it.target == service.name || it.target == service.server;
        own && matches!(it.deed, Deed::Reload | Deed::Reloadable | Deed::BadConfig)
    });
    let spans = reloads.map(|it| (it.ended - 1.0, it.ended + RELOAD));
    if service.agent == "apache" { spans.collect() } else { Vec::new() }
}

/// Whether a service is taken down by something else meanwhile.
fn overlaps(window: &Window, service: &str, windows: &[Window]) -> bool {
    windows.iter().any(|it| {
        it.bound != Bound::Nothing
            && it.touches(service, |_| true)
            && it.began <= window.mended
            && it.mended >= window.began
    })
}

/// Whether haproxy is reloaded by hand meanwhile, or just before: its master makes its socket anew,
/// and ends when it cannot (2.6 and 3.0).
fn rebinds(window: &Window, service: &Service, windows: &[Window]) -> bool {
    service.agent == "haproxy"
        && windows.iter().any(|it| {
            it.deed == Deed::Reload
                && it.target == service.name
                && it.node == window.node
                && (window.began - BUSY..window.mended).contains(&it.began)
        })
}

/// The action of the agent that was killed, if one was.
fn killed<'history>(history: &'history History, window: &Window) -> Option<&'history str> {
    let mut calls = history.calls().filter(|it| {
        it.resource == window.target
            && it.node == window.node
            && it.code.is_none()
            && !it.timed_out
            && it.ended.is_some_and(|t| t >= window.began && t <= window.ended + 1.0)
    });
    calls.next().map(|it| it.action.as_str())
}

/// Pacemaker 2.1 forgets the parameters of a start when a resource is cleaned up or refreshed, and
/// restarts it for the next change: after a start there was a probe, and no start again before the
/// change; and it, or what comes after it in its group, was stopped after that.
fn restarted(history: &History, window: &Window, resource: &str) -> bool {
    let of = |action: &str, interval_zero: bool| {
        history
            .calls()
            .filter(|it| it.resource == resource && it.action == action && it.began < window.began)
            // One that was not Pacemaker's has no end in its log.
            .filter(|it| !interval_zero || it.interval == 0 && it.ended.is_some())
            .map(|it| it.began)
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let stopped = history.calls().any(|it| {
        let after = it.began - window.began;
        service_of(&it.resource) == service_of(resource)
            && it.action == "stop"
            && (0.0..RESTART).contains(&after)
    });
    stopped && of("monitor", true) > of("start", false)
}

/// Whether a span is inside the union of others.
fn covered(from: f64, to: f64, spans: &[(f64, f64)]) -> bool {
    let mut at = from;
    loop {
        let next = spans.iter().filter(|(a, b)| *a <= at && *b >= at).map(|(_, b)| *b);
        match next.max_by(f64::total_cmp) {
            Some(end) if end >= to => return true,
            Some(end) if end > at => at = end,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::made_up::{address, call, deed, done, history, lost};
    use super::super::windows;
    use super::*;

    fn found(mut events: Vec<(f64, Event)>) -> usize {
        events.push((0.1, Event::Calm { number: None }));
        let history = history(events);
        judge(&history, &windows(&history)).len()
    }

    /// A deed of a moment.
    fn at(t: f64, what: Deed, target: &str) -> [(f64, Event); 2] {
        [(t, deed(what, target, "node1", true)), (t, deed(what, target, "node1", false))]
    }

    #[test]
    fn what_is_lost_must_be_within_the_bound_of_a_deed_to_that_service() {
        let killed = |from, to| {
            found(
                [at(10.0, Deed::Kill, "SITE").to_vec(), vec![(from, lost("SITE", to, 9))]].concat(),
            )
        };
        assert_eq!(killed(10.0, 15.9), 0);
        assert_eq!(killed(10.0, 16.5), 1);
        assert_eq!(killed(5.0, 5.5), 1);
        let other = [at(10.0, Deed::Kill, "PAGES").to_vec(), vec![(10.1, lost("SITE", 11.0, 9))]];
        assert_eq!(found(other.concat()), 1);
        assert_eq!(found(vec![(10.1, lost("SITE", 10.1, 1))]), 1, "without any deed");
    }

    #[test]
    fn nothing_may_be_lost_for_a_reload_or_after_all_was_calm() {
        let reload = [at(10.0, Deed::Reload, "SITE").to_vec(), vec![(10.1, lost("SITE", 10.2, 1))]];
        assert_eq!(found(reload.concat()), 1);
        let calm = [
            at(10.0, Deed::Kill, "SITE").to_vec(),
            vec![(12.0, Event::Calm { number: Some(0) }), (13.0, lost("SITE", 13.1, 1))],
        ];
        assert_eq!(found(calm.concat()), 1);
    }

    #[test]
    fn a_node_without_the_service_costs_it_nothing() {
        let of = |node: &str| {
            found(vec![
                (1.0, address(node, "10.9.0.50", true)),
                (10.0, deed(Deed::Power, "node1", "node1", true)),
                (15.0, deed(Deed::Power, "node1", "node1", false)),
                (11.0, lost("SITE", 13.0, 9)),
            ])
        };
        assert_eq!(of("node1"), 0);
        assert_eq!(of("node2"), 1);
    }

    #[test]
    fn the_loss_of_another_node_adds_to_what_is_done_to_the_service() {
        let of = |killed: Option<f64>, to: f64| {
            let mut events = vec![
                (12.0, deed(Deed::LinkDown, "node3", "node3", true)),
                (14.0, deed(Deed::LinkDown, "node3", "node3", false)),
                (11.0, lost("SITE", to, 9)),
            ];
            events.extend(killed.map(|t| at(t, Deed::Kill, "SITE")).into_iter().flatten());
            found(events)
        };
        assert_eq!((of(Some(11.0), 29.0), of(None, 12.5)), (0, 1));
        assert_eq!((of(Some(11.0), 30.5), of(Some(13.5), 14.0)), (1, 1));
    }

    #[test]
    fn haproxy_does_not_outlive_a_reload_by_hand_where_its_socket_cannot_be_made() {
        let of = |service: &str, node: &str| {
            found(
                [
                    vec![
                        (9.0, deed(Deed::StateReadOnly, "node1", node, true)),
                        (1.0, address("node1", "10.9.0.60", true)),
                        (1.0, address("node1", "10.9.0.50", true)),
                        (12.0, deed(Deed::StateReadOnly, "node1", node, false)),
                        (12.0, Event::Mended { number: 0 }),
                        (10.1, lost(service, 13.0, 9)),
                    ],
                    at(10.0, Deed::Reload, service).to_vec(),
                ]
                .concat(),
            )
        };
        assert_eq!(
            (of("BALANCER", "node1"), of("BALANCER", "node2"), of("SITE", "node1")),
            (0, 1, 1)
        );
    }

    #[test]
    fn bounds_of_deeds_that_overlap_add_up() {
        let both = [at(10.0, Deed::Kill, "SITE"), at(14.0, Deed::KillMaster, "SITE")].concat();
        let with = |to| [both.clone(), vec![(10.1, lost("SITE", to, 9))]].concat();
        assert_eq!(found(with(25.9)), 0);
        assert_eq!(found(with(26.5)), 1);
    }

    #[test]
    fn a_faulty_configuration_alone_costs_nothing_and_with_a_kill_until_it_is_mended() {
        let bad = [
            (10.0, deed(Deed::BadConfig, "SITE", "node1", true)),
            (20.0, deed(Deed::BadConfig, "SITE", "node1", false)),
            (21.0, Event::Mended { number: 0 }),
            (15.1, lost("SITE", 24.0, 90)),
        ];
        assert_eq!(found(bad.to_vec()), 1);
        assert_eq!(found([bad.to_vec(), at(15.0, Deed::Kill, "SITE").to_vec()].concat()), 0);
    }

    #[test]
    fn apache_may_answer_late_at_a_reload_and_may_refuse_nothing() {
        let of = |error: &str, service: &str| {
            let mut lost = lost(service, 10.3, 2);
            if let Event::Requests { error: said, .. } = &mut lost {
                error.clone_into(said);
            }
            found([at(10.0, Deed::Reload, service).to_vec(), vec![(10.1, lost)]].concat())
        };
        assert_eq!((of(NO_ANSWER, "PAGES"), of("Connection refused", "PAGES")), (0, 1));
        assert_eq!(of(NO_ANSWER, "SITE"), 1);
    }

    #[test]
    fn an_agent_that_was_not_killed_explains_nothing() {
        let wish = [
            (10.0, deed(Deed::KillAgent, "WEB", "node1", true)),
            (20.0, deed(Deed::KillAgent, "WEB", "node1", false)),
            (12.1, lost("SITE", 13.0, 9)),
        ];
        assert_eq!(found(wish.to_vec()), 1);
        let mut killed = call("WEB", "monitor", 12.0, 12.1, 0);
        killed.code = None;
        assert_eq!(found([wish.to_vec(), vec![done(killed)]].concat()), 0);
    }

    #[test]
    fn a_reloadable_change_is_a_restart_only_after_a_refresh() {
        let mut events = at(10.0, Deed::Reloadable, "WEB").to_vec();
        events.push((10.5, lost("SITE", 11.0, 3)));
        events.push(done(call("WEB", "start", 1.0, 1.5, 0)));
        assert_eq!(found(events.clone()), 1);
        let probe = super::super::super::history::Call {
            interval: 0,
            ..call("WEB", "monitor", 5.0, 5.1, 0)
        };
        events.push(done(probe));
        assert_eq!(found(events.clone()), 1, "it was not stopped");
        events.push(done(call("WEB", "stop", 10.3, 10.5, 0)));
        assert_eq!(found(events), 0);
    }

    #[test]
    fn a_machine_that_stood_still_is_no_fault() {
        let stall = (11.0, Event::Stall { seconds: 2.0 });
        assert_eq!(found(vec![stall.clone(), (10.0, lost("SITE", 11.2, 3))]), 0);
        assert_eq!(found(vec![stall, (14.0, lost("SITE", 14.2, 3))]), 1);
    }
}
