//! Start, stop and monitor when the world has changed in between.

use std::time::Duration;

use harness::L2;
use harness::process::wait_until;
use harness::rig::{MAC_B, VIP4, VIP6};

/// A device that disappeared stopped the resource on all nodes (RA#328, RA#334).
#[test]
fn ip_23_a_vanished_device_is_not_running_and_nothing_to_stop() {
    let rig = L2::new();
    let vip = rig.vip4().param("nic", "ethA");
    vip.start().expect_code(0);
    rig.a.ip("link del ethA");
    vip.monitor().expect_code(7);
    vip.stop().expect_code(0);
    vip.start().expect_code(5).expect_reason(&["ethA"]);
}

/// "Stop succeeds with a bad parameter" became stop that succeeds without removing the address
/// (RA#891).
#[test]
fn ip_24_stop_is_not_gated_by_validation() {
    let rig = L2::new();
    for (name, value) in [("cidr_netmask", "99"), ("broadcast", "junk")] {
        rig.vip4().start().expect_code(0);
        rig.vip4().param(name, value).stop().expect_code(0);
        rig.a.expect_absent(VIP4);
        rig.a.ip(&format!("address add {VIP4}/24 dev ethA"));
        rig.vip4().param(name, value).stop().expect_code(0);
        rig.a.expect_absent(VIP4);
    }
}

/// Stop with another device or mask than the address has: success, and the address stayed, to be a
/// duplicate later.
#[test]
fn ip_25_stop_finds_the_address_wherever_it_is() {
    let rig = L2::new();
    rig.second_cable();
    for (name, value) in [("nic", "ethC"), ("cidr_netmask", "32"), ("iflabel", "other")] {
        rig.vip4().param("nic", "ethA").param("cidr_netmask", "24").start().expect_code(0);
        rig.vip4().param(name, value).stop().expect_code(0);
        rig.a.expect_absent(VIP4);
    }
}

/// Removing the first address of a subnet removed the others too, and stop said success (KA#442,
/// KA#271).
#[test]
fn ip_26_stop_does_not_take_other_addresses_with_it() {
    let rig = L2::new();
    rig.a.sysctl("net/ipv4/conf/all/promote_secondaries", "0");
    rig.a.sysctl("net/ipv4/conf/ethA/promote_secondaries", "0");
    rig.a.ip("address add 10.8.0.60/24 dev ethA");
    rig.a.ip("address add 10.8.0.61/24 dev ethA");
    rig.ipaddr2("10.8.0.60").param("nic", "ethA").param("cidr_netmask", "24").stop().expect_code(0);
    rig.a.expect_absent("10.8.0.60");
    assert_eq!(rig.a.only("10.8.0.61").prefix, 24);
    rig.vip4().start().expect_code(0);
    rig.a.ip("address add 10.9.0.99/24 dev ethA");
    rig.vip4().stop().expect_code(0);
    assert_eq!(rig.a.only("10.9.0.99").prefix, 24);
    assert_eq!(rig.a.only("10.9.0.1").prefix, 24);
}

/// For years users wanted monitor to notice a lost carrier (RA#419, RA#916, RA#1969, RA#2047).
#[test]
fn ip_28_a_lost_carrier_fails_the_monitor_unless_told_otherwise() {
    let rig = L2::new();
    let vip = rig.vip4();
    vip.start().expect_code(0);
    rig.carrier(false);
    vip.monitor().expect_code(7);
    vip.clone().param("check_link_status", "true").monitor().expect_code(7);
    vip.clone().param("check_link_status", "false").monitor().expect_code(0).expect_silent();
    vip.clone()
        .param("check_link_status", "degraded")
        .monitor()
        .expect_code(190)
        .expect_reason(&["ethA"]);
    // The address is here: a probe must lead to a stop, not be taken for a clean node.
    vip.probe().expect_code(1);
    vip.clone().param("check_link_status", "false").probe().expect_code(0);
    rig.carrier(true);
    vip.monitor().expect_code(0);
    rig.a.ip("link set ethA down");
    rig.a.wait_link("ethA", "DOWN");
    vip.monitor().expect_code(7);
    vip.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

/// A device on top of another that is down, as a VLAN or bond may be.
#[test]
fn ip_28_a_lower_layer_that_is_down_counts_as_a_lost_carrier() {
    let rig = L2::new();
    crate::spare_pair(&rig.a);
    rig.a.ip("link set spare0 up");
    rig.a.ip("link set spare1 up");
    rig.a.wait_link("spare0", "UP");
    let vip = rig.ipaddr2("10.7.0.50").param("nic", "spare0").param("cidr_netmask", "24");
    vip.start().expect_code(0);
    vip.monitor().expect_code(0);
    rig.a.ip("link set spare1 down");
    rig.a.wait_link("spare0", "LOWERLAYERDOWN");
    vip.monitor().expect_code(7);
    rig.vip4().start().expect_code(0);
    rig.vip4().monitor().expect_code(0);
    vip.stop().expect_code(0);
    rig.a.expect_absent("10.7.0.50");
}

/// Start without carrier failed and left the address behind.
#[test]
fn ip_29_a_start_without_carrier_leaves_nothing() {
    let rig = L2::new();
    rig.carrier(false);
    rig.vip4().start().expect_code(1).expect_reason(&["ethA"]);
    rig.a.expect_absent(VIP4);
    rig.vip6().start().expect_code(1).expect_reason(&["ethA"]);
    rig.a.expect_absent(VIP6);
    rig.vip4().param("check_link_status", "false").start().expect_code(0);
    rig.vip4().stop().expect_code(0);
}

/// A start on a device that is administratively down brings it up, as it always did.
#[test]
fn a_start_brings_its_device_up() {
    let rig = L2::new();
    rig.second_cable();
    rig.a.ip("link set ethC down");
    rig.a.wait_link("ethC", "DOWN");
    let vip = rig.ipaddr2("10.7.0.50").param("nic", "ethC").param("cidr_netmask", "24");
    vip.start().expect_code(0);
    rig.a.wait_link("ethC", "UP");
    vip.monitor().expect_code(0);
}

/// A duplicate address was a hard error: no retry after the other node let go (RA#1163).
#[test]
fn ip_30_a_conflict_is_an_ordinary_failure_and_leaves_nothing() {
    let rig = L2::new();
    rig.b.ip(&format!("address add {VIP4}/24 dev ethB"));
    let vip = rig.vip4().param("run_arping", "true");
    vip.start()
        .expect_code(1)
        .expect_reason(&[VIP4, harness::rig::MAC_B])
        .expect_within(Duration::from_secs(1));
    rig.a.expect_absent(VIP4);
    rig.b.ip(&format!("address del {VIP4}/24 dev ethB"));
    vip.start().expect_code(0);
    vip.stop().expect_code(0);
}

/// Truncated ARP packets on the network ended the listening, and the owner of the address was
/// overlooked.
#[test]
fn ip_f12_the_owner_is_found_among_packets_that_do_not_parse() {
    let rig = L2::new();
    let script = "import socket, time\n\
                  s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n\
                  s.bind(('ethB', 0))\n\
                  while True:\n \
                      s.send(bytes.fromhex('ffffffffffff0200000900ff080600010800'))\n \
                      time.sleep(0.001)\n";
    let mut flood = rig.b.spawn("python3", &["-c", script]);
    let packets = || {
        rig.a.ip_json("-s link show ethA")[0]["stats64"]["rx"]["packets"]
            .as_u64()
            .unwrap_or_default()
    };
    let before = packets();
    assert!(
        wait_until(Duration::from_secs(10), || (packets() > before + 100).then_some(())).is_some()
    );
    let vip = rig.vip4().param("run_arping", "true");
    vip.start().expect_code(0);
    vip.stop().expect_code(0);
    rig.b.ip(&format!("address add {VIP4}/24 dev ethB"));
    for _ in 0..3 {
        vip.start().expect_code(1).expect_reason(&[VIP4, MAC_B]);
        rig.a.expect_absent(VIP4);
    }
    assert!(flood.is_alive());
}

/// Detection cost three to four seconds for each address, too much with hundreds of them (RA#913).
#[test]
fn ip_31_conflict_detection_costs_less_than_a_second() {
    let rig = L2::new();
    let start = |number: u32| {
        let vip = rig.ipaddr2(&format!("10.9.0.{number}")).param("run_arping", "true");
        vip.start().expect_code(0).expect_within(Duration::from_secs(3)).elapsed
    };
    let mut times: Vec<Duration> = (100..150).map(start).collect();
    times.sort_unstable();
    // A busy machine may delay a few.
    assert!(times[44] < Duration::from_secs(1), "{times:?}");
    assert!(times[25] < Duration::from_millis(600), "{times:?}");
}

/// Network managers removed the address behind the cluster's back (systemd#12050, KA#836, KV#173).
#[test]
fn ip_32_a_removed_address_is_noticed_at_once_and_put_back() {
    let rig = L2::new();
    let vip = rig.vip4();
    vip.start().expect_code(0);
    rig.a.ip(&format!("address del {VIP4}/24 dev ethA"));
    vip.monitor().expect_code(7);
    vip.start().expect_code(0);
    rig.a.only(VIP4);
    vip.monitor().expect_code(0);
}

/// The address lives in another network namespace (RA#888).
#[test]
fn ip_33_every_action_works_in_a_network_namespace() {
    let rig = L2::new();
    rig.a.sh(
        "ip netns add x; ip link add ethX netns x type veth peer name ethY; ip link set ethY up
        ip -n x link set ethX up; ip -n x address add 10.44.0.1/24 dev ethX",
    );
    let vip = rig.ipaddr2("10.44.0.50").param("network_namespace", "x");
    vip.probe().expect_code(7);
    vip.start().expect_code(0);
    rig.a.expect_absent("10.44.0.50");
    assert!(rig.a.sh("ip -n x -o address show dev ethX").contains("10.44.0.50/24"));
    vip.monitor().expect_code(0).expect_silent();
    rig.ipaddr2("10.44.0.50").monitor().expect_code(7);
    vip.stop().expect_code(0);
    assert!(!rig.a.sh("ip -n x -o address show dev ethX").contains("10.44.0.50/24"));
    vip.start().expect_code(0);
    rig.a.sh("ip netns del x");
    vip.monitor().expect_code(7);
    vip.stop().expect_code(0);
    vip.start().expect_code(5).expect_reason(&["network_namespace", "x"]);
}

/// Stop killed whatever process a file named: an unrelated one got SIGKILL.
#[test]
fn ip_39_stop_kills_nobody_because_a_file_names_them() {
    let rig = L2::new();
    let vip = rig.vip4();
    vip.start().expect_code(0);
    let mut bystander = rig.a.spawn("sleep", &["1000"]);
    let pid = bystander.pid_inside();
    // Every file of state, and those of the peer.
    rig.a.sh(&format!(
        "cd /run/resource-agents; for f in $(find . -type f) send_arp-{VIP4} IPaddr2-{VIP4}; do \
         echo {pid} > $f; done"
    ));
    vip.stop().expect_code(0);
    assert!(bystander.is_alive(), "stop killed a bystander");
    rig.a.expect_absent(VIP4);
    vip.start().expect_code(0);
    vip.stop().expect_code(0);
    assert!(bystander.is_alive());
}

/// A missing helper program made stop fail, and a failed stop is a fenced node.
#[test]
fn ip_40_no_helper_program_is_needed() {
    let rig = L2::new();
    rig.a.sh("mkdir /run/none");
    for sender in ["", "send_arp", "ipoibarping", "iputils_arping", "libnet_arping"] {
        let vip = rig.vip4().param("arp_sender", sender).env("PATH", "/run/none");
        vip.start().expect_code(0);
        vip.monitor().expect_code(0).expect_silent();
        vip.stop().expect_code(0);
        rig.a.expect_absent(VIP4);
    }
}

/// A second start, a second stop: nothing to do.
#[test]
fn start_and_stop_may_be_repeated() {
    let rig = L2::new();
    for vip in [rig.vip4(), rig.vip6().param("nodad", "true")] {
        vip.stop().expect_code(0).expect_silent();
        vip.start().expect_code(0);
        vip.start().expect_code(0);
        vip.stop().expect_code(0);
        vip.stop().expect_code(0);
    }
    assert_eq!(rig.a.seen(VIP4).len() + rig.a.seen(VIP6).len(), 0);
}
