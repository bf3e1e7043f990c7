//! Files of tests: the keywords of `doc/README.webapps` of the shell agents. Read as data, nothing
//! in them is run.
//!
//! ```text
//! # a comment
//! test webapp1
//! url /webapp1_mon
//! match This application is alive
//! user monitor
//! password secret
//! client_opts --header 'Host: www.example.com'
//! end
//! ```
//!
//! The shell agents read the lines with the shell's `read`, and so it is here: blanks around
//! keyword and value are dropped, a backslash makes the next character an ordinary one and vanishes
//! (`\\.` in the file is the expression `\.`), and one at the end of a line joins it with the next.
//! Only the test that the parameter names is judged.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

use super::{Rules, Test, absolute};
use crate::ere::Ere;
use crate::failure::{Failure, OrFail};
use crate::sys::file::{self, Trust};
use crate::words;

/// More than any file of tests has.
const LARGEST: u64 = 1 << 20;

/// A test as a file gives it.
#[derive(Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// A URL, or a path on the server.
    pub url: String,
    /// What a line of the page must match.
    pub regex: Ere,
    /// Name and password.
    pub login: Option<(String, String)>,
    /// From `client_opts`: the site to ask for.
    pub host_header: Option<String>,
    /// From `client_opts`: whether the certificate counts.
    pub verify: Option<bool>,
    /// From `client_opts`: who vouches for it.
    pub ca: Option<PathBuf>,
    /// What stands in the file and has no effect here, each with its place, for a warning.
    pub ignored: Vec<String>,
}

impl Definition {
    /// The test, on the server at `base` (`http://127.0.0.1:8080`) unless its URL is a whole one.
    /// What the file says goes before the parameters.
    #[must_use]
    pub fn into_test(self, base: &str, mut rules: Rules) -> Test {
        if self.ca.is_some() || self.verify.is_some() {
            (rules.ca, rules.verify) = (self.ca, self.verify);
        }
        rules.host_header = self.host_header.or(rules.host_header);
        Test {
            url: absolute(base, &self.url),
            unix_socket: None,
            login: self.login,
            regex: Some(self.regex),
            rules,
        }
    }
}

/// Reads a file and finds a test in it, see [`find`].
///
/// # Errors
/// Why not: always an ordinary failure, for a server may run well without its tests, and a probe
/// must not deny it.
pub fn load(path: &Path, name: Option<&str>) -> Result<Definition, Failure> {
    let file = path.display().to_string();
    let text = read(path).or_fail(&file)?;
    find(&file, &text, name).map_err(Failure::generic)
}

fn read(path: &Path) -> io::Result<String> {
    String::from_utf8(file::read(path, LARGEST, Trust::NotEverybody)?).map_err(io::Error::other)
}

/// Finds a test in the text of a file: the one with this name, or the first. `file` is for
/// messages.
///
/// # Errors
/// What is wrong with it and where, or that there is no such test.
pub fn find(file: &str, text: &str, name: Option<&str>) -> Result<Definition, String> {
    let lines = lines(text);
    let is_wanted = |(_, key, value): &&(usize, String, String)| {
        key == "test" && name.is_none_or(|name| name == value)
    };
    let Some((first, _, found)) = lines.iter().find(is_wanted) else {
        return Err(match name {
            Some(name) => format!("{file}: has no test {name}"),
            None => format!("{file}: has no test"),
        });
    };
    let mut draft = Draft::default();
    for (number, key, value) in lines.iter().skip_while(|(number, ..)| number <= first) {
        if key == "end" {
            break;
        }
        draft.take(&format!("{file}:{number}"), key, value)?;
    }
    draft.finish(&format!("{file}:{first}"), found)
}

/// The lines that say something, each with its number, keyword and value.
fn lines(text: &str) -> Vec<(usize, String, String)> {
    let mut lines = Vec::new();
    let mut joined = String::new();
    let mut start = 1;
    for (index, line) in text.lines().enumerate() {
        if joined.is_empty() {
            start = index + 1;
        }
        // An even number of backslashes is that many halves; an odd one has one left for the
        // newline.
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(&line[..line.len() - 1]);
            continue;
        }
        joined.push_str(line);
        let whole = std::mem::take(&mut joined);
        let (key, value) = split(&whole);
        if !key.is_empty() && !key.starts_with('#') {
            lines.push((start, key, value));
        }
    }
    lines
}

/// The first word and the rest, without blanks around them and with backslashes resolved.
fn split(line: &str) -> (String, String) {
    let line = line.trim_start_matches([' ', '\t']);
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && matches!(c, ' ' | '\t');
        escaped = !escaped && c == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    (resolve(key), resolve(trim_end(rest.trim_start_matches([' ', '\t']))))
}

/// Without the blanks at the end, but for one that a backslash protects. A carriage return is a
/// blank here: files come from other systems.
fn trim_end(text: &str) -> &str {
    let trimmed = text.trim_end_matches([' ', '\t', '\r']);
    let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    if backslashes % 2 == 1 { &text[..text.len().min(trimmed.len() + 1)] } else { trimmed }
}

fn resolve(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        resolved.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    resolved
}

/// A test that is being read.
#[derive(Default)]
struct Draft {
    url: String,
    regex: Option<Ere>,
    user: String,
    password: String,
    host_header: Option<String>,
    verify: Option<bool>,
    ca: Option<PathBuf>,
    ignored: Vec<String>,
}

impl Draft {
    fn take(&mut self, place: &str, key: &str, value: &str) -> Result<(), String> {
        match key {
            "url" => value.clone_into(&mut self.url),
            "user" => value.clone_into(&mut self.user),
            "password" => value.clone_into(&mut self.password),
            "match" => {
                let regex = Ere::new(value)
                    .map_err(|allowed| format!("{place}: match: expected {allowed}"))?;
                self.regex = (!value.is_empty()).then_some(regex);
            }
            "client" if matches!(value, "" | "curl" | "wget") => {}
            "client" => {
                return Err(format!(
                    "{place}: client {value}: no program is run for a test; leave this line out"
                ));
            }
            "client_opts" => self.options(place, value)?,
            "test" => {
                return Err(format!(
                    "{place}: test {value} begins before the one above it has an end"
                ));
            }
            other => return Err(format!("{place}: {other}: unknown keyword")),
        }
        Ok(())
    }

    /// Takes from the options of `curl` and `wget` what has a meaning here.
    fn options(&mut self, place: &str, text: &str) -> Result<(), String> {
        let words = words::split(text)
            .map_err(|allowed| format!("{place}: client_opts: expected {allowed}"))?;
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (name, given) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            match name {
                "-k" | "--insecure" | "--no-check-certificate" => self.verify = Some(false),
                "--cacert" | "--ca-certificate" => {
                    let file = given.or_else(|| words.next()).unwrap_or_default();
                    let path = crate::param::absolute_path(&file);
                    self.ca = Some(
                        path.map_err(|allowed| format!("{place}: {name}: expected {allowed}"))?,
                    );
                }
                "-H" | "--header" => {
                    let header = given.or_else(|| words.next()).unwrap_or_default();
                    match header.split_once(':') {
                        Some((name, host)) if name.trim().eq_ignore_ascii_case("host") => {
                            self.host_header = Some(host.trim().to_owned());
                        }
                        _ => self.ignored.push(format!("{place}: client_opts {name} '{header}'")),
                    }
                }
                // How to talk to the terminal.
                "-s" | "-S" | "-sS" | "-Ss" | "-q" | "-nv" | "--silent" | "--show-error"
                | "--quiet" => {}
                _ => self.ignored.push(format!("{place}: client_opts {word}")),
            }
        }
        Ok(())
    }

    fn finish(self, place: &str, name: &str) -> Result<Definition, String> {
        let login = match (self.user.is_empty(), self.password.is_empty()) {
            (true, true) => None,
            (false, false) => Some((self.user, self.password)),
            _ => return Err(format!("{place}: test {name}: user and password go together")),
        };
        match self.regex {
            Some(regex) if !self.url.is_empty() => Ok(Definition {
                name: name.to_owned(),
                url: self.url,
                regex,
                login,
                host_header: self.host_header,
                verify: self.verify,
                ca: self.ca,
                ignored: self.ignored,
            }),
            _ => Err(format!("{place}: test {name}: needs url and match")),
        }
    }
}

#[cfg(test)]
mod tests;
