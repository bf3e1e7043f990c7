//! The lines of a configuration that matter before haproxy runs, where they are plain text: what is
//! quoted, has a variable or depends on a condition is haproxy's to understand.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::glob::Files as _;
use ocf::sys::file::Disk;

use crate::sum;

/// Where a boot leaves nothing behind.
const VOLATILE: [&str; 2] = ["/run", "/var/run"];

/// The directory of the last `chroot` that counts, with its file and line.
pub fn last_chroot(configs: &[PathBuf]) -> Option<(PathBuf, usize, PathBuf)> {
    let found = texts(configs)
        .filter_map(|(file, text)| chroot(&text).map(|(line, directory)| (file, line, directory)));
    found.fold(None, |_, last| Some(last))
}

/// The directories below /run that sockets of the configuration need: a boot takes them away, and
/// the distribution's service makes them.
pub fn socket_directories(configs: &[PathBuf]) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = texts(configs).flat_map(|(_, text)| sockets(&text)).collect();
    all.retain(|path| VOLATILE.iter().any(|root| path.starts_with(root)));
    let mut all: Vec<PathBuf> =
        all.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    all.sort();
    all.dedup();
    all
}

fn texts(configs: &[PathBuf]) -> impl Iterator<Item = (PathBuf, String)> {
    configs
        .iter()
        .flat_map(|path| sum::files(path))
        .filter_map(|file| Disk.text(&file).map(|text| (file, text)))
}

/// The plain words of lines; none of a text with conditions.
fn lines(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let has_conditions = text.lines().any(|line| line.trim_start().starts_with(".if"));
    let lines = text.lines().enumerate().filter(move |_| !has_conditions);
    lines
        .map(|(number, line)| {
            (
                number + 1,
                line.split_ascii_whitespace().take_while(|word| !word.starts_with('#')).collect(),
            )
        })
        .filter(|(_, words): &(usize, Vec<&str>)| {
            !words.iter().take(3).any(|word| word.contains(['"', '\'', '\\', '$']))
        })
}

fn chroot(text: &str) -> Option<(usize, PathBuf)> {
    let found = lines(text).filter_map(|(number, words)| match words[..] {
        ["chroot", directory, ..] => Some((number, PathBuf::from(directory))),
        _ => None,
    });
    found.last()
}

fn sockets(text: &str) -> Vec<PathBuf> {
    let found = lines(text).filter_map(|(_, words)| match words[..] {
        ["stats", "socket", place, ..] | ["bind", place, ..] => Some(place),
        _ => None,
    });
    let paths = found
        .map(|place| place.strip_prefix("unix@").unwrap_or(place))
        .filter(|place| place.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_chroot_is_found_where_it_is_plain() {
        let found = |text: &str| {
            chroot(text).map(|(line, path)| (line, path.to_string_lossy().into_owned()))
        };
        assert_eq!(
            found("global\n  # chroot /a\n  chroot /var/lib/x # why\n"),
            Some((3, "/var/lib/x".into()))
        );
        assert_eq!(found("chroot /a\nchroot /b\n"), Some((2, "/b".into())));
        for other in [
            "",
            "global\n  chroot\n",
            "chroot \"/a b\"",
            "chroot $HOME",
            ".if defined(X)\nchroot /a\n.endif\n",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn sockets_have_a_path() {
        let text = "global\n  stats socket /run/haproxy/admin.sock mode 660\n  stats socket \
                    ipv4@127.0.0.1:99\n  stats timeout 3s\n\
                    frontend a\n  bind :80\n  bind unix@/run/x/s\n  bind \"/run/y/s\"\n  bind \
                    abns@z\n";
        assert_eq!(
            sockets(text),
            [PathBuf::from("/run/haproxy/admin.sock"), PathBuf::from("/run/x/s")]
        );
    }
}
