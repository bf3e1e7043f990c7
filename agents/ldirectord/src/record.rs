//! What this resource was started with, and what the kernel's table had before, kept in a file of
//! its own.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::prelude::*;
use ocf::state::{self, Pairs};

use crate::check::Described;
use crate::ipvs::Attribute;
use crate::settings::{Identity, Settings};
use crate::table::{Id, Server, Service, Wanted};

/// What a running instance was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The parameters at the time.
    pub identity: Identity,
    /// The configurations whose daemons belong to it: its own, and those that it executes.
    pub confs: Vec<PathBuf>,
    /// The virtual services of these.
    pub wanted: Vec<Wanted>,
    /// The virtual services that a reload may have added, until it is known to have been done.
    pub pending: Vec<Wanted>,
    /// What the kernel's table had before.
    pub before: Vec<Service>,
    /// The parameter `config_serial` when the daemon last read its configuration.
    pub serial: Option<String>,
    /// Whether the daemon reads its file again when that changes, and may have more by now.
    pub autoreload: bool,
}

impl StateFile for Record {
    const AGENT: &'static str = "ldirectord";

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        let mut add = |key, value: &dyn ToString| pairs.push((key, value.to_string()));
        add("configfile", &self.identity.configfile.to_string_lossy());
        add("program", &self.identity.program.to_string_lossy());
        self.confs.iter().for_each(|conf| add("conf", &conf.to_string_lossy()));
        self.serial.iter().for_each(|serial| add("serial", serial));
        if self.autoreload {
            add("autoreload", &"yes");
        }
        for wanted in &self.wanted {
            let key = match (wanted.kept, wanted.off) {
                (false, false) => "virtual",
                (true, false) => "virtual-kept",
                (false, true) => "virtual-off",
                (true, true) => "virtual-kept-off",
            };
            add(key, &wanted.id);
        }
        for wanted in &self.pending {
            add(if wanted.kept { "pending-kept" } else { "pending" }, &wanted.id);
        }
        for service in &self.before {
            add("before", &service.id);
            add("service", &hex(&service.attributes));
            service.servers.iter().for_each(|server| {
                add("server", &format!("{} {}", server.weight, hex(&server.attributes)))
            });
        }
        pairs
    }

    fn from_pairs(pairs: Pairs) -> Option<Self> {
        let mut record = Record::default();
        for (key, value) in pairs {
            match key.as_str() {
                "configfile" => record.identity.configfile = value.into(),
                "program" => record.identity.program = value.into(),
                "conf" => record.confs.push(value.into()),
                "serial" => record.serial = Some(value),
                "autoreload" => record.autoreload = value == "yes",
                "before" => {
                    record.before.push(Service {
                        id: Id::parse(&value)?,
                        attributes: Vec::new(),
                        servers: Vec::new(),
                    });
                }
                "service" => record.before.last_mut()?.attributes = unhex(&value)?,
                "server" => {
                    let (weight, attributes) = value.split_once(' ')?;
                    let server =
                        Server { weight: weight.parse().ok()?, attributes: unhex(attributes)? };
                    record.before.last_mut()?.servers.push(server);
                }
                "pending" | "pending-kept" => {
                    let (id, kept) = (Id::parse(&value)?, key != "pending");
                    record.pending.push(Wanted { id, kept, off: false });
                }
                _ => {
                    let flags = key.strip_prefix("virtual")?;
                    let (kept, off) = match flags {
                        "" => (false, false),
                        "-kept" => (true, false),
                        "-off" => (false, true),
                        "-kept-off" => (true, true),
                        _ => return None,
                    };
                    record.wanted.push(Wanted { id: Id::parse(&value)?, kept, off });
                }
            }
        }
        (!record.confs.is_empty()).then_some(record)
    }
}

/// The kind of the file with what a daemon that died has left in the table; it is what a record has
/// as `before`.
pub const LEFT: &str = "left";

impl Record {
    /// What a daemon has that reads its configuration now, in a table that had nothing before.
    pub fn of(settings: &Settings, described: &Described) -> Self {
        Self {
            identity: settings.identity.clone(),
            confs: described.confs.clone(),
            wanted: described.wanted.clone(),
            pending: Vec::new(),
            before: Vec::new(),
            serial: settings.config_serial.clone(),
            autoreload: described.autoreload,
        }
    }

    /// A daemon of which nothing is known but its parameters.
    pub fn unknown(identity: &Identity) -> Self {
        let confs = vec![identity.configfile.clone()];
        Self { identity: identity.clone(), confs, ..Self::default() }
    }

    /// Reads what a daemon has left.
    pub fn load_left(invocation: &Invocation) -> Option<Self> {
        Self::from_pairs(state::read(&Self::path(invocation, LEFT))?)
    }

    /// Writes what a daemon has left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_left(&self, invocation: &Invocation) -> Result<(), Failure> {
        state::write(&Self::path(invocation, LEFT), &self.to_pairs())
    }
}

/// Attributes as `kind:hex kind:hex`.
fn hex(attributes: &[Attribute]) -> String {
    let one = |attribute: &Attribute| {
        let digits: String = attribute.value.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{digits}", attribute.kind)
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

pub(crate) fn unhex(text: &str) -> Option<Vec<Attribute>> {
    let bytes = |digits: &str| -> Option<Vec<u8>> {
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    };
    let one = |word: &str| {
        let (kind, digits) = word.split_once(':')?;
        Some(Attribute { kind: kind.parse().ok()?, value: bytes(digits)? })
    };
    text.split_whitespace().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let attribute = |kind, value: &[u8]| Attribute { kind, value: value.to_vec() };
        let id = Id::parse("tcp 10.0.0.1:80").unwrap();
        let servers = vec![Server { weight: 3, attributes: vec![attribute(4, &[3, 0, 0, 0])] }];
        let full = Record {
            identity: Identity {
                configfile: "/e/a b=c.cf".into(),
                program: "/usr/sbin/ldirectord".into(),
            },
            confs: vec!["/e/a b=c.cf".into(), "/e/two.cf".into()],
            wanted: [(false, false), (true, false), (false, true), (true, true)]
                .map(|(kept, off)| Wanted { id, kept, off })
                .to_vec(),
            pending: [false, true].map(|kept| Wanted { id, kept, off: false }).to_vec(),
            before: vec![Service {
                id,
                attributes: vec![attribute(1, &[2, 0]), attribute(6, b"rr\0")],
                servers,
            }],
            serial: Some("2026-11-29".into()),
            autoreload: true,
        };
        let least = Record { confs: vec!["/x".into()], ..Record::default() };
        for record in [full, least] {
            let read =
                record.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(Record::from_pairs(read), Some(record.clone()), "{record:?}");
        }
    }

    #[test]
    fn anything_else_is_no_record() {
        let read = |pairs: &[(&str, &str)]| {
            Record::from_pairs(
                pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            )
        };
        for bad in
            [&[][..], &[("conf", "/x"), ("server", "1 1:00")], &[("conf", "/x"), ("virtual", "x")]]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert!(read(&[("conf", "/x")]).is_some());
    }
}
