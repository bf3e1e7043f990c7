//! A resource as configured: the values, typed.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::web::Rules;

use crate::params;

/// What finds an instance. A stop has no more than this, and not even all of it when values are
/// faulty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The program, if one was chosen.
    pub httpd: Option<PathBuf>,
    /// The configuration file, if one was chosen.
    pub configfile: Option<PathBuf>,
    /// Options for each call of nginx.
    pub options: Vec<String>,
}

impl Identity {
    /// As far as the values are good.
    pub fn of(values: &Values) -> Self {
        Self {
            httpd: values.get(&params::HTTPD),
            configfile: values.get(&params::CONFIGFILE),
            options: values.get(&params::OPTIONS).unwrap_or_default(),
        }
    }

    /// Which server the parameters mean; `None` where the one that says it is faulty. The default
    /// would be the distribution's server, which is not the resource's; what a start has started
    /// is known by its record.
    pub fn meant(values: &Values) -> Option<Self> {
        let has_other_faults =
            values.is_faulty(&params::HTTPD) || values.is_faulty(&params::OPTIONS);
        let is_unknown = match values.is_given(&params::CONFIGFILE) {
            true => values.is_faulty(&params::CONFIGFILE),
            // The program and its options know their own.
            false => has_other_faults,
        };
        (!is_unknown).then(|| Self::of(values))
    }

    /// The value of an option with one letter, `-g x` or `-gx`.
    fn option(&self, letter: &str) -> Option<&str> {
        let mut options = self.options.iter();
        while let Some(option) = options.next() {
            match option.strip_prefix(letter) {
                Some("") => return options.next().map(String::as_str),
                Some(value) => return Some(value),
                None => {}
            }
        }
        None
    }

    /// Directives on the command line.
    pub fn globals(&self) -> &str {
        self.option("-g").unwrap_or_default()
    }

    /// What relative names begin at, if it was chosen.
    pub fn prefix(&self) -> Option<&Path> {
        self.option("-p").map(Path::new)
    }
}

/// A resource as configured.
pub struct Settings {
    /// What finds it.
    pub identity: Identity,
    /// The port to ask, where the configuration has several.
    pub port: Option<u16>,
    /// A value that means nothing: when it changes, nginx reads its configuration again.
    pub config_serial: Option<String>,
    /// The page of level 10, a URL or a path.
    pub status_page: Option<String>,
    /// What it shows.
    pub status_regex: Ere,
    /// Whether neither that page nor what it shows was given.
    pub is_status_guessed: bool,
    /// The page of level 20.
    pub test_page: Option<String>,
    /// What it shows.
    pub test_regex: Option<Ere>,
    /// The file with tests of level 20.
    pub test_file: Option<PathBuf>,
    /// The test to use of it.
    pub test_name: Option<String>,
    /// The program of level 30, with its arguments.
    pub external: Option<Vec<String>>,
    /// What holds for each answer.
    pub rules: Rules,
}

/// Types the parameters.
pub fn from_values(values: &Values, faults: &mut Faults) -> Option<Settings> {
    Some(Settings {
        identity: Identity::of(values),
        port: values.get(&params::PORT),
        config_serial: values.get(&params::CONFIG_SERIAL),
        status_page: values.get(&params::STATUS10URL),
        status_regex: values.get(&params::STATUS10REGEX)?,
        is_status_guessed: !values.is_given(&params::STATUS10URL)
            && !values.is_given(&params::STATUS10REGEX),
        test_page: values.get(&params::TEST20URL),
        test_regex: values.get(&params::TEST20REGEX),
        test_file: values.get(&params::TEST20CONFFILE),
        test_name: values.get(&params::TEST20NAME),
        external: values.get(&params::EXTERNAL_MONITOR30_CMD),
        rules: Rules::read(values, faults)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_value_does_not_mean_the_usual_server() {
        let meant = |pairs: &[(&str, &str)]| Identity::meant(&Values::from_pairs(pairs));
        assert_eq!(meant(&[]), Some(Identity::default()));
        let unknown: [&[(&str, &str)]; 3] =
            [&[("configfile", "etc/n.conf")], &[("httpd", "sbin/nginx")], &[("options", "-p '")]];
        for pairs in unknown {
            assert_eq!(meant(pairs), None, "{pairs:?}");
        }
        let known = meant(&[("configfile", "/n.conf"), ("httpd", "sbin/nginx")]).unwrap();
        assert_eq!(known.configfile, Some("/n.conf".into()));
    }

    #[test]
    fn options_that_matter_are_found() {
        let identity = |line: &str| Identity {
            options: ocf::words::split(line).unwrap(),
            ..Identity::default()
        };
        assert_eq!(identity("-q -g 'pid /x;' -p /srv").globals(), "pid /x;");
        assert_eq!(identity("-q -g 'pid /x;' -p /srv").prefix(), Some(Path::new("/srv")));
        assert_eq!(identity("-p/srv").prefix(), Some(Path::new("/srv")));
        assert_eq!(identity("").globals(), "");
    }
}
