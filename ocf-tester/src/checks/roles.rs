//! Actions that not every agent has: roles, notifications, reloads, moves.
#![forbid(unsafe_code)]

use ocf::sys::process::Process;

use crate::ask::{Ask, DEMOTE, PROBE, PROMOTE, STOP};
use crate::call::Done;
use crate::check::{Check, OK, PROMOTED, Proof, RUNNING, STOPPED, State, Step, Weight};
use crate::process::orphans;
use crate::stand::{Stand, known};
use crate::verdict::{Finding, Judged};

const ROLES: Step = Step::Advertised("promote");

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "advertised-actions",
        says: "every advertised action is implemented",
        clause: "OCF 1.1, Resource Agent Actions: what is advertised is performed",
        fix: "implement the action, or do not advertise it",
        costs: "Pacemaker calls what is advertised: the answer 3 is a failure of the service",
        weight: Weight::Must,
        proof: Proof::Alone(advertised),
    },
    Check {
        id: "promote",
        says: "promote of a running resource succeeds, and a probe sees it promoted",
        clause: "OCF 1.1, Optional Actions: promote must put an active resource in the promoted \
            role",
        fix: "exit with 0 when it is promoted; let monitor give 8 then",
        costs: "no instance is promoted: the service is down",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            ROLES,
            Step::Given(State::Running),
            Step::Call(PROMOTE, OK),
            Step::Call(PROBE, PROMOTED),
        ]),
    },
    Check {
        id: "promote-promoted",
        says: "promote of a promoted resource succeeds",
        clause: "OCF 1.1, Resource Agent Actions: actions must be idempotent",
        fix: "look first: exit with 0 when it is promoted",
        costs: "a promote that is repeated after a lost result takes down the promoted instance",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            ROLES,
            Step::Given(State::Promoted),
            Step::Call(PROMOTE, OK),
            Step::Call(PROBE, PROMOTED),
        ]),
    },
    Check {
        id: "demote",
        says: "demote of a promoted resource succeeds, and it runs on unpromoted",
        clause: "OCF 1.1, Optional Actions: demote must put an active resource in the unpromoted \
            role",
        fix: "exit with 0 when it is not promoted any more; let monitor give 0 then",
        costs: "a resource that cannot be demoted is stopped, and what depends on it with it",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            ROLES,
            Step::Given(State::Promoted),
            Step::Call(DEMOTE, OK),
            Step::Call(PROBE, RUNNING),
        ]),
    },
    Check {
        id: "demote-unpromoted",
        says: "demote of an unpromoted resource succeeds",
        clause: "OCF 1.1, Resource Agent Actions: actions must be idempotent",
        fix: "look first: exit with 0 when it is not promoted",
        costs: "a demote that is repeated after a lost result takes the instance down",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            ROLES,
            Step::Given(State::Running),
            Step::Call(DEMOTE, OK),
            Step::Call(PROBE, RUNNING),
        ]),
    },
    Check {
        id: "stop-promoted",
        says: "stop of a promoted resource succeeds, and nothing runs afterwards",
        clause: "OCF 1.1, stop: after it has completed, no component of the resource shall remain \
            active",
        fix: "demote within stop",
        costs: "after a demote that has failed only stop is left: when it fails too, the node is \
            fenced",
        weight: Weight::Must,
        proof: Proof::Steps(&[
            ROLES,
            Step::Given(State::Promoted),
            Step::Call(STOP, OK),
            Step::Call(PROBE, STOPPED),
        ]),
    },
    Check {
        id: "notify",
        says: "notify always succeeds",
        clause: "Pacemaker Administration, Resource Agents: the result of notify is ignored; it \
            must not fail",
        fix: "exit with 0, whatever the notification is about",
        costs: "the log shows a failure at every change of any instance",
        weight: Weight::Should,
        proof: Proof::Alone(notify),
    },
    Check {
        id: "reload",
        says: "reload of a running resource succeeds, and it runs on",
        clause: "OCF 1.1, reload: changes take effect without disrupting the service",
        fix: "signal the service; never stop and start it",
        costs: "a change of a parameter takes the service down",
        weight: Weight::Must,
        proof: Proof::Alone(|stand| reloads(stand, Ask::words(&["reload"]))),
    },
    Check {
        id: "reload-agent",
        says: "reload-agent of a running resource succeeds, and it runs on",
        clause: "OCF 1.1, reload-agent: makes effective changes of parameters marked as reloadable",
        fix: "apply the new values to the running service; never stop and start it",
        costs: "a change of a parameter takes the service down; Pacemaker stops it on every node \
            if the reload fails",
        weight: Weight::Must,
        proof: Proof::Alone(|stand| reloads(stand, Ask::words(&["reload-agent"]))),
    },
    Check {
        id: "migrate",
        says: "migrate_to and migrate_from end by themselves, and stop is possible afterwards",
        clause: "Pacemaker Explained, Live Migration: after a failed migration the resource is \
            stopped on both nodes",
        fix: "give an error with a reason when the move is impossible, and leave what stop can \
            stop",
        costs: "a migration that fails leaves a resource that cannot be stopped: the node is \
            fenced",
        weight: Weight::Must,
        proof: Proof::Alone(migrate),
    },
];

/// Skips what is not advertised.
fn need(stand: &Stand<'_>, action: &str) -> Judged {
    if stand.metadata.advertises(action) {
        Ok(())
    } else {
        Err(Finding::unknown(format!("{action} is not advertised")))
    }
}

/// An action that is advertised but answers 3 is the finding of one check alone.
fn implemented(done: Done) -> Result<Done, Finding> {
    let done = known(done)?;
    if let Some(reason) = impossible(&done) {
        return Err(Finding::unknown(format!(
            "{} is not possible with these parameters: {reason}",
            done.what
        )));
    }
    if done.is(&[3]) {
        return Err(Finding::unknown(format!(
            "{} (see the check advertised-actions)",
            done.summary()
        )));
    }
    Ok(done)
}

/// Why an action that the agent has is not possible for this resource: 3 with a reason. What is not
/// implemented has none, and gives a usage text instead. A `reload-agent` that fails costs the
/// service, so that it is none of these.
fn impossible(done: &Done) -> Option<String> {
    let may_be = matches!(done.action.as_str(), "reload" | "migrate_to" | "migrate_from");
    done.reason().filter(|reason| may_be && done.is(&[3]) && !reason.is_empty())
}

fn advertised(stand: &Stand<'_>) -> Judged {
    // In an order in which each is possible; what these leave, the next check's start cleans.
    const ALL: &[Ask] = &[
        Ask::words(&["validate-all"]),
        PROBE,
        Ask::words(&["status"]),
        Ask::words(&["notify"]),
        Ask::words(&["reload"]),
        Ask::words(&["reload-agent"]),
        DEMOTE,
        PROMOTE,
        DEMOTE,
        Ask::words(&["migrate_to"]),
        Ask::words(&["migrate_from"]),
    ];
    stand.given(State::Running)?;
    let mut missing = Vec::new();
    for ask in ALL.iter().filter(|ask| stand.metadata.advertises(ask.action())) {
        let done = known(moving(stand, ask.clone()).run()?)?;
        if done.is(&[3]) && impossible(&done).is_none() {
            missing.push(done.what);
        }
    }
    missing.dedup();
    let list = missing.join(", ");
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Finding::broken(format!("advertised, but 3 (unimplemented): {list}")))
    }
}

/// A call that knows where from and where to, as a migration does.
fn moving<'a>(stand: &'a Stand<'_>, ask: Ask) -> crate::stand::Call<'a> {
    let node = &stand.setup.resource.node;
    let migration = ask.action().starts_with("migrate");
    let call = stand.call(ask);
    if !migration {
        return call;
    }
    call.env("OCF_RESKEY_CRM_meta_migrate_source", node)
        .env("OCF_RESKEY_CRM_meta_migrate_target", node)
}

fn notify(stand: &Stand<'_>) -> Judged {
    need(stand, "notify")?;
    stand.given(State::Running)?;
    for operation in ["start", "stop", "promote", "demote"] {
        for kind in ["pre", "post"] {
            let node = &stand.setup.resource.node;
            let call = stand.call(Ask::words(&["notify"])).how(format!("{kind} {operation}"));
            let call = call
                .env("OCF_RESKEY_CRM_meta_notify", "true")
                .env("OCF_RESKEY_CRM_meta_notify_type", kind)
                .env("OCF_RESKEY_CRM_meta_notify_operation", operation)
                .env("OCF_RESKEY_CRM_meta_notify_active_uname", node)
                .env("OCF_RESKEY_CRM_meta_notify_start_uname", node);
            let done = implemented(call.run()?)?;
            if !done.is(OK) {
                return Err(Finding::broken(format!("{}; expected 0", done.summary())));
            }
        }
    }
    Ok(())
}

fn reloads(stand: &Stand<'_>, ask: Ask) -> Judged {
    need(stand, ask.action())?;
    stand.given(State::Running)?;
    let before = main_process()?;
    let done = implemented(stand.ask(ask)?)?;
    if !done.is(OK) {
        return Err(Finding::broken(format!("{}; expected 0", done.summary())));
    }
    stand.expect(PROBE, RUNNING)?;
    // A restart leaves another process. If none is left, it was a helper that ended by itself.
    if let Some(process) = before
        && !process.lives()?
        && main_process()?.is_some()
    {
        return Err(Finding::broken(format!(
            "the service was restarted: process {} is gone",
            process.pid
        )));
    }
    Ok(())
}

/// The oldest process that the agent has left running: the service itself, whose workers may come
/// and go.
fn main_process() -> Result<Option<Process>, Finding> {
    let oldest = orphans()?.into_iter().min_by_key(|process| (process.start_time, process.pid));
    Ok(oldest)
}

fn migrate(stand: &Stand<'_>) -> Judged {
    need(stand, "migrate_to")?;
    need(stand, "migrate_from")?;
    stand.given(State::Running)?;
    for ask in [Ask::words(&["migrate_to"]), Ask::words(&["migrate_from"])] {
        implemented(moving(stand, ask).run()?)?;
    }
    stand.expect(STOP, OK)?;
    stand.expect(PROBE, STOPPED).map(drop)
}
