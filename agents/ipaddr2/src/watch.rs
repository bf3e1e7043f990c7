//! What wakes a monitor that waits: news of the kernel about this address and about the interface that has it.
//!
//! The kernel tells everything about all addresses and interfaces to whom it tells anything; what is about others is read and
//! dropped. When there was too much for the socket's buffer, the kernel says so (ENOBUFS), and the monitor looks.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use nix::libc::{RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use ocf::prelude::*;
use ocf::watch::Source;

use crate::config::settings::Settings;
use crate::kernel::{decode, namespace};
use crate::monitor;
use crate::record::{Added, Record};

/// The most datagrams that are read at a time: a flood must not keep the monitor from its check.
const AT_A_TIME: usize = 1000;

/// A datagram of news is smaller: the kernel makes one for each change.
const LARGEST: usize = 64 << 10;

/// The event sources of an address that is here. Without a record there is nothing to go by: the monitor makes one.
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
    if let Some(added) = record.filter(|added| monitor::is_about(added, settings)) {
        sources.add(News::open(settings.ip, &added).or_fail("netlink socket")?);
    }
    Ok(sources)
}

/// The kernel's news.
struct News {
    fd: OwnedFd,
    ip: IpAddr,
    index: u32,
    /// The name of the interface, for people.
    name: String,
}

impl News {
    /// Opens a socket in the network namespace that this thread is in.
    fn open(ip: IpAddr, added: &Added) -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        let addresses = if ip.is_ipv4() { RTMGRP_IPV4_IFADDR } else { RTMGRP_IPV6_IFADDR };
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, (RTMGRP_LINK | addresses) as u32))?;
        Ok(Self { fd, ip, index: added.place.index, name: added.place.name.clone() })
    }
}

impl Source for News {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    fn event(&mut self) -> Option<String> {
        let mut buffer = vec![0; LARGEST];
        let mut first = None;
        for _ in 0..AT_A_TIME {
            let found = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => news(&buffer[..length], self.ip, self.index, &self.name),
                Err(nix::Error::EAGAIN) => break,
                Err(nix::Error::EINTR) => None,
                Err(nix::Error::ENOBUFS) => Some("the kernel lost news of addresses".to_owned()),
                Err(error) => {
                    first.get_or_insert_with(|| format!("the kernel refused news of addresses: {error}"));
                    break;
                }
            };
            first = first.or(found);
        }
        first
    }
}

/// The first of the messages in a datagram that is about the address or the interface, in words.
pub(crate) fn news(mut bytes: &[u8], ip: IpAddr, index: u32, name: &str) -> Option<String> {
    while !bytes.is_empty() {
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
            return Some("the kernel had news that cannot be read".to_owned());
        };
        if let NetlinkPayload::InnerMessage(message) = &message.payload
            && let Some(event) = about(message, ip, index, name)
        {
            return Some(event);
        }
        // Messages begin at multiples of four (NLMSG_ALIGN).
        let length = (message.header.length as usize).next_multiple_of(4).max(4);
        bytes = bytes.get(length..).unwrap_or_default();
    }
    None
}

fn about(message: &RouteNetlinkMessage, ip: IpAddr, index: u32, name: &str) -> Option<String> {
    let is_ours = |message| decode::address(message).is_some_and(|address| address.ip == ip);
    match message {
        RouteNetlinkMessage::DelAddress(message) if is_ours(message) => Some(format!("{ip} was removed")),
        RouteNetlinkMessage::NewAddress(message) if is_ours(message) => Some(format!("{ip} changed")),
        RouteNetlinkMessage::DelLink(message) if message.header.index == index => Some(format!("{name} was removed")),
        RouteNetlinkMessage::NewLink(message) if message.header.index == index => Some(format!("{name} changed")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::address::{AddressAttribute, AddressMessage};
    use netlink_packet_route::link::LinkMessage;

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
        let told = |messages| news(&datagram(messages), IP, 3, "eth0");
        let none = || vec![NewAddress(address("10.9.0.51")), DelAddress(address("10.9.0.5")), NewLink(link(4))];
        assert_eq!(told(vec![]), None);
        assert_eq!(told(none()), None);
        for (message, expected) in [
            (DelAddress(address("10.9.0.50")), "10.9.0.50 was removed"),
            (NewAddress(address("10.9.0.50")), "10.9.0.50 changed"),
            (NewLink(link(3)), "eth0 changed"),
            (DelLink(link(3)), "eth0 was removed"),
        ] {
            assert_eq!(told([none(), vec![message]].concat()).as_deref(), Some(expected));
        }
        assert_eq!(news(b"nonsense", IP, 3, "eth0").as_deref(), Some("the kernel had news that cannot be read"));
    }
}
