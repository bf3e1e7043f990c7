//! Every check, in the order of a report.
//!
//! A check is data: what a good agent does, the clause that says so, how to mend one that does not,
//! and the proof. To add one, add it to the table of its group, and a broken agent to the zoo of
//! the suites that only it finds.
#![forbid(unsafe_code)]

mod context;
mod crash;
mod describe;
mod document;
mod every_call;
mod hygiene;
mod life;
mod protocol;
mod roles;
mod schema;
mod surroundings;
mod values;

use crate::check::Check;

/// The groups, in the order of a report. The later ones need what the earlier ones prove.
const GROUPS: &[(&str, &[Check])] = &[
    ("meta-data", document::CHECKS),
    ("meta-data action", describe::CHECKS),
    ("protocol", protocol::CHECKS),
    ("life cycle", life::CHECKS),
    ("roles and moves", roles::CHECKS),
    ("hygiene", hygiene::CHECKS),
    ("killed half-way", crash::CHECKS),
    ("what is inherited", context::CHECKS),
    ("surroundings", surroundings::CHECKS),
    ("parameters", values::CHECKS),
    ("every call", every_call::CHECKS),
];

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    GROUPS.iter().flat_map(|(_, checks)| *checks)
}

/// Whether a check is about the meta-data alone: it leaves the resource alone, and needs no
/// parameters.
#[must_use]
pub fn is_of_meta_data(id: &str) -> bool {
    matches!(group(id), "meta-data" | "meta-data action")
}

/// The name of the group that a check belongs to.
#[must_use]
pub fn group(id: &str) -> &'static str {
    let of = GROUPS.iter().find(|(_, checks)| checks.iter().any(|check| check.id == id));
    of.map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_an_id_of_its_own_and_explains_itself() {
        let mut ids = std::collections::BTreeSet::new();
        for check in all() {
            assert!(ids.insert(check.id), "{} twice", check.id);
            assert!(
                check.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{}",
                check.id
            );
            for text in [check.says, check.clause, check.fix, check.costs] {
                assert!(
                    text.len() > 8 && !text.ends_with('.') && !text.contains('\n'),
                    "{}: {text:?}",
                    check.id
                );
            }
            assert_ne!(group(check.id), "");
        }
    }
}
