//! The expressions that people write to look at a page (`</ *html *>`, `Reading: [0-9]+ Writing`): a sequence of letters,
//! points and brackets, each perhaps repeated. They mean here what they mean to the C library, which spends more on
//! compiling and on the first match of one than the rest of a monitor needs.
//!
//! All states are followed at once, as bits of a number: the time is linear in the page, whatever the expression.
#![forbid(unsafe_code)]

use memchr::memchr2_iter;

/// As many items as fit a number, with one bit for the end.
const MOST: usize = 63;

/// A sequence of items.
#[derive(Debug)]
pub struct Simple {
    items: Vec<Item>,
    /// For each item and the end: the states that it is reached with, for those after items that may be absent are too.
    reached: Vec<u64>,
    /// `^` at its beginning, `$` at its end.
    anchored: (bool, bool),
    /// What every match holds: the longest run of plain bytes. May be empty.
    run: Vec<u8>,
    /// Which byte of the run is rare on a page.
    rare: usize,
}

/// What pages are full of, the rarest first; bytes that are not here are rarer still.
const COMMON: &[u8] = b"kvwybgpfumcdlhrsnoaite-\"=></ ";

#[derive(Debug)]
struct Item {
    what: What,
    /// Whether it may be absent, as with `*` and `?`.
    optional: bool,
    /// Whether it may come again, as with `*` and `+`.
    repeats: bool,
}

/// What one byte, as a small letter, is compared with.
#[derive(Debug)]
enum What {
    Byte(u8),
    Any,
    OneOf(Box<[bool; 256]>),
}

impl What {
    fn takes(&self, byte: u8) -> bool {
        match self {
            What::Byte(own) => *own == byte,
            What::Any => true,
            What::OneOf(set) => set[usize::from(byte)],
        }
    }
}

impl Item {
    /// The byte that must be here once.
    fn plain(&self) -> Option<u8> {
        match self.what {
            What::Byte(byte) if !self.optional && !self.repeats => Some(byte),
            _ => None,
        }
    }
}

impl Simple {
    /// Reads an expression; `None` when it has anything that is not simple, or may be faulty.
    pub fn new(text: &str) -> Option<Self> {
        // As the C library does for REG_ICASE: everything is a small letter, the ends of ranges too (regcomp.c).
        let text = text.to_ascii_lowercase();
        let mut rest = text.as_bytes();
        let begins = rest.first() == Some(&b'^');
        rest = &rest[usize::from(begins)..];
        let (mut items, mut ends) = (Vec::with_capacity(rest.len()), false);
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            let what = match byte {
                b'$' if rest.is_empty() => {
                    ends = true;
                    break;
                }
                b'(' | b')' | b'|' | b'{' | b'}' | b'^' | b'$' | b'*' | b'+' | b'?' | b'\n' | 0 => return None,
                b'.' => What::Any,
                b'[' => {
                    let (set, after) = bracket(rest)?;
                    rest = after;
                    What::OneOf(set)
                }
                b'\\' => {
                    let (escaped, after) = rest.split_first()?;
                    rest = after;
                    // Letters, digits and these four have meanings of their own.
                    let is_plain = escaped.is_ascii_punctuation() && !matches!(escaped, b'<' | b'>' | b'`' | b'\'');
                    is_plain.then_some(What::Byte(*escaped))?
                }
                byte => What::Byte(*byte),
            };
            let (optional, repeats) = match rest.first() {
                Some(b'*') => (true, true),
                Some(b'+') => (false, true),
                Some(b'?') => (true, false),
                _ => (false, false),
            };
            rest = &rest[usize::from(optional || repeats)..];
            items.push(Item { what, optional, repeats });
        }
        if items.is_empty() || items.len() > MOST {
            return None;
        }
        let run = longest_run(&items);
        let rank = |at: &usize| COMMON.iter().position(|byte| *byte == run[*at]);
        let rare = (0..run.len()).min_by_key(rank).unwrap_or(0);
        let mut reached = vec![1 << items.len(); items.len() + 1];
        for (number, item) in items.iter().enumerate().rev() {
            reached[number] = 1 << number | if item.optional { reached[number + 1] } else { 0 };
        }
        Some(Self { items, reached, anchored: (begins, ends), run, rare })
    }

    /// Whether a line of the body has a match. NUL bytes end lines too.
    pub fn is_match(&self, body: &[u8]) -> bool {
        let Some(rare) = self.run.get(self.rare) else {
            return body.split(ends_line).any(|line| self.is_match_in(line));
        };
        // Most lines have nothing of it. Those that have are looked at once.
        let mut from = 0;
        for at in memchr2_iter(*rare, rare.to_ascii_uppercase(), body) {
            if at < from || !self.run_is_around(body, at) {
                continue;
            }
            let begin = body[..at].iter().rposition(ends_line).map_or(0, |before| before + 1);
            let end = body[at..].iter().position(ends_line).map_or(body.len(), |length| at + length);
            if self.is_match_in(&body[begin..end]) {
                return true;
            }
            from = end;
        }
        false
    }

    /// Whether the run is where its rare byte is.
    fn run_is_around(&self, body: &[u8], at: usize) -> bool {
        let Some(place) = at.checked_sub(self.rare).and_then(|begin| body.get(begin..)) else { return false };
        let same = |(there, own): (&u8, &u8)| there.to_ascii_lowercase() == *own;
        place.len() >= self.run.len() && place.iter().zip(&self.run).all(same)
    }

    /// Whether a line has a match.
    fn is_match_in(&self, line: &[u8]) -> bool {
        let (begins, ends) = self.anchored;
        let end = 1 << self.items.len();
        let mut states = self.reached[0];
        for byte in line {
            if states & end != 0 && !ends {
                return true;
            }
            states = self.after(states, byte.to_ascii_lowercase());
            if !begins {
                states |= self.reached[0];
            }
        }
        states & end != 0
    }

    /// The states after a byte. Bit K: item K comes next.
    fn after(&self, states: u64, byte: u8) -> u64 {
        let (mut left, mut next) = (states, 0);
        while left != 0 {
            let number = left.trailing_zeros() as usize;
            left &= left - 1;
            // There is none for the bit of the end.
            if let Some(item) = self.items.get(number).filter(|item| item.what.takes(byte)) {
                next |= self.reached[number + 1] | if item.repeats { self.reached[number] } else { 0 };
            }
        }
        next
    }
}

fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\n' | 0)
}

fn longest_run(items: &[Item]) -> Vec<u8> {
    let runs = items.split(|item| item.plain().is_none());
    // The first of several.
    let longest = runs.rev().max_by_key(|run| run.len()).unwrap_or_default();
    longest.iter().filter_map(Item::plain).collect()
}

/// The members of a bracket expression and what follows it (POSIX.1, 9.3.5); `None` where it is not plain.
fn bracket(text: &[u8]) -> Option<(Box<[bool; 256]>, &[u8])> {
    let mut set = Box::new([false; 256]);
    let negated = text.first() == Some(&b'^');
    let text = &text[usize::from(negated)..];
    let mut at = 0;
    loop {
        let byte = *text.get(at)?;
        let next = text.get(at + 1).copied();
        match (byte, next) {
            // The first one is a member.
            (b']', _) if at > 0 => break,
            (b'[', Some(b':')) => {
                let length = text[at + 2..].windows(2).position(|pair| pair == b":]")?;
                let class = class(&text[at + 2..at + 2 + length])?;
                (0..=255).filter(class).for_each(|byte: u8| set[usize::from(byte)] = true);
                at += length + 4;
                continue;
            }
            (b'[', Some(b'.' | b'=')) | (b'\n' | 0, _) => return None,
            _ => {}
        }
        match (next, text.get(at + 2)) {
            (Some(b'-'), Some(last)) if *last != b']' => {
                // Of letters and digits, everybody knows what is between them.
                let is_known = byte.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && byte <= *last;
                is_known.then_some(())?;
                set[usize::from(byte)..=usize::from(*last)].fill(true);
                at += 3;
            }
            _ => {
                set[usize::from(byte)] = true;
                at += 1;
            }
        }
    }
    if negated {
        set.iter_mut().for_each(|member| *member = !*member);
    }
    Some((set, &text[at + 1..]))
}

/// A character class of the C locale. Of bytes that are small letters by then, the large ones are the small ones.
fn class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alpha" | b"upper" | b"lower" => u8::is_ascii_alphabetic,
        b"digit" => u8::is_ascii_digit,
        b"alnum" => u8::is_ascii_alphanumeric,
        b"xdigit" => u8::is_ascii_hexdigit,
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Compiled;
    use super::Simple;

    #[test]
    fn what_is_not_simple_or_may_be_faulty_is_left_to_the_library() {
        for text in [
            "(a)",
            "a|b",
            "a{2}",
            "a^b",
            "a$b",
            "*a",
            "+",
            "a**",
            r"\<a",
            r"\w",
            r"a\1",
            r"\",
            "[a",
            "[b-a]",
            "[!-a]",
            "[[.a.]]",
            "[[=a=]]",
            "[[:word:]]",
            "[[:alpha]]",
            "",
            "^$",
            "a\nb",
            "a}",
            "[]",
        ] {
            assert!(Simple::new(text).is_none(), "{text:?}");
        }
        assert!(Simple::new(&"a".repeat(63)).is_some() && Simple::new(&"a".repeat(64)).is_none());
    }

    /// A generator of numbers that gives the same ones at each run (xorshift, Marsaglia 2003).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % limit as u64) as usize
        }

        fn of(&mut self, parts: &[&str], most: usize) -> String {
            (0..=self.below(most)).map(|_| parts[self.below(parts.len())]).collect()
        }
    }

    #[test]
    fn it_judges_as_the_c_library_does() {
        let parts = [
            "a",
            "B",
            "b",
            ".",
            "[ab]",
            "[^A]",
            "[a-c]",
            "[[:digit:]]",
            "[^[:space:]x]",
            "[]b]",
            "[^]b]",
            "[a-]",
            "*",
            "+",
            "?",
            "1",
            " ",
            r"\.",
            r"\*",
            "[C-c]",
            "[[:upper:]_]",
            "^",
            "$",
            "é",
        ];
        let texts = ["a", "A", "b", "B", "c", "x", "1", " ", ".", "*", "]", "-", "_", "\n", "\t", "é", "\0"];
        let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
        let (mut simple, mut matched) = (0, 0);
        for _ in 0..40_000 {
            let expression = numbers.of(&parts, 6);
            let Some(own) = Simple::new(&expression) else { continue };
            let library = Compiled::new(&expression).unwrap_or_else(|why| panic!("{expression:?}: {why}"));
            let body = numbers.of(&texts, 12);
            let expected = body.split(['\n', '\0']).any(|line| library.is_match(format!("{line}\0").as_bytes()));
            assert_eq!(own.is_match(body.as_bytes()), expected, "{expression:?} in {body:?}");
            simple += 1;
            matched += usize::from(expected);
        }
        // Neither side of the comparison may be empty.
        assert!(simple > 10_000 && matched > 3_000 && simple - matched > 3_000, "{simple}, {matched}");
    }

    #[test]
    fn a_long_page_takes_no_longer_than_it_is_long() {
        let page = vec![b'a'; 1 << 20];
        assert!(!Simple::new(".*.*.*.*.*.*.*.*b").unwrap().is_match(&page));
        assert!(Simple::new("a*a*a*a*$").unwrap().is_match(&page));
    }
}
