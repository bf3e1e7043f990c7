//! Which interface and prefix: routes are a hint for start, and never change what is there.

use harness::rig::{VIP4, VIP6};
use harness::skip::skip;
use harness::{Host, L2};

use crate::{full_life, spare_pair};

/// A covering unreachable route made monitor find "more than one route", and the address was moved
/// (RA#1963).
#[test]
fn ip_01_unreachable_cover_route_does_not_confuse_monitor() {
    let rig = L2::new();
    let vip = rig.vip6().param("nodad", "true");
    vip.start().expect_code(0);
    rig.a.ip("-6 route add unreachable 2001:db8::/32 dev lo");
    for kind in ["blackhole", "prohibit", "throw"] {
        rig.a.ip(&format!("-6 route add {kind} 2001:db8:9::/60 dev lo metric 5"));
        vip.monitor().expect_code(0).expect_silent();
        rig.a.ip(&format!("-6 route del {kind} 2001:db8:9::/60 dev lo metric 5"));
    }
    vip.stop().expect_code(0);
    full_life(&vip, &rig.a, VIP6, "ethA", 64);
}

/// Routes learnt from routers made start fail; the advice was to set `proto` (RA#1976).
#[test]
fn ip_02_learnt_routes_need_no_extra_parameter() {
    let rig = L2::new();
    rig.a.ip("-6 route add 2001:db8:9::/64 dev ethA proto ra metric 1024");
    rig.a.ip("-6 route add 2001:db8::/48 via fe80::1 dev ethA proto ra");
    full_life(&rig.vip6().param("nodad", "true"), &rig.a, VIP6, "ethA", 64);
}

/// Two routes of one subnet on one device, as NetworkManager makes them, failed start and monitor
/// (RA#1980, RA#2001).
#[test]
fn ip_03_two_addresses_of_one_subnet_are_one_candidate() {
    let rig = L2::new();
    rig.a.ip("address add 10.9.0.3/24 dev ethA noprefixroute");
    rig.a.ip("route add 10.9.0.0/24 dev ethA src 10.9.0.3 metric 101");
    full_life(&rig.vip4(), &rig.a, VIP4, "ethA", 24);
}

/// The wider route won over the narrower (RA#488).
#[test]
fn ip_05_the_longest_prefix_wins() {
    let rig = L2::bare(Host::new("nodea"), "eth0");
    rig.cable("eth1", "02:00:00:09:00:0c", "ethD", "02:00:00:09:00:0d");
    rig.a.ip("address add 10.122.0.1/18 dev eth1");
    rig.a.ip("address add 10.122.24.1/25 dev eth0");
    full_life(&rig.ipaddr2("10.122.24.50"), &rig.a, "10.122.24.50", "eth0", 25);
    full_life(&rig.ipaddr2("10.122.24.150"), &rig.a, "10.122.24.150", "eth1", 18);
}

/// The choice of the route needed one dialect of awk; with another start was refused.
#[test]
fn ip_06_no_awk_is_needed_of_any_kind() {
    let rig = L2::new();
    rig.a.sh("mkdir /run/mawk /run/busybox /run/none; ln -s /usr/bin/mawk /run/mawk/awk; ln -s \
              /bin/busybox /run/busybox/awk");
    for tools in ["mawk", "busybox", "none"] {
        let vip = rig.vip4().env("PATH", &format!("/run/{tools}"));
        full_life(&vip, &rig.a, VIP4, "ethA", 24);
    }
}

/// An address outside every connected network, as in clouds and for anycast.
#[test]
fn ip_08_an_address_of_no_connected_network_needs_nic_and_mask() {
    let rig = L2::new();
    rig.a.ip("route add default via 10.9.0.2");
    let vip = rig.ipaddr2("192.0.2.5");
    vip.start().expect_code(5).expect_reason(&["nic", "cidr_netmask"]);
    rig.a.expect_absent("192.0.2.5");
    full_life(
        &vip.param("nic", "ethA").param("cidr_netmask", "32"),
        &rig.a,
        "192.0.2.5",
        "ethA",
        32,
    );
}

/// The documentation promised eth0, while names differ per node (RA#1726, pcs#144).
#[test]
fn ip_09_the_interface_has_no_default_and_is_derived() {
    let rig = L2::bare(Host::new("nodea"), "ens3");
    rig.a.ip("address add 10.9.0.1/24 dev ens3");
    full_life(&rig.vip4(), &rig.a, VIP4, "ens3", 24);
    let xml = rig.vip4().action("meta-data").expect_code(0).stdout.clone();
    let nic = xml
        .split("<parameter name=\"nic\"")
        .nth(1)
        .and_then(|rest| rest.split("</parameter>").next());
    let nic = nic.expect("the parameter nic in the meta-data");
    assert!(!nic.contains(" default=") || nic.contains(" default=\"\""), "{nic}");
}

/// With an alternative name monitor said not running, or printed an error each time and skipped the
/// link check (RA#2027).
#[test]
fn ip_10_an_alternative_name_is_as_good_as_the_name() {
    let rig = L2::new();
    rig.a.ip("link property add dev ethA altname lan0");
    let vip = rig.vip4().param("nic", "lan0");
    full_life(&vip, &rig.a, VIP4, "ethA", 24);
    vip.start().expect_code(0);
    vip.monitor().expect_code(0).expect_silent();
    rig.vip4().param("nic", "ethA").monitor().expect_code(0);
    rig.carrier(false);
    let by_name = rig.vip4().param("nic", "ethA").monitor();
    vip.monitor().expect_code(by_name.code).expect_code(7);
}

/// The link check looked at all devices: any device that is down failed the resource (RA#2188).
#[test]
fn ip_11_another_device_that_is_down_does_not_matter() {
    let rig = L2::new();
    spare_pair(&rig.a);
    let vip = rig.vip4();
    vip.start().expect_code(0);
    vip.monitor().expect_code(0).expect_silent();
    vip.probe().expect_code(0);
}

/// The same address on two devices on purpose (RA#59).
#[test]
fn ip_13_only_the_named_device_counts() {
    let rig = L2::new();
    rig.second_cable();
    rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
    rig.a.ip(&format!("address add {VIP4}/24 dev ethC"));
    let vip = rig.vip4().param("nic", "ethC").param("cidr_netmask", "24");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    assert_eq!(rig.a.only(VIP4).nic, "ethA");
    vip.monitor().expect_code(7);
}

/// On the loopback device monitor always said stopped.
#[test]
fn ip_14_loopback_is_a_device_like_others() {
    let rig = L2::new();
    let vip = rig.ipaddr2("198.51.100.9").param("nic", "lo").param("cidr_netmask", "32");
    full_life(&vip, &rig.a, "198.51.100.9", "lo", 32);
}

/// A table for policy routing was added, changed and dropped; the mask was lost on the way.
#[test]
fn ip_15_a_routing_table_of_ones_own_gives_device_and_prefix() {
    let rig = L2::new();
    rig.a.ip("route add 10.77.0.0/20 dev ethA table 100");
    let vip = rig.ipaddr2("10.77.0.50");
    vip.start().expect_code(5).expect_reason(&["nic", "cidr_netmask"]);
    full_life(&vip.param("table", "100"), &rig.a, "10.77.0.50", "ethA", 20);
}

/// A router's hundred thousand routes were read at each start. With interface and prefix length
/// given one question is enough.
#[test]
fn a_start_that_is_told_interface_and_prefix_reads_no_list_of_routes() {
    let rig = L2::new();
    if rig.a.run("/bin/sh", &["-c", "command -v strace"]).code != Some(0) {
        return skip("strace is not installed");
    }
    // 50,000 of each family.
    rig.a.sh("awk 'BEGIN { for (i = 0; i < 50000; i++)
            printf \"route add 172.%d.%d.%d/32 via 10.9.0.2\\n\", 16 + int(i / 65536), int(i / \
            256) % 256, i % 256 }' > /run/v4
        awk 'BEGIN { for (i = 1; i <= 50000; i++) printf \"route add 2001:db8:f::%x/128 via \
        2001:db8:9::2\\n\", i }' > /run/v6
        ip -batch /run/v4; ip -6 -batch /run/v6");
    let lists = |vip: &harness::Agent<'_>| {
        let traced = vip.clone().under(&[
            "strace",
            "-f",
            "-s",
            "64",
            "-e",
            "trace=sendto,sendmsg",
            "-o",
            "/run/trace",
        ]);
        traced.timeout(std::time::Duration::from_secs(60)).start().expect_code(0);
        let trace = rig.a.sh("cat /run/trace");
        assert!(trace.contains("RTM_GETADDR"), "{trace}");
        vip.stop().expect_code(0);
        let is_list = |line: &&str| {
            line.contains("RTM_GETROUTE")
                && (line.contains("NLM_F_DUMP") || line.contains("NLM_F_ROOT"))
        };
        trace.lines().filter(is_list).count()
    };
    for (vip, prefix) in [(rig.vip4(), "24"), (rig.vip6(), "64")] {
        let told = vip.clone().param("nic", "ethA").param("cidr_netmask", prefix);
        assert_eq!(lists(&told), 0, "{told:?}");
        assert_eq!(lists(&told.param("metric", "7")), 0);
        assert_eq!(lists(&vip), 1, "else the list decides");
    }
}

/// `proto` narrows the choice to routes of one origin.
#[test]
fn routes_of_another_origin_are_left_out_when_asked() {
    let rig = L2::new();
    rig.a.ip("route add 10.9.0.0/25 dev ethA proto static");
    full_life(&rig.vip4(), &rig.a, VIP4, "ethA", 25);
    full_life(&rig.vip4().param("proto", "kernel"), &rig.a, VIP4, "ethA", 24);
}
