//! Netlink messages to plain data, and back. Pure.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags as Flags, AddressMessage, AddressScope, CacheInfo};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage, Prop, State as OperState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};

use crate::select::Place;
use crate::snapshot::{Address, AddressFlags, Hardware, Link, Route, RouteKind, State};

/// A lifetime without end (RFC 4861, section 4.6.2; the kernel's INFINITY_LIFE_TIME).
const FOREVER: u32 = u32::MAX;

/// An interface.
pub fn link(message: &LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        noarp: flags.contains(LinkFlags::Noarp),
        loopback: flags.contains(LinkFlags::Loopback),
        hardware: Hardware { kind: u16::from(message.header.link_layer_type), ..Hardware::default() },
        ..Link::default()
    };
    if message.header.link_layer_type == LinkLayerType::Loopback {
        link.loopback = true;
    }
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(bytes) => link.hardware.address.clone_from(bytes),
            LinkAttribute::Broadcast(bytes) => link.hardware.broadcast.clone_from(bytes),
            LinkAttribute::OperState(state) => link.state = oper_state(*state),
            LinkAttribute::PropList(props) => {
                link.altnames.extend(props.iter().filter_map(|prop| match prop {
                    Prop::AltIfName(name) => Some(name.clone()),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
    link
}

fn oper_state(state: OperState) -> State {
    match state {
        OperState::Up | OperState::Unknown => State::Usable,
        OperState::Down => State::Down,
        OperState::LowerLayerDown => State::LowerLayerDown,
        _ => State::Other,
    }
}

/// An address; `None` for a message that carries none.
pub fn address(message: &AddressMessage) -> Option<Address> {
    let (mut local, mut peer) = (None, None);
    // The header has room for the first eight flags only; the attribute has them all.
    let mut flags = Flags::from_bits_retain(message.header.flags.bits().into());
    let (mut label, mut broadcast, mut metric, mut lifetimes) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            // On a point-to-point interface ADDRESS is the other end; LOCAL is always ours where it is given.
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Label(text) => label = Some(text.clone()),
            AddressAttribute::Broadcast(ip) => broadcast = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            AddressAttribute::RoutePriority(value) => metric = Some(*value),
            AddressAttribute::CacheInfo(info) if info.ifa_preferred != FOREVER || info.ifa_valid != FOREVER => {
                lifetimes = Some((info.ifa_preferred, info.ifa_valid));
            }
            _ => {}
        }
    }
    Some(Address {
        index: message.header.index,
        ip: local.or(peer)?,
        prefix: message.header.prefix_len,
        label,
        broadcast,
        flags: AddressFlags {
            secondary: flags.contains(Flags::Secondary),
            tentative: flags.contains(Flags::Tentative),
            optimistic: flags.contains(Flags::Optimistic),
            dadfailed: flags.contains(Flags::Dadfailed),
            noprefixroute: flags.contains(Flags::Noprefixroute),
        },
        metric,
        scope: u8::from(message.header.scope),
        lifetimes,
    })
}

/// A route; `None` for one that leads over no single interface.
pub fn route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let mut route = Route {
        table: header.table.into(),
        kind: match header.kind {
            RouteType::Unicast => RouteKind::Unicast,
            RouteType::Local => RouteKind::Local,
            _ => RouteKind::Other,
        },
        network: match header.address_family {
            AddressFamily::Inet => IpAddr::from([0; 4]),
            _ => IpAddr::from([0; 16]),
        },
        prefix: header.destination_prefix_length,
        index: 0,
        gateway: false,
        metric: 0,
        protocol: u8::from(header.protocol),
        source: None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(to) => route.network = ip(to)?,
            RouteAttribute::Oif(index) => route.index = *index,
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => route.gateway = true,
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::PrefSource(from) => route.source = ip(from),
            _ => {}
        }
    }
    Some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

/// What is asked of the kernel besides the place of a new address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddFlags {
    /// No duplicate address detection.
    pub nodad: bool,
    /// Usable while it runs.
    pub optimistic: bool,
    /// No prefix route.
    pub noprefixroute: bool,
    /// Preferred lifetime in seconds, if not for ever. IPv6 only.
    pub preferred_lft: Option<u32>,
}

/// Completes rtnetlink's message for a new address. Its builder adds a broadcast address of its own accord; the one
/// that the place has, or none, is what counts.
pub fn complete_new_address(message: &mut AddressMessage, ip: IpAddr, place: &Place, flags: AddFlags) {
    message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Broadcast(_)));
    let push = |message: &mut AddressMessage, attribute| message.attributes.push(attribute);
    if let Some(broadcast) = place.broadcast {
        push(message, AddressAttribute::Broadcast(broadcast));
    }
    if let Some(label) = &place.label {
        push(message, AddressAttribute::Label(label.clone()));
    }
    if let Some(metric) = place.metric {
        push(message, AddressAttribute::RoutePriority(metric));
    }
    let mut bits = Flags::empty();
    bits.set(Flags::Nodad, flags.nodad);
    bits.set(Flags::Optimistic, flags.optimistic);
    bits.set(Flags::Noprefixroute, flags.noprefixroute);
    if !bits.is_empty() {
        push(message, AddressAttribute::Flags(bits));
    }
    if let Some(preferred) = flags.preferred_lft {
        let mut info = CacheInfo::default();
        info.ifa_preferred = preferred;
        info.ifa_valid = FOREVER;
        push(message, AddressAttribute::CacheInfo(info));
    }
    // As `ip address add` does: 127.0.0.0/8 never leaves the host.
    message.header.scope = if ip.is_ipv4() && ip.is_loopback() { AddressScope::Host } else { AddressScope::Universe };
}

/// The form in which an address that was there comes back, with everything that it had.
pub fn complete_former_address(message: &mut AddressMessage, former: &Address) {
    let place = Place {
        index: former.index,
        name: String::new(),
        prefix: former.prefix,
        broadcast: former.broadcast,
        metric: former.metric.filter(|metric| *metric != 0),
        label: former.label.clone(),
    };
    let flags = AddFlags { noprefixroute: former.flags.noprefixroute, ..AddFlags::default() };
    complete_new_address(message, former.ip, &place, flags);
    message.header.scope = AddressScope::from(former.scope);
    if let Some((preferred, valid)) = former.lifetimes {
        let mut info = CacheInfo::default();
        info.ifa_preferred = preferred;
        info.ifa_valid = valid;
        message.attributes.push(AddressAttribute::CacheInfo(info));
    }
}
