//! What an agent is: its name, texts, parameters and actions, as one value.
#![forbid(unsafe_code)]

use crate::action::Action;
use crate::param::AnyParam;

/// The description of an agent; the meta-data, the help and the dispatch come from it.
pub struct Spec {
    /// The resource type, which is also the file's name.
    pub name: &'static str,
    /// The agent's own version.
    pub version: &'static str,
    /// One line about the agent.
    pub short: &'static str,
    /// Some paragraphs about it.
    pub long: &'static str,
    /// Every parameter, in the order of the meta-data.
    pub parameters: &'static [&'static dyn AnyParam],
    /// Every action that it implements, with what the cluster should assume about it.
    pub actions: &'static [ActionSpec],
    /// Whether changing the resource takes root.
    pub needs_root: bool,
    /// The committed meta-data, exactly as `meta-data` prints it. A test holds it equal to what the
    /// other fields say.
    pub metadata: &'static str,
}

/// An action as the meta-data advertises it.
#[derive(Clone, Copy, Debug)]
pub struct ActionSpec {
    /// Which.
    pub action: Action,
    /// The least time-out that makes sense, in seconds.
    pub timeout: u32,
    /// For recurring actions: how often, in seconds.
    pub interval: Option<u32>,
    /// For actions with check levels: the level.
    pub depth: Option<u32>,
}

impl ActionSpec {
    /// An action with its time-out in seconds.
    #[must_use]
    pub const fn new(action: Action, timeout: u32) -> Self {
        Self { action, timeout, interval: None, depth: None }
    }

    /// At this check level.
    #[must_use]
    pub const fn at(mut self, depth: u32) -> Self {
        self.depth = Some(depth);
        self
    }

    /// Recurring every so many seconds, at this check level.
    #[must_use]
    pub const fn every(mut self, interval: u32, depth: u32) -> Self {
        self.interval = Some(interval);
        self.depth = Some(depth);
        self
    }
}

impl Spec {
    /// The advertised entry of an action; `None` when the agent has no such action. `usage` is
    /// there without an entry.
    #[must_use]
    pub fn find(&self, action: Action) -> Option<&ActionSpec> {
        self.actions.iter().find(|entry| entry.action == action)
    }

    /// The check level to use for a requested one: the highest supported level that is not above it
    /// (OCF 1.1, "Check Levels": unsupported levels round down).
    #[must_use]
    pub fn depth(&self, action: Action, requested: u32) -> u32 {
        let levels = self
            .actions
            .iter()
            .filter(|entry| entry.action == action)
            .filter_map(|entry| entry.depth);
        levels.filter(|level| *level <= requested).max().unwrap_or(0)
    }
}
