//! What a check is: a rule in words, where the rule comes from, how to mend an agent that breaks
//! it, and how it is proved.
#![forbid(unsafe_code)]

use crate::ask::Ask;
use crate::call::Done;
use crate::metadata::MetaData;
use crate::stand::Stand;
use crate::verdict::{Judged, Verdict};

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What it is selected by.
    pub id: &'static str,
    /// The rule, as a sentence about a good agent.
    pub says: &'static str,
    /// Where the rule comes from.
    pub clause: &'static str,
    /// What the author of an agent that breaks it should do.
    pub fix: &'static str,
    /// What an agent that breaks it costs in a cluster: the reason for the weight.
    pub costs: &'static str,
    /// What breaking it means.
    pub weight: Weight,
    /// How it is proved.
    pub proof: Proof,
}

/// What breaking a rule means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A node is fenced, a service is started twice or lost, or a cluster or its user is given a
    /// false answer: a failure.
    Must,
    /// People are disturbed, or have to find out by themselves: a warning.
    Should,
    /// It costs nothing where a cluster calls the agent: information.
    May,
}

/// How a rule is proved.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// By reading the meta-data.
    Document(fn(&MetaData) -> Judged),
    /// By calls that leave the resource alone; they run side by side with others of their kind.
    Aside(fn(&Stand) -> Judged),
    /// By these steps with the resource, alone.
    Steps(&'static [Step]),
    /// By more than steps can say with the resource, alone.
    Alone(fn(&Stand) -> Judged),
    /// By each call that the run has made: what is wrong with it.
    Calls(fn(&Done, &MetaData) -> Option<String>),
}

/// A state of the resource, as a probe reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing of it is there.
    Stopped,
    /// It runs; of a promotable resource, unpromoted.
    Running,
    /// It runs promoted.
    Promoted,
}

/// One step of a check.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bring the resource to a state. Where that fails, the check cannot say anything: another one
    /// does.
    Given(State),
    /// Only when the meta-data advertise this action.
    Advertised(&'static str),
    /// Make this call; with another code, the check cannot say anything.
    Presume(Ask, &'static [u8]),
    /// Make this call; its code must be one of these.
    Call(Ask, &'static [u8]),
}

/// Codes of a monitor that sees it stopped.
pub const STOPPED: &[u8] = &[7];
/// Codes of a monitor that sees it run.
pub const RUNNING: &[u8] = &[0, 190];
/// Codes of a monitor that sees it run promoted.
pub const PROMOTED: &[u8] = &[8, 191];
/// Success.
pub const OK: &[u8] = &[0];

impl Check {
    /// Whether it needs the resource for itself.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        matches!(self.proof, Proof::Steps(_) | Proof::Alone(_))
    }

    /// What a judge's answer means for an agent that this check is about.
    #[must_use]
    pub fn verdict(&self, judged: Judged) -> Verdict {
        use crate::verdict::Finding;
        match (judged, self.weight) {
            (Ok(()), _) => Verdict::Pass,
            (Err(Finding::Inconclusive(why)), _) => Verdict::Skip(why),
            (Err(Finding::Violation(what)), Weight::Must) => Verdict::Fail(what),
            (Err(Finding::Violation(what)), Weight::Should) => Verdict::Warn(what),
            (Err(Finding::Violation(what)), Weight::May) => Verdict::Info(what),
        }
    }
}
