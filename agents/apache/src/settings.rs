//! The parameters as a typed value: what the server is ([`Identity`]), and how it is checked
//! ([`Checks`]).
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::sys::command::is_program;
use ocf::web::{EXPECT_STATUS, Rules};

use crate::directives::words;
use crate::params;

/// Where the server may be, in the peer's order.
pub const PROGRAMS: [&str; 7] = [
    "/sbin/httpd2",
    "/usr/sbin/httpd2",
    "/usr/sbin/apache2",
    "/sbin/httpd",
    "/usr/sbin/httpd",
    "/usr/sbin/apache",
    "/opt/IBMHTTPServer/bin/httpd",
];

/// SUSE's configuration.
pub const SUSE: &str = "/etc/apache2/httpd.conf";
/// The distributions' configurations, in the order in which they are looked for; the last is the
/// one of a host with none.
pub const CONFIGS: [&str; 3] = [SUSE, "/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"];

/// A resource as configured.
pub struct Settings {
    /// What the server is.
    pub identity: Identity,
    /// How it is checked.
    pub checks: Checks,
    /// The state of the configuration that the cluster knows of.
    pub serial: String,
}

/// What the server is. Anything that is wrong with the parameters counts as unset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The configuration, if one was given.
    pub configfile: Option<PathBuf>,
    /// The program.
    pub httpd: PathBuf,
    /// More words for the command line.
    pub options: Vec<String>,
    /// Files of variables.
    pub envfiles: Vec<PathBuf>,
}

/// How the server is checked.
pub struct Checks {
    /// The port to ask.
    pub port: Option<u16>,
    /// Whether to ask by IPv6.
    pub use_ipv6: bool,
    /// The page of every monitor.
    pub statusurl: Option<String>,
    /// What it must match.
    pub regex: Option<Ere>,
    /// Whether a mere answer is not enough.
    pub is_strict: bool,
    /// The page of the deeper monitor.
    pub testurl: Option<String>,
    /// What it must match.
    pub regex10: Option<Ere>,
    /// The file of tests.
    pub testconffile: Option<PathBuf>,
    /// The test in it.
    pub testname: Option<String>,
    /// What else a good answer needs.
    pub rules: Rules,
}

impl Settings {
    /// Judges the parameters together.
    pub fn read(values: &Values, invocation: &Invocation, faults: &mut Faults) -> Option<Self> {
        let rules = Rules::read(values, faults);
        let given = values.is_given(&params::TESTREGEX);
        let status_given = values.is_given(&EXPECT_STATUS);
        // An answer that is expected to be no page has nothing to match by default.
        let is_strict = values.is_given(&params::STATUSURL) || given || status_given;
        let regex = if !is_strict || status_given && !given {
            None
        } else {
            Some(values.get(&params::TESTREGEX)?)
        };
        // The peer's handbook names the other parameter in its example for this level.
        let regex10 = values.get(&params::TESTREGEX10).or_else(|| regex.clone().filter(|_| given));
        let checks = Checks {
            port: values.get(&params::PORT),
            use_ipv6: values.get(&params::USE_IPV6)?,
            statusurl: values.get(&params::STATUSURL),
            regex,
            is_strict,
            testurl: values.get(&params::TESTURL),
            regex10,
            testconffile: values.get(&params::TESTCONFFILE),
            testname: values.get(&params::TESTNAME),
            rules: rules?,
        };
        let serial = values.get(&params::CONFIG_SERIAL).unwrap_or_default();
        Some(Self { identity: Identity::of(invocation), checks, serial })
    }
}

impl Identity {
    /// What is good of the parameters.
    pub fn of(invocation: &Invocation) -> Self {
        let values = &invocation.values;
        // Elsewhere an empty value is an unset one; here it has a meaning of its own.
        let no_files = invocation
            .environment()
            .any(|(name, value)| name == "OCF_RESKEY_envfiles" && value.is_empty());
        let envfiles = if no_files { None } else { values.get(&params::ENVFILES) };
        Self {
            configfile: values.get(&params::CONFIGFILE),
            httpd: values.get(&params::HTTPD).unwrap_or_else(|| PathBuf::from("/usr/sbin/httpd")),
            options: values.get(&params::OPTIONS).unwrap_or_default(),
            envfiles: envfiles.iter().flat_map(|list| words(list)).map(PathBuf::from).collect(),
        }
    }

    /// Which server the parameters mean; `None` where the one that says it is faulty. The default
    /// would be the distribution's server, which is not the resource's; what a start has started
    /// is known by its record.
    pub fn meant(invocation: &Invocation) -> Option<Self> {
        let values = &invocation.values;
        let has_other_faults =
            values.is_faulty(&params::HTTPD) || values.is_faulty(&params::OPTIONS);
        let is_unknown = match values.is_given(&params::CONFIGFILE) {
            true => values.is_faulty(&params::CONFIGFILE),
            false => has_other_faults,
        };
        (!is_unknown).then(|| Self::of(invocation))
    }

    /// A text that is another one for another server. What stands between its parts is in no
    /// parameter.
    pub fn key(&self) -> String {
        let mut key = self.httpd.to_string_lossy().into_owned();
        let config = self.configfile.iter().map(|path| ("\0f", path.to_string_lossy()));
        let options = self.options.iter().map(|word| ("\0o", word.into()));
        let files = self.envfiles.iter().map(|path| ("\0e", path.to_string_lossy()));
        for (mark, part) in config.chain(options).chain(files) {
            key.push_str(mark);
            key.push_str(&part);
        }
        key
    }

    /// The configuration: the one that was given, else the one of the distribution.
    pub fn config(&self) -> PathBuf {
        let found = || CONFIGS.into_iter().find(|config| Path::new(config).is_file());
        self.configfile.clone().unwrap_or_else(|| PathBuf::from(found().unwrap_or(CONFIGS[2])))
    }

    /// The program: the one that was given, or, where that is a usual one that is not there,
    /// another usual one.
    ///
    /// # Errors
    /// When there is none.
    pub fn program(&self) -> Result<PathBuf, Failure> {
        let usual = PROGRAMS.map(PathBuf::from);
        let others = if usual.contains(&self.httpd) { &usual[..] } else { &[] };
        let mut all = std::iter::once(&self.httpd).chain(others);
        all.find(|program| is_program(program)).cloned().ok_or_else(|| {
            let path = self.httpd.display();
            Failure::installed(format!(
                "httpd={path}: no such program here: install the web server, or set httpd"
            ))
        })
    }

    /// Every name that the server's executable may have for the kernel.
    pub fn programs(&self) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> =
            std::iter::once(self.httpd.clone()).chain(PROGRAMS.map(PathBuf::from)).collect();
        // Several are in one directory, by whatever name: it is read once.
        let mut names: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for wrapper in &all {
            if let (Some(parent), Some(name)) =
                (wrapper.parent(), wrapper.file_name().and_then(|name| name.to_str()))
                && let Ok(directory) = parent.canonicalize()
            {
                names.entry(directory).or_default().push(name.to_owned());
            }
        }
        // A wrapper or a link leads to one program of several: httpd to httpd-prefork or
        // httpd.worker.
        for (directory, wrappers) in names {
            let leads = |wrapper: &String, file: &str| {
                file.strip_prefix(wrapper.as_str()).is_some_and(|rest| rest.starts_with(['-', '.']))
            };
            let siblings = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let is_variant = |file: &str| wrappers.iter().any(|wrapper| leads(wrapper, file));
            all.extend(
                siblings
                    .filter(|entry| entry.file_name().to_str().is_some_and(is_variant))
                    .map(|entry| entry.path()),
            );
        }
        let real: Vec<PathBuf> =
            all.iter().filter_map(|program| program.canonicalize().ok()).collect();
        all.extend(real);
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn invocation(pairs: &[(&str, &str)]) -> Invocation {
        let environment = pairs
            .iter()
            .map(|(n, v)| (OsString::from(format!("OCF_RESKEY_{n}")), OsString::from(v)));
        Invocation::new([OsString::from("a"), OsString::from("start")], environment)
    }

    fn settings(pairs: &[(&str, &str)]) -> (Settings, Faults) {
        let invocation = invocation(pairs);
        let mut faults = invocation.values.faults(params::ALL);
        (Settings::read(&invocation.values, &invocation, &mut faults).unwrap(), faults)
    }

    #[test]
    fn unset_and_empty_envfiles_are_two_things() {
        assert_eq!(settings(&[]).0.identity.envfiles, [PathBuf::from("/etc/apache2/envvars")]);
        assert_eq!(settings(&[("envfiles", "")]).0.identity.envfiles, [] as [PathBuf; 0]);
        assert_eq!(
            settings(&[("envfiles", "/a  /b")]).0.identity.envfiles,
            [PathBuf::from("/a"), PathBuf::from("/b")]
        );
    }

    #[test]
    fn a_check_is_strict_when_something_is_asked_of_it() {
        assert!(!settings(&[("testurl", "/x"), ("port", "81")]).0.checks.is_strict);
        for pair in [("statusurl", "/x"), ("testregex", "y"), ("expect_status", "200")] {
            assert!(settings(&[pair]).0.checks.is_strict, "{pair:?}");
        }
        assert!(settings(&[("expect_status", "204")]).0.checks.regex.is_none());
        assert_eq!(
            settings(&[("testregex", "alive")]).0.checks.regex10.as_ref().map(Ere::text),
            Some("alive")
        );
    }

    #[test]
    fn a_faulty_value_does_not_mean_the_distributions_server() {
        let meant = |pairs: &[(&str, &str)]| Identity::meant(&invocation(pairs));
        assert!(meant(&[]).is_some());
        assert_eq!(meant(&[("configfile", "etc/a.conf")]), None);
        assert_eq!(meant(&[("httpd", "sbin/httpd")]), None);
        let known = meant(&[("configfile", "/a.conf"), ("httpd", "sbin/httpd")]).unwrap();
        assert_eq!(known.config(), Path::new("/a.conf"));
    }

    #[test]
    fn another_server_has_another_key() {
        let key = |pairs: &[(&str, &str)]| settings(pairs).0.identity.key();
        assert_eq!(key(&[("port", "81")]), key(&[]));
        for pair in [("configfile", "/x"), ("options", "-D A"), ("envfiles", ""), ("httpd", "/y")] {
            assert_ne!(key(&[pair]), key(&[]), "{pair:?}");
        }
    }

    #[test]
    fn blank_values_and_odd_ports_are_faults() {
        let values = Values::from_pairs(&[("testurl", "  "), ("port", "0"), ("testregex", "(")]);
        let reason = values.faults(params::ALL).into_failure().unwrap().to_string();
        assert!(
            ["testurl=", "port=", "testregex="].iter().all(|name| reason.contains(name)),
            "{reason}"
        );
    }
}
