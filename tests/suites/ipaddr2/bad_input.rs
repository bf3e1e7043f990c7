//! What is wrong everywhere, what is wrong here, and what stop does about either: a table.

use harness::rig::{VIP4, VIP6};
use harness::{Agent, L2};

/// The code of start, validate-all, validate-all at level 10, recurring monitor, probe and stop.
#[track_caller]
fn expect_table(vip: &Agent<'_>, codes: [i32; 6], reason: &[&str]) {
    let [start, syntax, here, monitor, probe, stop] = codes;
    vip.start().expect_code(start).expect_reason(if start == 0 { &[] } else { reason });
    vip.validate().expect_code(syntax).expect_reason(if syntax == 0 { &[] } else { reason });
    vip.validate_here().expect_code(here).expect_reason(if here == 0 { &[] } else { reason });
    vip.monitor().expect_code(monitor);
    vip.probe().expect_code(probe);
    vip.stop().expect_code(stop);
}

#[test]
fn a_value_that_is_wrong_everywhere_is_6_but_7_for_a_probe_and_nothing_to_stop() {
    let rig = L2::new();
    let wrong = [
        ("cidr_netmask", "200"),
        ("broadcast", "not_broadcast"),
        ("broadcast", "300.1.1.1"),
        ("nodad", "maybe"),
        ("lvs_support", "perhaps"),
        ("arp_count", "many"),
        ("arp_interval", "-3"),
        ("arp_count_refresh", "1.5"),
        ("arp_bg", "later"),
        ("check_link_status", "sometimes"),
        ("clusterip_firewall", "pf"),
        ("mac", "02:00:00:00:00"),
        ("preferred_lft", "soon"),
        ("metric", "cheap"),
        ("table", "kitchen"),
        ("dad", "hope"),
        ("kill_connections", "gently"),
        ("announce_to", "the gateway"),
        ("arp_sender", "pigeon"),
        ("lvs_ipv6_addrlabel_value", "-1"),
    ];
    // A faulty value of a reloadable parameter fails no recurring monitor: the default applies.
    let reloadable = |name: &str| {
        name.starts_with("arp_")
            || ["run_arping", "check_link_status", "kill_connections", "announce_to"]
                .contains(&name)
    };
    for (name, value) in wrong {
        let monitor = if reloadable(name) { 7 } else { 6 };
        expect_table(&rig.vip4().param(name, value), [6, 6, 6, monitor, 7, 0], &[name, value]);
        rig.a.expect_absent(VIP4);
    }
}

#[test]
fn an_interface_that_is_not_on_this_host_is_5_here_and_fine_elsewhere() {
    let rig = L2::new();
    expect_table(&rig.vip4().param("nic", "not_nic"), [5, 0, 5, 7, 7, 0], &["not_nic"]);
}

#[test]
fn a_network_that_is_not_on_this_host_is_5_here_and_fine_elsewhere() {
    let rig = L2::new();
    expect_table(&rig.ipaddr2("192.0.2.5"), [5, 0, 5, 7, 7, 0], &["nic", "cidr_netmask"]);
}

#[test]
fn the_reason_has_every_faulty_parameter_with_its_value_and_the_log_what_is_allowed() {
    let rig = L2::new();
    let vip =
        rig.vip4().param("cidr_netmask", "99").param("nodad", "maybe").param("arp_count", "-4");
    // Values of single parameters first, then what only follows from several.
    let named = ["arp_count=\"-4\"", "nodad=\"maybe\"", "cidr_netmask=\"99\""];
    let validated = vip.clone().env("HA_LOGFILE", "/run/whole.log").validate();
    validated.expect_code(6);
    let reason = validated.reason.clone().unwrap_or_default();
    let parts: Vec<&str> = reason.split("; ").collect();
    let is_named = |(part, name): (&&str, &&str)| part.starts_with(name);
    assert!(
        parts.len() == named.len() && parts.iter().zip(&named).all(is_named),
        "{named:?}:\n{validated}"
    );
    // A reason has 127 bytes; the log has all that there is to say.
    assert!(reason.len() <= 127, "{validated}");
    let log = rig.a.sh("cat /run/whole.log");
    for part in named.into_iter().chain(["a prefix length from 1 to 32", "true or false"]) {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[test]
fn a_misspelt_parameter_is_a_warning_with_the_nearest_name() {
    let rig = L2::new();
    rig.vip4()
        .param("cidr_netmsk", "24")
        .start()
        .expect_code(0)
        .expect_stderr(&["cidr_netmsk", "cidr_netmask"]);
    rig.vip4().stop().expect_code(0);
}

#[test]
fn wrong_values_do_not_keep_a_present_address_from_being_stopped() {
    let rig = L2::new();
    for (name, value) in
        [("cidr_netmask", "99"), ("broadcast", "junk"), ("nic", "not_nic"), ("arp_count", "many")]
    {
        rig.vip4().start().expect_code(0);
        rig.vip4().param(name, value).stop().expect_code(0);
        rig.a.expect_absent(VIP4);
    }
}

#[test]
fn the_old_name_netmask_still_works() {
    let rig = L2::new();
    rig.vip4().param("netmask", "28").start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).prefix, 28);
    rig.vip4().param("netmask", "28").stop().expect_code(0);
}

#[test]
fn a_full_address_space_of_text_never_crashes_validation() {
    let rig = L2::new();
    for text in [
        "%s%n",
        "$(id)",
        "`id`",
        "a b",
        "\u{fffd}",
        "ä",
        "-",
        "--help",
        "\t",
        "\n",
        "10.9.0.50\n10.9.0.51",
        "::%ethA",
    ] {
        rig.ipaddr2(text).validate().expect_code_in(&[6]);
        rig.vip4().param("nic", text).validate().expect_code_in(&[0, 6]);
        rig.vip4().param("iflabel", text).validate().expect_code_in(&[0, 6]);
    }
}

/// What the kernel refuses, it explains: its words are in the reason.
#[test]
fn a_refusal_of_the_kernel_is_told_in_its_own_words() {
    let rig = L2::new();
    rig.second_cable();
    let vip = rig.vip6().param("nic", "ethC").param("cidr_netmask", "64");
    rig.a.sysctl("net/ipv6/conf/ethC/disable_ipv6", "1");
    vip.start().expect_code(1).expect_reason(&["ethC", "IPv6 is disabled on this device"]);
    rig.a.sysctl("net/ipv6/conf/ethC/disable_ipv6", "0");
    rig.a.ip("link set ethC mtu 1200");
    vip.start().expect_code(1).expect_reason(&["ethC", "MTU", "1200", "1280"]);
    rig.a.expect_absent(VIP6);
    // A namespace of which only the file is left.
    rig.a.sh("mkdir -p /run/netns && touch /run/netns/blue");
    let blue = rig.vip4().param("network_namespace", "blue");
    blue.start().expect_code(1).expect_reason(&["blue", "stale"]);
    blue.stop().expect_code(1).expect_reason(&["blue", "stale"]);
}

/// A probe with a faulty parameter said "not running" while the address was there, and another node
/// took it, too.
#[test]
fn an_1_a_probe_with_a_faulty_parameter_looks_for_the_address() {
    let rig = L2::new();
    let vip = rig.vip4();
    for (name, value) in
        [("arp_count", "many"), ("cidr_netmask", "200"), ("lvs_support", "perhaps")]
    {
        let faulty = vip.clone().param(name, value);
        faulty.probe().expect_code(7).expect_reason(&[name]);
        vip.start().expect_code(0);
        faulty.probe().expect_code(0).expect_stderr(&[name]);
        faulty.stop().expect_code(0);
        vip.probe().expect_code(7);
    }
    // Without an address, the record decides.
    vip.start().expect_code(0);
    vip.clone().param("ip", "nonsense").probe().expect_code(0).expect_stderr(&["nonsense"]);
    vip.stop().expect_code(0);
}
