//! The server's configuration language: lines to directives, as httpd's own reader makes them.
#![forbid(unsafe_code)]

/// One directive, or the beginning or end of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name in lower case: `listen`; `<virtualhost` where a section begins, `</virtualhost`
    /// where it ends.
    pub name: String,
    /// Its arguments, without quotes.
    pub words: Vec<String>,
}

impl Directive {
    /// The first argument.
    pub fn first(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }
}

/// The directives of a text. `value` knows what `${NAME}` stands for; a name that it does not know
/// stays as it is.
pub fn directives(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut whole = lines.next()?.to_owned();
        // A line goes on in the next where it ends with a backslash, also in a comment.
        while whole.ends_with('\\') {
            whole.pop();
            match lines.next() {
                Some(more) => whole.push_str(more),
                None => break,
            }
        }
        Some(whole)
    })
    .map(|line| line.trim().to_owned())
    .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// How long values make a line at the most. A variable that is defined with itself twice doubles
/// with each line.
const LONGEST: usize = 64 << 10;

/// Reads one line.
pub fn directive(line: &str, value: impl Fn(&str) -> Option<String>) -> Option<Directive> {
    let line = expand(line, value);
    let (line, section) = match line.strip_prefix('<') {
        // What follows the bracket is a comment that no one writes.
        Some(rest) => (rest.rsplit_once('>').map_or(rest, |(inner, _)| inner), true),
        None => (line.as_str(), false),
    };
    let mut words = words(line).into_iter();
    let name = words.next()?.to_ascii_lowercase();
    Some(Directive {
        name: if section { format!("<{name}") } else { name },
        words: words.collect(),
    })
}

/// Puts values in the place of `${NAME}`, once: what a value holds is not looked at again. What
/// would make the line longer than [`LONGEST`] stays as it is.
pub fn expand(line: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    // The next closing brace, looked for once: a line of opening ones would be read anew for each.
    let mut close: Option<usize> = None;
    while let Some(open) = line[at..].find("${").map(|offset| at + offset) {
        let name = open + 2;
        if close.is_none_or(|close| close < name) {
            close = line[name..].find('}').map(|offset| name + offset);
        }
        let Some(end) = close else { break };
        out.push_str(&line[at..open]);
        match value(&line[name..end]).filter(|text| out.len() + text.len() <= LONGEST) {
            Some(text) => {
                out.push_str(&text);
                at = end + 1;
            }
            None => {
                out.push_str("${");
                at = name;
            }
        }
    }
    out.push_str(&line[at..]);
    out
}

/// Splits at white space; a word in quotes, of either kind, ends at its own, and a backslash keeps
/// one.
pub fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut letters = line.chars().peekable();
    loop {
        while letters.next_if(|c| c.is_whitespace()).is_some() {}
        let Some(first) = letters.peek().copied() else { return found };
        let mut word = String::new();
        if first == '"' || first == '\'' {
            letters.next();
            while let Some(letter) = letters.next() {
                match letter {
                    end if end == first => break,
                    '\\' if letters.peek().is_some_and(|next| *next == first || *next == '\\') => {
                        word.extend(letters.next());
                    }
                    other => word.push(other),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|c| !c.is_whitespace()) {
                word.push(letter);
            }
        }
        found.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Directive> {
        let value = |name: &str| (name == "RUN").then(|| "/run/apache2".to_owned());
        directives(text).filter_map(|line| directive(&line, value)).collect()
    }

    fn pair(name: &str, words: &[&str]) -> Directive {
        Directive { name: name.into(), words: words.iter().map(|w| (*w).to_owned()).collect() }
    }

    #[test]
    fn names_have_no_case_and_arguments_no_quotes() {
        let text =
            "  LISTEN\t 80 \n# Listen 81\nInclude \"conf d/*.conf\"\nServerName 'a \\' b'\n\n";
        let expected = [
            pair("listen", &["80"]),
            pair("include", &["conf d/*.conf"]),
            pair("servername", &["a ' b"]),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash_also_in_a_comment() {
        assert_eq!(
            read("Listen \\\n 8080\n# x \\\nListen 1\nListen 2\\"),
            [pair("listen", &["8080"]), pair("listen", &["2"])]
        );
    }

    #[test]
    fn wt_7_values_make_no_line_long_and_braces_no_line_slow() {
        let long = "x".repeat(LONGEST / 2);
        let line = expand("${A}${A}${A}", |_| Some(long.clone()));
        assert_eq!(line, [&long, &long, "${A}"].concat());
        let began = std::time::Instant::now();
        for line in ["${".repeat(1 << 20), "${".repeat(1 << 20) + "}"] {
            assert_eq!(expand(&line, |_| None), line);
        }
        // For each brace the whole line: minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn sections_are_told_from_directives() {
        assert_eq!(
            read("<VirtualHost *:80 [::1]:80>\n</VirtualHost>\n<IfModule !mod_x.c >"),
            [
                pair("<virtualhost", &["*:80", "[::1]:80"]),
                pair("</virtualhost", &[]),
                pair("<ifmodule", &["!mod_x.c"]),
            ]
        );
    }

    #[test]
    fn known_variables_have_their_value_and_others_stay() {
        assert_eq!(
            read("PidFile ${RUN}/x.pid\nX ${NO} ${RUN\n"),
            [pair("pidfile", &["/run/apache2/x.pid"]), pair("x", &["${NO}", "${RUN"])]
        );
    }
}
