//! Asks the network for an IPv4 address before taking it (RFC 5227, section 2.1), in a fifth of a second.
//!
//! The RFC spreads its probes over seconds, for hosts that all boot at once. Here a cluster has already decided who
//! owns the address; what is looked for is a host that has it by mistake, and that answers within milliseconds.

use std::net::Ipv4Addr;
use std::time::Duration;

use ocf::failure::{Failure, OrFail};
use ocf::sys::clock::Deadline;

use crate::frame::{Arp, Operation};
use crate::snapshot::Link;
use crate::wire::ArpSocket;

/// How many times to ask (PROBE_NUM).
const PROBES: u32 = 3;
/// From one question to the next.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long to listen after the last one.
const LAST: Duration = Duration::from_millis(100);

/// Asks; gives the link-layer address of whoever claims the address or asks for it for itself.
///
/// The socket comes back, for closing it takes longer than all the rest may; see [`ArpSocket`].
///
/// # Errors
/// When the network cannot be asked.
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

/// Who else claims the address by this packet: any sender of it, and whoever probes for it at the same time (RFC 5227,
/// section 2.1.1). Packets from interfaces of this very host are no rivals.
fn rival(packet: &Arp, ip: Ipv4Addr, own: &[Vec<u8>]) -> Option<Vec<u8>> {
    let claims = packet.sender_ip == ip;
    let probes =
        packet.operation == Operation::Request && packet.sender_ip == Ipv4Addr::UNSPECIFIED && packet.target_ip == ip;
    ((claims || probes) && !own.contains(&packet.sender_hw)).then(|| packet.sender_hw.clone())
}

/// A link-layer address as people write it.
pub fn readable(hw: &[u8]) -> String {
    hw.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rival_claims_the_address_or_probes_for_it() {
        let ip = Ipv4Addr::new(10, 9, 0, 50);
        let (other, ours) = (vec![2, 0, 0, 0, 0, 2], vec![2, 0, 0, 0, 0, 1]);
        let own = [ours.clone()];
        assert_eq!(rival(&Arp::announcement(1, &other, ip, Operation::Reply), ip, &own), Some(other.clone()));
        assert_eq!(rival(&Arp::probe(1, &other, ip), ip, &own), Some(other.clone()));
        assert_eq!(rival(&Arp::probe(1, &ours, ip), ip, &own), None);
        // Somebody who merely wants to talk to the address does not have it.
        assert_eq!(rival(&Arp::question(1, &other, Ipv4Addr::new(10, 9, 0, 2), ip), ip, &own), None);
        assert_eq!(readable(&other), "02:00:00:00:00:02");
    }
}
