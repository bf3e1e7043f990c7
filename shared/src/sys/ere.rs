//! POSIX extended regular expressions, as `grep -Ei` reads them: the C library's own, in its C locale.
//!
//! Administrators have expressions with `\<`, `\1` and `[[:space:]]`, which no Rust engine reads the same way. The usual ones
//! are plainer, and cheaper without it (`simple`).

mod simple;

use std::ffi::{CString, c_char};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;
use std::sync::mpsc;

use nix::libc;

use super::clock::Deadline;
use simple::Simple;

/// A compiled expression, which does not care about the case of letters.
#[derive(Clone)]
pub struct Ere {
    text: String,
    engine: Rc<Engine>,
}

enum Engine {
    Simple(Simple),
    /// One for each line of the text: `grep` takes the lines of its expression as alternatives.
    Library(Vec<Compiled>),
}

impl Ere {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, in the C library's words.
    pub fn new(text: &str) -> Result<Self, String> {
        let engine = match Simple::new(text) {
            Some(simple) => Engine::Simple(simple),
            None => Engine::Library(text.split('\n').map(Compiled::new).collect::<Result<_, _>>()?),
        };
        Ok(Self { text: text.to_owned(), engine: Rc::new(engine) })
    }

    /// Whether a line of the body has a match. NUL bytes end lines too: the C library could not look past them.
    #[must_use]
    pub fn is_match(&self, body: &[u8]) -> bool {
        // A newline ends a line and begins none: the empty rest after the last one is not a line.
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        let alternatives = match self.engine.as_ref() {
            Engine::Simple(simple) => return simple.is_match(body),
            Engine::Library(alternatives) => alternatives,
        };
        // One look at everything is far cheaper than one at each line, and nearly always enough.
        if !body.contains(&0) && !self.speaks_of_the_text() {
            let text = [body, &[0]].concat();
            let found: Vec<_> = alternatives.iter().filter_map(|one| one.find(&text)).collect();
            if found.is_empty() {
                return false;
            }
            if found.iter().any(|range| !body[range.clone()].contains(&b'\n')) {
                return true;
            }
        }
        let mut line = Vec::new();
        body.split(|byte| matches!(byte, b'\n' | 0)).any(|bytes| {
            line.clear();
            line.extend_from_slice(bytes);
            line.push(0);
            alternatives.iter().any(|one| one.is_match(&line))
        })
    }

    /// Whether it has an anchor for the whole text, which is another thing for a line.
    fn speaks_of_the_text(&self) -> bool {
        self.text.contains("\\`") || self.text.contains("\\'")
    }

    /// As [`Ere::is_match`]; `None` when that is not known by the deadline. With a back-reference, a page of a few kilobytes
    /// may take minutes, and the C library cannot be interrupted.
    #[must_use]
    pub fn is_match_by(&self, body: &[u8], deadline: Deadline) -> Option<bool> {
        let refers_back = self.text.as_bytes().windows(2).any(|pair| pair[0] == b'\\' && pair[1].is_ascii_digit());
        if !refers_back {
            return Some(self.is_match(body));
        }
        let (text, body) = (self.text.clone(), body.to_vec());
        let (sender, answer) = mpsc::channel();
        // Left to itself when it is late; it ends with the process.
        std::thread::spawn(move || {
            let _ = sender.send(Self::new(&text).is_ok_and(|ere| ere.is_match(&body)));
        });
        answer.recv_timeout(deadline.left()).ok()
    }

    /// The expression as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Ere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ere({:?})", self.text)
    }
}

/// Expressions are alike when their texts are.
impl PartialEq for Ere {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The C library's compiled form. In a box, for nothing promises that it may be moved.
struct Compiled(Box<libc::regex_t>);

impl Compiled {
    fn new(text: &str) -> Result<Self, String> {
        let text = CString::new(text).map_err(|_| "a regular expression without NUL bytes".to_owned())?;
        // In a text of several lines, anchors are those of lines, and what matches any character stays in one.
        let flags = libc::REG_EXTENDED | libc::REG_ICASE | libc::REG_NEWLINE;
        // SAFETY: all bits zero is a valid value of this plain C structure of numbers and pointers.
        let mut regex: Box<libc::regex_t> = Box::new(unsafe { std::mem::zeroed() });
        // SAFETY: the structure is ours and writable, the text ends with NUL; both outlive the call.
        match unsafe { libc::regcomp(&raw mut *regex, text.as_ptr(), flags) } {
            0 => Ok(Self(regex)),
            code => Err(format!("an extended regular expression ({})", explain(code, &regex))),
        }
    }

    /// Whether a line, which ends with its only NUL, has a match.
    fn is_match(&self, line: &[u8]) -> bool {
        self.find(line).is_some()
    }

    /// Where the first match is in a text, which ends with its only NUL.
    fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        debug_assert_eq!(text.iter().position(|byte| *byte == 0), Some(text.len() - 1));
        let mut found = libc::regmatch_t { rm_so: -1, rm_eo: -1 };
        // SAFETY: the expression was compiled and not freed; the text ends with NUL; there is room for the one match asked for.
        let code = unsafe { libc::regexec(&raw const *self.0, text.as_ptr().cast(), 1, &raw mut found, 0) };
        (code == 0).then_some(found.rm_so as usize..found.rm_eo as usize)
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: the expression was compiled, and nothing uses it after this.
        unsafe { libc::regfree(&raw mut *self.0) }
    }
}

/// The C library's words for an error of `regcomp`.
fn explain(code: i32, regex: &libc::regex_t) -> String {
    let mut buffer = [0_u8; 128];
    // SAFETY: the structure is the one that the error came from; the buffer is as long as said, and the text, cut where
    // it is longer, ends with NUL.
    unsafe { libc::regerror(code, regex, buffer.as_mut_ptr().cast::<c_char>(), buffer.len()) };
    let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn matches(expression: &str, body: &str) -> bool {
        Ere::new(expression).unwrap().is_match(body.as_bytes())
    }

    #[test]
    fn expressions_mean_what_grep_takes_them_for() {
        for (expression, body, expected) in [
            ("</ *html *>", "<p>\n</HTML>\n", true),
            ("</ *html *>", "</body>", false),
            (r"\<word\>", "a word here", true),
            (r"\<word\>", "swordfish", false),
            (r"\bword\b", "a word.", true),
            ("a[[:space:]]b", "a\tb", true),
            ("a[[:space:]]b", "a\nb", false),
            ("a.b", "a\nb", false),
            ("^second$", "first\nsecond\nthird", true),
            ("^$", "text\n", false),
            ("^$", "text\n\n", true),
            (r"(ab|cd)\1", "xABabx", true),
            (r"(ab|cd)\1", "abcd", false),
            ("a{2,3}", "baa", true),
            ("one|two", "TWO", true),
            ("one\ntwo", "two", true),
            ("one\ntwo", "three", false),
            ("", "anything", true),
            ("x+", "", false),
            ("[0-9]+ requests", "Total: 17 Requests", true),
            (r"\.", "a", false),
            ("[^x]b", "a\nb", false),
            ("a[[:space:]]*b|^b$", "a\nb", true),
            (r"\`b", "a\nb", true),
            (r"\Bb", "a\nb", false),
        ] {
            assert_eq!(matches(expression, body), expected, "{expression:?} in {body:?}");
        }
    }

    #[test]
    fn what_comes_after_a_nul_byte_is_looked_at() {
        assert!(Ere::new("^alive$").unwrap().is_match(b"\0\xff\0alive\0"));
        assert!(!Ere::new("a.*b").unwrap().is_match(b"a\0b"));
    }

    #[test]
    fn an_expression_that_takes_for_ever_is_not_waited_for() {
        let began = Instant::now();
        let slow = Ere::new(r"(.*)x\1y").unwrap();
        assert_eq!(slow.is_match_by(&[b'x'; 3000], Deadline::after(Duration::from_millis(100))), None);
        assert!(began.elapsed() < Duration::from_secs(10));
        let soon = Deadline::after(Duration::from_secs(20));
        assert_eq!(slow.is_match_by(b"abxaby", soon), Some(true));
        assert_eq!(slow.is_match_by(b"abxacz", soon), Some(false));
        assert_eq!(Ere::new("b").unwrap().is_match_by(b"abc", soon), Some(true));
    }

    #[test]
    fn faulty_expressions_are_told() {
        assert_eq!(Ere::new("(").unwrap_err(), "an extended regular expression (Unmatched ( or \\()");
        assert!(Ere::new("[").is_err() && Ere::new("good\n[").is_err());
        assert!(Ere::new("a\0b").is_err());
        assert_eq!(Ere::new("^a").unwrap().text(), "^a");
    }
}
