//! Resets the TCP connections of an address, so that clients notice at once that it has moved: sock_diag with
//! SOCK_DESTROY (Linux 4.5, CONFIG_INET_DIAG_DESTROY).
#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::{SOCK_DESTROY, SockDiagMessage};
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

/// Resets the connections whose local end is `ip`, and gives their number. Listening sockets are left alone: they belong
/// to services that the cluster stops by itself.
///
/// # Errors
/// The kernel's; EOPNOTSUPP from a kernel without the feature.
pub fn reset(ip: IpAddr) -> io::Result<usize> {
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    // A server that listens on [::] has its IPv4 clients on IPv6 sockets.
    let families: &[u8] = if ip.is_ipv4() { &[AF_INET, AF_INET6] } else { &[AF_INET6] };
    let mut count = 0;
    for family in families {
        for id in local(&fd, *family, ip)? {
            count += usize::from(destroy(&fd, *family, id)?);
        }
    }
    Ok(count)
}

/// The open connections of a family whose local end is `ip`.
fn local(fd: &OwnedFd, family: u8, ip: IpAddr) -> io::Result<Vec<SocketId>> {
    let mut states = StateFlags::all();
    states.remove(StateFlags::LISTEN | StateFlags::TIME_WAIT | StateFlags::CLOSE);
    let empty = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    send(fd, request(family, states, empty), NLM_F_REQUEST | NLM_F_DUMP, None)?;
    let mut found = Vec::new();
    loop {
        for answer in receive(fd)? {
            match answer.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                    let id = response.header.socket_id;
                    if id.source_address.to_canonical() == ip {
                        found.push(id);
                    }
                }
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) => return Err(io::Error::from_raw_os_error(-error.raw_code())),
                _ => {}
            }
        }
    }
}

/// Resets one connection; `false` when it has ended by itself.
fn destroy(fd: &OwnedFd, family: u8, id: SocketId) -> io::Result<bool> {
    send(fd, request(family, StateFlags::all(), id), NLM_F_REQUEST | NLM_F_ACK, Some(SOCK_DESTROY))?;
    for answer in receive(fd)? {
        if let NetlinkPayload::Error(error) = answer.payload {
            return match -error.raw_code() {
                0 => Ok(true),
                libc::ENOENT => Ok(false),
                errno => Err(io::Error::from_raw_os_error(errno)),
            };
        }
    }
    Err(io::Error::other("the kernel gave no answer"))
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

fn send(fd: &OwnedFd, message: SockDiagMessage, flags: u16, kind: Option<u16>) -> io::Result<()> {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = flags;
    message.finalize();
    // The crate knows requests of one type only; to destroy takes the same body under another number.
    message.header.message_type = kind.unwrap_or(message.header.message_type);
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    sendto(fd.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    Ok(())
}

fn receive(fd: &OwnedFd) -> io::Result<Vec<NetlinkMessage<SockDiagMessage>>> {
    // The kernel fills at most 32 KiB at a time.
    let mut buffer = vec![0; 32 * 1024];
    let length = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    let mut rest = &buffer[..length];
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
        let size = (message.header.length as usize).next_multiple_of(4).max(16);
        rest = rest.get(size..).unwrap_or(&[]);
        messages.push(message);
    }
    Ok(messages)
}
