//! A resource as configured: the values, typed.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::web::Rules;

use crate::name::{self, UnitName};
use crate::params::{self, Place, Reloading};

/// What must work besides the unit's processes.
pub struct Checks {
    /// A page, and what it must show.
    pub http: Option<(String, Option<Ere>)>,
    /// What holds for its answer.
    pub rules: Rules,
    /// A port.
    pub tcp: Option<Place>,
    /// A local socket.
    pub unix: Option<PathBuf>,
    /// A program.
    pub command: Option<Vec<String>>,
}

/// A resource as configured.
pub struct Settings {
    /// The unit.
    pub unit: UnitName,
    /// What systemd does about jobs in the way.
    pub job_mode: String,
    /// Time for a start.
    pub start_timeout: Option<Duration>,
    /// Time for a stop.
    pub stop_timeout: Option<Duration>,
    /// Whether what does not end is killed.
    pub stop_force: bool,
    /// How long a process must have lived.
    pub start_settle: Duration,
    /// What must work.
    pub checks: Checks,
    /// Other units that must be active.
    pub required: Vec<UnitName>,
    /// What a unit that reloads counts as.
    pub reloading: Reloading,
    /// Whether the unit is adapted to the cluster.
    pub drop_in: bool,
    /// Where systemd is found.
    pub bus_address: Option<String>,
}

/// Types the parameters.
pub fn settle(values: &Values, faults: &mut Faults) -> Option<Settings> {
    let unit = name::resolve(&values.get(&params::UNIT)?, values.get(&params::INSTANCE).as_deref());
    let rules = Rules::read(values, faults);
    let page = values.get(&params::CHECK_HTTP);
    let pattern = values.get(&params::CHECK_MATCH);
    if page.is_none() && pattern.is_some() {
        faults.push("check_match has no meaning without check_http: set that, too");
    }
    let unit = unit.map_err(|why| faults.push(why)).ok()?;
    Some(Settings {
        unit,
        job_mode: values.get(&params::JOB_MODE)?,
        start_timeout: values.get(&params::START_TIMEOUT),
        stop_timeout: values.get(&params::STOP_TIMEOUT),
        stop_force: values.get(&params::STOP_FORCE)?,
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
        drop_in: values.get(&params::DROP_IN)?,
        bus_address: values.get(&params::BUS_ADDRESS),
    })
}

/// What a stop goes by when other values are faulty: the unit, and defaults. `None` when no unit
/// could have been started with these values.
pub fn salvage(values: &Values) -> Option<Settings> {
    let unit = name::resolve(&values.get(&params::UNIT)?, values.get(&params::INSTANCE).as_deref())
        .ok()?;
    let none = Values::default();
    Some(Settings {
        unit,
        job_mode: values.get(&params::JOB_MODE).or_else(|| none.get(&params::JOB_MODE))?,
        start_timeout: None,
        stop_timeout: values.get(&params::STOP_TIMEOUT),
        stop_force: values.get(&params::STOP_FORCE).unwrap_or_default(),
        start_settle: Duration::ZERO,
        checks: Checks {
            http: None,
            rules: Rules::default(),
            tcp: None,
            unix: None,
            command: None,
        },
        required: Vec::new(),
        reloading: Reloading::Running,
        drop_in: true,
        bus_address: values.get(&params::BUS_ADDRESS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pairs: &[(&str, &str)]) -> String {
        let mut faults = Faults::default();
        let settled = settle(&Values::from_pairs(pairs), &mut faults);
        assert!(settled.is_none() || !faults.is_empty());
        faults.into_failure().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn combinations_that_cannot_be_are_told() {
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
        let settings = salvage(&values).unwrap();
        assert_eq!(
            (settings.unit.as_str(), settings.job_mode.as_str()),
            ("foo.service", "replace")
        );
        assert!(salvage(&Values::from_pairs(&[("unit", "../x")])).is_none());
    }
}
