//! Each parameter once. Names, defaults and meanings are those of `ocf:heartbeat:apache`.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::ere::Ere;
use ocf::prelude::*;
use ocf::web::{self, CA, EXPECT_STATUS, HOST_HEADER, MAX_LATENCY, VERIFY, expression};

use crate::directives::words;

/// The configuration.
pub const CONFIGFILE: Param<PathBuf> = Param::new(
    "configfile",
    absolute_path,
    "Configuration file",
    "The server's configuration file, by its absolute path. If unset, the one of the distribution: \
     /etc/apache2/httpd.conf (SUSE), /etc/apache2/apache2.conf (Debian) or \
     /etc/httpd/conf/httpd.conf, whichever is there.",
)
.unique("configfile");

/// The program.
pub const HTTPD: Param<PathBuf> = Param::new(
    "httpd",
    absolute_path,
    "Server program",
    "The server's executable, by its absolute path. Where this is a usual one that is not there, \
     another usual one is taken, such as /usr/sbin/apache2.",
)
.or("/usr/sbin/httpd");

/// The port to ask.
pub const PORT: Param<u16> = Param::new(
    "port",
    port,
    "Port to ask",
    "The port of the monitor's request. If unset, one from its configuration (Listen), without TLS \
     where there is such a one.",
)
.integer()
.reloadable();

/// The page to ask for.
pub const STATUSURL: Param<String> = Param::new(
    "statusurl",
    web::page,
    "Page to monitor",
    "The page that each monitor asks for: a URL, or a path on the server. If set, the page must \
     come with a good status code (expect_status) and match testregex. If unset, any answer proves \
     that the server lives, and one of 500 and above is shown as degraded; requested is the page \
     of mod_status if the configuration has one, else /. Let it be a page that only this machine \
     can see: what answers from another node makes the resource look active twice.",
)
.reloadable();

/// What the page must match.
pub const TESTREGEX: Param<Ere> = Param::new(
    "testregex",
    expression,
    "What the page must match",
    "An extended regular expression (letters match in either case) that a line of the page must \
     match. Setting it makes the monitor strict, as statusurl does.",
)
.or("</ *html *>")
.reloadable();

/// The program to ask with.
pub const CLIENT: Param<String> = Param::new(
    "client",
    text,
    "Without effect",
    "The program to ask with, for the shell agent. This agent asks by itself.",
)
.reloadable();

/// The page of the deeper monitor.
pub const TESTURL: Param<String> = Param::new(
    "testurl",
    web::page,
    "Page to monitor at level 10",
    "The page that a monitor with OCF_CHECK_LEVEL=10 asks for: a URL, or a path on the server.",
)
.reloadable();

/// What it must match.
pub const TESTREGEX10: Param<Ere> = Param::new(
    "testregex10",
    expression,
    "What that page must match",
    "An extended regular expression (letters match in either case) that a line of the page at \
     testurl must match. If unset, testregex if that is set, else the status code alone counts.",
)
.reloadable();

/// The file of tests.
pub const TESTCONFFILE: Param<PathBuf> = Param::new(
    "testconffile",
    absolute_path,
    "File of tests for level 10",
    "A file of tests for monitors with OCF_CHECK_LEVEL=10, for passwords that must not be in the \
     cluster's configuration and for more than one test. A test is some lines: test NAME, url URL, \
     match EXPRESSION, user NAME, password WORD, client_opts OPTIONS (of curl; those that make \
     sense here), end. It takes the place of testurl.",
)
.reloadable();

/// The test in the file.
pub const TESTNAME: Param<String> = Param::new(
    "testname",
    given,
    "Test in that file",
    "The name of the test in testconffile. If unset, the first.",
)
.reloadable();

/// The command line.
pub const OPTIONS: Param<Vec<String>> = Param::new(
    "options",
    |text| Ok(words(text)),
    "Options of the command line",
    "More options for the server, such as -D NAME. A word with spaces is put in quotes.",
);

/// The environment.
pub const ENVFILES: Param<String> = Param::new(
    "envfiles",
    text,
    "Files of environment variables",
    "Files with variables for the server, in the form of Debian's envvars; several are separated \
     by spaces. Lines such as export NAME=value are read as data; a file with more than that, by \
     /bin/sh. Set to an empty value, none is read.",
)
.or("/etc/apache2/envvars");

/// The family to ask by.
pub const USE_IPV6: Param<bool> = Param::new(
    "use_ipv6",
    boolean,
    "Ask by IPv6",
    "Whether a server that listens on all addresses is checked at ::1. One that listens on IPv6 \
     addresses alone is checked there in any case.",
)
.boolean()
.or("false")
.reloadable();

/// The trigger.
pub const CONFIG_SERIAL: Param<String> = Param::new(
    "config_serial",
    text,
    "State of the configuration",
    "Any text, such as a number or a date. Changing it makes the server read its configuration \
     again (a graceful restart: no connection is lost), after a check of the syntax.",
)
.reloadable();

/// All of them, in the order of the meta-data.
pub const ALL: &[&dyn AnyParam] = &[
    &CONFIGFILE,
    &HTTPD,
    &PORT,
    &STATUSURL,
    &TESTREGEX,
    &CLIENT,
    &TESTURL,
    &TESTREGEX10,
    &TESTCONFFILE,
    &TESTNAME,
    &OPTIONS,
    &ENVFILES,
    &USE_IPV6,
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
    let number = whole(text, 1, 65_535)?;
    u16::try_from(number).map_err(|_| "a whole number from 1 to 65535".to_owned())
}

/// Something, without the spaces around it.
fn given(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a value that is more than spaces".to_owned()),
        rest => Ok(rest.to_owned()),
    }
}
