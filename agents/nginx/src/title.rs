//! Which instance a process of nginx belongs to, by its arguments. nginx writes a title over them:
//! `nginx: master process` and the words that it was called with, as one; workers do not tell whose
//! they are.
#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a process was started as the instance with this configuration file; `None` when its
/// arguments cannot tell. `usual` says whether the file is the one that nginx takes when none is
/// named.
pub fn is_instance(arguments: &[Vec<u8>], conf: &Path, usual: impl Fn() -> bool) -> Option<bool> {
    // What is left of the old arguments behind a title is empty.
    let words: Vec<&[u8]> =
        arguments.iter().map(Vec::as_slice).filter(|word| !word.is_empty()).collect();
    let first = words.first()?;
    if let Some(command) = first.strip_prefix(b"nginx: master process ") {
        return by_title(command, conf.as_os_str().as_bytes(), usual);
    }
    if first.starts_with(b"nginx: ") {
        return None;
    }
    by_words(&words[1..], conf.as_os_str().as_bytes(), usual)
}

/// By words that have been joined with spaces: a name may hold spaces itself, so the whole of ours
/// is looked for.
fn by_title(command: &[u8], conf: &[u8], usual: impl Fn() -> bool) -> Option<bool> {
    let named = [b" -c ".as_slice(), b" -c"].into_iter().any(|option| {
        let wanted = [option, conf].concat();
        let ends = |at: usize| matches!(command.get(at + wanted.len()), None | Some(b' '));
        command.windows(wanted.len()).enumerate().any(|(at, part)| part == wanted && ends(at))
    });
    if named {
        return Some(true);
    }
    match command.windows(4).find(|part| part.starts_with(b" -c")) {
        // A relative name: it is not known by now relative to what.
        Some(option) if option[3] != b'/' && !command.windows(5).any(|part| part == b" -c /") => {
            None
        }
        Some(_) => Some(false),
        None if command.windows(3).any(|part| part == b" -p") => None,
        None => Some(usual()),
    }
}

/// By the words of one that has not detached yet, or never does. Calls that ask or tell something
/// are no server.
fn by_words(words: &[&[u8]], conf: &[u8], usual: impl Fn() -> bool) -> Option<bool> {
    let mut named = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word {
            [b'-', b'c'] => named = words.next().copied(),
            [b'-', b'c', name @ ..] => named = Some(name),
            [b'-', b'g' | b'p' | b'e'] => {
                words.next();
            }
            [b'-', b't' | b'T' | b's' | b'v' | b'V' | b'h' | b'?', ..] => return Some(false),
            _ => {}
        }
    }
    match named {
        Some(name) => Some(name == conf),
        None => Some(usual()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(arguments: &[&str], conf: &str, usual: bool) -> Option<bool> {
        let arguments: Vec<Vec<u8>> =
            arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
        is_instance(&arguments, Path::new(conf), || usual)
    }

    #[test]
    fn a_master_is_known_by_its_configuration_file() {
        let title = |rest: &str| format!("nginx: master process /usr/sbin/nginx{rest}");
        for (rest, conf, usual, expected) in [
            (" -c /e/a.conf", "/e/a.conf", false, Some(true)),
            (" -c /e/a.conf -g pid /x;", "/e/a.conf", false, Some(true)),
            (" -q -c/e/a.conf", "/e/a.conf", false, Some(true)),
            (" -c /e/a.conf2", "/e/a.conf", false, Some(false)),
            (" -c /e/a", "/e/a.conf", false, Some(false)),
            (" -c /e/other", "/e/a.conf", true, Some(false)),
            (" -c /e/a b.conf", "/e/a b.conf", false, Some(true)),
            ("", "/e/a.conf", true, Some(true)),
            (" -g daemon on; master_process on;", "/e/a.conf", true, Some(true)),
            (" -g daemon on;", "/e/a.conf", false, Some(false)),
            (" -c a.conf", "/e/a.conf", false, None),
            (" -p /srv", "/e/a.conf", true, None),
        ] {
            assert_eq!(judge(&[&title(rest), "", ""], conf, usual), expected, "{rest}");
        }
    }

    #[test]
    fn workers_do_not_tell() {
        for title in [
            "nginx: worker process",
            "nginx: worker process is shutting down",
            "nginx: cache manager process",
        ] {
            assert_eq!(judge(&[title, ""], "/e/a.conf", true), None);
        }
        assert_eq!(judge(&[], "/e/a.conf", true), None);
    }

    #[test]
    fn one_that_has_no_title_yet_is_known_by_its_words() {
        assert_eq!(judge(&["/usr/sbin/nginx", "-c", "/e/a.conf"], "/e/a.conf", false), Some(true));
        assert_eq!(
            judge(&["/usr/sbin/nginx", "-g", "-c", "-c/e/b"], "/e/a.conf", true),
            Some(false)
        );
        assert_eq!(judge(&["nginx"], "/e/a.conf", true), Some(true));
        for call in ["-t", "-T", "-s", "-V"] {
            assert_eq!(
                judge(&["nginx", call, "-c", "/e/a.conf"], "/e/a.conf", true),
                Some(false),
                "{call}"
            );
        }
    }
}
