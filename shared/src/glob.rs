//! File name patterns as web servers include files by (fnmatch(3), glob(7)): `*`, `?`, `[a-z]`,
//! `[!a-z]`, and a backslash before any of them. And the files that a path with patterns stands
//! for.
#![forbid(unsafe_code)]

use std::path::{Component, Path, PathBuf};

/// The most files that a path stands for, and the most directories that are looked through for it.
pub const MOST: usize = 10_000;

/// Where files come from: the machine ([`crate::sys::file::Disk`]), or a test.
pub trait Files {
    /// The text of a file; `None` when it cannot be read.
    fn text(&self, path: &Path) -> Option<String>;

    /// The names in a directory, sorted; `None` when the path is none.
    fn names(&self, path: &Path) -> Option<Vec<String>>;

    /// Whether there is something at a path.
    fn exists(&self, path: &Path) -> bool;
}

/// What is there of a path whose parts may be patterns: sorted, as the servers read it.
pub fn expand(files: &dyn Files, path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let pattern = match part {
            Component::Normal(name) => name.to_str().filter(|name| is_pattern(name)),
            _ => None,
        };
        let below = |before: PathBuf| -> Vec<PathBuf> {
            let Some(pattern) = pattern else { return vec![before.join(part)] };
            let names = files.names(&before).unwrap_or_default();
            names
                .iter()
                .filter(|name| matches(pattern, name))
                .map(|name| before.join(name))
                .collect()
        };
        found = found.into_iter().flat_map(below).take(MOST).collect();
    }
    found.retain(|path| files.exists(path));
    found
}

/// Whether a text contains anything that makes it a pattern.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name, one part of a path, matches a pattern. A leading dot is matched by a dot alone.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    fits(&pattern, &name)
}

/// Remembers the last star and goes back to it: no pattern takes more than the product of both
/// lengths.
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
    use crate::testing::Tree;

    #[test]
    fn fuzz_any_pattern_and_any_name_are_compared() {
        crate::testing::fuzz::survives_text(
            &["/e/*[!a-z]?\\*.conf\n/e/ab.conf", "/e/[]-a]*\n/e/]]a"],
            |text| {
                let (pattern, name) = text.split_once('\n').unwrap_or((text, "/e/a.conf"));
                let _ = (
                    matches(pattern, name),
                    expand(&Tree(&[(name, ""), ("/e/a.conf", "")]), Path::new(pattern)),
                );
            },
        );
    }

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
            ("[]x]y", "]y"),
            ("a*b*c", "a-b-b-c"),
            (".*", ".a"),
        ];
        let no = [
            ("*.conf", "a.conf~"),
            ("*", ".hidden"),
            ("a", "A"),
            ("[a-c]x", "dx"),
            ("?", "ab"),
            ("a*b", "ac"),
            ("[a", "a"),
            ("?", ""),
            ("[!a]", ""),
        ];
        assert!(yes.iter().all(|(pattern, name)| matches(pattern, name)));
        assert!(no.iter().all(|(pattern, name)| !matches(pattern, name)));
    }

    #[test]
    fn wt_5_no_pattern_takes_for_ever() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
        assert!(!matches("*a*a*a*a*a*a*a*a*b", &"a".repeat(250)));
    }

    #[test]
    fn parts_of_a_path_are_expanded_in_order() {
        let tree = Tree(&[
            ("/e/b/2.conf", ""),
            ("/e/b/1.conf", ""),
            ("/e/a/3.conf", ""),
            ("/e/a/.x.conf", ""),
            ("/e/c/y", ""),
        ]);
        let found = |path: &str| -> Vec<String> {
            expand(&tree, Path::new(path)).iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(found("/e/[ab]/*.conf"), ["/e/a/3.conf", "/e/b/1.conf", "/e/b/2.conf"]);
        assert_eq!(found("/e/c"), ["/e/c"]);
        assert_eq!(found("/e/none/*"), [""; 0]);
    }
}
