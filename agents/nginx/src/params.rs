//! Each parameter once. Names, defaults and meanings are those of `ocf:heartbeat:nginx`; new here,
//! and optional, are `config_serial` and those that all web agents share.
#![allow(missing_docs, reason = "each constant carries its own texts")]
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::web::{self, CA, EXPECT_STATUS, HOST_HEADER, MAX_LATENCY, VERIFY};
use ocf::words;

pub const CONFIGFILE: Param<PathBuf> = Param::new(
    "configfile",
    absolute_path,
    "Configuration file",
    "The absolute path of nginx's configuration file. It also gives the pid file, the addresses \
     that monitors connect to, and the status page. If unset, the one that nginx was built with.",
)
.unique("configfile");
pub const HTTPD: Param<PathBuf> = Param::new(
    "httpd",
    absolute_path,
    "Program",
    "The absolute path of the nginx program. If unset, or if there is no such program, \
     /usr/sbin/nginx, /usr/local/sbin/nginx or the one in PATH.",
);
pub const PORT: Param<u16> = Param::new(
    "port",
    port,
    "Port to ask",
    "The port of the server to ask, where the configuration has several. If unset, the first one \
     that answers HTTP.",
)
.integer()
.reloadable();
pub const STATUS10URL: Param<String> = Param::new(
    "status10url",
    web::page,
    "Status page",
    "The page that a monitor at level 10 asks for: a URL, or a path on the server. If unset, the \
     page with stub_status in the configuration; where there is none, or it is not shown to this \
     node, level 10 is the same as level 0. It must be this node that answers, not another one.",
)
.reloadable();
pub const STATUS10REGEX: Param<Ere> = Param::new(
    "status10regex",
    web::expression,
    "What the status page shows",
    "The extended regular expression that a line of the status page must match; letters match in \
     either case.",
)
.or("Reading: [0-9]+ Writing: [0-9]+ Waiting: [0-9]+")
.reloadable();
pub const TESTCLIENT: Param<String> = Param::new(
    "testclient",
    text,
    "HTTP client",
    "Accepted, and without effect: the agent asks by itself, without curl or wget. It may also be \
     called client.",
)
.reloadable()
.aliases(&["client"]);
pub const TEST20URL: Param<String> = Param::new(
    "test20url",
    web::page,
    "Page to test at level 20",
    "The page that a monitor at level 20 asks for: a URL, or a path on the server. Without this \
     and test20conffile, level 20 is the same as level 10.",
)
.reloadable();
pub const TEST20REGEX: Param<Ere> = Param::new(
    "test20regex",
    web::expression,
    "What that page shows",
    "The extended regular expression that a line of the page of test20url must match; letters \
     match in either case.",
)
.reloadable();
pub const TEST20CONFFILE: Param<PathBuf> = Param::new(
    "test20conffile",
    absolute_path,
    "File of tests at level 20",
    "The absolute path of a file with tests, which may hold passwords. Its lines begin with the \
     words test, url, match, user, password, client, client_opts and end. Where it can be read it \
     comes before test20url.",
)
.reloadable();
pub const TEST20NAME: Param<String> = Param::new(
    "test20name",
    text,
    "Test in that file",
    "The test to use of test20conffile. If unset, the first one.",
)
.reloadable();
pub const EXTERNAL_MONITOR30_CMD: Param<Vec<String>> = Param::new(
    "external_monitor30_cmd",
    command,
    "Program to run at level 30",
    "The program that a monitor at level 30 runs, with its arguments; success is exit code 0. \
     Words are separated by spaces and kept together by quotes. No shell is used: for more, name a \
     script. Without this, level 30 is the same as level 20.",
)
.reloadable();
pub const OPTIONS: Param<Vec<String>> = Param::new(
    "options",
    words::split,
    "Options of nginx",
    "More options for each call of nginx, such as -g 'worker_rlimit_nofile 4096;'. Words are \
     separated by spaces and kept together by quotes.",
);
pub const CONFIG_SERIAL: Param<String> = Param::new(
    "config_serial",
    text,
    "Change it to reload",
    "Any text, such as a date or a checksum. When it changes, nginx reads its configuration again \
     without losing a request; a faulty configuration is refused, and the server goes on with the \
     old one.",
)
.reloadable();

pub const ALL: &[&dyn AnyParam] = &[
    &CONFIGFILE,
    &HTTPD,
    &PORT,
    &STATUS10URL,
    &STATUS10REGEX,
    &TESTCLIENT,
    &TEST20URL,
    &TEST20REGEX,
    &TEST20CONFFILE,
    &TEST20NAME,
    &EXTERNAL_MONITOR30_CMD,
    &OPTIONS,
    &EXPECT_STATUS,
    &MAX_LATENCY,
    &HOST_HEADER,
    &VERIFY,
    &CA,
    &CONFIG_SERIAL,
    &ocf::daemon::STOP_GRACE,
    &WATCH,
    &WATCH_GRACE,
    &TRACE_RA,
    &TRACE_FILE,
];

fn port(text: &str) -> Result<u16, String> {
    whole(text, 1, 65_535).map(|number| number as u16)
}

fn command(text: &str) -> Result<Vec<String>, String> {
    let words = words::split(text)?;
    if words.is_empty() { Err("a program and its arguments".to_owned()) } else { Ok(words) }
}
