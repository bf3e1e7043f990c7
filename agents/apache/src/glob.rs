//! File name patterns as `Include` has them (fnmatch(3)): `*`, `?`, `[a-z]`, `[!a-z]`, and a backslash before any of them.
#![forbid(unsafe_code)]

/// Whether a text holds anything that makes it a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name, one part of a path, is what a pattern means. A leading dot must be there in the pattern.
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    fits(&pattern, &name)
}

/// Remembers the last star and goes back to it: no pattern takes more than the product of both lengths.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(next) = pattern.get(p).and_then(|_| one(pattern, p, name[n])) {
            p = next;
            n += 1;
        } else if let Some((after, taken)) = star {
            p = after;
            n = taken + 1;
            star = Some((after, taken + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on when its part at `at` means this letter.
fn one(pattern: &[char], at: usize, letter: char) -> Option<usize> {
    match pattern[at] {
        '?' => Some(at + 1),
        '\\' => (pattern.get(at + 1) == Some(&letter)).then_some(at + 2),
        '[' => match set(&pattern[at + 1..], letter) {
            Some((true, length)) => Some(at + 1 + length),
            Some((false, _)) => None,
            // Without its end it is a letter like any other.
            None => (letter == '[').then_some(at + 1),
        },
        other => (other == letter).then_some(at + 1),
    }
}

/// Whether a letter is in the set that begins here, behind the bracket, and how long the set is.
fn set(rest: &[char], letter: char) -> Option<(bool, usize)> {
    let negative = matches!(rest.first(), Some('!' | '^'));
    let begin = usize::from(negative);
    let end = begin + 1 + rest.get(begin + 1..)?.iter().position(|c| *c == ']')?;
    let members = &rest[begin..end];
    let mut found = false;
    let mut at = 0;
    while at < members.len() {
        if members.get(at + 1) == Some(&'-') && at + 2 < members.len() {
            found |= (members[at]..=members[at + 2]).contains(&letter);
            at += 3;
        } else {
            found |= members[at] == letter;
            at += 1;
        }
    }
    Some((found != negative, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_fnmatch_says() {
        let yes = [
            ("*.conf", "a.conf"),
            ("*.conf", "b.c.conf"),
            ("0??-*", "000-default"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("a\\*b", "a*b"),
            ("[x", "[x"),
            ("*", "a"),
            (".*", ".hidden"),
            ("[]]", "]"),
        ];
        let no = [("*.conf", "a.conf~"), ("*", ".hidden"), ("a", "A"), ("[a-c]x", "dx"), ("?", "ab"), ("a*b", "ac")];
        assert!(yes.iter().all(|(pattern, name)| matches(pattern, name)));
        assert!(no.iter().all(|(pattern, name)| !matches(pattern, name)));
    }

    #[test]
    fn no_pattern_takes_for_ever() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
    }
}
