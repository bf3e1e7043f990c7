//! How the address is put on: mask, broadcast, label, routes, metric.

use std::time::Duration;

use harness::L2;
use harness::process::wait_until;
use harness::rig::{VIP4, VIP6};

/// A netmask as four numbers is accepted; one with holes is a mistake everywhere.
#[test]
fn ip_16_a_dotted_netmask_is_understood() {
    let rig = L2::new();
    rig.vip4().param("cidr_netmask", "255.255.255.0").start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).prefix, 24);
    rig.vip4().param("cidr_netmask", "255.255.255.0").monitor().expect_code(0);
    rig.vip4().stop().expect_code(0);
    let holes = rig.vip4().param("cidr_netmask", "255.0.255.0");
    holes.start().expect_code(6).expect_reason(&["cidr_netmask", "255.0.255.0"]);
    rig.a.expect_absent(VIP4);
}

/// `+` sets the host bits, `-` clears them, as with `ip address add … brd`.
#[test]
fn ip_16_a_broadcast_address_may_be_derived() {
    let rig = L2::new();
    for (given, expected) in [("+", "10.9.0.255"), ("-", "10.9.0.0"), ("10.9.0.127", "10.9.0.127")]
    {
        let vip = rig.vip4().param("broadcast", given);
        vip.start().expect_code(0);
        assert_eq!(rig.a.only(VIP4).broadcast, expected, "broadcast={given}");
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
    }
}

/// Without `broadcast` the address gets that of the network it joins.
#[test]
fn the_broadcast_address_of_the_connected_network_is_taken_over() {
    let rig = L2::new();
    rig.vip4().start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).broadcast, "10.9.0.255");
}

/// A label that is too long was met at start, or not at all (RA#1985).
#[test]
fn ip_18_a_label_that_is_too_long_is_found_by_validation() {
    let rig = L2::new();
    let vip = rig.vip4().param("iflabel", "sixteen_letters_");
    vip.validate().expect_code(6).expect_reason(&["iflabel", "15"]);
    rig.vip4()
        .param("nic", "ethA")
        .param("iflabel", "elevenchars")
        .validate()
        .expect_code(6)
        .expect_reason(&["iflabel"]);
}

/// The label was missing after the address was added, and no one looked (RA#1985).
#[test]
fn ip_18_a_label_is_set_and_verified() {
    let rig = L2::new();
    let vip = rig.vip4().param("iflabel", "web");
    vip.start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).label, "ethA:web");
    vip.monitor().expect_code(0).expect_silent();
    rig.vip4().param("iflabel", "mail").monitor().expect_code(1).expect_reason(&["label", "mail"]);
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
    let in_nic = rig.vip4().param("nic", "ethA:web");
    in_nic.start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).label, "ethA:web");
    in_nic.monitor().expect_code(0);
    in_nic.stop().expect_code(0);
}

/// A prefix other than the configured one is not the configured one, and monitor reports it.
#[test]
fn another_prefix_length_than_configured_fails_the_monitor() {
    let rig = L2::new();
    rig.a.ip(&format!("address add {VIP4}/32 dev ethA"));
    rig.vip4()
        .param("cidr_netmask", "24")
        .monitor()
        .expect_code(1)
        .expect_reason(&[VIP4, "32", "24"]);
    rig.vip4().monitor().expect_code(0);
}

/// A prefix route was left behind by stop, and there was no way to have none (RA#1692).
#[test]
fn ip_34_stop_leaves_the_routes_as_start_found_them() {
    let rig = L2::new();
    let routes = || {
        let all = |family: &str| rig.a.ip(&format!("{family} route show table all"));
        let mut lines: Vec<String> = (all("-4") + &all("-6")).lines().map(str::to_owned).collect();
        // The kernel adds these in its own time.
        lines.retain(|line| {
            !line.contains("multicast") && !line.contains("fe80") && !line.contains("anycast")
        });
        lines.sort();
        lines
    };
    // The local route of an IPv6 address comes a moment after the address.
    let own = || routes().iter().any(|line| line.starts_with("local 2001:db8:9::1 "));
    assert!(wait_until(Duration::from_secs(5), || own().then_some(())).is_some());
    let before = routes();
    let other = rig.ipaddr2("10.8.0.50").param("nic", "ethA").param("cidr_netmask", "24");
    for vip in [rig.vip4(), rig.vip6().param("nodad", "true"), other] {
        vip.start().expect_code(0);
        assert_ne!(routes(), before);
        vip.stop().expect_code(0);
        assert_eq!(routes(), before);
    }
}

/// See above: no prefix route at all.
#[test]
fn ip_34_noprefixroute_adds_no_connected_route() {
    let rig = L2::new();
    for (ip, net, mask) in
        [("10.8.0.50", "10.8.0.0/24", "24"), ("2001:db8:8::50", "2001:db8:8::/64", "64")]
    {
        let family = if ip.contains(':') { "-6" } else { "-4" };
        let vip =
            rig.ipaddr2(ip).param("nic", "ethA").param("cidr_netmask", mask).param("nodad", "true");
        vip.start().expect_code(0);
        assert_ne!(rig.a.ip(&format!("{family} route show {net}")), "");
        vip.stop().expect_code(0);
        let vip = vip.param("noprefixroute", "true");
        vip.start().expect_code(0);
        assert_eq!(rig.a.ip(&format!("{family} route show {net}")), "");
        assert!(rig.a.only(ip).flag("noprefixroute"));
        vip.stop().expect_code(0);
    }
}

/// A base route without a metric put garbage into the command; IPv4 had no metric at all (RA#2210).
#[test]
fn ip_35_a_metric_only_where_one_is_given_or_found() {
    let rig = L2::new();
    rig.vip4().start().expect_code(0);
    rig.vip6().param("nodad", "true").start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).raw.get("metric"), None);
    assert_eq!(rig.a.only(VIP6).raw.get("metric"), None);
    assert!(!rig.a.ip("-4 route show").contains("metric"), "{}", rig.a.ip("-4 route show"));
}

/// See above: given.
#[test]
fn ip_35_a_given_metric_is_that_of_the_route_in_both_families() {
    let rig = L2::new();
    for (ip, net, mask) in
        [("10.8.0.50", "10.8.0.0/24", "24"), ("2001:db8:8::50", "2001:db8:8::/64", "64")]
    {
        let family = if ip.contains(':') { "-6" } else { "-4" };
        let vip =
            rig.ipaddr2(ip).param("nic", "ethA").param("cidr_netmask", mask).param("nodad", "true");
        vip.param("metric", "50").start().expect_code(0);
        let route = rig.a.ip_json(&format!("{family} route show {net}"));
        assert_eq!(route[0]["metric"], 50, "{route}");
    }
}

/// See above: found on the route of the network that the address joins.
#[test]
fn ip_35_the_metric_of_the_joined_network_is_taken_over() {
    let rig = L2::new();
    rig.second_cable();
    rig.a.ip("address add 2001:db8:c::1/64 dev ethC nodad metric 700");
    rig.ipaddr2("2001:db8:c::50").param("nodad", "true").start().expect_code(0);
    let seen = rig.a.only("2001:db8:c::50");
    assert_eq!((seen.nic.as_str(), &seen.raw["metric"]), ("ethC", &700.into()), "{seen:?}");
}
