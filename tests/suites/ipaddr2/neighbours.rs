//! The neighbours' side: one that used the old owner a moment ago must follow the address at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use harness::capture::Capture;
use harness::rig::{VIP4, VIP6, mac_of};
use harness::watch::AddressWatch;
use harness::{Lan, agent};

/// The old owner is machine 1, the new one 2, the client 3.
fn takeover(ip: &str) {
    let lan = Lan::new(3);
    let [old, new, client] = &lan.hosts[..] else { panic!("three machines") };
    let prefix = if ip.contains(':') { "64 nodad" } else { "24" };
    let vip = agent(new, "IPaddr2").param("ip", ip).param("nodad", "true");
    let entry = || client.ip_json(&format!("neigh show {ip} dev eth0"));
    // The client's own detection of everything must be over before it may answer and ask in time.
    client.sh("until ! ip -6 address show dev eth0 | grep -q tentative; do sleep 0.05; done");
    old.ip(&format!("address add {ip}/{prefix} dev eth0"));
    let watch = AddressWatch::on(new);
    let mut capture = Capture::on(client, "eth0");
    client.sh(&format!("ping -c 1 -W 5 {ip} >/dev/null"));
    assert_eq!(entry()[0]["lladdr"].as_str(), Some(mac_of(1).as_str()));
    // Gone without a word, as with a power cut.
    old.ip("link set eth0 down");
    let over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if entry()[0]["lladdr"].as_str() == Some(mac_of(2).as_str()) {
                    return Some(SystemTime::now());
                }
            }
            None
        });
        vip.start().expect_code(0);
        harness::process::wait_until(Duration::from_secs(3), || looker.is_finished().then_some(()));
        over.store(true, Ordering::Relaxed);
        looker.join().ok().flatten()
    });
    let added = watch.added(ip);
    let heard = capture.expect_announcements(ip, 1, Duration::from_secs(2));
    let after = heard[0].at.duration_since(added).unwrap_or_default();
    assert!(
        after < Duration::from_millis(100),
        "the first announcement came {after:?} after the address"
    );
    let seen = seen.unwrap_or_else(|| panic!("the client stays with the old owner: {}", entry()));
    let after = seen.duration_since(added).unwrap_or_default();
    // The entry is looked at by starting `ip` again and again, which has its own delays.
    assert!(after < Duration::from_millis(300), "the client followed {after:?} after the address");
    client.sh(&format!("ping -c 1 -W 5 {ip} >/dev/null"));
}

/// A reply with another target than the sender is ignored by a neighbour whose entry is younger
/// than a second (MLB#172).
#[test]
fn ip_52_a_neighbour_with_a_young_entry_follows_within_100_ms() {
    takeover(VIP4);
}

/// An advertisement without Override is not believed, one with Solicited to everybody is dropped.
#[test]
fn ip_59_an_ipv6_neighbour_with_a_young_entry_follows_within_100_ms() {
    takeover(VIP6);
}

/// A neighbour that has the address as its router keeps it when the new owner forwards.
#[test]
fn ip_59_a_default_route_over_the_address_survives_the_takeover() {
    let lan = Lan::new(3);
    let [old, new, client] = &lan.hosts[..] else { panic!("three machines") };
    for host in [old, new] {
        host.sysctl("net/ipv6/conf/all/forwarding", "1");
    }
    old.ip(&format!("address add {VIP6}/64 dev eth0 nodad"));
    client.sh(&format!("ping -c 1 -W 5 {VIP6} >/dev/null"));
    let marked = client.ip_json(&format!("neigh show {VIP6} dev eth0"));
    assert!(marked[0].get("router").is_some(), "{marked}");
    old.ip("link set eth0 down");
    let mut capture = Capture::on(client, "eth0");
    agent(new, "IPaddr2").param("ip", VIP6).param("nodad", "true").start().expect_code(0);
    capture.expect_announcements(VIP6, 1, Duration::from_secs(2));
    let entry = client.ip_json(&format!("neigh show {VIP6} dev eth0"));
    assert_eq!(entry[0]["lladdr"].as_str(), Some(mac_of(2).as_str()), "{entry}");
    assert!(entry[0].get("router").is_some(), "the mark of a router is gone: {entry}");
}
