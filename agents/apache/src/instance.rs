//! Which processes are this instance's: those that run the server's program with this configuration
//! as an argument, word for word. `a.conf2` is not `a.conf`, and a number in a pid file is a hint
//! at most.
#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use ocf::daemon::{About, Daemon, Polite};
use ocf::prelude::*;
use ocf::sys::file;

use crate::record::Record;
use crate::server::Server;
use crate::settings::{CONFIGS, Identity};

/// What is known of the server as the parameters and its configuration describe it now.
pub fn describe(server: &Server, identity: &Identity) -> Record {
    Record {
        key: identity.key(),
        config: server.config.clone(),
        programs: identity.programs(),
        pid_file: server.pid_file.clone(),
        listens: server.facts.listens.clone(),
        status_pages: server.facts.status_pages.clone(),
        serial: None,
    }
}

/// What is known of a server that this resource has started, if it is the one that the parameters
/// describe.
pub fn remembered(context: &Context<'_>, identity: &Identity) -> Option<Record> {
    Record::load(context.invocation).filter(|known| known.key == identity.key())
}

/// The instance on record, where it was started with other parameters.
pub fn earlier(context: &Context<'_>, identity: &Identity) -> Option<Instance> {
    let known = Record::load(context.invocation).filter(|known| known.key != identity.key())?;
    Some(Instance::new(context, known))
}

/// An instance, by what is known of it.
pub struct Instance {
    known: Record,
    name: String,
    note: PathBuf,
}

impl Instance {
    /// The server that this is known of.
    pub fn new(context: &Context<'_>, known: Record) -> Self {
        let name = format!("the web server of {}", known.config.display());
        Self { known, name, note: Record::path(context.invocation, "master") }
    }
}

impl Daemon for Instance {
    fn about(&self) -> About<'_> {
        About {
            name: &self.name,
            pid_file: &self.known.pid_file,
            note: &self.note,
            programs: &self.known.programs,
        }
    }

    fn claims(&self, arguments: &[Vec<u8>]) -> Option<bool> {
        started_with(arguments, &self.known.config)
    }

    /// SIGWINCH makes a master close its addresses, answer the requests that it has, and end then.
    fn polite(&self, invocation: &Invocation) -> Polite {
        Polite::for_clients(Signal::SIGWINCH, &invocation.values)
    }

    /// Programs that logs are piped to, and CGI scripts with their daemon.
    fn has_helpers(&self) -> bool {
        true
    }

    fn save(&self, invocation: &Invocation) -> Result<(), Failure> {
        self.known.save(invocation)
    }

    fn forget(&self, invocation: &Invocation) -> Result<(), Failure> {
        Record::forget(invocation)
    }

    /// The server would take any process with the number in the pid file for itself, and leave. Of
    /// a file that another server has written it would be right.
    fn make_way(&self, _context: &Context<'_>) -> Result<(), Failure> {
        self.expect_own_pid_file("PidFile")?;
        let path = &self.known.pid_file;
        file::remove(path).or_fail(path.display())
    }
}

/// Whether a server with these arguments has this configuration; `None` when they do not say.
fn started_with(arguments: &[Vec<u8>], config: &Path) -> Option<bool> {
    let (mut file, mut root) = (None, None);
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        let (slot, rest) = match word.strip_prefix(b"-f").map(|rest| (&mut file, rest)) {
            Some(found) => found,
            None => match word.strip_prefix(b"-d") {
                Some(rest) => (&mut root, rest),
                None => {
                    // The value of an option is none itself.
                    if matches!(word.as_slice(), b"-D" | b"-C" | b"-c" | b"-k" | b"-E" | b"-e") {
                        words.next();
                    }
                    continue;
                }
            },
        };
        let value = if rest.is_empty() { words.next().map(Vec::as_slice) } else { Some(rest) };
        *slot = value.map(|value| PathBuf::from(std::ffi::OsStr::from_bytes(value)));
    }
    match (file, root) {
        (Some(file), _) if file.is_absolute() => Some(file == config),
        (Some(file), Some(root)) => Some(root.join(file) == config),
        // Relative to a directory that the program knows, or its own default: it may be any that is
        // not elsewhere.
        (Some(file), None) => {
            if config.ends_with(&file) {
                None
            } else {
                Some(false)
            }
        }
        (None, Some(_)) => None,
        // Started by the distribution's own means.
        (None, None) => Some(CONFIGS.iter().any(|usual| config == Path::new(usual))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_of(words: &str, config: &str) -> Option<bool> {
        let words: Vec<Vec<u8>> =
            words.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        started_with(&words, Path::new(config))
    }

    #[test]
    fn ap_06_a_name_that_begins_alike_is_another_one() {
        assert_eq!(is_of("httpd -DSTATUS -f /srv/a.conf", "/srv/a.conf"), Some(true));
        assert_eq!(is_of("httpd -DSTATUS -f /srv/a.conf2", "/srv/a.conf"), Some(false));
        assert_eq!(is_of("httpd -DSTATUS -f /srv/a.conf", "/srv/a.conf2"), Some(false));
        assert_eq!(is_of("httpd -f/srv/a.conf", "/srv/a.conf"), Some(true));
    }

    #[test]
    fn only_the_option_counts() {
        assert_eq!(is_of("httpd -D -f /srv/a.conf", "/srv/a.conf"), Some(false));
        assert_eq!(is_of("httpd -c /srv/a.conf -f /srv/b", "/srv/a.conf"), Some(false));
        assert_eq!(is_of("httpd -d /srv -f a.conf", "/srv/a.conf"), Some(true));
        assert_eq!(is_of("httpd -f conf/a.conf", "/srv/conf/a.conf"), None);
    }

    #[test]
    fn the_distributions_own_server_has_the_distributions_configuration() {
        assert_eq!(is_of("/usr/sbin/apache2 -k start", "/etc/apache2/apache2.conf"), Some(true));
        assert_eq!(is_of("/usr/sbin/apache2 -k start", "/srv/a.conf"), Some(false));
    }
}
