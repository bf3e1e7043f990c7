//! The cases of the peer's `tools/ocft/IPaddr2v4` that its common cases do not have; numbers are
//! those of the peer.
//!
//! Where no network of this host fits, the peer's cases ask for "generic error" while the peer
//! itself has long said "not installed" (its own cases fail). Here it is "not installed": another
//! node may have the network.

use harness::L2;

use crate::ocft_common::{Ocft, TARGET4};

const NO_NETWORK: i32 = 5;

#[test]
fn case_06_nic_without_mask() {
    Ocft::new().succeeds(TARGET4, &[("nic", "eth0")], "eth0", 24);
}

#[test]
fn case_07_nic_and_mask() {
    Ocft::new().succeeds(TARGET4, &[("nic", "eth0"), ("cidr_netmask", "24")], "eth0", 24);
}

#[test]
fn case_08_an_address_of_no_network_here() {
    Ocft::new().fails("192.168.120.1", &[], NO_NETWORK);
}

#[test]
fn case_09_a_nic_that_has_not_the_network() {
    Ocft::new().fails(TARGET4, &[("nic", "eth1")], NO_NETWORK);
}

#[test]
fn case_10_a_wider_mask_than_the_networks_without_nic() {
    Ocft::new().fails(TARGET4, &[("cidr_netmask", "16")], NO_NETWORK);
}

#[test]
fn case_11_a_nic_and_a_wider_mask_by_force() {
    Ocft::new().succeeds(TARGET4, &[("nic", "eth1"), ("cidr_netmask", "16")], "eth1", 16);
}

#[test]
fn case_12_a_nic_without_its_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.fails(TARGET4, &[("nic", "eth0")], NO_NETWORK);
}

#[test]
fn case_13_the_networks_own_mask() {
    Ocft::new().succeeds(TARGET4, &[("cidr_netmask", "24")], "eth0", 24);
}

#[test]
fn case_14_a_narrower_mask_than_the_networks() {
    Ocft::new().succeeds(TARGET4, &[("cidr_netmask", "28")], "eth0", 28);
}

#[test]
fn case_15_a_mask_without_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.fails(TARGET4, &[("cidr_netmask", "24")], NO_NETWORK);
}

#[test]
fn case_16_a_nic_and_a_narrower_mask_by_force() {
    Ocft::new().succeeds(TARGET4, &[("nic", "eth1"), ("cidr_netmask", "28")], "eth1", 28);
}

#[test]
fn case_17_the_same_without_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.succeeds(TARGET4, &[("nic", "eth1"), ("cidr_netmask", "28")], "eth1", 28);
}

#[test]
fn case_18_a_broadcast_address_alone() {
    let ocft = Ocft::new();
    let vip = ocft.agent(TARGET4).param("broadcast", "192.168.255.255");
    vip.start().expect_code(0);
    let seen = ocft.rig.a.only(TARGET4);
    assert_eq!((seen.prefix, seen.broadcast.as_str()), (24, "192.168.255.255"));
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    ocft.rig.a.expect_absent(TARGET4);
}

#[test]
fn case_19_a_broadcast_address_without_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.fails(TARGET4, &[("broadcast", "192.168.255.255")], NO_NETWORK);
}

#[test]
fn case_20_everything_by_force() {
    let forced = [("nic", "eth1"), ("cidr_netmask", "16"), ("broadcast", "192.168.255.255")];
    Ocft::new().succeeds(TARGET4, &forced, "eth1", 16);
}

#[test]
fn case_21_everything_by_force_without_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    let forced = [("nic", "eth1"), ("cidr_netmask", "28"), ("broadcast", "192.168.144.255")];
    ocft.succeeds(TARGET4, &forced, "eth1", 28);
}

/// The broadcast address that came with the force is the one that is set.
#[test]
fn a_forced_broadcast_address_is_set() {
    let rig = L2::new();
    let vip = rig
        .vip4()
        .param("nic", "ethA")
        .param("cidr_netmask", "16")
        .param("broadcast", "10.9.255.255");
    vip.start().expect_code(0);
    assert_eq!(rig.a.only(harness::rig::VIP4).broadcast, "10.9.255.255");
}
