//! The rules. Each is a function over a history, and is shown to fail on a made-up bad one.

mod calls;
mod growth;
mod owners;
mod reasons;
mod requests;
mod rest;
mod results;
mod strangers;
mod timeline;
mod windows;

use serde::{Deserialize, Serialize};

use super::history::History;

pub use timeline::{Fact, Timeline};
pub use windows::{Window, windows};

/// One of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Never do two nodes answer for one address for longer than its announcement takes.
    OneOwner,
    /// Every result of a call agrees with what the witnesses saw.
    TrueResults,
    /// Nothing of others is changed.
    Strangers,
    /// Every failed call has a reason of at most 127 bytes, and a cause.
    Reasons,
    /// No call reaches its time-out unless what it waited for was held.
    TimeOuts,
    /// Requests are lost only while a deed explains it.
    Requests,
    /// Ten seconds after the faults everything runs that can run, nothing twice, nothing is left.
    AtRest,
    /// Nothing grows.
    Growth,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 8] = [
        Rule::OneOwner,
        Rule::TrueResults,
        Rule::Strangers,
        Rule::Reasons,
        Rule::TimeOuts,
        Rule::Requests,
        Rule::AtRest,
        Rule::Growth,
    ];

    /// What it says.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Rule::OneOwner => "one node answers for an address",
            Rule::TrueResults => "results of calls are true",
            Rule::Strangers => "nothing of others is changed",
            Rule::Reasons => "a failed call has a reason and a cause",
            Rule::TimeOuts => "no call reaches its time-out",
            Rule::Requests => "requests are lost only within a deed's bound",
            Rule::AtRest => "10 s after the faults all is well, nothing twice, nothing left over",
            Rule::Growth => "nothing grows",
        }
    }
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// When.
    pub t: f64,
    /// In which episode, if in one.
    pub episode: Option<usize>,
    /// What was found.
    pub found: String,
}

/// Judges a history by all rules; the violations are in the order of their times.
#[must_use]
pub fn judge(history: &History) -> Vec<Violation> {
    let timeline = Timeline::of(history);
    let windows = windows(history);
    let mut found = Vec::new();
    found.extend(owners::judge(history, &windows));
    found.extend(results::judge(history, &timeline, &windows));
    found.extend(strangers::judge(history));
    found.extend(reasons::judge(history, &timeline, &windows));
    found.extend(calls::judge(history, &windows));
    found.extend(requests::judge(history, &windows));
    found.extend(rest::judge(history, &timeline));
    found.extend(growth::judge(history));
    found.sort_by(|a, b| a.t.total_cmp(&b.t));
    for one in &mut found {
        one.episode = history.episode_at(one.t);
    }
    found
}

fn violation(rule: Rule, t: f64, found: String) -> Violation {
    Violation { rule, t, episode: None, found }
}

/// Histories for the rules' own tests.
#[cfg(test)]
mod made_up {
    use super::super::deed::Deed;
    use super::super::history::{Call, Entry, Event, History};
    use super::super::plan::Plan;

    /// A history of these events, with a plan without `watch` and fencing.
    pub fn history(events: Vec<(f64, Event)>) -> History {
        with_plan(Plan::of(0, 60, "native"), events)
    }

    pub fn with_plan(plan: Plan, events: Vec<(f64, Event)>) -> History {
        let first = Entry { t: 0.0, event: Event::Plan { plan } };
        let rest = events.into_iter().map(|(t, event)| Entry { t, event });
        History::of([first].into_iter().chain(rest).collect())
    }

    pub fn address(node: &str, address: &str, there: bool) -> Event {
        Event::Address { node: node.into(), address: address.into(), there }
    }

    pub fn processes(node: &str, program: &str, count: usize) -> Event {
        Event::Processes { node: node.into(), program: program.into(), count, stopped: 0 }
    }

    pub fn call(resource: &str, action: &str, began: f64, ended: f64, code: i32) -> Call {
        Call {
            node: "node1".into(),
            resource: resource.into(),
            action: action.into(),
            interval: if action == "monitor" { 2000 } else { 0 },
            pid: 1000,
            began,
            ended: Some(ended),
            code: Some(code),
            reason: String::new(),
            said: String::new(),
            timed_out: false,
            cancelled: None,
        }
    }

    pub fn done(call: Call) -> (f64, Event) {
        (call.began, Event::Call(call))
    }

    pub fn deed(deed: Deed, target: &str, node: &str, begins: bool) -> Event {
        Event::Deed {
            episode: 0,
            step: 0,
            deed,
            target: target.into(),
            node: node.into(),
            begins,
            note: String::new(),
            idle: false,
        }
    }

    pub fn lost(service: &str, until: f64, count: usize) -> Event {
        Event::Requests {
            service: service.into(),
            address: "10.9.0.50".into(),
            until,
            count,
            page: None,
            error: "no answer".into(),
        }
    }
}
