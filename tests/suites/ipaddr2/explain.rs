//! `--explain`: why this interface?

use harness::L2;
use harness::rig::{VIP4, hashes};
use harness::skip::skip;

use crate::others::{everything, wait_quiet};

#[test]
fn an_explanation_says_what_a_start_would_do_and_why() {
    let rig = L2::new();
    rig.second_cable();
    rig.a.ip("address add 10.9.0.5/16 dev ethC");
    rig.a.ip("-4 route add default via 10.9.0.2");
    wait_quiet(&rig);
    let before = everything(&rig);
    let vip = rig
        .vip4()
        .param("iflabel", "web")
        .param("arp_count_refresh", "1")
        .param("announce_to", "10.9.0.2");
    vip.explain().expect_code(0).expect_lines(&[
        "resource: vip-10-9-0-50",
        "parameter: iflabel=web",
        "record: no address",
        "interface: ethA, up, 10.9.0.1/24 (considered)",
        "interface: lo, up, 127.0.0.1/8 (not considered: the loopback interface)",
        "routing table: 254 (the main one)",
        "route: 0.0.0.0/0 dev ethA proto boot metric 0 (left out: it is the default route)",
        "route: 10.9.0.0/16 dev ethC proto kernel metric 0 (fits; the longest prefix counts, then \
         the lowest metric)",
        "route: 10.9.0.0/24 dev ethA proto kernel metric 0 (fits; the longest prefix counts, then \
         the lowest metric)",
        "monitor: not running",
        "chosen interface: ethA (the route to 10.9.0.0/24)",
        "prefix length: 24 (the route to 10.9.0.0/24)",
        "broadcast address: 10.9.0.255 (that of the address which connects the network)",
        "label: ethA:web (iflabel, or the part of nic after the colon)",
        "metric: the kernel's own",
        "prefix route: comes with the address, in table 254",
        "announcements: 5: at once, 0.2 s, 1.3 s, 2.4 s, 3.5 s (ARP requests and replies, in the \
         background)",
        "announcements: 1 in each monitor (arp_count_refresh)",
        "announced directly to: 10.9.0.2 (its MAC address is not known yet)",
        "start: adds 10.9.0.50/24 to ethA",
    ]);
    assert_eq!(everything(&rig), before);
    rig.a.expect_absent(VIP4);
}

#[test]
fn an_explanation_of_what_is_here_says_what_monitor_and_record_say() {
    let rig = L2::new();
    let vip = rig.vip6().param("nic", "ethA").param("dad", "off").param("metric", "77");
    vip.start().expect_code(0);
    wait_quiet(&rig);
    let before = everything(&rig);
    vip.explain().expect_code(0).expect_lines(&[
        "record: 2001:db8:9::50/64 on ethA (what a stop removes)",
        "monitor: running",
        "chosen interface: ethA (nic)",
        "metric: 77 (metric)",
        "duplicate address detection: off (dad=off, or nodad)",
        "address label: 99 (lvs_ipv6_addrlabel: no source address of this node)",
        "start: does nothing (the address is here)",
    ]);
    assert_eq!(everything(&rig), before);
    // It was added by other means: a monitor would make a record of that.
    vip.stop().expect_code(0);
    rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
    rig.vip4().explain().expect_code(0).expect_lines(&["record: no address", "monitor: running"]);
    rig.a.sh("! ls /run/resource-agents/*10-9-0-50*.record");
    // A node whose routes come from others.
    rig.a.ip("address add 2001:db8:aa::1/128 dev ethA nodad");
    rig.a.ip("-6 route add 2001:db8:aa::/64 dev ethA proto ra metric 100");
    rig.ipaddr2("2001:db8:aa::50").explain().expect_code(0).expect_lines(&[
        "route: 2001:db8:aa::/64 dev ethA proto ra metric 100 (fits; the longest prefix counts, \
         then the lowest metric)",
        "metric: 100 (the route to 2001:db8:aa::/64)",
        "prefix route: none (another's route to this network is there, and would go with the \
         address)",
    ]);
}

/// The exit code is that of the start, after all that could be found out until then.
#[test]
fn an_explanation_of_a_start_that_would_fail_has_its_code_and_reason() {
    let rig = L2::new();
    let nowhere = rig.ipaddr2("192.0.2.5").explain();
    nowhere.expect_code(5).expect_reason(&["192.0.2.5", "set both nic and cidr_netmask"]);
    nowhere.expect_lines(&["route: none has the address", "monitor: not running"]);
    // Nothing of it stands in a log or a trace.
    let missing =
        rig.vip4().param("nic", "eth9").param("trace_ra", "1").env("HA_VARLIB", "/run/varlib");
    let missing =
        missing.env("HA_LOGFILE", "/run/ha.log").env("HA_DEBUGLOG", "/run/ha-debug.log").explain();
    missing.expect_code(5).expect_reason(&["eth9", "ethA"]);
    missing
        .expect_lines(&["interface: ethA, up, 10.9.0.1/24 (not considered: nic is another one)"]);
    let faulty = rig.vip4().param("arp_count", "many").explain();
    faulty
        .expect_code(6)
        .expect_reason(&["arp_count"])
        .expect_lines(&["parameter: arp_count=many"]);
    rig.vip4()
        .param("cidr_netmsk", "24")
        .explain()
        .expect_code(0)
        .expect_lines(&["parameter: cidr_netmsk=24 (unknown, and ignored)"]);
    rig.a.ip(&format!("address add {VIP4}/32 dev ethA"));
    let different = rig.vip4().param("cidr_netmask", "24").explain();
    different.expect_code(1).expect_reason(&["prefix length 32 instead of 24"]);
    different.expect_lines(&[
        "monitor: failed (10.9.0.50 is on ethA with prefix length 32 instead of 24)",
    ]);
    rig.a.ip(&format!("address del {VIP4}/32 dev ethA"));
    rig.carrier(false);
    rig.vip4().explain().expect_code(1).expect_reason(&["ethA", "no link"]);
    // Without root, and with nothing of the cluster's environment.
    rig.carrier(true);
    if harness::root::has_other_users() {
        rig.vip4().as_nobody().bare().explain().expect_code(0).expect_lines(&["resource: default"]);
    }
}

#[test]
fn an_explanation_of_a_cluster_ip_has_its_rules() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("this kernel lacks what the rules of a cluster IP need");
    }
    let vip = rig.vip4().meta("clone", "0").meta("clone_max", "2").meta("globally_unique", "true");
    let vip = vip.param("clusterip_mac_mangle", "true");
    let explained = vip.explain();
    explained.expect_code(0).expect_lines(&[
        "cluster IP: share 1 of 2",
        "hash seed: 0x47417c3e (follows from the address)",
        "shared MAC address: 47:41:7c:3e:2b:10 (follows from the address)",
        "firewall tool: nft",
        "share served here now: none",
    ]);
    assert!(
        explained.stdout.contains(
            "rule: ip IPaddr2_10_9_0_50 prerouting iif \"ethA\" ip daddr 10.9.0.50 jhash"
        )
    );
    assert!(!rig.a.sh("nft list ruleset").contains("IPaddr2"));
}
