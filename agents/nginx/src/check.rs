//! nginx's own judgement of its configuration, without the traces that it leaves.
//!
//! `nginx -t` opens what a start would: it makes the pid file (empty), log files and directories
//! for temporary files, and binds the addresses for a moment. What was made here would have this
//! caller's owner and security label, and nginx might not be able to use it; so what was not there
//! before is taken away again.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::daemon::complaint;
use ocf::prelude::*;
use ocf::sys::command;
use ocf::sys::file;

use crate::instance::Described;

/// What nginx thinks of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Good,
    /// Good, but an address cannot be had at the moment.
    NoAddress(String),
    /// Good, but a name cannot be resolved at the moment.
    NoName(String),
    /// The machine does not let this caller look.
    Denied(String),
    /// Wrong, in nginx's words, with file and line.
    Bad(String),
}

impl Verdict {
    /// What it means for a start.
    ///
    /// # Errors
    /// Unless it is good.
    pub fn for_start(self) -> Result<(), Failure> {
        match self {
            Self::Good => Ok(()),
            Self::NoAddress(why) | Self::NoName(why) | Self::Denied(why) => {
                Err(Failure::generic(why))
            }
            Self::Bad(why) => Err(Failure::installed(why)),
        }
    }
}

/// Asks nginx.
///
/// # Errors
/// When the program or the file is not there, or the program does not answer.
pub fn check(context: &Context<'_>, described: &Described) -> Result<Verdict, Failure> {
    let record = &described.instance.record;
    if !described.installed {
        return Err(Failure::installed(format!("{} is not installed", record.program.display())));
    }
    if !described.readable {
        return Err(Failure::installed(format!(
            "the configuration file {} cannot be read",
            record.conf.display()
        )));
    }
    if !described.daemon {
        return Err(Failure::installed(format!(
            "{}: with \"daemon off\" nginx never detaches; remove that directive",
            record.conf.display()
        )));
    }
    let traces = Traces::before(&described.made, &record.pid_file);
    let output = command::run(described.instance.command(&["-t"]), None, context.budget.work());
    traces.remove(context);
    let command_line = format!("{} -t", record.program.display());
    match output {
        Ok(output) if output.code == Some(0) => Ok(Verdict::Good),
        Ok(output) => {
            let output = output.unless_killed(command_line)?;
            Ok(judge(
                &String::from_utf8_lossy(&output.stderr),
                &complaint(&output.stderr, &output.stdout),
            ))
        }
        Err(error) => Err(error.into_failure(command_line)),
    }
}

/// Reads what a check that failed has said; `all` is what to tell when nothing in it is known.
fn judge(said: &str, all: &str) -> Verdict {
    let line = said
        .lines()
        .find(|line| ["[emerg]", "[crit]", "[alert]"].iter().any(|level| line.contains(level)));
    let line = line
        .map_or(all, |line| line.split_once("] ").map_or(line, |(_, text)| without_number(text)))
        .to_owned();
    // A name server that is away comes back, and the configuration is as right as before.
    if line.contains("host not found in ") || line.contains("could not be resolved") {
        return Verdict::NoName(line);
    }
    // After these words only the machine can be at fault.
    if !said.contains("syntax is ok") {
        return if line.contains("(13: Permission denied)") {
            Verdict::Denied(line)
        } else {
            Verdict::Bad(line)
        };
    }
    let fatal: Vec<&str> = said.lines().filter(|line| line.contains("[emerg]")).collect();
    if !fatal.is_empty() && fatal.iter().all(|line| line.contains("bind() to ")) {
        return Verdict::NoAddress(line);
    }
    if line.contains("(13: Permission denied)") {
        Verdict::Denied(line)
    } else {
        Verdict::Bad(line)
    }
}

/// The message behind the numbers of process and thread, which builds for debugging tell:
/// `10#10: unknown directive`.
fn without_number(text: &str) -> &str {
    let is_number =
        |start: &str| start.contains('#') && start.bytes().all(|b| b == b'#' || b.is_ascii_digit());
    text.split_once(": ").filter(|(start, _)| is_number(start)).map_or(text, |(_, rest)| rest)
}

/// What was not there before a check.
struct Traces {
    files: Vec<PathBuf>,
    /// Directories that we made, so that the pid file has a place; the innermost first.
    directories: Vec<PathBuf>,
}

impl Traces {
    fn before(made: &[PathBuf], pid_file: &Path) -> Self {
        let is_absent = |path: &Path| std::fs::symlink_metadata(path).is_err();
        let files = made.iter().filter(|path| is_absent(path)).cloned().collect();
        // /run is empty after a boot, and the package's own start would make it.
        let above = pid_file.ancestors().skip(1);
        let mut directories: Vec<PathBuf> =
            above.take_while(|path| is_absent(path)).map(Path::to_owned).collect();
        for directory in directories.iter().rev() {
            if file::make_dir(directory, 0o755, None).is_err() {
                break;
            }
        }
        directories.retain(|path| !is_absent(path));
        Self { files, directories }
    }

    /// Takes away what is there now. A pid file with a number in it belongs to a server that has
    /// started meanwhile.
    fn remove(&self, context: &Context<'_>) {
        for path in &self.files {
            let Ok(found) = std::fs::symlink_metadata(path) else { continue };
            if found.is_dir() {
                file::remove_empty_dir(path);
            } else if found.is_file()
                && found.len() == 0
                && let Err(error) = file::remove(path)
            {
                context.log.debug(format_args!("{} stays: {error}", path.display()));
            }
        }
        for path in &self.directories {
            // One that is not empty any more belongs to a server that has started meanwhile.
            file::remove_empty_dir(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "nginx: the configuration file /e/n.conf syntax is ok\n";

    #[test]
    fn the_reason_has_file_and_line() {
        let said = "nginx: [emerg] unknown directive \"bogus\" in /e/n.conf:3\n\
                    nginx: configuration file /e/n.conf test failed\n";
        assert_eq!(
            judge(said, ""),
            Verdict::Bad("unknown directive \"bogus\" in /e/n.conf:3".into())
        );
        let said = "2026/11/21 09:00:00 [emerg] 10#10: unexpected end of file in /e/n.conf:12\n";
        assert_eq!(judge(said, ""), Verdict::Bad("unexpected end of file in /e/n.conf:12".into()));
        assert_eq!(
            judge("", "it failed without a word"),
            Verdict::Bad("it failed without a word".into())
        );
    }

    #[test]
    fn ng_f2_a_name_that_is_not_resolved_now_is_no_fault_of_the_configuration() {
        let said = "nginx: [emerg] host not found in upstream \"app.example\" in /e/n.conf:7\n";
        let expected = "host not found in upstream \"app.example\" in /e/n.conf:7";
        assert_eq!(judge(said, ""), Verdict::NoName(expected.into()));
    }

    #[test]
    fn an_address_that_is_elsewhere_is_no_fault_of_the_configuration() {
        let bind =
            "nginx: [emerg] bind() to 192.0.2.1:80 failed (99: Cannot assign requested address)\n";
        let expected = "bind() to 192.0.2.1:80 failed (99: Cannot assign requested address)";
        assert_eq!(judge(&format!("{FINE}{bind}"), ""), Verdict::NoAddress(expected.into()));
        let open = "nginx: [emerg] open() \"/l/e.log\" failed (2: No such file or directory)\n";
        let bad = "open() \"/l/e.log\" failed (2: No such file or directory)";
        assert_eq!(judge(&format!("{FINE}{open}{bind}"), ""), Verdict::Bad(bad.into()));
        let denied = "nginx: [emerg] open() \"/run/n.pid\" failed (13: Permission denied)\n";
        assert!(matches!(judge(&format!("{FINE}{denied}"), ""), Verdict::Denied(_)));
    }
}
