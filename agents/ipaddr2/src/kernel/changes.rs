//! Changes of links, addresses and the address selection policy, by rtnetlink with a synchronous
//! face.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use nix::Error as Errno;
use ocf::failure::{Failure, OrFail};
use ocf::sys::clock::Deadline;
use ocf::sys::netlink::{Fault, text};
use rtnetlink::sys::AsyncSocket as _;
use rtnetlink::{Error, Handle};

use super::Address;
use super::decode::{self, AddFlags};
use super::place::Place;

/// A connection for changes, and the end of the time for each of them.
pub struct Changes {
    runtime: tokio::runtime::Runtime,
    handle: Handle,
    deadline: Deadline,
}

impl Changes {
    /// Connects, in the network namespace that this thread is in. It makes the one runtime of the
    /// process.
    ///
    /// # Errors
    /// When the kernel has no socket for us.
    pub fn open(deadline: Deadline) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .or_fail("cannot begin to talk to the kernel")?;
        let (mut connection, handle, _) = {
            let _inside = runtime.enter();
            rtnetlink::new_connection().or_fail("netlink socket")?
        };
        // The kernel's own words about a refusal; one before 4.12 has none.
        let _ = connection.socket_mut().socket_mut().set_ext_ack(true);
        runtime.spawn(connection);
        Ok(Self { runtime, handle, deadline })
    }

    /// Adds the address. One that has come to be there in this very form is as good.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add(&self, ip: IpAddr, place: &Place, flags: AddFlags) -> Result<(), Failure> {
        let mut request = self.handle.address().add(place.index, ip, place.prefix);
        decode::complete_new_address(request.message_mut(), ip, place, flags);
        match self.until_deadline(request.execute()) {
            Err(Fault::Refused(Errno::EEXIST, _)) => Ok(()),
            done => done.or_fail(format!("add {ip}/{} to {}", place.prefix, place.name)),
        }
    }

    /// Adds an address as it was.
    ///
    /// # Errors
    /// The kernel's.
    pub fn restore(&self, former: &Address) -> Result<(), Failure> {
        let request = RouteNetlinkMessage::NewAddress(decode::former_address(former));
        match self.until_deadline(self.echoed(request, NLM_F_CREATE | NLM_F_EXCL)) {
            Err(Fault::Refused(Errno::EEXIST, _)) => Ok(()),
            done => done.map(drop).or_fail(format!("put back {}/{}", former.ip, former.prefix)),
        }
    }

    /// Removes an address, and gives the others that the kernel has removed with it: those of the
    /// same network that came after it, where it may not promote one of them. One that is not there
    /// any more, or whose interface is gone, is removed already.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove(&self, address: &Address) -> Result<Vec<Address>, Failure> {
        let request = RouteNetlinkMessage::DelAddress(decode::removed_address(address));
        // NLM_F_ECHO: the kernel sends the requester every notification that the request causes,
        // and no others (`rtmsg_ifa`), so that what another process removes at the same moment is
        // never taken for a loss.
        let removed = |m: &_| {
            if let RouteNetlinkMessage::DelAddress(m) = m { decode::address(m) } else { None }
        };
        match self.until_deadline(self.echoed(request, NLM_F_ECHO)) {
            Err(Fault::Refused(Errno::EADDRNOTAVAIL | Errno::ENODEV | Errno::ENXIO, _)) => {
                Ok(Vec::new())
            }
            echoed => {
                let echoed = echoed.or_fail(format!("remove {}/{}", address.ip, address.prefix))?;
                Ok(echoed
                    .iter()
                    .filter_map(removed)
                    .filter(|removed| removed.ip != address.ip)
                    .collect())
            }
        }
    }

    /// Removes the route to its network that an IPv6 address has brought; one that is gone is as
    /// good.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove_prefix_route(
        &self,
        ip: IpAddr,
        place: &Place,
        table: u32,
    ) -> Result<(), Failure> {
        let message = decode::removed_prefix_route(ip, place, table);
        match self.until_deadline(self.handle.route().del(message).execute()) {
            Err(Fault::Refused(Errno::ESRCH | Errno::ENODEV | Errno::ENOENT, _)) => Ok(()),
            done => done
                .or_fail(format!("remove the route of {ip}/{} from {}", place.prefix, place.name)),
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
        self.until_deadline(self.handle.link().set(message).execute())
            .or_fail(format!("switch interface {index} {what}"))
    }

    /// Gives an address a label in the address selection policy (RFC 6724), or takes it away. Gives
    /// whether that was a change.
    ///
    /// # Errors
    /// The kernel's.
    pub fn label_address(&self, ip: IpAddr, label: u32, add: bool) -> Result<bool, Failure> {
        let policy = self.handle.addrlabel();
        let done = if add {
            self.until_deadline(policy.add().address(ip).prefix_len(128).label(label).execute())
        } else {
            self.until_deadline(policy.del().address(ip).prefix_len(128).label(label).execute())
        };
        match done {
            Err(Fault::Refused(Errno::EEXIST | Errno::ESRCH | Errno::ENOENT, _)) => Ok(false),
            done => done.map(|()| true).or_fail(format!("address label {label} of {ip}")),
        }
    }

    /// Sends a change, and collects what the kernel sends before it acknowledges it.
    async fn echoed(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut stream = self.handle.clone().request(request)?;
        let mut echoed = Vec::new();
        // The stream leaves acknowledgements out.
        while let Some(message) = stream.next().await {
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => echoed.push(inner),
                NetlinkPayload::Error(error) => return Err(Error::NetlinkError(error)),
                _ => {}
            }
        }
        Ok(echoed)
    }

    fn until_deadline<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        // The timer is one of the runtime's: it is made inside.
        match self
            .runtime
            .block_on(async { tokio::time::timeout(self.deadline.left(), request).await })
        {
            Ok(done) => done.map_err(fault),
            Err(_) => Err(Fault::Late),
        }
    }
}

fn fault(error: Error) -> Fault {
    match error {
        Error::NetlinkError(message) => {
            // The request follows, whole, and then what the kernel says about it.
            let request =
                message.header.first_chunk::<4>().map_or(0, |length| u32::from_ne_bytes(*length));
            let said = message.header.get((request as usize).next_multiple_of(4)..).and_then(text);
            Fault::Refused(Errno::from_raw(-message.raw_code()), said)
        }
        other => Fault::Broken(std::io::Error::other(other.to_string())),
    }
}
