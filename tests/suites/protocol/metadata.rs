//! What the agents say about themselves.

use std::time::Duration;

use harness::{L2, agent};

/// Read by tools, as any user, on machines that have nothing of what the agent manages.
#[test]
fn meta_data_is_fast_complete_and_well_formed() {
    let rig = L2::new();
    for kind in ["IPaddr2", "Dummy"] {
        let outcome = agent(&rig.a, kind).action("meta-data");
        outcome.expect_code(0).expect_within(Duration::from_secs(2));
        let xml = &outcome.stdout;
        for part in [
            &format!("<resource-agent name=\"{kind}\""),
            "<version>1.1</version>",
            "<action name=\"start\"",
            "<action name=\"stop\"",
            "<action name=\"monitor\"",
            "<action name=\"meta-data\"",
            "<action name=\"validate-all\"",
            "</resource-agent>",
        ] {
            assert!(xml.contains(part), "{part} is missing:\n{xml}");
        }
        rig.a.sh(&format!("cat > /run/{kind}.xml <<'END'\n{xml}\nEND"));
        let parsed = rig.a.run(
            "python3",
            &[
                "-c",
                &format!(
                    "import xml.etree.ElementTree as e\nr=e.parse('/run/{kind}.xml').getroot()\n\
             for p in r.iter('parameter'):\n  k=[c.tag for c in p]\n  assert \
             k==['longdesc','shortdesc','content'],(p.get('name'),k)\n  assert all(c.text.strip() \
             for c in p if c.tag!='content'),p.get('name')"
                ),
            ],
        );
        assert_eq!(parsed.code, Some(0), "{parsed:#?}");
    }
}

/// The answer does not depend on parameters.
#[test]
fn meta_data_is_the_same_whatever_the_parameters() {
    let rig = L2::new();
    let plain = agent(&rig.a, "IPaddr2").action("meta-data").stdout.clone();
    for (name, value) in [("ip", "junk"), ("nic", "none"), ("cidr_netmask", "999")] {
        let other =
            rig.vip4().param(name, value).env("OCF_OUTPUT_FORMAT", "text").action("meta-data");
        assert_eq!(other.expect_code(0).stdout, plain);
    }
}

/// Every parameter of the shell agent is there, with its default.
#[test]
fn every_parameter_of_the_peer_is_there_with_its_default() {
    let rig = L2::new();
    let xml = agent(&rig.a, "IPaddr2").action("meta-data").stdout.clone();
    for (name, default) in [
        ("ip", ""),
        ("nic", ""),
        ("cidr_netmask", ""),
        ("broadcast", ""),
        ("proto", ""),
        ("iflabel", ""),
        ("lvs_support", "false"),
        ("lvs_ipv6_addrlabel", "true"),
        ("lvs_ipv6_addrlabel_value", "99"),
        ("mac", ""),
        ("clusterip_firewall", "auto"),
        ("clusterip_hash_seed", ""),
        ("clusterip_table", "mangle"),
        ("clusterip_chain", "PREROUTING"),
        ("clusterip_mac_mangle", "false"),
        ("unique_clone_address", "false"),
        ("arp_interval", "200"),
        ("arp_count", "5"),
        ("arp_count_refresh", "0"),
        ("arp_bg", ""),
        ("arp_sender", ""),
        ("send_arp_opts", ""),
        ("flush_routes", "false"),
        ("run_arping", "false"),
        ("nodad", "false"),
        ("noprefixroute", "false"),
        ("preferred_lft", "forever"),
        ("network_namespace", ""),
        ("check_link_status", "true"),
    ] {
        let part = xml
            .split(&format!("<parameter name=\"{name}\""))
            .nth(1)
            .and_then(|rest| rest.split("</parameter>").next());
        let part = part.unwrap_or_else(|| panic!("{name} is missing"));
        assert!(
            default.is_empty() || part.contains(&format!("default=\"{default}\"")),
            "{name}: {part}"
        );
    }
}
