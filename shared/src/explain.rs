//! `--explain`: what a start would do here and why, what a monitor sees, and what is on record. For
//! people who call the agent by hand; it changes nothing.
//!
//! An agent's [`Agent::explain`] says what its start and its monitor go by, from the functions that
//! they call. Three things keep it from changing anything: every monitor in it is a probe, records
//! are not written, and neither is any log ([`Invocation::is_explanation`]).
#![forbid(unsafe_code)]

use std::fmt::Display;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::action::Action;
use crate::agent::{Agent, Context};
use crate::daemon::{Daemon, Found};
use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::outcome::{Exit, Status};
use crate::settle::settle;
use crate::spec::Spec;
use crate::sys::clock::Deadline;
use crate::sys::command;
use crate::sys::pidfile;
use crate::{lock, message, refused, run};

/// How long a program may take to say its version.
const VERSION: Duration = Duration::from_secs(5);

/// The explanation: lines of the form `name: value (why)`.
#[derive(Debug)]
pub struct Explanation {
    text: String,
    prefix: String,
}

impl Explanation {
    /// One without lines yet, for this call.
    #[must_use]
    pub fn new(invocation: &Invocation) -> Self {
        Self { text: String::new(), prefix: invocation.reason_prefix().to_owned() }
    }

    /// All lines.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a line.
    pub fn line(&mut self, name: &str, value: impl Display) {
        self.text.push_str(&message::line(&format!("{name}: {value}"), &self.prefix));
        self.text.push('\n');
    }

    /// Adds a line with a reason.
    pub fn because(&mut self, name: &str, value: impl Display, why: impl Display) {
        self.line(name, format_args!("{value} ({why})"));
    }

    /// Adds a line for each value; one without values says so.
    pub fn list<T: Display>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
        none: &str,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            self.line(name, none);
        }
        values.for_each(|value| self.line(name, value));
    }

    /// Adds what is on record of a server of this resource, as `shown`, and whether it is of these
    /// parameters; `None` where nothing is on record.
    pub fn record(&mut self, recorded: Option<(impl Display, bool)>) {
        match recorded {
            Some((shown, true)) => self.because("record", shown, "a monitor goes by it"),
            Some((shown, false)) => {
                self.because("record", shown, "of other parameters; a stop ends that server, too")
            }
            None => self.line("record", "none"),
        }
    }

    /// Adds a server's program, why it is that one, and its version where it is installed.
    pub fn program(&mut self, path: &Path, why: &str, is_installed: bool, deadline: Deadline) {
        self.because("program", path.display(), why);
        if is_installed {
            let mut command = Command::new(path);
            command.arg("-v");
            self.version(command, deadline);
        }
    }

    /// Adds what a monitor sees. A failure of it is one of its answers, and none of the
    /// explanation.
    pub fn monitor(&mut self, seen: &Result<Status, Failure>) {
        match seen {
            Ok(Status::Running) => self.line("monitor", "running"),
            Ok(Status::Degraded(why)) => self.because("monitor", "degraded", why),
            Ok(Status::NotRunning(None)) => self.line("monitor", "not running"),
            Ok(Status::NotRunning(Some(why))) => self.because("monitor", "not running", why),
            Err(failure) => self.because("monitor", "failed", failure),
        }
    }

    /// Adds a line with a command, as one would type it.
    pub fn command(&mut self, name: &str, command: &Command) {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted = |word: &std::ffi::OsStr| {
            let word = word.to_string_lossy();
            let is_plain =
                |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,+@%".contains(letter);
            if !word.is_empty() && word.chars().all(is_plain) {
                word.into_owned()
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        };
        self.line(name, words.map(quoted).collect::<Vec<_>>().join(" "));
    }

    /// Adds the version of a program: the first line of what it says when it is called like this.
    fn version(&mut self, program: Command, deadline: Deadline) {
        let said =
            command::run(program, None, Deadline::after(VERSION).min(deadline)).map(|output| {
                let text = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&text)
                    .lines()
                    .map(str::trim)
                    .find(|line| !line.is_empty())
                    .map(str::to_owned)
            });
        match said {
            Ok(Some(line)) => self.line("version", line),
            Ok(None) => self.because("version", "unknown", "the program said nothing"),
            Err(error) => self.because("version", "unknown", format_args!("the program {error}")),
        }
    }

    /// Adds what the pid file of a server says, and which processes of the server there are.
    ///
    /// # Errors
    /// As [`Daemon::observe`].
    pub fn processes<S: Daemon>(
        &mut self,
        server: &S,
        deadline: Deadline,
    ) -> Result<Found, Failure> {
        let path = server.pid_file().display();
        match pidfile::read(server.pid_file()) {
            Ok(numbers) if numbers.is_empty() => {
                self.because("pid file", path, "there is none, or it is empty")
            }
            Ok(numbers) => {
                let all: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                self.because("pid file", path, format_args!("says {}", all.join(" ")));
            }
            Err(error) => self.because("pid file", path, format_args!("not believed: {error}")),
        }
        let found = server.observe(deadline)?;
        match &found.master {
            Some(master) => self.because(
                "process",
                crate::daemon::described(master),
                "its program and arguments",
            ),
            None if found.orphans.is_empty() => self.line("process", "none"),
            None => {}
        }
        for orphan in &found.orphans {
            self.because(
                "process",
                crate::daemon::described(orphan),
                "left by a master that has died",
            );
        }
        Ok(found)
    }
}

/// Answers a call with `--explain`.
pub(crate) fn answer<A: Agent>(context: &Context<'_>) -> Exit {
    let mut explanation = Explanation::new(context.invocation);
    let explained = explain::<A>(context, &mut explanation);
    let said = run::say(explanation.text());
    match explained {
        Ok(()) => said,
        // The code is that of a start that failed for this.
        Err(failure) => settle(Action::Start, false, &failure),
    }
}

fn explain<A: Agent>(context: &Context<'_>, explanation: &mut Explanation) -> Result<(), Failure> {
    let (spec, invocation) = (A::SPEC, context.invocation);
    explanation.line("agent", format_args!("{} {}", spec.name, spec.version));
    explanation.line("resource", invocation.instance());
    parameters(invocation, spec, explanation);
    if let Some(holder) = lock::busy_with(invocation, spec.name) {
        explanation.because("action under way", holder, "what follows may change");
    }
    if let Some(reason) = refused::remembered::<A>(context) {
        explanation.because("configuration", "refused at the last reload", reason);
    }
    let mut faults = invocation.values.faults(spec.parameters);
    let params = A::params(&invocation.values, invocation, &mut faults);
    match (faults.into_failure(), params) {
        (Some(failure), _) => Err(failure),
        (None, Some(params)) => A::explain(context, &params, explanation),
        (None, None) => Err(Failure::generic("the parameters were refused without a reason")),
    }
}

/// The parameters that were given: all others have their defaults.
fn parameters(invocation: &Invocation, spec: &Spec, explanation: &mut Explanation) {
    let values = &invocation.values;
    for (name, value) in values.given() {
        let named = |info: &crate::param::Info| info.name == name || info.aliases.contains(&name);
        match spec.parameters.iter().map(|param| param.info()).find(|info| named(info)) {
            Some(info) if info.private => {
                explanation.line("parameter", format_args!("{name}=(hidden)"))
            }
            Some(info) if info.name != name => {
                explanation.because(
                    "parameter",
                    format_args!("{name}={value}"),
                    format_args!("that is {}", info.name),
                );
            }
            Some(_) => explanation.line("parameter", format_args!("{name}={value}")),
            None => explanation.because(
                "parameter",
                format_args!("{name}={value}"),
                "unknown, and ignored",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        Explanation { text: String::new(), prefix: "ocf-exit-reason:".into() }
    }

    #[test]
    fn a_line_is_a_name_a_value_and_a_reason() {
        let mut all = explanation();
        all.line("program", "/usr/sbin/x");
        all.because("interface", "eth1", "the only one");
        all.list("listens on", ["a", "b"], "nothing");
        all.list("requests", [""; 0], "nothing");
        let mut command = Command::new("/usr/sbin/x");
        command.args(["-c", "a b", ""]);
        all.command("start", &command);
        all.line("page", "http://u:secret@host/\nx");
        let expected = "program: /usr/sbin/x\ninterface: eth1 (the only one)\nlistens on: a\n\
                        listens on: b\nrequests: nothing\nstart: /usr/sbin/x -c 'a b' ''\n\
                        page: http://u:***@host/ x\n";
        assert_eq!(all.text(), expected);
    }

    #[test]
    fn each_answer_of_a_monitor_is_shown() {
        let shown = |seen| {
            let mut all = explanation();
            all.monitor(&seen);
            all.text
        };
        assert_eq!(shown(Ok(Status::Running)), "monitor: running\n");
        assert_eq!(shown(Ok(Status::Degraded("slow".into()))), "monitor: degraded (slow)\n");
        assert_eq!(shown(Ok(Status::STOPPED)), "monitor: not running\n");
        assert_eq!(shown(Err(Failure::generic("broken"))), "monitor: failed (broken)\n");
    }
}
