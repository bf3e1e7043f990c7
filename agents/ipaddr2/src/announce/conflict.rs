//! Probes the network for an IPv4 address before a start adds it (RFC 5227, section 2.1), in a
//! fifth of a second; and for the owner of an IPv6 address that the kernel has found to be a
//! duplicate.
//!
//! The RFC spreads its probes over seconds, for hosts that all boot at once. Here a cluster has
//! already decided who owns the address; what is looked for is a host that has it by mistake, and
//! that answers within milliseconds.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ocf::failure::{Failure, OrFail};
use ocf::sys::clock::Deadline;

use crate::announce::frame::{Arp, Operation, advertised, solicitation, solicited_node};
use crate::announce::wire::{AdvertisementSocket, ArpSocket};
use crate::kernel::{Link, readable};

/// How many times to ask (PROBE_NUM).
const PROBES: u32 = 3;
/// From one question to the next.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long to listen after the last one.
const LAST: Duration = Duration::from_millis(100);

/// Probes; gives the link-layer address of a host that claims the address or probes for it itself.
///
/// The socket comes back, for closing it takes longer than all the rest may; see [`ArpSocket`].
///
/// # Errors
/// When no probe can be sent or no answer received.
pub fn look(
    ip: Ipv4Addr,
    link: &Link,
    own: &[Vec<u8>],
    deadline: Deadline,
) -> Result<(Option<Vec<u8>>, ArpSocket), Failure> {
    let context = || format!("asking the network for {ip} on {}", link.name);
    let socket = ArpSocket::receiving(link.index).or_fail(context())?;
    let probe = Arp::probe(link.hardware.kind, &link.hardware.address, ip);
    for number in 1..=PROBES {
        socket.send(&probe, &link.hardware.broadcast).or_fail(context())?;
        let limit = if number == PROBES { LAST } else { BETWEEN };
        let until = Deadline::after(limit).min(deadline);
        while !until.expired() {
            let Some(packet) = socket.receive(until).or_fail(context())? else { break };
            if let Some(other) = rival(&packet, ip, own) {
                return Ok((Some(other), socket));
            }
        }
    }
    Ok((None, socket))
}

/// Which host claims the address by this packet: any sender of it, and one that probes for it at
/// the same time (RFC 5227, section 2.1.1). Packets from interfaces of this very host are no
/// rivals.
fn rival(packet: &Arp, ip: Ipv4Addr, own: &[Vec<u8>]) -> Option<Vec<u8>> {
    let claims = packet.sender_ip == ip;
    let probes = packet.operation == Operation::Request
        && packet.sender_ip == Ipv4Addr::UNSPECIFIED
        && packet.target_ip == ip;
    ((claims || probes) && !own.contains(&packet.sender_hw)).then(|| packet.sender_hw.clone())
}

/// Why an IPv6 address is not usable: who has it, where that host answers.
pub fn duplicate(ip: Ipv6Addr, link: &Link, deadline: Deadline) -> Failure {
    match owner(ip, link, deadline) {
        Ok(Some(hw)) => in_use(ip.into(), link, &hw),
        // It is silent by now, or this interface has no address to ask from.
        Ok(None) | Err(_) => Failure::generic(format!(
            "another host on {} has {ip} already (duplicate address detection); find and stop it",
            link.name
        )),
    }
}

/// Another host answers for an address.
pub fn in_use(ip: IpAddr, link: &Link, hw: &[u8]) -> Failure {
    Failure::generic(format!(
        "{ip} is in use on {} by {}; find that host and take the address off it",
        link.name,
        readable(hw)
    ))
}

/// Sends neighbour solicitations for an IPv6 address: the kernel notes the owner nowhere but in its
/// log.
fn owner(ip: Ipv6Addr, link: &Link, deadline: Deadline) -> io::Result<Option<Vec<u8>>> {
    let socket = AdvertisementSocket::anonymous(link.index)?;
    let question = solicitation(ip, &link.hardware.address);
    let answer = |bytes: &[u8]| {
        advertised(bytes, ip, link.hardware.address.len()).filter(|hw| *hw != link.hardware.address)
    };
    for _ in 0..PROBES {
        socket.send(&question, solicited_node(ip))?;
        let found = socket.receive(Deadline::after(LAST).min(deadline), answer)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rival_claims_the_address_or_probes_for_it() {
        let ip = Ipv4Addr::new(10, 9, 0, 50);
        let (other, ours) = (vec![2, 0, 0, 0, 0, 2], vec![2, 0, 0, 0, 0, 1]);
        let own = [ours.clone()];
        assert_eq!(
            rival(&Arp::announcement(1, &other, ip, Operation::Reply), ip, &own),
            Some(other.clone())
        );
        assert_eq!(rival(&Arp::probe(1, &other, ip), ip, &own), Some(other.clone()));
        assert_eq!(rival(&Arp::probe(1, &ours, ip), ip, &own), None);
        // A host that only wants to reach the address does not have it.
        assert_eq!(
            rival(&Arp::question(1, &other, Ipv4Addr::new(10, 9, 0, 2), ip), ip, &own),
            None
        );
        assert_eq!(readable(&other), "02:00:00:00:00:02");
    }
}
