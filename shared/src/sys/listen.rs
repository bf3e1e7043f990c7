//! Whether a server that runs could listen where a new configuration says.
//!
//! What a server does when it cannot is bad: apache ends, nginx goes on with its old configuration
//! and writes that to its log only. Both keep a socket that they have for exactly the same address,
//! and open all others beside those that they have: so none can take the place of all addresses for
//! one, or the other way round, while it runs.
#![forbid(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv6V6Only, ReuseAddr};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket,
};

use super::clients::listening;
use super::clock::Deadline;
use super::process::Process;
use super::resolve::resolve;
use crate::failure::Failure;

/// Where a configuration says to listen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// An address or a name; `None` for all addresses of both families by one socket.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
    /// Whether a socket for all addresses of IPv6 leaves those of IPv4 to another one.
    pub only_ipv6: bool,
}

impl Place {
    /// Whether a socket for this place takes all addresses of IPv4 as well.
    fn is_for_both(&self) -> bool {
        let is_any = |host: &String| host.parse() == Ok(Ipv6Addr::UNSPECIFIED);
        !self.only_ipv6 && self.host.as_ref().is_none_or(is_any)
    }
}

/// Whether the server of a master can listen at all of these places. It can where it does already.
///
/// # Errors
/// The first place where it cannot, and why.
pub fn check(places: &[Place], master: &Process, deadline: Deadline) -> Result<(), Failure> {
    // Without the right to look, what is in use may be the server's own.
    try_all(places, listening(master).ok().as_deref(), deadline)
}

fn try_all(
    places: &[Place],
    held: Option<&[SocketAddr]>,
    deadline: Deadline,
) -> Result<(), Failure> {
    places.iter().enumerate().try_for_each(|(index, place)| {
        // One socket for both families does for all addresses of IPv4, too (apache: AH00072).
        let is_covered = places[..index].iter().any(|it| it.port == place.port && it.is_for_both())
            && place.host.as_deref() == Some("0.0.0.0");
        if is_covered { Ok(()) } else { try_place(place, held, deadline) }
    })
}

fn try_place(
    place: &Place,
    held: Option<&[SocketAddr]>,
    deadline: Deadline,
) -> Result<(), Failure> {
    let port = place.port;
    let any = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    let any = any.map(|ip| SocketAddr::new(ip, port));
    let is_held = |place: &SocketAddr| {
        held.is_some_and(|held| held.iter().any(|it| (it.ip(), port) == (place.ip(), it.port())))
    };
    match &place.host {
        Some(host) => {
            let addresses = resolve(host, port, deadline).unwrap_or_default();
            addresses
                .into_iter()
                .filter(|address| !is_held(address))
                .try_for_each(|address| judge(address, try_bind(address, place.only_ipv6), held))
        }
        None if any.iter().any(is_held) => Ok(()),
        // Where there is no IPv6, the server does without.
        None => match try_bind(any[0], false) {
            tried @ (Ok(()) | Err(Errno::EADDRINUSE)) => judge(any[0], tried, held),
            Err(_) => judge(any[1], try_bind(any[1], false), held),
        },
    }
}

/// Binds an address for a moment, and listens to nobody there.
fn try_bind(address: SocketAddr, only_ipv6: bool) -> nix::Result<()> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&socket, Ipv6V6Only, &only_ipv6)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))
}

/// What it means for a server with these sockets that an address could be bound, or not.
fn judge(
    place: SocketAddr,
    tried: nix::Result<()>,
    held: Option<&[SocketAddr]>,
) -> Result<(), Failure> {
    let why = match (tried.map_err(io::Error::from).map_err(|error| error.kind()), held) {
        (Err(io::ErrorKind::AddrInUse), Some(held)) => {
            match held.iter().find(|own| overlap(place, **own)) {
                Some(own) => format!("cannot listen on {place} beside {own}: needs a restart"),
                None => format!(
                    "cannot listen on {place}: another program does (Address already in use)"
                ),
            }
        }
        (Err(io::ErrorKind::AddrNotAvailable), _) if !place.ip().is_unspecified() => format!(
            "cannot listen on {place}: the address is not on this machine; order the resource \
             after it"
        ),
        // Whatever else it is, of IPv6 on a machine without it, for instance: the server has the
        // last word.
        _ => return Ok(()),
    };
    Err(Failure::generic(why))
}

/// Whether a socket for one of two addresses keeps the kernel from another for the other.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn place(host: Option<&str>, port: u16) -> Place {
        Place { host: host.map(str::to_owned), port, only_ipv6: false }
    }

    /// What a server is told that has these places and is to have another one.
    fn reason(place: &Place, held: Option<&[SocketAddr]>) -> Result<(), String> {
        let soon = Deadline::after(std::time::Duration::from_secs(5));
        try_place(place, held, soon).map_err(|why| why.to_string())
    }

    #[test]
    fn an_address_that_is_not_here_or_taken_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = taken.local_addr().unwrap();
        let port = own.port();
        let at = |host, held: Option<&[SocketAddr]>| reason(&place(Some(host), port), held);
        let held = &[own][..];
        assert!(at("127.0.0.1", Some(&[])).unwrap_err().contains("another program does"));
        assert!(at("192.0.2.1", Some(&[])).unwrap_err().contains("not on this machine"));
        assert_eq!(at("127.0.0.2", Some(&[])), Ok(()));
        assert_eq!(at("127.0.0.1", Some(held)), Ok(()), "it is the server's own");
        assert!(at("192.0.2.1", Some(held)).is_err(), "the port alone is not enough");
        assert_eq!(at("127.0.0.1", None), Ok(()), "it may be the server's own");
        let _second = TcpListener::bind(("127.0.0.2", port)).unwrap();
        let other = at("127.0.0.2", Some(held)).unwrap_err();
        assert!(other.contains("another program does"), "{other}");
    }

    #[test]
    fn all_addresses_and_one_of_them_exclude_each_other() {
        let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = one.local_addr().unwrap();
        for host in [None, Some("0.0.0.0")] {
            let why = reason(&place(host, own.port()), Some(&[own])).unwrap_err();
            assert!(why.contains("needs a restart"), "{why}");
        }
        let any = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let own = any.local_addr().unwrap();
        let why = reason(&place(Some("127.0.0.1"), own.port()), Some(&[own])).unwrap_err();
        assert!(why.contains("needs a restart"), "{why}");
        assert_eq!(reason(&place(None, own.port()), Some(&[own])), Ok(()), "it has all");
        let beside = Place { only_ipv6: true, ..place(Some("::"), own.port()) };
        assert_eq!(reason(&beside, Some(&[own])), Ok(()), "the other family");
    }

    #[test]
    fn one_socket_for_both_families_does_for_ipv4() {
        let both = TcpListener::bind("[::]:0").unwrap();
        let own = [both.local_addr().unwrap()];
        let port = own[0].port();
        let soon = Deadline::after(std::time::Duration::from_secs(5));
        let places = [place(None, port), place(Some("0.0.0.0"), port)];
        assert_eq!(try_all(&places, Some(&own), soon), Ok(()));
        assert!(try_all(&places[1..], Some(&own), soon).is_err());
    }
}
