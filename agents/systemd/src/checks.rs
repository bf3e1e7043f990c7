//! Whether the application works, which systemd does not know.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::external;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::endpoint::{Endpoint, connect};
use ocf::sys::process::Member;
use ocf::sys::resolve::resolve;
use ocf::web::{self, Test};

use crate::params::{self, HostPort};
use crate::settings::Checks;

/// A port or a local socket that takes longer for a connection does not work.
const LONGEST: Duration = Duration::from_secs(10);

/// What the checks of level 10 say; with `all`, also that of level 20.
///
/// # Errors
/// What the first that failed has to say.
pub fn run(
    context: &Context<'_>,
    checks: &Checks,
    all: bool,
    deadline: Deadline,
) -> Result<Status, Failure> {
    let limit = Deadline::after(LONGEST).min(deadline);
    if let Some(place) = &checks.tcp {
        reachable(place, limit).map_err(|failure| failure.wrap("check_tcp"))?;
    }
    if let Some(path) = &checks.unix {
        let connected = connect(&Endpoint::Unix(path.clone()), limit);
        connected.map_err(|error| Failure::generic(format!("check_unix: {error}")))?;
    }
    let status = match &checks.http {
        Some((url, pattern)) => {
            let mut test = Test::new(url.clone(), checks.rules.clone());
            test.regex.clone_from(pattern);
            web::check(&test, deadline).map_err(|failure| failure.wrap("check_http"))?
        }
        None => Status::Running,
    };
    if let Some(words) = checks.command.as_ref().filter(|_| all) {
        external::check(params::CHECK_COMMAND.info.name, words, context, deadline)?;
    }
    Ok(status)
}

/// Whether there is anything to check.
pub fn any(checks: &Checks) -> bool {
    checks.http.is_some()
        || checks.tcp.is_some()
        || checks.unix.is_some()
        || checks.command.is_some()
}

fn reachable(place: &HostPort, limit: Deadline) -> Result<(), Failure> {
    let mut last = None;
    for address in resolve(&place.host, place.port, limit)
        .map_err(|error| Failure::generic(error.to_string()))?
    {
        match connect(&Endpoint::Tcp(address), limit) {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error.to_string()),
        }
    }
    Err(Failure::generic(last.unwrap_or_else(|| format!("{} has no address", place.host))))
}

/// Whether a main process does anything, by what the kernel says of it: a signal or a debugger may
/// hold it, and it may have ended while systemd has not heard of it yet.
///
/// # Errors
/// What is wrong with it.
pub fn process(pid: u32) -> Result<(), Failure> {
    let what = format!("the main process {pid}");
    let number = i32::try_from(pid).map_err(|_| Failure::generic(format!("{what} cannot be")))?;
    match Member::find(number).or_fail(&what)? {
        Some(member) if member.held => Err(Failure::generic(format!(
            "{what} is held by a signal or a debugger and does nothing: SIGCONT lets it go on"
        ))),
        Some(_) => Ok(()),
        None => {
            Err(Failure::generic(format!("{what} has ended, and systemd does not know it yet")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_does_not_work() {
        assert!(process(std::process::id()).is_ok());
        assert!(process(i32::MAX as u32).is_err());
        assert!(process(u32::MAX).is_err());
    }
}
