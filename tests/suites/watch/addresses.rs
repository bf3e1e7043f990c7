//! Addresses: news of the kernel wakes the monitor, and only what is about the address or its
//! interface.

use std::time::{Duration, Instant};

use harness::rig::{VIP4, VIP6};
use harness::{Agent, L2, agent};

use crate::executor::{Ended, Executor, Run, watched};

/// How long a verdict may take, on a machine where other suites run.
const SOON: Duration = Duration::from_millis(300);

fn address<'a>(rig: &'a L2, ip: &str) -> Agent<'a> {
    let prefix = if ip.contains(':') { "64" } else { "24" };
    let agent =
        agent(&rig.a, "IPaddr2").param("ip", ip).param("nic", "ethA").param("cidr_netmask", prefix);
    watched(agent, "30s")
}

/// What a waiting monitor says within moments of a change that `ip` makes.
#[track_caller]
fn verdict(rig: &L2, run: Run<'_>, change: &str, reason: &str) -> Ended {
    rig.a.ip(change);
    let done = Instant::now();
    let ended = run.end();
    assert!(done.elapsed() < SOON, "{change}: {:?}: {ended:?}", done.elapsed());
    assert!(ended.stderr.contains(&format!("ocf-exit-reason:{reason} ")), "{change}: {ended:?}");
    assert!(ended.stderr.contains(" ms ago"), "{change}: {ended:?}");
    ended
}

#[test]
fn watch_1_an_address_or_a_link_that_goes_is_reported_at_once() {
    let rig = L2::new();
    let executor = Executor::new(&rig.a);
    for (ip, change, reason) in [
        (VIP4, format!("address del {VIP4}/24 dev ethA"), format!("{VIP4} was removed")),
        (VIP6, format!("address del {VIP6}/64 dev ethA"), format!("{VIP6} was removed")),
        (VIP4, "link set ethA down".to_owned(), "ethA changed".to_owned()),
    ] {
        let agent = address(&rig, ip);
        assert_eq!(executor.run(&agent, "start").code, 0);
        let ended = verdict(&rig, executor.waiting(&agent), &change, &reason);
        assert!([1, 7].contains(&ended.code), "{ended:?}");
        rig.a.ip("link set ethA up");
        assert_eq!(executor.run(&agent, "stop").code, 0);
    }
}

#[test]
fn watch_1_a_lost_carrier_is_reported_at_once() {
    let rig = L2::new();
    let executor = Executor::new(&rig.a);
    let agent = address(&rig, VIP4);
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    rig.b.ip("link set ethB down");
    let done = Instant::now();
    let ended = run.end();
    // The kernel gathers changes of carriers for up to a second (net/core/link_watch.c).
    assert!(done.elapsed() < Duration::from_secs(1) + SOON, "{:?}: {ended:?}", done.elapsed());
    assert!(ended.code != 0 && ended.stderr.contains("ethA changed "), "{ended:?}");
}

#[test]
fn watch_6_a_change_after_which_the_address_is_well_is_no_verdict() {
    let rig = L2::new();
    let executor = Executor::new(&rig.a);
    let agent = address(&rig, VIP4);
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    rig.a.ip("link set ethA mtu 1400");
    rig.a.ip(&format!("address change {VIP4}/24 dev ethA preferred_lft 300 valid_lft 300"));
    std::thread::sleep(Duration::from_millis(500));
    run.waits();
    verdict(&rig, run, &format!("address del {VIP4}/24 dev ethA"), &format!("{VIP4} was removed"));
}

#[test]
fn watch_8_other_addresses_and_links_that_flap_cost_little_and_are_no_verdict() {
    let rig = L2::new();
    let executor = Executor::new(&rig.a);
    let agent = address(&rig, VIP4);
    assert_eq!(executor.run(&agent, "start").code, 0);
    rig.a.ip("link add other type veth peer name end");
    let run = executor.waiting(&agent);
    let ticks = || -> u64 {
        let stat = run.file("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, fields 14 and 15, in hundredths of a second.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let (before, began) = (ticks(), Instant::now());
    let lines = "echo address add 10.8.0.1/24 dev other; echo address del 10.8.0.1/24 dev other; \
                 echo link set other mtu 1$((400 + n % 9))";
    rig.a.sh(&format!("for n in $(seq 2500); do {lines}; done >/run/flap"));
    // Without a pause: thousands of changes a second, more than the buffer of a socket that sleeps
    // takes.
    rig.a.sh("for round in 1 2 3; do ip -batch /run/flap; done");
    let (used, took) = (ticks() - before, began.elapsed());
    run.waits();
    assert!(
        (used as f32) < 10.0 + took.as_secs_f32() * 25.0,
        "{used} hundredths of a second in {took:?}"
    );
    rig.a.ip(&format!("address del {VIP4}/24 dev ethA"));
    let ended = run.end();
    // The news of it may be among those that the kernel could not keep.
    let events = [format!("{VIP4} was removed"), "the kernel lost news of addresses".to_owned()];
    let named = |event: &String| ended.stderr.contains(&format!("ocf-exit-reason:{event} "));
    assert!(ended.code == 7 && events.iter().any(named), "{ended:?}");
}
