//! Parameters that are missing or wrong.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::ask::{PROBE, START, STOP, VALIDATE};
use crate::call::Done;
use crate::check::{Check, OK, PROMOTED, Proof, RUNNING, State, Weight};
use crate::metadata::Parameter;
use crate::stand::{Stand, known};
use crate::verdict::{Finding, Judged};

const INVALID: &str =
    "OCF 1.1, Exit Status Codes: 2, invalid parameter, or 6, inherently invalid parameter";

/// The codes for a bad parameter.
const REFUSED: &[u8] = &[2, 6];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "missing-required",
        says: "without a required parameter nothing starts: 2 or 6, and a reason that names it",
        clause: INVALID,
        fix: "check required parameters before anything else, in validate-all and in start",
        costs: "a service starts that is not the one that was meant",
        weight: Weight::Must,
        proof: Proof::Alone(missing_required),
    },
    Check {
        id: "bad-integer",
        says: "what is no integer is refused for one: 2 or 6, and a reason that names the \
            parameter",
        clause: INVALID,
        fix: "check the form of every integer, in validate-all and in start",
        costs: "a mistake in the configuration shows when the value is first needed, not when it \
            is made",
        weight: Weight::Should,
        proof: Proof::Alone(|stand| bad(stand, "integer", &["abc", "1.5.2"])),
    },
    Check {
        id: "large-integer",
        says: "an integer that no machine can hold is refused: 2 or 6, and a reason that names \
            the parameter",
        clause: INVALID,
        fix: "check the range of every integer, in validate-all and in start",
        costs: "no one writes such a number on purpose",
        weight: Weight::May,
        proof: Proof::Alone(large_integer),
    },
    Check {
        id: "bad-boolean",
        says: "what is no truth value is refused for one: 2 or 6, and a reason that names the \
            parameter",
        clause: INVALID,
        fix: "accept true on yes y 1 and false off no n 0 in any case, and nothing else",
        costs: "a mistake in the configuration counts as false",
        weight: Weight::Should,
        proof: Proof::Alone(|stand| bad(stand, "boolean", &["maybe", "2"])),
    },
    Check {
        id: "bad-select",
        says: "what is none of the options is refused: 2 or 6, and a reason that names the \
            parameter",
        clause: INVALID,
        fix: "compare with the options of the meta-data",
        costs: "a mistake in the configuration shows when the value is first needed, not when it \
            is made",
        weight: Weight::Should,
        proof: Proof::Alone(|stand| bad(stand, "select", &["ocf-tester-no-option"])),
    },
    Check {
        id: "odd-values",
        says: "an empty value, and a negative number, are taken or refused, but are no other \
            failure",
        clause: INVALID,
        fix: "read empty as unset; check the range of numbers",
        costs: "a value that is empty or negative fails in a way that does not name it",
        weight: Weight::Should,
        proof: Proof::Aside(odd_values),
    },
    Check {
        id: "probe-without-parameters",
        says: "a probe without the required parameters does not claim that anything runs or has \
            failed",
        clause: "a probe that fails makes Pacemaker stop a resource that is not there \
            (lib/pengine/unpack.c)",
        fix: "give 7, or the code for a bad parameter",
        costs: "a resource that was configured with a mistake counts as failed on every node",
        weight: Weight::Should,
        proof: Proof::Alone(probe_without_parameters),
    },
    Check {
        id: "stop-without-parameters",
        says: "stop of a stopped resource succeeds without parameters",
        clause: "after the executor's history is lost, stop runs with other parameters than \
            start; when it fails, the node is fenced",
        fix: "let stop exit with 0 when nothing can be running, whatever the parameters are",
        costs: "the node is fenced because of a parameter, although nothing was running",
        weight: Weight::Must,
        proof: Proof::Alone(stop_without_parameters),
    },
    Check {
        id: "stop-bad-values",
        says: "stop of a stopped resource succeeds whatever values its parameters have",
        clause: "a failed stop fences the node; stop must work when the configuration is broken \
            (OCF 1.1, stop)",
        fix: "let stop use what it needs, and not judge the rest",
        costs: "the node is fenced because of a parameter that was changed, although nothing was \
            running",
        weight: Weight::Must,
        proof: Proof::Alone(stop_bad_values),
    },
];

type Parameters = BTreeMap<OsString, OsString>;

/// The configured parameters with one changed, or taken away.
fn with(stand: &Stand<'_>, name: &str, value: Option<&str>) -> Parameters {
    let mut all = stand.setup.resource.parameters.clone();
    match value {
        Some(value) => all.insert(name.into(), value.into()),
        None => all.remove(&OsString::from(name)),
    };
    all
}

/// Whether a reason speaks of a parameter: by its name, or by the value that it was given.
fn names(done: &Done, name: &str, value: Option<&str>) -> bool {
    let said = format!("{}{}", done.stderr(), done.stdout()).to_lowercase();
    said.contains(&name.to_lowercase())
        || value.is_some_and(|value| said.contains(&value.to_lowercase()))
}

/// What is wrong with the treatment of one bad value. Never a start: if one succeeds, it is undone.
fn refused(stand: &Stand<'_>, name: &str, value: Option<&str>) -> Result<Option<String>, Finding> {
    let how = value.map_or_else(|| format!("without {name}"), |value| format!("{name}={value:?}"));
    let parameters = with(stand, name, value);
    let call = |ask| stand.call(ask).how(how.as_str()).parameters(parameters.clone());
    if stand.metadata.advertises("validate-all") {
        let done = known(call(VALIDATE).run()?)?;
        if !done.is(REFUSED) && !done.is(&[3]) {
            return Ok(Some(done.summary()));
        }
        if done.is(REFUSED) && !names(&done, name, value) {
            return Ok(Some(format!("{}, which does not name the parameter", done.summary())));
        }
    }
    stand.given(State::Stopped)?;
    let done = known(call(START).run()?)?;
    if done.is(OK) {
        call(STOP).run()?;
        return Ok(Some(format!("{}: it has started", done.summary())));
    }
    Ok((!done.is(REFUSED)).then(|| format!("{}; expected 2 or 6", done.summary())))
}

fn missing_required(stand: &Stand<'_>) -> Judged {
    let required: Vec<&Parameter> = required(stand).collect();
    if required.is_empty() {
        return Err(Finding::unknown("no parameter is required"));
    }
    let found = required.iter().map(|parameter| refused(stand, &parameter.name, None));
    super::document::faults(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Parameters that must be given; those with a default are none, whatever they say.
fn required<'a>(stand: &'a Stand<'_>) -> impl Iterator<Item = &'a Parameter> {
    let without_default =
        |parameter: &&Parameter| parameter.default.as_deref().is_none_or(str::is_empty);
    stand
        .metadata
        .parameters
        .iter()
        .filter(|parameter| parameter.is_required())
        .filter(without_default)
}

fn bad(stand: &Stand<'_>, kind: &str, values: &[&str]) -> Judged {
    let of_kind: Vec<&Parameter> = typed(stand, &[kind]).collect();
    if of_kind.is_empty() {
        return Err(Finding::unknown(format!("no parameter has the type {kind}")));
    }
    stand.rehearse()?;
    let mut found = Vec::new();
    for parameter in of_kind {
        for value in values {
            if let Some(fault) = refused(stand, &parameter.name, Some(value))? {
                found.push(fault);
                break;
            }
        }
    }
    super::document::faults(found)
}

/// Where what is no integer at all is taken, that is the finding.
fn large_integer(stand: &Stand<'_>) -> Judged {
    match bad(stand, "integer", &["abc"]) {
        Err(Finding::Violation(_)) => {
            Err(Finding::unknown("any text is taken for an integer (see the check bad-integer)"))
        }
        Err(unknown) => Err(unknown),
        Ok(()) => bad(stand, "integer", &["999999999999999999999999999999999999999999"]),
    }
}

fn typed<'a>(stand: &'a Stand<'_>, kinds: &[&str]) -> impl Iterator<Item = &'a Parameter> {
    stand.metadata.parameters.iter().filter(move |parameter| {
        // A deprecated one may do nothing at all.
        !parameter.deprecated && parameter.kind.as_deref().is_some_and(|kind| kinds.contains(&kind))
    })
}

fn odd_values(stand: &Stand<'_>) -> Judged {
    if !stand.metadata.advertises("validate-all") {
        return Err(Finding::unknown("validate-all is not advertised"));
    }
    if !known(stand.ask(VALIDATE)?)?.is(OK) {
        return Err(Finding::unknown(
            "validate-all does not accept the given parameters (see the check validate-all)",
        ));
    }
    let all = typed(stand, &["integer", "boolean", "select"]).map(|parameter| (parameter, ""));
    let negative = typed(stand, &["integer"]).map(|parameter| (parameter, "-1"));
    let mut found = Vec::new();
    for (Parameter { name, .. }, value) in all.chain(negative) {
        let call = stand.call(VALIDATE).how(format!("{name}={value:?}")).parameters(with(
            stand,
            name,
            Some(value),
        ));
        let done = known(call.run()?)?;
        // 5: without the usual value, something that is not installed may be meant.
        if !done.is(&[0, 2, 6, 5]) {
            found.push(format!("{}; expected 0, 2 or 6", done.summary()));
        }
    }
    super::document::faults(found)
}

/// Without any parameter, when at least one is required: otherwise that is a configuration like
/// others.
fn needs_parameters(stand: &Stand<'_>) -> Judged {
    match required(stand).next() {
        Some(_) => Ok(()),
        None => Err(Finding::unknown("no parameter is required")),
    }
}

fn probe_without_parameters(stand: &Stand<'_>) -> Judged {
    needs_parameters(stand)?;
    stand.given(State::Stopped)?;
    let done =
        known(stand.call(PROBE).how("without parameters").parameters(Parameters::new()).run()?)?;
    if done.is(RUNNING) || done.is(PROMOTED) {
        return Err(Finding::broken(format!("{}, and nothing can be running", done.summary())));
    }
    if done.is(&[7, 5, 2, 6]) {
        Ok(())
    } else {
        Err(Finding::broken(format!("{}; expected 7, or 2, 5 or 6", done.summary())))
    }
}

fn stop_without_parameters(stand: &Stand<'_>) -> Judged {
    needs_parameters(stand)?;
    stand.given(State::Stopped)?;
    let call = stand.call(STOP).how("without parameters").parameters(Parameters::new());
    call.expect(OK).map(drop)
}

fn stop_bad_values(stand: &Stand<'_>) -> Judged {
    stand.given(State::Stopped)?;
    stand.presume(STOP, OK)?;
    let mut tried = false;
    for Parameter { name, .. } in typed(stand, &["integer", "boolean", "select"]) {
        tried = true;
        // A probe between two stops: what a second one does is another check's matter.
        stand.given(State::Stopped)?;
        let value = "ocf-tester-nonsense";
        let call = stand.call(STOP).how(format!("{name}={value:?}")).parameters(with(
            stand,
            name,
            Some(value),
        ));
        call.expect(OK)?;
    }
    if tried {
        Ok(())
    } else {
        Err(Finding::unknown("no parameter has a type that a value could violate"))
    }
}
