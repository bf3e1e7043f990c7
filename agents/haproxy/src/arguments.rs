//! Whose a process is, by the arguments that it was started with. A master that reloads puts
//! `-sf PIDS` and `-x SOCKET` in front of its own and gives the rest to its new worker as they were
//! (HAProxy's src/haproxy.c, `mworker_reexec`).
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the arguments say, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The configuration: files and directories, in order.
    pub configs: Vec<PathBuf>,
    /// Where it writes its number.
    pub pid_file: Option<PathBuf>,
    /// The socket of the master, where it is one in the file system.
    pub master_socket: Option<PathBuf>,
    /// Whether it has a master.
    pub master_worker: bool,
    /// Whether it only checks something and serves no clients: `-c`, `-v`.
    pub asks: bool,
}

/// Reads arguments; the first one is the program's name.
pub fn parse(arguments: &[Vec<u8>]) -> Arguments {
    let path = |word: &[u8]| PathBuf::from(OsStr::from_bytes(word));
    let mut found = Arguments::default();
    let mut words = arguments.iter().skip(1).map(Vec::as_slice).peekable();
    while let Some(word) = words.next() {
        match word {
            b"--" => {
                found.configs.extend(words.by_ref().map(path));
            }
            b"-f" => found.configs.extend(words.next().map(path)),
            b"-p" => found.pid_file = words.next().map(path),
            b"-S" => found.master_socket = words.next().and_then(local_socket),
            b"-sf" | b"-st" => {
                while words.next_if(|word| word.iter().all(u8::is_ascii_digit)).is_some() {}
            }
            b"-C" | b"-L" | b"-m" | b"-n" | b"-N" | b"-x" | b"-G" => {
                words.next();
            }
            b"-W" | b"-Ws" => found.master_worker = true,
            b"-c" | b"-cc" | b"-v" | b"-vv" => found.asks = true,
            _ => {}
        }
    }
    found
}

/// The old workers that a master lets finish after a reload (`-sf` and their numbers). The numbers
/// stay in its arguments when the workers have ended.
pub fn finishing(arguments: &[Vec<u8>]) -> Vec<i32> {
    match arguments.get(1..) {
        Some([order, rest @ ..]) if order == b"-sf" => {
            let number = |word: &Vec<u8>| std::str::from_utf8(word).ok()?.parse().ok();
            rest.iter().map_while(number).collect()
        }
        _ => Vec::new(),
    }
}

/// The path of `-S /path,mode,600` or `unix@/path`; `None` for an address of another family.
fn local_socket(value: &[u8]) -> Option<PathBuf> {
    let name = value.split(|byte| *byte == b',').next()?;
    let name = name.strip_prefix(b"unix@").unwrap_or(name);
    name.starts_with(b"/").then(|| PathBuf::from(OsStr::from_bytes(name)))
}

/// What is known of an instance.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its configuration.
    pub configs: &'a [PathBuf],
    /// The one that is on record, where its parameters say another one by now.
    pub former: Option<&'a [PathBuf]>,
    /// Its pid file.
    pub pid_file: &'a Path,
    /// Whether that has a name that this agent gave it.
    pub is_own_pid_file: bool,
}

impl Arguments {
    /// Whether they are those of an instance: with its configuration, or with a pid file that this
    /// agent has named. A pid file that a parameter names may be that of another server, such as
    /// the system's haproxy.
    /// `None` when they cannot tell, as with a relative name, for what it was relative to is not
    /// known by now. `is_added` says which files this agent adds to a configuration, for whatever
    /// resource: the resource may have had another name.
    pub fn is_instance(&self, known: &Known<'_>, is_added: impl Fn(&Path) -> bool) -> Option<bool> {
        if self.asks {
            return Some(false);
        }
        let is_named = self.pid_file.as_deref() == Some(known.pid_file);
        let given = |configs: &[PathBuf]| -> Vec<PathBuf> {
            configs.iter().filter(|path| !is_added(path)).cloned().collect()
        };
        let (theirs, ours) = (given(&self.configs), given(known.configs));
        let is_former = || known.former.is_some_and(|former| given(former) == theirs);
        // A unit may add a directory (Red Hat's: -f haproxy.cfg -f conf.d).
        let has_ours = || !ours.is_empty() && ours.iter().all(|config| theirs.contains(config));
        if theirs == ours || is_named && (known.is_own_pid_file || is_former() || has_ours()) {
            return Some(true);
        }
        let alike = |theirs: &Path, ours: &Path| {
            theirs == ours || theirs.is_relative() && ours.ends_with(theirs)
        };
        let maybe = theirs.len() == ours.len()
            && theirs.iter().zip(&ours).all(|(one, other)| alike(one, other));
        match (maybe, is_named) {
            (true, true) => Some(true),
            (true, false) => None,
            (false, _) => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Arguments {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        parse(&words)
    }

    #[test]
    fn a_reload_changes_nothing_of_what_matters() {
        let first =
            read("haproxy -W -D -p /run/a.pid -S /run/a.sock,mode,600 -f /etc/a.cfg -f /etc/d");
        assert_eq!(first.configs, [PathBuf::from("/etc/a.cfg"), PathBuf::from("/etc/d")]);
        assert_eq!(first.pid_file.as_deref(), Some(Path::new("/run/a.pid")));
        assert_eq!(first.master_socket.as_deref(), Some(Path::new("/run/a.sock")));
        assert!(first.master_worker && !first.asks);
        let later = "haproxy -sf 7 12 -x sockpair@3 -W -D -p /run/a.pid -S /run/a.sock,mode,600 -f \
                     /etc/a.cfg -f /etc/d";
        assert_eq!(read(later), first);
        let words: Vec<Vec<u8>> = later.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        assert_eq!(finishing(&words), [7, 12]);
        assert_eq!(finishing(&words[1..]), [0; 0], "of a haproxy called -sf");
        assert_eq!(finishing(&[]), [0; 0]);
    }

    #[test]
    fn forms_of_debian_and_others_are_known() {
        let unit = read(
            "/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S \
             /run/haproxy-master.sock",
        );
        assert!(unit.master_worker);
        assert_eq!(unit.master_socket.as_deref(), Some(Path::new("/run/haproxy-master.sock")));
        assert_eq!(read("haproxy -S unix@/run/m -db -- /a /b").configs.len(), 2);
        assert_eq!(read("haproxy -S 127.0.0.1:999 -L -f").master_socket, None);
        assert_eq!(read("haproxy -L -f -C /etc -f a.cfg").configs, [PathBuf::from("a.cfg")]);
        assert!(read("haproxy -c -f /a").asks);
    }

    #[test]
    fn an_instance_is_its_configuration_or_a_pid_file_of_its_own() {
        let configs = [PathBuf::from("/e/a.cfg"), PathBuf::from("/run/a.extra")];
        let former = [PathBuf::from("/e/former.cfg")];
        let given = Known {
            configs: &configs,
            former: Some(&former),
            pid_file: Path::new("/run/a.pid"),
            is_own_pid_file: false,
        };
        let is_added = |path: &Path| path.starts_with("/run");
        let judge = |line: &str| read(line).is_instance(&given, is_added);
        for (line, expected) in [
            ("haproxy -f /e/a.cfg", Some(true)),
            ("haproxy -f /e/a.cfg -f /run/a.extra", Some(true)),
            ("haproxy -f /e/a.cfg -f /run/former.extra -p /run/former.pid", Some(true)),
            ("haproxy -f /e/a.cfg -p /run/other.pid", Some(true)),
            ("haproxy -f /e/b.cfg -p /run/a.pid", Some(false)),
            ("haproxy -p /run/a.pid", Some(false)),
            ("haproxy -f a.cfg -p /run/a.pid", Some(true)),
            ("haproxy -f /e/former.cfg -p /run/a.pid", Some(true)),
            ("haproxy -f /e/a.cfg -f /e/conf.d -p /run/a.pid", Some(true)),
            ("haproxy -f /e/a.cfg -f /e/conf.d -p /run/b.pid", Some(false)),
            ("haproxy -f /e/former.cfg -p /run/other.pid", Some(false)),
            ("haproxy -f /e/a.cfg2", Some(false)),
            ("haproxy -f /e/a.cfg -f /e/b.cfg", Some(false)),
            ("haproxy -f a.cfg", None),
            ("haproxy -f b.cfg", Some(false)),
            ("haproxy", Some(false)),
            ("haproxy -c -f /e/a.cfg", Some(false)),
            ("haproxy -c -f /e/b.cfg -p /run/a.pid", Some(false)),
        ] {
            assert_eq!(judge(line), expected, "{line}");
        }
        let own = Known { is_own_pid_file: true, former: None, ..given };
        let judge = |line: &str| read(line).is_instance(&own, is_added);
        assert_eq!(judge("haproxy -f /e/b.cfg -p /run/a.pid"), Some(true));
        assert_eq!(judge("haproxy -f /e/b.cfg -p /run/b.pid"), Some(false));
    }
}
