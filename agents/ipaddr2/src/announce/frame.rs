//! Builds and reads ARP packets and neighbour advertisements. Pure: bytes in, bytes out.
#![forbid(unsafe_code)]

use std::net::{Ipv4Addr, Ipv6Addr};

use pnet_packet::Packet;
use pnet_packet::arp::{ArpHardwareType, ArpOperations, ArpPacket, MutableArpPacket};
use pnet_packet::ethernet::EtherTypes;
use pnet_packet::icmpv6::ndp::{
    MutableNeighborAdvertPacket, NdpOption, NdpOptionTypes, NeighborAdvertFlags,
    NeighborAdvertPacket,
};
use pnet_packet::icmpv6::{Icmpv6Code, Icmpv6Types};

/// Fixed part of an ARP packet, before the addresses.
const ARP_HEADER: usize = 8;
/// Up to where pnet reads: the length for Ethernet and IPv4.
const ARP_ETHERNET: usize = 28;

/// What an ARP packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// "Who has …?"
    Request,
    /// "… is at …"
    Reply,
}

/// An ARP packet, with addresses of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arp {
    /// The hardware type (`ARPHRD_*`).
    pub kind: u16,
    /// Request or reply.
    pub operation: Operation,
    /// The sender's link-layer address.
    pub sender_hw: Vec<u8>,
    /// The sender's address.
    pub sender_ip: Ipv4Addr,
    /// The target's link-layer address; zeros in a request for it.
    pub target_hw: Vec<u8>,
    /// The target's address.
    pub target_ip: Ipv4Addr,
}

impl Arp {
    /// The announcement that "`ip` is at `hw`" (RFC 5227, section 3): sender and target are the
    /// same address.
    ///
    /// A reply carries our own link-layer address as the target's, too. Linux neighbours believe a
    /// reply within a second of their last change only in this form (`arp_is_garp`,
    /// net/ipv4/arp.c).
    #[must_use]
    pub fn announcement(kind: u16, hw: &[u8], ip: Ipv4Addr, operation: Operation) -> Self {
        let target_hw = match operation {
            Operation::Request => vec![0; hw.len()],
            Operation::Reply => hw.to_vec(),
        };
        Self { kind, operation, sender_hw: hw.to_vec(), sender_ip: ip, target_hw, target_ip: ip }
    }

    /// The probe for `ip`, which does not claim it (RFC 5227, section 2.1.1).
    #[must_use]
    pub fn probe(kind: u16, hw: &[u8], ip: Ipv4Addr) -> Self {
        Self {
            kind,
            operation: Operation::Request,
            sender_hw: hw.to_vec(),
            sender_ip: Ipv4Addr::UNSPECIFIED,
            target_hw: vec![0; hw.len()],
            target_ip: ip,
        }
    }

    /// A plain question from `ip` to a neighbour, which updates the neighbour's own entry for `ip`.
    #[must_use]
    pub fn question(kind: u16, hw: &[u8], ip: Ipv4Addr, neighbour: Ipv4Addr) -> Self {
        Self {
            kind,
            operation: Operation::Request,
            sender_hw: hw.to_vec(),
            sender_ip: ip,
            target_hw: vec![0; hw.len()],
            target_ip: neighbour,
        }
    }

    /// The packet's bytes (RFC 826), without a link-layer header.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let hw = self.sender_hw.len();
        let length = ARP_HEADER + 2 * (hw + 4);
        let mut bytes = vec![0; length.max(ARP_ETHERNET)];
        if let Some(mut header) = MutableArpPacket::new(&mut bytes) {
            header.set_hardware_type(ArpHardwareType(self.kind));
            header.set_protocol_type(EtherTypes::Ipv4);
            header.set_hw_addr_len(hw as u8);
            header.set_proto_addr_len(4);
            header.set_operation(match self.operation {
                Operation::Request => ArpOperations::Request,
                Operation::Reply => ArpOperations::Reply,
            });
        }
        // pnet's address fields are Ethernet's; these may be longer.
        let mut at = ARP_HEADER;
        for part in [
            &self.sender_hw[..],
            &self.sender_ip.octets(),
            &self.target_hw,
            &self.target_ip.octets(),
        ] {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        bytes.truncate(length);
        bytes
    }

    /// Reads a packet; `None` for anything that is not a whole ARP packet for IPv4.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let header = ArpPacket::new(bytes)?;
        let hw = usize::from(header.get_hw_addr_len());
        if header.get_protocol_type() != EtherTypes::Ipv4 || header.get_proto_addr_len() != 4 {
            return None;
        }
        let operation = match header.get_operation() {
            ArpOperations::Request => Operation::Request,
            ArpOperations::Reply => Operation::Reply,
            _ => return None,
        };
        let mut rest = bytes.get(ARP_HEADER..)?;
        let mut take = |length: usize| -> Option<Vec<u8>> {
            let (part, after) = rest.split_at_checked(length)?;
            rest = after;
            Some(part.to_vec())
        };
        let (sender_hw, sender_ip, target_hw, target_ip) =
            (take(hw)?, take(4)?, take(hw)?, take(4)?);
        let ip = |octets: Vec<u8>| <[u8; 4]>::try_from(octets).ok().map(Ipv4Addr::from);
        Some(Self {
            kind: header.get_hardware_type().0,
            operation,
            sender_hw,
            sender_ip: ip(sender_ip)?,
            target_hw,
            target_ip: ip(target_ip)?,
        })
    }
}

/// The announcement that "`ip` is at `hw`" for IPv6: an unsolicited neighbour advertisement (RFC
/// 4861, section 7.2.6).
///
/// Override, so that neighbours replace what they have; never Solicited, which makes them drop it
/// when it comes to the all-nodes address; Router exactly when this interface forwards, for without
/// it neighbours stop using us as a router. The checksum is left to the kernel, which fills it in
/// for raw ICMPv6 sockets (RFC 3542, section 3.1).
#[must_use]
pub fn advertisement(ip: Ipv6Addr, hw: &[u8], router: bool) -> Vec<u8> {
    // Type and length take two bytes of the option, which is counted in units of eight (RFC 4861,
    // section 4.6.1).
    let units = (hw.len() + 2).div_ceil(8);
    let mut address = hw.to_vec();
    address.resize(units * 8 - 2, 0);
    let mut bytes = vec![0; MutableNeighborAdvertPacket::minimum_packet_size() + units * 8];
    if let Some(mut packet) = MutableNeighborAdvertPacket::new(&mut bytes) {
        packet.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
        packet.set_icmpv6_code(Icmpv6Code(0));
        let router = if router { NeighborAdvertFlags::Router } else { 0 };
        packet.set_flags(NeighborAdvertFlags::Override | router);
        packet.set_target_addr(ip);
        packet.set_options(&[NdpOption {
            option_type: NdpOptionTypes::TargetLLAddr,
            length: units as u8,
            data: address,
        }]);
        return packet.packet().to_vec();
    }
    bytes
}

/// Where a neighbour hears who looks for `ip` (RFC 4291, section 2.7.1).
#[must_use]
pub fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = ip.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// The question of the neighbour with `hw` who has `ip` (RFC 4861, section 4.3).
#[must_use]
pub fn solicitation(ip: Ipv6Addr, hw: &[u8]) -> Vec<u8> {
    // The same layout as an advertisement, with another type, no flags, and the sender's address as
    // the option.
    let mut bytes = advertisement(ip, hw, false);
    bytes[0] = Icmpv6Types::NeighborSolicit.0;
    bytes[4] = 0;
    bytes[24] = NdpOptionTypes::SourceLLAddr.0;
    bytes
}

/// The link-layer address that an ICMPv6 packet says `ip` has; `None` for any other packet.
/// `length` is that of such an address on the interface.
#[must_use]
pub fn advertised(bytes: &[u8], ip: Ipv6Addr, length: usize) -> Option<Vec<u8>> {
    let packet = NeighborAdvertPacket::new(bytes)?;
    if packet.get_icmpv6_type() != Icmpv6Types::NeighborAdvert || packet.get_target_addr() != ip {
        return None;
    }
    // Not by pnet: its length of an option overflows for those of more than 255 bytes (RFC 4861,
    // section 4.6: up to 2040).
    let mut options = bytes.get(NeighborAdvertPacket::minimum_packet_size()..)?;
    loop {
        let (kind, units) = (*options.first()?, *options.get(1)?);
        // What has an option of no length is no packet (RFC 4861, section 4.6), and so is what ends
        // in one.
        let (option, rest) = options
            .split_at_checked(8 * usize::from(units))
            .filter(|(option, _)| !option.is_empty())?;
        if kind == NdpOptionTypes::TargetLLAddr.0 {
            return option.get(2..2 + length).map(<[u8]>::to_vec);
        }
        options = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 50);
    const HW: [u8; 6] = [2, 0, 0x5e, 0, 0x53, 1];

    #[test]
    fn an_ethernet_request_is_the_bytes_of_rfc_826() {
        let bytes = Arp::announcement(1, &HW, VIP, Operation::Request).to_bytes();
        let expected = [
            0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0x5e, 0, 0x53, 1, 10, 9, 0, 50, 0, 0, 0, 0, 0, 0, 10, 9,
            0, 50,
        ];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn ip_52_a_reply_names_our_own_address_as_the_target() {
        let reply = Arp::announcement(1, &HW, VIP, Operation::Reply);
        assert_eq!((&reply.target_hw, reply.target_ip), (&reply.sender_hw, VIP));
        assert_eq!(reply.to_bytes()[6..8], [0, 2]);
    }

    #[test]
    fn a_probe_claims_nothing() {
        assert_eq!(Arp::probe(1, &HW, VIP).sender_ip, Ipv4Addr::UNSPECIFIED);
    }

    #[test]
    fn ip_57_infiniband_addresses_have_twenty_bytes() {
        let hw: Vec<u8> = (1..=20).collect();
        let arp = Arp::announcement(32, &hw, VIP, Operation::Reply);
        let bytes = arp.to_bytes();
        assert_eq!(bytes.len(), 8 + 2 * 24);
        assert_eq!(bytes[..8], [0, 32, 8, 0, 20, 4, 0, 2]);
        assert_eq!(bytes[8..28], hw[..]);
        assert_eq!(bytes[28..32], [10, 9, 0, 50]);
        assert_eq!(Arp::parse(&bytes), Some(arp));
    }

    #[test]
    fn what_is_built_is_what_is_read_and_nonsense_is_nothing() {
        for operation in [Operation::Request, Operation::Reply] {
            let arp = Arp::announcement(1, &HW, VIP, operation);
            // Ethernet pads short frames.
            let mut padded = arp.to_bytes();
            padded.resize(46, 0);
            assert_eq!(Arp::parse(&padded), Some(arp));
        }
        let good = Arp::probe(1, &HW, VIP).to_bytes();
        for length in 0..good.len() {
            assert_eq!(Arp::parse(&good[..length]), None, "{length}");
        }
        for (at, value) in [(2, 0x86), (5, 16), (7, 9), (4, 200)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Arp::parse(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn ip_59_an_advertisement_overrides_is_never_solicited_and_tells_a_router() {
        let ip = "2001:db8:9::50".parse().unwrap();
        let plain = advertisement(ip, &HW, false);
        assert_eq!(plain.len(), 32);
        assert_eq!((plain[0], plain[1], plain[4]), (136, 0, 0x20));
        assert_eq!(plain[8..24], ip.octets());
        assert_eq!(plain[24..26], [2, 1]);
        assert_eq!(plain[26..32], HW);
        assert_eq!(advertisement(ip, &HW, true)[4], 0xa0);
    }

    #[test]
    fn a_long_link_layer_address_fills_whole_units() {
        let hw: Vec<u8> = (1..=20).collect();
        let bytes = advertisement("2001:db8::1".parse().unwrap(), &hw, false);
        assert_eq!(bytes.len(), 24 + 24);
        assert_eq!(bytes[24..26], [2, 3]);
        assert_eq!(bytes[26..46], hw[..]);
    }

    #[test]
    fn a_solicitation_asks_and_its_answer_names_the_owner() {
        let ip: Ipv6Addr = "2001:db8:9::12:3456".parse().unwrap();
        assert_eq!(solicited_node(ip), "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
        let question = solicitation(ip, &HW);
        assert_eq!((question[0], question[4], question[24]), (135, 0, 1));
        assert_eq!(advertised(&advertisement(ip, &HW, false), ip, 6), Some(HW.to_vec()));
        assert_eq!(advertised(&question, ip, 6), None);
        assert_eq!(
            advertised(&advertisement("2001:db8::1".parse().unwrap(), &HW, false), ip, 6),
            None
        );
        let answer = advertisement(ip, &HW, true);
        for length in 0..answer.len() {
            assert_eq!(advertised(&answer[..length], ip, 6), None, "{length}");
        }
    }

    /// Any neighbour may send them; a nonce or a redirected packet may stand first.
    #[test]
    fn ip_f15_options_of_every_length_are_passed_over() {
        let ip: Ipv6Addr = "2001:db8:9::50".parse().unwrap();
        let answer = advertisement(ip, &HW, false);
        let with = |kind: u8, units: u8| {
            let mut option = vec![0; 8 * usize::from(units).max(1)];
            (option[0], option[1]) = (kind, units);
            [&answer[..24], &option, &answer[24..]].concat()
        };
        for units in 1..=u8::MAX {
            assert_eq!(advertised(&with(14, units), ip, 6), Some(HW.to_vec()), "{units}");
        }
        assert_eq!(advertised(&with(14, 0), ip, 6), None);
        assert_eq!(advertised(&with(NdpOptionTypes::TargetLLAddr.0, 1)[..31], ip, 6), None);
    }
}
