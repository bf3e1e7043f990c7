//! A whole life in unusual surroundings: another directory, mask, PATH, locale, user.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::ask::{Ask, MONITOR, PROBE, START, STOP};
use crate::call::Done;
use crate::check::{Check, OK, Proof, RUNNING, STOPPED, State, Weight};
use crate::environment::PATH;
use crate::place::Plan;
use crate::stand::{Call, Stand, known};
use crate::surroundings::{existing, nobody, reachable, root, view};
use crate::verdict::{Judged, Trouble};

/// A life: each action with the codes that are right, from stopped to stopped.
const LIFE: &[(Ask, &[u8])] = &[(START, OK), (MONITOR, RUNNING), (STOP, OK), (PROBE, STOPPED)];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "working-directory",
        says: "the working directory does not matter",
        clause: "Pacemaker Administration, Resource Agents: agents must not rely on the directory that they run in",
        fix: "use absolute paths",
        weight: Weight::Must,
        proof: Proof::Alone(working_directory),
    },
    Check {
        id: "umask",
        says: "the file mode creation mask does not matter",
        clause: "Pacemaker Administration, Resource Agents: agents must not rely on what they inherit",
        fix: "set the umask, or the modes of files, where they matter",
        weight: Weight::Must,
        proof: Proof::Alone(|stand| [0o077, 0].into_iter().try_for_each(|mask| masked(stand, mask))),
    },
    Check {
        id: "locale",
        says: "the locale does not matter",
        clause: "POSIX.1, Locale: what tools print, and how they sort, depends on it; the cluster's may be any",
        fix: "set LC_ALL=C before reading what a program prints",
        weight: Weight::Must,
        proof: Proof::Alone(|stand| {
            ["tr_TR.UTF-8", "de_DE.UTF-8", "xx_XX.nonsense"].into_iter().try_for_each(|name| located(stand, name))
        }),
    },
    Check {
        id: "reduced-path",
        says: "a PATH without the directories of root is enough",
        clause: "systemd and init scripts start clusters with different PATHs",
        fix: "add /usr/sbin and /sbin to PATH in the agent, or call by absolute path",
        weight: Weight::Should,
        proof: Proof::Alone(reduced_path),
    },
    Check {
        id: "read-only-tmp",
        says: "/tmp and /var/tmp need not be writable",
        clause: "FHS 3.0: /tmp is for programs that need it; hardened hosts protect it, and others may prepare traps in it",
        fix: "keep temporary files below /run",
        weight: Weight::Should,
        proof: Proof::Alone(read_only_tmp),
    },
    Check {
        id: "not-root",
        says: "an ordinary user who may not manage the resource gets 4",
        clause: "OCF 1.1, Exit Status Codes: 4, the user lacked some necessary authorization",
        fix: "turn every lack of rights into 4, with a reason",
        weight: Weight::Should,
        proof: Proof::Alone(not_root),
    },
    Check {
        id: "not-root-truth",
        says: "an ordinary user is not told that something was done, or is stopped, when it is not so",
        clause: "OCF 1.1, Exit Status Codes: 7, completely stopped; if there is doubt, some other status should be returned",
        fix: "never read a lack of rights as not running, and never ignore it",
        weight: Weight::Must,
        proof: Proof::Alone(not_root_truth),
    },
];

/// A life in which every call is changed in the same way. Only what differs from an ordinary life counts.
fn live<'a>(stand: &'a Stand<'_>, how: &str, change: impl Fn(Call<'a>) -> Call<'a>) -> Judged {
    stand.rehearse()?;
    for (ask, codes) in LIFE {
        change(stand.call(ask.clone()).how(how)).expect(codes)?;
    }
    Ok(())
}

fn reduced_path(stand: &Stand<'_>) -> Judged {
    // The stubs of a cluster's tools come first in any PATH.
    let ours = stand.setup.extra.get(OsStr::new("PATH")).and_then(|path| path.to_str());
    let stubs = ours.and_then(|path| path.strip_suffix(PATH)).unwrap_or_default();
    live(stand, "PATH=/usr/bin:/bin", |call| call.env("PATH", format!("{stubs}/usr/bin:/bin")))
}

fn working_directory(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    let elsewhere = tempfile::Builder::new().prefix("ocf-tester-cwd-").tempdir()?;
    let directories = [stand.setup.directory.clone(), "/".into(), elsewhere.path().to_path_buf(), "/".into()];
    for ((ask, codes), directory) in LIFE.iter().zip(directories) {
        let how = format!("in {}", directory.display());
        stand.call(ask.clone()).how(how).place(|place| place.directory = Some(directory)).expect(codes)?;
    }
    Ok(())
}

fn masked(stand: &Stand<'_>, mask: u32) -> Judged {
    live(stand, &format!("umask {mask:03o}"), |call| call.umask(mask))
}

fn located(stand: &Stand<'_>, name: &str) -> Judged {
    live(stand, &format!("LC_ALL={name}"), |call| call.env("LC_ALL", name).env("LANG", name))
}

fn read_only_tmp(stand: &Stand<'_>) -> Judged {
    root()?;
    let directories = ["/tmp", "/var/tmp"];
    let named = |directory: &&str| {
        stand.setup.resource.parameters.values().any(|value| Path::new(value).starts_with(directory))
    };
    if let Some(directory) = directories.iter().find(|directory| named(directory)) {
        return Err(Trouble::unknown(format!("a parameter names a path in {directory}")));
    }
    // What the test itself has there must stay as it is.
    let kept: Vec<PathBuf> = crate::surroundings::kept(stand);
    let protected = view(Plan { read_only: existing(&directories), kept, ..Plan::default() })?;
    live(stand, "/tmp read-only", |call| call.place(|place| place.view = Some(protected.clone())))
}

/// A call as nobody.
fn as_nobody(stand: &Stand<'_>, ask: Ask) -> Result<Done, Trouble> {
    let user = nobody()?;
    reachable(&stand.setup.agent)?;
    known(stand.call(ask).how("as nobody").place(|place| place.user = Some(user)).run()?)
}

fn not_root(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    let start = as_nobody(stand, START)?;
    if start.is(OK) || start.is(&[4]) { Ok(()) } else { Err(Trouble::broken(format!("{}; expected 4", start.told()))) }
}

fn not_root_truth(stand: &Stand<'_>) -> Judged {
    stand.rehearse()?;
    let start = as_nobody(stand, START)?;
    let seen = known(stand.ask(PROBE)?)?;
    if start.is(OK) && !seen.is(RUNNING) {
        return Err(Trouble::broken(format!("start as nobody gave 0, but then {}", seen.told())));
    }
    stand.given(State::Running)?;
    let probe = as_nobody(stand, PROBE)?;
    if probe.is(STOPPED) {
        return Err(Trouble::broken(format!("{}, while the resource runs", probe.told())));
    }
    let stop = as_nobody(stand, STOP)?;
    let after = known(stand.ask(PROBE)?)?;
    if stop.is(OK) && !after.is(STOPPED) {
        return Err(Trouble::broken(format!("stop as nobody gave 0, but then {}", after.told())));
    }
    Ok(())
}
