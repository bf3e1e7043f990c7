//! What only IPv6 has: duplicate address detection, source selection, advertisements in the
//! background.

use std::time::Duration;

use harness::frame::Frame;
use harness::process::wait_until;
use harness::rig::{MAC_A, MAC_B, VIP6};
use harness::{Host, L2};

const STILL_CHECKING: [&str; 3] = ["tentative", "dadfailed", "optimistic"];

/// A duplicate must fail the start and leave nothing (RA#693).
#[test]
fn ip_45_a_duplicate_fails_the_start_and_leaves_nothing() {
    let rig = L2::new();
    rig.b.ip(&format!("address add {VIP6}/64 dev ethB nodad"));
    let vip = rig.vip6().param("dad", "wait");
    vip.start().expect_code(1).expect_reason(&["2001:db8:9::50", MAC_B]);
    rig.a.expect_absent(VIP6);
    rig.b.ip(&format!("address del {VIP6}/64 dev ethB"));
    vip.start().expect_code(0);
}

/// The agent's own probes made detection find the copy that LVS keeps on the loopback device
/// (RA#180).
#[test]
fn ip_46_a_copy_on_the_loopback_device_is_no_duplicate() {
    let rig = L2::new();
    rig.a.ip(&format!("address add {VIP6}/128 dev lo"));
    let vip = rig.vip6().param("nic", "ethA");
    vip.start().expect_code(0);
    let seen = rig.a.seen(VIP6);
    assert!(seen.iter().any(|seen| seen.nic == "ethA"), "{seen:?}");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    assert_eq!(rig.a.only(VIP6).nic, "lo");
    // Without nic the loopback device is no answer either.
    rig.vip6().monitor().expect_code(7);
}

/// Detection costs a second or more of every takeover; who wants may leave it out.
#[test]
fn ip_48_without_detection_start_is_immediate() {
    let rig = L2::new();
    for (name, value) in [("nodad", "true"), ("dad", "off")] {
        let vip = rig.vip6().param(name, value);
        vip.start().expect_code(0).expect_within(Duration::from_millis(300));
        let seen = rig.a.only(VIP6);
        assert!(!STILL_CHECKING.iter().any(|flag| seen.flag(flag)), "{seen:?}");
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
    }
}

/// Start returned while the address could not be used yet.
#[test]
fn ip_48_with_detection_start_returns_when_the_address_is_usable() {
    let rig = L2::new();
    let vip = rig.vip6().param("dad", "wait");
    vip.start().expect_code(0);
    let seen = rig.a.only(VIP6);
    assert!(!STILL_CHECKING.iter().any(|flag| seen.flag(flag)), "{seen:?}");
    vip.stop().expect_code(0);
}

/// By default nothing waits for detection, and it goes on. Where the kernel has no optimistic
/// addresses, start waits.
#[test]
fn ip_48_by_default_the_address_is_used_while_detection_runs() {
    let rig = L2::new();
    let before = rig.a.read_sysctl("net/ipv6/conf/ethA/optimistic_dad");
    for vip in [rig.vip6(), rig.vip6().param("nodad", "false"), rig.vip6().param("dad", "auto")] {
        vip.start().expect_code(0).expect_within(Duration::from_millis(500));
        let seen = rig.a.only(VIP6);
        assert!(seen.flag("optimistic") || !seen.flag("tentative"), "{seen:?}");
        vip.monitor().expect_code(0).expect_silent();
        vip.stop().expect_code(0);
    }
    assert_eq!(rig.a.read_sysctl("net/ipv6/conf/ethA/optimistic_dad"), before);
    // Where /proc/sys is read-only, as in a container, the kernel does not take the wish: start
    // waits.
    rig.a.sh("mount -o bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys");
    let vip = rig.vip6();
    vip.start().expect_code(0);
    let seen = rig.a.only(VIP6);
    assert!(!STILL_CHECKING.iter().any(|flag| seen.flag(flag)), "{seen:?}");
    vip.stop().expect_code(0);
}

/// The servers of the suite are started right after the address: each of them must be able to
/// listen on it at once.
#[test]
fn ip_48_servers_can_listen_on_the_address_while_detection_runs() {
    let rig = L2::with(Host::builder("nodea").tmpfs("/var/lib/nginx").start());
    // Twenty seconds of detection.
    rig.a.sysctl("net/ipv6/conf/ethA/dad_transmits", "20");
    rig.vip6().start().expect_code(0);
    rig.a.sh(&format!(
        "mkdir -p /run/t/logs && cd /run/t && \
         echo 'pid /run/t/nginx.pid; error_log /run/t/n.log; events {{}} http \
         {{ access_log off; server {{ \
               listen [{VIP6}]:8001; return 200 nginx; }} }}' >nginx.conf && \
         echo 'ServerRoot /run/t\nPidFile /run/t/a.pid\nServerName x\nListen [{VIP6}]:8002\n\
         ErrorLog /run/t/a.log\n\
               LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so' >apache.conf \
               && \
         printf 'defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect \
         5s\n\
                 frontend f\n bind {VIP6}:8003\n' >haproxy.cfg"
    ));
    let servers = [
        ("nginx", "nginx -c /run/t/nginx.conf -g 'daemon off;'"),
        ("apache2", "apache2 -f /run/t/apache.conf -DFOREGROUND"),
        ("haproxy", "haproxy -db -f /run/t/haproxy.cfg"),
    ];
    for (number, (name, command)) in servers.iter().enumerate() {
        let port = 8001 + number;
        let _server =
            rig.a.spawn("/bin/sh", &["-c", &format!("exec {command} >>/run/t/{name}.out 2>&1")]);
        let listens = || rig.a.sh(&format!("ss -Htln 'sport = {port}'")).contains(VIP6);
        let there = wait_until(Duration::from_secs(8), || listens().then_some(()));
        assert!(there.is_some(), "{name}: {}", rig.a.sh("cat /run/t/*.log /run/t/*.out"));
        assert!(rig.a.only(VIP6).flag("optimistic"), "detection was over before {name} listened");
    }
}

/// Sending the advertisements one after the other held the start.
#[test]
fn ip_49_start_does_not_wait_for_its_announcements() {
    let rig = L2::new();
    for count in ["1", "5", "50"] {
        let vip = rig
            .vip6()
            .param("nodad", "true")
            .param("arp_count", count)
            .param("arp_interval", "200");
        vip.start().expect_code(0).expect_within(Duration::from_millis(500));
        vip.stop().expect_code(0).expect_within(Duration::from_millis(500));
    }
}

/// The address that came last became the source of the node's own traffic (RA#560, RA#68, KV#1198,
/// KA#1483).
#[test]
fn ip_50_the_address_is_not_the_source_of_the_nodes_own_traffic() {
    let rig = L2::new();
    let source =
        || rig.a.ip_json("-6 route get 2001:db8:9::2")[0]["prefsrc"].as_str().map(str::to_owned);
    rig.vip6().param("nodad", "true").start().expect_code(0);
    assert_eq!(source().as_deref(), Some("2001:db8:9::1"));
    rig.vip6().param("nodad", "true").stop().expect_code(0);
    let deprecated = rig
        .vip6()
        .param("nodad", "true")
        .param("lvs_ipv6_addrlabel", "false")
        .param("preferred_lft", "0");
    deprecated.start().expect_code(0);
    assert_eq!(rig.a.only(VIP6).raw["preferred_life_time"], 0);
    assert_eq!(source().as_deref(), Some("2001:db8:9::1"));
    deprecated.monitor().expect_code(0);
}

/// The entry in the selection policy that does it goes with the address.
#[test]
fn ip_50_the_policy_entry_is_set_and_removed() {
    let rig = L2::new();
    let entry = || {
        rig.a
            .ip("-6 addrlabel list")
            .lines()
            .any(|line| line.contains("2001:db8:9::50") && line.contains("label 99"))
    };
    let vip = rig.vip6().param("nodad", "true");
    vip.start().expect_code(0);
    assert!(entry());
    vip.stop().expect_code(0);
    assert!(!entry());
    let before = rig.a.ip("-6 addrlabel list");
    let vip = vip.param("lvs_ipv6_addrlabel", "no");
    vip.start().expect_code(0);
    assert_eq!(rig.a.ip("-6 addrlabel list"), before);
    vip.stop().expect_code(0);
}

/// The repeated announcement of each monitor was for IPv4 only.
#[test]
fn ip_51_each_monitor_refreshes_ipv6_too() {
    let rig = L2::new();
    let vip =
        rig.vip6().param("nodad", "true").param("arp_count", "1").param("arp_count_refresh", "1");
    vip.start().expect_code(0);
    for _ in 0..3 {
        // While an earlier announcement still goes on, that is enough.
        rig.a.sh("while pgrep -x IPaddr2-announc >/dev/null; do sleep 0.02; done");
        let mut capture = rig.listen();
        vip.monitor().expect_code(0).expect_silent();
        let heard = capture.expect_announcements(VIP6, 1, Duration::from_secs(3));
        let Frame::Advertisement { target_mac, .. } = heard[0].frame else { panic!("{heard:?}") };
        assert_eq!(target_mac, Some(MAC_A.parse().unwrap()));
    }
}

/// A duplicate that detection finds after the start fails the next monitor, which names the other
/// host, and the address goes with the stop (KV#523, KV#1675).
#[test]
fn a_late_duplicate_fails_the_next_monitor_with_the_other_hosts_mac() {
    let rig = L2::new();
    rig.b.ip(&format!("address add {VIP6}/64 dev ethB nodad"));
    for vip in [rig.vip6(), rig.vip6().param("dad", "optimistic")] {
        let start = vip.start();
        if start.code == 0 {
            let failed = wait_until(Duration::from_secs(5), || {
                let seen = rig.a.seen(VIP6);
                seen.iter().all(|seen| seen.flag("dadfailed")).then_some(())
            });
            assert!(failed.is_some());
            vip.monitor().expect_code(1).expect_reason(&[VIP6, MAC_B, "take the address off it"]);
            vip.stop().expect_code(0);
        } else {
            start.expect_code(1).expect_reason(&[VIP6, MAC_B]);
        }
        rig.a.expect_absent(VIP6);
    }
    // A host that does not answer any more is not named.
    let vip = rig.vip6();
    if vip.start().code == 0 {
        let failed = || rig.a.seen(VIP6).iter().all(|seen| seen.flag("dadfailed"));
        assert!(wait_until(Duration::from_secs(5), || failed().then_some(())).is_some());
        rig.b.ip(&format!("address del {VIP6}/64 dev ethB"));
        vip.monitor().expect_code(1).expect_reason(&[VIP6, "duplicate address detection"]);
        vip.stop().expect_code(0);
        rig.a.expect_absent(VIP6);
    }
}
