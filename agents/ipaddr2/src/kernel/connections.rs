//! Resets the TCP connections of an address, so that clients notice at once that it has moved:
//! sock_diag with SOCK_DESTROY (Linux 4.5, CONFIG_INET_DIAG_DESTROY).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::{SOCK_DESTROY, SockDiagMessage};
use nix::sys::socket::SockProtocol;
use ocf::sys::clock::Deadline;
use ocf::sys::netlink::{Fault, Netlink};

/// Resets the connections whose local end is `ip`, and gives their number. Listening sockets are
/// left alone: they belong to services that the cluster stops by itself.
///
/// # Errors
/// The kernel's; EOPNOTSUPP from a kernel without the feature.
pub fn reset(ip: IpAddr, deadline: Deadline) -> Result<usize, Fault> {
    let netlink = Netlink::open(SockProtocol::NetlinkSockDiag).map_err(Fault::Broken)?;
    // A server that listens on [::] has its IPv4 clients on IPv6 sockets.
    let families: &[u8] = if ip.is_ipv4() { &[AF_INET, AF_INET6] } else { &[AF_INET6] };
    let mut count = 0;
    for family in families {
        for id in local(&netlink, *family, ip, deadline)? {
            count += usize::from(destroy(&netlink, *family, id, deadline)?);
        }
    }
    Ok(count)
}

/// The open connections of a family whose local end is `ip`.
fn local(
    netlink: &Netlink,
    family: u8,
    ip: IpAddr,
    deadline: Deadline,
) -> Result<Vec<SocketId>, Fault> {
    let mut states = StateFlags::all();
    states.remove(StateFlags::LISTEN | StateFlags::TIME_WAIT | StateFlags::CLOSE);
    let empty = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    let answers = netlink.dump(&request(family, states, empty), deadline)?;
    let id = |answer| match answer {
        SockDiagMessage::InetResponse(response) => Some(response.header.socket_id),
        _ => None,
    };
    Ok(answers
        .into_iter()
        .filter_map(id)
        .filter(|id| id.source_address.to_canonical() == ip)
        .collect())
}

/// Resets one connection; `false` when it has ended by itself.
fn destroy(netlink: &Netlink, family: u8, id: SocketId, deadline: Deadline) -> Result<bool, Fault> {
    // The crate knows requests of one type only; to destroy takes the same body under another
    // number.
    match netlink.change(request(family, StateFlags::all(), id), 0, Some(SOCK_DESTROY), deadline) {
        Ok(_) => Ok(true),
        Err(Fault::Refused(nix::Error::ENOENT, _)) => Ok(false),
        Err(fault) => Err(fault),
    }
}

fn request(family: u8, states: StateFlags, socket_id: SocketId) -> SockDiagMessage {
    SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states,
        socket_id,
    })
}
