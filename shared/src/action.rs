//! The actions of the OCF resource agent API.
#![forbid(unsafe_code)]

/// What the caller asks an agent to do: the one argument of every invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the resource available.
    Start,
    /// Make sure that nothing of the resource is left.
    Stop,
    /// Tell the state of the resource.
    Monitor,
    /// The same as `monitor`, with a word on stdout for people.
    Status,
    /// Judge the parameters; with check level 10 also the machine.
    ValidateAll,
    /// Describe the agent in XML.
    MetaData,
    /// Explain the agent to a person.
    Usage,
    /// Make the service read its own configuration again.
    Reload,
    /// Take over changed reloadable parameters without a restart (OCF 1.1).
    ReloadAgent,
    /// Hand a live resource over to another node.
    MigrateTo,
    /// Receive a live resource from another node.
    MigrateFrom,
}

/// Each action with its word, in the order of the usage text.
const WORDS: &[(Action, &str)] = &[
    (Action::Start, "start"),
    (Action::Stop, "stop"),
    (Action::Monitor, "monitor"),
    (Action::Status, "status"),
    (Action::ValidateAll, "validate-all"),
    (Action::Reload, "reload"),
    (Action::ReloadAgent, "reload-agent"),
    (Action::MigrateTo, "migrate_to"),
    (Action::MigrateFrom, "migrate_from"),
    (Action::MetaData, "meta-data"),
    (Action::Usage, "usage"),
];

impl Action {
    /// The action that a command line word stands for; `None` for a word that no agent knows.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "help" | "--help" | "-h" => Some(Self::Usage),
            _ => WORDS.iter().find(|(_, w)| *w == word).map(|(action, _)| *action),
        }
    }

    /// The word on the command line and in the meta-data.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(action, _)| *action == self).map_or("", |(_, word)| word)
    }

    /// Answered without reading a parameter, as any user.
    #[must_use]
    pub fn is_about_the_agent(self) -> bool {
        matches!(self, Self::MetaData | Self::Usage)
    }

    /// Reports the state and changes nothing.
    #[must_use]
    pub fn is_monitor(self) -> bool {
        matches!(self, Self::Monitor | Self::Status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_its_action() {
        for (action, word) in WORDS {
            assert_eq!(Action::from_word(word), Some(*action));
            assert_eq!(action.word(), *word);
        }
    }

    #[test]
    fn words_are_matched_whole_and_in_their_own_case() {
        for word in ["", "START", "start ", "monitorx", "meta_data"] {
            assert_eq!(Action::from_word(word), None, "{word:?}");
        }
        assert_eq!(Action::from_word("--help"), Some(Action::Usage));
    }
}
