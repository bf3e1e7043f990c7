//! Killed anywhere, many at once, in a crowd.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::L2;
use harness::capture::Heard;
use harness::frame::Frame;
use harness::rig::{VIP4, VIP6};

/// Pacemaker's time-out is a SIGKILL without warning: whatever a start had done, stop cleans up.
#[test]
fn a_start_that_was_killed_anywhere_leaves_nothing_that_stop_does_not_clean() {
    let rig = L2::new();
    rig.a.ip(&format!("address add {VIP4}/32 dev lo"));
    let vip4 =
        rig.vip4().param("lvs_support", "true").param("arp_interval", "1").param("arp_count", "20");
    let vip6 = rig.vip6().param("arp_bg", "false");
    for step in 0..60 {
        let delay = Duration::from_micros(step * 200);
        vip4.clone().kill_after(delay).start();
        vip4.stop().expect_code(0);
        assert_eq!(rig.a.only(VIP4).nic, "lo", "killed after {delay:?}");
        vip6.clone().kill_after(delay).start();
        vip6.stop().expect_code(0);
        rig.a.expect_absent(VIP6);
    }
    assert!(!rig.a.ip("-6 addrlabel list").contains(VIP6));
    let left = rig.a.sh("grep -l IPaddr2 /proc/[0-9]*/comm 2>/dev/null || true");
    assert_eq!(left, "", "processes stay");
}

/// The same for stop and monitor.
#[test]
fn a_stop_or_monitor_that_was_killed_anywhere_can_be_repeated() {
    let rig = L2::new();
    let vip = rig.vip4().param("nic", "ethA");
    for step in 0..40 {
        let delay = Duration::from_micros(step * 250);
        vip.start().expect_code(0);
        vip.clone().param("arp_count_refresh", "3").kill_after(delay).monitor();
        vip.monitor().expect_code(0);
        vip.clone().kill_after(delay).stop();
        vip.stop().expect_code(0);
        rig.a.expect_absent(VIP4);
    }
}

/// The agent ends by itself before Pacemaker would kill it, with a reason.
#[test]
fn an_action_ends_by_itself_before_its_time_out() {
    let rig = L2::new();
    let vip =
        rig.vip4().param("arp_bg", "false").param("arp_interval", "1000").param("arp_count", "60");
    let start = vip.timeout(Duration::from_secs(4)).start();
    assert!(!start.timed_out, "{start}");
    start.expect_code(0);
}

/// Duplicate address detection takes a second at least: with less time than that, start gives up by
/// itself.
#[test]
fn a_start_that_runs_out_of_time_says_so_and_leaves_nothing() {
    let rig = L2::new();
    rig.a.sysctl("net/ipv6/conf/ethA/dad_transmits", "30");
    let start = rig.vip6().param("dad", "wait").timeout(Duration::from_secs(2)).start();
    start.expect_code(1).expect_reason(&[VIP6]);
    rig.a.expect_absent(VIP6);
    rig.vip6().stop().expect_code(0);
}

/// The process that announces in the background may hang, be stopped or be killed: no action waits
/// for it.
#[test]
fn a_background_that_hangs_or_died_holds_nobody_up() {
    let rig = L2::new();
    let busy = |ip: &str| rig.ipaddr2(ip).param("arp_count", "500").param("arp_interval", "20");
    for signal in ["STOP", "KILL"] {
        let vip = busy(VIP4);
        vip.start().expect_code(0);
        rig.a.sh(&format!(
            "for f in $(grep -l IPaddr2 /proc/[0-9]*/comm); do f=${{f%/comm}}; kill -{signal} \
             ${{f#/proc/}}; done"
        ));
        vip.clone()
            .param("arp_count_refresh", "1")
            .monitor()
            .expect_code(0)
            .expect_within(Duration::from_secs(5));
        let other = rig.ipaddr2("10.9.0.60");
        other.start().expect_code(0).expect_within(Duration::from_secs(5));
        other.stop().expect_code(0).expect_within(Duration::from_secs(5));
        vip.stop().expect_code(0).expect_within(Duration::from_secs(5));
        rig.a.expect_absent(VIP4);
        let left = rig.a.sh("grep -l IPaddr2 /proc/[0-9]*/comm 2>/dev/null || true");
        assert_eq!(left, "", "processes stay after SIG{signal}");
    }
}

/// A fail-over of hundreds of addresses starts them all at once (RA#913).
#[test]
fn two_hundred_starts_at_once_all_succeed() {
    let rig = L2::new();
    std::thread::scope(|scope| {
        for number in 0..200 {
            let rig = &rig;
            scope.spawn(move || {
                let ip = format!("10.9.0.{}", 20 + number);
                let vip = rig.ipaddr2(&ip).param("arp_count", "1");
                vip.start().expect_code(0);
            });
        }
    });
    let all = rig.a.ip_json("-4 address show dev ethA")[0]["addr_info"].as_array().map(Vec::len);
    assert_eq!(all, Some(201));
}

/// Hundreds of addresses that move together must not drown the neighbours: after the first
/// announcement of each, which nothing may delay, they take turns.
#[test]
fn later_announcements_of_many_addresses_take_turns() {
    const ADDRESSES: u32 = 120;
    let rig = L2::new();
    let mut capture = rig.listen();
    // One after another, each so that its second announcement is due at the same moment.
    let began = Instant::now();
    for number in 0..ADDRESSES {
        let left =
            Duration::from_secs(8).saturating_sub(began.elapsed()).as_millis().max(1).to_string();
        let vip = rig.ipaddr2(&format!("10.9.0.{}", 20 + number));
        vip.param("arp_count", "2").param("arp_interval", &left).start().expect_code(0);
    }
    let later = |heard: &[Heard]| {
        let mut seen = std::collections::BTreeMap::new();
        let mut times = Vec::new();
        for heard in heard {
            if let Frame::Arp { operation: 1, sender_ip, target_ip, .. } = heard.frame
                && sender_ip == target_ip
            {
                let count = seen.entry(sender_ip).or_insert(0);
                *count += 1;
                if *count == 2 {
                    times.push(heard.at);
                }
            }
        }
        times
    };
    capture.wait_until(Duration::from_secs(20), |heard| later(heard).len() == ADDRESSES as usize);
    let times = later(capture.heard());
    assert_eq!(times.len(), ADDRESSES as usize, "each address is announced twice");
    // Two milliseconds each. A busy machine wakes single ones late, which brings them together; but
    // the last one's turn is that much after the first one's. (What each is given exactly, the
    // agent's own tests say.)
    let first = times.iter().min().expect("announcements");
    let last = times.iter().max().expect("announcements");
    let spread = last.duration_since(*first).unwrap_or_default();
    assert!(spread >= Duration::from_millis(2) * (ADDRESSES - 1) / 2, "all within {spread:?}");
}

/// The same resource, twice at once, as when an administrator types it while the cluster does it.
#[test]
fn two_starts_of_one_address_at_once_both_succeed() {
    let rig = L2::new();
    for _ in 0..40 {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| rig.vip4().start().expect_code(0).code);
            }
        });
        rig.a.only(VIP4);
        rig.vip4().stop().expect_code(0);
    }
}

/// How many monitors: more in a slow run.
fn rounds() -> u32 {
    std::env::var("OCF_SLOW").map_or(500, |_| 5000)
}

/// The kernel's list of addresses changes while it is read; an answer read from torn pieces would
/// be a false alarm.
#[test]
fn monitor_is_right_among_a_thousand_addresses_that_come_and_go() {
    let rig = L2::new();
    rig.a.sh("i=0; while [ $i -lt 1000 ]; do echo address add 10.20.$((i / 200)).$((i % 200 + \
        1))/16 dev ethA
        i=$((i + 1)); done > /run/crowd; ip -batch /run/crowd
        i=0; while [ $i -lt 100 ]; do echo address add 10.30.0.$((i + 1))/16 dev ethA; i=$((i + \
        1)); done > /run/come
        sed s/add/del/ /run/come > /run/go");
    rig.vip4().param("arp_count", "1").start().expect_code(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                rig.a.sh("ip -force -batch /run/come 2>/dev/null || :; ip -force -batch /run/go \
                          2>/dev/null || :");
            }
        });
        let ended = std::panic::catch_unwind(|| {
            for _ in 0..rounds() {
                rig.vip4().monitor().expect_code(0).expect_silent();
                rig.ipaddr2("10.9.0.51").monitor().expect_code(7);
            }
        });
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}
