//! The rules, without an executor.

use std::ffi::OsString;

use super::*;
use crate::invocation::Invocation;
use crate::log::Log;
use crate::param::AnyParam;
use crate::spec::ActionSpec;

const ACTIONS: &[ActionSpec] = &[ActionSpec::new(Action::Monitor, 30).every(10, 0)];

fn spec(parameters: &'static [&'static dyn AnyParam]) -> Spec {
    Spec {
        name: "Some",
        version: "1",
        short: "",
        long: "",
        parameters,
        actions: ACTIONS,
        needs_root: false,
        metadata: "",
    }
}

/// The rule for a monitor with these variables.
fn rule(parameters: &'static [&'static dyn AnyParam], variables: &[(&str, &str)]) -> Option<Rule> {
    let variables = variables
        .iter()
        .map(|(name, value)| (format!("OCF_RESKEY_{name}").into(), OsString::from(value)));
    let environment: Vec<(OsString, OsString)> = variables.collect();
    let invocation = Invocation::new(["agent".into(), "monitor".into()], environment);
    let log = Log::new("Some", &invocation);
    let budget =
        crate::budget::Budget::new(Action::Monitor, Instant::now(), Duration::from_secs(20));
    let context = Context { invocation: &invocation, log: &log, budget, depth: 0 };
    Rule::of(&spec(parameters), &context)
}

const BOTH: &[&dyn AnyParam] = &[&WATCH, &WATCH_GRACE];
const SECOND: (&str, &str) = ("CRM_meta_interval", "1000");

#[test]
fn a_monitor_waits_at_most_half_of_its_time_out() {
    let wait = |watch, timeout| {
        rule(BOTH, &[SECOND, ("watch", watch), ("CRM_meta_timeout", timeout)])
            .map(|rule| rule.wait.as_millis())
    };
    for (watch, timeout, expected) in [
        ("30s", "60000", Some(30_000)),
        ("30", "60000", Some(30_000)),
        ("60s", "20000", Some(10_000)),
        ("500ms", "20000", Some(500)),
        ("60s", "", Some(15_000)),
        ("0", "20000", None),
        ("", "20000", None),
        ("soon", "20000", None),
    ] {
        assert_eq!(wait(watch, timeout), expected, "{watch} {timeout}");
    }
}

#[test]
fn only_a_recurring_monitor_of_level_0_without_notifications_waits() {
    let waits = |more: &[(&str, &str)]| rule(BOTH, &[&[("watch", "30s")], more].concat()).is_some();
    assert!(waits(&[SECOND]));
    assert!(waits(&[SECOND, ("CRM_meta_notify", "false"), ("OCF_CHECK_LEVEL", "0")]));
    assert!(!waits(&[]));
    assert!(!waits(&[("CRM_meta_interval", "0")]));
    assert!(!waits(&[SECOND, ("CRM_meta_notify", "true")]));
    assert!(!waits(&[SECOND, ("OCF_CHECK_LEVEL", "10")]));
    assert!(rule(&[], &[SECOND, ("watch", "30s")]).is_none(), "an agent without the parameter");
}

#[test]
fn the_coverage_is_the_share_of_the_time_that_is_waited() {
    let coverage = |wait, interval| {
        let rule = Rule {
            wait: Duration::from_secs(wait),
            grace: Duration::ZERO,
            interval: Duration::from_secs(interval),
        };
        rule.coverage()
    };
    assert_eq!(
        (coverage(30, 1), coverage(10, 10), coverage(9, 1), coverage(0, 0)),
        (96, 50, 90, 0)
    );
}

#[test]
fn a_verdict_names_the_event() {
    let event = Event { what: "the master process 7 ended".into(), at: Instant::now() };
    let said = "the master process 7 ended 0 ms ago";
    assert_eq!(event.explain(Ok(Status::STOPPED)), Ok(Status::NotRunning(Some(said.into()))));
    let why = |text: &str| format!("{said}: {text}");
    assert_eq!(
        event.explain(Ok(Status::Degraded("slow".into()))),
        Ok(Status::Degraded(why("slow")))
    );
    assert_eq!(
        event.explain(Err(Failure::installed("none"))),
        Err(Failure::installed(why("none")))
    );
    let at = Instant::now().checked_sub(Duration::from_millis(2_540)).unwrap();
    assert_eq!(Event { at, ..event }.text(), "the master process 7 ended 2.5 s ago");
}
