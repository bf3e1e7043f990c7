//! Who answers for an address: a client asks for its Ethernet address all the time, and listens.
//!
//! What is sent is made here, apart from the agents' own encoder; what comes back is a packet
//! capture's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::history::{Event, Recorder};
use super::{NODES, SERVICES, node_name};
use crate::capture::Capture;
use crate::cluster::CLIENT;
use crate::frame::{Frame, Mac};
use crate::host::Host;
use crate::rig::Net;

/// Between two questions.
const INTERVAL: Duration = Duration::from_millis(200);

/// Asks until it is dropped.
#[derive(Debug)]
pub struct Asker {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Asker {
    /// Asks from a client's `eth0` for the addresses of all services, and records who answers.
    #[must_use]
    pub fn on(client: &Host, recorder: &Arc<Recorder>) -> Asker {
        let capture = Capture::on(client, "eth0");
        let (socket, index) = client.in_network(open).expect("a packet socket");
        let over = Arc::new(AtomicBool::new(false));
        let (flag, recorder) = (Arc::clone(&over), Arc::clone(recorder));
        let thread = std::thread::spawn(move || ask(&socket, index, capture, &flag, &recorder));
        Asker { over, thread: Some(thread) }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open() -> nix::Result<(OwnedFd, u32)> {
    let index = nix::net::if_::if_nametoindex("eth0")?;
    let none: Option<SockProtocol> = None;
    Ok((socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, none)?, index))
}

fn ask(socket: &OwnedFd, index: u32, mut capture: Capture, over: &AtomicBool, recorder: &Recorder) {
    let addresses: Vec<&str> =
        SERVICES.iter().flat_map(|it| it.addresses).map(|(_, address)| *address).collect();
    let mut known: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut read = capture.heard().len();
    while !over.load(Ordering::Relaxed) {
        let sent = SystemTime::now();
        for address in &addresses {
            send(socket, index, &question(address.parse().expect("an address")));
        }
        std::thread::sleep(INTERVAL);
        let heard = &capture.heard()[read..];
        for address in &addresses {
            let wanted: IpAddr = address.parse().expect("an address");
            let mut nodes: Vec<String> = heard
                .iter()
                .filter(|it| answers(&it.frame, wanted))
                .filter_map(|it| node_of(it.from))
                .collect();
            nodes.sort();
            nodes.dedup();
            if known.get(address) != Some(&nodes) {
                let event = Event::Answer { address: (*address).to_owned(), nodes: nodes.clone() };
                recorder.note_at(recorder.seconds(sent), event);
                known.insert(address, nodes);
            }
        }
        read += heard.len();
    }
}

/// The node that has an Ethernet address.
fn node_of(mac: Mac) -> Option<String> {
    let net = Net::plain();
    (1..=NODES).find(|number| net.mac_of(*number).parse() == Ok(mac)).map(node_name)
}

/// Whether a frame answers a question for an address; an announcement does not.
fn answers(frame: &Frame, address: IpAddr) -> bool {
    match (frame, address) {
        (Frame::Arp { operation: 2, sender_ip, target_ip, .. }, IpAddr::V4(address)) => {
            *sender_ip == address && *target_ip != address
        }
        (Frame::Advertisement { target, solicited: true, .. }, IpAddr::V6(address)) => {
            *target == address
        }
        _ => false,
    }
}

/// A broadcast ARP request, or a neighbour solicitation to all nodes that may have the address.
fn question(address: IpAddr) -> Vec<u8> {
    let net = Net::plain();
    let own: Mac = net.mac_of(CLIENT).parse().expect("an Ethernet address");
    match address {
        IpAddr::V4(wanted) => {
            let from: Ipv4Addr =
                net.v4_of(CLIENT).and_then(|it| it.parse().ok()).expect("an address");
            [
                &[0xff; 6][..],
                &own.0,
                &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1],
                &own.0,
                &from.octets(),
                &[0; 6],
                &wanted.octets(),
            ]
            .concat()
        }
        IpAddr::V6(wanted) => {
            let from: Ipv6Addr = net.v6_of(CLIENT).parse().expect("an address");
            let [.., a, b, c] = wanted.octets();
            let to = Ipv6Addr::new(
                0xff02,
                0,
                0,
                0,
                0,
                1,
                0xff00 | u16::from(a),
                u16::from_be_bytes([b, c]),
            );
            // Type 135, and the option with our own Ethernet address.
            let mut body =
                [&[135, 0, 0, 0, 0, 0, 0, 0][..], &wanted.octets(), &[1, 1], &own.0].concat();
            let sum = checksum(from, to, &body);
            body[2..4].copy_from_slice(&sum.to_be_bytes());
            let length = (body.len() as u16).to_be_bytes();
            [
                &[0x33, 0x33, 0xff, a, b, c][..],
                &own.0,
                &[0x86, 0xdd, 0x60, 0, 0, 0],
                &length,
                &[58, 255],
                &from.octets(),
                &to.octets(),
                &body,
            ]
            .concat()
        }
    }
}

/// The checksum of an ICMPv6 message (RFC 4443, 2.3).
fn checksum(from: Ipv6Addr, to: Ipv6Addr, body: &[u8]) -> u16 {
    let length = (body.len() as u32).to_be_bytes();
    let all = [&from.octets()[..], &to.octets(), &length, &[0, 0, 0, 58], body].concat();
    let mut sum: u32 = all
        .chunks(2)
        .map(|two| u32::from(u16::from_be_bytes([two[0], *two.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn send(socket: &OwnedFd, index: u32, frame: &[u8]) {
    // SAFETY: all-zero is a valid sockaddr_ll.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_ifindex = index as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: frame and address live through the call, and their lengths are right. A failure is a
    // question that was not heard.
    unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            length,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{checksum_holds, decode};

    #[test]
    fn questions_are_read_as_such_and_only_answers_count() {
        let v4: IpAddr = "10.9.0.50".parse().unwrap();
        let (to, _, frame) = decode(&question(v4)).unwrap();
        assert!(to == Mac::BROADCAST && matches!(frame, Frame::Arp { operation: 1, .. }));
        let v6: IpAddr = "2001:db8:9::50".parse().unwrap();
        let bytes = question(v6);
        assert!(checksum_holds(&bytes));
        let (_, _, frame) = decode(&bytes).unwrap();
        assert!(matches!(frame, Frame::Solicitation { target, .. } if IpAddr::V6(target) == v6));
        let (mac, own) = (Mac([2, 0, 0, 9, 1, 2]), "10.9.0.50".parse().unwrap());
        let arp = |target_ip| Frame::Arp {
            operation: 2,
            sender_mac: mac,
            sender_ip: own,
            target_mac: mac,
            target_ip,
        };
        assert!(answers(&arp("10.9.0.100".parse().unwrap()), v4) && !answers(&arp(own), v4));
        assert_eq!(node_of(mac).as_deref(), Some("node2"));
    }
}
