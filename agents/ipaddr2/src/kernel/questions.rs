//! What is there? Lists, and single questions that are answered in constant time whatever else the
//! node has.
//!
//! A list of addresses is not atomic: past one datagram the kernel goes on by position, and a
//! change elsewhere makes it skip one. A single question is answered in one step. IPv4 addresses
//! have none: see [`super::labels`].
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv6Addr};

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::Error;
use nix::sys::socket::SockProtocol;
use ocf::failure::{Failure, OrFail};
use ocf::sys::clock::Deadline;
use ocf::sys::netlink::{Events, Fault, Netlink};

use super::{Address, Link, Route, decode};

/// Below this many addresses a list fits in one datagram and is atomic; above, a change elsewhere
/// can make it skip one, so a negative is repeated.
const ATOMIC_LIST: usize = 256;
/// How often a negative is looked for. One look in about 3,000 misses an address that is there,
/// under constant change.
const LOOKS: u32 = 3;

/// A socket for questions, and the end of the time for their answers.
#[derive(Debug)]
pub struct Questions {
    netlink: Netlink,
    deadline: Deadline,
}

/// The family of an address.
pub fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

impl Questions {
    /// Opens the socket, in the network namespace that this thread is in.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(deadline: Deadline) -> Result<Self, Failure> {
        Ok(Self {
            netlink: Netlink::open(SockProtocol::NetlinkRoute).or_fail("netlink socket")?,
            deadline,
        })
    }

    /// Every interface.
    ///
    /// # Errors
    /// When the kernel does not answer, or not to the end.
    pub fn links(&self) -> Result<Vec<Link>, Failure> {
        let answers = self
            .list(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .or_fail("list of interfaces")?;
        let link = |m: &_| {
            if let RouteNetlinkMessage::NewLink(m) = m { Some(decode::link(m)) } else { None }
        };
        Ok(answers.iter().filter_map(link).collect())
    }

    /// An interface by its number; `None` when it is gone.
    ///
    /// # Errors
    /// As [`Self::links`].
    pub fn link(&self, index: u32) -> Result<Option<Link>, Failure> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        match self.netlink.ask(RouteNetlinkMessage::GetLink(message), self.deadline) {
            Ok(RouteNetlinkMessage::NewLink(answer)) => Ok(Some(decode::link(&answer))),
            Ok(_) => Err(Failure::generic("the kernel answered another question")),
            Err(Fault::Refused(Error::ENODEV, _)) => Ok(None),
            Err(fault) => Err(fault).or_fail(format!("interface {index}")),
        }
    }

    /// All addresses of the family of `ip`; a list without it is looked at again where it may have
    /// been skipped.
    ///
    /// # Errors
    /// As [`Self::links`].
    pub fn addresses(&self, ip: IpAddr) -> Result<Vec<Address>, Failure> {
        let mut found = self.list_addresses(ip)?;
        for _ in 1..LOOKS {
            if found.len() < ATOMIC_LIST || found.iter().any(|address| address.ip == ip) {
                break;
            }
            found = self.list_addresses(ip)?;
        }
        Ok(found)
    }

    fn list_addresses(&self, ip: IpAddr) -> Result<Vec<Address>, Failure> {
        let mut message = AddressMessage::default();
        message.header.family = family(ip);
        let answers =
            self.list(RouteNetlinkMessage::GetAddress(message)).or_fail("list of addresses")?;
        let address = |m: &_| {
            if let RouteNetlinkMessage::NewAddress(m) = m { decode::address(m) } else { None }
        };
        Ok(answers.iter().filter_map(address).collect())
    }

    /// An IPv6 address with all that the kernel knows of it, on one interface.
    ///
    /// # Errors
    /// As [`Self::links`]; an address that is not there is a `None`.
    pub fn address_v6(&self, ip: Ipv6Addr, index: u32) -> Result<Option<Address>, Failure> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.index = index;
        message.attributes.push(AddressAttribute::Address(IpAddr::V6(ip)));
        match self.netlink.ask(RouteNetlinkMessage::GetAddress(message), self.deadline) {
            Ok(RouteNetlinkMessage::NewAddress(answer)) => Ok(decode::address(&answer)),
            Ok(_) => Err(Failure::generic("the kernel answered another question")),
            Err(Fault::Refused(Error::EADDRNOTAVAIL | Error::ENODEV, _)) => Ok(None),
            Err(fault) => Err(fault).or_fail(format!("looking for {ip}")),
        }
    }

    /// Every route of one table and of the family of `ip`. A table that does not exist has none.
    ///
    /// # Errors
    /// As [`Self::links`].
    pub fn routes(&self, ip: IpAddr, table: u32) -> Result<Vec<Route>, Failure> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(ip);
        // The kernel filters by table, so that a router's other tables cost nothing.
        message.attributes.push(RouteAttribute::Table(table));
        let answers = match self.list(RouteNetlinkMessage::GetRoute(message)) {
            Err(Fault::Refused(Error::ENOENT, _)) => Vec::new(),
            answers => answers.or_fail("list of routes")?,
        };
        let route =
            |m: &_| if let RouteNetlinkMessage::NewRoute(m) = m { decode::route(m) } else { None };
        Ok(answers.iter().filter_map(route).filter(|route| route.table == table).collect())
    }

    /// The one route by which packets to `ip` would leave over an interface; `None` without any.
    /// One question, however many routes there are.
    pub fn route_over(&self, ip: IpAddr, index: u32) -> Option<Route> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(ip);
        message.header.destination_prefix_length = if ip.is_ipv4() { 32 } else { 128 };
        // The route itself instead of what follows from it for this destination.
        message.header.flags = RouteFlags::FibMatch;
        message.attributes.push(RouteAttribute::Destination(ip.into()));
        message.attributes.push(RouteAttribute::Oif(index));
        match self.netlink.ask(RouteNetlinkMessage::GetRoute(message), self.deadline) {
            Ok(RouteNetlinkMessage::NewRoute(answer)) => decode::route(&answer),
            _ => None,
        }
    }

    /// The link-layer address that the kernel knows for a neighbour.
    ///
    /// # Errors
    /// As [`Self::links`].
    pub fn neighbour(&self, ip: IpAddr, index: u32) -> Result<Option<Vec<u8>>, Failure> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(ip);
        let answers =
            self.list(RouteNetlinkMessage::GetNeighbour(message)).or_fail("list of neighbours")?;
        let wanted = match ip {
            IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
            IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
        };
        Ok(answers.iter().find_map(|m| {
            let RouteNetlinkMessage::NewNeighbour(m) = m else { return None };
            let is_it = m.header.ifindex == index
                && m.attributes
                    .iter()
                    .any(|a| matches!(a, NeighbourAttribute::Destination(d) if *d == wanted));
            m.attributes.iter().find_map(|a| match a {
                NeighbourAttribute::LinkLayerAddress(bytes) if is_it && !bytes.is_empty() => {
                    Some(bytes.clone())
                }
                _ => None,
            })
        }))
    }

    fn list(&self, message: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Fault> {
        self.netlink.dump(&message, self.deadline)
    }
}

/// Hears of changes of IPv6 addresses, from the moment it is made.
#[derive(Debug)]
pub struct AddressEvents(Netlink);

impl AddressEvents {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen() -> Result<Self, Failure> {
        /// RTMGRP_IPV6_IFADDR
        const GROUP: u32 = 0x100;
        Netlink::listen(SockProtocol::NetlinkRoute, GROUP)
            .map(Self)
            .or_fail("listening for addresses")
    }

    /// Waits until something about an address has changed, or until the deadline.
    pub fn wait_for(&self, ip: Ipv6Addr, index: u32, deadline: Deadline) {
        let about = |message: &_| match message {
            RouteNetlinkMessage::NewAddress(m) | RouteNetlinkMessage::DelAddress(m) => {
                decode::address(m).is_some_and(|address| address.ip == ip && address.index == index)
            }
            _ => false,
        };
        while !deadline.expired() {
            match self.0.events(deadline) {
                Ok(Events::Some(events)) if !events.iter().any(about) => {}
                // Also what is lost or not understood is a reason to look.
                _ => return,
            }
        }
    }
}
