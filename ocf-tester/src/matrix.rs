//! The file of `--matrix`: named sets of parameters, each of them a run of its own.
//!
//! ```toml
//! [plain]
//! ip = "192.0.2.1"
//!
//! [with-label]
//! ip = "192.0.2.1"
//! cidr_netmask = 24
//! ```
//!
//! What `-o` gives holds for every set that does not say otherwise. The sets run in the order of
//! the file.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parameters and their values, byte for byte.
pub type Parameters = BTreeMap<OsString, OsString>;

/// A set of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Its name; empty when it is the only one.
    pub name: String,
    /// What it sets.
    pub parameters: Parameters,
    /// The lines of the file where that is said.
    pub lines: BTreeMap<OsString, usize>,
}

/// The sets that a file's text describes.
///
/// # Errors
/// In one line that begins with the line's number.
pub fn parse(text: &str, defaults: &Parameters) -> Result<Vec<Set>, String> {
    let line = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let at = |offset: usize, what: &str| {
        format!("line {}: {}", line(offset), crate::report::folded(what))
    };
    let document = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        at(offset, error.message())
    })?;
    let mut tables: Vec<_> = document.get_ref().iter().collect();
    tables.sort_by_key(|(name, _)| name.span().start);
    let mut sets = Vec::new();
    for (name, table) in tables {
        let name: &Spanned<_> = name;
        let DeValue::Table(table) = table.get_ref() else {
            return Err(at(
                name.span().start,
                &format!("{:?} stands before the first [set]", name.get_ref()),
            ));
        };
        let (mut parameters, mut lines) = (defaults.clone(), BTreeMap::new());
        for (key, value) in table {
            let text = scalar(value.get_ref()).map_err(|what| at(value.span().start, &what))?;
            if key.get_ref().is_empty()
                || key.get_ref().contains(['=', '\0'])
                || text.contains('\0')
            {
                return Err(at(
                    key.span().start,
                    &format!("{:?} cannot be a variable", key.get_ref()),
                ));
            }
            lines.insert(key.get_ref().as_ref().into(), line(key.span().start));
            parameters.insert(key.get_ref().as_ref().into(), text.into());
        }
        sets.push(Set { name: name.get_ref().to_string(), parameters, lines });
    }
    if sets.is_empty() {
        Err(at(0, "no set of parameters: begin one with [name]"))
    } else {
        Ok(sets)
    }
}

/// A value as an agent gets it.
fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| "the number is too large: quote it".to_owned()),
        other => Err(format!(
            "a value is a string, a whole number or a boolean, not a {}",
            other.type_str()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text, &Parameters::new()).unwrap_err()
    }

    #[test]
    fn sets_come_in_the_order_of_the_file_with_their_defaults() {
        let defaults = Parameters::from([("ip".into(), "a".into()), ("nic".into(), "b".into())]);
        let sets = parse("[z]\nip = 'x=y'\n[a]\nport = 0x1F\nup = true\nbig = 1_000\n", &defaults)
            .unwrap();
        assert_eq!(sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
        assert_eq!(
            sets[0].parameters,
            Parameters::from([("ip".into(), "x=y".into()), ("nic".into(), "b".into())])
        );
        let values: Vec<_> =
            sets[1].parameters.values().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(values, ["1000", "a", "b", "31", "true"]);
    }

    #[test]
    fn faults_are_told_in_one_line_with_its_number() {
        let faults = [
            ("", "line 1: no set"),
            ("[a]\nx = 1\ny = \n", "line 3: "),
            ("[a]\n[a]\n", "line 2: duplicate"),
            ("\nx = 1\n", "line 2: \"x\" stands before"),
            ("[a]\nx = 1.5\n", "line 2: a value is a string"),
            ("[a]\nx = [1]\n", "line 2: a value is a string"),
            ("[a.b]\nx = 1\n", "line 1: a value is a string"),
            ("[a]\nx = 99999999999999999999\n", "line 2: "),
            ("[a]\n'x=y' = 1\n", "line 2: \"x=y\" cannot be"),
            ("[a]\n\nx = \"\\u0000\"\n", "line 3: \"x\" cannot be"),
        ];
        for (text, expected) in faults {
            let error = refused(text);
            assert!(error.starts_with(expected) && !error.contains('\n'), "{text:?}: {error}");
        }
    }
}
