//! The reasons that the READMEs of agents explain are reasons that agents give, and those that
//! agents give are explained.

use std::fs;
use std::path::Path;

use crate::{documents, sources, text};

/// Stands for what differs from case to case.
const ANYTHING: char = '…';

/// The reasons of all tables, from their first columns.
fn listed() -> Vec<String> {
    documents()
        .iter()
        .filter_map(|name| text(name).split(TABLE).nth(1).map(listed_in))
        .flatten()
        .collect()
}

/// How a table of reasons begins.
const TABLE: &str = "| reason | what to do |\n";

fn listed_in(table: &str) -> Vec<String> {
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Code as this test needs it: without comments, and with strings in one piece.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Letter(char),
}

/// Files of tests.
const TESTS: [&str; 3] = ["tests.rs", "fuzz.rs", "testing.rs"];

/// Files of other texts, where only those that failures are made of are reasons: explanations, and
/// descriptions of parameters.
const DESCRIPTIONS: [&str; 3] = ["explain.rs", "params.rs", "metadata.rs"];

/// A file of the sources.
struct Code {
    tokens: Vec<Token>,
    is_description: bool,
}

/// The files of the agents and of what they share, without their tests.
fn code() -> Vec<Code> {
    fn read(directory: &Path, found: &mut Vec<Code>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.ends_with("tests") {
                continue;
            }
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !TESTS.iter().any(|name| path.ends_with(name))
            {
                let source = fs::read_to_string(&path).unwrap();
                let is_description = DESCRIPTIONS.iter().any(|name| path.ends_with(name));
                found.push(Code { tokens: tokens(without_tests(&source)), is_description });
            }
        }
    }
    let mut found = Vec::new();
    for directory in ["agents", "shared/src"] {
        read(&sources().join(directory), &mut found);
    }
    found
}

/// Reads code as the compiler does; lines of a string that go on are joined.
fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A comment, which may have quotes of its own.
            '/' if letters.peek() == Some(&'/') => {
                while letters.next().is_some_and(|letter| letter != '\n') {}
            }
            // A character: '"' is no beginning of a string, and '(' none of an argument.
            '\'' if letters.clone().nth(1) == Some('\'') => drop(letters.nth(1)),
            '"' => {
                let mut text = String::new();
                while let Some(letter) = letters.next() {
                    match letter {
                        '"' => break,
                        '\\' => match letters.next() {
                            Some('\n') => {
                                while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
                            }
                            Some('n') => text.push('\n'),
                            Some(other) => text.push(other),
                            None => break,
                        },
                        other => text.push(other),
                    }
                }
                found.push(Token::Text(text));
            }
            other => found.push(Token::Letter(other)),
        }
    }
    found
}

/// The strings of some code.
fn strings(code: &[Token]) -> impl Iterator<Item = &str> {
    code.iter().filter_map(|token| match token {
        Token::Text(text) => Some(text.as_str()),
        Token::Letter(_) => None,
    })
}

/// Where failures and states with a reason are made; what stands there is what administrators read.
const MADE: [&str; 7] = [
    "Failure::generic(",
    "Failure::installed(",
    "Failure::new(",
    "HttpError::new(",
    "Degraded(",
    "Refused(",
    "faults.push(",
];

/// Where texts stand that are no reasons: messages of the log, lines of an explanation,
/// descriptions of parameters, attributes.
const OTHERS: [&str; 9] = [
    ".warn(",
    ".info(",
    ".debug(",
    ".trace(",
    ".line(",
    ".because(",
    "Param::new(",
    "allow(",
    "expect(",
];

/// The texts of some code, with [`ANYTHING`] for what is filled in: those that stand in a call of
/// one of these, and all others.
fn divided(code: &[Token], calls: &[&str]) -> (Vec<String>, Vec<String>) {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let (mut before, mut depth) = (String::new(), 0);
    for token in code {
        match token {
            Token::Text(text) if depth > 0 => inside.push(without_names(text)),
            // The texts of a description.
            Token::Text(_) if before.ends_with("short: ") || before.ends_with("long: ") => {}
            Token::Text(text) => outside.push(without_names(text)),
            Token::Letter(letter) => {
                before.push(*letter);
                match letter {
                    '(' if depth > 0 || calls.iter().any(|call| before.ends_with(call)) => {
                        depth += 1
                    }
                    ')' if depth > 0 => depth -= 1,
                    _ => {}
                }
            }
        }
    }
    (inside, outside)
}

/// The texts that failures are made of where they are made, and those that a function or a variable
/// brings there: these are known by their form, *what failed: what to do*.
fn reasons(code: &Code) -> Vec<String> {
    let mut found = divided(&code.tokens, &MADE).0;
    let others = divided(&code.tokens, &OTHERS).1.into_iter();
    found.extend(others.filter(|text| !code.is_description && has_form(text)));
    found
}

/// Whether a text has the form of a reason: a colon or semicolon between words, in a sentence.
fn has_form(text: &str) -> bool {
    let divides = |(at, _): (usize, &str)| {
        let before = text[..at].chars().next_back();
        let after = text[at + 2..].chars().next();
        before.is_some_and(|letter| !letter.is_whitespace())
            && after.is_some_and(|letter| letter.is_ascii_lowercase())
    };
    let is_code = text.contains(['\n', '>', '<']);
    let mut marks = text.match_indices("; ").chain(text.match_indices(": "));
    !is_code && words(text) > 3 && marks.any(divides)
}

/// A source up to the tests at its end.
fn without_tests(source: &str) -> &str {
    let is_tests =
        |at: &usize| source[*at..].lines().nth(1).is_some_and(|line| line.contains("mod tests"));
    source
        .match_indices("#[cfg(test)]")
        .map(|(at, _)| at)
        .find(is_tests)
        .map_or(source, |at| &source[..at])
}

fn without_names(text: &str) -> String {
    let mut parts = text.split('{');
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        all.push(ANYTHING);
        all.push_str(part.split_once('}').map_or("", |(_, after)| after));
    }
    all
}

/// Whether a text has something to say of its own: `{name}: {error}` and `haproxy {error}` only
/// pass on what others say.
fn has_words(text: &str) -> bool {
    words(text) > 1
}

fn words(text: &str) -> usize {
    let words = text.split(|letter: char| !letter.is_alphabetic() && letter != '_');
    words.filter(|word| word.len() > 1).count()
}

/// Whether a reason of the table is that text, from the first letter to the last.
fn explains(reason: &str, text: &str) -> bool {
    let Some((first, rest)) = reason.split_once(ANYTHING) else { return reason == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split(ANYTHING).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

/// Whether a text says the parts one after the other.
fn says(text: &str, reason: &str) -> bool {
    let mut rest = text;
    reason.split(ANYTHING).map(str::trim).filter(|part| !part.is_empty()).all(|part| {
        match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        }
    })
}

#[test]
fn every_reason_that_is_explained_is_given_by_an_agent() {
    let code = code();
    let listed = listed();
    assert!(listed.len() > 20, "{listed:#?}");
    let given = |reason: &String| {
        code.iter().any(|code| strings(&code.tokens).any(|text| says(text, reason)))
    };
    let unknown: Vec<_> = listed.iter().filter(|reason| !given(reason)).collect();
    assert!(unknown.is_empty(), "no agent says: {unknown:#?}");
}

/// What is passed on from others is not seen here.
#[test]
fn every_reason_that_an_agent_gives_is_explained() {
    let mut given: Vec<String> =
        code().iter().flat_map(reasons).filter(|text| has_words(text)).collect();
    given.sort();
    given.dedup();
    assert!(given.len() > 80, "{given:#?}");
    let listed = listed();
    let missing: Vec<_> =
        given.iter().filter(|text| !listed.iter().any(|reason| explains(reason, text))).collect();
    assert!(
        missing.is_empty(),
        "the tables of reasons in agents/*/README.md and shared/README.md lack: {missing:#?}"
    );
}

#[test]
fn strings_are_read_as_the_compiler_does() {
    let code = tokens("let a = '\"'; // \"no\"\nf(\"one \\\n    two {x}\", \"thr\\\"ee\")");
    assert_eq!(strings(&code).collect::<Vec<_>>(), ["one two {x}", "thr\"ee"]);
    assert!(says("one two {x} end", "one … end") && !says("end one", "one … end"));
}

#[test]
fn reasons_are_found_where_failures_are_made() {
    let reasons = |code| reasons(&Code { tokens: tokens(code), is_description: false });
    let code =
        "f(\"no\"); Failure::new(kind, format!(\"a {b} of {}\", g(')', \"c d\"))).wrap(\"no\")";
    assert_eq!(reasons(code), ["a … of …", "c d"]);
    let code = "log.warn(\"it is late: go on\"); let why = \"it is late: look at its log\"; let \
        other = \"a b c d\"";
    assert_eq!(reasons(code), ["it is late: look at its log"]);
    assert!(has_words("… is gone") && !has_words("haproxy …") && !has_words("…: …"));
    assert!(explains("… is … gone", "it is all gone") && explains("as it is", "as it is"));
    for other in ["is gone", "it is all gone now", "it was all gone"] {
        assert!(!explains("… is … gone", other), "{other}");
    }
}
