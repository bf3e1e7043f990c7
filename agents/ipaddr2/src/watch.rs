//! What wakes a monitor that waits: news of the kernel about this address and about the interface
//! that has it.
//!
//! A socket gets the news of all addresses and interfaces; what is about others is read and
//! dropped. When there was too much for the socket's buffer, the kernel says so (ENOBUFS), and the
//! monitor looks.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use netlink_packet_route::RouteNetlinkMessage;
use nix::libc::{RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK};
use nix::sys::socket::SockProtocol;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::netlink::{Events, Netlink};
use ocf::watch::Source;

use crate::config::settings::Settings;
use crate::kernel::{decode, namespace};
use crate::record::Record;

/// The most datagrams that are read at a time: a flood must not keep the monitor from its check.
const AT_A_TIME: usize = 1000;

/// The event sources of an address that is here. Without a record there is nothing to go by: the
/// monitor makes one.
///
/// # Errors
/// When the kernel has no socket for us.
pub fn sources(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    if let Some(name) = &settings.network_namespace
        && !namespace::enter(name)?
    {
        return Ok(sources);
    }
    let record = Record::load(context.invocation).and_then(|record| record.added);
    if let Some(added) = record.filter(|added| added.is_about(settings)) {
        let place = added.place;
        let netlink = Netlink::listen(SockProtocol::NetlinkRoute, groups(settings.ip))
            .or_fail("netlink socket")?;
        sources.add(News { netlink, ip: settings.ip, index: place.index, name: place.name });
    }
    Ok(sources)
}

/// The groups of news about addresses of a family and about interfaces.
fn groups(ip: IpAddr) -> u32 {
    let addresses = if ip.is_ipv4() { RTMGRP_IPV4_IFADDR } else { RTMGRP_IPV6_IFADDR };
    (RTMGRP_LINK | addresses) as u32
}

/// The kernel's news.
struct News {
    netlink: Netlink,
    ip: IpAddr,
    index: u32,
    /// The name of the interface, for people.
    name: String,
}

impl Source for News {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.netlink.as_fd())
    }

    fn event(&mut self) -> Option<String> {
        let now = Deadline::after(Duration::ZERO);
        let mut first = None;
        for _ in 0..AT_A_TIME {
            let found = match self.netlink.events(now) {
                Ok(Events::Some(events)) => {
                    events.iter().find_map(|event| about(event, self.ip, self.index, &self.name))
                }
                Ok(Events::None) => break,
                Ok(Events::Lost) => Some("the kernel lost news of addresses".to_owned()),
                Err(fault) => Some(format!("news of addresses: {fault}")),
            };
            first = first.or(found);
        }
        first
    }
}

fn about(message: &RouteNetlinkMessage, ip: IpAddr, index: u32, name: &str) -> Option<String> {
    let is_ours = |message| decode::address(message).is_some_and(|address| address.ip == ip);
    match message {
        RouteNetlinkMessage::DelAddress(message) if is_ours(message) => {
            Some(format!("{ip} was removed"))
        }
        RouteNetlinkMessage::NewAddress(message) if is_ours(message) => {
            Some(format!("{ip} changed"))
        }
        RouteNetlinkMessage::DelLink(message) if message.header.index == index => {
            Some(format!("{name} was removed"))
        }
        RouteNetlinkMessage::NewLink(message) if message.header.index == index => {
            Some(format!("{name} changed"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::address::{AddressAttribute, AddressMessage};
    use netlink_packet_route::link::LinkMessage;

    use netlink_packet_core::NetlinkMessage;
    use ocf::sys::netlink::events;

    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 50));

    fn address(text: &str) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = netlink_packet_route::AddressFamily::Inet;
        message.header.index = 3;
        message.attributes.push(AddressAttribute::Local(text.parse().unwrap()));
        message
    }

    fn link(index: u32) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message
    }

    /// A datagram, as the kernel writes it.
    fn datagram(messages: Vec<RouteNetlinkMessage>) -> Vec<u8> {
        let mut all = Vec::new();
        for message in messages {
            let mut message = NetlinkMessage::from(message);
            message.finalize();
            let mut bytes = vec![0; message.header.length as usize];
            message.serialize(&mut bytes);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            all.extend(bytes);
        }
        all
    }

    #[test]
    fn news_of_this_address_and_this_link_count_and_others_do_not() {
        use RouteNetlinkMessage::{DelAddress, DelLink, NewAddress, NewLink};
        let heard = |messages| {
            let events: Vec<RouteNetlinkMessage> = events(&datagram(messages)).unwrap();
            events.iter().find_map(|event| about(event, IP, 3, "eth0"))
        };
        let none = || {
            vec![
                NewAddress(address("10.9.0.51")),
                DelAddress(address("10.9.0.5")),
                NewLink(link(4)),
            ]
        };
        assert_eq!(heard(vec![]), None);
        assert_eq!(heard(none()), None);
        for (message, expected) in [
            (DelAddress(address("10.9.0.50")), "10.9.0.50 was removed"),
            (NewAddress(address("10.9.0.50")), "10.9.0.50 changed"),
            (NewLink(link(3)), "eth0 changed"),
            (DelLink(link(3)), "eth0 was removed"),
        ] {
            assert_eq!(heard([none(), vec![message]].concat()).as_deref(), Some(expected));
        }
        assert!(events::<RouteNetlinkMessage>(b"nonsense").is_err());
    }
}
