//! Clones: a plain address on each node, an address of its own for each instance, or a shared
//! cluster IP.

use std::time::Duration;

use harness::capture::is_from;
use harness::rig::{MAC_A, VIP4, VIP6, hashes};
use harness::skip::skip;
use harness::{Agent, Host, L2, Lan, agent};

/// Instance `number` of a clone of `max`, globally unique or not.
fn instance<'host>(vip: &Agent<'host>, number: u32, max: u32, unique: bool) -> Agent<'host> {
    vip.clone()
        .instance(&format!("vip:{number}"))
        .meta("clone", &number.to_string())
        .meta("clone_max", &max.to_string())
        .meta("clone_node_max", &max.to_string())
        .meta("globally_unique", if unique { "true" } else { "false" })
}

/// Stand-ins for the firewall tools that only write down that they were called.
fn stubs(rig: &L2) {
    rig.a.sh("mkdir /run/stubs; cd /run/stubs
        for tool in nft iptables ip6tables arptables iptables-nft iptables-legacy; do
            printf '#!/bin/sh\\necho \"$0 $*\" >> /run/stubs/log\\nexit 1\\n' > $tool; chmod +x \
            $tool
        done; : > log");
}

const STUBBED: &str = "/run/stubs:/usr/sbin:/usr/bin:/sbin:/bin";

/// What nft shows; nothing when it is not there.
fn tables(rig: &L2) -> Option<String> {
    let done = rig.a.run("/bin/sh", &["-c", "nft list ruleset"]);
    (done.code == Some(0)).then_some(done.stdout)
}

/// Clones on the loopback device were taken for a cluster IP (RA#323, RA#78, RA#200).
#[test]
fn ip_36_a_clone_on_loopback_is_a_plain_address() {
    let rig = L2::new();
    stubs(&rig);
    let lo = rig.vip4().param("nic", "lo").param("cidr_netmask", "32").env("PATH", STUBBED);
    for unique in [false, true] {
        let vip = instance(&lo, 0, 2, unique);
        vip.start().expect_code(0);
        assert_eq!(rig.a.only(VIP4).nic, "lo");
        vip.monitor().expect_code(0).expect_silent();
        vip.stop().expect_code(0);
        rig.a.expect_absent(VIP4);
    }
    assert_eq!(rig.a.sh("cat /run/stubs/log"), "", "a firewall tool was called");
}

/// An anonymous clone is a plain address on each node.
#[test]
fn ip_36_an_anonymous_clone_is_a_plain_address() {
    let rig = L2::new();
    stubs(&rig);
    let vip = instance(&rig.vip4().env("PATH", STUBBED), 1, 3, false);
    vip.start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).nic, "ethA");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    assert_eq!(rig.a.sh("cat /run/stubs/log"), "");
}

/// `unique_clone_address` gives each instance an address of its own, and does not touch the
/// firewall.
#[test]
fn ip_36_each_instance_may_have_an_address_of_its_own() {
    let rig = L2::new();
    stubs(&rig);
    let base = rig.vip4().param("unique_clone_address", "true").env("PATH", STUBBED);
    for number in 0..3 {
        instance(&base, number, 3, true).start().expect_code(0);
        rig.a.only(&format!("10.9.0.{}", 50 + number));
    }
    instance(&base, 1, 3, true).stop().expect_code(0);
    rig.a.expect_absent("10.9.0.51");
    rig.a.only("10.9.0.50");
    instance(&base, 1, 3, true).monitor().expect_code(7);
    instance(&base, 2, 3, true).monitor().expect_code(0);
    assert_eq!(rig.a.sh("cat /run/stubs/log"), "");
}

/// The kernel feature of old is gone, and the tools may be absent (RA#2183).
#[test]
fn ip_37_without_a_firewall_tool_a_cluster_ip_is_5_with_a_reason() {
    let rig = L2::new();
    // Out of PATH is not enough: tools are looked for where they always are. A file that cannot be
    // run hides each.
    rig.a.sh("mkdir /run/none; : > /run/empty
        for tool in nft iptables ip6tables arptables; do
            for dir in /usr/sbin /sbin /usr/bin /usr/local/sbin; do
                if test -x $dir/$tool; then mount --bind /run/empty $(readlink -f $dir/$tool); fi
            done
        done");
    for (firewall, named) in [("auto", "nft"), ("nft", "nft"), ("iptables", "iptables")] {
        let vip = instance(
            &rig.vip4().param("clusterip_firewall", firewall).env("PATH", "/run/none"),
            0,
            2,
            true,
        );
        vip.start().expect_code(5).expect_reason(&[named]);
        rig.a.expect_absent(VIP4);
        vip.monitor().expect_code(7);
        vip.stop().expect_code(0);
    }
}

/// A cluster IP announced the hardware address, and so broke itself (RA#1131).
#[test]
fn ip_38_a_cluster_ip_never_announces_the_hardware_address() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("nft or the kernel's jhash is not there");
    }
    let mut capture = rig.listen();
    let vip = instance(&rig.vip4().param("clusterip_firewall", "nft"), 0, 2, true);
    vip.start().expect_code(0);
    vip.clone().param("arp_count_refresh", "1").monitor().expect_code(0);
    capture.wait_until(Duration::from_millis(1500), |_| false);
    let address = VIP4.parse().unwrap();
    let own = MAC_A.parse().unwrap();
    let wrong: Vec<_> = capture
        .heard()
        .iter()
        .filter(|heard| heard.from == own && is_from(&heard.frame, address))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    vip.stop().expect_code(0);
}

/// The rules have the names and form of the shell agent's, so that nodes of both kinds can share an
/// address.
#[test]
fn a_cluster_ip_makes_its_rules_and_removes_them_with_its_last_instance() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("nft or the kernel's jhash is not there");
    }
    for (vip, ip, table) in [
        (rig.vip4(), VIP4, "table ip IPaddr2_10_9_0_50"),
        (rig.vip6().param("nodad", "true"), VIP6, "table ip6 IPaddr2_2001_db8_9__50"),
    ] {
        let vip = vip.param("clusterip_firewall", "nft").param("clusterip_hash_seed", "4711");
        let (first, second) = (instance(&vip, 0, 2, true), instance(&vip, 1, 2, true));
        first.probe().expect_code(7);
        first.start().expect_code(0);
        let rules = tables(&rig).expect("nft");
        assert!(
            rules.contains(table) && rules.contains("jhash") && rules.contains("cip-node-1"),
            "{rules}"
        );
        assert!(!rules.contains("cip-node-2") && rules.contains("drop"), "{rules}");
        first.monitor().expect_code(0).expect_silent();
        second.monitor().expect_code_in(&[1, 7]);
        second.start().expect_code(0);
        assert!(tables(&rig).expect("nft").contains("cip-node-2"));
        second.monitor().expect_code(0);
        first.stop().expect_code(0);
        let rules = tables(&rig).expect("nft");
        assert!(!rules.contains("cip-node-1") && rules.contains("cip-node-2"), "{rules}");
        rig.a.only(ip);
        second.monitor().expect_code(0);
        second.stop().expect_code(0);
        assert!(!tables(&rig).expect("nft").contains("IPaddr2_"));
        rig.a.expect_absent(ip);
        let groups = rig.a.ip("maddress show dev ethA");
        assert!(!groups.contains("static"), "the shared hardware address stays: {groups}");
    }
}

/// Flushed rules are a failure, and a start puts them back.
#[test]
fn a_cluster_ip_without_its_rules_fails_and_start_puts_them_back() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("nft or the kernel's jhash is not there");
    }
    let vip = instance(&rig.vip4().param("clusterip_firewall", "nft"), 0, 2, true);
    vip.start().expect_code(0);
    rig.a.sh("nft flush ruleset");
    vip.monitor().expect_code(1);
    vip.start().expect_code(0);
    vip.monitor().expect_code(0);
    rig.a.sh("nft flush ruleset");
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// A stop comes with the meta attributes of now: after a change of clone-max the rules stayed, and
/// dropped a part of the clients.
#[test]
fn the_rules_of_a_cluster_ip_go_although_the_clone_has_changed() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("nft or the kernel's jhash is not there");
    }
    let vip = rig.vip4().param("clusterip_firewall", "nft");
    let (first, second) = (instance(&vip, 0, 2, true), instance(&vip, 1, 2, true));
    first.start().expect_code(0);
    second.start().expect_code(0);
    // clone-max=1: the second goes, and the first is to serve all.
    instance(&vip, 1, 1, true).stop().expect_code(0);
    rig.a.only(VIP4);
    let alone = instance(&vip, 0, 1, true);
    alone
        .monitor()
        .expect_code(1)
        .expect_reason(&["rules for 2 instances instead of 1", "restart"]);
    alone.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
    let left = rig.a.sh("nft list ruleset");
    assert!(!left.contains(VIP4), "rules stay: {left}");
    alone.start().expect_code(0);
    alone.monitor().expect_code(0);
    alone.stop().expect_code(0);
}

/// The address of a cluster IP was removed by other means: its rules go with the stop all the same.
#[test]
fn the_rules_of_a_cluster_ip_go_without_the_address_too() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("nft or the kernel's jhash is not there");
    }
    for firewall in ["nft", "iptables"] {
        let vip = instance(&rig.vip4().param("clusterip_firewall", firewall), 0, 2, true);
        // With a parameter that fails validation, too.
        vip.start().expect_code(0);
        vip.clone().param("arp_count", "none").stop().expect_code(0);
        rig.a.expect_absent(VIP4);
        let left = rig.a.sh("nft list ruleset");
        assert!(!left.contains(VIP4), "rules stay: {left}");
        vip.start().expect_code(0);
        rig.a.ip(&format!("address del {VIP4}/24 dev ethA"));
        vip.monitor().expect_code(7);
        vip.stop().expect_code(0);
        let left = rig.a.sh("nft list ruleset");
        assert!(!left.contains(VIP4), "rules stay: {left}");
    }
}

/// A stop without the firewall tool said 0, and the kernel's rules went on dropping packets.
#[test]
fn ip_f13_a_stop_does_not_forget_rules_that_it_cannot_remove() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("this kernel cannot hash in nft");
    }
    let vip = instance(&rig.vip4(), 0, 2, true);
    // Neither tool is a program any more.
    let tools = "$(readlink -f /usr/sbin/nft) $(readlink -f /usr/sbin/iptables)";
    let remove =
        || rig.a.sh(&format!("for tool in {tools}; do mount --bind /dev/null $tool; done"));
    let install = || rig.a.sh(&format!("for tool in {tools}; do umount $tool; done"));
    // Where no rules were ever made, they are not missed.
    remove();
    vip.stop().expect_code(0);
    install();
    vip.start().expect_code(0);
    remove();
    vip.stop().expect_code(1).expect_reason(&[VIP4, "nft", "install it"]);
    install();
    assert!(tables(&rig).is_some_and(|rules| rules.contains("IPaddr2_10_9_0_50")));
    vip.stop().expect_code(0);
    assert!(tables(&rig).is_some_and(|rules| !rules.contains("IPaddr2_10_9_0_50")));
    rig.a.expect_absent(VIP4);
}

/// LVS and a cluster IP exclude each other.
/// A lock that others hold was taken for a rule that is not there: the rules stayed after a stop.
#[test]
fn a_stop_does_not_end_well_while_iptables_does_not_say_what_is_there() {
    let rig = L2::new();
    if rig.a.run("iptables", &["-t", "mangle", "-S"]).code != Some(0) {
        return skip("iptables is not there");
    }
    rig.a.sh("mkdir /run/busy; printf '#!/bin/sh\\ncase \"$*\" in *-C*) \
        echo Another app is currently holding the xtables lock >&2; exit 4;; esac\\nexit 0\\n' \
        >/run/busy/iptables; chmod +x /run/busy/iptables");
    let vip = instance(&rig.vip4().param("clusterip_firewall", "iptables"), 0, 2, true);
    rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
    let busy = vip.clone().env("PATH", "/run/busy:/usr/sbin:/usr/bin:/sbin:/bin");
    busy.stop().expect_code(1).expect_reason(&["iptables ended with 4", "xtables lock"]);
    assert_eq!(rig.a.only(VIP4).prefix, 24);
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

#[test]
fn lvs_support_and_a_cluster_ip_exclude_each_other() {
    let rig = L2::new();
    let vip = instance(&rig.vip4().param("lvs_support", "true"), 0, 2, true);
    vip.start().expect_code(6).expect_reason(&["lvs_support"]);
}

/// How often each of 24 clients of one machine is answered by the shared address.
fn answers(client: &Host) -> Vec<usize> {
    (101..125)
        .map(|number| {
            // A short wait after the answer, for a second one that must not come.
            let said = client
                .run("/bin/ping", &["-I", &format!("10.9.0.{number}"), "-c", "1", "-W", "1", VIP4])
                .stdout;
            let again = client
                .run("/bin/ping", &["-I", &format!("10.9.0.{number}"), "-c", "1", "-W", "1", VIP4])
                .stdout;
            let replies = |text: &str| text.matches("bytes from").count();
            assert_eq!(
                replies(&said),
                replies(&again),
                "the same node answers the same client: {said}{again}"
            );
            assert!(!said.contains("DUP"), "answered twice: {said}");
            replies(&said)
        })
        .collect()
}

/// What a cluster IP is for: two nodes have the address, every client is answered by exactly one of
/// them, and when a node is lost the other takes its share.
fn shared_by_two(firewall: &str) {
    let lan = Lan::new(3);
    let [one, two, client] = &lan.hosts[..] else { panic!("three machines") };
    for number in 101..125 {
        client.ip(&format!("address add 10.9.0.{number}/24 dev eth0"));
    }
    let vip = |host, number| {
        let vip = agent(host, "IPaddr2").param("ip", VIP4).param("clusterip_firewall", firewall);
        instance(&vip.param("clusterip_mac_mangle", "true"), number, 2, true)
    };
    vip(one, 0).start().expect_code(0);
    let first = answers(client);
    assert!(
        first.contains(&1) && first.contains(&0),
        "node 1 answers its share and no more: {first:?}"
    );
    vip(two, 1).start().expect_code(0);
    assert_eq!(answers(client), [1; 24], "each client is answered once");
    let neighbours = client.ip(&format!("neigh show {VIP4}"));
    assert!(
        !neighbours.contains("02:00:00"),
        "the client knows only the shared hardware address: {neighbours}"
    );
    // Node 2 is lost; its instance goes to node 1.
    lan.cable(2, false);
    vip(one, 1).start().expect_code(0);
    assert_eq!(answers(client), [1; 24], "node 1 answers everybody");
    for number in [0, 1] {
        vip(one, number).stop().expect_code(0);
    }
    one.expect_absent(VIP4);
    let left = one
        .sh("nft list ruleset; iptables -t mangle -S PREROUTING 2>/dev/null; arptables -L \
                OUTPUT 2>/dev/null");
    assert!(!left.contains(VIP4), "rules stay: {left}");
}

#[test]
fn two_nodes_share_the_clients_of_a_cluster_ip_by_nft() {
    let rig = L2::new();
    if !hashes(&rig.a) {
        return skip("nft or the kernel's jhash is not there");
    }
    shared_by_two("nft");
}

#[test]
fn two_nodes_share_the_clients_of_a_cluster_ip_by_iptables() {
    let rig = L2::new();
    let rule = "PREROUTING -t mangle -m cluster --cluster-total-nodes 2 --cluster-local-node 1 \
                --cluster-hash-seed 1";
    if rig.a.run("/bin/sh", &["-c", &format!("iptables -A {rule} -j ACCEPT && arptables -L")]).code
        != Some(0)
    {
        return skip("iptables, arptables or the kernel's cluster match is not there");
    }
    shared_by_two("iptables");
}
