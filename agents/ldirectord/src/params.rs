//! Each parameter once. Names, defaults and meanings are those of `ocf:heartbeat:ldirectord`; `ca`,
//! `on_low` and `config_serial` are new and optional.
#![allow(missing_docs, reason = "each constant carries its own texts")]
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::prelude::*;

pub const CONFIGFILE: Param<PathBuf> = Param::new(
    "configfile",
    absolute_path,
    "Configuration file",
    "The absolute path of the configuration file. The daemon names its pid file by the last part \
     of this path, so two resources that may be on one node need files with different names.",
)
.or("/etc/ha.d/ldirectord.cf")
.unique("configfile");
pub const LDIRECTORD: Param<PathBuf> = Param::new(
    "ldirectord",
    absolute_path,
    "Program",
    "The absolute path of the ldirectord program.",
)
.or("/usr/sbin/ldirectord");
pub const CA: Param<PathBuf> = Param::new(
    "ca",
    absolute_path,
    "Certificates for HTTPS checks",
    "A file with the certificates by which the daemon's HTTPS checks know real servers, such as a \
     self-signed one. Names are never verified. If unset, the system's.",
);
pub const ON_LOW: Param<OnLow> = Param::new(
    "on_low",
    on_low,
    "When a virtual service has no live server",
    "What a monitor at level 20 says when a virtual service has neither a real server with a \
     weight above 0 nor its fallback. degraded: 190, only shown. fail: 1, and the cluster starts \
     the director again or elsewhere, which helps if only the way to the servers is broken. In the \
     daemon's first half minute it is degraded in any case.",
)
.or("degraded")
.reloadable();
pub const CONFIG_SERIAL: Param<String> = Param::new(
    "config_serial",
    text,
    "Change it to reload",
    "Any text, such as a date or a checksum. When it changes, the daemon reads its configuration \
     again while the kernel directs on; a faulty configuration is refused, and the old one stays \
     in effect. With autoreload=yes in the file the daemon does so by itself.",
)
.reloadable();

pub const ALL: &[&dyn AnyParam] = &[
    &CONFIGFILE,
    &LDIRECTORD,
    &CA,
    &ON_LOW,
    &CONFIG_SERIAL,
    &WATCH,
    &WATCH_GRACE,
    &TRACE_RA,
    &TRACE_FILE,
];

/// What too few servers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLow {
    /// 190.
    Degraded,
    /// 1.
    Fail,
}

fn on_low(text: &str) -> Result<OnLow, String> {
    match text {
        "degraded" => Ok(OnLow::Degraded),
        "fail" => Ok(OnLow::Fail),
        _ => Err("degraded or fail".to_owned()),
    }
}
