//! What a check came to, and what a run came to.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::call::Done;

/// What a check says of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It keeps the rule.
    Pass,
    /// It breaks a rule whose breach costs nothing in a cluster.
    Info(String),
    /// It breaks a rule whose breach disturbs people.
    Warn(String),
    /// It breaks a rule whose breach costs a node, data or the truth.
    Fail(String),
    /// Not known, and why.
    Skip(String),
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Info(_) => "info",
            Self::Warn(_) => "warn",
            Self::Fail(_) => "fail",
            Self::Skip(_) => "skip",
        }
    }

    /// What is wrong with the agent.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        match self {
            Self::Pass | Self::Skip(_) => None,
            Self::Info(text) | Self::Warn(text) | Self::Fail(text) => Some(text),
        }
    }

    /// What there is to say about it.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Pass => None,
            Self::Info(text) | Self::Warn(text) | Self::Fail(text) | Self::Skip(text) => Some(text),
        }
    }
}

/// A check and what it came to.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The check's id.
    pub id: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// Of what it found, the call that shows it.
    pub call: Option<Done>,
}

/// A whole run over one agent with one set of parameters.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The agent's file, as it was given.
    pub agent: String,
    /// The name of the parameter set; empty when there is one only.
    pub set: String,
    /// In the order of the table of checks.
    pub judgements: Vec<Judgement>,
    /// Every call that was made, in the order of their ends.
    pub calls: Vec<Done>,
    /// What people should know besides, such as a resource that could not be stopped.
    pub notes: Vec<String>,
    /// What has changed since the report that it was to be compared with.
    pub changes: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// How many checks came to this word (see [`Verdict::word`]).
    #[must_use]
    pub fn count(&self, word: &str) -> usize {
        self.judgements.iter().filter(|judgement| judgement.verdict.word() == word).count()
    }

    /// Whether a check failed; with `strict`, a warning is a failure.
    #[must_use]
    pub fn failed(&self, strict: bool) -> bool {
        self.count("fail") > 0 || strict && self.count("warn") > 0
    }
}

/// Why a check cannot say "pass".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The agent breaks the rule, in this way.
    Violation(String),
    /// It cannot be known, for this reason.
    Inconclusive(String),
}

impl Finding {
    /// The agent breaks the rule.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Violation(what.into())
    }

    /// It cannot be known.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Inconclusive(why.into())
    }
}

impl From<std::io::Error> for Finding {
    fn from(error: std::io::Error) -> Self {
        Self::Inconclusive(format!("the tester could not do its part: {error}"))
    }
}

/// What a judge gives.
pub type Judged = Result<(), Finding>;
