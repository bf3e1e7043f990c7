//! Netlink messages to plain data, and back. Pure.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags as Flags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{
    InfoData, InfoVrf, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, Prop,
    State as OperState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteType,
};

use super::place::{Place, metric_of};
use super::{Address, AddressFlags, Hardware, Link, Route, RouteKind, State, network};

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
        hardware: Hardware {
            kind: u16::from(message.header.link_layer_type),
            ..Hardware::default()
        },
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
            LinkAttribute::OperState(state) => {
                link.state = oper_state(*state, flags.contains(LinkFlags::LowerUp))
            }
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(index) => link.master = Some(*index),
            LinkAttribute::LinkInfo(infos) => link.vrf_table = infos.iter().find_map(vrf_table),
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

fn vrf_table(info: &LinkInfo) -> Option<u32> {
    let LinkInfo::Data(InfoData::Vrf(parts)) = info else { return None };
    parts
        .iter()
        .find_map(|part| if let InfoVrf::TableId(table) = part { Some(*table) } else { None })
}

/// The operational state follows the carrier up to a second late (net/core/link_watch.c). While it
/// still says down, a carrier that is there again counts: a cable that was just plugged in is no
/// reason to fail a start.
fn oper_state(state: OperState, carrier: bool) -> State {
    match state {
        OperState::Up | OperState::Unknown => State::Usable,
        OperState::Down | OperState::LowerLayerDown if carrier => State::Usable,
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
    let (mut label, mut broadcast, mut metric, mut lifetimes, mut protocol) =
        (None, None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            // On a point-to-point interface ADDRESS is the other end; LOCAL is always ours where it
            // is given.
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Label(text) => label = Some(text.clone()),
            AddressAttribute::Broadcast(ip) => broadcast = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            AddressAttribute::RoutePriority(value) => metric = Some(*value),
            AddressAttribute::Protocol(value) => protocol = Some(u8::from(*value)),
            AddressAttribute::CacheInfo(info)
                if info.ifa_preferred != FOREVER || info.ifa_valid != FOREVER =>
            {
                lifetimes = Some((info.ifa_preferred, info.ifa_valid));
            }
            _ => {}
        }
    }
    Some(Address {
        index: message.header.index,
        ip: local.or(peer)?,
        peer: peer.filter(|peer| local.is_some_and(|local| local != *peer)),
        prefix: message.header.prefix_len,
        label,
        broadcast,
        flags: AddressFlags {
            secondary: flags.contains(Flags::Secondary),
            tentative: flags.contains(Flags::Tentative),
            optimistic: flags.contains(Flags::Optimistic),
            dadfailed: flags.contains(Flags::Dadfailed),
            noprefixroute: flags.contains(Flags::Noprefixroute),
            permanent: flags.contains(Flags::Permanent),
        },
        metric,
        scope: u8::from(message.header.scope),
        lifetimes,
        protocol,
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

/// The message that removes the route to its network that an IPv6 address has brought. The kernel
/// compares each part.
pub fn removed_prefix_route(ip: IpAddr, place: &Place, table: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet6;
    message.header.destination_prefix_length = place.prefix;
    message.header.protocol = RouteProtocol::Kernel;
    if let IpAddr::V6(network) = network(ip, place.prefix) {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet6(network)));
    }
    message.attributes.push(RouteAttribute::Table(table));
    message.attributes.push(RouteAttribute::Oif(place.index));
    message.attributes.push(RouteAttribute::Priority(metric_of(place.metric)));
    message
}

/// Options of a new address, besides its place.
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

/// Completes rtnetlink's message for a new address. Its builder adds a broadcast address of its own
/// accord; the one that the place has, or none, is what counts.
pub fn complete_new_address(
    message: &mut AddressMessage,
    ip: IpAddr,
    place: &Place,
    flags: AddFlags,
) {
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
    message.header.scope =
        if ip.is_ipv4() && ip.is_loopback() { AddressScope::Host } else { AddressScope::Universe };
}

/// The message that removes an address. The kernel compares each attribute that is given: the other
/// end of a point-to-point address must be named as such (`inet_rtm_deladdr`).
pub fn removed_address(address: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family =
        if address.ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.index = address.index;
    message.header.prefix_len = address.prefix;
    message.attributes.push(AddressAttribute::Local(address.ip));
    message.attributes.push(AddressAttribute::Address(address.peer.unwrap_or(address.ip)));
    message
}

/// The message that adds an address as it was, with everything that it had.
pub fn former_address(former: &Address) -> AddressMessage {
    let mut message = removed_address(former);
    let place = Place {
        index: former.index,
        name: String::new(),
        prefix: former.prefix,
        broadcast: former.broadcast,
        metric: former.metric.filter(|metric| *metric != 0),
        label: former.label.clone(),
        noprefixroute: former.flags.noprefixroute,
    };
    let flags = AddFlags { noprefixroute: former.flags.noprefixroute, ..AddFlags::default() };
    complete_new_address(&mut message, former.ip, &place, flags);
    message.header.scope = AddressScope::from(former.scope);
    if let Some((preferred, valid)) = former.lifetimes {
        let mut info = CacheInfo::default();
        info.ifa_preferred = preferred;
        info.ifa_valid = valid;
        message.attributes.push(AddressAttribute::CacheInfo(info));
    }
    if let Some(protocol) = former.protocol {
        message.attributes.push(AddressAttribute::Protocol(protocol.into()));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_lost_when_its_carrier_is() {
        for (state, carrier, expected) in [
            (OperState::Up, true, State::Usable),
            (OperState::Unknown, false, State::Usable),
            (OperState::Down, false, State::Down),
            (OperState::LowerLayerDown, false, State::LowerLayerDown),
            (OperState::Down, true, State::Usable),
            (OperState::Dormant, true, State::Other),
        ] {
            assert_eq!(oper_state(state, carrier), expected, "{state} {carrier}");
        }
    }

    #[test]
    fn a_new_address_has_no_broadcast_but_the_one_of_its_place() {
        let ip: IpAddr = "10.9.0.50".parse().unwrap();
        let mut place = Place { metric: Some(7), ..super::super::examples::place() };
        let mut message = AddressMessage::default();
        message.attributes.push(AddressAttribute::Broadcast([10, 9, 0, 255].into()));
        complete_new_address(&mut message, ip, &place, AddFlags::default());
        assert_eq!(message.attributes, [AddressAttribute::RoutePriority(7)]);
        place.broadcast = Some([10, 9, 7, 7].into());
        place.label = Some("ethA:x".into());
        let mut message = AddressMessage::default();
        complete_new_address(
            &mut message,
            ip,
            &place,
            AddFlags { noprefixroute: true, ..AddFlags::default() },
        );
        assert!(message.attributes.contains(&AddressAttribute::Broadcast([10, 9, 7, 7].into())));
        assert!(message.attributes.contains(&AddressAttribute::Label("ethA:x".into())));
        assert!(message.attributes.contains(&AddressAttribute::Flags(Flags::Noprefixroute)));
    }

    #[test]
    fn the_own_address_counts_and_not_the_other_end() {
        let mut message = AddressMessage::default();
        message.header.prefix_len = 32;
        message.attributes.push(AddressAttribute::Address("10.9.0.2".parse().unwrap()));
        message.attributes.push(AddressAttribute::Local("10.9.0.1".parse().unwrap()));
        let seen = address(&message).unwrap();
        assert_eq!(seen.ip, "10.9.0.1".parse::<IpAddr>().unwrap());
        let removed = removed_address(&seen);
        assert!(
            removed.attributes.contains(&AddressAttribute::Address("10.9.0.2".parse().unwrap()))
        );
        assert_eq!(address(&AddressMessage::default()), None);
    }
}
