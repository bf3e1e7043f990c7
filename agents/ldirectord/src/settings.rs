//! A resource as configured: the values, typed.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::prelude::*;

use crate::params::{self, OnLow};

/// What finds an instance. A stop has no more than this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The configuration file.
    pub configfile: PathBuf,
    /// The program.
    pub program: PathBuf,
}

impl Identity {
    /// As far as the values are good; the defaults for the rest. `None` for a faulty path of the
    /// configuration: the daemon of the usual one is not the resource's.
    pub fn of(values: &Values) -> Option<Self> {
        let or_usual = |param: &'static Param<PathBuf>| {
            values.get(param).unwrap_or_else(|| param.info.default.unwrap_or_default().into())
        };
        (!values.is_faulty(&params::CONFIGFILE)).then(|| Self {
            configfile: or_usual(&params::CONFIGFILE),
            program: or_usual(&params::LDIRECTORD),
        })
    }
}

/// A resource as configured.
pub struct Settings {
    /// What finds it.
    pub identity: Identity,
    /// Certificates for the daemon's checks.
    pub ca: Option<PathBuf>,
    /// What it means when no server is there.
    pub on_low: OnLow,
    /// A change of it makes the daemon read its configuration again.
    pub config_serial: Option<String>,
}

/// Types the parameters.
pub fn from_values(values: &Values) -> Option<Settings> {
    Some(Settings {
        identity: Identity::of(values)?,
        ca: values.get(&params::CA),
        on_low: values.get(&params::ON_LOW)?,
        config_serial: values.get(&params::CONFIG_SERIAL),
    })
}
