//! Whose daemon is a process? By its arguments. Pure.
//!
//! ldirectord is a script: the process is its interpreter with the script's path, the configuration
//! and the word `start`. With `fork=yes` each virtual service has a child that overwrites its
//! arguments by a title: `ldirectord tcp:10.0.0.1:80`.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The words that a daemon is started by; others are of calls that end by themselves.
const STARTING: [&[u8]; 3] = [b"start", b"restart", b"try-restart"];

/// Where a configuration that is only named lies.
const FOLDERS: [&str; 2] = ["/etc/ha.d", "/etc/ha.d/conf"];

/// What the arguments of an interpreter tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A daemon of a configuration, as it was named.
    Daemon(PathBuf),
    /// The child of one, for a virtual service.
    Child,
    /// Something else.
    Other,
}

/// Reads the arguments of a process that runs the interpreter, or the program itself.
pub fn read(arguments: &[Vec<u8>], program: &Path) -> Role {
    if arguments.first().is_some_and(|title| title.starts_with(b"ldirectord ")) {
        return Role::Child;
    }
    let named = |argument: &Vec<u8>| {
        let path = Path::new(OsStr::from_bytes(argument));
        path == program || path.file_name() == Some(OsStr::new("ldirectord"))
    };
    let Some(place) = arguments.iter().position(named) else { return Role::Other };
    let options: [&[u8]; 3] = [b"-d", b"--debug", b"--"];
    let mut words =
        arguments[place + 1..].iter().skip_while(|word| options.contains(&word.as_slice()));
    match (words.next(), words.next()) {
        (Some(conf), Some(word)) if STARTING.contains(&word.as_slice()) => {
            Role::Daemon(Path::new(OsStr::from_bytes(conf)).to_owned())
        }
        (Some(word), None) if STARTING.contains(&word.as_slice()) => Role::Daemon(UNNAMED.0.into()),
        _ => Role::Other,
    }
}

/// The file that the daemon takes for a name, in its order.
pub fn conf(name: &Path, is_file: impl Fn(&Path) -> bool) -> PathBuf {
    // To the daemon, even an absolute name is first one below its own folders.
    let below = |folder: &&str| Path::new(folder).join(name.strip_prefix("/").unwrap_or(name));
    FOLDERS.iter().map(below).find(|path| is_file(path)).unwrap_or_else(|| name.to_owned())
}

/// The pid file of a configuration: only the last part of its path counts.
pub fn pid_file(conf: &Path) -> PathBuf {
    let name = conf.file_name().unwrap_or(conf.as_os_str());
    Path::new("/var/run").join([b"ldirectord.", name.as_bytes(), b".pid"].concat().as_os())
}

/// The configuration of a daemon that is started without the name of one, and the pid file that it
/// has then: Debian's unit starts it so.
pub const UNNAMED: (&str, &str) = ("ldirectord.cf", "/var/run/ldirectord.ldirectord.pid");

/// Bytes as a name.
trait AsOs {
    fn as_os(&self) -> &OsStr;
}

impl AsOs for Vec<u8> {
    fn as_os(&self) -> &OsStr {
        OsStr::from_bytes(self)
    }
}

/// The interpreter that a script names in its first line.
pub fn interpreter(start: &[u8]) -> Option<PathBuf> {
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    Some(Path::new(OsStr::from_bytes(words.next()?)).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(line: &str) -> Role {
        let arguments: Vec<Vec<u8>> =
            line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        read(&arguments, Path::new("/opt/lvs/director"))
    }

    #[test]
    fn a_daemon_is_told_from_other_calls_of_its_program() {
        let daemon = |conf: &str| Role::Daemon(conf.into());
        for (line, expected) in [
            (
                "/usr/bin/perl -w /usr/sbin/ldirectord /etc/ha.d/ldirectord.cf start",
                daemon("/etc/ha.d/ldirectord.cf"),
            ),
            ("/usr/bin/perl -w /opt/lvs/director -d -- x.cf restart", daemon("x.cf")),
            ("/usr/bin/perl /usr/sbin/ldirectord start", daemon("ldirectord.cf")),
            ("/usr/bin/perl -w /usr/sbin/ldirectord /etc/ha.d/ldirectord.cf status", Role::Other),
            ("/usr/bin/perl -w /usr/sbin/ldirectord /etc/ha.d/ldirectord.cf", Role::Other),
            ("/usr/bin/perl -e sleep /etc/ha.d/ldirectord.cf start", Role::Other),
            ("vi /etc/ha.d/ldirectord.cf", Role::Other),
        ] {
            assert_eq!(role(line), expected, "{line}");
        }
        let title = b"ldirectord tcp:10.0.0.1:80 checking 10.0.0.2".to_vec();
        assert_eq!(read(&[title, Vec::new()], Path::new("/x")), Role::Child);
    }

    #[test]
    fn a_configuration_is_found_where_the_daemon_finds_it() {
        let there = |path: &Path| path == Path::new("/etc/ha.d/conf/web.cf");
        assert_eq!(conf(Path::new("web.cf"), there), Path::new("/etc/ha.d/conf/web.cf"));
        assert_eq!(conf(Path::new("/srv/x.cf"), there), Path::new("/srv/x.cf"));
        assert_eq!(conf(Path::new("/web.cf"), there), Path::new("/etc/ha.d/conf/web.cf"));
        assert_eq!(pid_file(Path::new("/srv/x.cf")), Path::new("/var/run/ldirectord.x.cf.pid"));
    }

    #[test]
    fn a_script_names_its_interpreter() {
        assert_eq!(interpreter(b"#!/usr/bin/perl -w\n####\n"), Some("/usr/bin/perl".into()));
        assert_eq!(interpreter(b"#! /usr/bin/perl\n"), Some("/usr/bin/perl".into()));
        assert_eq!(interpreter(b"\x7fELF"), None);
    }
}
