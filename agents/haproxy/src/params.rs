//! Each parameter once. Older names are those of the agents that the community has passed around:
//! one with `binpath` and `conffile`, another with `haproxy` and `config`.
#![allow(missing_docs, reason = "each constant carries its own texts")]
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::prelude::*;
use ocf::web::{self, CA, EXPECT_STATUS, HOST_HEADER, MAX_LATENCY, VERIFY};
use ocf::words;

use crate::settings::{Least, Mode, OnLow, ReloadOn};

pub const BINARY: Param<PathBuf> = Param::new(
    "binary",
    absolute_path,
    "Program",
    "The absolute path of the haproxy program. If unset, /usr/sbin/haproxy, \
     /usr/local/sbin/haproxy or the one in PATH. It may also be called binpath or haproxy.",
)
.aliases(&["binpath", "haproxy"]);
pub const CONFIGFILE: Param<Vec<PathBuf>> = Param::new(
    "configfile",
    paths,
    "Configuration",
    "The absolute path of the configuration file, or several, separated by spaces, in the order in \
     which they are read. A directory stands for all its files with names that end in .cfg. It may \
     also be called conffile or config.",
)
.or("/etc/haproxy/haproxy.cfg")
.unique("configfile")
.aliases(&["conffile", "config"]);
pub const OPTIONS: Param<Vec<String>> = Param::new(
    "options",
    words::split,
    "Options of haproxy",
    "More options for each call of haproxy, such as -L name or -f FILE. Words are separated by \
     spaces and kept together by quotes. It may also be called extraconf.",
)
.aliases(&["extraconf"]);
pub const PIDFILE: Param<PathBuf> = Param::new(
    "pidfile",
    absolute_path,
    "File for the process number",
    "The absolute path of the file that the master's number is written to, whatever the \
     configuration says. If unset, one of the resource's own below /run/resource-agents. It may \
     also be called pid.",
)
.unique("pidfile")
.aliases(&["pid"]);
pub const MODE: Param<Mode> = Param::new(
    "mode",
    Mode::parse,
    "Whether there is a master process",
    "master-worker: a master process reloads and looks after the workers. daemon: one process, and \
     a new one at each reload.",
)
.or("master-worker");
pub const MASTER_SOCKET: Param<PathBuf> = Param::new(
    "master_socket",
    absolute_path,
    "Socket of the master",
    "The absolute path of the master's CLI socket (-S); it is made at the start, for root alone. \
     If unset, one of the resource's own below /run/resource-agents.",
)
.unique("master_socket");
pub const STATS_SOCKET: Param<PathBuf> = Param::new(
    "stats_socket",
    absolute_path,
    "Stats socket of the configuration",
    "The absolute path of a stats socket that the configuration has, for use where there is no \
     master: with mode=daemon, and with a haproxy that was started by other means. If unset, with \
     mode=daemon one is added to the configuration.",
);
pub const STATUSURL: Param<String> = Param::new(
    "statusurl",
    web::url,
    "Page to ask for at level 10",
    "A URL that a monitor at level 10 or higher asks for as well, such as that of a monitor-uri. \
     It must be this node that answers. It may also be called monitor_url.",
)
.reloadable()
.aliases(&["monitor_url"]);
pub const CHECK_BACKENDS: Param<Vec<String>> = Param::new(
    "check_backends",
    names,
    "Backends to look at",
    "The backends that a monitor at level 20 looks at, separated by commas or spaces. If unset, \
     all that have servers.",
)
.reloadable();
pub const MIN_UP: Param<Least> = Param::new(
    "min_up",
    Least::parse,
    "Servers that must be up",
    "How many servers of each of these backends must be up: a number, or a part of them in \
     percent, such as 50%. A server without a check counts as up.",
)
.or("1")
.reloadable();
pub const ON_LOW: Param<OnLow> = Param::new(
    "on_low",
    OnLow::parse,
    "What fewer servers mean",
    "What a monitor at level 20 says when a backend has fewer servers up than min_up: degraded \
     (shown, the cluster does not act) or fail (the cluster restarts haproxy or moves it).",
)
.or("degraded")
.reloadable();
pub const HARD_STOP_AFTER: Param<u32> = Param::new(
    "hard_stop_after",
    seconds,
    "How long old connections may last",
    "After how many seconds a process that is on its way out, at a reload or a stop, cuts off \
     those who are still connected (hard-stop-after of haproxy). If unset, hard-stop-after of the \
     configuration counts; if that is unset too, old connections last without limit after a \
     reload.",
)
.reloadable();
pub const MAX_OLD_WORKERS: Param<u32> = Param::new(
    "max_old_workers",
    count,
    "Old workers that are tolerated",
    "If more workers than this, of former configurations, still wait for their last clients, the \
     resource is degraded.",
)
.integer()
.or("10")
.reloadable();
pub const RELOAD_ON: Param<ReloadOn> = Param::new(
    "reload_on",
    ReloadOn::parse,
    "When the configuration is read again",
    "serial: when config_serial changes. change: also when a recurring monitor finds that files of \
     the configuration have changed; faulty ones make the resource degraded, and haproxy goes on \
     with the old ones.",
)
.or("serial")
.reloadable();
pub const CONFIG_SERIAL: Param<String> = Param::new(
    "config_serial",
    text,
    "Change it to reload",
    "Any text, such as a date or a checksum. When it changes, haproxy reads its configuration \
     again without losing a connection; a faulty configuration is refused, and the old workers go \
     on.",
)
.reloadable();

pub const ALL: &[&dyn AnyParam] = &[
    &BINARY,
    &CONFIGFILE,
    &OPTIONS,
    &PIDFILE,
    &MODE,
    &MASTER_SOCKET,
    &STATS_SOCKET,
    &STATUSURL,
    &CHECK_BACKENDS,
    &MIN_UP,
    &ON_LOW,
    &HARD_STOP_AFTER,
    &MAX_OLD_WORKERS,
    &RELOAD_ON,
    &CONFIG_SERIAL,
    &ocf::daemon::STOP_GRACE,
    &EXPECT_STATUS,
    &MAX_LATENCY,
    &HOST_HEADER,
    &VERIFY,
    &CA,
    &WATCH,
    &WATCH_GRACE,
    &TRACE_RA,
    &TRACE_FILE,
];

fn paths(text: &str) -> Result<Vec<PathBuf>, String> {
    let paths: Vec<PathBuf> = words::split(text)?.into_iter().map(PathBuf::from).collect();
    let good = !paths.is_empty() && paths.iter().all(|path| path.is_absolute());
    if good { Ok(paths) } else { Err("absolute paths, separated by spaces".to_owned()) }
}

fn names(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        Err("names of backends, separated by commas".to_owned())
    } else {
        Ok(names)
    }
}

fn seconds(text: &str) -> Result<u32, String> {
    whole(text.strip_suffix('s').unwrap_or(text), 1, 86_400)
        .map_err(|allowed| format!("{allowed} (seconds)"))
}

fn count(text: &str) -> Result<u32, String> {
    whole(text, 0, 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_people_write_them() {
        assert_eq!(paths("/a  '/b c'").unwrap(), [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert!(paths("").is_err() && paths("/a b").is_err() && paths("'/a").is_err());
        assert_eq!(names("a, b c,,d").unwrap(), ["a", "b", "c", "d"]);
        assert!(names(" , ").is_err());
        assert_eq!((seconds("30"), seconds("30s")), (Ok(30), Ok(30)));
        assert!(seconds("0").is_err() && seconds("1m").is_err());
    }
}
