//! What the shell agent has not: degraded links, killing connections, a record that stop trusts,
//! LVS put right.

use std::time::Duration;

use harness::L2;
use harness::process::wait_until;
use harness::rig::{VIP4, VIP6};

/// Connections to an address that has moved hang until they time out (RA#2076, RA#521).
#[test]
fn kill_connections_resets_the_connections_of_the_address_and_no_others() {
    let rig = L2::new();
    let vip = rig.vip4().param("kill_connections", "true");
    vip.start().expect_code(0);
    let _server = rig.a.spawn(
        "python3",
        &[
            "-c",
            "import socket,time
s=socket.create_server(('',7000)); k=[]
while True: k.append(s.accept())",
        ],
    );
    let client = |ip: &str| {
        rig.b.spawn(
            "python3",
            &[
                "-c",
                &format!(
                    "import socket,time
for i in range(200):
    try: s=socket.create_connection(('{ip}',7000),5); break
    except OSError: time.sleep(.02)
s.settimeout(None); s.recv(1)"
                ),
            ],
        )
    };
    let (mut moved, mut stays) = (client(VIP4), client("10.9.0.1"));
    let both = wait_until(Duration::from_secs(8), || {
        (rig.a.sh("ss -Htn state established | wc -l").trim() == "2").then_some(())
    });
    assert!(both.is_some(), "{}", rig.a.sh("ss -tn"));
    vip.stop().expect_code(0);
    assert!(
        wait_until(Duration::from_secs(30), || (!moved.is_alive()).then_some(())).is_some(),
        "the client hangs"
    );
    assert!(stays.is_alive(), "a connection of another address was reset");
}

/// LVS direct routing keeps the address on loopback while it is stopped.
#[test]
fn lvs_support_takes_the_loopback_copy_away_and_puts_it_back() {
    let rig = L2::new();
    rig.a.ip(&format!("address add {VIP4}/32 dev lo"));
    let vip = rig.vip4().param("lvs_support", "true");
    vip.probe().expect_code(7);
    vip.start().expect_code(0);
    assert_eq!(rig.a.only(VIP4).nic, "ethA");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    let seen = rig.a.only(VIP4);
    assert_eq!((seen.nic.as_str(), seen.prefix), ("lo", 32));
    vip.monitor().expect_code(7);
}

/// The copy came back without its label, its broadcast address, its scope and its lifetimes.
#[test]
fn ip_f8_the_loopback_copy_comes_back_as_it_was() {
    let rig = L2::new();
    let shapes = [
        "brd 10.9.0.50 scope host label lo:vip",
        "scope link",
        "valid_lft 5000 preferred_lft 4000",
    ];
    for shape in shapes {
        rig.a.ip(&format!("address add {VIP4}/32 {shape} dev lo"));
        let raw = || {
            let mut seen = rig.a.only(VIP4).raw;
            // Lifetimes go on; a second more or less is no difference.
            for key in ["valid_life_time", "preferred_life_time"] {
                let seconds = seen[key].as_u64().unwrap_or_default();
                seen[key] = (seconds / 100).into();
            }
            seen
        };
        let before = raw();
        let vip = rig.vip4().param("nic", "ethA").param("lvs_support", "true");
        vip.start().expect_code(0);
        assert_eq!(rig.a.only(VIP4).nic, "ethA");
        vip.stop().expect_code(0);
        assert_eq!(rig.a.only(VIP4).nic, "lo");
        assert_eq!(raw(), before);
        rig.a.ip(&format!("address del {VIP4}/32 dev lo"));
    }
}

/// What is in the record of a start wins over what the parameters say later.
#[test]
fn stop_after_the_parameters_changed_removes_what_start_made() {
    let rig = L2::new();
    rig.second_cable();
    rig.vip4()
        .param("nic", "ethA")
        .param("cidr_netmask", "24")
        .param("iflabel", "one")
        .start()
        .expect_code(0);
    rig.vip4().param("nic", "ethC").param("cidr_netmask", "28").stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// The caller forgot with which address it started the resource; the record has not.
#[test]
fn stop_with_another_address_removes_what_start_recorded() {
    let rig = L2::new();
    let vip = rig.vip4();
    vip.start().expect_code(0);
    vip.clone().param("ip", "10.9.0.51").stop().expect_code(0);
    rig.a.expect_absent(VIP4);
    vip.start().expect_code(0);
    vip.clone().without("ip").stop().expect_code(0);
    rig.a.expect_absent(VIP4);
    vip.start().expect_code(0);
    vip.param("ip", "junk").stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// After a restart of the machine /run is empty, and so it is when it is cleared (RA:018c46dca).
#[test]
fn stop_without_a_record_removes_the_address_all_the_same() {
    let rig = L2::new();
    for vip in [rig.vip4(), rig.vip6().param("nodad", "true")] {
        vip.start().expect_code(0);
        rig.a.sh("rm -rf /run/resource-agents");
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
    }
    assert_eq!(rig.a.seen(VIP4).len() + rig.a.seen(VIP6).len(), 0);
}

/// Without a record, the copy on the named device goes and another one stays.
#[test]
fn stop_without_a_record_prefers_the_named_device() {
    let rig = L2::new();
    rig.second_cable();
    for nic in ["ethA", "ethC"] {
        rig.a.ip(&format!("address add {VIP4}/24 dev {nic}"));
    }
    rig.vip4().param("nic", "ethA").stop().expect_code(0);
    assert_eq!(rig.a.only(VIP4).nic, "ethC");
}

/// The shell agent notes in a file of its own what it took off the loopback device; after a change
/// of agents it is ours to put back.
#[test]
fn what_the_shell_agent_has_set_aside_is_put_back() {
    let rig = L2::new();
    rig.a.sh(&format!(
        "mkdir -p /run/resource-agents; echo '{VIP4} 32 255.255.255.255 lo' > \
         /run/resource-agents/{VIP4}"
    ));
    rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
    rig.vip4().param("lvs_support", "true").stop().expect_code(0);
    assert_eq!((rig.a.only(VIP4).nic.as_str(), rig.a.only(VIP4).prefix), ("lo", 32));
    rig.a.sh(&format!("test ! -e /run/resource-agents/{VIP4}"));
}

/// A record that is garbage is no reason to fail.
#[test]
fn a_record_that_cannot_be_read_is_not_believed() {
    let rig = L2::new();
    for garbage in ["", "junk", "\\000\\377", "{}", "10.9.0.1 ethA 24"] {
        rig.vip4().start().expect_code(0);
        rig.a.sh(&format!(
            "cd /run/resource-agents; for f in $(find . -type f); do printf '{garbage}' > $f; done"
        ));
        rig.vip4().monitor().expect_code(0);
        rig.vip4().stop().expect_code(0);
        rig.a.expect_absent(VIP4);
        rig.a.only("10.9.0.1");
    }
}

/// Where state can be written nowhere, the address still comes and goes.
#[test]
fn a_state_directory_that_cannot_be_written_is_no_reason_to_keep_the_address() {
    let rig = L2::new();
    // Nothing may be written there, and it is no directory either.
    for ruin in [
        "mount -o bind,ro /usr/share /run/resource-agents",
        "rmdir /run/resource-agents; : > /run/resource-agents",
    ] {
        rig.vip4().start().expect_code(0);
        rig.vip4().stop().expect_code(0);
        rig.a.sh("rm -rf /run/resource-agents; mkdir /run/resource-agents");
        rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
        rig.a.sh(ruin);
        rig.vip4().monitor().expect_code(0);
        rig.vip4().stop().expect_code(0);
        rig.a.expect_absent(VIP4);
        rig.vip4().start().expect_code(0);
        rig.vip4().monitor().expect_code(0);
        rig.vip4().stop().expect_code(0);
        rig.a.expect_absent(VIP4);
        rig.a.sh("umount /run/resource-agents 2>/dev/null || rm -f /run/resource-agents");
    }
}

/// A degraded link is shown and not acted upon; the address keeps serving.
#[test]
fn a_degraded_link_is_reported_as_such_and_start_accepts_it() {
    let rig = L2::new();
    let vip = rig.vip4().param("check_link_status", "degraded");
    vip.start().expect_code(0);
    vip.monitor().expect_code(0).expect_silent();
    rig.carrier(false);
    vip.monitor().expect_code(190).expect_reason(&["ethA"]);
    vip.start().expect_code(0);
    rig.carrier(true);
    vip.monitor().expect_code(0).expect_silent();
}

/// Two conflicting wishes are reported, not guessed at.
#[test]
fn nodad_and_an_optimistic_dad_exclude_each_other() {
    let rig = L2::new();
    rig.vip6()
        .param("nodad", "true")
        .param("dad", "optimistic")
        .validate()
        .expect_code(6)
        .expect_reason(&["nodad", "dad"]);
}

/// Flushing routes on stop is accepted in both families.
#[test]
fn flush_routes_does_no_harm() {
    let rig = L2::new();
    for vip in [rig.vip4(), rig.vip6().param("nodad", "true")] {
        let vip = vip.param("flush_routes", "true");
        vip.start().expect_code(0);
        vip.stop().expect_code(0);
        rig.a.sh("ping -c 1 -W 5 10.9.0.2 >/dev/null");
    }
}

/// Every parameter with its default given explicitly is the same as none given.
#[test]
fn defaults_given_by_name_change_nothing() {
    let rig = L2::new();
    let vip = rig.vip4();
    let explicit = [
        ("nic", ""),
        ("cidr_netmask", ""),
        ("broadcast", ""),
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
        ("arp_bg", "true"),
        ("arp_sender", ""),
        ("send_arp_opts", ""),
        ("flush_routes", "false"),
        ("run_arping", "false"),
        ("nodad", "false"),
        ("noprefixroute", "false"),
        ("preferred_lft", "forever"),
        ("network_namespace", ""),
        ("check_link_status", "true"),
        ("proto", ""),
    ];
    let vip = explicit.iter().fold(vip, |vip, (name, value)| vip.param(name, value));
    vip.start().expect_code(0).expect_silent();
    vip.monitor().expect_code(0).expect_silent();
    vip.stop().expect_code(0).expect_silent();
}
