//! Addresses, routes and settings of others: all of them are after a stop as they were before the start.

use harness::L2;
use harness::rig::{VIP4, VIP6};

/// The stop of a resource whose start was refused took the address of another resource away.
#[test]
fn ip_f2_a_refused_resource_does_not_touch_the_address_of_another_one() {
    let rig = L2::new();
    rig.second_cable();
    let gateway = |name: &str, nic: &str| {
        let vip = rig.ipaddr2("fe80::1").instance(name);
        vip.param("nic", nic).param("cidr_netmask", "64").param("nodad", "true")
    };
    let (good, refused) = (gateway("gw-c", "ethC"), gateway("gw-a", "eth9"));
    good.start().expect_code(0);
    refused.start().expect_code(5);
    refused.stop().expect_code(0);
    assert_eq!(rig.a.only("fe80::1").nic, "ethC");
    good.monitor().expect_code(0);
    // The same address on another interface, where no start has ever been.
    let other = gateway("gw-a", "ethA");
    other.stop().expect_code(0);
    assert_eq!(rig.a.only("fe80::1").nic, "ethC");
    // Both at once, and each goes alone.
    other.start().expect_code(0);
    good.stop().expect_code(0);
    assert_eq!(rig.a.only("fe80::1").nic, "ethA");
    other.stop().expect_code(0);
    rig.a.expect_absent("fe80::1");
}

/// An address that an administrator has configured with another prefix length, the node's own even, was removed.
#[test]
fn ip_f11_an_address_with_another_prefix_length_that_no_start_has_added_stays() {
    let rig = L2::new();
    rig.a.ip("address add 10.9.0.60/24 dev ethA");
    for own in ["10.9.0.1", "10.9.0.60"] {
        let vip = rig.ipaddr2(own).param("cidr_netmask", "32");
        vip.probe().expect_code(1).expect_reason(&[own, "prefix length 24"]);
        vip.start().expect_code(1).expect_reason(&["prefix length 24"]);
        vip.stop().expect_code(0);
        assert_eq!(rig.a.only(own).prefix, 24);
    }
    // What a start has added goes, whatever prefix length is configured by then.
    rig.vip4().param("cidr_netmask", "24").start().expect_code(0);
    rig.vip4().param("cidr_netmask", "32").stop().expect_code(0);
    rig.a.expect_absent(VIP4);
    // Of two with the same address the one that the start has added.
    rig.a.ip(&format!("address add {VIP4}/25 dev ethA"));
    rig.a.ip(&format!("address add {VIP4}/32 dev ethA"));
    let vip = rig.vip4().param("cidr_netmask", "32");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    assert_eq!(rig.a.only(VIP4).prefix, 25);
}

/// A stop failed for ever on an address with another end (point-to-point): the kernel wants to hear of it.
#[test]
fn ip_f7_an_address_with_a_peer_is_removed() {
    let rig = L2::new();
    for (ip, peer) in [(VIP4, "10.9.0.77/32"), (VIP6, "2001:db8:9::77/128")] {
        rig.a.ip(&format!("address add {ip} peer {peer} dev ethA"));
        let vip = rig.ipaddr2(ip);
        vip.probe().expect_code(0);
        vip.stop().expect_code(0);
        rig.a.expect_absent(ip);
        vip.probe().expect_code(7);
    }
}

/// With the state directory read-only, a stop failed after it had done its work, and a start began none.
#[test]
fn ip_f4_a_state_directory_that_is_read_only_fails_neither_stop_nor_start() {
    let rig = L2::new();
    let vip = rig.vip4().param("arp_count", "1");
    vip.start().expect_code(0);
    rig.a.sh("mount -t tmpfs none /mnt && cp -a /run/resource-agents/. /mnt && mount --move /mnt /run/resource-agents");
    rig.a.sh("mount -o remount,ro /run/resource-agents");
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
    vip.start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).nic, "ethA");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// A name of 245 letters has no room for a file of state.
#[test]
fn ip_f4_a_resource_whose_name_is_too_long_for_a_file_works() {
    let rig = L2::new();
    let vip = rig.vip4().instance(&"x".repeat(245));
    vip.start().expect_code(0);
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// The on-link route that a router advertisement had brought was gone after a stop: the kernel removes a prefix route with
/// the last address of its network, whoever has added it.
#[test]
fn ip_f3_a_route_that_was_advertised_stays() {
    let rig = L2::new();
    rig.a.ip("address add 2001:db8:aa::1/128 dev ethA nodad");
    let route = || rig.a.ip_json("-d -6 route show 2001:db8:aa::/64");
    for (protocol, metric) in [("ra", 1024), ("static", 256), ("ra", 100)] {
        rig.a.ip(&format!("-6 route add 2001:db8:aa::/64 dev ethA proto {protocol} metric {metric}"));
        let before = route();
        for given in [&[][..], &[("nic", "ethA")], &[("nic", "ethA"), ("cidr_netmask", "64")]] {
            let mut vip = rig.ipaddr2("2001:db8:aa::50").param("nodad", "true");
            for (name, value) in given {
                vip = vip.param(name, value);
            }
            vip.start().expect_code(0);
            assert_eq!(rig.a.only("2001:db8:aa::50").prefix, 64);
            vip.stop().expect_code(0);
            assert_eq!(route(), before, "{given:?}");
        }
        rig.a.ip(&format!("-6 route del 2001:db8:aa::/64 dev ethA proto {protocol} metric {metric}"));
    }
}
