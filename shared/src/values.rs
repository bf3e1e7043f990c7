//! The values of an invocation, and what is wrong with them.
//!
//! Reading is lenient by construction: [`Values::get`] gives `None` for a value that is unset or
//! faulty, so that a stop can use whatever is good. Judging is a step of its own,
//! [`Values::faults`], that reports every fault at once.
#![forbid(unsafe_code)]

use std::fmt;

use crate::failure::{Failure, Kind};
use crate::param::{AnyParam, Info, Param};

/// The values of an invocation, by parameter name, as they were given. An empty value counts as
/// unset.
#[derive(Clone, Debug, Default)]
pub struct Values {
    // A handful: looked through faster than any map is built, and a monitor does little else.
    given: Vec<(String, Given)>,
}

/// A value as it stood in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Given {
    Text(String),
    /// Not UTF-8: a fault of its own, whatever the parameter.
    Bytes,
}

impl Values {
    /// Takes a value; `None` is one that is not UTF-8.
    pub fn insert(&mut self, name: &str, value: Option<&str>) {
        let given = match value {
            Some("") => return,
            Some(text) => Given::Text(text.to_owned()),
            None => Given::Bytes,
        };
        self.given.push((name.to_owned(), given));
    }

    /// Values from pairs, for tests.
    #[must_use]
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let mut values = Self::default();
        for (name, value) in pairs {
            values.insert(name, Some(value));
        }
        values
    }

    /// The value of a parameter: the given one, else the default; `None` when it is unset without
    /// default, or faulty.
    #[must_use]
    pub fn get<T>(&self, param: &Param<T>) -> Option<T> {
        match self.find(&param.info) {
            Some((_, Given::Text(text))) => (param.parse)(text).ok(),
            Some((_, Given::Bytes)) => None,
            None => param.info.default.and_then(|text| (param.parse)(text).ok()),
        }
    }

    /// Whether the administrator gave a value, good or not.
    #[must_use]
    pub fn is_given<T>(&self, param: &Param<T>) -> bool {
        self.find(&param.info).is_some()
    }

    /// Whether the administrator gave a value that the parameter cannot have.
    #[must_use]
    pub fn is_faulty<T>(&self, param: &Param<T>) -> bool {
        self.is_given(param) && self.get(param).is_none()
    }

    /// Adds a fault for each parameter that was given by two of its names with values that differ.
    pub fn contradictions(&self, params: &[&dyn AnyParam], faults: &mut Faults) {
        for param in params {
            let names =
                std::iter::once(param.info().name).chain(param.info().aliases.iter().copied());
            let mut given = names.filter_map(|name| {
                let (_, value) = self.given.iter().find(|(given, _)| given == name)?;
                Some((name, value))
            });
            let Some((first, value)) = given.next() else { continue };
            for (other, _) in given.filter(|(_, other)| *other != value) {
                faults.push(format!(
                    "{first} and {other} are two names of one parameter, with two values: unset \
                     {other}"
                ));
            }
        }
    }

    /// Every value that was given, with its name, for people.
    pub fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.given.iter().map(|(name, given)| match given {
            Given::Text(text) => (name.as_str(), text.as_str()),
            Given::Bytes => (name.as_str(), "(not UTF-8 text)"),
        })
    }

    fn find(&self, info: &Info) -> Option<(&'static str, &Given)> {
        let names = std::iter::once(info.name).chain(info.aliases.iter().copied());
        names.into_iter().find_map(|name| {
            let (_, value) = self.given.iter().find(|(given, _)| given == name)?;
            Some((name, value))
        })
    }

    /// Every fault of the values taken one by one.
    #[must_use]
    pub fn faults(&self, params: &[&dyn AnyParam]) -> Faults {
        let mut faults = Faults::default();
        for param in params {
            let info = param.info();
            match self.find(info) {
                None if info.required => faults.missing(info.name),
                None => {}
                Some((name, Given::Bytes)) => faults.push(format!("{name} is not UTF-8 text")),
                Some((name, Given::Text(text))) => {
                    if let Err(allowed) = param.check(text) {
                        let shown = if info.private { "(hidden)" } else { text.as_str() };
                        faults.wrong(name, shown, &allowed);
                    }
                }
            }
        }
        faults
    }

    /// These values without the faulty ones of reloadable parameters, which then have their
    /// defaults.
    #[must_use]
    pub fn without_faulty_reloadable(&self, params: &[&dyn AnyParam]) -> Self {
        let is_good = |name: &str, given: &Given| {
            let named = |info: &Info| info.name == name || info.aliases.contains(&name);
            let Some(param) = params.iter().find(|param| named(param.info())) else { return true };
            match given {
                _ if !param.info().reloadable => true,
                Given::Text(text) => param.check(text).is_ok(),
                Given::Bytes => false,
            }
        };
        Self {
            given: self
                .given
                .iter()
                .filter(|(name, given)| is_good(name, given))
                .cloned()
                .collect(),
        }
    }

    /// Names that no parameter has, each with the nearest known name if one is near enough to be a
    /// typo.
    #[must_use]
    pub fn unknown(&self, params: &[&dyn AnyParam]) -> Vec<(String, Option<&'static str>)> {
        let known: Vec<&'static str> = params
            .iter()
            .flat_map(|p| std::iter::once(p.info().name).chain(p.info().aliases.iter().copied()))
            .collect();
        let strange =
            self.given.iter().map(|(name, _)| name).filter(|name| !known.contains(&name.as_str()));
        strange.map(|name| (name.clone(), nearest(name, &known))).collect()
    }
}

/// What is wrong with a set of parameters, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    texts: Vec<String>,
}

impl Faults {
    /// Adds a fault in words.
    pub fn push(&mut self, text: impl Into<String>) {
        self.texts.push(text.into());
    }

    /// Adds: a parameter has a value that it cannot have.
    pub fn wrong(&mut self, name: &str, value: &str, allowed: impl fmt::Display) {
        self.push(format!("{name}={}: expected {allowed}", quote(value)));
    }

    /// Adds: a required parameter is unset.
    pub fn missing(&mut self, name: &str) {
        self.push(format!("{name} is required and not set"));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// All faults as one failure. Values come from the cluster's configuration and are the same on
    /// each node: kind [`Kind::Configured`].
    #[must_use]
    pub fn into_failure(self) -> Option<Failure> {
        (!self.texts.is_empty()).then(|| Failure::new(Kind::Configured, self.texts.join("; ")))
    }
}

/// A value for a message: quoted, and cut where it would hide the rest of the line.
fn quote(value: &str) -> String {
    const LONGEST: usize = 64;
    if value.chars().count() <= LONGEST {
        return format!("\"{value}\"");
    }
    let start: String = value.chars().take(LONGEST).collect();
    format!("\"{start}…\" ({} bytes)", value.len())
}

/// The known name that a typo most likely meant: at most two edits away, and fewer than half of its
/// letters.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let (distance, best) = known.iter().map(|k| (edits(name, k), *k)).min()?;
    (distance <= 2 && distance * 2 < best.len()).then_some(best)
}

/// Levenshtein distance, by letters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{text, whole};

    const COUNT: Param<u32> =
        Param::new("count", |t| whole(t, 1, 9), "s", "l").integer().or("5").aliases(&["number"]);
    const NAME: Param<String> = Param::new("name", text, "s", "l").required();
    const SECRET: Param<u32> = Param::new("secret", |t| whole(t, 1, 9), "s", "l").private();
    const ALL: &[&dyn AnyParam] = &[&COUNT, &NAME, &SECRET];

    #[test]
    fn an_empty_value_is_an_unset_one() {
        assert_eq!(Values::from_pairs(&[("count", "")]).get(&COUNT), Some(5));
    }

    #[test]
    fn an_old_name_counts_only_while_the_new_one_is_unset() {
        assert_eq!(Values::from_pairs(&[("number", "3")]).get(&COUNT), Some(3));
        assert_eq!(Values::from_pairs(&[("number", "3"), ("count", "4")]).get(&COUNT), Some(4));
        assert_eq!(Values::from_pairs(&[("number", "3"), ("count", "")]).get(&COUNT), Some(3));
    }

    #[test]
    fn two_names_with_two_values_are_a_fault_where_an_agent_asks() {
        let faults = |pairs: &[(&str, &str)]| {
            let mut faults = Faults::default();
            Values::from_pairs(pairs).contradictions(ALL, &mut faults);
            faults.into_failure().map(|failure| failure.to_string())
        };
        assert_eq!(faults(&[("number", "3"), ("count", "3")]), None);
        assert_eq!(faults(&[("number", "3"), ("count", "")]), None);
        let reason = faults(&[("number", "3"), ("count", "4")]).unwrap();
        assert_eq!(
            reason,
            "count and number are two names of one parameter, with two values: unset number"
        );
    }

    #[test]
    fn all_faults_are_reported_at_once_and_secrets_are_not() {
        let mut values = Values::from_pairs(&[("number", "77"), ("secret", "hunter2")]);
        values.insert("name", None);
        let failure = values.faults(ALL).into_failure().unwrap();
        assert_eq!(
            failure.to_string(),
            "number=\"77\": expected a whole number from 1 to 9; name is not UTF-8 text; \
             secret=\"(hidden)\": expected a whole number from 1 to 9"
        );
        assert_eq!(failure.kind, Kind::Configured);
        let missing = Values::default().faults(ALL).into_failure().unwrap();
        assert_eq!(missing.to_string(), "name is required and not set");
    }

    #[test]
    fn a_faulty_value_reads_as_none_and_never_as_the_default() {
        assert_eq!(Values::from_pairs(&[("count", "x")]).get(&COUNT), None);
    }

    #[test]
    fn a_typo_is_answered_with_the_name_it_meant() {
        let values = Values::from_pairs(&[("cuont", "3"), ("zzz", "1"), ("name", "x")]);
        let unknown = values.unknown(ALL);
        assert_eq!(unknown, [("cuont".to_owned(), Some("count")), ("zzz".to_owned(), None)]);
    }

    #[test]
    fn a_long_value_does_not_hide_the_rest_of_the_line() {
        assert!(quote(&"x".repeat(500)).len() < 100);
    }
}
