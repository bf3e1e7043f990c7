//! What the syntax check does not see, found before a server that runs is signalled.
//!
//! A graceful restart ends the server when anything fails that comes after the syntax check: a key
//! that does not belong to its certificate, an address that cannot be bound ([`ocf::sys::listen`]).
//! So the new configuration is tried out first. httpd reads it twice when it starts: the first pass
//! opens logs and addresses and lets each module prepare itself (post_config), then httpd detaches
//! and does the same again for good (server/main.c, `AP_SQ_MS_CREATE_PRE_CONFIG`). Modules make
//! sockets and shared memory in the second pass alone. A start apart from everything, with
//! namespaces of its own, ends with the first pass: the process that detaches is the namespace's
//! first one, and what it leaves is ended by the kernel.
//!
//! Apart there is no network, so what a module cannot reach or resolve there proves nothing.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::daemon::WORDLESS;
use ocf::prelude::*;
use ocf::sys::command;
use ocf::sys::file::{length, read_since};

use crate::server::{self, Server};

/// What a server writes while it starts; more of it is not read.
const LONGEST: u64 = 64 << 10;

/// Words of complaints that may be about the missing network of a trial.
const OF_THE_NETWORK: [&str; 7] = [
    "could not bind",
    "no listening sockets",
    "resolve",
    "Name or service not known",
    "name resolution",
    "Network is unreachable",
    "Cannot assign requested address",
];

/// Error logs, and how long they were: what is telling is often only there.
pub struct Logs(Vec<(PathBuf, u64)>);

impl Logs {
    /// The logs of a configuration, as they are now.
    pub fn now(server: &Server) -> Self {
        Self(
            server
                .facts
                .error_logs
                .iter()
                .map(|path| (path.clone(), length(path).unwrap_or(0)))
                .collect(),
        )
    }

    /// The line with the reason for which the server gave up since then.
    pub fn telling_line(&self) -> Option<String> {
        let added = self.0.iter().filter_map(|(path, from)| read_since(path, *from, LONGEST).ok());
        let text: Vec<String> =
            added.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        telling(&text.concat())
    }

    /// What the server said when it gave up, with the line of its log: on its stderr it may say no
    /// more than that it failed.
    pub fn complete(&self, said: &str) -> String {
        match self.telling_line() {
            Some(line) if is_bare(said) => line,
            _ => said.to_owned(),
        }
    }
}

/// Whether a complaint says no more than that there is one (AH00013 to AH00016), or nothing, when
/// logs were open already, or is a dialog about pass phrases, for which there is no terminal.
pub fn is_bare(said: &str) -> bool {
    if said.contains("pass phrase") {
        return true;
    }
    [
        WORDLESS,
        "Configuration Failed",
        "Unable to open logs",
        "Pre-configuration failed",
        "Configuration check failed",
    ]
    .iter()
    .any(|sum| said.ends_with(sum))
}

/// The last of the most serious lines, without its date and numbers.
fn telling(text: &str) -> Option<String> {
    let lines: Vec<&str> =
        text.lines().filter(|line| !is_bare(line.trim_end_matches(", exiting"))).collect();
    let levels = [":emerg]", ":alert]", ":crit]", ":error]"];
    let line = levels.iter().find_map(|level| lines.iter().rfind(|line| line.contains(level)))?;
    let text =
        line.find("AH0").or_else(|| line.find("AH1")).and_then(|at| line.get(at..)).unwrap_or(line);
    Some(text.trim().to_owned())
}

/// Starts the server apart from everything, up to where it would detach.
///
/// # Errors
/// What it does not like: a fault of this machine.
pub fn start(context: &Context<'_>, server: &Server, program: &Path) -> Result<(), Failure> {
    let logs = Logs::now(server);
    let said = match command::run_apart(server.command(program, &[]), context.budget.work()) {
        Ok(output) if output.code == Some(0) => return Ok(()),
        Ok(output) => logs.complete(&server::complaint(&output)),
        // Without the right to make namespaces there is no trial.
        Err(error) => {
            context.log.debug(format_args!("the configuration was not tried out: {error}"));
            return Ok(());
        }
    };
    if OF_THE_NETWORK.iter().any(|words| said.contains(words)) {
        context.log.debug(format_args!("a trial without network proves nothing: {said}"));
        return Ok(());
    }
    Err(server.refused(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telling_line_is_the_last_of_the_most_serious() {
        let log = "[Sat Nov 28 19:44:43.419848 2026] [ssl:warn] [pid 1:tid 1] AH01882: Init: this \
                   version\n\
                   [Sat Nov 28 19:44:43.434441 2026] [ssl:emerg] [pid 1:tid 1] AH02312: Fatal \
                   error\n\
                   [Sat Nov 28 19:44:43.434441 2026] [ssl:emerg] [pid 1:tid 1] AH02565: \
                   Certificate and private key x:443:0 \
                   from /c and /k do not match\n\
                   [Sat Nov 28 19:44:43.5 2026] [:emerg] [pid 1:tid 1] AH00020: Configuration \
                   Failed, exiting\n";
        let line = "AH02565: Certificate and private key x:443:0 from /c and /k do not match";
        assert_eq!(telling(log).as_deref(), Some(line));
        assert_eq!(telling("[x] [ssl:warn] AH01882: y\n"), None);
        assert_eq!(
            telling("[x] [core:error] no number\n").as_deref(),
            Some("[x] [core:error] no number")
        );
    }

    #[test]
    fn a_sum_alone_says_nothing() {
        assert!(
            is_bare("AH00016: Configuration Failed")
                && is_bare("AH00014: Configuration check failed")
        );
        assert!(!is_bare("AH00526: Syntax error on line 3 of /c: Invalid command 'X'"));
    }
}
