//! The cases of the peer's `tools/ocft/IPaddr2v6` that its common cases do not have; numbers are
//! those of the peer.
//!
//! As with IPv4, "no network of this host fits" is "not installed" here.

use crate::ocft_common::{Ocft, TARGET6};

const NO_NETWORK: i32 = 5;

#[test]
fn case_06_an_address_of_no_network_here() {
    Ocft::new().fails("2001:db8:5678::2", &[], NO_NETWORK);
}

#[test]
fn case_07_a_link_local_address_without_nic_is_a_configuration_error() {
    Ocft::new().fails("fe80::2", &[], 6);
}

#[test]
fn case_08_nic_without_mask() {
    Ocft::new().succeeds(TARGET6, &[("nic", "eth0")], "eth0", 64);
}

#[test]
fn case_09_a_link_local_address_with_nic() {
    Ocft::new().succeeds("fe80::2", &[("nic", "eth0")], "eth0", 64);
}

#[test]
fn case_10_a_nic_without_its_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.fails(TARGET6, &[("nic", "eth0")], NO_NETWORK);
}

#[test]
fn case_11_a_nic_that_has_not_the_network() {
    Ocft::new().fails(TARGET6, &[("nic", "eth1")], NO_NETWORK);
}

#[test]
fn case_12_the_networks_own_mask() {
    Ocft::new().succeeds(TARGET6, &[("cidr_netmask", "64")], "eth0", 64);
}

/// The peer refuses a narrower mask than the network's for IPv6 and accepts it for IPv4. Both are
/// one rule here: the network gives the device, the parameter the mask.
#[test]
fn case_13_a_narrower_mask_than_the_networks() {
    Ocft::new().succeeds(TARGET6, &[("cidr_netmask", "80")], "eth0", 80);
}

#[test]
fn case_14_a_wider_mask_than_the_networks() {
    Ocft::new().fails(TARGET6, &[("cidr_netmask", "48")], NO_NETWORK);
}

#[test]
fn case_15_a_mask_without_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.fails(TARGET6, &[("cidr_netmask", "64")], NO_NETWORK);
}

#[test]
fn case_16_nic_and_mask() {
    Ocft::new().succeeds(TARGET6, &[("nic", "eth0"), ("cidr_netmask", "64")], "eth0", 64);
}

#[test]
fn case_17_a_nic_and_a_narrower_mask_by_force() {
    Ocft::new().succeeds(TARGET6, &[("nic", "eth1"), ("cidr_netmask", "80")], "eth1", 80);
}

#[test]
fn case_18_a_nic_and_a_wider_mask_by_force() {
    Ocft::new().succeeds(TARGET6, &[("nic", "eth1"), ("cidr_netmask", "48")], "eth1", 48);
}

#[test]
fn case_19_the_same_without_base_address() {
    let ocft = Ocft::new();
    ocft.base(false);
    ocft.succeeds(TARGET6, &[("nic", "eth1"), ("cidr_netmask", "48")], "eth1", 48);
}
