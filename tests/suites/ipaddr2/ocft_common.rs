//! The cases of the peer's `tools/ocft/IPaddr2`, stated again for this agent.
//!
//! Two devices `eth0` and `eth1`; 192.168.144.0/24 and 2001:db8:1234::/64 are on `eth0`.

use harness::{Agent, Host, L2, agent};

/// The machine that the peer's cases assume.
pub(crate) struct Ocft {
    pub(crate) rig: L2,
}

/// The address of most cases.
pub(crate) const TARGET4: &str = "192.168.144.2";
/// The same for IPv6.
pub(crate) const TARGET6: &str = "2001:db8:1234::2";

impl Ocft {
    pub(crate) fn new() -> Ocft {
        let rig = L2::bare(Host::new("nodea"), "eth0");
        rig.cable("eth1", "02:00:00:09:00:0c", "ethD", "02:00:00:09:00:0d");
        let ocft = Ocft { rig };
        ocft.base(true);
        ocft
    }

    /// Puts the base addresses there, or takes them away.
    pub(crate) fn base(&self, there: bool) {
        let verb = if there { "add" } else { "del" };
        self.rig.a.ip(&format!("address {verb} 192.168.144.1/24 brd 192.168.144.255 dev eth0"));
        self.rig.a.ip(&format!("address {verb} 2001:db8:1234::1/64 dev eth0 nodad"));
    }

    pub(crate) fn agent(&self, ip: &str) -> Agent<'_> {
        let vip = agent(&self.rig.a, "IPaddr2").param("ip", ip).param("nodad", "true");
        vip.stop().expect_code(0);
        vip
    }

    /// Start succeeds and the address is there; stop succeeds and it is gone.
    #[track_caller]
    pub(crate) fn succeeds(&self, ip: &str, parameters: &[(&str, &str)], nic: &str, prefix: u64) {
        let vip =
            parameters.iter().fold(self.agent(ip), |vip, (name, value)| vip.param(name, value));
        vip.start().expect_code(0);
        let seen = self.rig.a.only(ip);
        assert_eq!((seen.nic.as_str(), seen.prefix), (nic, prefix), "{seen:?}");
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
        self.rig.a.expect_absent(ip);
    }

    /// Start fails in this way and leaves nothing.
    #[track_caller]
    pub(crate) fn fails(&self, ip: &str, parameters: &[(&str, &str)], code: i32) {
        let vip =
            parameters.iter().fold(self.agent(ip), |vip, (name, value)| vip.param(name, value));
        vip.start().expect_code(code);
        self.rig.a.expect_absent(ip);
        vip.stop().expect_code(0);
    }
}

#[test]
fn base_environment() {
    let ocft = Ocft::new();
    ocft.succeeds(TARGET4, &[], "eth0", 24);
    ocft.succeeds(TARGET4, &[("cidr_netmask", "24")], "eth0", 24);
    ocft.succeeds(TARGET4, &[("broadcast", "192.168.144.255")], "eth0", 24);
    ocft.succeeds(TARGET4, &[("nic", "eth0")], "eth0", 24);
}

#[test]
fn unset_ip_is_a_configuration_error() {
    let ocft = Ocft::new();
    ocft.agent(TARGET4).without("ip").start().expect_code(6);
}

/// The peer says "not installed" for text that is no address, mask or broadcast. No node could do
/// better with such a text, so here it is a configuration error.
#[test]
fn text_that_is_no_address_mask_or_broadcast_is_a_configuration_error() {
    let ocft = Ocft::new();
    for (name, value) in
        [("ip", "not_ip_address"), ("cidr_netmask", "not_netmask"), ("broadcast", "not_broadcast")]
    {
        ocft.agent(TARGET4).param(name, value).start().expect_code(6).expect_reason(&[name]);
    }
}

/// The peer's validate-all says "configuration error" for a device that is not on this host.
/// Another node may have it, so here level 0 has nothing to say, and level 10 says what start says.
#[test]
fn a_device_that_is_not_here_is_not_installed() {
    let ocft = Ocft::new();
    let vip = ocft.agent(TARGET4).param("nic", "not_nic");
    vip.start().expect_code(5).expect_reason(&["not_nic"]);
    vip.validate().expect_code(0);
    vip.validate_here().expect_code(5);
}

#[test]
fn start_and_stop_normal_and_double() {
    let ocft = Ocft::new();
    for ip in [TARGET4, TARGET6] {
        let vip = ocft.agent(ip);
        vip.start().expect_code(0);
        assert_eq!(ocft.rig.a.only(ip).nic, "eth0");
        vip.start().expect_code(0);
        vip.monitor().expect_code(0);
        vip.stop().expect_code(0);
        ocft.rig.a.expect_absent(ip);
        vip.stop().expect_code(0);
        vip.monitor().expect_code(7);
    }
}

#[test]
fn an_unknown_command_is_unimplemented() {
    let ocft = Ocft::new();
    ocft.agent(TARGET4).action("no_cmd").expect_code(3);
}

#[test]
fn attachment_to_the_loopback_interface() {
    let ocft = Ocft::new();
    let vip = ocft.agent("127.0.0.3");
    vip.start().expect_code(0);
    assert_eq!(ocft.rig.a.only("127.0.0.3").nic, "lo");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
    ocft.rig.a.expect_absent("127.0.0.3");
}

#[test]
fn a_label_by_iflabel_or_in_nic() {
    let ocft = Ocft::new();
    for parameters in [&[("nic", "eth0"), ("iflabel", "iflabel")][..], &[("nic", "eth0:iflabel")]] {
        let vip = parameters
            .iter()
            .fold(ocft.agent(TARGET4), |vip, (name, value)| vip.param(name, value));
        vip.start().expect_code(0);
        let seen = ocft.rig.a.only(TARGET4);
        assert_eq!((seen.label.as_str(), seen.prefix), ("eth0:iflabel", 24));
        vip.stop().expect_code(0);
        ocft.rig.a.expect_absent(TARGET4);
    }
}

/// The peer's case asks for 1. A device that is gone took the address with it: the resource is
/// cleanly not here, which leads to a start (on another node) without a stop first, and so 7 is the
/// better answer (RA#328, RA#334).
#[test]
fn monitor_with_a_vanished_device_is_not_running() {
    let ocft = Ocft::new();
    ocft.agent(TARGET4).param("nic", "ethVanished").monitor().expect_code(7);
}
