//! What the caller wants: the action, the parameters and the cluster's circumstances, read once, as
//! a value.
//!
//! The form is Pacemaker's (`lib/services/services_linux.c`, `lib/pengine/pe_actions.c`); every
//! variable but the agent's own parameters may be absent, for people and other tools call agents
//! too.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::action::Action;
use crate::values::Values;

/// What a parameter's variable begins with.
const PREFIX: &str = "OCF_RESKEY_";

/// What the variable of a meta attribute begins with.
const META: &str = "OCF_RESKEY_CRM_meta_";

/// The argument that an agent was called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A word of the API.
    Action(Action),
    /// `--version`.
    Version,
    /// `--explain`.
    Explain,
    /// A word that means nothing to us.
    Unknown(String),
    /// No argument at all.
    Nothing,
}

/// The environment of one call, as a value.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The first argument; further ones are ignored (OCF 1.1, "The API").
    pub asked: Asked,
    /// The parameters.
    pub values: Values,
    environment: Vec<(Text, Text)>,
}

/// A name or a value of the environment: where the kernel has put it, or, in tests, a text of their
/// own.
type Text = Cow<'static, OsStr>;

impl Invocation {
    /// Reads arguments (the program's name first) and environment.
    pub fn new(
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (impl Into<Text>, impl Into<Text>)>,
    ) -> Self {
        let asked = match arguments.into_iter().nth(1) {
            None => Asked::Nothing,
            Some(word) => match word.to_str() {
                Some("--version" | "-V") => Asked::Version,
                Some("--explain") => Asked::Explain,
                Some(text) => Action::from_word(text)
                    .map_or_else(|| Asked::Unknown(text.to_owned()), Asked::Action),
                None => Asked::Unknown(word.to_string_lossy().into_owned()),
            },
        };
        let environment: Vec<(Text, Text)> =
            environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut values = Values::default();
        for (name, value) in &environment {
            // The prefix first: most variables of an environment belong to other programs.
            let ours = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
            if ours && let Some(name) = name.to_str().and_then(parameter_name) {
                values.insert(name, value.to_str());
            }
        }
        Self { asked, values, environment }
    }

    /// The word of the action, for messages.
    #[must_use]
    pub fn action_word(&self) -> &'static str {
        if let Asked::Action(action) = self.asked { action.word() } else { "unknown" }
    }

    /// A variable of the environment; `None` when it is unset, empty, or not UTF-8.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.find(|given| given == name.as_bytes())
    }

    fn find(&self, is_it: impl Fn(&[u8]) -> bool) -> Option<&str> {
        let (_, value) = self.environment.iter().find(|(given, _)| is_it(given.as_bytes()))?;
        value.to_str().filter(|value| !value.is_empty())
    }

    /// The whole environment, for agents whose purpose it is to show it.
    pub fn environment(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.environment.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// A meta attribute: `meta("timeout")` is `OCF_RESKEY_CRM_meta_timeout`.
    #[must_use]
    pub fn meta(&self, name: &str) -> Option<&str> {
        // The length first: hardly any other variable has it.
        let length = META.len() + name.len();
        self.find(|given| {
            given.len() == length
                && given.ends_with(name.as_bytes())
                && given.starts_with(META.as_bytes())
        })
    }

    /// The resource's name in the cluster, `default` where it is not given.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.variable("OCF_RESOURCE_INSTANCE").unwrap_or("default")
    }

    /// Whether the agent is to explain what it would do (`--explain`). Nothing is changed then.
    #[must_use]
    pub fn is_explanation(&self) -> bool {
        self.asked == Asked::Explain
    }

    /// Whether a monitor is a probe. Pacemaker leaves the interval unset in probes; unset, empty
    /// and 0 are alike. What explains itself only probes.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.is_explanation() || matches!(self.meta("interval").map(str::trim), None | Some("0"))
    }

    /// The time between two runs of a recurring monitor; `None` for a probe and for any other
    /// action.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        let given: u64 = self.meta("interval")?.trim().parse().ok()?;
        (given > 0).then(|| Duration::from_millis(given))
    }

    /// The check level of this call. Nonsense is level 0: the cheapest check that is still right.
    #[must_use]
    pub fn depth(&self) -> u32 {
        let given = self
            .variable("OCF_CHECK_LEVEL")
            .or_else(|| self.variable("OCF_RESKEY_OCF_CHECK_LEVEL"));
        given.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// When the caller kills the action, counted from its start; `None` when it does not say.
    /// Pacemaker sends SIGKILL to the whole process group at that moment, without a warning.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let given: u64 = self.meta("timeout")?.trim().parse().ok()?;
        (given > 0).then(|| Duration::from_millis(given))
    }

    /// What marks the reason line on stderr.
    #[must_use]
    pub fn reason_prefix(&self) -> &str {
        self.variable("OCF_EXIT_REASON_PREFIX").unwrap_or("ocf-exit-reason:")
    }

    /// What the cluster says about the clone that this instance belongs to.
    #[must_use]
    pub fn clone_meta(&self) -> CloneMeta {
        let number =
            |names: &[&str]| names.iter().find_map(|n| self.meta(n)?.trim().parse::<u32>().ok());
        let truth = |name: &str| {
            self.meta(name).is_some_and(|text| crate::param::boolean(text) == Ok(true))
        };
        CloneMeta {
            number: number(&["clone"]).unwrap_or(0),
            max: number(&["clone_max"]),
            globally_unique: truth("globally_unique"),
            promoted_max: number(&["promoted_max", "master_max"]),
        }
    }
}

/// The clone attributes, in the words of both generations of Pacemaker (`master_max` became
/// `promoted_max`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloneMeta {
    /// The number of this instance, from 0.
    pub number: u32,
    /// How many instances the cluster runs; `None` when this is no clone. 0 is a clone that is
    /// switched off.
    pub max: Option<u32>,
    /// Whether each instance is a thing of its own.
    pub globally_unique: bool,
    /// How many instances may be promoted; `None` when this is no promotable clone.
    pub promoted_max: Option<u32>,
}

/// The parameter that a variable carries; `None` for variables that are the cluster's own.
fn parameter_name(variable: &str) -> Option<&str> {
    let name = variable.strip_prefix(PREFIX)?;
    let of_the_cluster =
        name.starts_with("CRM_meta_") || name.starts_with("crm_") || name == "OCF_CHECK_LEVEL";
    (!of_the_cluster && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn call(arguments: &[&str], environment: &[(&str, &str)]) -> Invocation {
        Invocation::new(
            std::iter::once("agent").chain(arguments.iter().copied()).map(OsString::from),
            environment.iter().map(|(n, v)| (OsString::from(n), OsString::from(v))),
        )
    }

    #[test]
    fn the_first_argument_is_the_action_and_the_rest_is_ignored() {
        assert_eq!(call(&["start", "stop", "--version"], &[]).asked, Asked::Action(Action::Start));
        assert_eq!(call(&[], &[]).asked, Asked::Nothing);
        assert_eq!(call(&["frobnicate"], &[]).asked, Asked::Unknown("frobnicate".into()));
        assert!(call(&["--explain"], &[("OCF_RESKEY_CRM_meta_interval", "1000")]).is_probe());
    }

    #[test]
    fn sl_04_an_unset_empty_or_zero_interval_is_a_probe() {
        let with =
            |value| call(&["monitor"], &[("OCF_RESKEY_CRM_meta_interval", value)]).is_probe();
        assert!(call(&["monitor"], &[]).is_probe());
        assert!(with("") && with("0") && with(" 0 "));
        assert!(!with("10000") && !with("1"));
    }

    #[test]
    fn the_clusters_own_variables_are_no_parameters() {
        let call = call(
            &["start"],
            &[
                ("OCF_RESKEY_ip", "192.0.2.1"),
                ("OCF_RESKEY_CRM_meta_timeout", "20000"),
                ("OCF_RESKEY_crm_feature_set", "3.16.2"),
                ("OCF_RESKEY_OCF_CHECK_LEVEL", "10"),
                ("PATH", "/bin"),
            ],
        );
        assert_eq!(call.values.unknown(&[]), [("ip".to_owned(), None)]);
        assert_eq!(call.timeout(), Some(Duration::from_secs(20)));
        assert_eq!(call.depth(), 10);
    }

    #[test]
    fn nonsense_from_the_caller_reads_as_absent() {
        let call = call(
            &["monitor"],
            &[("OCF_RESKEY_CRM_meta_timeout", "soon"), ("OCF_CHECK_LEVEL", "-7x")],
        );
        assert_eq!((call.timeout(), call.depth()), (None, 0));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_apart() {
        let environment = [(OsString::from("OCF_RESKEY_ip"), OsString::from_vec(vec![0xff, 0xfe]))];
        let call = Invocation::new([OsString::from("agent")], environment);
        let ip: crate::param::Param<String> =
            crate::param::Param::new("ip", crate::param::text, "", "");
        assert_eq!(call.values.get(&ip), None);
        assert!(call.values.is_given(&ip));
    }

    #[test]
    fn sl_16_clone_attributes_are_read_in_both_generations_words() {
        let meta = |pairs: &[(&str, &str)]| call(&["start"], pairs).clone_meta();
        assert_eq!(meta(&[]), CloneMeta::default());
        assert_eq!(meta(&[("OCF_RESKEY_CRM_meta_clone_max", "0")]).max, Some(0));
        assert_eq!(meta(&[("OCF_RESKEY_CRM_meta_master_max", "1")]).promoted_max, Some(1));
        assert_eq!(meta(&[("OCF_RESKEY_CRM_meta_promoted_max", "2")]).promoted_max, Some(2));
        let full = meta(&[
            ("OCF_RESKEY_CRM_meta_clone", "1"),
            ("OCF_RESKEY_CRM_meta_clone_max", "2"),
            ("OCF_RESKEY_CRM_meta_globally_unique", "True"),
        ]);
        assert_eq!(
            full,
            CloneMeta { number: 1, max: Some(2), globally_unique: true, promoted_max: None }
        );
    }
}
