//! Dummy: events of a file, and what every waiting monitor does.

use std::time::{Duration, Instant};

use harness::process::wait_until;
use harness::{Agent, Host, agent};

use crate::executor::{Executor, INTERVAL, watched};

pub fn dummy(host: &Host) -> Agent<'_> {
    agent(host, "Dummy")
        .instance("some")
        .param("state", "/run/some.state")
        .param("envfile", "/run/some.env")
}

/// How often a check was made: each writes its environment to a file.
fn checks(host: &Host) -> usize {
    host.sh("grep -c ^OCF_RESOURCE_INSTANCE= /run/some.env || :").trim().parse().unwrap()
}

#[test]
fn watch_1_a_failure_is_reported_at_once_and_the_reason_names_the_event() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    host.sh("rm /run/some.state");
    let removed = Instant::now();
    let ended = run.end();
    assert!(removed.elapsed() < Duration::from_millis(300), "{:?}", removed.elapsed());
    assert_eq!(ended.code, 7);
    assert!(ended.stderr.contains("ocf-exit-reason:/run/some.state changed "), "{ended:?}");
    assert!(ended.stderr.contains(" ms ago"), "{ended:?}");
}

#[test]
fn watch_6_an_event_after_which_all_is_well_is_no_verdict_and_the_next_one_is_seen() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    let before = checks(&host);
    // Another file takes its place: the first one that was watched is gone.
    host.sh("touch /run/other && mv /run/other /run/some.state");
    assert!(
        wait_until(Duration::from_secs(5), || (checks(&host) > before).then_some(())).is_some()
    );
    run.waits();
    host.sh("rm /run/some.state");
    let ended = run.end();
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.elapsed < Duration::from_secs(10), "{ended:?}");
}

#[test]
fn watch_3_a_waiting_monitor_looks_like_no_agent_and_is_kept_when_memory_is_short() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    assert_eq!(run.file("comm"), "ocf-wait");
    assert_eq!(run.file("cmdline").trim_end_matches('\0'), "ocf-wait: some");
    // Without CAP_SYS_RESOURCE outside of all namespaces no process may be kept (fs/proc/base.c).
    let allowed = host.sh("(echo -900 >/proc/self/oom_score_adj) 2>/dev/null && echo -900 || cat \
                 /proc/self/oom_score_adj");
    assert_eq!(run.file("oom_score_adj"), allowed.trim());
    // Neither by the name nor by the arguments.
    assert_eq!(
        host.sh("pkill -x Dummy || :; pkill Dummy || :; pkill -f '/[D]ummy' || echo none").trim(),
        "none"
    );
    assert!(run.is_waiting());
    // The environment is still what it was: the checks read it.
    let before = checks(&host);
    host.sh("touch /run/some.state");
    assert!(
        wait_until(Duration::from_secs(5), || (checks(&host) > before).then_some(())).is_some()
    );
    run.signal("KILL");
    assert_eq!(run.end().code, 128 + 9);
}

#[test]
fn watch_3_a_waiting_monitor_ends_when_its_output_has_no_reader() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    host.sh("mkfifo /run/out");
    assert_eq!(executor.run(&agent, "start").code, 0);
    assert_eq!(executor.run(&agent, "monitor").code, 0);
    std::thread::sleep(INTERVAL);
    let reader = host.spawn("cat", &["/run/out"]);
    let run = executor.begin_into(&agent, "monitor", "/run/out");
    run.waits();
    drop(reader);
    let ended = run.end();
    assert!(ended.elapsed < Duration::from_secs(5), "{ended:?}");
    // It leaves no stamp, for whatever runs next was started by another executor.
    host.sh("test ! -e /run/resource-agents/Dummy-some.watch");
}

#[test]
fn watch_9_a_waiter_that_is_stopped_for_longer_than_its_time_ends_well_when_it_goes_on() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "1s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    run.signal("STOP");
    std::thread::sleep(Duration::from_millis(1_500));
    run.signal("CONT");
    let ended = run.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.elapsed < Duration::from_secs(4), "{ended:?}");
}

#[test]
fn watch_8_a_thousand_events_a_second_are_at_most_twenty_checks() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    let (before, began) = (checks(&host), Instant::now());
    host.sh("for i in $(seq 50000); do : >>/run/some.state; done");
    assert!(
        wait_until(Duration::from_secs(5), || (checks(&host) > before).then_some(())).is_some()
    );
    let (made, seconds) = (checks(&host) - before, began.elapsed().as_secs_f32());
    assert!(made >= 1 && (made as f32) < 2.0 + 20.0 * seconds, "{made} checks in {seconds} s");
    assert!(run.is_waiting() || !run.file("comm").is_empty());
    host.sh("rm /run/some.state");
    assert_eq!(run.end().code, 7);
}

#[test]
fn watch_12_a_waiting_monitor_sleeps_without_waking_up() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    let switches = || -> u32 {
        let status = run.file("status");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = switches();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(switches(), before);
    assert!(run.is_waiting());
}

/// Its code and its constants are left to the kernel's copy of the file.
#[test]
fn watch_12_a_waiting_monitor_has_little_memory() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    let status = run.file("status");
    let of = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    // A monitor that has just checked has 2.5 MiB of files in its memory.
    assert!(of("RssFile:") < 2_000 && of("RssAnon:") < 300, "{status}");
}

#[test]
fn watch_5_the_check_follows_the_event_by_the_grace() {
    let host = Host::new("nodea");
    let executor = Executor::new(&host);
    let agent = watched(dummy(&host), "30s").param("watch_grace", "1");
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    // Stopped and started by hand, within the grace.
    host.sh("rm /run/some.state; sleep .2; : >/run/some.state");
    std::thread::sleep(Duration::from_millis(1_500));
    assert!(run.is_waiting(), "a restart by hand within the grace is no failure");
    let removed = Instant::now();
    host.sh("rm /run/some.state");
    let ended = run.end();
    assert!(removed.elapsed() >= Duration::from_millis(900), "{:?}", removed.elapsed());
    assert_eq!(ended.code, 7);
    assert!(ended.stderr.contains(" 1.0 s ago"), "{ended:?}");
}
