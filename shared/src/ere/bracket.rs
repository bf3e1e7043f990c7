//! Bracket expressions such as `[a-z_]`, `[^[:space:]]` (POSIX.1, 9.3.5), as GNU grep reads them in
//! the C locale.
#![forbid(unsafe_code)]

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

const OPEN: &str = "a ] for each [";

/// Reads a bracket expression behind its opening bracket; its members, and what follows it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn bracket(text: &[u8]) -> Result<(Set, &[u8]), String> {
    let mut rest = Rest(text);
    let is_negated = rest.take(b"^");
    let inside = rest.0;
    let mut set = Set::default();
    while rest.0.len() == inside.len() || !rest.0.starts_with(b"]") {
        // A hyphen that is neither first nor last nor the end of a range.
        if rest.begins_range() && rest.0.len() < inside.len() {
            return Err("ranges such as a-z in brackets, and a hyphen as the last one".to_owned());
        }
        if rest.take(b"[:") {
            set.add_all(Set::of(class(rest.name(b":]")?)?));
            if rest.begins_range() {
                return Err("no range that begins with a class".to_owned());
            }
            continue;
        }
        let low = rest.member()?;
        let mut high = low;
        if rest.begins_range() {
            rest.take(b"-");
            high = rest.member()?;
        }
        // For grep, letters have no case here, but the range is that of the letters as they stand.
        if low.to_ascii_uppercase() > high.to_ascii_uppercase() {
            return Err(format!(
                "{}-{} the other way round",
                low.escape_ascii(),
                high.escape_ascii()
            ));
        }
        set.add(low, high);
    }
    let length = inside.len() - rest.0.len();
    rest.take(b"]");
    if length > 1 && inside[0] == b':' && inside[length - 1] == b':' {
        return Err("[[:alpha:]] for a class, with two brackets".to_owned());
    }
    Ok((set.finished(is_negated), rest.0))
}

impl<'a> Rest<'a> {
    fn take(&mut self, prefix: &[u8]) -> bool {
        let rest = self.0.strip_prefix(prefix);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Whether a hyphen is next that is not the last character.
    fn begins_range(&self) -> bool {
        matches!(self.0, [b'-', after, ..] if *after != b']')
    }

    /// A member, or one end of a range.
    fn member(&mut self) -> Result<u8, String> {
        for (open, close) in [(b"[.", b".]"), (b"[=", b"=]")] {
            if self.take(open) {
                return match self.name(close)? {
                    [byte] => Ok(*byte),
                    _ => Err("one character between [. and .]".to_owned()),
                };
            }
        }
        let (first, rest) = self.0.split_first().ok_or(OPEN)?;
        self.0 = rest;
        Ok(*first)
    }

    /// What stands before `close`.
    fn name(&mut self, close: &[u8]) -> Result<&'a [u8], String> {
        let length = self.0.windows(2).position(|pair| pair == close).ok_or(OPEN)?;
        let (name, rest) = self.0.split_at(length);
        self.0 = &rest[2..];
        Ok(name)
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// A character class of the C locale. Letters have no case.
fn class(name: &[u8]) -> Result<fn(u8) -> bool, String> {
    Ok(match name {
        b"alpha" | b"upper" | b"lower" => |byte| byte.is_ascii_alphabetic(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => is_space,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        _ => return Err("[[:alpha:]] or another of the twelve POSIX classes".to_owned()),
    })
}

/// A set of bytes, a bit each.
#[derive(Clone, Copy, Default)]
pub(super) struct Set([u128; 2]);

impl Set {
    pub(super) fn of(is_member: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=127).filter(|byte| is_member(*byte)).for_each(|byte| set.add(byte, byte));
        set
    }

    /// Adds all from the first to the last; none when they are the other way round.
    fn add(&mut self, first: u8, last: u8) {
        for (index, half) in self.0.iter_mut().enumerate() {
            let base = 128 * index as u32;
            let (from, to) = (u32::from(first).max(base), u32::from(last).min(base + 127));
            if from <= to {
                *half |= (u128::MAX >> (127 - (to - from))) << (from - base);
            }
        }
    }

    fn add_all(&mut self, other: Self) {
        self.0[0] |= other.0[0];
        self.0[1] |= other.0[1];
    }

    /// As it is for text without large letters: these are the small ones. Then negated, if that is
    /// said, and without the newline, which no line has.
    pub(super) fn finished(mut self, is_negated: bool) -> Self {
        const LETTERS: u128 = ((1 << 26) - 1) << b'A';
        self.0[0] |= (self.0[0] & LETTERS) << 32;
        if is_negated {
            self.0 = self.0.map(|half| !half);
        }
        self.0[0] &= !(LETTERS | 1 << b'\n');
        self
    }

    /// The first and the last byte of each run.
    pub(super) fn ranges(self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for (index, mut half) in self.0.into_iter().enumerate() {
            let mut base = 128 * index as u32;
            while half != 0 {
                let skipped = half.trailing_zeros();
                let length = (half >> skipped).trailing_ones();
                let first = base + skipped;
                ranges.push((first as u8, (first + length - 1) as u8));
                base = first + length;
                half = half.checked_shr(skipped + length).unwrap_or(0);
            }
        }
        ranges
    }
}
