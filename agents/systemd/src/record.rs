//! The unit that this resource has started, kept in a file of its own: a stop may come without
//! parameters, or with new ones.
//!
//! Pacemaker stops a resource that was renamed or removed with the parameters of its last start.
//! After a probe of it (a refresh, a new executor) it does not know them any more.
#![forbid(unsafe_code)]

use ocf::prelude::*;
use ocf::state::Pairs;

use crate::name::{self, UnitName};
use crate::settings::Identity;

/// What finds the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The unit.
    unit: UnitName,
    /// Where systemd was found.
    bus_address: Option<String>,
}

impl Record {
    /// What is to be known of a unit that is started.
    pub fn of(identity: &Identity) -> Self {
        Self { unit: identity.unit.clone(), bus_address: identity.bus_address.clone() }
    }
}

/// The unit that this resource has started, whatever its parameters are now.
pub fn started(context: &Context<'_>) -> Option<Identity> {
    let Record { unit, bus_address } = Record::load(context.invocation)?;
    Identity::with(&context.invocation.values, unit, bus_address)
}

impl StateFile for Record {
    const AGENT: &'static str = "systemd";

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("unit", self.unit.to_string())];
        pairs.extend(self.bus_address.iter().map(|address| ("bus_address", address.clone())));
        pairs
    }

    fn from_pairs(pairs: Pairs) -> Option<Self> {
        let mut unit = None;
        let mut bus_address = None;
        for (key, value) in pairs {
            match key.as_str() {
                "unit" => unit = Some(name::resolve(&value, None).ok()?),
                "bus_address" => bus_address = Some(value),
                _ => return None,
            }
        }
        Some(Self { unit: unit?, bus_address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Option<Record> {
        let owned = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Record::from_pairs(owned.collect())
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for (unit, bus_address) in
            [("web.service", None), ("srv-a\\x20b.mount", Some("unix:path=/run/x"))]
        {
            let unit = name::resolve(unit, None).unwrap();
            let record = Record { unit, bus_address: bus_address.map(str::to_owned) };
            let pairs = record.to_pairs();
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, value.as_str())).collect();
            assert_eq!(read(&pairs), Some(record));
        }
    }

    #[test]
    fn anything_else_is_no_record() {
        for bad in [&[][..], &[("unit", "../x.service")], &[("unit", "a.service"), ("x", "y")]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
