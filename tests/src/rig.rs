//! Machines and the wires between them.
//!
//! All addresses exist only inside these machines, which have no way out. MAC addresses are fixed,
//! so that a capture can be compared with them; they are locally administered.

use crate::call::{Agent, agent};
use crate::capture::Capture;
use crate::host::Host;

/// The IPv4 address that moves.
pub const VIP4: &str = "10.9.0.50";
/// The IPv6 address that moves.
pub const VIP6: &str = "2001:db8:9::50";
/// The Ethernet address of `ethA`.
pub const MAC_A: &str = "02:00:00:09:00:0a";
/// The Ethernet address of `ethB`.
pub const MAC_B: &str = "02:00:00:09:00:0b";

/// No router advertisement may ever change a machine under test.
fn quiet(host: &Host) {
    for device in ["all", "default"] {
        host.sysctl(&format!("net/ipv6/conf/{device}/accept_ra"), "0");
        host.sysctl(&format!("net/ipv6/conf/{device}/router_solicitations"), "0");
    }
}

/// Two machines joined by a cable: `ethA` of A (10.9.0.1/24, 2001:db8:9::1/64) and `ethB` of B (.2,
/// ::2).
#[derive(Debug)]
pub struct L2 {
    /// Where the agent runs.
    pub a: Host,
    /// The neighbour.
    pub b: Host,
}

impl L2 {
    /// Two plain machines.
    #[must_use]
    pub fn new() -> L2 {
        L2::with(Host::new("nodea"))
    }

    /// A made by the test, B plain.
    #[must_use]
    pub fn with(a: Host) -> L2 {
        let rig = L2::bare(a, "ethA");
        rig.a.ip("address add 10.9.0.1/24 brd + dev ethA");
        rig.a.ip("address add 2001:db8:9::1/64 dev ethA nodad");
        rig
    }

    /// As [`L2::with`], but A's device has another name and no address.
    #[must_use]
    pub fn bare(a: Host, nic: &str) -> L2 {
        let b = Host::new("nodeb");
        quiet(&a);
        quiet(&b);
        let rig = L2 { a, b };
        rig.cable(nic, MAC_A, "ethB", MAC_B);
        rig.b.ip("address add 10.9.0.2/24 brd + dev ethB");
        rig.b.ip("address add 2001:db8:9::2/64 dev ethB nodad");
        rig
    }

    /// Joins a new device of A with a new device of B, both up.
    pub fn cable(&self, nic_a: &str, mac_a: &str, nic_b: &str, mac_b: &str) {
        self.a.ip(&format!(
            "link add {nic_a} address {mac_a} type veth peer name {nic_b} address {mac_b} netns {}",
            self.b.pid()
        ));
        self.b.ip(&format!("link set {nic_b} up"));
        self.a.ip(&format!("link set {nic_a} up"));
        self.a.wait_link(nic_a, "UP");
        self.b.wait_link(nic_b, "UP");
    }

    /// Cuts the cable of `ethA` at B's end, or joins it again; returns when A's kernel says so.
    pub fn carrier(&self, there: bool) {
        self.b.ip(if there { "link set ethB up" } else { "link set ethB down" });
        // With the other end in another namespace, kernels differ in what they call it.
        self.a.wait_link("ethA", if there { "UP" } else { "LOWERLAYERDOWN|DOWN" });
    }

    /// A second cable, `ethC` of A and `ethD` of B, without addresses.
    pub fn second_cable(&self) {
        self.cable("ethC", "02:00:00:09:00:0c", "ethD", "02:00:00:09:00:0d");
    }

    /// IPaddr2 on A with the IPv4 address.
    #[must_use]
    pub fn vip4(&self) -> Agent<'_> {
        self.ipaddr2(VIP4)
    }

    /// IPaddr2 on A with the IPv6 address.
    #[must_use]
    pub fn vip6(&self) -> Agent<'_> {
        self.ipaddr2(VIP6)
    }

    /// IPaddr2 on A with some address, as a resource of its own for each text.
    #[must_use]
    pub fn ipaddr2(&self, ip: &str) -> Agent<'_> {
        let name: String =
            ip.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        agent(&self.a, "IPaddr2").instance(&format!("vip-{name}")).param("ip", ip)
    }

    /// Begins to listen at B's end of the cable.
    #[must_use]
    pub fn listen(&self) -> Capture {
        Capture::on(&self.b, "ethB")
    }
}

impl Default for L2 {
    fn default() -> Self {
        L2::new()
    }
}

/// A network that a switch makes: how its machines call their device, and which addresses they have
/// there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Net {
    /// The device of each machine.
    pub nic: String,
    /// The first three parts of the IPv4 addresses; nothing: IPv6 only.
    pub v4: Option<String>,
    /// What is added to a machine's number to make the last part of its addresses.
    pub offset: usize,
    /// Distinguishes the Ethernet and IPv6 addresses of several networks.
    pub number: u8,
}

impl Net {
    /// `eth0` with 10.9.0.K/24 and 2001:db8:9::K/64.
    #[must_use]
    pub fn plain() -> Net {
        Net { nic: "eth0".into(), v4: Some("10.9.0".into()), offset: 0, number: 1 }
    }

    /// The network with these addresses: machine K has `v4`.(`offset` + K).
    #[must_use]
    pub fn of(nic: &str, v4: &str, offset: usize, number: u8) -> Net {
        Net { nic: nic.into(), v4: Some(v4.into()), offset, number }
    }

    /// As [`Net::plain`], without IPv4.
    #[must_use]
    pub fn six() -> Net {
        Net { v4: None, ..Net::plain() }
    }

    /// The IPv4 address of machine `number`, if there are any.
    #[must_use]
    pub fn v4_of(&self, number: usize) -> Option<String> {
        self.v4.as_ref().map(|prefix| format!("{prefix}.{}", number + self.offset))
    }

    /// The IPv6 address of machine `number`.
    #[must_use]
    pub fn v6_of(&self, number: usize) -> String {
        format!("2001:db8:{:x}::{}", 8 + self.number, number + self.offset)
    }

    /// The address by which others know machine `number`.
    #[must_use]
    pub fn address_of(&self, number: usize) -> String {
        self.v4_of(number).unwrap_or_else(|| self.v6_of(number))
    }

    /// The Ethernet address of machine `number`.
    #[must_use]
    pub fn mac_of(&self, number: usize) -> String {
        format!("02:00:00:09:{:02x}:{number:02x}", self.number)
    }
}

/// Any number of machines on a switch; each has the device and the addresses that the [`Net`] says.
#[derive(Debug)]
pub struct Lan {
    /// The switch: device `br0`, port `pK` to machine K.
    pub switch: Host,
    /// The machines.
    pub hosts: Vec<Host>,
    /// The network.
    pub net: Net,
}

impl Lan {
    /// A switch with `count` machines on the plain network.
    #[must_use]
    pub fn new(count: usize) -> Lan {
        let mut lan = Lan::of(Net::plain());
        for number in 1..=count {
            lan.plug(Host::new(&format!("node{number}")));
        }
        lan
    }

    /// A switch without machines.
    #[must_use]
    pub fn of(net: Net) -> Lan {
        let switch = Host::new("switch");
        switch.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        switch.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0");
        switch.ip("link set br0 up");
        Lan { switch, hosts: Vec::new(), net }
    }

    /// Joins one more machine to the switch.
    pub fn plug(&mut self, host: Host) {
        self.wire(self.hosts.len() + 1, &host);
        self.hosts.push(host);
    }

    /// Joins a machine to the switch as number `number`, whichever machine it is. What was at that
    /// port before is unplugged.
    pub fn wire(&self, number: usize, host: &Host) {
        quiet(host);
        let (net, nic) = (&self.net, &self.net.nic);
        // The device of a machine that has just died goes away a moment after it.
        self.switch.try_ip(&format!("link del p{number}"));
        self.switch.ip(&format!(
            "link add p{number} type veth peer name {nic} address {} netns {}",
            net.mac_of(number),
            host.pid()
        ));
        self.switch.ip(&format!("link set p{number} master br0 up"));
        host.ip(&format!("link set {nic} up"));
        host.wait_link(nic, "UP");
        if let Some(address) = net.v4_of(number) {
            host.ip(&format!("address add {address}/24 brd + dev {nic}"));
        }
        host.ip(&format!("address add {}/64 dev {nic} nodad", net.v6_of(number)));
    }

    /// Parts these machines from each other, or joins them again. All keep their links, and reach
    /// everybody else.
    pub fn part(&self, numbers: &[usize], parted: bool) {
        let state = if parted { "on" } else { "off" };
        numbers.iter().for_each(|number| {
            self.switch.ip(&format!("link set p{number} type bridge_slave isolated {state}"));
        });
    }

    /// Connects or cuts the cable of machine `number` at the switch.
    pub fn cable(&self, number: usize, connected: bool) {
        self.switch.ip(&format!("link set p{number} {}", if connected { "up" } else { "down" }));
    }
}

/// Whether this kernel has what the firewall rules of a cluster IP need.
#[must_use]
pub fn hashes(host: &Host) -> bool {
    let script = "nft add table ip try && nft 'add chain ip try c { type filter hook prerouting \
                  priority mangle; }' && nft add rule ip try c jhash ip saddr mod 2 seed 1 offset \
                  1 == 1 meta pkttype set host accept; r=$?; nft delete table ip try; exit $r";
    host.run("/bin/sh", &["-c", script]).code == Some(0)
}

/// The Ethernet address of a machine on the plain network.
#[must_use]
pub fn mac_of(number: usize) -> String {
    Net::plain().mac_of(number)
}
