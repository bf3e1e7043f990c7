//! POSIX extended regular expressions, as `grep -Ei` reads them, for a yes or no.
//!
//! The engine's time is linear in the page, whatever the expression, and the same on every C
//! library. To read a parameter is to translate it; it is compiled only by a search, so that a
//! stop, which searches nothing, compiles nothing.
#![forbid(unsafe_code)]

mod bracket;
mod posix;

use std::sync::mpsc;

use regex_lite::{Regex, RegexBuilder};

use crate::sys::clock::Deadline;

/// An expression that does not care about the case of letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ere {
    text: String,
    translated: posix::Translated,
}

/// A search of more steps than this (states times bytes) is left when it is late. It takes a tenth
/// of a second at most.
const QUICK: usize = 3_000_000;

impl Ere {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn new(text: &str) -> Result<Self, String> {
        match posix::translate(text) {
            Ok(translated) => Ok(Self { text: text.to_owned(), translated }),
            Err(why) => Err(format!("an extended regular expression with {why}")),
        }
    }

    /// Whether a line of the body has a match; `None` when that is not known by the deadline. NUL
    /// bytes end lines too, as for grep in a file that is no text.
    #[must_use]
    pub fn is_match(&self, body: &[u8], deadline: Deadline) -> Option<bool> {
        // A newline ends a line and begins none: the empty rest after the last one is not a line.
        let lines = body.strip_suffix(b"\n").unwrap_or(body);
        if body.is_empty() {
            return Some(false);
        }
        let text = prepared(lines);
        let search = self.compiled()?;
        let steps = text.len().saturating_mul(self.translated.states as usize);
        if steps <= QUICK {
            return Some(search.finds_in(&text));
        }
        let (sender, answer) = mpsc::channel();
        // Left to itself when it is late; it ends with the process.
        let thread = move || _ = sender.send(search.finds_in(&text));
        std::thread::Builder::new().spawn(thread).ok()?;
        answer.recv_timeout(deadline.left()).ok()
    }

    fn compiled(&self) -> Option<Search> {
        // Each pair of parentheses may have a group around its repetition.
        let regex =
            RegexBuilder::new(&self.translated.text).nest_limit(3 * posix::DEEPEST).build().ok()?;
        Some(Search { regex, literal: self.translated.literal.clone() })
    }

    /// The expression as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A compiled expression.
struct Search {
    regex: Regex,
    /// What every match contains.
    literal: String,
}

impl Search {
    /// Whether a line of the text has a match. The engine looks only at lines with the literal:
    /// most have nothing of it, and to find it is far cheaper. The last line comes first, for what
    /// is searched by default, `</html>`, ends a page.
    fn finds_in(&self, text: &str) -> bool {
        if self.literal.is_empty() {
            return self.regex.is_match(text);
        }
        let mut rest = text;
        while let Some(at) = rest.rfind(&self.literal) {
            let (before, found) = rest.split_at(at);
            let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
            let end = found.find('\n').map_or(rest.len(), |length| at + length);
            if self.regex.is_match(&rest[begin..end]) {
                return true;
            }
            // Without the newline before the line, so that an empty line is passed, too.
            rest = &rest[..begin.saturating_sub(1)];
        }
        false
    }
}

/// The bytes as characters with the same numbers, small letters for large ones, and newlines for
/// NUL bytes.
fn prepared(body: &[u8]) -> String {
    let letter = |byte: &u8| if *byte == 0 { '\n' } else { char::from(byte.to_ascii_lowercase()) };
    // Most pages are plain, and then their bytes are the text.
    let is_plain = body.is_ascii() && !body.contains(&0);
    let plain = is_plain.then(|| String::from_utf8(body.to_ascii_lowercase()).ok()).flatten();
    plain.unwrap_or_else(|| body.iter().map(letter).collect())
}

#[cfg(test)]
mod tests;
