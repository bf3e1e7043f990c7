//! The machine's names of hosts and services.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::path::Path;

use ocf::glob::Files as _;
use ocf::sys::clock::Deadline;
use ocf::sys::file::Disk;
use ocf::sys::resolve::{Cause, ResolveError, resolve};

use crate::config::Family;
use crate::config::resolve::Names;

/// The file of services, which the daemon's manual names.
const SERVICES: &str = "/etc/services";

/// Names of this machine.
pub struct System {
    services: String,
    deadline: Option<Deadline>,
    unknown_now: RefCell<Option<ResolveError>>,
    all_found: Cell<bool>,
}

impl System {
    /// Reads what is needed for names of services. Hosts are looked up until the deadline, all
    /// together; without one they are not looked up, and only addresses are known.
    pub fn new(deadline: Option<Deadline>) -> Self {
        let services = Disk.text(Path::new(SERVICES)).unwrap_or_default();
        Self { services, deadline, unknown_now: RefCell::new(None), all_found: Cell::new(true) }
    }

    /// Whether each name of a host that was looked up has an address.
    pub fn found_all(&self) -> bool {
        self.all_found.get()
    }

    /// The first name of which it is not known now whether it has an address.
    pub fn unknown_now(self) -> Option<ResolveError> {
        self.unknown_now.into_inner()
    }
}

impl Names for System {
    fn address(&self, name: &str, family: Family) -> Option<IpAddr> {
        if let Ok(address) = name.parse::<IpAddr>() {
            return Some(address).filter(|address| address.is_ipv4() == (family == Family::V4));
        }
        match resolve(name, 0, self.deadline?) {
            Ok(found) => {
                found.iter().map(|at| at.ip()).find(|ip| ip.is_ipv4() == (family == Family::V4))
            }
            Err(error) => {
                // Numbers and dots are no name: no name server knows more about them.
                if name.contains(|letter: char| letter.is_ascii_alphabetic()) {
                    self.all_found.set(false);
                }
                if error.cause == Cause::NotNow {
                    self.unknown_now.borrow_mut().get_or_insert(error);
                }
                None
            }
        }
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
        let file = "# services\nhttp 80/tcp www # WorldWideWeb\ndomain\t53/tcp\ndomain\t53/udp\n\
                    syslog 514/udp\n";
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
