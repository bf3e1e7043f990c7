//! The reasons that README explains are reasons that agents give.

use std::fs;
use std::path::Path;

use crate::{sources, text};

/// Stands for what differs from case to case.
const ANYTHING: char = '…';

/// The reasons of the table, from the first column.
fn listed() -> Vec<String> {
    let readme = text("README.md");
    let table = readme.split("| reason | what to do |\n").nth(1).expect("README has a table of reasons");
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    cells.collect()
}

/// Every string of the agents and of what they share, with lines that go on joined.
fn strings(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            strings(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            found.extend(literals(code));
        }
    }
}

fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            // A comment, which may have quotes of its own.
            '/' if letters.peek() == Some(&'/') => while letters.next().is_some_and(|letter| letter != '\n') {},
            // A character: '"' is no beginning of a string.
            '\'' if letters.peek() == Some(&'"') => drop(letters.next()),
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = letters.next() {
                    match letter {
                        '"' => break,
                        '\\' => match letters.next() {
                            Some('\n') => while letters.next_if(|letter| letter.is_whitespace()).is_some() {},
                            Some(other) => literal.push(other),
                            None => break,
                        },
                        other => literal.push(other),
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
    }
    found
}

/// Whether a text says the parts one after the other.
fn says(text: &str, reason: &str) -> bool {
    let mut rest = text;
    reason.split(ANYTHING).map(str::trim).filter(|part| !part.is_empty()).all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn every_reason_that_is_explained_is_given_by_an_agent() {
    let mut found = Vec::new();
    for directory in ["agents", "shared/src"] {
        strings(&sources().join(directory), &mut found);
    }
    let listed = listed();
    assert!(listed.len() > 20, "{listed:#?}");
    let unknown: Vec<_> = listed.iter().filter(|reason| !found.iter().any(|text| says(text, reason))).collect();
    assert!(unknown.is_empty(), "no agent says: {unknown:#?}");
}

#[test]
fn strings_are_read_as_the_compiler_does() {
    let code = "let a = '\"'; // \"no\"\nf(\"one \\\n    two {x}\", \"thr\\\"ee\")";
    assert_eq!(literals(code), ["one two {x}", "thr\"ee"]);
    assert!(says("one two {x} end", "one … end") && !says("end one", "one … end"));
}
