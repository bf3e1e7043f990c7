//! Messages of the kernel's IPVS, and their meaning (include/uapi/linux/ip_vs.h). Pure.
//!
//! Attributes are kept as the kernel gave them, so that what is put back is what was there,
//! whatever else it has by then.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{
    DecodeError, Emitable, Nla, NlaBuffer, NlasIterator, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader};
use nix::libc::{AF_INET, AF_INET6};

use crate::table::{Id, Server, Service};

/// The commands in use.
pub mod command {
    /// Adds a virtual service.
    pub const NEW_SERVICE: u8 = 1;
    /// Takes one away with its servers.
    pub const DEL_SERVICE: u8 = 3;
    /// Asks for all virtual services.
    pub const GET_SERVICE: u8 = 4;
    /// Adds a real server.
    pub const NEW_DEST: u8 = 5;
    /// Asks for all real servers of a virtual service.
    pub const GET_DEST: u8 = 8;
}

/// The outermost attributes.
const SERVICE: u16 = 1;
const DEST: u16 = 2;

/// Attributes of a virtual service.
mod svc {
    pub const AF: u16 = 1;
    pub const PROTOCOL: u16 = 2;
    pub const ADDR: u16 = 3;
    pub const PORT: u16 = 4;
    pub const FWMARK: u16 = 5;
    pub const SCHEDULER: u16 = 6;
    pub const FLAGS: u16 = 7;
    pub const TIMEOUT: u16 = 8;
    pub const NETMASK: u16 = 9;
    pub const STATS: u16 = 10;
    pub const STATS64: u16 = 12;
}

/// Attributes of a real server.
mod dest {
    pub const WEIGHT: u16 = 4;
    /// Counters, which are nothing to put back.
    pub const COUNTERS: [u16; 5] = [7, 8, 9, 10, 12];
}

/// The kernel's own mark that it has put the service into its table; it adds none that has it.
const HASHED: u32 = 0x0002;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its number.
    pub kind: u16,
    /// Its content.
    pub value: Vec<u8>,
}

impl Nla for Attribute {
    fn value_len(&self) -> usize {
        self.value.len()
    }

    fn kind(&self) -> u16 {
        self.kind
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.value);
    }
}

/// A request or an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about.
    pub command: u8,
    /// The outermost attributes.
    pub attributes: Vec<Attribute>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        "IPVS"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self { command: header.cmd, attributes: attributes(bytes)? })
    }
}

/// The attributes in a row of bytes.
fn attributes(bytes: &[u8]) -> Result<Vec<Attribute>, DecodeError> {
    let own = |nla: NlaBuffer<&[u8]>| Attribute { kind: nla.kind(), value: nla.value().to_vec() };
    NlasIterator::new(bytes).map(|nla| nla.map(own)).collect()
}

fn nested(kind: u16, inner: &[Attribute]) -> Attribute {
    let mut value = vec![0; inner.buffer_len()];
    inner.emit(&mut value);
    Attribute { kind, value }
}

impl Message {
    /// Asks for all virtual services.
    pub fn services() -> Self {
        Self { command: command::GET_SERVICE, attributes: Vec::new() }
    }

    /// Asks for the real servers of one.
    pub fn servers(id: &Id) -> Self {
        Self { command: command::GET_DEST, attributes: vec![nested(SERVICE, &name(id))] }
    }

    /// Takes a virtual service away.
    pub fn delete(id: &Id) -> Self {
        Self { command: command::DEL_SERVICE, attributes: vec![nested(SERVICE, &name(id))] }
    }

    /// Adds a virtual service and its servers: one message each.
    pub fn add(service: &Service) -> Vec<Self> {
        let own = nested(SERVICE, &service.attributes);
        let first = Self { command: command::NEW_SERVICE, attributes: vec![own] };
        let to = nested(SERVICE, &name(&service.id));
        let server = |server: &Server| Self {
            command: command::NEW_DEST,
            attributes: vec![to.clone(), nested(DEST, &server.attributes)],
        };
        std::iter::once(first).chain(service.servers.iter().map(server)).collect()
    }

    /// Adds a virtual service without servers, which has this scheduler.
    pub fn with_scheduler(id: &Id, scheduler: &str) -> Self {
        let number = |kind, value: u32| Attribute { kind, value: value.to_ne_bytes().to_vec() };
        let mut own = name(id);
        own.extend([
            Attribute { kind: svc::SCHEDULER, value: [scheduler.as_bytes(), &[0]].concat() },
            // No flag is set.
            Attribute { kind: svc::FLAGS, value: vec![0; 8] },
            number(svc::TIMEOUT, 0),
            number(svc::NETMASK, u32::MAX),
        ]);
        Self { command: command::NEW_SERVICE, attributes: vec![nested(SERVICE, &own)] }
    }

    /// The virtual service of an answer, without its servers.
    pub fn service(&self) -> Option<Service> {
        let inner = attributes(&self.inside(SERVICE)?.value).ok()?;
        let id = id(&inner)?;
        let counted = |kind: u16| matches!(kind, svc::STATS | svc::STATS64);
        let attributes =
            inner.into_iter().filter(|attribute| !counted(attribute.kind)).map(settable).collect();
        Some(Service { id, attributes, servers: Vec::new() })
    }

    /// The real server of an answer.
    pub fn server(&self) -> Option<Server> {
        let mut attributes = attributes(&self.inside(DEST)?.value).ok()?;
        attributes.retain(|attribute| !dest::COUNTERS.contains(&attribute.kind));
        Some(Server { weight: number(&attributes, dest::WEIGHT)?, attributes })
    }

    fn inside(&self, kind: u16) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.kind == kind)
    }
}

impl Service {
    /// What chooses a real server for a client.
    pub fn scheduler(&self) -> Option<&str> {
        let bytes = value(&self.attributes, svc::SCHEDULER)?;
        str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()
    }
}

/// The flags are a pair of value and mask; what the kernel sets itself is left out.
fn settable(mut attribute: Attribute) -> Attribute {
    if attribute.kind == svc::FLAGS
        && let Some(flags) =
            attribute.value.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
    {
        attribute.value[..4].copy_from_slice(&(flags & !HASHED).to_ne_bytes());
    }
    attribute
}

/// What the kernel knows a virtual service by.
fn name(id: &Id) -> Vec<Attribute> {
    let number = |kind, value: u16| Attribute { kind, value: value.to_ne_bytes().to_vec() };
    match id {
        Id::Mark { six, mark } => vec![
            number(svc::AF, if *six { AF_INET6 } else { AF_INET } as u16),
            Attribute { kind: svc::FWMARK, value: mark.to_ne_bytes().to_vec() },
        ],
        Id::Place { protocol, address, port } => {
            let (family, mut bytes) = match address {
                IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
                IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
            };
            bytes.resize(16, 0);
            vec![
                number(svc::AF, family as u16),
                number(svc::PROTOCOL, u16::from(*protocol)),
                Attribute { kind: svc::ADDR, value: bytes },
                Attribute { kind: svc::PORT, value: port.to_be_bytes().to_vec() },
            ]
        }
    }
}

/// Reads what [`name`] makes.
fn id(attributes: &[Attribute]) -> Option<Id> {
    let six = match i32::from(short(attributes, svc::AF)?) {
        AF_INET => false,
        AF_INET6 => true,
        _ => return None,
    };
    if let Some(mark) = number(attributes, svc::FWMARK) {
        return Some(Id::Mark { six, mark });
    }
    let bytes = value(attributes, svc::ADDR)?;
    let address = match six {
        false => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
        true => IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?)),
    };
    let port = u16::from_be_bytes(*value(attributes, svc::PORT)?.first_chunk()?);
    Some(Id::Place { protocol: short(attributes, svc::PROTOCOL)?.try_into().ok()?, address, port })
}

fn value(attributes: &[Attribute], kind: u16) -> Option<&[u8]> {
    attributes
        .iter()
        .find(|attribute| attribute.kind == kind)
        .map(|attribute| attribute.value.as_slice())
}

fn short(attributes: &[Attribute], kind: u16) -> Option<u16> {
    value(attributes, kind)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn number(attributes: &[Attribute], kind: u16) -> Option<u32> {
    value(attributes, kind)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_the_name_that_it_is_asked_for() {
        for text in ["tcp 10.0.0.1:80", "udp [2001:db8::1]:53", "mark 7", "mark 9 of IPv6"] {
            let wanted = Id::parse(text).unwrap();
            assert_eq!(id(&name(&wanted)), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_put_back_has_no_counters_and_no_mark_of_the_kernel() {
        let mut own = name(&Id::parse("tcp 10.0.0.1:80").unwrap());
        let flags = |flags: u32| [flags.to_ne_bytes(), u32::MAX.to_ne_bytes()].concat();
        own.push(Attribute { kind: svc::FLAGS, value: flags(HASHED | 1) });
        own.push(Attribute { kind: svc::STATS, value: vec![0; 8] });
        let answer = Message { command: 1, attributes: vec![nested(SERVICE, &own)] };
        let service = answer.service().unwrap();
        assert_eq!(service.id.to_string(), "tcp 10.0.0.1:80");
        assert_eq!(value(&service.attributes, svc::FLAGS), Some(flags(1).as_slice()));
        assert_eq!(value(&service.attributes, svc::STATS), None);
        let server = [(dest::WEIGHT, 3_u32), (7, 99)]
            .map(|(kind, n)| Attribute { kind, value: n.to_ne_bytes().to_vec() });
        let answer = Message { command: 5, attributes: vec![nested(DEST, &server)] };
        let server = answer.server().unwrap();
        assert_eq!((server.weight, server.attributes.len()), (3, 1));
    }

    #[test]
    fn nonsense_is_no_service() {
        for bytes in [&[][..], &[0; 3], &[255; 40], &[4, 0, 1, 0]] {
            let message = Message {
                command: 1,
                attributes: vec![Attribute { kind: SERVICE, value: bytes.to_vec() }],
            };
            assert_eq!(message.service(), None);
            assert_eq!(message.server(), None);
        }
    }
}
