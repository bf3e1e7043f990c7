//! Files of environment variables, which are shell by nature (Debian's `envvars`), read as data.
//!
//! Read here: assignments, `export`, `unset`, and `if` with one simple test, which is all that
//! distributions ship. Anything else makes the reader give up on the whole file, and then only a
//! shell can say what it means.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

/// Variables, as a shell has them: some of them for the programs that it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
    exported: BTreeSet<String>,
}

/// The longest value: the kernel starts no program with a longer one (MAX_ARG_STRLEN). One that is
/// made of itself twice doubles with each line.
const LONGEST: usize = 128 << 10;

/// What a test may ask about a file: the letter of the test, and the path.
pub type FileTest<'a> = &'a dyn Fn(char, &str) -> bool;

/// A line that is more than data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotData(pub String);

impl Variables {
    /// Those that are given, all of them for programs.
    pub fn exported(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let values: BTreeMap<String, String> = pairs.into_iter().collect();
        Self { exported: values.keys().cloned().collect(), values }
    }

    /// What a program that is started gets.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.values.iter().filter(|(name, _)| self.exported.contains(*name));
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a variable that programs get.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.environment().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Gives a variable to programs.
    pub fn export(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
        self.exported.insert(name.to_owned());
    }

    /// Reads a file on top of what is there.
    ///
    /// # Errors
    /// The first line that only a shell understands; what is there may have changed by then.
    pub fn read(&mut self, text: &str, file: FileTest<'_>) -> Result<(), NotData> {
        // For each `if` that is open: whether its lines count now, and whether a branch of it was
        // taken already.
        let mut open: Vec<(bool, bool)> = Vec::new();
        for statement in statements(text)? {
            let strange = || NotData(statement.clone());
            let live = open.iter().all(|(counts, _)| *counts);
            let (word, rest) =
                statement.split_once(char::is_whitespace).unwrap_or((&statement, ""));
            match (word, rest.trim()) {
                ("if", test) => {
                    let holds = live && self.test(test, file).ok_or_else(strange)?;
                    open.push((holds, holds));
                }
                ("elif", test) => {
                    let (counts, taken) = open.pop().ok_or_else(strange)?;
                    let outer = open.iter().all(|(counts, _)| *counts);
                    let holds =
                        !counts && !taken && outer && self.test(test, file).ok_or_else(strange)?;
                    open.push((holds, taken || holds));
                }
                ("else", "") => {
                    let last = open.last_mut().ok_or_else(strange)?;
                    *last = (!last.1, true);
                }
                ("then", "") => {}
                ("fi", "") => drop(open.pop().ok_or_else(strange)?),
                _ if !live => {}
                ("unset", names) => {
                    for name in names.split_whitespace() {
                        self.values.remove(name);
                        self.exported.remove(name);
                    }
                }
                ("export", what) => self.assign(what, true).ok_or_else(strange)?,
                _ => self.assign(&statement, false).ok_or_else(strange)?,
            }
        }
        if open.is_empty() { Ok(()) } else { Err(NotData("if without fi".to_owned())) }
    }

    /// `NAME=value` or, for `export`, also `NAME`; any number of them.
    fn assign(&mut self, what: &str, export: bool) -> Option<()> {
        for word in split(what)? {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None if export => (word.as_str(), None),
                None => return None,
            };
            if !is_name(name) {
                return None;
            }
            if let Some(value) = value {
                let value = self.expand(value)?;
                self.values.insert(name.to_owned(), value);
            }
            if export {
                self.exported.insert(name.to_owned());
            }
        }
        Some(())
    }

    /// Judges `[ … ]` or `test …`.
    fn test(&self, mut text: &str, file: FileTest<'_>) -> Option<bool> {
        let mut negated = false;
        while let Some(rest) = text.strip_prefix("! ") {
            (text, negated) = (rest.trim_start(), !negated);
        }
        let inner = match text.strip_prefix("[ ") {
            Some(rest) => rest.trim_end().strip_suffix(']')?,
            None => text.strip_prefix("test ")?,
        };
        let words =
            split(inner)?.iter().map(|word| self.expand(word)).collect::<Option<Vec<String>>>()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (words, negative) = match words.split_first() {
            Some((&"!", rest)) => (rest, true),
            _ => (words.as_slice(), false),
        };
        let holds = match words {
            [one] => !one.is_empty(),
            ["-n", one] => !one.is_empty(),
            ["-z", one] => one.is_empty(),
            [letter @ ("-e" | "-f" | "-d" | "-r" | "-x"), path] => {
                file(letter.chars().nth(1)?, path)
            }
            [one, "=" | "==", other] => one == other,
            [one, "!=", other] => one != other,
            _ => return None,
        };
        Some(holds != (negative != negated))
    }

    /// A word with its quotes taken off and its variables replaced; `None` where only a shell
    /// knows.
    fn expand(&self, word: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = word;
        let mut quoted = false;
        while let Some(letter) = rest.chars().next() {
            let tail = &rest[letter.len_utf8()..];
            rest = match letter {
                '"' => {
                    quoted = !quoted;
                    tail
                }
                '\'' if !quoted => {
                    let (inner, tail) = tail.split_once('\'')?;
                    out.push_str(inner);
                    tail
                }
                '\\' => {
                    let next = tail.chars().next()?;
                    if quoted && !matches!(next, '$' | '`' | '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(next);
                    &tail[next.len_utf8()..]
                }
                '$' => {
                    let (value, tail) = self.variable(tail)?;
                    if out.len() + value.len() > LONGEST {
                        return None;
                    }
                    // Outside quotes a shell would split it, and drop an empty one.
                    if !quoted
                        && (value.contains(char::is_whitespace) || ocf::glob::is_pattern(&value))
                    {
                        return None;
                    }
                    out.push_str(&value);
                    tail
                }
                '`' => return None,
                '~' | '*' | '?' | '&' | '|' | '<' | '>' | '(' | ')' | '{' | '}' if !quoted => {
                    return None;
                }
                other => {
                    out.push(other);
                    tail
                }
            };
        }
        (!quoted).then_some(out)
    }

    /// The value of what follows a `$`, and what follows that.
    fn variable<'a>(&self, text: &'a str) -> Option<(String, &'a str)> {
        let value = |name: &str| self.values.get(name).cloned().unwrap_or_default();
        let Some(braced) = text.strip_prefix('{') else {
            let end =
                text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
            let (name, tail) = text.split_at(end);
            return is_name(name).then(|| (value(name), tail));
        };
        let (inner, tail) = braced.split_once('}')?;
        let end =
            inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
        let (name, operation) = inner.split_at(end);
        let literal = |text: &str| {
            (!text.contains(['*', '?', '[', '$', '`', '\\', '"', '\''])).then(|| text.to_owned())
        };
        let now = value(name);
        let result = if !is_name(name) {
            return None;
        } else if operation.is_empty() {
            now
        } else if let Some(word) = operation.strip_prefix(":-") {
            if now.is_empty() { literal(word)? } else { now }
        } else if let Some(word) = operation.strip_prefix('-') {
            if self.values.contains_key(name) { now } else { literal(word)? }
        } else if let Some(word) =
            operation.strip_prefix("##").or_else(|| operation.strip_prefix('#'))
        {
            now.strip_prefix(literal(word)?.as_str()).unwrap_or(&now).to_owned()
        } else if let Some(word) =
            operation.strip_prefix("%%").or_else(|| operation.strip_prefix('%'))
        {
            now.strip_suffix(literal(word)?.as_str()).unwrap_or(&now).to_owned()
        } else {
            return None;
        };
        Some((result, tail))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Calls `each` with every letter that stands outside quotes, and its place; `None` when quotes do
/// not end.
fn outside_quotes(text: &str, mut each: impl FnMut(usize, char)) -> Option<()> {
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None | Some('"'), '\\') => drop(letters.next()),
            (None, _) => each(at, letter),
            _ => {}
        }
    }
    quote.is_none().then_some(())
}

/// The statements of a text, without comments.
fn statements(text: &str) -> Result<Vec<String>, NotData> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.to_owned();
        while line.ends_with('\\') && !line.trim_start().starts_with('#') {
            line.pop();
            line.push_str(lines.next().unwrap_or_default());
        }
        if line.trim_start().starts_with('#') {
            continue;
        }
        let (mut ends, mut comment) = (Vec::new(), None);
        outside_quotes(&line, |at, letter| {
            if comment.is_none() && letter == ';' {
                ends.push(at);
            }
            // A comment begins where a word would.
            if comment.is_none()
                && letter == '#'
                && line[..at].chars().last().is_none_or(char::is_whitespace)
            {
                comment = Some(at);
            }
        })
        .ok_or_else(|| NotData(line.trim().to_owned()))?;
        let line_end = comment.unwrap_or(line.len());
        let mut begin = 0;
        for end in ends.into_iter().chain([line_end]) {
            let mut statement = line[begin..end.max(begin)].trim();
            // What follows these words is a statement of its own.
            while let Some((word @ ("then" | "else"), rest)) =
                statement.split_once(char::is_whitespace)
            {
                found.push(word.to_owned());
                statement = rest.trim_start();
            }
            if !statement.is_empty() {
                found.push(statement.to_owned());
            }
            begin = end + 1;
        }
    }
    Ok(found)
}

/// Words at white space outside quotes.
fn split(text: &str) -> Option<Vec<String>> {
    let mut gaps = Vec::new();
    outside_quotes(text, |at, letter| {
        if letter.is_whitespace() {
            gaps.push((at, at + letter.len_utf8()));
        }
    })?;
    let mut found = Vec::new();
    let mut begin = 0;
    for (end, next) in gaps.into_iter().chain([(text.len(), text.len())]) {
        if end > begin {
            found.push(text[begin..end].to_owned());
        }
        begin = next;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of Debian's file that say something.
    const DEBIAN: &str = "# comment's quote\nunset HOME\n\
        if [ \"${APACHE_CONFDIR##/etc/apache2-}\" != \"${APACHE_CONFDIR}\" ] ; then\n\
        \tSUFFIX=\"-${APACHE_CONFDIR##/etc/apache2-}\"\nelse\n\tSUFFIX=\nfi\n\
        export APACHE_RUN_USER=www-data\nexport \
        APACHE_PID_FILE=/var/run/apache2$SUFFIX/apache2.pid\n\
        export LANG=C\nexport LANG # said twice\n";

    fn read(text: &str, given: &[(&str, &str)]) -> Result<Variables, NotData> {
        let mut variables =
            Variables::exported(given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        variables.read(text, &|_, path| path == "/there").map(|()| variables)
    }

    fn environment(text: &str, given: &[(&str, &str)]) -> Vec<(String, String)> {
        let variables = read(text, given).unwrap();
        variables.environment().map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    #[test]
    fn debians_file_is_data() {
        let plain = read(DEBIAN, &[("HOME", "/root")]).unwrap();
        assert_eq!(plain.get("APACHE_PID_FILE"), Some("/var/run/apache2/apache2.pid"));
        assert_eq!(
            (plain.get("HOME"), plain.get("SUFFIX"), plain.get("LANG")),
            (None, None, Some("C"))
        );
        let second = read(DEBIAN, &[("APACHE_CONFDIR", "/etc/apache2-blue")]).unwrap();
        assert_eq!(second.get("APACHE_PID_FILE"), Some("/var/run/apache2-blue/apache2.pid"));
    }

    #[test]
    fn values_are_what_a_shell_would_make_of_them() {
        let cases = [
            ("export A='x $B'", "x $B"),
            ("export A=\"a b\"'c'd", "a bcd"),
            ("B=1; export A=$B-${B}2", "1-12"),
            ("export A=\"\\$x \\y\"", "$x \\y"),
            ("export A=a\\ b", "a b"),
            ("A=old\nexport A=${A:-no}", "old"),
            ("export A=${NONE:-/run}", "/run"),
            ("export A=${NONE-}x", "x"),
            ("export A=1 # B=2", "1"),
            ("export A=a#b", "a#b"),
            ("B=/x/y.conf; export A=${B%.conf}", "/x/y"),
            ("if [ -f /there ]; then export A=1; else export A=2; fi", "1"),
            (
                "if ! test -n \"\"\nthen\nexport A=1\nfi\nif [ -z \"$A\" ]\nthen\nA=2\n\
                 elif [ $A = x ]\nthen\nA=3\nelse\nA=4\nfi\nexport A",
                "4",
            ),
        ];
        for (text, value) in cases {
            let found = read(text, &[]).unwrap_or_else(|strange| panic!("{text}: {strange:?}"));
            assert_eq!(found.get("A"), Some(value), "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_knows_is_not_guessed() {
        for text in [
            "export A=`id`",
            "export A=$(id -un)",
            "ulimit -n 4096",
            ". /etc/default/locale",
            "export A=/tmp/*",
            "export A=~/x",
            "A=1 && B=2",
            "A=1 id",
            "export A=\"open",
            "if grep -q x /etc/y; then A=1; fi",
            "if [ a ]; then A=1",
            "for a in 1 2; do B=$a; done",
            "export A=${B:=1}",
            ": ${A:=1}",
            "f() {",
        ] {
            assert!(read(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn wt_7_a_value_that_doubles_and_a_test_that_is_turned_round_end() {
        let doubles = format!("A=aaaaaaaa\n{}export A", "A=\"$A$A\"\n".repeat(64));
        assert!(read(&doubles, &[]).is_err());
        let turned = |count: usize| {
            format!("if {}[ a ]; then export A=1; else export A=2; fi", "! ".repeat(count))
        };
        assert_eq!(read(&turned(100_000), &[]).unwrap().get("A"), Some("1"));
        assert_eq!(read(&turned(99_999), &[]).unwrap().get("A"), Some("2"));
    }

    #[test]
    fn only_what_is_exported_reaches_the_server() {
        assert_eq!(
            environment("A=1\nexport B=2\nC=3\nexport C", &[]),
            [("B".to_owned(), "2".to_owned()), ("C".to_owned(), "3".to_owned())]
        );
    }
}
