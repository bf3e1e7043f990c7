//! The machine's names of hosts and services.
#![forbid(unsafe_code)]

use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

use ocf::glob::Files as _;
use ocf::sys::file::Disk;

use crate::config::Family;
use crate::config::resolve::Names;

/// The file of services, which the daemon's manual names.
const SERVICES: &str = "/etc/services";

/// Names of this machine.
pub struct System {
    services: String,
}

impl System {
    /// Reads what is needed for names of services.
    pub fn new() -> Self {
        Self { services: Disk.text(Path::new(SERVICES)).unwrap_or_default() }
    }
}

impl Names for System {
    fn address(&self, name: &str, family: Family) -> Option<IpAddr> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(address).filter(|address| address.is_ipv4() == (family == Family::V4));
        }
        let mut found = (name, 0).to_socket_addrs().ok()?.map(|address| address.ip());
        found.find(|address| address.is_ipv4() == (family == Family::V4))
    }

    fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        port(&self.services, name, protocol)
    }
}

/// Looks up a service (services(5)).
fn port(services: &str, name: &str, protocol: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (first, place) = (words.next()?, words.next()?);
        let (port, found) = place.split_once('/')?;
        let named = first == name || words.any(|alias| alias == name);
        if named && (protocol.is_empty() || protocol == found) { port.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_names_and_protocols() {
        let file = "# services\nhttp 80/tcp www # WorldWideWeb\ndomain\t53/tcp\ndomain\t53/udp\nsyslog 514/udp\n";
        for (name, protocol, expected) in [
            ("http", "tcp", Some(80)),
            ("www", "", Some(80)),
            ("http", "udp", None),
            ("domain", "udp", Some(53)),
            ("syslog", "", Some(514)),
            ("WorldWideWeb", "tcp", None),
            ("gopher", "tcp", None),
        ] {
            assert_eq!(port(file, name, protocol), expected, "{name} {protocol}");
        }
    }
}
