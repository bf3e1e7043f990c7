//! Which runs wait, and for how long.

use std::time::Duration;

use harness::{Agent, Host};

use crate::dummy::dummy;
use crate::executor::{Executor, INTERVAL, watched};

/// A machine with a started Dummy whose monitors wait for a second.
fn begun(host: &Host) -> (Executor<'_>, Agent<'_>) {
    let executor = Executor::new(host);
    let agent = watched(dummy(host), "1s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    (executor, agent)
}

/// Whether a run waited, by the time that it took.
fn waited(executor: &Executor<'_>, agent: &Agent<'_>) -> bool {
    let ended = executor.run(agent, "monitor");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    ended.elapsed >= Duration::from_secs(1)
}

fn pass_an_interval() {
    std::thread::sleep(INTERVAL);
}

#[test]
fn watch_3_the_first_run_answers_at_once_and_those_of_the_timer_wait() {
    let host = Host::new("nodea");
    let (executor, agent) = begun(&host);
    assert!(!waited(&executor, &agent));
    for _ in 0..2 {
        pass_an_interval();
        assert!(waited(&executor, &agent));
    }
    // Called again at once, as by a person.
    assert!(!waited(&executor, &agent));
}

#[test]
fn watch_3_a_run_after_any_other_action_is_a_first_run() {
    let host = Host::new("nodea");
    let (executor, agent) = begun(&host);
    for action in ["start", "stop", "reload-agent", "reload", "probe"] {
        assert!(!waited(&executor, &agent), "{action}");
        pass_an_interval();
        match action {
            // Without an interval.
            "probe" => assert_eq!(executor.run(&dummy(&host), "monitor").code, 0),
            action => assert_eq!(executor.run(&agent, action).code, 0, "{action}"),
        }
        if action == "stop" {
            assert_eq!(executor.run(&agent, "start").code, 0);
        }
        assert!(!waited(&executor, &agent), "{action}");
        pass_an_interval();
        assert!(waited(&executor, &agent), "{action}");
        std::thread::sleep(3 * INTERVAL);
    }
}

#[test]
fn watch_3_a_run_after_a_killed_one_is_a_first_run() {
    let host = Host::new("nodea");
    let (executor, agent) = begun(&host);
    let run = executor.waiting(&agent);
    run.signal("KILL");
    assert_eq!(run.end().code, 128 + 9);
    pass_an_interval();
    assert!(!waited(&executor, &agent));
}

#[test]
fn watch_3_a_run_at_another_interval_or_under_another_executor_is_a_first_run() {
    let host = Host::new("nodea");
    let (executor, agent) = begun(&host);
    assert!(!waited(&executor, &agent));
    pass_an_interval();
    assert!(!waited(&executor, &agent.clone().meta("interval", "310")), "another interval");
    pass_an_interval();
    assert!(!waited(&Executor::new(&host), &agent), "another executor");
    pass_an_interval();
    assert!(!waited(&executor, &agent), "the first executor again");
}

#[test]
fn watch_3_a_run_too_early_or_too_late_is_a_first_run() {
    let host = Host::new("nodea");
    let (executor, agent) = begun(&host);
    assert!(!waited(&executor, &agent));
    std::thread::sleep(INTERVAL / 2);
    assert!(!waited(&executor, &agent), "too early");
    std::thread::sleep(INTERVAL + Duration::from_millis(550));
    assert!(!waited(&executor, &agent), "too late");
}

/// Hundreds of monitors every second are more than one executor can start. If none of them waited,
/// there would never be fewer.
#[test]
fn watch_12_a_run_that_is_late_because_the_executor_is_busy_waits_for_three_seconds() {
    let host = Host::new("nodea");
    let (executor, _) = begun(&host);
    let agent = watched(dummy(&host), "10s");
    assert!(!waited(&executor, &agent));
    executor.stay_busy();
    let ended = executor.run(&agent, "monitor");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let (least, most) = (Duration::from_secs(3), Duration::from_secs(6));
    assert!(ended.elapsed >= least && ended.elapsed < most, "{ended:?}");
}

#[test]
fn watch_10_clones_with_notifications_deeper_levels_and_other_calls_never_wait() {
    let host = Host::new("nodea");
    let (executor, agent) = begun(&host);
    let level = agent.clone().env("OCF_CHECK_LEVEL", "10");
    for never in [
        agent.clone().meta("notify", "true"),
        level,
        agent.clone().param("watch", "0"),
        dummy(&host),
    ] {
        for _ in 0..3 {
            assert!(!waited(&executor, &never));
            pass_an_interval();
        }
    }
}

#[test]
fn watch_10_a_wait_ends_before_another_monitor_of_the_resource_is_due() {
    let host = Host::new("nodea");
    let (executor, _) = begun(&host);
    let agent = watched(dummy(&host), "10s");
    let deep = agent.clone().env("OCF_CHECK_LEVEL", "10").meta("interval", "2000");
    assert!(!waited(&executor, &deep));
    assert!(!waited(&executor, &agent));
    pass_an_interval();
    let ended = executor.run(&agent, "monitor");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.elapsed > Duration::from_secs(1) && ended.elapsed < Duration::from_secs(2),
        "{ended:?}"
    );
}

#[test]
fn watch_9_a_wait_ends_after_half_of_the_time_out() {
    let host = Host::new("nodea");
    let (executor, _) = begun(&host);
    let agent = watched(dummy(&host), "60s").timeout(Duration::from_secs(4));
    assert!(!waited(&executor, &agent));
    pass_an_interval();
    let ended = executor.run(&agent, "monitor");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.elapsed >= Duration::from_secs(2) && ended.elapsed < Duration::from_secs(3),
        "{ended:?}"
    );
}

#[test]
fn watch_12_a_coverage_below_nine_tenths_is_a_warning_in_the_log_and_nowhere_else() {
    let host = Host::new("nodea");
    let (executor, _) = begun(&host);
    for (watch, expected) in [("1s", "1"), ("10s", "0")] {
        let agent = watched(dummy(&host), watch).env("HA_LOGFILE", "/run/log");
        host.sh(": >/run/log");
        let ended = executor.run(&agent, "monitor");
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        assert_eq!(
            host.sh("grep -c 'WARNING.*watch=1s with interval=0.3s' /run/log || :").trim(),
            expected,
            "{watch}"
        );
    }
}
