//! What the meta-data say, judged by reading them.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use crate::check::{Check, Proof, Weight};
use crate::metadata::{Action, MetaData, Parameter, duration};
use crate::verdict::{Finding, Judged};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "mandatory-actions",
        says: "the meta-data advertise start, stop, monitor and meta-data",
        clause: "OCF 1.1, Mandatory Actions: agents must be able to perform them and must \
            advertise them",
        fix: "add an <action> for each of them, with a time-out",
        costs: "tools configure no operation for what is not advertised: without a monitor no \
            failure is ever seen",
        weight: Weight::Must,
        proof: Proof::Document(mandatory_actions),
    },
    Check {
        id: "schema",
        says: "the meta-data have the structure that their version of the API prescribes",
        clause: "OCF 1.1, Meta-Data Format: the XML shall conform to the schema ra-api.rng; 1.0: \
            ra-api-1.dtd",
        fix: "mend what is named; xmllint --noout --relaxng ocf-1.1.rng - shows the place",
        costs: "pcs refuses to create a resource of an agent whose meta-data do not conform",
        weight: Weight::Must,
        proof: Proof::Document(super::schema::judge),
    },
    Check {
        id: "api-version",
        says: "the meta-data name the version of the API that the agent keeps, 1.0 or 1.1",
        clause: "OCF 1.1, Meta-Data Semantics: version; Pacemaker decides by it whether \
            reload-agent exists (controld_metadata.c)",
        fix: "write <version>1.1</version> as the first element",
        costs: "Pacemaker takes the agent for one of OCF 1.0, and restarts the service where it \
            could reload",
        weight: Weight::Should,
        proof: Proof::Document(api_version),
    },
    Check {
        id: "descriptions",
        says: "the agent and its parameters are described, the short description in one line",
        clause: "OCF 1.1, Meta-Data Semantics: longdesc and shortdesc are what tools show to users",
        fix: "fill <longdesc> and <shortdesc>",
        costs: "users see an agent or a parameter without a word on what it is",
        weight: Weight::Should,
        proof: Proof::Document(descriptions),
    },
    Check {
        id: "languages",
        says: "each description names its language",
        clause: "OCF 1.1, ra-api.rng: descriptions have an attribute lang, a language tag of RFC \
            5646",
        fix: "write lang=\"en\"",
        costs: "tools show the text all the same",
        weight: Weight::May,
        proof: Proof::Document(languages),
    },
    Check {
        id: "parameter-names",
        says: "each parameter is described once, under a name that a variable can have",
        clause: "OCF 1.1, Syntax for Instance Parameters: a name becomes the variable \
            OCF_RESKEY_name",
        fix: "rename or remove the second one",
        costs: "the agent does not get the value that the user has set, or tools judge it by the \
            wrong description",
        weight: Weight::Must,
        proof: Proof::Document(parameter_names),
    },
    Check {
        id: "defaults-fit",
        says: "each default is a value that its own type allows",
        clause: "OCF 1.1, ra-api.rng: content has a type and a default; tools check values by the \
            type",
        fix: "mend the default or the type",
        costs: "tools show a default that they themselves refuse",
        weight: Weight::Should,
        proof: Proof::Document(defaults_fit),
    },
    Check {
        id: "required-default",
        says: "a required parameter has no default",
        clause: "OCF 1.1, Meta-Data Semantics: required means that the user must give a value",
        fix: "drop required=\"1\", or the default",
        costs: "tools ask the user for a value that the agent does not need",
        weight: Weight::Should,
        proof: Proof::Document(required_default),
    },
    Check {
        id: "reloadable",
        says: "there is a reload-agent exactly if there are reloadable parameters",
        clause: "OCF 1.1, reload-agent: makes changes of parameters marked as reloadable effective",
        fix: "advertise and implement reload-agent, or mark no parameter; mark at least one, or \
            drop the action",
        costs: "Pacemaker restarts the service for a change that could be reloaded, or never \
            calls what was written for it",
        weight: Weight::Should,
        proof: Proof::Document(reloadable),
    },
    Check {
        id: "time-outs",
        says: "each action has a time-out that can be read",
        clause: "OCF 1.1, ra-api.rng: action has an attribute timeout, which tools take as default",
        fix: "write timeout=\"20s\"",
        costs: "tools take a default of 20 s instead: a stop that needs more is killed, and the \
            node is fenced",
        weight: Weight::Must,
        proof: Proof::Document(time_outs),
    },
    Check {
        id: "time-out-units",
        says: "time-outs and intervals have a unit",
        clause: "Pacemaker reads a bare number as seconds in one place and as milliseconds in \
            others",
        fix: "write 20s, not 20",
        costs: "a time of 20 is 20 seconds to one tool and 20 milliseconds to another",
        weight: Weight::Should,
        proof: Proof::Document(time_out_units),
    },
    Check {
        id: "action-pairs",
        says: "no two actions have the same name, role and interval",
        clause: "Pacemaker distinguishes operations of a resource by name and interval alone",
        fix: "give each depth and each role an interval of its own",
        costs: "Pacemaker runs one of the two and drops the other: what it looks for is not \
            monitored",
        weight: Weight::Must,
        proof: Proof::Document(action_pairs),
    },
    Check {
        id: "depths",
        says: "depths are numbers",
        clause: "OCF 1.1, Check Levels: levels are numbers, advertised by the attribute depth",
        fix: "write depth=\"0\", depth=\"10\"",
        costs: "users cannot set the check level that the number stands for",
        weight: Weight::Should,
        proof: Proof::Document(depths),
    },
    Check {
        id: "promote-and-demote",
        says: "promote and demote are advertised together or not at all",
        clause: "OCF 1.1, Optional Actions: who can be promoted must be demoted",
        fix: "advertise and implement the other one",
        costs: "a resource that was promoted and cannot be demoted is stopped, or its node is \
            fenced",
        weight: Weight::Must,
        proof: Proof::Document(|meta| both_or_neither(meta, "promote", "demote")),
    },
    Check {
        id: "migrate-pair",
        says: "migrate_to and migrate_from are advertised together or not at all",
        clause: "Pacemaker Explained, Live Migration: both actions are called, one on each node",
        fix: "advertise and implement the other one",
        costs: "a move that Pacemaker begins as a live migration ends as a stop and a start",
        weight: Weight::Must,
        proof: Proof::Document(|meta| both_or_neither(meta, "migrate_to", "migrate_from")),
    },
];

/// No fault, or all of them in one text.
pub(super) fn faults(found: Vec<String>) -> Judged {
    if found.is_empty() { Ok(()) } else { Err(Finding::broken(found.join("; "))) }
}

/// What a question finds wrong with each of a list.
fn each<T>(of: &[T], wrong: impl Fn(&T) -> Option<String>) -> Judged {
    faults(of.iter().filter_map(wrong).collect())
}

fn mandatory_actions(meta: &MetaData) -> Judged {
    each(&["start", "stop", "monitor", "meta-data"], |action| {
        (!meta.advertises(action)).then(|| format!("{action} is not advertised"))
    })
}

fn api_version(meta: &MetaData) -> Judged {
    faults(match meta.version.as_deref() {
        Some("1.0" | "1.1") => vec![],
        Some(other) => vec![format!("the version {other:?} is neither 1.0 nor 1.1")],
        None => vec!["there is no element <version>".to_owned()],
    })
}

fn descriptions(meta: &MetaData) -> Judged {
    each(&["longdesc", "shortdesc"], |element| {
        let there = meta
            .descriptions
            .iter()
            .any(|description| description.of == "agent" && description.element == *element);
        (!there).then(|| format!("the agent has no {element}"))
    })?;
    each(&meta.descriptions, |description| {
        let (of, element, text) = (&description.of, &description.element, description.text.trim());
        if text.is_empty() {
            return Some(format!("the {element} of {of} is empty"));
        }
        (element == "shortdesc" && text.contains('\n'))
            .then(|| format!("the shortdesc of {of} has more than one line"))
    })
}

fn languages(meta: &MetaData) -> Judged {
    each(&meta.descriptions, |description| {
        let (of, element) = (&description.of, &description.element);
        match description.language.as_deref() {
            None => Some(format!("the {element} of {of} has no lang")),
            Some(tag) if !is_language(tag) => {
                Some(format!("{tag:?}, of the {element} of {of}, is no language tag"))
            }
            Some(_) => None,
        }
    })
}

/// Whether a tag has the form of RFC 5646, section 2.1: words of letters and digits, the first of 2
/// to 8 letters. Underscores as in `en_US` are no such form, but every tool takes them.
fn is_language(tag: &str) -> bool {
    let mut words = tag.split(['-', '_']);
    let first = words.next().unwrap_or_default();
    (2..=8).contains(&first.len())
        && first.chars().all(|c| c.is_ascii_alphabetic())
        && words.all(|word| {
            (1..=8).contains(&word.len()) && word.chars().all(|c| c.is_ascii_alphanumeric())
        })
}

fn parameter_names(meta: &MetaData) -> Judged {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for Parameter { name, .. } in &meta.parameters {
        let legal = !name.is_empty()
            && !name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control());
        if !legal {
            found.push(format!("{name:?} cannot be the name of a variable"));
        } else if !seen.insert(name) {
            found.push(format!("the parameter {name} is there twice"));
        }
    }
    faults(found)
}

fn defaults_fit(meta: &MetaData) -> Judged {
    each(&meta.parameters, |Parameter { name, kind, default, options, .. }| {
        let (kind, default) = (kind.as_deref()?, default.as_deref()?);
        // An empty one means that there is none.
        let fits = default.is_empty() || fits(kind, default, options);
        (!fits).then(|| format!("{default:?}, the default of {name}, is no {kind}"))
    })
}

/// Whether a value is of a type.
fn fits(kind: &str, value: &str, options: &[String]) -> bool {
    // Pacemaker's words for true and false, in any case (crm_str_to_boolean, lib/common/strings.c).
    const BOOLEANS: &[&str] = &["true", "on", "yes", "y", "1", "false", "off", "no", "n", "0"];
    match kind {
        // Infinity is a number to a cluster.
        "integer" => {
            value.trim().parse::<i128>().is_ok()
                || matches!(value.trim_start_matches(['+', '-']), "INFINITY")
        }
        "boolean" => BOOLEANS.contains(&value.to_ascii_lowercase().as_str()),
        "select" => options.iter().any(|option| option == value),
        _ => true,
    }
}

fn required_default(meta: &MetaData) -> Judged {
    each(&meta.parameters, |parameter| {
        let default = parameter.default.as_deref().filter(|default| !default.is_empty())?;
        parameter
            .is_required()
            .then(|| format!("{} is required and has the default {default:?}", parameter.name))
    })
}

fn reloadable(meta: &MetaData) -> Judged {
    let marked =
        meta.parameters.iter().find(|parameter| parameter.reloadable.as_deref() == Some("1"));
    faults(match (marked, meta.advertises("reload-agent")) {
        (Some(parameter), false) => {
            vec![format!("{} is reloadable, but reload-agent is not advertised", parameter.name)]
        }
        (None, true) => {
            vec![
                "reload-agent is advertised, but no parameter is reloadable: nothing ever calls it"
                    .to_owned(),
            ]
        }
        _ => vec![],
    })
}

fn time_outs(meta: &MetaData) -> Judged {
    each(&meta.actions, |Action { name, timeout, .. }| match timeout.as_deref() {
        None => Some(format!("{name} has no time-out")),
        Some(text) if duration(text).is_none() => {
            Some(format!("{text:?}, the time-out of {name}, is no time"))
        }
        Some(_) => None,
    })
}

fn time_out_units(meta: &MetaData) -> Judged {
    each(&meta.actions, |Action { name, timeout, interval, .. }| {
        let bare =
            |text: &str| text.trim() != "0" && text.trim().chars().all(|c| c.is_ascii_digit());
        let values = [("timeout", timeout), ("interval", interval)];
        let (attribute, text) =
            values.into_iter().find(|(_, text)| text.as_deref().is_some_and(bare))?;
        Some(format!("{attribute}={:?} of {name} has no unit", text.as_deref().unwrap_or_default()))
    })
}

fn action_pairs(meta: &MetaData) -> Judged {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for Action { name, interval, role, depth, .. } in &meta.actions {
        let interval = interval.as_deref().and_then(duration).unwrap_or_default();
        // What does not recur may be advertised at several depths.
        let depth = depth.as_deref().filter(|_| interval.is_zero());
        if !seen.insert((name, role, interval, depth)) {
            found.push(format!(
                "{name} is there twice with the interval {} s",
                interval.as_secs_f32()
            ));
        }
    }
    faults(found)
}

fn depths(meta: &MetaData) -> Judged {
    each(&meta.actions, |Action { name, depth, .. }| {
        let depth = depth.as_deref()?;
        depth
            .trim()
            .parse::<u32>()
            .is_err()
            .then(|| format!("{depth:?}, the depth of {name}, is no number"))
    })
}

fn both_or_neither(meta: &MetaData, one: &str, other: &str) -> Judged {
    let (first, second) = if meta.advertises(one) { (one, other) } else { (other, one) };
    if meta.advertises(first) && !meta.advertises(second) {
        return Err(Finding::broken(format!("{first} is advertised, {second} is not")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_types_as_pacemaker_reads_them() {
        let options = ["a".to_owned()];
        for (kind, value) in [
            ("integer", "-3"),
            ("integer", "INFINITY"),
            ("boolean", "Yes"),
            ("select", "a"),
            ("string", "x"),
        ] {
            assert!(fits(kind, value, &options), "{kind} {value}");
        }
        for (kind, value) in
            [("integer", "3s"), ("integer", "1.5"), ("boolean", "maybe"), ("select", "b")]
        {
            assert!(!fits(kind, value, &options), "{kind} {value}");
        }
    }

    #[test]
    fn a_language_tag_has_words_of_letters() {
        assert!(["en", "en-US", "zh-Hant-TW", "en_US"].into_iter().all(is_language));
        assert!(!["", "e", "englishlanguage", "en--us", "*"].into_iter().any(is_language));
    }
}
