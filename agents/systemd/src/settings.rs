//! A resource as configured: the values, typed.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::web::Rules;

use crate::name::{self, UnitName};
use crate::params::{self, HostPort, Reloading};

/// What must work besides the unit's processes.
pub struct Checks {
    /// A page, and what it must show.
    pub http: Option<(String, Option<Ere>)>,
    /// What holds for its answer.
    pub rules: Rules,
    /// A port.
    pub tcp: Option<HostPort>,
    /// A local socket.
    pub unix: Option<PathBuf>,
    /// A program.
    pub command: Option<Vec<String>>,
}

/// What finds the unit and what a stop of it needs. Defaults stand for what is faulty.
pub struct Identity {
    /// The unit.
    pub unit: UnitName,
    /// Where systemd is found.
    pub bus_address: Option<String>,
    /// What systemd does about jobs in the way.
    pub job_mode: String,
    /// Time for a stop.
    pub stop_timeout: Option<Duration>,
    /// Whether what does not end is killed.
    pub stop_force: bool,
    /// Whether the unit is adapted to the cluster.
    pub drop_in: bool,
}

impl Identity {
    /// As far as the values are good; `None` when no unit can have been started with them.
    pub fn of(values: &Values) -> Option<Self> {
        let instance = values.get(&params::INSTANCE);
        let unit = name::resolve(&values.get(&params::UNIT)?, instance.as_deref()).ok()?;
        Self::with(values, unit, values.get(&params::BUS_ADDRESS))
    }

    /// A unit, and what the values say of its stop.
    pub fn with(values: &Values, unit: UnitName, bus_address: Option<String>) -> Option<Self> {
        let defaults = Values::default();
        Some(Self {
            unit,
            bus_address,
            job_mode: values.get(&params::JOB_MODE).or_else(|| defaults.get(&params::JOB_MODE))?,
            stop_timeout: values.get(&params::STOP_TIMEOUT),
            stop_force: values.get(&params::STOP_FORCE).unwrap_or_default(),
            drop_in: values.get(&params::DROP_IN).unwrap_or(true),
        })
    }
}

/// A resource as configured.
pub struct Settings {
    /// What finds it.
    pub identity: Identity,
    /// Time for a start.
    pub start_timeout: Option<Duration>,
    /// How long a process must have lived.
    pub start_settle: Duration,
    /// What must work.
    pub checks: Checks,
    /// Other units that must be active.
    pub required: Vec<UnitName>,
    /// What a unit that reloads counts as.
    pub reloading: Reloading,
}

/// Types the parameters.
pub fn from_values(values: &Values, faults: &mut Faults) -> Option<Settings> {
    let unit = values.get(&params::UNIT)?;
    if let Err(why) = name::resolve(&unit, values.get(&params::INSTANCE).as_deref()) {
        faults.push(why);
    }
    let rules = Rules::read(values, faults);
    let page = values.get(&params::CHECK_HTTP);
    let pattern = values.get(&params::CHECK_MATCH);
    if page.is_none() && pattern.is_some() {
        faults.push("check_match has no meaning without check_http: set that, too");
    }
    Some(Settings {
        identity: Identity::of(values)?,
        start_timeout: values.get(&params::START_TIMEOUT),
        start_settle: values.get(&params::START_SETTLE)?,
        checks: Checks {
            http: page.map(|page| (page, pattern)),
            rules: rules?,
            tcp: values.get(&params::CHECK_TCP),
            unix: values.get(&params::CHECK_UNIX),
            command: values.get(&params::CHECK_COMMAND),
        },
        required: values.get(&params::REQUIRED_UNITS).unwrap_or_default(),
        reloading: values.get(&params::MONITOR_RELOAD_AS)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pairs: &[(&str, &str)]) -> String {
        let mut faults = Faults::default();
        let settings = from_values(&Values::from_pairs(pairs), &mut faults);
        assert!(settings.is_none() || !faults.is_empty());
        faults.into_failure().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn impossible_combinations_are_faults() {
        assert!(faults(&[("unit", "foo@")]).contains("set instance"));
        assert!(faults(&[("unit", "foo@a"), ("instance", "b")]).contains("unset instance"));
        assert!(faults(&[("unit", "foo"), ("check_match", "x")]).contains("check_http"));
    }

    #[test]
    fn a_stop_needs_the_unit_alone() {
        let values = Values::from_pairs(&[
            ("unit", "foo"),
            ("job_mode", "wild"),
            ("drop_in", "perhaps"),
            ("check_tcp", "x"),
        ]);
        let identity = Identity::of(&values).unwrap();
        assert_eq!(
            (identity.unit.as_str(), identity.job_mode.as_str(), identity.drop_in),
            ("foo.service", "replace", true)
        );
        assert!(Identity::of(&Values::from_pairs(&[("unit", "../x")])).is_none());
    }
}
