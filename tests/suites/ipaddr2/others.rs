//! Addresses, routes and settings of others: all of them are after a stop as they were before the
//! start.

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

/// An address that an administrator has configured with another prefix length, the node's own even,
/// was removed.
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

/// A faulty interface or network namespace was as if there were none: a stop after a start that was
/// refused took the address of another resource.
#[test]
fn a_faulty_place_is_not_any_place() {
    let rig = L2::new();
    rig.vip4().instance("good").start().expect_code(0);
    for (name, value) in [("network_namespace", "/run/netns/blue"), ("nic", "ethA ")] {
        let bad = rig.vip4().instance("bad").param(name, value);
        bad.probe().expect_code(7);
        bad.start().expect_code(6);
        bad.stop().expect_code(0);
        assert_eq!(rig.a.only(VIP4).nic, "ethA");
    }
}

/// The copy of a real server on a tunnel, or that of kube-proxy, was taken for the resource: it was
/// not started, and a stop removed the copy.
#[test]
fn a_copy_on_another_interface_is_not_the_resource() {
    let rig = L2::new();
    rig.a.ip("link add kube type veth peer name kube2");
    rig.a.ip(&format!("address add {VIP4}/32 dev kube"));
    let copies = || rig.a.seen(VIP4).iter().filter(|found| found.nic == "kube").count();
    for vip in [rig.vip4(), rig.vip4().param("cidr_netmask", "24")] {
        vip.probe().expect_code(7);
        vip.stop().expect_code(0);
        assert_eq!(copies(), 1, "before a start");
        vip.start().expect_code(0);
        assert!(rig.a.seen(VIP4).iter().any(|found| found.nic == "ethA"));
        vip.monitor().expect_code(0);
        rig.a.ip(&format!("address del {VIP4}/24 dev ethA"));
        vip.monitor().expect_code(7);
        vip.start().expect_code(0);
        vip.stop().expect_code(0);
        assert_eq!((rig.a.seen(VIP4).len(), copies()), (1, 1), "after a stop");
    }
}

/// Parameters that were changed while the cluster did not look: what was started with the earlier
/// ones stayed on the node after a stop that said all is gone.
#[test]
fn what_was_started_with_other_parameters_does_not_stay() {
    let rig = L2::new();
    rig.second_cable();
    let vip = |ip: &str, nic: &str| rig.ipaddr2(ip).param("nic", nic).param("cidr_netmask", "24");
    for (ip, nic) in [(VIP4, "ethC"), ("10.9.0.51", "ethA")] {
        vip(VIP4, "ethA").instance("one").start().expect_code(0);
        let changed = vip(ip, nic).instance("one");
        changed.probe().expect_code(1).expect_reason(&[VIP4, "ethA", "stop the resource"]);
        changed.start().expect_code(0);
        changed.monitor().expect_code(0);
        assert_eq!(rig.a.only(ip).nic, nic, "one address, and where it is wanted");
        changed.stop().expect_code(0);
        rig.a.expect_absent(VIP4);
        rig.a.expect_absent(ip);
    }
    // The interface that was found is named now: nothing has changed.
    rig.vip4().instance("one").start().expect_code(0);
    vip(VIP4, "ethA").instance("one").probe().expect_code(0);
    vip(VIP4, "ethA").instance("one").start().expect_code(0);
    vip(VIP4, "ethA").instance("one").stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// A stop failed for ever on an address with another end (point-to-point): the kernel wants to hear
/// of it.
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

/// With the state directory read-only, a stop failed after it had done its work, and a start began
/// none.
#[test]
fn ip_f4_a_state_directory_that_is_read_only_fails_neither_stop_nor_start() {
    let rig = L2::new();
    let vip = rig.vip4().param("arp_count", "1");
    vip.start().expect_code(0);
    rig.a.sh("mount -t tmpfs none /mnt && cp -a /run/resource-agents/. /mnt && mount --move /mnt \
              /run/resource-agents");
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

/// The on-link route that a router advertisement had brought was gone after a stop: the kernel
/// removes a prefix route with the last address of its network, whatever added it.
#[test]
fn ip_f3_a_route_that_was_advertised_stays() {
    let rig = L2::new();
    rig.a.ip("address add 2001:db8:aa::1/128 dev ethA nodad");
    let route = || rig.a.ip_json("-d -6 route show 2001:db8:aa::/64");
    for (protocol, metric) in [("ra", 1024), ("static", 256), ("ra", 100)] {
        rig.a.ip(&format!(
            "-6 route add 2001:db8:aa::/64 dev ethA proto {protocol} metric {metric}"
        ));
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
        rig.a.ip(&format!(
            "-6 route del 2001:db8:aa::/64 dev ethA proto {protocol} metric {metric}"
        ));
    }
}

/// With a metric of its own an address comes with a second route to the network, which the kernel
/// leaves behind as long as the node has another address there.
#[test]
fn the_second_prefix_route_goes_with_the_address_that_has_brought_it() {
    let rig = L2::new();
    let routes = || rig.a.ip_json("-d -6 route show 2001:db8:9::/64");
    let before = routes();
    let vip = |ip: &str| rig.ipaddr2(ip).param("metric", "77").param("dad", "off");
    let (first, second) = (vip(VIP6), vip("2001:db8:9::51"));
    first.start().expect_code(0);
    second.start().expect_code(0);
    let both = routes();
    assert_ne!(both, before);
    first.stop().expect_code(0);
    assert_eq!(routes(), both, "the second resource needs it");
    // The address is removed by other means, and the kernel leaves the route.
    rig.a.ip("-6 address del 2001:db8:9::51/64 dev ethA");
    assert_eq!(routes(), both);
    second.stop().expect_code(0);
    assert_eq!(routes(), before);
}

/// A label in the address selection policy that an administrator has given to the address went with
/// the address.
#[test]
fn a_label_of_somebody_else_stays() {
    let rig = L2::new();
    let labels = || rig.a.ip("-6 addrlabel list");
    rig.a.ip(&format!("addrlabel add prefix {VIP6}/128 label 7"));
    let before = labels();
    let vip = rig.vip6().param("nodad", "true");
    // Where the resource has never been, and where it is.
    vip.stop().expect_code(0);
    assert_eq!(labels(), before);
    vip.start().expect_code(0);
    vip.stop().expect_code(0);
    assert_eq!(labels(), before);
}

/// A small generator of numbers, the same for a seed on every machine (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// A parameter and its values; an empty one leaves it out.
type Choices = &'static [(&'static str, &'static [&'static str])];

/// Rows of choices in which every pair of values of two parameters comes up.
fn pairwise(choices: Choices) -> Vec<Vec<usize>> {
    let mut open = Vec::new();
    for a in 0..choices.len() {
        for b in a + 1..choices.len() {
            for x in 0..choices[a].1.len() {
                open.extend((0..choices[b].1.len()).map(|y| (a, x, b, y)));
            }
        }
    }
    let (mut numbers, mut rows) = (Numbers(1), Vec::new());
    while let Some(first) = open.first().copied() {
        let covers = |row: &Vec<usize>, pair: &(usize, usize, usize, usize)| {
            row[pair.0] == pair.1 && row[pair.2] == pair.3
        };
        let candidates = (0..50).map(|_| {
            let mut row: Vec<usize> =
                choices.iter().map(|(_, values)| numbers.below(values.len())).collect();
            (row[first.0], row[first.2]) = (first.1, first.3);
            row
        });
        let best = candidates
            .max_by_key(|row| open.iter().filter(|pair| covers(row, pair)).count())
            .expect("candidates");
        open.retain(|pair| !covers(&best, pair));
        rows.push(best);
    }
    rows
}

/// Everything that the kernel reports about addresses, routes, rules and address labels, without
/// what goes on by itself.
pub fn everything(rig: &L2) -> Vec<String> {
    let mut lines = Vec::new();
    for words in [
        "-d address",
        "-d -4 route show table all",
        "-d -6 route show table all",
        "-4 rule",
        "-6 rule",
    ] {
        let answer = rig.a.ip_json(words);
        for entry in answer.as_array().into_iter().flatten() {
            match entry["addr_info"].as_array() {
                Some(addresses) => {
                    lines.extend(
                        addresses.iter().map(|address| format!("{} {address}", entry["ifname"])),
                    );
                    let link = ["ifname", "flags", "operstate", "promiscuity", "mtu"]
                        .map(|key| entry[key].to_string());
                    lines.push(link.join(" "));
                }
                None => lines.push(entry.to_string()),
            }
        }
    }
    lines.extend(rig.a.ip("-6 addrlabel list").lines().map(str::to_owned));
    // The kernel joins groups and makes anycast routes in its own time.
    lines.retain(|line| {
        !line.contains("anycast") && !line.contains("multicast") && !line.contains("ff00::")
    });
    lines.sort();
    lines
}

/// Waits until the kernel's own work on addresses is over: detection, then the routes that follow
/// from it.
pub fn wait_quiet(rig: &L2) {
    rig.a.sh("while ip -6 address | grep -q tentative; do sleep 0.05; done");
    let quiet = harness::process::wait_until(std::time::Duration::from_secs(20), || {
        let before = everything(rig);
        std::thread::sleep(std::time::Duration::from_millis(300));
        (everything(rig) == before).then_some(())
    });
    assert!(quiet.is_some(), "{:#?}", everything(rig));
}

/// Whatever is configured, a stop leaves everything as it was before the start.
fn as_before(rig: &L2, ip: &str, choices: Choices) {
    for row in pairwise(choices) {
        let mut vip = rig.ipaddr2(ip);
        for ((name, values), choice) in choices.iter().zip(&row) {
            if !values[*choice].is_empty() {
                vip = vip.param(name, values[*choice]);
            }
        }
        let before = everything(rig);
        vip.start().expect_code(0);
        assert_ne!(everything(rig), before, "{vip:?}");
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
        let after = everything(rig);
        let lost: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        let left: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
        assert!(lost.is_empty() && left.is_empty(), "{vip:?}\nlost: {lost:#?}\nleft: {left:#?}");
    }
}

/// A node as administrators make it: several addresses, routes of several origins, rules, a copy on
/// the loopback interface.
fn busy() -> L2 {
    let rig = L2::new();
    rig.second_cable();
    rig.a.ip("link set lo up");
    rig.a.ip("address add 10.9.0.3/24 dev ethA label ethA:adm");
    rig.a.ip("address add 10.9.0.4/25 dev ethA metric 50");
    rig.a.ip("address add 10.6.0.1/24 dev ethC");
    rig.a.ip(&format!("address add {VIP4}/32 dev lo scope host label lo:vip"));
    rig.a.ip("-4 route add 10.5.0.0/16 via 10.9.0.2 proto static metric 7");
    rig.a.ip("-4 route add 10.9.0.0/24 dev ethC table 77 proto bird");
    rig.a.ip("-4 rule add from 10.9.0.0/24 table 77");
    rig.a.ip("-6 address add 2001:db8:9::3/128 dev ethA nodad");
    rig.a.ip("-6 address add 2001:db8:6::1/128 dev ethC nodad");
    rig.a.ip("-6 route add 2001:db8:6::/64 dev ethC proto ra metric 1024");
    rig.a.ip("-6 route add 2001:db8:5::/64 via 2001:db8:9::2 proto static");
    rig.a.ip("addrlabel add prefix 2001:db8:9::/64 label 33");
    // The kernel's own work on these is over.
    rig.a.sh("until test $(ip -6 route show table local | grep -c '^local 2001:db8:') = 3; do \
              sleep 0.05; done");
    wait_quiet(&rig);
    rig
}

#[test]
fn everything_is_after_a_stop_as_before_the_start_ipv4() {
    as_before(
        &busy(),
        VIP4,
        &[
            ("nic", &["ethA", ""]),
            ("cidr_netmask", &["24", "", "32"]),
            ("iflabel", &["", "web"]),
            ("broadcast", &["", "+", "10.9.0.77"]),
            ("noprefixroute", &["", "true"]),
            ("metric", &["", "77", "50"]),
            ("lvs_support", &["", "true"]),
            ("run_arping", &["", "true"]),
            ("flush_routes", &["", "true"]),
        ],
    );
}

#[test]
fn everything_is_after_a_stop_as_before_the_start_ipv6() {
    let rig = busy();
    // The node's own address of the network has a route of the default metric.
    rig.a.ip("-6 route add 2001:db8:9::/64 dev ethA proto ra metric 2048");
    let choices: Choices = &[
        ("nic", &["", "ethA"]),
        ("cidr_netmask", &["", "64", "128"]),
        ("noprefixroute", &["", "true"]),
        ("metric", &["", "77", "2048"]),
        ("dad", &["", "off"]),
        ("preferred_lft", &["", "0"]),
        ("lvs_ipv6_addrlabel", &["", "false"]),
    ];
    as_before(&rig, VIP6, choices);
    // In the network whose route was advertised.
    as_before(&rig, "2001:db8:6::50", &[("dad", &["", "off"]), ("metric", &["", "77", "2048"])]);
}
