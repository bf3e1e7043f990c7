//! Values that the shell agent passes over or takes in a form of its own: each works here, too, or
//! stands in the differences of the agent's README.

use harness::rig::{VIP4, VIP6};
use harness::skip::skip;
use harness::{Agent, L2};

const SHELL: &str = "/usr/lib/ocf/resource.d/heartbeat";

/// Address, parameter, value; taken as the shell agent takes it.
const TAKEN: &[(&str, &str, &str)] = &[
    (VIP4, "ip", " 10.9.0.50 "),
    (VIP6, "ip", "2001:db8:9::50/64"),
    (VIP4, "cidr_netmask", "24 "),
    (VIP4, "broadcast", "10.9.0.255 "),
    (VIP6, "preferred_lft", "0 "),
    (VIP4, "iflabel", "a b"),
    (VIP4, "iflabel", "a/b"),
    (VIP4, "iflabel", "x:y"),
    (VIP4, "arp_count", "20000"),
    (VIP4, "arp_interval", "1000000"),
    (VIP4, "arp_count_refresh", "20000"),
    (VIP4, "arp_count_refresh", "1 "),
    (VIP4, "clusterip_hash", "nonsense"),
    (VIP4, "lvs_support", "ON"),
    (VIP4, "lvs_support", "ja"),
];

/// Refused, and listed.
const REFUSED: &[(&str, &str, &str)] = &[
    (VIP4, "lvs_support", "enabled"),
    (VIP4, "lvs_support", "2"),
    (VIP4, "flush_routes", "maybe"),
    (VIP4, "run_arping", "maybe"),
    (VIP4, "arp_bg", "maybe"),
    (VIP4, "unique_clone_address", "maybe"),
    (VIP4, "noprefixroute", "maybe"),
    (VIP4, "check_link_status", "maybe"),
    (VIP6, "nodad", "maybe"),
    (VIP6, "lvs_ipv6_addrlabel", "maybe"),
    (VIP4, "arp_count_refresh", "many"),
    (VIP6, "lvs_ipv6_addrlabel_value", "x"),
    (VIP6, "lvs_ipv6_addrlabel_value", "4294967295"),
    (VIP4, "preferred_lft", "soon"),
    (VIP4, "mac", "nonsense"),
    (VIP4, "clusterip_firewall", "pf"),
    (VIP4, "clusterip_table", "a b"),
    (VIP4, "clusterip_chain", "a b"),
    (VIP4, "clusterip_hash_seed", "xyz"),
    (VIP4, "proto", "zzz"),
    (VIP4, "table", "zzz"),
    (VIP4, "metric", "x"),
];

fn resource<'host>(rig: &'host L2, (ip, name, value): (&str, &str, &str)) -> Agent<'host> {
    rig.ipaddr2(ip).param(name, value)
}

#[test]
fn what_the_shell_agent_takes_in_a_form_of_its_own_works() {
    let rig = L2::new();
    for case in TAKEN {
        let vip = resource(&rig, *case);
        vip.start().expect_code(0);
        let seen = rig.a.only(case.0);
        let prefix = if case.0 == VIP4 { 24 } else { 64 };
        assert_eq!((seen.nic.as_str(), seen.prefix), ("ethA", prefix), "{vip:?}");
        if case.1 == "iflabel" {
            assert_eq!(seen.label, format!("ethA:{}", case.2));
        }
        vip.monitor().expect_code(0).expect_silent();
        vip.stop().expect_code(0);
        rig.a.expect_absent(case.0);
    }
}

#[test]
fn what_the_shell_agent_passes_over_is_refused_and_listed() {
    let rig = L2::new();
    let readme = include_str!("../../../agents/ipaddr2/README.md");
    let (_, rest) =
        readme.split_once("- **Values that the shell agent passes over").expect("the list");
    let listed = rest.split("\n- ").next().unwrap_or_default();
    for case in REFUSED {
        resource(&rig, *case)
            .start()
            .expect_code(6)
            .expect_reason(&[&format!("{}=\"{}\"", case.1, case.2)]);
        let name = case.1;
        assert!(
            listed.contains(&format!("`{name}`")) || listed.contains(&format!("`{name}=")),
            "{name} is not listed"
        );
    }
}

/// The lists are about what the shell agent really does.
#[test]
#[ignore = "takes half a minute: make test-slow"]
fn the_shell_agent_starts_with_each_of_these_values() {
    if !std::path::Path::new(SHELL).join("IPaddr2").is_file() {
        return skip("the shell agents are not installed");
    }
    let rig = L2::new();
    for case in TAKEN.iter().chain(REFUSED) {
        let vip = resource(&rig, *case)
            .param("arp_bg", if case.1 == "arp_bg" { case.2 } else { "true" })
            .peer(SHELL);
        vip.start().expect_code(0);
        vip.stop();
        rig.a.sh("ip address flush dev ethA to 10.9.0.50/32; ip -6 address flush dev ethA to \
                  2001:db8:9::50/128");
    }
}
