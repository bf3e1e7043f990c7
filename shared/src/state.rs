//! What a resource keeps between two calls of its agent: small files of lines `key=value`, below
//! the cluster's directory for volatile state, which a boot empties.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::agent::Context;
use crate::failure::{Failure, OrFail};
use crate::invocation::Invocation;
use crate::sys::file;

/// The cluster's directory for volatile state, unless the environment names another.
const STATE_DIRECTORY: &str = "/run/resource-agents";

/// Longer files are none of ours: a director's table of some thousand real servers is the longest
/// that there is.
const LARGEST: u64 = 4 << 20;

/// The first line of each file.
const VERSION: &str = "version=1";

/// The most bytes of a resource's name in a file's: 255 is the kernel's limit for the whole, with
/// what agents add.
const LONGEST_NAME: usize = 200;

/// What is kept of a longer name, before its sum.
const KEPT: usize = 150;

/// The directory for all of it.
#[must_use]
pub fn directory(invocation: &Invocation) -> &Path {
    Path::new(invocation.variable("HA_RSCTMP").unwrap_or(STATE_DIRECTORY))
}

/// The file of something that belongs to a resource.
#[must_use]
pub fn path(invocation: &Invocation, agent: &str, kind: &str) -> PathBuf {
    directory(invocation).join([agent, "-", &name(invocation.instance()), ".", kind].concat())
}

/// A resource's name as a part of a file's: what could lead elsewhere is written as its number, and
/// the end of a name that is too long as its sum.
#[must_use]
pub fn name(instance: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
    if instance.bytes().all(is_plain) {
        return short(instance);
    }
    let mut name = String::with_capacity(instance.len());
    for byte in instance.bytes() {
        if is_plain(byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    short(&name).into_owned().into()
}

/// A text that a file's name has room for: the end of one that is too long is written as a sum of
/// the whole.
#[must_use]
pub fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_NAME {
        return text.into();
    }
    // FNV-1a, 64 bits: no secret hangs on it, and it is the same for all versions.
    let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325, add);
    let end = (0..=KEPT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}-{sum:016x}", &text[..end]).into()
}

/// Keys with their values, in order; a key may come several times.
pub type Pairs = Vec<(String, String)>;

/// What an agent knows of a resource between two calls, kept in a file.
pub trait StateFile: Sized {
    /// The agent's name.
    const AGENT: &'static str;

    /// All of it.
    fn to_pairs(&self) -> Vec<(&'static str, String)>;

    /// Reads what [`StateFile::to_pairs`] made; `None` for anything else.
    fn from_pairs(pairs: Pairs) -> Option<Self>;

    /// A file of the agent that belongs to a resource.
    #[must_use]
    fn path(invocation: &Invocation, kind: &str) -> PathBuf {
        path(invocation, Self::AGENT, kind)
    }

    /// Reads it; `None` when there is none that can be trusted and understood.
    #[must_use]
    fn load(invocation: &Invocation) -> Option<Self> {
        Self::from_pairs(read(&Self::path(invocation, "record"))?)
    }

    /// Reads it; `None` when there is none, or none that can be understood.
    ///
    /// # Errors
    /// When there is a file that cannot be read or trusted: what it says is not known.
    fn try_load(invocation: &Invocation) -> Result<Option<Self>, Failure> {
        Ok(try_read(&Self::path(invocation, "record"))?.and_then(Self::from_pairs))
    }

    /// Writes it, at once or not at all; not where nothing may change
    /// ([`Invocation::is_explanation`]).
    ///
    /// # Errors
    /// When it cannot be written.
    fn save(&self, invocation: &Invocation) -> Result<(), Failure> {
        if invocation.is_explanation() {
            return Ok(());
        }
        write(&Self::path(invocation, "record"), &self.to_pairs())
    }

    /// Writes it after something that is done and cannot be taken back. Where it cannot be written,
    /// that is a warning, with what follows from it: a failure would cost the service.
    fn save_or_warn(&self, context: &Context<'_>, consequence: &str) {
        if let Err(failure) = self.save(context.invocation) {
            context.log.warn(format_args!("{failure}; {consequence}"));
        }
    }

    /// Deletes it, once nothing is left of what it names.
    ///
    /// # Errors
    /// When it stays. That is no failure of a stop, only a warning: it names what is gone.
    fn forget(invocation: &Invocation) -> Result<(), Failure> {
        forget(&Self::path(invocation, "record"))
    }
}

/// Reads a file; `None` when there is none that can be trusted and understood.
#[must_use]
pub fn read(path: &Path) -> Option<Pairs> {
    try_read(path).ok().flatten()
}

/// Reads a file; `None` when there is none, or none that can be understood.
///
/// # Errors
/// When there is one that cannot be read or trusted.
pub fn try_read(path: &Path) -> Result<Option<Pairs>, Failure> {
    let bytes = file::read_small(path, LARGEST).or_fail(path.display())?;
    Ok(bytes.and_then(|bytes| parse(std::str::from_utf8(&bytes).ok()?)))
}

/// Writes a file, at once or not at all, and the directory when it is missing.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, pairs: &[(&str, String)]) -> Result<(), Failure> {
    ensure_directory(path)?;
    file::write_if_changed(path, render(pairs).as_bytes(), 0o600).or_fail(path.display()).map(drop)
}

/// Makes the directory of a file when it is missing.
///
/// # Errors
/// When it cannot be made, or others could write to it.
pub fn ensure_directory(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(directory) => file::ensure_dir(directory, 0o755).or_fail(directory.display()),
        None => Ok(()),
    }
}

/// Deletes a file; good when there is none.
///
/// # Errors
/// When it stays.
pub fn forget(path: &Path) -> Result<(), Failure> {
    file::remove_written(path).or_fail(path.display())
}

fn render(pairs: &[(&str, String)]) -> String {
    let mut text = format!("{VERSION}\n");
    for (key, value) in pairs {
        // A value with a line end would be another line.
        let needs_escape = value.contains(['\\', '\n', '\r']);
        let escaped = if needs_escape {
            value.escape_default().to_string().into()
        } else {
            Cow::from(value.as_str())
        };
        text.extend([key, "=", &escaped, "\n"]);
    }
    text
}

fn parse(text: &str) -> Option<Pairs> {
    let mut lines = text.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_owned(), unescape(value)?))
    };
    lines.map(pair).collect()
}

/// Undoes `escape_default`; `None` for what it never gives.
#[must_use]
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
                    let code: String =
                        letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
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
    use std::ffi::OsString;

    #[test]
    fn fuzz_any_record_is_read() {
        let whole = render(&[("a", "b=c".to_owned()), ("b", "ü\n\\ '\"\t".to_owned())]);
        crate::testing::fuzz::survives_text(&[&whole], |text| drop(parse(text)));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/x.record");
        assert_eq!(read(&path), None);
        let pairs =
            [("a", "b=c".to_owned()), ("a", "ü\n\\ '\"\t".to_owned()), ("empty", String::new())];
        write(&path, &pairs).unwrap();
        let expected: Pairs =
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        assert_eq!(read(&path), Some(expected));
        forget(&path).unwrap();
        forget(&path).unwrap();
        assert_eq!(read(&path), None);
    }

    #[test]
    fn anything_else_is_no_state() {
        for bad in [
            "",
            "version=2\n",
            "version=1\nnonsense\n",
            "version=1\na=\\",
            "version=1\na=\\u{110000}",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let variables = [("HA_RSCTMP", "/run/x"), ("OCF_RESOURCE_INSTANCE", "../a b:0")];
        let environment =
            variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let invocation =
            Invocation::new([OsString::from("agent"), OsString::from("start")], environment);
        assert_eq!(
            path(&invocation, "nginx", "pid"),
            Path::new("/run/x/nginx-%2e%2e%2fa%20b:0.pid")
        );
    }

    #[test]
    fn an_3_a_name_of_any_length_fits_into_a_file_name() {
        let long = "x".repeat(245);
        let names = [long.clone(), format!("{long}y"), "ü".repeat(120), "a/".repeat(120)];
        for (number, one) in names.iter().enumerate() {
            assert!(name(one).len() <= LONGEST_NAME, "{one}");
            assert!(names.iter().skip(number + 1).all(|other| name(one) != name(other)), "{one}");
        }
        let usual = "x".repeat(LONGEST_NAME);
        assert_eq!(name(&usual), usual, "records of earlier versions are found");
        assert_eq!(
            short(&"ü".repeat(120)).chars().filter(|letter| *letter == 'ü').count(),
            KEPT / 2
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.record");
        assert_eq!(try_read(&path).unwrap(), None);
        std::fs::write(&path, "no record").unwrap();
        assert_eq!(try_read(&path).unwrap(), None);
        std::fs::create_dir(folder.path().join("y.record")).unwrap();
        assert!(try_read(&folder.path().join("y.record")).is_err());
        assert_eq!(read(&folder.path().join("y.record")), None);
    }
}
