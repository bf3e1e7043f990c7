//! The kernel's links, addresses and routes as plain data; questions about them, and changes.

pub mod changes;
pub mod connections;
pub mod dad;
pub mod decode;
#[cfg(test)]
pub mod examples;
pub mod ifreq;
pub mod labels;
pub mod namespace;
pub mod place;
pub mod questions;
pub mod sysctl;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The routing tables with fixed numbers (`RT_TABLE_*`).
pub const TABLE_MAIN: u32 = 254;
/// The table of the addresses that are this host's own.
pub const TABLE_LOCAL: u32 = 255;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number, the only name that never changes.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its alternative names.
    pub altnames: Vec<String>,
    /// Its hardware address.
    pub hardware: Hardware,
    /// Switched on by the administrator (IFF_UP).
    pub up: bool,
    /// No link-layer address resolution (IFF_NOARP).
    pub noarp: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// What it says of itself (RFC 2863).
    pub state: State,
    /// The interface that it is a part of: a bond, a bridge, a VRF.
    pub master: Option<u32>,
    /// The routing table of a VRF.
    pub vrf_table: Option<u32>,
    /// The largest packet, in bytes; 0 when it is not known.
    pub mtu: u32,
}

/// A link-layer address with all that it takes to send to and from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hardware {
    /// The kernel's type (`ARPHRD_*`), which is also ARP's hardware type.
    pub kind: u16,
    /// The interface's own address: 6 bytes on Ethernet, 20 on InfiniBand.
    pub address: Vec<u8>,
    /// The broadcast address.
    pub broadcast: Vec<u8>,
}

/// The operational state of an interface, as far as we tell states apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Up, or a kind of interface that does not know.
    #[default]
    Usable,
    /// DOWN.
    Down,
    /// LOWERLAYERDOWN: a VLAN or one end of a pair whose other part is down.
    LowerLayerDown,
    /// Dormant, testing, not present.
    Other,
}

impl Link {
    /// Whether the link is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Down | State::LowerLayerDown)
    }

    /// Whether a name means this interface.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.altnames.iter().any(|other| other == name)
    }

    /// Whether an address on it can be announced to neighbours.
    #[must_use]
    pub fn has_neighbours(&self) -> bool {
        !self.loopback && !self.noarp && !self.hardware.address.is_empty()
    }
}

/// An address of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface that has it.
    pub index: u32,
    /// The address.
    pub ip: IpAddr,
    /// The other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// The length of its prefix.
    pub prefix: u8,
    /// Its label; IPv4 addresses without one of their own have the interface's name.
    pub label: Option<String>,
    /// Its broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// The flags (`IFA_F_*`).
    pub flags: AddressFlags,
    /// The metric of its prefix route.
    pub metric: Option<u32>,
    /// The scope (`RT_SCOPE_*`).
    pub scope: u8,
    /// Preferred and valid lifetime in seconds, if they are not for ever.
    pub lifetimes: Option<(u32, u32)>,
    /// Who has added it (`IFAPROT_*`).
    pub protocol: Option<u8>,
}

impl Address {
    /// An address with nothing special.
    #[must_use]
    pub fn plain(index: u32, ip: IpAddr, prefix: u8) -> Self {
        Self {
            index,
            ip,
            peer: None,
            prefix,
            label: None,
            broadcast: None,
            flags: AddressFlags::default(),
            metric: None,
            scope: 0,
            lifetimes: None,
            protocol: None,
        }
    }
}

/// The flags of an address that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFlags {
    /// Another address of the same network came first.
    pub secondary: bool,
    /// Duplicate address detection is under way.
    pub tentative: bool,
    /// Usable meanwhile.
    pub optimistic: bool,
    /// Detection has found another owner.
    pub dadfailed: bool,
    /// It came without a prefix route.
    pub noprefixroute: bool,
    /// Configured, with no end to its valid lifetime.
    pub permanent: bool,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The table that has it.
    pub table: u32,
    /// Whether it delivers to hosts, to this host, or nowhere.
    pub kind: RouteKind,
    /// Its destination.
    pub network: IpAddr,
    /// The length of the destination's prefix; 0 is the default route.
    pub prefix: u8,
    /// The interface it leads to.
    pub index: u32,
    /// Whether it leads to a router rather than to a connected network.
    pub gateway: bool,
    /// The metric; 0 when none is set.
    pub metric: u32,
    /// The origin (`RTPROT_*`).
    pub protocol: u8,
    /// The source address that it suggests.
    pub source: Option<IpAddr>,
}

/// What a route does with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends them on.
    Unicast,
    /// Delivers them to this host.
    Local,
    /// Anything else: blackhole, unreachable, prohibit, throw, multicast, broadcast.
    Other,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every interface.
    pub links: Vec<Link>,
    /// Every address of the family.
    pub addresses: Vec<Address>,
    /// Every route of the family.
    pub routes: Vec<Route>,
}

impl Snapshot {
    /// The interface that a name means.
    #[must_use]
    pub fn link_called(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.is_called(name))
    }

    /// The interface with a number.
    #[must_use]
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// Where an address is.
    pub fn having(&self, ip: IpAddr) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(move |address| address.ip == ip)
    }
}

/// A link-layer address as people write it.
#[must_use]
pub fn readable(hardware: &[u8]) -> String {
    hardware.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// The first address of the network that an address belongs to: the host bits cleared.
#[must_use]
pub fn network(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

/// Whether a network contains an address of the same family.
#[must_use]
pub fn contains(base: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    base.is_ipv4() == ip.is_ipv4() && network(base, prefix) == network(ip, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_own_addresses_and_no_others() {
        let yes = |n: &str, p, i: &str| contains(n.parse().unwrap(), p, i.parse().unwrap());
        assert!(yes("10.9.0.0", 24, "10.9.0.50") && !yes("10.9.0.0", 24, "10.9.1.50"));
        assert!(yes("10.9.0.50", 32, "10.9.0.50") && !yes("10.9.0.50", 32, "10.9.0.51"));
        assert!(yes("0.0.0.0", 0, "10.9.0.50") && yes("::", 0, "2001:db8::1"));
        assert!(yes("2001:db8::", 32, "2001:db8:9::1") && !yes("2001:db8::", 64, "2001:db8:0:1::"));
        assert!(!yes("0.0.0.0", 0, "::1"));
    }
}
