//! Each parameter once. Pacemaker's own `systemd:` class has none of them: there, the unit is the
//! resource's type.
#![allow(missing_docs, reason = "each constant carries its own texts")]
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::web::{self, CA, EXPECT_STATUS, HOST_HEADER, MAX_LATENCY, VERIFY};
use ocf::words;

use crate::bus;
use crate::name::{self, UnitName};

pub const UNIT: Param<String> = Param::new(
    "unit",
    name::check,
    "Unit of systemd",
    "The unit that the cluster starts and stops: haproxy, haproxy.service, foo@bar, or one of \
     another type, such as backup.timer, app.socket, srv-data.mount or group.target. Without a \
     type it is a service. It should not be enabled, or systemd starts it at boot, too.",
)
.required()
.unique("unit");
pub const INSTANCE: Param<String> = Param::new(
    "instance",
    instance,
    "Instance of a template",
    "What follows the @ of a template unit, if unit does not say so itself: unit=foo@ and \
     instance=bar are foo@bar.service. What names of units cannot have is escaped as systemctl \
     does.",
)
.unique("unit");
pub const JOB_MODE: Param<String> = Param::new(
    "job_mode",
    job_mode,
    "What happens to other jobs",
    "What systemd does about jobs that are in the way of ours: replace takes their place, fail \
     leaves them and fails, replace-irreversibly cannot be replaced itself, ignore-dependencies \
     starts and stops the unit alone, ignore-requirements does not start what the unit requires.",
)
.or("replace")
.reloadable();
pub const START_TIMEOUT: Param<Duration> = Param::new(
    "start_timeout",
    time,
    "Time for a start",
    "How long a start may take, in seconds or with a unit: 30, 30s, 500ms, 2min. Never \
     longer than the operation's time-out allows, which is also the default.",
)
.reloadable();
pub const STOP_TIMEOUT: Param<Duration> = Param::new(
    "stop_timeout",
    time,
    "Time for a stop",
    "How long a stop may take, in seconds or with a unit. Never longer than the operation's \
     time-out allows, which is also the default.",
)
.reloadable();
pub const STOP_FORCE: Param<bool> = Param::new(
    "stop_force",
    boolean,
    "Kill what does not end",
    "Whether processes that are still there a second before the time for a stop is over are \
     killed. If not, the unit's own settings count alone (TimeoutStopSec), and a stop that is too \
     slow for the cluster fails.",
)
.boolean()
.or("false")
.reloadable();
pub const START_SETTLE: Param<Duration> = Param::new(
    "start_settle",
    time,
    "How long a new process is watched",
    "For services of the types simple, exec and idle, systemd knows only that a process was \
     started. The process must live this long before the start counts as good, in seconds or with \
     a unit. Services of other types notify systemd when they are ready.",
)
.or("10ms")
.reloadable();
pub const CHECK_HTTP: Param<String> = Param::new(
    "check_http",
    web::url,
    "Page that must answer",
    "The URL of a page that must answer before a start counts as good, and in monitors at level \
     10.",
)
.reloadable();
pub const CHECK_MATCH: Param<Ere> = Param::new(
    "check_match",
    web::expression,
    "What that page shows",
    "The extended regular expression that a line of the page of check_http must match; letters \
     match in either case.",
)
.reloadable();
pub const CHECK_TCP: Param<HostPort> = Param::new(
    "check_tcp",
    place,
    "Port that must take connections",
    "An address and port that must accept a connection before a start counts as good, and in \
     monitors at level 10: 192.168.1.200:80, [fd00::1]:80, localhost:80, or a port alone for this \
     machine.",
)
.reloadable();
pub const CHECK_UNIX: Param<PathBuf> = Param::new(
    "check_unix",
    absolute_path,
    "Local socket that must take connections",
    "The absolute path of a socket that must accept a connection before a start counts as good, \
     and in monitors at level 10.",
)
.reloadable();
pub const CHECK_COMMAND: Param<Vec<String>> = Param::new(
    "check_command",
    command,
    "Program that must succeed",
    "The program, with its arguments, that must end with exit code 0 before a start counts as \
     good, and in monitors at level 20. Words are separated by spaces and kept together by quotes. \
     No shell is involved: for more, name a script.",
)
.reloadable();
pub const REQUIRED_UNITS: Param<Vec<UnitName>> = Param::new(
    "required_units",
    units,
    "Other units that must be active",
    "Units, separated by spaces or commas, that must be active with this one: if one of them is \
     not, a monitor fails and names it. They are not started or stopped.",
)
.reloadable();
pub const MONITOR_RELOAD_AS: Param<Reloading> = Param::new(
    "monitor_reload_as",
    reloading,
    "What a unit that reloads counts as",
    "What a monitor says of a unit that reads its configuration again: running, or degraded, which \
     people see and the cluster does not act upon, or changing, of which the monitor waits for the \
     end.",
)
.or("running")
.reloadable();
pub const DROP_IN: Param<bool> = Param::new(
    "drop_in",
    boolean,
    "Adapt the unit to the cluster",
    "Whether the unit gets a file of settings below /run while the cluster runs it: systemd does \
     not restart it by itself, and stops it after Pacemaker when the machine goes down.",
)
.boolean()
.or("true");
pub const BUS_ADDRESS: Param<String> = Param::new(
    "bus_address",
    address,
    "Address of the bus",
    "The D-Bus address where systemd is found, such as unix:path=/run/dbus/system_bus_socket. If \
     unset, that of the system. For tests, and for containers whose systemd is to be managed.",
);

pub const ALL: &[&dyn AnyParam] = &[
    &UNIT,
    &INSTANCE,
    &JOB_MODE,
    &START_TIMEOUT,
    &STOP_TIMEOUT,
    &STOP_FORCE,
    &START_SETTLE,
    &CHECK_HTTP,
    &CHECK_MATCH,
    &EXPECT_STATUS,
    &MAX_LATENCY,
    &HOST_HEADER,
    &VERIFY,
    &CA,
    &CHECK_TCP,
    &CHECK_UNIX,
    &CHECK_COMMAND,
    &REQUIRED_UNITS,
    &MONITOR_RELOAD_AS,
    &DROP_IN,
    &BUS_ADDRESS,
    &WATCH,
    &WATCH_GRACE,
    &TRACE_RA,
    &TRACE_FILE,
];

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What a monitor makes of a unit that reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloading {
    /// Running.
    Running,
    /// Degraded.
    Degraded,
    /// On the way to another state.
    Changing,
}

fn instance(text: &str) -> Result<String, String> {
    name::resolve("x@", Some(text)).map(|_| text.to_owned())
}

fn job_mode(text: &str) -> Result<String, String> {
    // The others change what has nothing to do with this unit (isolate, flush) or make no sense
    // here.
    let known =
        ["replace", "fail", "replace-irreversibly", "ignore-dependencies", "ignore-requirements"];
    if known.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("one of {}", known.join(", ")))
    }
}

fn time(text: &str) -> Result<Duration, String> {
    ocf::param::time(text, Duration::from_secs(1))
}

fn place(text: &str) -> Result<HostPort, String> {
    let allowed =
        || "an address and a port, such as 127.0.0.1:80, [::1]:80 or localhost:80".to_owned();
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = whole(port, 1, 65_535).map_err(|_| allowed())? as u16;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let named = |host: &str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
    };
    let host = match (bracketed, host) {
        (Some(inner), _) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
        (None, "" | "*") => "localhost",
        (None, host) if named(host) => host,
        _ => return Err(allowed()),
    };
    Ok(HostPort { host: host.to_owned(), port })
}

fn command(text: &str) -> Result<Vec<String>, String> {
    let words = words::split(text)?;
    if words.is_empty() { Err("a program and its arguments".to_owned()) } else { Ok(words) }
}

fn units(text: &str) -> Result<Vec<UnitName>, String> {
    let names = text.split([',', ' ', '\t', '\n']).filter(|name| !name.is_empty());
    names.map(|unit| name::resolve(unit, None)).collect()
}

fn reloading(text: &str) -> Result<Reloading, String> {
    match text {
        "running" => Ok(Reloading::Running),
        "degraded" => Ok(Reloading::Degraded),
        "changing" => Ok(Reloading::Changing),
        _ => Err("running, degraded or changing".to_owned()),
    }
}

fn address(text: &str) -> Result<String, String> {
    match bus::socket(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(
            "the D-Bus address of a local socket, such as unix:path=/run/dbus/system_bus_socket"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_a_host_and_a_port() {
        let at = |host: &str, port| Ok(HostPort { host: host.into(), port });
        assert_eq!(place("80"), at("localhost", 80));
        assert_eq!(place("*:80"), at("localhost", 80));
        assert_eq!(place("10.0.0.1:80"), at("10.0.0.1", 80));
        assert_eq!(place("[::1]:80"), at("::1", 80));
        for bad in ["", "x", "::1:80", "[x]:80", "a b:80", "h:0", "h:70000", "http://h:80"] {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn modes_that_reach_beyond_the_unit_are_refused() {
        assert!(
            job_mode("replace").is_ok()
                && job_mode("isolate").is_err()
                && job_mode("flush").is_err()
        );
    }

    #[test]
    fn lists_of_units_take_both_separators() {
        let names = units("a, b.socket c@d").unwrap();
        assert_eq!(
            names.iter().map(UnitName::as_str).collect::<Vec<_>>(),
            ["a.service", "b.socket", "c@d.service"]
        );
        assert!(units("a ../b").is_err());
    }

    #[test]
    fn bus_addresses_are_in_the_form_of_d_bus() {
        assert!(address("unix:path=/run/x").is_ok() && address("/run/x").is_err());
    }
}
