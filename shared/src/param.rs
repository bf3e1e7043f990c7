//! Parameters: each defined once, as a typed constant, which feeds the getter, the validation, the meta-data and the help.
//!
//! Reading is lenient by construction: [`Values::get`] gives `None` for a value that is unset or faulty, so that a stop
//! can use whatever is good. Judging is a step of its own, [`Values::faults`], that reports every fault at once.
#![forbid(unsafe_code)]

use std::fmt;
use std::path::PathBuf;

use crate::failure::{Failure, Kind};

/// How the meta-data describes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// Pacemaker's words for yes and no.
    Boolean,
}

impl Content {
    /// The word in the meta-data. There is no `select`: the OCF 1.0 DTD, which older tools still apply, rejects it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// All that people and tools are told about a parameter.
#[derive(Debug)]
pub struct Info {
    /// Its name in the cluster's configuration.
    pub name: &'static str,
    /// One line about it.
    pub short: &'static str,
    /// A paragraph about it.
    pub long: &'static str,
    /// How the meta-data describes its value.
    pub content: Content,
    /// The value when none is given, in the form in which it would be given.
    pub default: Option<&'static str>,
    /// Whether a resource without it makes no sense.
    pub required: bool,
    /// The group of parameters whose combination no other resource may have.
    pub unique_group: Option<&'static str>,
    /// Whether a change takes effect without a restart.
    pub reloadable: bool,
    /// Whether its value must not be shown.
    pub private: bool,
    /// Older names that are still read, in this order, when the name itself is unset.
    pub aliases: &'static [&'static str],
}

/// A parameter whose value has the type `T`.
#[derive(Debug)]
pub struct Param<T> {
    /// What people and tools are told about it.
    pub info: Info,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> Param<T> {
    /// A parameter of any text form. `parse` gives the value, or says what is allowed.
    #[must_use]
    pub const fn new(
        name: &'static str,
        parse: fn(&str) -> Result<T, String>,
        short: &'static str,
        long: &'static str,
    ) -> Self {
        let info = Info {
            name,
            short,
            long,
            content: Content::Text,
            default: None,
            required: false,
            unique_group: None,
            reloadable: false,
            private: false,
            aliases: &[],
        };
        Self { info, parse }
    }

    /// Described as a whole number.
    #[must_use]
    pub const fn integer(mut self) -> Self {
        self.info.content = Content::Integer;
        self
    }

    /// Described as yes or no.
    #[must_use]
    pub const fn boolean(mut self) -> Self {
        self.info.content = Content::Boolean;
        self
    }

    /// With a value for when none is given.
    #[must_use]
    pub const fn or(mut self, default: &'static str) -> Self {
        self.info.default = Some(default);
        self
    }

    /// Without it a resource makes no sense.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.info.required = true;
        self
    }

    /// No two resources may have the same values in this group.
    #[must_use]
    pub const fn unique(mut self, group: &'static str) -> Self {
        self.info.unique_group = Some(group);
        self
    }

    /// A change takes effect without a restart.
    #[must_use]
    pub const fn reloadable(mut self) -> Self {
        self.info.reloadable = true;
        self
    }

    /// Never shown in a log or a reason.
    #[must_use]
    pub const fn private(mut self) -> Self {
        self.info.private = true;
        self
    }

    /// Older names that are still read.
    #[must_use]
    pub const fn aliases(mut self, names: &'static [&'static str]) -> Self {
        self.info.aliases = names;
        self
    }
}

/// A parameter of whatever type, for tables.
pub trait AnyParam: Sync {
    /// What people and tools are told about it.
    fn info(&self) -> &Info;

    /// Whether a text is a value of it.
    ///
    /// # Errors
    /// What is allowed instead, to follow "expected".
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T> AnyParam for Param<T> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn check(&self, text: &str) -> Result<(), String> {
        (self.parse)(text).map(drop)
    }
}

/// Reads Pacemaker's words for yes and no (`crm_str_to_boolean`), and the shell library's `ja`, in any case.
///
/// # Errors
/// What is allowed instead. Any other word is an error, not "no": a typo must not turn a check off.
pub fn boolean(text: &str) -> Result<bool, String> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "on", "yes", "y", "1", "ja"]) {
        Ok(true)
    } else if is(&["false", "off", "no", "n", "0"]) {
        Ok(false)
    } else {
        Err("true or false".to_owned())
    }
}

/// Takes any text as it is.
///
/// # Errors
/// None; the type is that of a parser.
pub fn text(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

/// Reads a whole number between two bounds, both allowed.
///
/// # Errors
/// What is allowed instead.
pub fn whole(text: &str, low: u32, high: u32) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(number) if digits && (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("a whole number from {low} to {high}")),
    }
}

/// Reads a path. A relative one would depend on the directory that the caller happens to be in.
///
/// # Errors
/// What is allowed instead.
pub fn absolute_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err("an absolute path".to_owned()) }
}

/// The parameters that every agent has: tracing without a restart.
pub const TRACE_RA: Param<bool> = Param::new(
    "trace_ra",
    boolean,
    "Write a trace of each action",
    "Whether each action writes a readable trace of its steps and of every change it makes to the system.",
)
.boolean()
.or("false")
.reloadable();

/// Where the trace goes.
pub const TRACE_FILE: Param<String> = Param::new(
    "trace_file",
    text,
    "Trace file",
    "The file that the trace is appended to. If unset, one file an action below the cluster's state directory.",
)
.reloadable();

/// The values of an invocation, by parameter name, as they were given. An empty value counts as unset.
#[derive(Clone, Debug, Default)]
pub struct Values {
    // A handful: looked through faster than any map is built, and a monitor does little else.
    given: Vec<(String, Given)>,
}

/// A value as it stood in the environment.
#[derive(Clone, Debug)]
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

    /// The value of a parameter: the given one, else the default; `None` when it is unset without default, or faulty.
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

    /// Names that no parameter has, each with the nearest known name if one is near enough to be a typo.
    #[must_use]
    pub fn unknown(&self, params: &[&dyn AnyParam]) -> Vec<(String, Option<&'static str>)> {
        let known: Vec<&'static str> = params
            .iter()
            .flat_map(|p| std::iter::once(p.info().name).chain(p.info().aliases.iter().copied()))
            .collect();
        let strange = self.given.iter().map(|(name, _)| name).filter(|name| !known.contains(&name.as_str()));
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

    /// All faults as one failure. Values come from the cluster's configuration and are the same on each node: kind
    /// [`Kind::Configured`].
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

/// The known name that a typo most likely meant: at most two edits away, and fewer than half of its letters.
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

    const COUNT: Param<u32> = Param::new("count", |t| whole(t, 1, 9), "s", "l").integer().or("5").aliases(&["number"]);
    const NAME: Param<String> = Param::new("name", text, "s", "l").required();
    const SECRET: Param<u32> = Param::new("secret", |t| whole(t, 1, 9), "s", "l").private();
    const ALL: &[&dyn AnyParam] = &[&COUNT, &NAME, &SECRET];

    #[test]
    fn booleans_are_pacemakers_words_in_any_case() {
        for yes in ["true", "TRUE", "TrUe", "on", "On", "yes", "Yes", "y", "Y", "1", "ja"] {
            assert_eq!(boolean(yes), Ok(true), "{yes}");
        }
        for no in ["false", "False", "off", "OFF", "no", "n", "N", "0"] {
            assert_eq!(boolean(no), Ok(false), "{no}");
        }
        for neither in ["", "2", "truee", "t", "nein", " true"] {
            assert!(boolean(neither).is_err(), "{neither}");
        }
    }

    #[test]
    fn whole_numbers_are_digits_in_range() {
        assert_eq!(whole("9", 1, 9), Ok(9));
        for bad in ["", "0", "10", "+3", "-1", "1.5", "0x3", " 3", "99999999999999999999"] {
            assert!(whole(bad, 1, 9).is_err(), "{bad:?}");
        }
    }

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
    fn all_faults_are_told_at_once_and_secrets_are_not() {
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
