//! Telling the neighbours: what is sent, how often, and that start neither waits for it nor fails
//! by it.

use std::net::IpAddr;
use std::time::Duration;

use harness::capture::Heard;
use harness::enter::CAP_NET_RAW;
use harness::frame::{Frame, Mac};
use harness::rig::{MAC_A, MAC_B, VIP4, VIP6};
use harness::{L2, capture::ALL_NODES};

/// The announcements as bursts: frames that come within 60 ms of the one before belong together.
fn bursts(heard: &[Heard]) -> Vec<Vec<Heard>> {
    let mut bursts: Vec<Vec<Heard>> = Vec::new();
    for frame in heard {
        let last = bursts.last().and_then(|burst| burst.last()).map(|last: &Heard| last.at);
        let near = last
            .and_then(|last| frame.at.duration_since(last).ok())
            .is_some_and(|gap| gap < Duration::from_millis(60));
        match bursts.last_mut() {
            Some(burst) if near => burst.push(frame.clone()),
            _ => bursts.push(vec![frame.clone()]),
        }
    }
    bursts
}

fn spacings(heard: &[Heard]) -> Vec<u128> {
    let starts: Vec<_> = bursts(heard).iter().map(|burst| burst[0].at).collect();
    starts
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default().as_millis())
        .collect()
}

/// Some equipment accepts only replies, some only requests (RA#977, RA#1117).
#[test]
fn ip_52_each_burst_is_a_request_and_a_reply_with_ones_own_address() {
    let rig = L2::new();
    let mut capture = rig.listen();
    rig.vip4().param("arp_count", "1").start().expect_code(0);
    let heard = capture.expect_announcements(VIP4, 2, Duration::from_secs(2));
    let mac: Mac = MAC_A.parse().unwrap();
    let mut operations = Vec::new();
    for heard in &heard {
        let Frame::Arp { operation, sender_mac, target_mac, .. } = heard.frame else {
            panic!("{heard:?}")
        };
        assert_eq!((heard.to, heard.from, sender_mac), (Mac::BROADCAST, mac, mac));
        if operation == 2 {
            assert_eq!(
                target_mac, mac,
                "a neighbour believes a young entry's change only with the own address as target"
            );
        }
        operations.push(operation);
    }
    operations.sort_unstable();
    assert_eq!(operations, [1, 2]);
}

/// The interval was ignored by one sender, and each distribution had another (RA#1076).
#[test]
fn ip_53_count_and_interval_are_kept() {
    let rig = L2::new();
    let mut capture = rig.listen();
    rig.vip4().param("arp_interval", "200").param("arp_count", "5").start().expect_code(0);
    capture.expect_announcements(VIP4, 10, Duration::from_secs(5));
    capture.wait_until(Duration::from_millis(700), |_| false);
    let heard = capture.announcements(VIP4);
    assert_eq!(bursts(&heard).len(), 5, "{heard:#?}");
    let mut spacings = spacings(&heard);
    spacings.sort_unstable();
    assert!(
        (180..=220).contains(&spacings[1]) && (180..=220).contains(&spacings[2]),
        "median of {spacings:?}"
    );
    assert!(spacings.iter().all(|spacing| (120..=400).contains(spacing)), "{spacings:?}");
}

/// The schedule that suits every neighbour: at once, soon after, then beyond the second in which
/// some ignore a change.
#[test]
fn without_an_interval_the_bursts_come_at_once_then_soon_then_past_a_second() {
    let rig = L2::new();
    let mut capture = rig.listen();
    rig.vip4().start().expect_code(0);
    capture.expect_announcements(VIP4, 10, Duration::from_secs(12));
    let heard = capture.announcements(VIP4);
    let spacings = spacings(&heard);
    assert_eq!(spacings.len(), 4, "{heard:#?}");
    for (spacing, wanted) in spacings.iter().zip([200, 1100, 1100, 1100]) {
        assert!(spacing.abs_diff(wanted) < 150, "{spacings:?}");
    }
}

/// `arp_count=0` is refused, as it always was: an address that is never announced does not move.
#[test]
fn a_count_of_zero_is_refused() {
    let rig = L2::new();
    rig.vip4().param("arp_count", "0").start().expect_code(6).expect_reason(&["arp_count", "1 to"]);
    rig.a.expect_absent(VIP4);
}

/// In the foreground start waits for all of it.
#[test]
fn without_background_start_returns_after_the_last_burst() {
    let rig = L2::new();
    for (vip, ip, frames) in [(rig.vip4(), VIP4, 6), (rig.vip6().param("nodad", "true"), VIP6, 3)] {
        let mut capture = rig.listen();
        let vip = vip.param("arp_bg", "false").param("arp_interval", "150").param("arp_count", "3");
        let start = vip.start();
        start.expect_code(0);
        assert!(start.elapsed >= Duration::from_millis(300), "{start}");
        capture.wait_until(Duration::from_millis(50), |_| false);
        assert_eq!(capture.announcements(ip).len(), frames);
    }
}

/// A sender that failed or never ran went unnoticed (RA#958).
#[test]
fn ip_54_failing_to_announce_is_a_warning_and_not_a_failure() {
    let rig = L2::new();
    let start = rig.vip4().without_capability(CAP_NET_RAW).start();
    start.expect_code(0).expect_stderr(&["announc", VIP4]);
    assert_eq!(start.stderr.lines().count(), 1, "{start}");
    rig.a.only(VIP4);
}

/// After a split brain only a repeated announcement cures a switch or a neighbour (RA#868,
/// MLB#2910).
#[test]
fn ip_55_each_monitor_corrects_a_neighbour_that_was_misled() {
    let rig = L2::new();
    let vip = rig.vip4().param("arp_count", "1").param("arp_count_refresh", "1");
    vip.start().expect_code(0);
    rig.b.sh(&format!("ping -c 1 -W 5 {VIP4} >/dev/null"));
    for _ in 0..3 {
        rig.b.ip(&format!("neigh replace {VIP4} lladdr 02:00:00:00:66:66 nud reachable dev ethB"));
        let mut capture = rig.listen();
        vip.monitor().expect_code(0).expect_silent();
        let heard = capture.expect_announcements(VIP4, 2, Duration::from_secs(3));
        assert_eq!(heard.len(), 2, "one burst for each monitor");
        let corrected = harness::process::wait_until(Duration::from_secs(2), || {
            (rig.b.ip_json(&format!("neigh show {VIP4}"))[0]["lladdr"] == MAC_A).then_some(())
        });
        assert!(corrected.is_some(), "{}", rig.b.ip("neigh show"));
    }
}

/// A background that has announced and only closes its socket yet must not keep the next monitor
/// from announcing.
#[test]
fn monitors_in_close_succession_announce_each_time() {
    let rig = L2::new();
    let vip = rig.vip4().param("arp_count", "1").param("arp_count_refresh", "1");
    vip.start().expect_code(0);
    // The background of the start may still be there.
    vip.stop().expect_code(0);
    rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
    for _ in 0..10 {
        let mut capture = rig.listen();
        vip.monitor().expect_code(0).expect_silent();
        capture.expect_announcements(VIP4, 2, Duration::from_secs(3));
    }
}

/// Without refresh monitor sends nothing.
#[test]
fn a_monitor_is_silent_on_the_wire_unless_asked() {
    let rig = L2::new();
    let vip = rig.vip4().param("arp_count", "1");
    vip.start().expect_code(0);
    let mut capture = rig.listen();
    vip.monitor().expect_code(0);
    capture.wait_until(Duration::from_millis(400), |_| false);
    assert!(capture.announcements(VIP4).is_empty());
}

/// After a bond changed its active device it was not announced, or with the old address (KA#1112,
/// KA#2298).
#[test]
fn ip_56_the_hardware_address_is_read_when_sending() {
    let rig = L2::new();
    let vip = rig.vip4().param("arp_count_refresh", "1");
    vip.start().expect_code(0);
    let mut capture = rig.listen();
    rig.a.ip("link set ethA address 02:00:00:09:00:aa");
    capture.wait_until(Duration::from_millis(1500), |heard| {
        heard.iter().any(|heard| heard.from.0[5] == 0xaa)
    });
    let mut capture = rig.listen();
    vip.monitor().expect_code(0);
    let heard = capture.expect_announcements(VIP4, 2, Duration::from_secs(3));
    let new: Mac = "02:00:00:09:00:aa".parse().unwrap();
    for heard in heard {
        let Frame::Arp { sender_mac, .. } = heard.frame else { panic!("{heard:?}") };
        assert_eq!((heard.from, sender_mac), (new, new));
    }
}

/// Devices without ARP made the sender fail.
#[test]
fn ip_58_nothing_is_announced_where_nobody_asks() {
    let rig = L2::new();
    let lo = rig.vip4().param("nic", "lo").param("cidr_netmask", "32");
    lo.start().expect_code(0).expect_silent();
    lo.stop().expect_code(0).expect_silent();
    rig.a.ip("link set ethA arp off");
    let mut capture = rig.listen();
    let vip = rig.vip4();
    vip.start().expect_code(0).expect_silent();
    vip.clone().param("arp_count_refresh", "1").monitor().expect_code(0).expect_silent();
    capture.wait_until(Duration::from_millis(500), |_| false);
    assert!(capture.announcements(VIP4).is_empty(), "{:#?}", capture.announcements(VIP4));
}

/// An advertisement with the wrong flags is dropped, or costs a neighbour its default route
/// (KA#1330, KA#200).
#[test]
fn ip_59_advertisements_have_the_right_flags() {
    let rig = L2::new();
    for forwards in [false, true] {
        rig.a.sysctl("net/ipv6/conf/ethA/forwarding", if forwards { "1" } else { "0" });
        let mut capture = rig.listen();
        let vip =
            rig.vip6().param("nodad", "true").param("arp_count", "2").param("arp_interval", "100");
        vip.start().expect_code(0);
        for heard in capture.expect_announcements(VIP6, 2, Duration::from_secs(3)) {
            assert!(heard.intact, "{heard:?}");
            let Frame::Advertisement {
                router,
                solicited,
                override_,
                target_mac,
                hop_limit,
                destination,
                ..
            } = heard.frame
            else {
                panic!("{heard:?}")
            };
            assert_eq!((router, solicited, override_), (forwards, false, true));
            assert_eq!(
                (target_mac, hop_limit, destination),
                (Some(MAC_A.parse().unwrap()), 255, ALL_NODES)
            );
            assert_eq!(heard.to, Mac([0x33, 0x33, 0, 0, 0, 1]));
        }
        vip.stop().expect_code(0);
    }
}

/// Equipment that ignores broadcasts is notified directly (RA#977, RA#124).
#[test]
fn named_neighbours_are_told_directly_too() {
    let rig = L2::new();
    let neighbour: Mac = MAC_B.parse().unwrap();
    for (vip, ip, gateway) in
        [(rig.vip4(), VIP4, "10.9.0.2"), (rig.vip6().param("nodad", "true"), VIP6, "2001:db8:9::2")]
    {
        rig.a.sh(&format!("ping -c 1 -W 5 {gateway} >/dev/null"));
        let ip = ip.parse().unwrap();
        let about = |heard: &&Heard| match (&heard.frame, ip) {
            (Frame::Arp { sender_ip, .. }, IpAddr::V4(ip)) => *sender_ip == ip,
            (Frame::Advertisement { target, .. }, IpAddr::V6(ip)) => *target == ip,
            _ => false,
        };
        let direct =
            |heard: &[Heard]| heard.iter().filter(about).any(|heard| heard.to == neighbour);
        let broadcast =
            |heard: &[Heard]| heard.iter().filter(about).any(|heard| heard.to != neighbour);
        let mut capture = rig.listen();
        vip.param("announce_to", gateway).param("arp_count", "2").start().expect_code(0);
        let heard =
            capture.wait_until(Duration::from_secs(3), |heard| direct(heard) && broadcast(heard));
        assert!(direct(heard), "nothing about {ip} was sent to {MAC_B} itself: {heard:#?}");
        assert!(broadcast(heard), "{heard:#?}");
    }
}

/// A neighbour that is named but not known is resolved, which notifies it as well.
#[test]
fn a_named_neighbour_that_is_not_known_learns_the_address_all_the_same() {
    let rig = L2::new();
    rig.b.ip(&format!("neigh replace {VIP4} lladdr 02:00:00:00:66:66 nud reachable dev ethB"));
    let vip = rig.vip4().param("announce_to", "10.9.0.2, 10.9.0.77").param("arp_count", "1");
    vip.start().expect_code(0).expect_silent();
    let corrected = harness::process::wait_until(Duration::from_secs(2), || {
        (rig.b.ip_json(&format!("neigh show {VIP4}"))[0]["lladdr"] == MAC_A).then_some(())
    });
    assert!(corrected.is_some(), "{}", rig.b.ip("neigh show"));
}

/// Stop ends the announcing before the address goes: a late announcement would steal it from its
/// new owner.
#[test]
fn nothing_is_announced_after_stop() {
    let rig = L2::new();
    for (vip, ip) in [(rig.vip4(), VIP4), (rig.vip6().param("nodad", "true"), VIP6)] {
        let vip = vip.param("arp_count", "100").param("arp_interval", "20");
        vip.start().expect_code(0);
        let mut capture = rig.listen();
        capture.expect_announcements(ip, 4, Duration::from_secs(3));
        vip.stop().expect_code(0);
        let mut after = rig.listen();
        after.wait_until(Duration::from_millis(400), |_| false);
        assert!(after.announcements(ip).is_empty());
        let left = rig.a.sh("grep -l IPaddr2 /proc/[0-9]*/comm 2>/dev/null || true");
        assert_eq!(left, "", "the sender stays");
    }
}

/// A sender left from before does not announce an address that was removed meanwhile.
#[test]
fn the_background_stops_by_itself_when_the_address_is_gone() {
    let rig = L2::new();
    rig.vip4().param("arp_count", "100").param("arp_interval", "50").start().expect_code(0);
    rig.a.ip(&format!("address del {VIP4}/24 dev ethA"));
    let mut capture = rig.listen();
    capture.wait_until(Duration::from_millis(500), |_| false);
    assert!(capture.announcements(VIP4).len() <= 2, "{:#?}", capture.announcements(VIP4));
}
