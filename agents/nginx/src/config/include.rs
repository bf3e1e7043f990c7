//! `include`: other files in the place of a directive, by name or by pattern, as glob(3) reads it.
#![forbid(unsafe_code)]

use std::path::{Component, Path, PathBuf};

use super::grammar::{Directive, parse};

/// What can be looked at.
pub trait Files {
    /// The text of a file; `None` when it cannot be read.
    fn read(&self, path: &Path) -> Option<String>;
    /// The names in a directory, in any order.
    fn list(&self, path: &Path) -> Vec<String>;
}

/// Files that include themselves end somewhere.
const DEEPEST: usize = 16;

/// And so do patterns that mean their own file.
const MOST: usize = 10_000;

/// The text of a file with all that it includes. Relative names begin at `base`, the directory of the main file, from
/// wherever they are included.
pub fn load(files: &impl Files, path: &Path, base: &Path) -> Option<Vec<Directive>> {
    files.read(path).map(|text| expand(files, parse(&text), base, 0, &mut 0))
}

fn expand(
    files: &impl Files,
    directives: Vec<Directive>,
    base: &Path,
    depth: usize,
    read: &mut usize,
) -> Vec<Directive> {
    let mut all = Vec::with_capacity(directives.len());
    for mut directive in directives {
        match (directive.name(), directive.arguments().first()) {
            ("include", Some(pattern)) if depth < DEEPEST => {
                for path in glob(files, &base.join(pattern)) {
                    *read += 1;
                    if *read > MOST {
                        break;
                    }
                    let text = files.read(&path).unwrap_or_default();
                    all.extend(expand(files, parse(&text), base, depth + 1, read));
                }
            }
            _ => {
                directive.block = expand(files, directive.block, base, depth, read);
                all.push(directive);
            }
        }
    }
    all
}

/// The files that a pattern means, in the order of their names; a name without pattern means itself.
fn glob(files: &impl Files, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for part in pattern.components() {
        let Component::Normal(name) = part else {
            if part == Component::ParentDir {
                found.iter_mut().for_each(|path| path.push(".."));
            }
            continue;
        };
        let name = name.to_string_lossy();
        if !name.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(&*name));
            continue;
        }
        found = found
            .iter()
            .flat_map(|folder| {
                let mut names = files.list(folder);
                names.retain(|candidate| fits(&name, candidate));
                names.sort();
                names.into_iter().map(|name| folder.join(name)).collect::<Vec<_>>()
            })
            .collect();
    }
    found
}

/// Whether a name fits a pattern. One that begins with a dot is meant only by a pattern that does.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let hidden = name.first() == Some(&'.') && pattern.first() != Some(&'.');
    !hidden && fits_from(&pattern, &name)
}

fn fits_from(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|skipped| fits_from(rest, &name[skipped..])),
        ['?', rest @ ..] => !name.is_empty() && fits_from(rest, &name[1..]),
        ['\\', literal, rest @ ..] => name.first() == Some(literal) && fits_from(rest, &name[1..]),
        ['[', rest @ ..] => match (class(rest), name.first()) {
            (Some((_, _)), None) => false,
            (Some((set, rest)), Some(first)) => set.holds(*first) && fits_from(rest, &name[1..]),
            (None, first) => first == Some(&'[') && fits_from(rest, &name[1..]),
        },
        [literal, rest @ ..] => name.first() == Some(literal) && fits_from(rest, &name[1..]),
    }
}

/// A set of characters between brackets.
struct Class<'a> {
    negated: bool,
    members: &'a [char],
}

impl Class<'_> {
    fn holds(&self, wanted: char) -> bool {
        let mut members = self.members;
        let mut found = false;
        loop {
            match members {
                [] => return found != self.negated,
                [low, '-', high, rest @ ..] => {
                    found |= (*low..=*high).contains(&wanted);
                    members = rest;
                }
                [one, rest @ ..] => {
                    found |= *one == wanted;
                    members = rest;
                }
            }
        }
    }
}

/// Splits what follows an opening bracket into the set and the rest; `None` when nothing closes it.
fn class(text: &[char]) -> Option<(Class<'_>, &[char])> {
    let negated = matches!(text.first(), Some('!' | '^'));
    let text = if negated { &text[1..] } else { text };
    // A closing bracket in the first place is a member.
    let end = text.iter().skip(1).position(|c| *c == ']')? + 1;
    Some((Class { negated, members: &text[..end] }, &text[end + 1..]))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Files that are only told about.
    pub struct Told(pub &'static [(&'static str, &'static str)]);

    impl Files for Told {
        fn read(&self, path: &Path) -> Option<String> {
            self.0.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        }

        fn list(&self, path: &Path) -> Vec<String> {
            let below = self.0.iter().filter_map(|(name, _)| Path::new(name).strip_prefix(path).ok());
            let mut names: Vec<String> =
                below.filter_map(|rest| rest.iter().next()).map(|name| name.to_string_lossy().into_owned()).collect();
            names.dedup();
            names
        }
    }

    #[test]
    fn patterns_mean_what_glob_says() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            ("*.conf", "a.conf.bak", false),
            ("*", "default", true),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]y", "]y", true),
            ("[x", "[x", true),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_included_in_order_from_the_main_files_directory() {
        let files = Told(&[
            ("/e/n.conf", "include d/*.conf; http { include \"s/*\"; include none/*.conf; }"),
            ("/e/d/b.conf", "b;"),
            ("/e/d/a.conf", "a; include d/deep/x;"),
            ("/e/d/deep/x", "x;"),
            ("/e/s/site", "server { listen 81; }"),
        ]);
        let all = load(&files, Path::new("/e/n.conf"), Path::new("/e")).unwrap();
        assert_eq!(all.iter().map(Directive::name).collect::<Vec<_>>(), ["a", "x", "b", "http"]);
        assert_eq!(all[3].block[0].block[0].words, ["listen", "81"]);
        assert_eq!(load(&files, Path::new("/e/none"), Path::new("/e")), None);
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let files = Told(&[("/n", "a; include /n;")]);
        assert_eq!(load(&files, Path::new("/n"), Path::new("/")).unwrap().len(), 17 + 1);
        const TEXT: &str = "include /d/*;";
        let files = Told(&[("/d/1", TEXT), ("/d/2", TEXT), ("/d/3", TEXT), ("/d/4", TEXT)]);
        assert!(load(&files, Path::new("/d/1"), Path::new("/")).is_some());
    }
}
