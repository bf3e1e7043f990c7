//! Records: what a resource was started with, kept in files of its own under the cluster's directory for volatile state, so
//! that a stop needs neither parameters nor configuration.
//!
//! A record is lines of `key=value` after one with the version. It is written at once or not at all.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use crate::failure::{Failure, OrFail};
use crate::invocation::Invocation;
use crate::sys::file;

/// The cluster's directory for volatile state, unless the environment names another.
const STATE_DIRECTORY: &str = "/run/resource-agents";

/// The first line.
const VERSION: &str = "version=1";

/// The file of something that belongs to a resource.
#[must_use]
pub fn path(agent: &str, invocation: &Invocation, kind: &str) -> PathBuf {
    let directory = invocation.variable("HA_RSCTMP").unwrap_or(STATE_DIRECTORY);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':');
    let letter = |b: u8| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02x}") };
    let name: String = invocation.instance().bytes().map(letter).collect();
    Path::new(directory).join(format!("{agent}-{name}.{kind}"))
}

/// A record on its way to a file.
#[derive(Clone, Debug)]
pub struct Lines(Vec<String>);

impl Default for Lines {
    fn default() -> Self {
        Self(vec![VERSION.to_owned()])
    }
}

impl Lines {
    /// Adds a line. A value with a line end stays one.
    pub fn add(&mut self, key: &str, value: &str) {
        self.0.push(format!("{key}={}", value.escape_default()));
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join("\n") + "\n"
    }

    /// Writes it, at once or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        if let Some(directory) = path.parent() {
            file::ensure_dir(directory, 0o755).or_fail(directory.display())?;
        }
        file::write_if_changed(path, self.text().as_bytes(), 0o600).or_fail(path.display()).map(drop)
    }
}

/// Reads the pairs of a record; `None` when it is none.
#[must_use]
pub fn parse(text: &str) -> Option<Vec<(&str, String)>> {
    let mut lines = text.lines();
    if lines.next()? != VERSION {
        return None;
    }
    lines.map(|line| line.split_once('=').and_then(|(key, value)| Some((key, unescape(value)?)))).collect()
}

/// The text of a record; `None` when there is none that can be trusted, or one of more than `limit` bytes.
#[must_use]
pub fn read(path: &Path, limit: u64) -> Option<String> {
    String::from_utf8(file::read_small(path, limit).ok()??).ok()
}

/// Takes a record away, once nothing is left of what it tells.
///
/// # Errors
/// When it stays.
pub fn forget(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).or_fail(path.display()),
        _ => Ok(()),
    }
}

/// Undoes `escape_default`.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut plain = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let code: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                    char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
                }
                literal => literal,
            },
            letter => letter,
        };
        plain.push(letter);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let values = ["", "plain", "pid /x;\n# ü \\", "a=b", "tab\tand 'quotes' \"", "\u{1f600}"];
        let mut lines = Lines::default();
        values.iter().for_each(|value| lines.add("key", value));
        let text = lines.text();
        let read = parse(&text).unwrap();
        assert_eq!(read.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), values);
        for bad in ["", "version=2\n", "version=1\nnonsense\n", "version=1\nkey=\\u{zz}\n"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_record_appears_whole_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/record");
        let mut lines = Lines::default();
        lines.add("key", "value");
        lines.write(&path).unwrap();
        assert_eq!(read(&path, 1000).unwrap(), "version=1\nkey=value\n");
        assert_eq!(read(&path, 3), None, "too long");
        forget(&path).unwrap();
        forget(&path).unwrap();
        assert_eq!(read(&path, 1000), None);
    }
}
