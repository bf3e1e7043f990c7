//! Why something failed. The kind decides the exit code; the text is for people.
#![forbid(unsafe_code)]

use std::fmt;

/// What sort of failure it is, and with that, what the cluster does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything that another try, here or elsewhere, may cure; also every doubt.
    Generic,
    /// A value that is wrong on this machine.
    Args,
    /// The agent has no such action.
    Unimplemented,
    /// The caller may not do this.
    Permission,
    /// This machine lacks something.
    Installed,
    /// A value that is wrong on every machine.
    Configured,
}

/// A failure with its kind and one line of text, the outermost context first:
/// `start: add 10.9.0.50: File exists`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    text: String,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// An ordinary failure: exit code 1.
    pub fn generic(text: impl Into<String>) -> Self {
        Self::new(Kind::Generic, text)
    }

    /// Something is missing on this machine: exit code 5.
    pub fn installed(text: impl Into<String>) -> Self {
        Self::new(Kind::Installed, text)
    }

    /// The same failure seen from one step further out.
    #[must_use]
    pub fn wrap(self, context: impl fmt::Display) -> Self {
        Self { kind: self.kind, text: format!("{context}: {}", self.text) }
    }

    /// One failure out of many, for work that goes on after the first: the texts joined by "; ",
    /// the kind of the first.
    #[must_use]
    pub fn collect(failures: Vec<Self>) -> Option<Self> {
        let kind = failures.first()?.kind;
        let text = failures.into_iter().map(|f| f.text).collect::<Vec<_>>().join("; ");
        Some(Self { kind, text })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Turns any error into a [`Failure`] that says what was being done.
pub trait OrFail<T> {
    /// An ordinary failure with a context.
    ///
    /// # Errors
    /// The error, as a failure of kind [`Kind::Generic`] (a [`Failure`] keeps its kind).
    fn or_fail(self, context: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<IntoFailure>> OrFail<T> for Result<T, E> {
    fn or_fail(self, context: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| error.into().0.wrap(context))
    }
}

/// An error on its way to a failure; keeps the kind of those that have one.
pub struct IntoFailure(Failure);

impl From<Failure> for IntoFailure {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<std::io::Error> for IntoFailure {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Kind::Permission,
            _ => Kind::Generic,
        };
        Self(Failure::new(kind, plain(&error)))
    }
}

impl From<nix::Error> for IntoFailure {
    fn from(error: nix::Error) -> Self {
        std::io::Error::from(error).into()
    }
}

/// The message of an operating system error without Rust's "(os error 2)".
pub fn plain(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::Error::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_stack_from_the_outside_in() {
        let failure = Failure::installed("no such device").wrap("link eth7").wrap("start");
        assert_eq!(failure.to_string(), "start: link eth7: no such device");
        assert_eq!(failure.kind, Kind::Installed);
    }

    #[test]
    fn an_os_error_keeps_its_meaning_and_loses_its_number() {
        let failed: Result<(), _> = Err(nix::Error::EACCES);
        let failure = failed.or_fail("open /run/x").unwrap_err();
        assert_eq!(failure.to_string(), "open /run/x: Permission denied");
        assert_eq!(failure.kind, Kind::Permission);
    }

    #[test]
    fn many_failures_become_one_line_and_none_becomes_nothing() {
        assert_eq!(Failure::collect(vec![]), None);
        let both = Failure::collect(vec![Failure::generic("a"), Failure::installed("b")]).unwrap();
        assert_eq!((both.kind, both.to_string()), (Kind::Generic, "a; b".to_owned()));
    }
}
