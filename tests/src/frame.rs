//! Reading the frames that announce an address. Written apart from the agents' own encoder, so that
//! one can judge the other.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Everybody.
    pub const BROADCAST: Mac = Mac([0xff; 6]);
}

impl std::fmt::Debug for Mac {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, out)
    }
}

impl std::fmt::Display for Mac {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl std::str::FromStr for Mac {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes: Vec<u8> =
            text.split(':').filter_map(|part| u8::from_str_radix(part, 16).ok()).collect();
        bytes.try_into().map(Mac).map_err(|_| format!("{text} is no Ethernet address"))
    }
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// ARP over Ethernet for IPv4.
    Arp {
        /// 1 request, 2 reply.
        operation: u16,
        /// Who says it.
        sender_mac: Mac,
        /// For which address.
        sender_ip: Ipv4Addr,
        /// To whom.
        target_mac: Mac,
        /// About which address.
        target_ip: Ipv4Addr,
    },
    /// Neighbour advertisement.
    Advertisement {
        /// The flags.
        router: bool,
        /// Answer to a solicitation.
        solicited: bool,
        /// Replaces what is known.
        override_: bool,
        /// The address that is advertised.
        target: Ipv6Addr,
        /// Target link-layer address option.
        target_mac: Option<Mac>,
        /// Hop limit; not 255 is not believed.
        hop_limit: u8,
        /// Source of the packet.
        source: Ipv6Addr,
        /// Destination of the packet.
        destination: Ipv6Addr,
    },
    /// Neighbour solicitation: a question, or duplicate address detection when the source is `::`.
    Solicitation {
        /// The requested address.
        target: Ipv6Addr,
        /// Source of the packet.
        source: Ipv6Addr,
    },
}

/// Reads an Ethernet frame: destination, source, and what it says, if it is of a kind that
/// announces addresses and its lengths and checksum are right.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(Mac, Mac, Frame)> {
    let destination = Mac(take(bytes, 0)?);
    let source = Mac(take(bytes, 6)?);
    let body = bytes.get(14..)?;
    let frame = match u16::from_be_bytes(take(bytes, 12)?) {
        0x0806 => arp(body)?,
        0x86dd => ndp(body)?,
        _ => return None,
    };
    Some((destination, source, frame))
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn arp(body: &[u8]) -> Option<Frame> {
    let header: [u8; 6] = take(body, 0)?;
    if header != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    Some(Frame::Arp {
        operation: u16::from_be_bytes(take(body, 6)?),
        sender_mac: Mac(take(body, 8)?),
        sender_ip: Ipv4Addr::from(take::<4>(body, 14)?),
        target_mac: Mac(take(body, 18)?),
        target_ip: Ipv4Addr::from(take::<4>(body, 24)?),
    })
}

fn ndp(body: &[u8]) -> Option<Frame> {
    let length = usize::from(u16::from_be_bytes(take(body, 4)?));
    let hop_limit = *body.get(7)?;
    if *body.get(6)? != 58 {
        return None;
    }
    let source_bytes: [u8; 16] = take(body, 8)?;
    let destination_bytes: [u8; 16] = take(body, 24)?;
    let (source, destination) = (Ipv6Addr::from(source_bytes), Ipv6Addr::from(destination_bytes));
    let message = body.get(40..40 + length)?;
    let kind = *message.first()?;
    // The kernel may leave the checksum of its own packets to the device; one that comes from a raw
    // frame must be whole.
    let target = Ipv6Addr::from(take::<16>(message, 8)?);
    match kind {
        135 => Some(Frame::Solicitation { target, source }),
        136 => {
            let flags = *message.get(4)?;
            Some(Frame::Advertisement {
                router: flags & 0x80 != 0,
                solicited: flags & 0x40 != 0,
                override_: flags & 0x20 != 0,
                target,
                target_mac: option(message.get(24..)?, 2),
                hop_limit,
                source,
                destination,
            })
        }
        _ => None,
    }
}

/// The link-layer address in the option of a kind.
fn option(mut options: &[u8], kind: u8) -> Option<Mac> {
    while let [this, units, ..] = options {
        let length = usize::from(*units) * 8;
        if length == 0 {
            return None;
        }
        if *this == kind {
            return take(options, 2).map(Mac);
        }
        options = options.get(length..)?;
    }
    None
}

/// Whether the checksum of the ICMPv6 message in an Ethernet frame is right.
#[must_use]
pub fn checksum_holds(bytes: &[u8]) -> bool {
    let Some(body) = bytes.get(14..) else { return false };
    let Some(length) = take::<2>(body, 4).map(u16::from_be_bytes) else { return false };
    let Some(message) = body.get(40..40 + usize::from(length)) else { return false };
    let words = |bytes: &[u8]| -> u32 {
        bytes
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
            .sum()
    };
    let mut sum = words(&body[8..40]) + u32::from(length) + 58 + words(message);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}
