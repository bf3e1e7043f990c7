//! The real files behind [`crate::config::Files`].
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::config::Files;
use crate::glob;

/// Longer files than any that people write are not read to their end.
const LONGEST: u64 = 4 << 20;

/// How deep directories are looked through, for a link may lead back.
const DEEPEST: usize = 16;

/// This machine.
pub struct Disk;

/// The text of a file of the administrator's; bytes that are no text are replaced. Only a plain file is opened: a pipe
/// would keep us.
pub fn text(path: &Path) -> std::io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("is no plain file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Files for Disk {
    fn text(&self, path: &Path) -> Option<String> {
        text(path).ok()
    }

    fn matching(&self, path: &Path) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        for part in path.components() {
            let pattern = match part {
                Component::Normal(name) => name.to_str().filter(|name| glob::is_pattern(name)),
                _ => None,
            };
            found = match pattern {
                None => found.into_iter().map(|before| before.join(part)).filter(|path| path.exists()).collect(),
                Some(pattern) => found.iter().flat_map(|before| fitting(before, pattern)).collect(),
            };
        }
        let mut files = Vec::new();
        found.iter().for_each(|path| all_below(path, 0, &mut files));
        files
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// The names in a directory, in the order in which the server reads them.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn fitting(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    names(directory).iter().filter(|name| glob::matches(pattern, name)).map(|name| directory.join(name)).collect()
}

fn all_below(path: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        files.push(path.to_owned());
    } else if depth < DEEPEST {
        names(path).iter().for_each(|name| all_below(&path.join(name), depth + 1, files));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_in_directories_and_names_are_followed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b/2.conf", "b/1.conf", "a/3.conf", "a/deep/4.txt", "a/.hidden.conf", "c/5.conf"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
        let found = |pattern: &str| -> Vec<String> {
            let all = Disk.matching(&folder.path().join(pattern));
            all.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect()
        };
        assert_eq!(found("[ab]/*.conf"), ["a/3.conf", "b/1.conf", "b/2.conf"]);
        assert_eq!(found("c"), ["c/5.conf"]);
        assert_eq!(found("none/*.conf"), [] as [&str; 0]);
        assert_eq!(found("a/deep/4.txt"), ["a/deep/4.txt"]);
    }
}
