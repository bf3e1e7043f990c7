//! Parameters that the user gives and the agent does not have: most often a name with a mistake in
//! it.
#![forbid(unsafe_code)]

use std::ffi::OsStr;

use crate::matrix::Set;
use crate::metadata::MetaData;

/// Below that a name is no likely mistake for another one (Jaro-Winkler).
const ALIKE: f64 = 0.75;

/// What is to be said of each parameter of a set that the meta-data do not describe; `file` is
/// where the set is from.
#[must_use]
pub fn unknown(metadata: &MetaData, set: &Set, file: Option<&OsStr>) -> Vec<String> {
    if metadata.text.is_empty() {
        return Vec::new();
    }
    let described = |name: &str| metadata.parameters.iter().any(|parameter| parameter.name == name);
    let names = set.parameters.keys().map(|name| name.to_string_lossy().into_owned());
    let strangers = names.filter(|name| !described(name) && !is_common(name));
    strangers
        .map(|name| {
            format!(
                "{}the agent has no parameter {name}{}",
                place(set, &name, file),
                hint(metadata, &name)
            )
        })
        .collect()
}

/// What the cluster or the library of the shell agents gives to any agent.
fn is_common(name: &str) -> bool {
    ["CRM_meta_", "crm_", "trace_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Where the parameter was given.
fn place(set: &Set, name: &str, file: Option<&OsStr>) -> String {
    match (file, set.lines.get(OsStr::new(name))) {
        (Some(file), Some(line)) => format!("{}: line {line}: ", file.display()),
        _ => "-o: ".to_owned(),
    }
}

fn hint(metadata: &MetaData, name: &str) -> String {
    let alike = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
    let known =
        metadata.parameters.iter().map(|parameter| (alike(&parameter.name), &parameter.name));
    let nearest =
        known.filter(|(alike, _)| *alike >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0));
    nearest.map_or_else(String::new, |(_, nearest)| format!("; do you mean {nearest}?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Parameters, parse};

    fn metadata() -> MetaData {
        let parameter =
            |name: &str| crate::metadata::Parameter { name: name.to_owned(), ..Default::default() };
        let parameters = ["state", "count", "ip"].map(parameter).to_vec();
        MetaData { text: "x".to_owned(), parameters, ..MetaData::default() }
    }

    #[test]
    fn a_name_with_a_mistake_is_told_with_the_nearest_one() {
        let parameters =
            [("staet", ""), ("State", ""), ("zzz", ""), ("count", ""), ("trace_ra", "")];
        let parameters: Parameters =
            parameters.map(|(name, value)| (name.into(), value.into())).into();
        let lines = unknown(&metadata(), &Set { parameters, ..Set::default() }, None);
        assert_eq!(
            lines,
            [
                "-o: the agent has no parameter State; do you mean state?",
                "-o: the agent has no parameter staet; do you mean state?",
                "-o: the agent has no parameter zzz"
            ]
        );
        assert!(unknown(&MetaData::default(), &Set::default(), None).is_empty());
    }

    #[test]
    fn in_a_matrix_the_line_is_named() {
        let sets =
            parse("[a]\nip = 1\n[b]\nstaet = 2\n", &Parameters::from([("con".into(), "".into())]))
                .unwrap();
        let lines = unknown(&metadata(), &sets[1], Some(OsStr::new("m.toml")));
        assert_eq!(lines[0], "-o: the agent has no parameter con; do you mean count?");
        assert_eq!(
            lines[1],
            "m.toml: line 4: the agent has no parameter staet; do you mean state?"
        );
    }
}
