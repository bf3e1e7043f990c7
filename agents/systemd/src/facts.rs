//! Properties of a unit, as facts. What an answer lacks, or has in another form than systemd's
//! documentation says, is left out: a reason may be poorer for it, a state is never another one.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use zbus::zvariant::OwnedValue;

use crate::state::Facts;

/// All properties of an interface.
pub type Properties = HashMap<String, OwnedValue>;

/// Reads what all units have, and what those of one type have.
#[must_use]
pub fn read(common: &Properties, special: &Properties) -> Facts {
    let main_end = number(special, "ExecMainCode").zip(number(special, "ExecMainStatus"));
    Facts {
        result: text(special, "Result"),
        main_end,
        main_pid: value(special, "MainPID").filter(|pid| *pid != 0),
        service_type: text(special, "Type"),
        restart: text(special, "Restart"),
        kill_mode: text(special, "KillMode"),
        load_error: value::<(String, String)>(common, "LoadError")
            .map(|(_, why)| why)
            .unwrap_or_default(),
        file_state: text(common, "UnitFileState").unwrap_or_default(),
        can_reload: value(common, "CanReload").unwrap_or_default(),
        // Without a time, it has not been evaluated yet.
        condition: value::<u64>(common, "ConditionTimestamp")
            .filter(|moment| *moment != 0)
            .and_then(|_| value(common, "ConditionResult")),
        conditions: failed_conditions(common),
        drop_ins: value(common, "DropInPaths").unwrap_or_default(),
        before: value(common, "Before").unwrap_or_default(),
        triggered_by: value(common, "TriggeredBy").unwrap_or_default(),
        upheld_by: value(common, "UpheldBy").unwrap_or_default(),
        started_by: activation(common),
        refuses_stop: value(common, "RefuseManualStop").unwrap_or_default(),
        remains: value(special, "RemainAfterExit").unwrap_or_default(),
        invocation: value::<Vec<u8>>(common, "InvocationID")
            .filter(|id| id.len() == 16)
            .map(|id| hex(&id)),
        main_ended_first: main_ended_first(common, special),
        began: value::<u64>(common, "InactiveExitTimestamp").filter(|moment| *moment != 0),
    }
}

fn value<T: TryFrom<OwnedValue>>(properties: &Properties, name: &str) -> Option<T> {
    properties
        .get(name)
        .and_then(|value| value.try_clone().ok())
        .and_then(|value| T::try_from(value).ok())
}

fn text(properties: &Properties, name: &str) -> Option<String> {
    value(properties, name)
}

fn number(properties: &Properties, name: &str) -> Option<i32> {
    value(properties, name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The unit that has started this one: a socket, timer or path (since version 252).
fn activation(properties: &Properties) -> Option<String> {
    let details: Vec<(String, String)> = value(properties, "ActivationDetails").unwrap_or_default();
    details.into_iter().find(|(name, _)| name == "trigger_unit").map(|(_, unit)| unit)
}

/// Whether the main process ended before the unit left its active state. At a stop it is the other
/// way round. `None` when systemd has forgotten the run, as it does of units that nothing needs.
fn main_ended_first(common: &Properties, special: &Properties) -> Option<bool> {
    let moment = |properties, name| value::<u64>(properties, name).filter(|moment| *moment != 0);
    let main = moment(special, "ExecMainExitTimestampMonotonic");
    main.zip(moment(common, "ActiveExitTimestampMonotonic")).map(|(main, unit)| main <= unit)
}

/// Conditions that did not hold: type, whether one of several suffices, whether it is negated, what
/// it asks for, and the outcome, which is below zero for "no".
fn failed_conditions(properties: &Properties) -> Vec<String> {
    let all: Vec<(String, bool, bool, String, i32)> =
        value(properties, "Conditions").unwrap_or_default();
    let failed = all.into_iter().filter(|condition| condition.4 < 0);
    failed
        .map(|(kind, _, negated, asked, _)| {
            format!("{kind}={}{asked}", if negated { "!" } else { "" })
        })
        .collect()
}

#[cfg(test)]
mod recorded;

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::zvariant::Value;

    fn properties(pairs: Vec<(&str, Value<'static>)>) -> Properties {
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.try_into().unwrap()))
            .collect()
    }

    #[test]
    fn properties_become_facts() {
        let common = properties(vec![
            ("UnitFileState", "enabled".into()),
            ("CanReload", true.into()),
            ("DropInPaths", vec!["/a", "/b"].into()),
            ("LoadError", ("x.y", "Invalid argument").into()),
            ("InactiveExitTimestamp", 7_u64.into()),
            ("ConditionTimestamp", 5_u64.into()),
            ("ConditionResult", false.into()),
            ("UpheldBy", vec!["a.target"].into()),
            ("ActivationDetails", vec![("trigger_unit", "a.timer")].into()),
            ("InvocationID", (0..16).collect::<Vec<u8>>().into()),
            ("ActiveExitTimestampMonotonic", 90_u64.into()),
        ]);
        let special = properties(vec![
            ("Result", "exit-code".into()),
            ("ExecMainCode", 1_i32.into()),
            ("ExecMainStatus", 3_i32.into()),
            ("MainPID", 0_u32.into()),
            ("ExecMainExitTimestampMonotonic", 80_u64.into()),
        ]);
        let facts = read(&common, &special);
        assert_eq!(
            (facts.main_end, facts.main_pid, facts.condition),
            (Some((1, 3)), None, Some(false))
        );
        assert_eq!((facts.drop_ins.len(), facts.load_error.as_str()), (2, "Invalid argument"));
        assert_eq!(facts.invocation.as_deref(), Some("000102030405060708090a0b0c0d0e0f"));
        assert_eq!((facts.started_by.as_deref(), facts.upheld_by.len()), (Some("a.timer"), 1));
        assert_eq!(facts.main_ended_first, Some(true));
        let stopped = properties(vec![("ExecMainExitTimestampMonotonic", 91_u64.into())]);
        assert_eq!(read(&common, &stopped).main_ended_first, Some(false));
        assert_eq!((facts.file_state.as_str(), facts.began), ("enabled", Some(7)));
    }

    #[test]
    fn what_has_another_form_is_left_out() {
        let odd = || {
            vec![("Result", 7_u32.into()), ("ExecMainCode", "one".into()), ("MainPID", "x".into())]
        };
        let common = properties(vec![
            ("DropInPaths", 5_u8.into()),
            ("Conditions", "none".into()),
            ("LoadError", 1_u8.into()),
        ]);
        assert_eq!(read(&common, &properties(odd())), Facts::default());
    }
}
