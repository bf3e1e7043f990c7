//! The checks themselves, for who wants to know what is tested.
#![forbid(unsafe_code)]

use crate::check::{Check, Weight};

/// One line a check: its id, its weight, the rule.
#[must_use]
pub fn list(table: &[&'static Check]) -> String {
    let width = table.iter().map(|check| check.id.len()).max().unwrap_or(0);
    table
        .iter()
        .map(|check| format!("{:width$}  {:6}  {}\n", check.id, word(check.weight), check.says))
        .collect()
}

/// Everything about a check.
#[must_use]
pub fn explain(check: &Check) -> String {
    let means = match check.weight {
        Weight::Must => "must: an agent that breaks it fails",
        Weight::Should => "should: an agent that breaks it gets a warning, and fails with --strict",
        Weight::May => "may: an agent that breaks it passes, with an information",
    };
    let Check { id, says, costs, clause, fix, .. } = check;
    format!(
        "{id}\n  {says}\n  weight: {means}\n  costs:  {costs}\n  rule:   {clause}\n  fix:    \
         {fix}\n"
    )
}

fn word(weight: Weight) -> &'static str {
    match weight {
        Weight::Must => "must",
        Weight::Should => "should",
        Weight::May => "may",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::table;

    #[test]
    fn a_line_begins_with_the_id() {
        assert_eq!(list(&table()), "starts  must    It starts #1.\nstops   should  It stops.\n");
    }

    #[test]
    fn an_explanation_says_where_the_rule_is_from_and_how_to_keep_it() {
        let text = explain(table()[1]);
        for part in [
            "stops\n",
            "It stops.",
            "should: ",
            "OCF 1.1, start",
            "Start it.",
            "costs:  It does not run.",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
