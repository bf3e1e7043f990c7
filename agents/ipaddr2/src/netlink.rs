//! Reads and changes links, addresses and routes by rtnetlink, with a synchronous face.
//!
//! rtnetlink hides three things that matter here, so dumps are read message by message: an error at the end of a dump
//! (in the payload of NLMSG_DONE), the mark of a dump that was interrupted by a change (NLM_F_DUMP_INTR), and a
//! message that could not be decoded, which looks like the end.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use ocf::failure::{Failure, Kind, OrFail};
use ocf::sys::clock::Deadline;
use rtnetlink::{Error, Handle, MulticastGroup};

use crate::decode::{self, AddFlags};
use crate::select::Place;
use crate::snapshot::{Address, Link, Route, Snapshot};

/// How often an interrupted dump is repeated before its result is taken as it is. An address that does not change is
/// found long before; see [`crate::observe`] for what a negative means.
const DUMP_TRIES: u32 = 8;

/// A connection to the kernel.
pub struct Netlink {
    runtime: tokio::runtime::Runtime,
    handle: Handle,
}

/// The family of an address.
pub fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

impl Netlink {
    /// Connects, in the network namespace that this thread is in.
    ///
    /// # Errors
    /// When the kernel has no socket for us.
    pub fn open() -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .or_fail("cannot begin to talk to the kernel")?;
        let connected = {
            let _inside = runtime.enter();
            // Strict: a filter that the kernel does not know is an error instead of being ignored.
            rtnetlink::new_connection_with_strict_check().or_fail("netlink socket")?
        };
        let (mut connection, handle, _) = connected;
        connection.set_forward_done(true);
        runtime.spawn(connection);
        Ok(Self { runtime, handle })
    }

    /// Addresses and the routes of some tables, of one family, beside these links.
    ///
    /// # Errors
    /// When the kernel does not answer, or not to the end.
    pub fn snapshot(&self, ip: IpAddr, links: Vec<Link>, tables: &[u32]) -> Result<Snapshot, Failure> {
        let mut routes = Vec::new();
        for table in tables {
            routes.extend(self.routes(ip, *table)?);
        }
        Ok(Snapshot { links, addresses: self.addresses(ip, None)?, routes })
    }

    /// Every interface.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn links(&self) -> Result<Vec<Link>, Failure> {
        let asked = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answers = self.dump(asked, "interfaces")?;
        Ok(answers
            .iter()
            .filter_map(|m| if let RouteNetlinkMessage::NewLink(m) = m { Some(decode::link(m)) } else { None })
            .collect())
    }

    /// Every address of the family of `ip`, on one interface or on all.
    ///
    /// # Errors
    /// As [`Self::snapshot`]; an interface that is gone is an error of the kernel's.
    pub fn addresses(&self, ip: IpAddr, index: Option<u32>) -> Result<Vec<Address>, Failure> {
        let mut message = AddressMessage::default();
        message.header.family = family(ip);
        message.header.index = index.unwrap_or(0);
        let answers = self.dump(RouteNetlinkMessage::GetAddress(message), "addresses")?;
        Ok(answers
            .iter()
            .filter_map(|m| if let RouteNetlinkMessage::NewAddress(m) = m { decode::address(m) } else { None })
            .collect())
    }

    /// Every route of one table and of the family of `ip`. A table that does not exist has none.
    fn routes(&self, ip: IpAddr, table: u32) -> Result<Vec<Route>, Failure> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(ip);
        // The kernel filters by table, so that a router's other tables cost nothing.
        message.attributes.push(RouteAttribute::Table(table));
        match self.try_dump(RouteNetlinkMessage::GetRoute(message)) {
            Ok(answers) => Ok(answers
                .iter()
                .filter_map(|m| if let RouteNetlinkMessage::NewRoute(m) = m { decode::route(m) } else { None })
                .filter(|route| route.table == table)
                .collect()),
            Err(Fault::Kernel(nix::Error::ENOENT)) => Ok(Vec::new()),
            Err(fault) => Err(fault.into_failure().wrap("list of routes")),
        }
    }

    /// The link-layer address that the kernel knows for a neighbour.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn neighbour(&self, ip: IpAddr, index: u32) -> Result<Option<Vec<u8>>, Failure> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(ip);
        let answers = self.dump(RouteNetlinkMessage::GetNeighbour(message), "neighbours")?;
        let wanted = match ip {
            IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
            IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
        };
        Ok(answers.iter().find_map(|m| {
            let RouteNetlinkMessage::NewNeighbour(m) = m else { return None };
            let is_it = m.header.ifindex == index
                && m.attributes.iter().any(|a| matches!(a, NeighbourAttribute::Destination(d) if *d == wanted));
            m.attributes.iter().find_map(|a| match a {
                NeighbourAttribute::LinkLayerAddress(bytes) if is_it && !bytes.is_empty() => Some(bytes.clone()),
                _ => None,
            })
        }))
    }

    /// Adds the address. One that has come to be there in this very form is as good.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add(&self, ip: IpAddr, place: &Place, flags: AddFlags) -> Result<(), Failure> {
        let mut request = self.handle.address().add(place.index, ip, place.prefix);
        decode::complete_new_address(request.message_mut(), ip, place, flags);
        match self.runtime.block_on(request.execute()).map_err(Fault::from) {
            Ok(()) | Err(Fault::Kernel(nix::Error::EEXIST)) => Ok(()),
            Err(fault) => Err(fault.into_failure().wrap(format!("add {ip}/{} to {}", place.prefix, place.name))),
        }
    }

    /// Adds an address as it was.
    ///
    /// # Errors
    /// The kernel's.
    pub fn restore(&self, former: &Address) -> Result<(), Failure> {
        let request = RouteNetlinkMessage::NewAddress(decode::former_address(former));
        let what = || format!("put back {}/{}", former.ip, former.prefix);
        match self.runtime.block_on(self.change_echoed(request, NLM_F_CREATE | NLM_F_EXCL)) {
            Ok(_) | Err(Fault::Kernel(nix::Error::EEXIST)) => Ok(()),
            Err(fault) => Err(fault.into_failure().wrap(what())),
        }
    }

    /// Removes an address, and gives the others that the kernel has removed with it: those of the same network that came
    /// after it, where it may not promote one of them. One that is not there any more, or whose interface is gone, is
    /// removed already.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove(&self, address: &Address) -> Result<Vec<Address>, Failure> {
        let request = RouteNetlinkMessage::DelAddress(decode::removed_address(address));
        // NLM_F_ECHO: the kernel sends the requester every notification that the request causes, and no others
        // (`rtmsg_ifa`), so that what another process removes at the same moment is never taken for a loss.
        match self.runtime.block_on(self.change_echoed(request, NLM_F_ECHO)) {
            Ok(echoed) => Ok(echoed
                .iter()
                .filter_map(|m| if let RouteNetlinkMessage::DelAddress(m) = m { decode::address(m) } else { None })
                .filter(|removed| removed.ip != address.ip)
                .collect()),
            Err(Fault::Kernel(nix::Error::EADDRNOTAVAIL | nix::Error::ENODEV | nix::Error::ENXIO)) => Ok(Vec::new()),
            Err(fault) => Err(fault.into_failure().wrap(format!("remove {}/{}", address.ip, address.prefix))),
        }
    }

    /// Switches an interface on or off.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_up(&self, index: u32, up: bool) -> Result<(), Failure> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
        let what = if up { "on" } else { "off" };
        self.change(self.handle.link().set(message).execute(), format!("switch interface {index} {what}"))
    }

    /// Gives an address a label in the address selection policy (RFC 6724), or takes it away. Already so is well.
    ///
    /// # Errors
    /// The kernel's.
    pub fn label_address(&self, ip: IpAddr, label: u32, add: bool) -> Result<(), Failure> {
        let policy = self.handle.addrlabel();
        let done = if add {
            self.runtime.block_on(policy.add().address(ip).prefix_len(128).label(label).execute())
        } else {
            self.runtime.block_on(policy.del().address(ip).prefix_len(128).label(label).execute())
        };
        match done.map_err(Fault::from) {
            Ok(()) | Err(Fault::Kernel(nix::Error::EEXIST | nix::Error::ESRCH | nix::Error::ENOENT)) => Ok(()),
            Err(fault) => Err(fault.into_failure().wrap(format!("address label {label} of {ip}"))),
        }
    }

    /// Sends a change, and collects what the kernel sends before it acknowledges it.
    async fn change_echoed(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Vec<RouteNetlinkMessage>, Fault> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut stream = self.handle.clone().request(request).map_err(Fault::from)?;
        let mut echoed = Vec::new();
        while let Some(message) = stream.next().await {
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => echoed.push(inner),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(Fault::from(Error::NetlinkError(error)));
                }
                NetlinkPayload::Error(_) => return Ok(echoed),
                _ => {}
            }
        }
        // The stream leaves acknowledgements out.
        Ok(echoed)
    }

    fn change(
        &self,
        request: impl Future<Output = Result<(), Error>>,
        what: impl std::fmt::Display,
    ) -> Result<(), Failure> {
        self.runtime.block_on(request).map_err(|error| Fault::from(error).into_failure().wrap(what))
    }

    fn dump(&self, message: RouteNetlinkMessage, what: &str) -> Result<Vec<RouteNetlinkMessage>, Failure> {
        self.try_dump(message).map_err(|fault| fault.into_failure().wrap(format!("list of {what}")))
    }

    fn try_dump(&self, message: RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Fault> {
        let mut answers = Vec::new();
        for _ in 0..DUMP_TRIES {
            let (found, interrupted) = self.runtime.block_on(self.dump_once(message.clone()))?;
            answers = found;
            if !interrupted {
                break;
            }
        }
        Ok(answers)
    }

    async fn dump_once(&self, message: RouteNetlinkMessage) -> Result<(Vec<RouteNetlinkMessage>, bool), Fault> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut stream = self.handle.clone().request(request).map_err(Fault::from)?;
        let (mut answers, mut interrupted) = (Vec::new(), false);
        while let Some(message) = stream.next().await {
            interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Err(Fault::Kernel(nix::Error::from_raw(-done.code)));
                }
                NetlinkPayload::Done(_) => return Ok((answers, interrupted)),
                NetlinkPayload::Error(error) => return Err(Fault::from(Error::NetlinkError(error))),
                _ => {}
            }
        }
        Err(Fault::Broken("the kernel's answer ended early"))
    }
}

/// What went wrong with a request.
#[derive(Debug)]
enum Fault {
    /// The kernel said so.
    Kernel(nix::Error),
    /// We did not understand each other.
    Broken(&'static str),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::NetlinkError(message) => Self::Kernel(nix::Error::from_raw(-message.raw_code())),
            _ => Self::Broken("no answer from the kernel"),
        }
    }
}

impl Fault {
    fn into_failure(self) -> Failure {
        match self {
            Self::Kernel(errno) => {
                let kind = if errno == nix::Error::EPERM { Kind::Permission } else { Kind::Generic };
                Failure::new(kind, errno.desc())
            }
            Self::Broken(text) => Failure::generic(text),
        }
    }
}

/// Listens for changes of addresses, from the moment it is made.
pub struct AddressEvents {
    runtime: tokio::runtime::Runtime,
    messages: futures_util::stream::BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
}

impl AddressEvents {
    /// Begins to listen for changes of IPv6 addresses.
    ///
    /// # Errors
    /// When the kernel has no socket for us.
    pub fn listen() -> Result<Self, Failure> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().or_fail("listening for addresses")?;
        let (connection, _handle, messages) = {
            let _inside = runtime.enter();
            rtnetlink::new_multicast_connection(&[MulticastGroup::Ipv6Ifaddr]).or_fail("netlink socket")?
        };
        runtime.spawn(connection);
        Ok(Self { runtime, messages: messages.map(|(message, _)| message).boxed() })
    }

    /// Waits for the next change of an address: what it is like now, or that it is gone. `None` at the deadline.
    pub fn next(&mut self, deadline: Deadline) -> Option<AddressEvent> {
        let left = deadline.left();
        let messages = &mut self.messages;
        let next = async {
            while let Some(message) = messages.next().await {
                match message.payload {
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(m)) => {
                        if let Some(address) = decode::address(&m) {
                            return Some(AddressEvent::Is(address));
                        }
                    }
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(m)) => {
                        if let Some(address) = decode::address(&m) {
                            return Some(AddressEvent::Gone(address));
                        }
                    }
                    _ => {}
                }
            }
            None
        };
        // At least one millisecond, so that a late call still sees what has arrived.
        let limit = left.max(Duration::from_millis(1));
        self.runtime.block_on(async { tokio::time::timeout(limit, next).await.ok().flatten() })
    }
}

/// A change of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressEvent {
    /// New, or with new flags.
    Is(Address),
    /// Removed.
    Gone(Address),
}
