//! haproxy's own judgement of its configuration (`-c`). It binds no address and leaves nothing
//! behind.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::daemon::complaint;
use ocf::prelude::*;
use ocf::sys::command;
use ocf::sys::file;

use crate::instance::Instance;
use crate::plain;

/// What haproxy thinks of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Good,
    /// Right as far as one can see, but something that it needs cannot be had at the moment.
    NotNow(String),
    /// The machine does not let this caller look.
    Denied(String),
    /// Wrong, in haproxy's words, with file and line.
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
            Self::NotNow(why) | Self::Denied(why) => Err(Failure::generic(why)),
            Self::Bad(why) => Err(Failure::installed(why)),
        }
    }
}

/// Asks haproxy. `extra` says whether the file that is added to the configuration is there.
///
/// # Errors
/// When the program or a file is not there, or the program does not answer.
pub fn check(context: &Context<'_>, instance: &Instance, extra: bool) -> Result<Verdict, Failure> {
    let program = instance.record.program.display();
    if !instance.installed || !instance.record.program.is_file() {
        return Err(Failure::installed(format!("{program} is not installed")));
    }
    for path in &instance.record.identity.configs {
        if let Err(error) = std::fs::metadata(path) {
            let what = match error.kind() {
                std::io::ErrorKind::NotFound => "does not exist".to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            return Err(Failure::installed(format!("the configuration {} {what}", path.display())));
        }
    }
    // haproxy would put its socket in the place of whatever is there. What is at a path of the
    // resource's own may be replaced.
    let sockets = [&instance.record.identity.master_socket, &instance.record.identity.stats_socket];
    if let Some(path) = sockets.into_iter().flatten().find(|path| file::is_not_socket(path)) {
        return Err(Failure::new(
            Kind::Args,
            format!("{} is not a socket; choose another path", path.display()),
        ));
    }
    let command_line = format!("{program} -c");
    match command::run(instance.check_command(extra), None, context.budget.work()) {
        Ok(output) if output.code == Some(0) => {
            Ok(missing_chroot(&instance.record.identity.configs)
                .map_or(Verdict::Good, Verdict::Bad))
        }
        Ok(output) => {
            let output = output.unless_killed(command_line)?;
            let is_root = nix::unistd::geteuid().is_root();
            Ok(judge(
                &String::from_utf8_lossy(&output.stderr),
                &complaint(&output.stderr, &output.stdout),
                is_root,
            ))
        }
        Err(error) => Err(error.into_failure(command_line)),
    }
}

/// haproxy's check does not look at the directory of `chroot`; without it a new worker ends, and
/// the master with all others.
fn missing_chroot(configs: &[PathBuf]) -> Option<String> {
    let (file, line, directory) = plain::last_chroot(configs)?;
    (!directory.is_dir()).then(|| {
        format!("{}:{line}: chroot {}: no such directory", file.display(), directory.display())
    })
}

/// The most lines of a complaint that are reported.
const LINES: usize = 3;

/// What follows the faults, and only counts.
const SUMS: [&str; 3] =
    ["Error(s) found", "Fatal errors found", "Failed to initialize server(s) addr."];

/// Reads what a check that failed has said; `all` is what to tell when nothing in it is known.
fn judge(said: &str, all: &str, is_root: bool) -> Verdict {
    let alerts = said
        .lines()
        .filter(|line| line.starts_with("[ALERT]"))
        .filter_map(|line| line.split_once(" : "));
    let texts = alerts
        .map(|(_, text)| text.trim())
        .map(|text| text.strip_prefix("config : ").unwrap_or(text));
    let is_sum = |text: &&str| SUMS.iter().any(|sum| text.starts_with(sum));
    let faults: Vec<&str> = texts.filter(|text| !is_sum(text)).take(LINES).collect();
    let line = if faults.is_empty() { all.to_owned() } else { faults.join(" / ") };
    if line.contains("Permission denied") && !is_root {
        return Verdict::Denied(line);
    }
    // A name server that is away comes back, and the configuration is as right as before.
    let lookups = ["could not resolve address", "failed to resolve", "invalid address: "];
    if !faults.is_empty()
        && faults.iter().all(|fault| lookups.iter().any(|words| fault.contains(words)))
    {
        return Verdict::NotNow(line);
    }
    Verdict::Bad(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_has_file_and_line() {
        let new = "[NOTICE]   (10) : haproxy version is 2.6.12\n\
                   [NOTICE]   (10) : path to executable is /usr/sbin/haproxy\n\
                   [ALERT]    (10) : config : parsing [/e/a.cfg:17] : unknown keyword 'bogus' in \
                   'backend' section\n\
                   [ALERT]    (10) : config : Error(s) found in configuration file : /e/a.cfg\n\
                   [ALERT]    (10) : config : Fatal errors found in configuration.\n";
        let old = "[ALERT] 324/103456 (10) : parsing [/e/a.cfg:17] : unknown keyword 'bogus' in \
                   'backend' section\n\
                   [ALERT] 324/103456 (10) : Error(s) found in configuration file : /e/a.cfg\n";
        let expected = "parsing [/e/a.cfg:17] : unknown keyword 'bogus' in 'backend' section";
        for said in [new, old] {
            assert_eq!(judge(said, "", true), Verdict::Bad(expected.into()));
        }
        assert_eq!(
            judge("", "it failed without a word", true),
            Verdict::Bad("it failed without a word".into())
        );
    }

    #[test]
    fn what_may_be_right_in_a_minute_is_no_fault_of_the_configuration() {
        let name = "[ALERT] (1) : config : parsing [/e/a.cfg:9] : 'server app/s1' : could not \
                    resolve address 'web1'.\n";
        assert!(matches!(judge(name, "", true), Verdict::NotNow(_)));
        let with_sum =
            format!("{name}[ALERT] (1) : config : Failed to initialize server(s) addr.\n");
        assert_eq!(judge(&with_sum, "", true), judge(name, "", true));
        let both =
            format!("{name}[ALERT] (1) : config : parsing [/e/a.cfg:10] : unknown keyword 'x'\n");
        assert!(matches!(judge(&both, "", true), Verdict::Bad(_)));
        let denied =
            "[ALERT] (1) : Could not open configuration file /e/a.cfg : Permission denied\n";
        assert!(matches!(judge(denied, "", false), Verdict::Denied(_)));
        assert!(matches!(judge(denied, "", true), Verdict::Bad(_)));
    }
}
