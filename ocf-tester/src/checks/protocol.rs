//! The form of a call: words, levels, interpreters. The resource is left alone.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ocf::sys::file;

use super::describe::same;
use crate::ask::{Ask, META_DATA, PROBE, UNKNOWN_ACTION, VALIDATE};
use crate::call::named;
use crate::check::{Check, OK, Proof, STOPPED, Weight};
use crate::explain::FIRST;
use crate::place::Plan;
use crate::stand::{Stand, known};
use crate::surroundings::{WRITABLE, existing, kept, root, view};
use crate::verdict::{Finding, Judged};

/// One fault is one finding.
const AS_UNKNOWN: &str = "as for every unknown action (see the check unknown-action)";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "unknown-action",
        says: "an action that the agent does not know gives 3",
        clause: "OCF 1.1, Exit Status Codes: 3, the agent does not support the requested action",
        fix: "end the choice of actions with one for all others that exits with 3",
        costs: "an action that was never done counts as done, or a missing one as a failure of \
            the service",
        weight: Weight::Must,
        proof: Proof::Aside(|stand| stand.expect(Ask::words(&[UNKNOWN_ACTION]), &[3]).map(drop)),
    },
    Check {
        id: "no-action",
        says: "a call without an action gives 3",
        clause: "OCF 1.1, Resource Agent Actions: improper usage must give a well-defined status",
        fix: "print the usage and exit with 3",
        costs: "a cluster always names an action",
        weight: Weight::May,
        proof: Proof::Aside(no_action),
    },
    Check {
        id: "extra-arguments",
        says: "further arguments are ignored",
        clause: "OCF 1.1, Execution Syntax: the agent shall ignore all other arguments",
        fix: "look at the first argument only",
        costs: "a cluster gives one argument and no more",
        weight: Weight::May,
        proof: Proof::Aside(extra_arguments),
    },
    Check {
        id: "validate-all",
        says: "validate-all accepts the given parameters",
        clause: "OCF 1.1, Optional Actions, validate-all: validates the instance parameters \
            provided",
        fix: "give with -o what the agent needs, or mend its validation",
        costs: "tools refuse a configuration that is right, or the agent refuses to start with it",
        weight: Weight::Must,
        proof: Proof::Aside(|stand| validate(stand, VALIDATE)),
    },
    Check {
        id: "validate-level-10",
        says: "validate-all at check level 10 accepts them on this host",
        clause: "OCF 1.1, Check Levels: level 10 may verify the suitability of the local \
            environment",
        fix: "install and configure here what the agent manages, or mend its validation",
        costs: "tools refuse a configuration that works on this host",
        weight: Weight::Must,
        proof: Proof::Aside(|stand| {
            stand.presume(VALIDATE, OK).and_then(|_| validate(stand, VALIDATE.at("10")))
        }),
    },
    Check {
        id: "validate-level-0",
        says: "validate-all at check level 0 judges the parameters without looking at the host",
        clause: "OCF 1.1, Check Levels: level 0 should not verify the local environment in any \
            fashion",
        fix: "look at files, programs, addresses and the network at level 10 and above only",
        costs: "a configuration is refused where it is written, although it is right where it is \
            to run",
        weight: Weight::Should,
        proof: Proof::Aside(validate_nowhere),
    },
    Check {
        id: "interpreters",
        says: "an agent for /bin/sh does the same under every sh on this system",
        clause: "POSIX.1, Shell Command Language: what /bin/sh is differs between distributions",
        fix: "avoid what only one shell knows, or name that shell in the first line",
        costs: "on a distribution with another sh the agent behaves differently, or fails",
        weight: Weight::Should,
        proof: Proof::Aside(interpreters),
    },
    Check {
        id: "unadvertised-actions",
        says: "every action that the agent performs is advertised",
        clause: "OCF 1.1, Resource Agent Actions: actions are advertised in the meta-data; \
            Pacemaker calls no others",
        fix: "advertise the action, or answer it with 3",
        costs: "tools do not offer what the agent could do",
        weight: Weight::Should,
        proof: Proof::Alone(unadvertised),
    },
];

/// What an agent answers to everything that it does not know; `None` when that is 3, as it should
/// be.
fn for_all_unknown(stand: &Stand<'_>) -> Result<Option<u8>, Finding> {
    let done = known(stand.ask(Ask::words(&[UNKNOWN_ACTION]))?)?;
    Ok((!done.is(&[3])).then(|| done.code()))
}

fn no_action(stand: &Stand<'_>) -> Judged {
    let done = known(stand.ask(Ask::words(&[]))?)?;
    if done.is(&[3]) {
        return Ok(());
    }
    if for_all_unknown(stand)? == Some(done.code()) {
        return Err(Finding::unknown(format!("{}: {AS_UNKNOWN}", done.summary())));
    }
    Err(Finding::broken(format!("{}; expected {}", done.summary(), named(3))))
}

fn extra_arguments(stand: &Stand<'_>) -> Judged {
    let plain = known(stand.described.as_ref().clone())?;
    if !plain.is(OK) {
        return Err(Finding::unknown(
            "meta-data does not succeed without them (see the check meta-data)",
        ));
    }
    same(
        stand,
        stand.call(Ask::words(&["meta-data", "stop", "--nonsense"])).how("with further arguments"),
    )?;
    let (probe, more) =
        (known(stand.ask(PROBE)?)?, known(stand.ask(Ask::words(&["monitor", "--nonsense"]))?)?);
    if probe.code() != more.code() {
        return Err(Finding::broken(format!("{}, {}", probe.summary(), more.summary())));
    }
    Ok(())
}

/// Skips what is not advertised: it is optional.
fn validates(stand: &Stand<'_>) -> Judged {
    if stand.metadata.advertises("validate-all") {
        Ok(())
    } else {
        Err(Finding::unknown("validate-all is not advertised"))
    }
}

fn validate(stand: &Stand<'_>, ask: Ask) -> Judged {
    validates(stand)?;
    let done = known(stand.ask(ask.clone())?)?;
    if done.is(&[3]) {
        return Err(Finding::unknown(
            "validate-all is not implemented (see the check advertised-actions)",
        ));
    }
    if done.is(OK) {
        return Ok(());
    }
    // A common mistake with an explanation of its own.
    let helped =
        stand.call(ask).how("with __OCF_ACTION").env("__OCF_ACTION", "validate-all").run()?;
    let hint =
        if helped.is(OK) { "; it relies on __OCF_ACTION, which Pacemaker never sets" } else { "" };
    Err(Finding::broken(format!("{}{hint}; expected 0", done.summary())))
}

fn validate_nowhere(stand: &Stand<'_>) -> Judged {
    validates(stand)?;
    if !stand.metadata.is_1_1() {
        return Err(Finding::unknown(
            "check levels of validate-all came with OCF 1.1, which the agent does not claim to \
             keep",
        ));
    }
    root()?;
    let here = known(stand.ask(VALIDATE.at("0"))?)?;
    if !here.is(OK) {
        return Err(Finding::unknown(format!("{} on this host already", here.summary())));
    }
    // What programs need to run at all.
    let basics = [
        "/etc/alternatives",
        "/etc/ld.so.cache",
        "/etc/passwd",
        "/etc/group",
        "/etc/nsswitch.conf",
    ];
    let kept = kept(stand).into_iter().chain(basics.iter().map(PathBuf::from)).collect();
    let nowhere = view(Plan { empty: existing(WRITABLE), kept, offline: true, ..Plan::default() })?;
    let call = stand
        .call(VALIDATE.at("0"))
        .how("on an empty host")
        .place(|place| place.view = Some(nowhere));
    call.expect(OK).map(drop)
}

fn interpreters(stand: &Stand<'_>) -> Judged {
    let start = file::read_start(&stand.setup.agent, FIRST)?;
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words = String::from_utf8_lossy(first).into_owned();
    if !matches!(words.trim_end(), "#!/bin/sh" | "#! /bin/sh") {
        return Err(Finding::unknown("its first line does not name /bin/sh"));
    }
    let default = Path::new("/bin/sh").canonicalize()?;
    let shells = SHELLS
        .iter()
        .filter(|words| Path::new(words[0]).canonicalize().is_ok_and(|shell| shell != default));
    let mut tried = false;
    for shell in shells {
        tried = true;
        let words: Vec<OsString> = shell.iter().map(OsString::from).collect();
        for ask in [META_DATA, PROBE, VALIDATE] {
            let plain = known(stand.ask(ask.clone())?)?;
            let other = known(
                stand.call(ask).how(format!("under {}", shell.join(" "))).under(&words).run()?,
            )?;
            // A shell's complaint counts even when the agent goes on.
            let complains = plain.ended.stderr.is_empty() && !other.ended.stderr.is_empty();
            if plain.code() != other.code() || complains {
                let usual = named(plain.code().into());
                return Err(Finding::broken(format!(
                    "{}; under {} it gives {usual}",
                    other.summary(),
                    default.display()
                )));
            }
        }
    }
    if tried {
        Ok(())
    } else {
        Err(Finding::unknown(format!("there is no other shell here than {}", default.display())))
    }
}

/// Shells that are /bin/sh somewhere, as they are started there.
const SHELLS: &[&[&str]] = &[
    &["/bin/dash"],
    &["/bin/bash", "--posix"],
    &["/bin/busybox", "sh"],
    &["/bin/ksh93"],
    &["/bin/mksh"],
    &["/bin/yash", "--posixly-correct"],
];

fn unadvertised(stand: &Stand<'_>) -> Judged {
    const OPTIONAL: &[Ask] = &[
        VALIDATE,
        Ask::words(&["notify"]),
        Ask::words(&["promote"]),
        Ask::words(&["demote"]),
        Ask::words(&["migrate_to"]),
        Ask::words(&["migrate_from"]),
        Ask::words(&["reload"]),
        Ask::words(&["reload-agent"]),
    ];
    if stand.metadata.text.is_empty() {
        return Err(Finding::unknown("the description cannot be read (see the check well-formed)"));
    }
    // A hang at an unknown action is a finding by itself.
    let usual = for_all_unknown(stand)?;
    let before = known(stand.ask(PROBE)?)?;
    let (mut found, mut unknown) = (Vec::new(), None);
    for ask in OPTIONAL.iter().filter(|ask| !stand.metadata.advertises(ask.action())) {
        let done = known(stand.ask(ask.clone())?)?;
        match done.code() {
            3 => {}
            code if usual == Some(code) => unknown = Some(done.summary()),
            _ => found.push(done.summary()),
        }
    }
    if before.is(STOPPED) {
        stand.given(crate::check::State::Stopped)?;
    }
    match (found.is_empty(), unknown) {
        (false, _) => Err(Finding::broken(format!("not advertised, yet {}", found.join("; ")))),
        (true, Some(text)) => Err(Finding::unknown(format!("{text}: {AS_UNKNOWN}"))),
        (true, None) => Ok(()),
    }
}
