//! What is an address, a prefix length, and what to do about text that is none.

use harness::L2;
use harness::rig::{VIP4, VIP6};

/// Unusual ways to write an IPv6 address were not found again by monitor.
#[test]
fn ip_19_every_way_to_write_an_address_means_it() {
    let rig = L2::new();
    for text in
        ["2001:DB8:9:0::0051", "2001:db8:0009:0000:0000:0000:0000:0051", "2001:db8:9::0.0.0.81"]
    {
        let vip = rig.ipaddr2(text).param("nodad", "true");
        vip.start().expect_code(0);
        assert_eq!(rig.a.only("2001:db8:9::51").prefix, 64);
        vip.monitor().expect_code(0).expect_silent();
        vip.stop().expect_code(0);
        rig.a.expect_absent("2001:db8:9::51");
    }
}

/// Nonsense passed validation (RA#217).
#[test]
fn ip_20_nonsense_is_refused_and_stop_does_not_mind() {
    let rig = L2::new();
    for text in [
        ":::::",
        "2001:db8:::1",
        "1.2.3",
        "256.1.1.1",
        "10.9.0.50/24",
        "abcd:::",
        "010.9.0.50",
        "not_ip_address",
        "10.9.0.50 ",
    ] {
        let vip = rig.ipaddr2(text);
        if text.trim() == text {
            vip.validate().expect_code(6).expect_reason(&["ip", text]);
            vip.start().expect_code(6);
            vip.monitor().expect_code(6);
            vip.probe().expect_code(7);
        }
        vip.stop().expect_code(0);
    }
    for (ip, mask) in
        [(VIP4, "33"), (VIP6, "129"), (VIP4, "-1"), (VIP4, "not_netmask"), (VIP6, "255.255.0.0")]
    {
        let vip = rig.ipaddr2(ip).param("cidr_netmask", mask);
        vip.validate().expect_code(6).expect_reason(&["cidr_netmask", mask]);
        vip.start().expect_code(6);
        vip.stop().expect_code(0);
    }
}

/// Only text that begins with `fe80::` was taken for a link-local address.
#[test]
fn ip_21_every_link_local_address_needs_its_interface() {
    let rig = L2::new();
    for ip in ["fe80::1", "fe80:0::1", "fe90::1", "febf::1"] {
        rig.ipaddr2(ip).validate().expect_code(6).expect_reason(&["nic", "link-local"]);
        rig.ipaddr2(ip).start().expect_code(6);
        rig.ipaddr2(ip).stop().expect_code(0);
    }
    for ip in ["fe80::1", "febf::1"] {
        let vip =
            rig.ipaddr2(ip).param("nic", "ethA").param("cidr_netmask", "64").param("nodad", "true");
        vip.start().expect_code(0);
        assert_eq!(rig.a.only(ip).nic, "ethA");
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
        rig.a.expect_absent(ip);
    }
}

/// A link-local address takes its prefix from the device's own link-local route.
#[test]
fn ip_21_a_link_local_address_needs_no_mask() {
    let rig = L2::new();
    let vip = rig.ipaddr2("fe80::51").param("nic", "ethA").param("nodad", "true");
    vip.start().expect_code(0);
    assert_eq!(rig.a.only("fe80::51").prefix, 64);
    vip.stop().expect_code(0);
}

/// What a missing address means changed from release to release.
#[test]
fn ip_22_a_missing_address_is_a_mistake_everywhere_but_not_for_stop() {
    let rig = L2::new();
    for vip in [rig.vip4().without("ip"), rig.vip4().param("ip", "")] {
        vip.start().expect_code(6).expect_reason(&["ip"]);
        vip.monitor().expect_code(6).expect_reason(&["ip"]);
        vip.validate().expect_code(6).expect_reason(&["ip"]);
        vip.probe().expect_code(7);
        vip.stop().expect_code(0);
        vip.action("meta-data").expect_code(0);
    }
}

/// A probe before the first start, of an address that is not here.
#[test]
fn a_probe_of_what_is_not_here_is_quiet() {
    let rig = L2::new();
    rig.vip4().probe().expect_code(7).expect_silent();
    rig.vip6().probe().expect_code(7).expect_silent();
}
