//! The end of every action: one log line with the whole reason, and last of all one reason line on
//! stderr, as long as Pacemaker keeps it.
#![forbid(unsafe_code)]

use std::io::Write;

use crate::invocation::{Asked, Invocation};
use crate::log::{Level, Log};
use crate::message;
use crate::outcome::{Code, Exit};

/// Logs how the action ended, prints the reason if there is one, and gives the exit code.
///
/// Pacemaker takes the text after the last prefix on stderr, up to the newline
/// (`lib/services/services_linux.c`), so the reason is one line and comes last.
pub(crate) fn report(exit: &Exit, invocation: &Invocation, log: &Log) -> u8 {
    let code = exit.code as u8;
    if let Asked::Action(action) = &invocation.asked {
        log.trace(format_args!("{} ends with {code}", action.word()));
    }
    if let Some(reason) = &exit.reason {
        let level = if matches!(exit.code, Code::NotRunning | Code::Degraded) {
            Level::Warn
        } else {
            Level::Error
        };
        let prefix = invocation.reason_prefix();
        let short = message::reason(reason, prefix);
        // Where there is no log, the whole text of a shortened reason goes to stderr as a message
        // of its own.
        let put = if short.contains('…') { Log::write } else { Log::aside };
        put(log, level, format_args!("{reason}"));
        let line = format!("{prefix}{short}\n");
        // A closed stderr cannot be reported; the exit code is still right.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    code
}
