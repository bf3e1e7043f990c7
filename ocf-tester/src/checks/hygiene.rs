//! What an agent leaves behind.
#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ask::{Ask, MONITOR, START, STOP};
use crate::check::{Check, OK, Proof, RUNNING, State, Weight};
use crate::place::{Plan, View};
use crate::process::name_of;
use crate::stand::{Stand, known};
use crate::surroundings::{existing, kept, root, view};
use crate::verdict::{Finding, Judged};

/// Where nothing of a stopped resource belongs. State belongs below /run and /var (FHS 3.0).
const CLEAN: &[&str] = &["/etc", "/tmp", "/var/tmp", "/dev/shm", "/root", "/home", "/opt", "/srv"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "process-left",
        says: "no process is left after stop",
        clause: "OCF 1.1, stop: after it has completed, no component of the resource shall remain \
            active",
        fix: "end everything that start and monitor have started, and wait for it",
        costs: "what is left works on the data or the address while the service starts elsewhere",
        weight: Weight::Must,
        proof: Proof::Alone(process_left),
    },
    Check {
        id: "file-left",
        says: "after stop no new file is left outside /run, /var and the places that parameters \
            name",
        clause: "OCF 1.1, stop: should clean up any artifacts such as lock files",
        fix: "keep state below /run or /var, and remove temporary files",
        costs: "files pile up, and the next start may find a stale one",
        weight: Weight::Should,
        proof: Proof::Alone(file_left),
    },
];

fn process_left(stand: &Stand<'_>) -> Judged {
    stand.given(State::Running)?;
    known(stand.ask(MONITOR)?)?;
    let stop = known(stand.ask(STOP)?)?;
    if !stop.is(OK) {
        return Err(Finding::unknown(format!("{} (see the check stop)", stop.summary())));
    }
    let left: Vec<_> = stand.left_over()?.iter().map(name_of).collect();
    if left.is_empty() {
        return Ok(());
    }
    stand.note_leak();
    Err(Finding::broken(format!("still there: {}", left.join(", "))))
}

fn file_left(stand: &Stand<'_>) -> Judged {
    root()?;
    stand.given(State::Stopped)?;
    let before = top(stand)?;
    let plan = Plan {
        overlaid: existing(CLEAN),
        kept: kept(stand),
        since: Some(stand.since()),
        ..Plan::default()
    };
    let overlaid = view(plan)?;
    let within = |ask: Ask| {
        let overlaid: Arc<View> = overlaid.clone();
        stand.call(ask).how("looking for files").place(|place| place.view = Some(overlaid))
    };
    for (ask, codes) in [(START, OK), (MONITOR, RUNNING), (STOP, OK)] {
        let done = known(within(ask).run()?)?;
        if !done.is(codes) {
            within(STOP).run()?;
            return Err(Finding::unknown(format!(
                "{} where its files can be watched",
                done.summary()
            )));
        }
    }
    let mut left = overlaid.left()?;
    // The directory where it runs was empty: what an earlier life has left there, this one may only
    // have found.
    let ours = |path: &PathBuf| path.starts_with(&stand.setup.directory) || !before.contains(path);
    left.extend(top(stand)?.into_iter().filter(ours));
    left.retain(|path| !declared(stand, path));
    match left.as_slice() {
        [] => Ok(()),
        [one] => Err(Finding::broken(format!("left behind: {}", one.display()))),
        [one, rest @ ..] => {
            Err(Finding::broken(format!("left behind: {} and {} more", one.display(), rest.len())))
        }
    }
}

/// What is in the root directory and in the one where the agent runs.
fn top(stand: &Stand<'_>) -> Result<Vec<PathBuf>, Finding> {
    let mut found = Vec::new();
    for directory in [Path::new("/"), &stand.setup.directory] {
        for entry in std::fs::read_dir(directory)? {
            found.push(entry?.path());
        }
    }
    Ok(found)
}

/// Whether a parameter names the file: the path itself, one below it, or the beginning of its name.
fn declared(stand: &Stand<'_>, path: &Path) -> bool {
    let mut values = stand.setup.resource.parameters.values().map(|value| value.as_bytes());
    values.any(|value| value.starts_with(b"/") && path.as_os_str().as_bytes().starts_with(value))
}
