//! The machine and the user: directories that cannot be written, and users who may not do what root
//! may.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use super::context::{Change, under_each};
use crate::ask::{Ask, PROBE, START, STOP};
use crate::call::Done;
use crate::check::{Check, OK, Proof, RUNNING, STOPPED, State, Weight};
use crate::place::{Place, Plan};
use crate::stand::{Stand, known};
use crate::surroundings::{existing, nobody, reachable, root, view};
use crate::verdict::{Finding, Judged};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "read-only-tmp",
        says: "/tmp and /var/tmp need not be writable",
        clause: "FHS 3.0: /tmp is for programs that need it; hardened hosts protect it, and \
            others may prepare traps in it",
        fix: "keep temporary files below /run",
        costs: "the service fails on hardened hosts, and where /tmp is full",
        weight: Weight::Should,
        proof: Proof::Alone(read_only_tmp),
    },
    Check {
        id: "not-root",
        says: "an ordinary user who may not manage the resource gets 4",
        clause: "OCF 1.1, Exit Status Codes: 4, the user lacked some necessary authorization",
        fix: "turn every lack of rights into 4, with a reason",
        costs: "a cluster runs agents as root; people who are not see another code",
        weight: Weight::May,
        proof: Proof::Alone(not_root),
    },
    Check {
        id: "not-root-truth",
        says: "an ordinary user does not get 0 or 7 where nothing was done, or the resource runs",
        clause: "OCF 1.1, Exit Status Codes: 7, completely stopped; if there is doubt, some other \
            status should be returned",
        fix: "never read a lack of rights as not running, and never ignore it",
        costs: "a running service is reported as stopped; on a file system that turned read-only, \
            to the cluster",
        weight: Weight::Must,
        proof: Proof::Alone(not_root_truth),
    },
];

fn read_only_tmp(stand: &Stand<'_>) -> Judged {
    root()?;
    let directories = ["/tmp", "/var/tmp"];
    let named = |directory: &&str| {
        stand
            .setup
            .resource
            .parameters
            .values()
            .any(|value| Path::new(value).starts_with(directory))
    };
    if let Some(directory) = directories.iter().find(|directory| named(directory)) {
        return Err(Finding::unknown(format!("a parameter names a path in {directory}")));
    }
    // What the test itself has there must stay as it is.
    let kept: Vec<PathBuf> = crate::surroundings::kept(stand);
    let protected = view(Plan { read_only: existing(&directories), kept, ..Plan::default() })?;
    let change = move |place: &mut Place| place.view = Some(protected.clone());
    let shell = "unshare -m sh -c 'mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp && \
        exec \"$@\"' sh";
    under_each(stand, vec![Change::place("/tmp read-only", change).words(shell)])
}

/// A call as nobody.
fn as_nobody(stand: &Stand<'_>, ask: Ask) -> Result<Done, Finding> {
    let user = nobody()?;
    reachable(&stand.setup.agent)?;
    known(stand.call(ask).how("as nobody").place(|place| place.user = Some(user)).run()?)
}

fn not_root(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    let start = as_nobody(stand, START)?;
    if start.is(OK) || start.is(&[4]) {
        Ok(())
    } else {
        Err(Finding::broken(format!("{}; expected 4", start.summary())))
    }
}

fn not_root_truth(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    let start = as_nobody(stand, START)?;
    let seen = known(stand.ask(PROBE)?)?;
    if start.is(OK) && !seen.is(RUNNING) {
        return Err(Finding::broken(format!(
            "start as nobody gave 0, but then {}",
            seen.summary()
        )));
    }
    stand.given(State::Running)?;
    let probe = as_nobody(stand, PROBE)?;
    if probe.is(STOPPED) {
        return Err(Finding::broken(format!("{}, while the resource runs", probe.summary())));
    }
    let stop = as_nobody(stand, STOP)?;
    let after = known(stand.ask(PROBE)?)?;
    if stop.is(OK) && !after.is(STOPPED) {
        return Err(Finding::broken(format!(
            "stop as nobody gave 0, but then {}",
            after.summary()
        )));
    }
    Ok(())
}
