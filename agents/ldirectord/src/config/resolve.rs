//! From names to the services that the kernel must have.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::{Address, Config, Fallback, Family, Note, Protocol, Real};
use crate::table::{Id, Wanted};

/// Who knows names.
pub trait Names {
    /// The address of a host.
    fn address(&self, name: &str, family: Family) -> Option<IpAddr>;

    /// The port of a service, of any protocol where none is named.
    fn port(&self, name: &str, protocol: &str) -> Option<u16>;
}

/// The services of a configuration. Everything is looked up, for the daemon refuses what has no
/// address.
///
/// # Errors
/// What cannot be found, and what is there twice.
pub fn resolve(config: &Config, names: &dyn Names) -> Result<Vec<Wanted>, Vec<Note>> {
    let (wanted, faults) = look_up(config, names);
    if faults.is_empty() { Ok(wanted) } else { Err(faults) }
}

/// The services of a configuration whose addresses are known.
pub fn known(config: &Config, names: &dyn Names) -> Vec<Wanted> {
    look_up(config, names).0
}

fn look_up(config: &Config, names: &dyn Names) -> (Vec<Wanted>, Vec<Note>) {
    let mut lookup = Lookup { names, faults: Vec::new() };
    for (line, family, fallback) in &config.fallbacks {
        // The daemon wants it for both, whatever the services are.
        lookup.fallback(*line, *family, fallback, "tcp");
        if lookup.faults.is_empty() {
            lookup.fallback(*line, *family, fallback, "udp");
        }
    }
    let mut wanted: Vec<Wanted> = Vec::new();
    for section in &config.virtuals {
        if let Some((line, fallback)) = &section.fallback {
            lookup.fallback(*line, section.family, fallback, section.protocol.name());
        }
        let id = lookup.id(section.line, section.family, &section.address, section.protocol);
        section.reals.iter().for_each(|real| lookup.real(section.family, real));
        let Some(id) = id else { continue };
        if wanted.iter().any(|other| other.id == id) {
            lookup.fault(section.line, format!("{id} is there twice"));
        }
        let kept = !section.cleanstop.unwrap_or(config.cleanstop);
        wanted.push(Wanted { id, kept, off: section.off });
    }
    (wanted, lookup.faults)
}

struct Lookup<'a> {
    names: &'a dyn Names,
    faults: Vec<Note>,
}

impl Lookup<'_> {
    fn fault(&mut self, line: usize, text: String) {
        self.faults.push(Note { line, text });
    }

    fn address(&mut self, line: usize, host: &str, family: Family) -> Option<IpAddr> {
        let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let found = self.names.address(plain, family);
        if found.is_none() {
            let kind = if family == Family::V4 { "IPv4" } else { "IPv6" };
            self.fault(line, format!("{plain} has no {kind} address"));
        }
        found
    }

    fn port(&mut self, line: usize, port: &str, protocol: &str) -> Option<u16> {
        let found = match port.bytes().all(|byte| byte.is_ascii_digit()) {
            true => port.parse().ok(),
            false => self.names.port(port, protocol),
        };
        if found.is_none() {
            self.fault(
                line,
                format!("{port} is no port: no number up to 65535, and no name in /etc/services"),
            );
        }
        found
    }

    fn fallback(&mut self, line: usize, family: Family, fallback: &Fallback, protocol: &str) {
        self.address(line, &fallback.host, family);
        if let Some(port) = &fallback.port
            && self.port(line, port, protocol) == Some(0)
        {
            self.fault(line, "0 is no port of a fallback".to_owned());
        }
    }

    fn id(
        &mut self,
        line: usize,
        family: Family,
        address: &Address,
        protocol: Protocol,
    ) -> Option<Id> {
        let number = match protocol {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Mark => 0,
        };
        match address {
            Address::Mark(mark) => Some(Id::Mark { six: family == Family::V6, mark: *mark }),
            Address::Place(host, port) => {
                let address = self.address(line, host, family);
                let port = self.port(line, port, protocol.name());
                Some(Id::Place { protocol: number, address: address?, port: port? })
            }
        }
    }

    fn real(&mut self, family: Family, real: &Real) {
        let first = self.address(real.line, &real.first, family);
        self.port(real.line, &real.port, "");
        let Some(last) = &real.last else { return };
        match (first, self.address(real.line, last, family)) {
            (Some(IpAddr::V4(first)), Some(IpAddr::V4(last))) if first > last => {
                self.fault(real.line, format!("the range {first}->{last} goes backwards"));
            }
            (Some(IpAddr::V6(_)), _) => {
                self.fault(real.line, "there are no ranges of IPv6 addresses".to_owned())
            }
            _ => {}
        }
    }
}
