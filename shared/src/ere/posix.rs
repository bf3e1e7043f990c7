//! The syntax of POSIX extended regular expressions as GNU grep reads it in the C locale, turned
//! into the engine's syntax.
//!
//! `grep -Ei` decides what is right: a byte is a character, letters have no case, and the text is
//! one line. What grep refuses is refused here, with two things more: back-references, which no
//! engine finds in linear time, and expressions that are too large or nested too deep.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use super::bracket::{Set, bracket, is_space, is_word};

/// How large an expression may be: in sets of characters, each counted as often as intervals repeat
/// it.
const LARGEST: u32 = 10_000;

/// How deep parentheses may be nested.
pub(super) const DEEPEST: u32 = 100;

/// The most that an interval may say (RE_DUP_MAX of the C library).
const MOST_TIMES: u32 = 0x7FFF;

const UNCLOSED: &str = "a ) for each (";

/// An expression in the engine's syntax, for text without large letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Translated {
    /// The expression. Bytes are the characters U+0000 to U+00FF; it never matches a newline.
    pub text: String,
    /// How many states the engine needs, about.
    pub states: u32,
    /// What every match contains; empty where that is not known.
    pub literal: String,
}

/// Translates an expression. Its lines are alternatives, as for grep.
///
/// # Errors
/// What is wrong with it.
pub(super) fn translate(text: &str) -> Result<Translated, String> {
    let mut reader = Reader { rest: b"", depth: 0, out: String::with_capacity(2 * text.len() + 8) };
    // Anchors are those of lines.
    reader.out.push_str("(?m)");
    let mut whole: Option<Piece> = None;
    for line in text.split('\n') {
        reader.rest = line.as_bytes();
        if whole.is_some() {
            reader.out.push('|');
        }
        let line = reader.alternatives()?;
        whole = Some(match whole {
            Some(before) => before.or(&line).checked()?,
            None => line,
        });
    }
    let (states, literal) =
        whole.map_or_else(Default::default, |whole| (whole.states, whole.literal));
    Ok(Translated { text: reader.out, states, literal })
}

/// A part of the expression: where it begins in the engine's syntax, and what is known of it.
struct Piece {
    start: usize,
    states: u32,
    /// Whether a repetition can follow without a group around it.
    is_atom: bool,
    /// What it matches of the text.
    extent: Extent,
    /// What every match of it contains.
    literal: String,
}

/// Which texts a piece matches, as far as repetitions of it depend on that: what a repetition does
/// not change is not repeated. So `(.*)+` and `.*{10,}{10,}` are no larger than `.*`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// At least one character, or unknown.
    Some,
    /// Nothing or more.
    MayBeEmpty,
    /// Nothing: an anchor or an empty group.
    Nothing,
    /// Once or more what is inside.
    Plus,
    /// Any number of what is inside.
    Star,
}

impl Extent {
    fn may_be_empty(self) -> bool {
        matches!(self, Self::MayBeEmpty | Self::Star)
    }

    /// That of two pieces, one after the other.
    fn followed_by(self, next: Self) -> Self {
        match (self, next) {
            (Self::Nothing, Self::Nothing) => Self::Nothing,
            (one, other) if one.may_be_empty() && other.may_be_empty() => Self::MayBeEmpty,
            _ => Self::Some,
        }
    }
}

/// What is still to be read, and what has been written.
struct Reader<'a> {
    rest: &'a [u8],
    /// How many parentheses are open.
    depth: u32,
    out: String,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, prefix: &[u8]) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to the end, or to the parenthesis that closes the group.
    fn alternatives(&mut self) -> Result<Piece, String> {
        let start = self.out.len();
        let mut whole = self.sequence()?;
        let mut is_one = true;
        while self.take(b"|") {
            self.out.push('|');
            is_one = false;
            whole = whole.or(&self.sequence()?).checked()?;
        }
        if !is_one {
            self.group(start);
            whole.is_atom = true;
        }
        Ok(whole)
    }

    fn sequence(&mut self) -> Result<Piece, String> {
        let mut whole = self.nothing();
        let mut run = String::new();
        let mut count = 0;
        let ends = |rest: &[u8], depth| match rest.first() {
            None | Some(b'|') => true,
            // Outside of groups it is a character like any other.
            Some(b')') => depth > 0,
            Some(_) => false,
        };
        while !ends(self.rest, self.depth) {
            let piece = self.piece()?;
            whole.extent =
                if count == 0 { piece.extent } else { whole.extent.followed_by(piece.extent) };
            whole.is_atom = count == 0 && piece.is_atom;
            whole.states = whole.states.saturating_add(piece.states);
            count += 1;
            if piece.is_literal() {
                run += &piece.literal;
            } else {
                whole.literal = longer(std::mem::take(&mut run), whole.literal);
                whole.literal = longer(piece.literal, whole.literal);
            }
        }
        whole.literal = longer(run, whole.literal);
        whole.checked()
    }

    /// One character, set, anchor or group with the repetitions that follow it.
    fn piece(&mut self) -> Result<Piece, String> {
        // A repetition at the beginning is one of nothing.
        let is_repetition =
            matches!(self.rest, [b'*' | b'+' | b'?', ..]) || interval(self.rest)?.is_some();
        let mut piece = if is_repetition { self.nothing() } else { self.atom()? };
        loop {
            let (least, most) = match self.rest.first() {
                Some(b'*') => (0, None),
                Some(b'+') => (1, None),
                Some(b'?') => (0, Some(1)),
                _ => match interval(self.rest)? {
                    Some((least, most, length)) => {
                        self.rest = &self.rest[length - 1..];
                        (least, most)
                    }
                    None => return Ok(piece),
                },
            };
            self.next();
            piece = self.repeated(piece, least, most)?;
        }
    }

    /// What has just been written, at least `least` times, and at most `most` times if that is
    /// given.
    fn repeated(&mut self, piece: Piece, least: u32, most: Option<u32>) -> Result<Piece, String> {
        let least = if piece.extent.may_be_empty() { 0 } else { least };
        let is_same = match piece.extent {
            Extent::Nothing => least > 0,
            Extent::Star => most != Some(0),
            Extent::Plus => least == 1 && most != Some(0),
            Extent::MayBeEmpty => most == Some(1),
            Extent::Some => (least, most) == (1, Some(1)),
        };
        if is_same {
            return Ok(piece);
        }
        if most == Some(0) || piece.extent == Extent::Nothing {
            self.out.truncate(piece.start);
            return Ok(self.nothing());
        }
        if !piece.is_atom {
            self.group(piece.start);
        }
        let extent = match (least, most) {
            (0, None) => Extent::Star,
            (1, None) => Extent::Plus,
            (0, Some(_)) => Extent::MayBeEmpty,
            _ => Extent::Some,
        };
        match (least, most) {
            (0, None) => self.out.push('*'),
            (1, None) => self.out.push('+'),
            (0, Some(1)) => self.out.push('?'),
            (least, None) => _ = write!(self.out, "{{{least},}}"),
            (least, Some(most)) => _ = write!(self.out, "{{{least},{most}}}"),
        }
        let times = most.unwrap_or(least).max(1);
        let states = piece.states.saturating_add(1).saturating_mul(times);
        Piece { states, is_atom: false, extent, literal: String::new(), ..piece }.checked()
    }

    /// Makes one thing of all that was written from `start` on.
    fn group(&mut self, start: usize) {
        self.out.insert_str(start, "(?:");
        self.out.push(')');
    }

    fn atom(&mut self) -> Result<Piece, String> {
        Ok(match self.next() {
            Some(b'.') => self.written(".", Extent::Some),
            Some(b'^') => self.written("^", Extent::Nothing),
            Some(b'$') => self.written("$", Extent::Nothing),
            Some(b'[') => {
                let (set, rest) = bracket(self.rest)?;
                self.rest = rest;
                self.set(&set)
            }
            Some(b'\\') => self.escaped()?,
            Some(b'(') => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(format!("at most {DEEPEST} parentheses in each other"));
                }
                let mut inside = self.alternatives()?;
                self.depth -= 1;
                if !self.take(b")") {
                    return Err(UNCLOSED.to_owned());
                }
                if !inside.is_atom {
                    self.group(inside.start);
                    inside.is_atom = true;
                }
                inside
            }
            Some(0) => return Err("no NUL byte".to_owned()),
            Some(byte) => self.literal(byte),
            None => self.nothing(),
        })
    }

    fn nothing(&self) -> Piece {
        Piece {
            start: self.out.len(),
            states: 0,
            is_atom: false,
            extent: Extent::Nothing,
            literal: String::new(),
        }
    }

    fn written(&mut self, text: &str, extent: Extent) -> Piece {
        let start = self.out.len();
        self.out.push_str(text);
        Piece { start, states: 1, is_atom: extent == Extent::Some, extent, literal: String::new() }
    }

    fn literal(&mut self, byte: u8) -> Piece {
        let letter = char::from(byte.to_ascii_lowercase());
        let start = self.out.len();
        if letter.is_ascii_punctuation() && !matches!(letter, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(letter);
        Piece { start, states: 1, is_atom: true, extent: Extent::Some, literal: letter.to_string() }
    }

    fn set(&mut self, set: &Set) -> Piece {
        let start = self.out.len();
        let ranges = set.ranges();
        if ranges.is_empty() {
            // What the engine knows as an empty set.
            self.out.push_str(r"[^\x00-\x{10FFFF}]");
        } else {
            self.out.push('[');
            for (first, last) in &ranges {
                let _ = write!(self.out, r"\x{first:02X}-\x{last:02X}");
            }
            self.out.push(']');
        }
        // A set of many ranges is as large as several states.
        let states = 1 + ranges.len() as u32 / 4;
        Piece { start, states, is_atom: true, extent: Extent::Some, literal: String::new() }
    }

    /// What follows a backslash.
    fn escaped(&mut self) -> Result<Piece, String> {
        Ok(match self.next() {
            None => return Err("something after the backslash at the end".to_owned()),
            Some(digit @ b'1'..=b'9') => {
                return Err(format!(
                    "no back-reference \\{}: write out what it stands for",
                    char::from(digit)
                ));
            }
            Some(b'w') => self.set(&Set::of(is_word).finished(false)),
            Some(b'W') => self.set(&Set::of(is_word).finished(true)),
            Some(b's') => self.set(&Set::of(is_space).finished(false)),
            Some(b'S') => self.set(&Set::of(is_space).finished(true)),
            Some(b'b') => self.written(r"\b", Extent::Nothing),
            Some(b'B') => self.written(r"\B", Extent::Nothing),
            Some(b'<') => self.written(r"\b{start}", Extent::Nothing),
            Some(b'>') => self.written(r"\b{end}", Extent::Nothing),
            Some(b'`') => self.written("^", Extent::Nothing),
            Some(b'\'') => self.written("$", Extent::Nothing),
            Some(byte) => self.literal(byte),
        })
    }
}

impl Piece {
    /// Either of two, the second of which has been written behind the first.
    fn or(self, other: &Self) -> Self {
        let is_empty = |piece: &Self| piece.extent.may_be_empty() || piece.states == 0;
        let extent =
            if is_empty(&self) || is_empty(other) { Extent::MayBeEmpty } else { Extent::Some };
        let states = self.states.saturating_add(other.states).saturating_add(1);
        Self { states, is_atom: false, extent, literal: String::new(), ..self }
    }

    /// Whether it matches its literal and nothing else.
    fn is_literal(&self) -> bool {
        self.states > 0 && self.literal.chars().count() == self.states as usize
    }

    fn checked(self) -> Result<Self, String> {
        if self.states > LARGEST {
            return Err(format!("at most {LARGEST} characters when intervals are written out"));
        }
        Ok(self)
    }
}

/// The longer one, or the first.
fn longer(one: String, other: String) -> String {
    if one.len() > other.len() { one } else { other }
}

/// An interval (`{2}`, `{2,}`, `{,3}`, `{2,3}`) at the beginning: its numbers and its length.
/// `None` where the brace is a character like any other.
fn interval(text: &[u8]) -> Result<Option<(u32, Option<u32>, usize)>, String> {
    let Some(inside) = text.strip_prefix(b"{") else { return Ok(None) };
    let (first, after) = number(inside);
    let (second, rest) = match after.strip_prefix(b",") {
        Some(rest) => number(rest),
        None if first.is_some() => (first, after),
        None => return Ok(None),
    };
    if !rest.starts_with(b"}") {
        return Ok(None);
    }
    let least = first.unwrap_or(0);
    if least.max(second.unwrap_or(0)) > MOST_TIMES {
        return Err(format!("intervals of at most {MOST_TIMES}"));
    }
    if second.is_some_and(|most| most < least) {
        return Err("intervals with the smaller number first".to_owned());
    }
    Ok(Some((least, second, text.len() - rest.len() + 1)))
}

/// The number at the beginning, if there is one, and what follows it.
fn number(text: &[u8]) -> (Option<u32>, &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let value =
        |sum: u32, digit: &u8| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    ((length > 0).then(|| digits.iter().fold(0, value)), rest)
}
