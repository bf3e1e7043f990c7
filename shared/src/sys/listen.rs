//! Whether a server that runs could listen where a new configuration says.
//!
//! What a server does when it cannot is bad: apache ends, nginx goes on with its old configuration
//! and writes that to its log only.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::clients::listening_ports;
use super::clock::Deadline;
use super::process::Process;
use super::resolve::resolve;
use crate::failure::Failure;

/// Whether the server of a master can listen at all of these places, a host (`None`: all addresses)
/// and a port. It can on the ports that it has already.
///
/// # Errors
/// The first place where it cannot, and why.
pub fn check<'a>(
    places: impl Iterator<Item = (Option<&'a str>, u16)>,
    master: &Process,
    deadline: Deadline,
) -> Result<(), Failure> {
    // Without the right to look, what is in use may be the server's own.
    let held = listening_ports(master).ok();
    let is_held = |port: u16| held.as_ref().is_none_or(|held| held.contains(&port));
    for (host, port) in places {
        bind(host, port, &is_held, deadline)?;
    }
    Ok(())
}

fn bind(
    host: Option<&str>,
    port: u16,
    is_held: &dyn Fn(u16) -> bool,
    deadline: Deadline,
) -> Result<(), Failure> {
    let addresses = match host {
        Some(host) => resolve(host, port, deadline).unwrap_or_default(),
        None => vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ],
    };
    let found = addresses
        .into_iter()
        .find_map(|address| Some((address, TcpListener::bind(address).err()?.kind())));
    match found {
        Some((place, ErrorKind::AddrInUse)) if !is_held(port) => Err(Failure::generic(format!(
            "cannot listen on {place}: another program does (Address already in use)"
        ))),
        Some((place, ErrorKind::AddrNotAvailable)) if !place.ip().is_unspecified() => {
            Err(Failure::generic(format!(
                "cannot listen on {place}: the address is not on this machine; order the resource \
                 after it"
            )))
        }
        // Whatever else it is, of IPv6 on a machine without it, for instance: the server has the
        // last word.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_here_or_taken_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let soon = || Deadline::after(std::time::Duration::from_secs(5));
        let reason = |host, is_held: bool| {
            bind(host, port, &|_| is_held, soon()).map_err(|why| why.to_string())
        };
        assert!(reason(Some("127.0.0.1"), false).unwrap_err().contains("another program does"));
        assert!(reason(Some("192.0.2.1"), false).unwrap_err().contains("not on this machine"));
        assert_eq!(reason(Some("127.0.0.2"), false), Ok(()));
        assert_eq!(reason(Some("127.0.0.1"), true), Ok(()), "it is the server's own");
        assert!(reason(Some("192.0.2.1"), true).is_err(), "the port alone is not enough");
        assert_eq!(reason(None, true), Ok(()));
    }
}
