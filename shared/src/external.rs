//! A check that the administrator brings: a program, judged by its exit code.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use crate::agent::Context;
use crate::daemon::complaint;
use crate::failure::Failure;
use crate::sys::clock::Deadline;
use crate::sys::command::{self, RunError, find_in_path};

/// Runs the program that the parameter `name` gives, with its arguments and without a shell. It is
/// good when it ends with exit code 0 before the deadline.
///
/// # Errors
/// What it said, or why it could not be run or did not end. Always an ordinary failure, not "not
/// installed": of the latter a probe makes "does not run".
pub fn check(
    name: &str,
    words: &[String],
    context: &Context<'_>,
    deadline: Deadline,
) -> Result<(), Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::generic(format!("{name} names no program")));
    };
    let missing = || Failure::generic(format!("{name}: {program} is not installed"));
    let path = match program.starts_with('/') {
        true => PathBuf::from(program),
        false => find_in_path(program, context.invocation.variable("PATH").unwrap_or_default())
            .ok_or_else(missing)?,
    };
    let mut command = Command::new(path);
    command.args(arguments);
    match command::run(command, None, deadline) {
        Ok(output) if output.code == Some(0) => Ok(()),
        Ok(output) => {
            let how = match (output.code, output.signal) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            };
            let said = complaint(&output.stderr, &output.stdout);
            Err(Failure::generic(format!("{name}: {program}: {how}: {said}")))
        }
        Err(RunError::Start(error)) if error.kind() == ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(Failure::generic(format!("{name}: {program} {error}"))),
    }
}
