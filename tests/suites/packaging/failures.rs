//! The catalogue of real failures (`tests/failures.md`) and the tests name each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{sources, text};

/// The families of rows: what comes before the number.
const FAMILIES: [&str; 14] =
    ["IP", "AP", "NG", "HA", "SD", "LD", "OT", "SL", "ID", "RT", "WT", "AN", "AL", "TS"];

/// A row of the catalogue.
struct Row {
    id: String,
    /// The last column: the name of a test, or a sentence that says why there is none.
    test: String,
}

/// The rows of all tables. A row begins with its id: a family, `-`, and a number.
fn rows() -> Vec<Row> {
    let document = text("tests/failures.md");
    let cells = document.lines().filter(|line| line.starts_with("| ")).map(|line| {
        let line = line.trim_start_matches("| ").trim_end_matches('|').replace("\\|", "\u{1}");
        line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    let rows = cells.filter(|cells| cells.len() == 4 && is_id(&cells[0]));
    rows.map(|cells| Row { id: cells[0].clone(), test: cells[3].clone() }).collect()
}

fn is_id(text: &str) -> bool {
    let number = text.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let family = text.trim_end_matches(number).trim_end_matches('-');
    !number.is_empty()
        && number.chars().all(|letter| letter.is_ascii_digit())
        && !family.is_empty()
        && family_of(family)
}

fn family_of(family: &str) -> bool {
    FAMILIES.contains(&family.trim_end_matches("-F"))
}

/// A number, with an F before it where it was found in the first release of this suite.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('F').unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|letter| letter.is_ascii_digit())
}

/// The names of all test functions in the tree.
fn tests() -> BTreeSet<String> {
    fn read(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            if path.is_dir() && !path.ends_with("target") {
                read(&path, found);
            } else if is_source {
                let source = fs::read_to_string(&path).unwrap();
                let names =
                    source.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
                found.extend(names.map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    for directory in ["agents", "shared", "ocf-tester", "metadata", "tests"] {
        read(&sources().join(directory), &mut found);
    }
    found
}

/// What the name of a row's test begins with: `ip_23_` of IP-23.
fn prefix(id: &str) -> String {
    format!("{}_", id.to_lowercase().replace('-', "_"))
}

/// The row that the name of a test points to, if it points to one.
fn row_of(test: &str) -> Option<String> {
    let mut parts = test.splitn(3, '_');
    let (family, number, rest) =
        (parts.next()?.to_uppercase(), parts.next()?.to_uppercase(), parts.next()?);
    let is_row = FAMILIES.contains(&family.as_str()) && is_number(&number);
    (is_row && !rest.is_empty()).then(|| format!("{family}-{number}"))
}

#[test]
fn each_failure_of_the_catalogue_has_a_test() {
    let (rows, tests) = (rows(), tests());
    assert!(rows.len() > 140, "{} rows were read", rows.len());
    let has_test =
        |row: &&Row| match row.test.strip_prefix('`').and_then(|test| test.strip_suffix('`')) {
            Some(test) => tests.contains(test),
            None if row.test.is_empty() => {
                tests.iter().any(|test| test.starts_with(&prefix(&row.id)))
            }
            None => row.test.len() > 20,
        };
    let without: Vec<&str> =
        rows.iter().filter(|row| !has_test(row)).map(|row| row.id.as_str()).collect();
    assert!(without.is_empty(), "tests/failures.md: no test for {without:?}");
}

#[test]
fn each_test_of_a_failure_points_to_a_row_of_the_catalogue() {
    let known: BTreeSet<String> = rows().into_iter().map(|row| row.id).collect();
    let lost: Vec<_> = tests()
        .into_iter()
        .filter(|test| row_of(test).is_some_and(|row| !known.contains(&row)))
        .collect();
    assert!(lost.is_empty(), "tests/failures.md lacks the rows of {lost:#?}");
}

#[test]
fn names_of_tests_and_ids_of_rows_lead_to_each_other() {
    assert_eq!(prefix("IP-23"), "ip_23_");
    assert_eq!(row_of("ip_23_a_vanished_nic").as_deref(), Some("IP-23"));
    assert_eq!(row_of("ip_f1_stops_at_once").as_deref(), Some("IP-F1"));
    for other in ["ip_address_of", "sl_", "words_1_x", "id", "ip_23"] {
        assert_eq!(row_of(other), None, "{other}");
    }
    assert!(
        is_id("IP-23")
            && is_id("IP-F1")
            && is_id("SL-01")
            && !is_id("id")
            && !is_id("IPaddr2")
            && !is_id("XX-1")
    );
}
