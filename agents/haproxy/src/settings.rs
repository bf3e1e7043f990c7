//! A resource as configured: the values, typed.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::prelude::*;
use ocf::web::Rules;

use crate::cli::stat::Strength;
use crate::params;

/// Whether there is a master process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// `-W`.
    #[default]
    MasterWorker,
    /// `-D` alone.
    Daemon,
}

impl Mode {
    /// Reads the parameter.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "master-worker" => Ok(Self::MasterWorker),
            "daemon" => Ok(Self::Daemon),
            _ => Err("master-worker or daemon".to_owned()),
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::MasterWorker => "master-worker",
            Self::Daemon => "daemon",
        }
    }
}

/// When the configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOn {
    /// When a parameter changes.
    Serial,
    /// Also when a file does.
    Change,
}

impl ReloadOn {
    /// Reads the parameter.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "serial" => Ok(Self::Serial),
            "change" => Ok(Self::Change),
            _ => Err("serial or change".to_owned()),
        }
    }
}

/// What too few servers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLow {
    /// Degraded.
    Degraded,
    /// The cluster acts.
    Fail,
}

impl OnLow {
    /// Reads the parameter.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "degraded" => Ok(Self::Degraded),
            "fail" => Ok(Self::Fail),
            _ => Err("degraded or fail".to_owned()),
        }
    }
}

/// How many servers must be up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Least {
    /// So many.
    Servers(u32),
    /// So many of a hundred.
    Percent(u32),
}

impl Least {
    /// Reads the parameter.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read = match text.strip_suffix('%') {
            Some(part) => whole(part.trim_end(), 0, 100).map(Self::Percent),
            None => whole(text, 0, 100_000).map(Self::Servers),
        };
        read.map_err(|_| "a number of servers, or a part of them such as 50%".to_owned())
    }

    /// Whether a backend has enough of them.
    #[must_use]
    pub fn is_met(self, strength: Strength) -> bool {
        match self {
            Self::Servers(least) => strength.up >= least as usize,
            Self::Percent(part) => strength.up * 100 >= strength.all * part as usize,
        }
    }
}

impl std::fmt::Display for Least {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Servers(least) => write!(f, "{least}"),
            Self::Percent(part) => write!(f, "{part}%"),
        }
    }
}

/// What finds an instance. A stop has no more than this, and not even all of it when values are
/// faulty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The program, if one was chosen.
    pub binary: Option<PathBuf>,
    /// The configuration.
    pub configs: Vec<PathBuf>,
    /// Options for each call of haproxy.
    pub options: Vec<String>,
    /// The pid file, if one was chosen.
    pub pid_file: Option<PathBuf>,
    /// Whether there is a master.
    pub mode: Mode,
    /// The master's socket, if one was chosen.
    pub master_socket: Option<PathBuf>,
    /// The configuration's stats socket, if one was named.
    pub stats_socket: Option<PathBuf>,
}

impl Identity {
    /// As far as the values are good.
    pub fn of(values: &Values) -> Self {
        Self {
            binary: values.get(&params::BINARY),
            configs: values.get(&params::CONFIGFILE).unwrap_or_default(),
            options: values.get(&params::OPTIONS).unwrap_or_default(),
            pid_file: values.get(&params::PIDFILE),
            mode: values.get(&params::MODE).unwrap_or_default(),
            master_socket: values.get(&params::MASTER_SOCKET),
            stats_socket: values.get(&params::STATS_SOCKET),
        }
    }
}

/// A resource as configured.
pub struct Settings {
    /// What finds it.
    pub identity: Identity,
    /// The page of level 10.
    pub status_url: Option<String>,
    /// The backends of level 20; none means all.
    pub backends: Vec<String>,
    /// How many servers they need.
    pub min_up: Least,
    /// What fewer mean.
    pub on_low: OnLow,
    /// Options for haproxy besides its configuration.
    pub hard_stop_after: Option<u32>,
    /// How many old workers are no matter.
    pub max_old_workers: u32,
    /// When the configuration is read again.
    pub reload_on: ReloadOn,
    /// A value that means nothing: when it changes, the configuration is read again.
    pub config_serial: Option<String>,
    /// What holds for the page.
    pub rules: Rules,
}

/// Options that say what the agent says itself, or that start no server.
const NOT_YOURS: &[&str] = &[
    "-p", "-S", "-W", "-Ws", "-D", "-db", "-d", "-c", "-cc", "-v", "-vv", "-sf", "-st", "-x", "-C",
    "--",
];

/// Types the parameters.
pub fn from_values(values: &Values, faults: &mut Faults) -> Option<Settings> {
    values.contradictions(params::ALL, faults);
    let identity = Identity::of(values);
    if let Some(option) =
        identity.options.iter().find(|option| NOT_YOURS.contains(&option.as_str()))
    {
        faults.push(format!("options: {option} cannot be given, for the agent decides on that"));
    }
    Some(Settings {
        identity,
        status_url: values.get(&params::STATUSURL),
        backends: values.get(&params::CHECK_BACKENDS).unwrap_or_default(),
        min_up: values.get(&params::MIN_UP)?,
        on_low: values.get(&params::ON_LOW)?,
        hard_stop_after: values.get(&params::HARD_STOP_AFTER),
        max_old_workers: values.get(&params::MAX_OLD_WORKERS)?,
        reload_on: values.get(&params::RELOAD_ON)?,
        config_serial: values.get(&params::CONFIG_SERIAL),
        rules: Rules::read(values, faults)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pairs: &[(&str, &str)]) -> String {
        let mut faults = Faults::default();
        let _ = from_values(&Values::from_pairs(pairs), &mut faults);
        faults.into_failure().map(|failure| failure.to_string()).unwrap_or_default()
    }

    #[test]
    fn old_names_mean_the_same_and_must_agree() {
        for (new, old, value) in [
            ("binary", "binpath", "/x/haproxy"),
            ("binary", "haproxy", "/x/haproxy"),
            ("configfile", "conffile", "/x/a.cfg"),
            ("configfile", "config", "/x/a.cfg"),
            ("options", "extraconf", "-f /x/b.cfg"),
            ("pidfile", "pid", "/x/pid"),
        ] {
            let by = |name| Identity::of(&Values::from_pairs(&[(name, value)]));
            assert_eq!(by(new), by(old), "{old}");
            assert_ne!(by(new), Identity::of(&Values::default()), "{new}");
            assert_eq!(faults(&[(new, value), (old, value)]), "", "{old}");
            assert!(
                faults(&[(new, value), (old, "/y")]).contains("two names of one parameter"),
                "{old}"
            );
        }
        assert!(faults(&[("config", "/x"), ("conffile", "/y")]).contains("conffile and config"));
    }

    #[test]
    fn options_that_are_the_agents_own_are_refused() {
        assert_eq!(faults(&[("options", "-L name -dr")]), "");
        assert!(faults(&[("options", "-L name -p /x")]).contains("-p cannot be given"));
    }

    #[test]
    fn a_part_is_never_rounded_in_favour_of_a_backend() {
        let met = |text: &str, up, all| Least::parse(text).unwrap().is_met(Strength { up, all });
        assert!(met("1", 1, 3) && !met("2", 1, 3) && met("0", 0, 3));
        assert!(
            met("50%", 2, 4)
                && !met("50%", 1, 3)
                && met("50%", 2, 3)
                && met("100%", 3, 3)
                && met("0%", 0, 3)
        );
        for bad in ["", "-1", "101%", "%", "half"] {
            assert!(Least::parse(bad).is_err(), "{bad}");
        }
    }
}
