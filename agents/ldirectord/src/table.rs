//! The kernel's table of virtual services: what should be in it, what is, and what a stop puts
//! back. Pure.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;

use crate::ipvs::Attribute;

/// What makes a virtual service this one and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// Where clients connect to.
    Place {
        /// The number of TCP or UDP.
        protocol: u8,
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// A mark that the firewall sets.
    Mark {
        /// Whether it is for IPv6.
        six: bool,
        /// The mark.
        mark: u32,
    },
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place { protocol, address, port } => {
                let name = match protocol {
                    6 => "tcp",
                    17 => "udp",
                    _ => "protocol",
                };
                write!(f, "{name} {}", std::net::SocketAddr::new(*address, *port))
            }
            Self::Mark { six, mark } => {
                write!(f, "mark {mark}{}", if *six { " of IPv6" } else { "" })
            }
        }
    }
}

impl Id {
    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ')?;
        if kind == "mark" {
            let (mark, six) =
                rest.strip_suffix(" of IPv6").map_or((rest, false), |mark| (mark, true));
            return Some(Self::Mark { six, mark: mark.parse().ok()? });
        }
        let protocol = match kind {
            "tcp" => 6,
            "udp" => 17,
            _ => return None,
        };
        let place: std::net::SocketAddr = rest.parse().ok()?;
        Some(Self::Place { protocol, address: place.ip(), port: place.port() })
    }
}

/// A virtual service of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub id: Id,
    /// It stays in the table when the daemon ends (`cleanstop=no`).
    pub kept: bool,
    /// It never has a real server (`checktype=off`).
    pub off: bool,
}

/// A virtual service that the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which.
    pub id: Id,
    /// Its attributes, as the kernel takes them.
    pub attributes: Vec<Attribute>,
    /// Where it sends clients.
    pub servers: Vec<Server>,
}

/// A real server of a virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// New connections go to those with more than 0.
    pub weight: u32,
    /// Its attributes, as the kernel takes them.
    pub attributes: Vec<Attribute>,
}

/// What is wrong with a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// Virtual services that are not there.
    pub services: Vec<Id>,
    /// Virtual services without a destination for clients, with the number of servers that they
    /// have.
    pub servers: Vec<(Id, usize)>,
}

/// Compares a table with what should be in it.
#[must_use]
pub fn judge(wanted: &[Wanted], table: &[Service]) -> Lacks {
    let mut lacks = Lacks::default();
    for wanted in wanted {
        match table.iter().find(|service| service.id == wanted.id) {
            None => lacks.services.push(wanted.id),
            Some(service)
                if !wanted.off && service.servers.iter().all(|server| server.weight == 0) =>
            {
                lacks.servers.push((wanted.id, service.servers.len()));
            }
            Some(_) => {}
        }
    }
    lacks
}

impl Lacks {
    /// The virtual services that are not there, for people.
    pub fn services_text(&self) -> String {
        let all: Vec<String> = self.services.iter().map(Id::to_string).collect();
        format!("the kernel's table has no virtual service {}", all.join(", "))
    }

    /// The virtual services without a server, for people.
    pub fn servers_text(&self) -> String {
        let one = |(id, count): &(Id, usize)| match count {
            0 => format!("{id} has no real server"),
            1 => format!("{id} has a real server of weight 0 only"),
            count => format!("{id} has {count} real servers of weight 0 only"),
        };
        self.servers.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The virtual services that are ours alone and send clients somewhere.
#[must_use]
pub fn serving(ours: &[Wanted], before: &[Service], table: &[Service]) -> Vec<Service> {
    let is_ours = |service: &&Service| {
        let wanted = ours.iter().any(|wanted| wanted.id == service.id && !wanted.kept);
        wanted && before.iter().all(|before| before.id != service.id)
    };
    let serves = |service: &&Service| service.servers.iter().any(|server| server.weight > 0);
    table.iter().filter(is_ours).filter(serves).cloned().collect()
}

/// A change of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Away with it, servers and all.
    Delete(Id),
    /// In with it, servers and all.
    Add(&'a Service),
}

/// Whether the daemon has read a new configuration: the services that are new are there, and those
/// that it has no more are gone.
#[must_use]
pub fn is_renewed(old: &[Wanted], new: &[Wanted], now: &[Service]) -> bool {
    let has = |all: &[Wanted], id: Id| all.iter().any(|wanted| wanted.id == id);
    let mut dropped = old.iter().filter(|wanted| !wanted.kept && !has(new, wanted.id));
    judge(new, now).services.is_empty()
        && dropped.all(|wanted| now.iter().all(|service| service.id != wanted.id))
}

/// What makes the table again as it was before a start: of the services of the configuration, those
/// that were there get back what they had, and the others go. Services of unknown owners stay, and
/// so do those that are to be kept.
#[must_use]
pub fn restore<'a>(ours: &[Wanted], before: &'a [Service], now: &[Service]) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for wanted in ours.iter().filter(|wanted| !wanted.kept) {
        let old = before.iter().find(|service| service.id == wanted.id);
        let new = now.iter().find(|service| service.id == wanted.id);
        if old == new {
            continue;
        }
        if new.is_some() {
            changes.push(Change::Delete(wanted.id));
        }
        if let Some(old) = old {
            changes.push(Change::Add(old));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(port: u16) -> Id {
        Id::Place { protocol: 6, address: "10.240.0.1".parse().unwrap(), port }
    }

    fn wanted(port: u16) -> Wanted {
        Wanted { id: id(port), kept: false, off: false }
    }

    fn service(port: u16, weights: &[u32]) -> Service {
        let servers = weights
            .iter()
            .map(|weight| Server { weight: *weight, attributes: Vec::new() })
            .collect();
        Service { id: id(port), attributes: Vec::new(), servers }
    }

    #[test]
    fn a_configuration_is_read_when_new_services_are_there_and_old_ones_gone() {
        let kept = Wanted { kept: true, ..wanted(82) };
        for (old, new, now, expected) in [
            (vec![wanted(80)], vec![wanted(80), wanted(81)], vec![80], false),
            (vec![wanted(80)], vec![wanted(80), wanted(81)], vec![80, 81], true),
            (vec![wanted(80), wanted(81)], vec![wanted(80)], vec![80, 81], false),
            (vec![wanted(80), wanted(81)], vec![wanted(80)], vec![80], true),
            (vec![wanted(80), kept], vec![wanted(80)], vec![80, 82], true),
        ] {
            let now: Vec<_> = now.into_iter().map(|port| service(port, &[1])).collect();
            assert_eq!(is_renewed(&old, &new, &now), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn names_of_services_are_read_as_they_are_written() {
        let six = Id::Place { protocol: 17, address: "2001:db8::1".parse().unwrap(), port: 53 };
        for (id, text) in [
            (id(80), "tcp 10.240.0.1:80"),
            (six, "udp [2001:db8::1]:53"),
            (Id::Mark { six: false, mark: 7 }, "mark 7"),
            (Id::Mark { six: true, mark: 7 }, "mark 7 of IPv6"),
        ] {
            assert_eq!(id.to_string(), text);
            assert_eq!(Id::parse(text), Some(id));
        }
        for bad in ["", "tcp", "sctp 10.0.0.1:80", "tcp 10.0.0.1", "mark x"] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_service_needs_a_server_with_weight() {
        let table =
            [service(80, &[0, 1]), service(81, &[0, 0]), service(82, &[]), service(99, &[])];
        assert_eq!(judge(&[wanted(80)], &table), Lacks::default());
        let lacks = judge(&[wanted(80), wanted(81), wanted(82), wanted(83)], &table);
        assert_eq!(lacks.services, [id(83)]);
        assert_eq!(lacks.servers, [(id(81), 2), (id(82), 0)]);
        assert!(lacks.services_text().ends_with("tcp 10.240.0.1:83"));
        assert!(
            lacks.servers_text().contains(":81 has 2 real servers of weight 0 only, "),
            "{}",
            lacks.servers_text()
        );
        let off = Wanted { off: true, ..wanted(82) };
        assert_eq!(judge(&[off], &table), Lacks::default(), "checktype=off puts none in");
    }

    #[test]
    fn what_serves_is_ours_and_has_weight() {
        let table = [
            service(80, &[0, 1]),
            service(81, &[0]),
            service(82, &[1]),
            service(83, &[1]),
            service(99, &[1]),
        ];
        let kept = Wanted { kept: true, ..wanted(82) };
        let ours = [wanted(80), wanted(81), kept, wanted(83)];
        assert_eq!(serving(&ours, &[service(83, &[5])], &table), [service(80, &[0, 1])]);
    }

    #[test]
    fn ld_04_only_what_the_start_added_goes() {
        let (foreign, old, new) = (service(99, &[1]), service(80, &[5]), service(80, &[1, 1]));
        // Not there before.
        assert_eq!(
            restore(&[wanted(80)], &[], &[foreign.clone(), new.clone()]),
            [Change::Delete(id(80))]
        );
        // There before, and changed since.
        let before = [old.clone()];
        assert_eq!(
            restore(&[wanted(80)], &before, &[new]),
            [Change::Delete(id(80)), Change::Add(&old)]
        );
        // The daemon has taken it away.
        assert_eq!(restore(&[wanted(80)], &before, &[]), [Change::Add(&old)]);
        // As it was.
        assert_eq!(restore(&[wanted(80)], &before, std::slice::from_ref(&old)), []);
        assert_eq!(restore(&[wanted(80)], &[], &[foreign]), []);
        let kept = Wanted { kept: true, ..wanted(80) };
        assert_eq!(restore(&[kept], &[], &[old]), []);
    }
}
