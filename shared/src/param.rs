//! Parameters: each defined once, as a typed constant, which feeds the getter, the validation, the
//! meta-data and the help.
//!
//! The values that an invocation gives them are [`crate::values::Values`].
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

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
    /// The word in the meta-data. There is no `select`: the OCF 1.0 DTD, which older tools still
    /// apply, rejects it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// All that documents and tools show of a parameter.
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
    /// What documents and tools show of it.
    pub info: Info,
    pub(crate) parse: fn(&str) -> Result<T, String>,
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
    /// What documents and tools show of it.
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

/// Reads Pacemaker's words for yes and no (`crm_str_to_boolean`), and the shell library's `ja`, in
/// any case.
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

/// Reads a time: a whole number with `ms`, `s` or `min`, or without a unit, which is then `bare`.
///
/// # Errors
/// What is allowed instead.
pub fn time(text: &str, bare: Duration) -> Result<Duration, String> {
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" => Some(bare),
        "ms" | "msec" => Some(Duration::from_millis(1)),
        "s" | "sec" => Some(Duration::from_secs(1)),
        "m" | "min" => Some(Duration::from_secs(60)),
        _ => None,
    };
    let count = whole(digits, 0, u32::MAX).ok();
    unit.zip(count).map(|(unit, count)| unit * count).ok_or_else(|| {
        let name = if bare == Duration::from_secs(1) { "seconds" } else { "milliseconds" };
        format!("a time such as 30 ({name}), 30s, 500ms or 2min")
    })
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
    "Whether each action writes a readable trace of its steps and of every change it makes to the \
     system.",
)
.boolean()
.or("false")
.reloadable();

/// Where the trace goes.
pub const TRACE_FILE: Param<String> = Param::new(
    "trace_file",
    text,
    "Trace file",
    "The file that the trace is appended to: below /var/log, the directory of the cluster's log, \
     or its state directories; or /dev/stderr. If unset, one file an action below the cluster's \
     state directory.",
)
.reloadable();

#[cfg(test)]
mod tests {
    use super::*;

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
}
