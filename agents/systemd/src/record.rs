//! The unit that this resource has started, kept in a file of its own: a stop may come without
//! parameters, or with new ones.
//!
//! Pacemaker stops a resource that was renamed or removed with the parameters of its last start.
//! After a probe of it (a refresh, a new executor) it does not know them any more.
#![forbid(unsafe_code)]

use ocf::prelude::*;
use ocf::state::Pairs;

use crate::manager::Manager;
use crate::name::{self, UnitName};
use crate::settings::Identity;
use crate::state::{Unit, UnitState};

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

/// The unit that this resource has started with other parameters, where that is another one and it
/// does something.
///
/// # Errors
/// When systemd does not answer.
pub fn earlier(
    context: &Context<'_>,
    identity: &Identity,
) -> Result<Option<(Identity, Unit)>, Failure> {
    let Some(earlier) = started(context).filter(|earlier| earlier.unit != identity.unit) else {
        return Ok(None);
    };
    let unit = Manager::new(context, &earlier)?.look_at(&earlier.unit)?;
    // Two names may be of one unit.
    let is_other = Manager::new(context, identity)?.look_at(&identity.unit)?.id != unit.id;
    let is_down = matches!(unit.verdict(), UnitState::Stopped | UnitState::Failed);
    Ok((is_other && !is_down).then_some((earlier, unit)))
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
