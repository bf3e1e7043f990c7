//! Perl modules that the daemon loads only when it checks a real server for the first time. Where
//! one is missing the daemon ends there, after its start, and again after each recovery.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command::{self, hide_parameters};
use ocf::sys::file;

use crate::argv;
use crate::config::resolve::Names;
use crate::config::{Address, Checks, Config, Family, Virtual};

/// As much of a script as its first line has.
const FIRST_LINE: u64 = 256;

/// How long Perl may take to look for them.
const LOOKING: Duration = Duration::from_secs(5);

/// Ports and the services that the daemon takes them for (its `ld_port_to_service`).
const PORTS: [(u16, &str); 19] = [
    (21, "ftp"),
    (25, "smtp"),
    (53, "dns"),
    (80, "http"),
    (110, "pop"),
    (119, "nntp"),
    (143, "imap"),
    (389, "ldap"),
    (443, "https"),
    (587, "submission"),
    (636, "ldaps"),
    (993, "imaps"),
    (995, "pops"),
    (1521, "oracle"),
    (1812, "radius"),
    (3128, "http_proxy"),
    (3306, "mysql"),
    (5060, "sip"),
    (5432, "pgsql"),
];

/// A module that a check needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where the service is described.
    pub place: String,
    /// What the check speaks.
    pub service: String,
    /// The module.
    pub module: &'static str,
}

/// The modules without which the checks of a configuration end the daemon, with the line of each
/// service. With `fork=yes` they end only the process of that service, and the others are served.
pub fn needed(config: &Config, names: &dyn Names, conf: &Path) -> Vec<Need> {
    if config.forks {
        return Vec::new();
    }
    let of = |section: &Virtual| {
        let service = spoken(section, names)?;
        let place = format!("{}:{}", conf.display(), section.line);
        let modules = modules(&service, section.family);
        Some(modules.iter().map(move |module| Need {
            place: place.clone(),
            service: service.clone(),
            module,
        }))
    };
    config.virtuals.iter().filter_map(of).flatten().collect()
}

/// What a negotiating check of a service speaks.
fn spoken(section: &Virtual, names: &dyn Names) -> Option<String> {
    if section.checks != Checks::Negotiate || section.reals.is_empty() {
        return None;
    }
    if let Some(service) = &section.service {
        return Some(service.clone());
    }
    let Address::Place(_, port) = &section.address else { return None };
    let number = port.parse().ok().or_else(|| names.port(port, section.protocol.name()))?;
    PORTS.iter().find(|(known, _)| *known == number).map(|(_, service)| (*service).to_owned())
}

fn modules(service: &str, family: Family) -> &'static [&'static str] {
    match service {
        "http" | "https" | "http_proxy" if family == Family::V6 => {
            &["Net::INET6Glue::INET_is_INET6"]
        }
        "smtp" | "submission" => &["Net::SMTP"],
        "pop" | "pops" => &["Mail::POP3Client"],
        "imap" => &["Net::IMAP::Simple"],
        "imaps" => &["Net::IMAP::Simple::SSL"],
        "ldap" | "ldaps" => &["Net::LDAP"],
        "radius" => &["Authen::Radius"],
        "mysql" => &["DBI", "DBD::mysql"],
        "pgsql" => &["DBI", "DBD::Pg"],
        "oracle" => &["DBI", "DBD::Oracle"],
        "ftp" => &["Net::FTP"],
        "dns" => &["Net::DNS"],
        _ => &[],
    }
}

/// Whether the daemon's interpreter has the modules.
///
/// # Errors
/// The first that is missing, and what needs it.
pub fn check(needs: &[Need], program: &Path, deadline: Deadline) -> Result<(), Failure> {
    let Some(perl) = interpreter(program).filter(|_| !needs.is_empty()) else { return Ok(()) };
    let mut command = Command::new(perl);
    command.args(["-e", "for (@ARGV) { eval \"require $_; 1\" or print \"$_\\n\" }"]);
    command.args(needs.iter().map(|need| need.module)).current_dir("/");
    hide_parameters(&mut command);
    // One that says nothing is for the daemon itself to complain about.
    let said = command::run(command, None, Deadline::after(LOOKING).min(deadline)).map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    match needs.iter().find(|need| said.lines().any(|line| line == need.module)) {
        Some(Need { place, service, module }) => Err(Failure::installed(format!(
            "{place}: a check of service={service} needs the Perl module {module}; install it"
        ))),
        None => Ok(()),
    }
}

/// The Perl that runs the daemon's program.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let start = file::read_start(program, FIRST_LINE).ok()?;
    let is_perl = |path: &PathBuf| path.file_name() == Some(OsStr::new("perl"));
    argv::interpreter(&start).filter(is_perl)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    struct NoNames;

    impl Names for NoNames {
        fn address(&self, _name: &str, _family: Family) -> Option<IpAddr> {
            None
        }

        fn port(&self, name: &str, _protocol: &str) -> Option<u16> {
            (name == "mysql").then_some(3306)
        }
    }

    #[test]
    fn only_what_a_negotiating_check_loads_is_needed() {
        let needs = |head: &str, more: &str| -> Vec<&'static str> {
            let six = head.starts_with("virtual6");
            let real = if six { "real6=[2001:db8::1]:80 masq" } else { "real=10.0.0.2:80 masq" };
            let config = crate::config::read(&format!("{head}\n\t{real}\n{more}"));
            assert_eq!(config.faults, []);
            let needs = needed(&config, &NoNames, Path::new("/e/l.cf"));
            assert!(needs.iter().all(|need| need.place == "/e/l.cf:1"), "{needs:?}");
            needs.into_iter().map(|need| need.module).collect()
        };
        for (head, more, expected) in [
            ("virtual=10.0.0.1:80", "", &[][..]),
            ("virtual=10.0.0.1:3306", "", &["DBI", "DBD::mysql"]),
            ("virtual=10.0.0.1:mysql", "", &["DBI", "DBD::mysql"]),
            ("virtual=10.0.0.1:3306", "\tchecktype=connect\n", &[]),
            ("virtual=10.0.0.1:3306", "\tchecktype=3\n", &["DBI", "DBD::mysql"]),
            ("virtual=10.0.0.1:80", "\tservice=ldaps\n", &["Net::LDAP"]),
            ("virtual=7", "\tservice=imap\n\tprotocol=fwm\n", &["Net::IMAP::Simple"]),
            ("virtual=7", "", &[]),
            ("virtual6=[2001:db8::9]:80", "", &["Net::INET6Glue::INET_is_INET6"]),
        ] {
            assert_eq!(needs(head, more), expected, "{head} {more:?}");
        }
    }

    #[test]
    fn the_process_of_a_service_may_end() {
        let text = "fork=yes\nvirtual=10.0.0.1:3306\n\treal=10.0.0.2:3306 masq\n";
        assert_eq!(needed(&crate::config::read(text), &NoNames, Path::new("/x")), []);
    }

    #[test]
    fn a_module_that_is_missing_is_named() {
        let need = |module| Need { place: "/e/l.cf:7".into(), service: "x".into(), module };
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ldirectord");
        std::fs::write(&program, "#!/usr/bin/perl -w\n").unwrap();
        let check = |needs: &[Need]| {
            super::check(needs, &program, Deadline::after(Duration::from_secs(20)))
        };
        assert_eq!(check(&[need("strict")]), Ok(()));
        let failure = check(&[need("strict"), need("No::Such::Module")]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "/e/l.cf:7: a check of service=x needs the Perl module No::Such::Module; install it"
        );
        assert_eq!(failure.kind, Kind::Installed);
    }
}
