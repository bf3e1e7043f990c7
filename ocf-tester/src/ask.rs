//! One call of an agent, as data.
#![forbid(unsafe_code)]

/// The interval in the environment of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// None: start, stop, a probe. Pacemaker takes the variable away then
    /// (`lib/pengine/pe_actions.c`).
    Unset,
    /// Of a recurring monitor: as the meta-data advise, else ten seconds.
    Recurring,
    /// These words.
    Text(&'static str),
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The words on the command line; Pacemaker gives exactly one.
    pub words: &'static [&'static str],
    /// `OCF_RESKEY_CRM_meta_interval`.
    pub interval: Interval,
    /// `OCF_CHECK_LEVEL`.
    pub level: Option<&'static str>,
}

impl Ask {
    /// An action, with no interval and no check level.
    #[must_use]
    pub const fn words(words: &'static [&'static str]) -> Self {
        Self { words, interval: Interval::Unset, level: None }
    }

    /// At a check level.
    #[must_use]
    pub const fn at(mut self, level: &'static str) -> Self {
        self.level = Some(level);
        self
    }

    /// With these words as interval.
    #[must_use]
    pub const fn every(mut self, interval: &'static str) -> Self {
        self.interval = Interval::Text(interval);
        self
    }

    /// The action, empty when there is none.
    #[must_use]
    pub fn action(&self) -> &'static str {
        self.words.first().copied().unwrap_or("")
    }
}

/// A word that no agent knows.
pub const UNKNOWN_ACTION: &str = "ocf-tester-unknown-action";

/// Start.
pub const START: Ask = Ask::words(&["start"]);
/// Stop.
pub const STOP: Ask = Ask::words(&["stop"]);
/// A monitor with no interval.
pub const PROBE: Ask = Ask::words(&["monitor"]);
/// A recurring monitor.
pub const MONITOR: Ask = Ask { interval: Interval::Recurring, ..Ask::words(&["monitor"]) };
/// The description.
pub const META_DATA: Ask = Ask::words(&["meta-data"]);
/// Judging the parameters, at the agent's own level.
pub const VALIDATE: Ask = Ask::words(&["validate-all"]);
/// To the promoted role.
pub const PROMOTE: Ask = Ask::words(&["promote"]);
/// Back from it.
pub const DEMOTE: Ask = Ask::words(&["demote"]);

impl std::fmt::Display for Ask {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let probe = self.words == PROBE.words
            && matches!(self.interval, Interval::Unset | Interval::Text("0" | ""));
        match self.words {
            [] => out.write_str("(no action)")?,
            _ if probe => out.write_str("probe")?,
            words => out.write_str(&words.join(" "))?,
        }
        if let Interval::Text(text) = self.interval {
            write!(out, " with interval {text:?}")?;
        }
        self.level.map_or(Ok(()), |level| write!(out, " at check level {level:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_named_as_people_speak_of_it() {
        let named: Vec<_> =
            [START, PROBE, MONITOR, PROBE.every("0"), MONITOR.at("10"), Ask::words(&[])]
                .map(|ask| ask.to_string())
                .to_vec();
        let expected = [
            "start",
            "probe",
            "monitor",
            "probe with interval \"0\"",
            "monitor at check level \"10\"",
            "(no action)",
        ];
        assert_eq!(named, expected);
    }
}
