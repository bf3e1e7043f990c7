//! A whole life under one change of what the agent inherits: another directory, mask, PATH, locale,
//! input, priority.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::pty::openpty;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use ocf::sys::file;

use crate::ask::{Ask, MONITOR, PROBE, START, STOP};
use crate::call::Frame;
use crate::check::{Check, OK, Proof, RUNNING, STOPPED, Weight};
use crate::environment::PATH;
use crate::place::{Input, Place, Priority};
use crate::stand::{Call, Stand};
use crate::verdict::{Finding, Judged};

/// A life, from stopped to stopped: each action with the codes that are right, and whether it is
/// changed. What is not changed says whether the resource is in the same state for those who call
/// it as usual.
const LIFE: &[(Ask, &[u8], bool)] = &[
    (START, OK, true),
    (PROBE, RUNNING, false),
    (MONITOR, RUNNING, true),
    (STOP, OK, true),
    (PROBE, STOPPED, false),
];

const INHERITED: &str =
    "Pacemaker Administration, Resource Agents: agents must not rely on what they inherit";

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "working-directory",
        says: "the working directory does not matter",
        clause: "Pacemaker Administration, Resource Agents: agents must not rely on the directory \
            that they run in",
        fix: "use absolute paths",
        costs: "a cluster, crm_resource and people run the agent in different directories: they \
            see different states",
        weight: Weight::Must,
        proof: Proof::Alone(directories),
    },
    Check {
        id: "umask",
        says: "the file mode creation mask does not matter",
        clause: INHERITED,
        fix: "set the umask, or the modes of files, where they matter",
        costs: "the service fails, or its files are open to all, where the cluster was started \
            with another mask",
        weight: Weight::Must,
        proof: Proof::Alone(masks),
    },
    Check {
        id: "locale",
        says: "the locale does not matter",
        clause: "POSIX.1, Locale: what tools print, and how they sort, depends on it; the \
            cluster's may be any",
        fix: "set LC_ALL=C before reading what a program prints",
        costs: "on a node with another language the agent misreads the state of the service",
        weight: Weight::Must,
        proof: Proof::Alone(locales),
    },
    Check {
        id: "time-zone",
        says: "the time zone does not matter",
        clause: "POSIX.1, Other Environment Variables: what programs print of times depends on TZ",
        fix: "compare times in seconds since 1970, or set TZ=UTC",
        costs: "on a node in another time zone the agent takes a state for too old or too new",
        weight: Weight::Must,
        proof: Proof::Alone(time_zones),
    },
    Check {
        id: "home",
        says: "a home directory is not needed, nor disturbs",
        clause: "systemd.exec(5), Environment: system services have no HOME; a cluster that is \
            started by hand has one",
        fix: "name every path as it is; give a program that wants HOME one of its own",
        costs: "the service fails or runs with other settings, depending on how the cluster was \
            started",
        weight: Weight::Must,
        proof: Proof::Alone(homes),
    },
    Check {
        id: "reduced-path",
        says: "a PATH without the directories of root is enough",
        clause: "systemd and init scripts start clusters with different PATHs",
        fix: "add /usr/sbin and /sbin to PATH in the agent, or call by absolute path",
        // No fault of a running cluster: systemd, which starts Pacemaker, has all four directories
        // in PATH.
        costs: "the service fails where a cluster is started by hand with another PATH",
        weight: Weight::Should,
        proof: Proof::Alone(reduced_path),
    },
    Check {
        id: "empty-path",
        says: "an empty PATH is enough",
        clause: "POSIX.1, Environment Variables: PATH may be unset or empty",
        fix: "set PATH at the beginning of the agent",
        costs: "a cluster always sets a PATH; only people who call the agent by hand see it",
        weight: Weight::May,
        proof: Proof::Alone(empty_path),
    },
    Check {
        id: "standard-input",
        says: "what standard input is does not matter",
        clause: "services_linux.c: Pacemaker gives its own, /dev/null; crm_resource and people \
            give a terminal, or none",
        fix: "read nothing from standard input; start programs with </dev/null",
        costs: "the agent waits for input that never comes, until it is killed",
        weight: Weight::Must,
        proof: Proof::Alone(inputs),
    },
    Check {
        id: "descriptors",
        says: "open descriptors that it inherits do not matter",
        clause: INHERITED,
        fix: "open descriptors before they are used, and close them by their own number",
        costs: "a lock or a file of the caller is taken for the agent's own",
        weight: Weight::Must,
        proof: Proof::Alone(descriptors),
    },
    Check {
        id: "ignored-signals",
        says: "signals that are ignored by who calls it do not matter",
        clause: "signal(7): a program inherits what is ignored; cron, nohup and some init systems \
            ignore SIGPIPE or SIGCHLD",
        fix: "set the signals that matter to their defaults, and do not rely on SIGPIPE to end a \
            pipeline",
        costs: "the agent waits for a child or a pipe for ever, or misses its exit code",
        weight: Weight::Must,
        proof: Proof::Alone(ignored),
    },
    Check {
        id: "priority",
        says: "a low priority does not matter",
        clause: "sched(7), ioprio_set(2): a program inherits both; administrators run clusters \
            with either",
        fix: "do not ask for a priority that cannot be had; wait for events instead of fixed times",
        costs: "the service fails on nodes that are run with another priority",
        weight: Weight::Must,
        proof: Proof::Alone(priorities),
    },
];

/// One thing that is changed.
pub(super) struct Change<'a> {
    /// In words.
    name: String,
    /// What a shell does to change it.
    shell: Frame,
    /// Changes a call.
    apply: Box<dyn Fn(Call<'a>) -> Call<'a> + 'a>,
}

impl<'a> Change<'a> {
    fn new(name: impl Into<String>, apply: impl Fn(Call<'a>) -> Call<'a> + 'a) -> Self {
        Self { name: name.into(), shell: Frame::default(), apply: Box::new(apply) }
    }

    /// Where the call runs.
    pub(super) fn place(name: impl Into<String>, change: impl Fn(&mut Place) + 'a) -> Self {
        Self::new(name, move |call| call.place(&change))
    }

    /// A variable of the environment.
    fn variable(name: &'static str, value: String) -> Self {
        Self::new(format!("{name}={value}"), move |call| call.env(name, value.clone()))
    }

    /// With a command that a shell runs before the call.
    fn command(mut self, command: impl Into<String>) -> Self {
        self.shell.commands.push(command.into());
        self
    }

    /// With words that a shell needs before the call.
    pub(super) fn words(mut self, words: &str) -> Self {
        self.shell.words.push(words.to_owned());
        self
    }

    /// With redirections of a shell.
    fn redirections(mut self, redirections: &str) -> Self {
        self.shell.redirections.push(redirections.to_owned());
        self
    }
}

/// A life under each of these changes, one at a time. Only what differs from an ordinary life
/// counts.
pub(super) fn under_each<'a>(stand: &'a Stand<'_>, changes: Vec<Change<'a>>) -> Judged {
    let (mut broken, mut unknown) = (Vec::new(), Ok(()));
    for change in changes {
        stand.rehearse()?;
        match live(stand, &change) {
            Ok(()) => continue,
            Err(Finding::Violation(what)) => broken.push(what),
            Err(trouble) => unknown = Err(trouble),
        }
        stand.forget_rehearsal();
    }
    if broken.is_empty() { unknown } else { Err(Finding::broken(broken.join("; "))) }
}

/// A life under one change.
fn live<'a>(stand: &'a Stand<'_>, change: &Change<'a>) -> Judged {
    let mut last = "";
    for (ask, codes, changed) in LIFE {
        let call = stand.call(ask.clone());
        if *changed {
            last = ask.action();
            let call = call.how(change.name.as_str()).shell(change.shell.clone()).unusual();
            (change.apply)(call).expect(codes)?;
        } else {
            let how = format!("as usual, after {last} with {}", change.name);
            call.how(how).unusual().expect(codes)?;
        }
    }
    Ok(())
}

/// In another directory.
fn directory<'a>(name: &str, path: PathBuf, command: &str) -> Change<'a> {
    Change::place(name, move |place| place.directory = Some(path.clone())).command(command)
}

fn directories(stand: &Stand<'_>) -> Judged {
    let named = |prefix: &str| tempfile::Builder::new().prefix(prefix).tempdir();
    let (odd, gone) = (named("ocf tester's $(a) \"b\" ")?, named("ocf-tester-gone-")?);
    let open = open(gone.path(), OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(std::io::Error::from)?;
    gone.close()?;
    // Through the descriptor, a process gets there although no path leads there any more.
    let deleted = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
    let changes = vec![
        directory("in /", "/".into(), "cd /"),
        directory("in a directory that cannot be written, /proc", "/proc".into(), "cd /proc"),
        directory(
            "in a directory that was deleted",
            deleted,
            "cd \"$(mktemp -d)\" && rmdir \"$PWD\"",
        ),
        directory(
            "in a directory with spaces and quotes",
            odd.path().into(),
            "cd \"$(mktemp -d \"/tmp/a 'b' \\$c.XXXX\")\"",
        ),
    ];
    under_each(stand, changes)
}

fn masks(stand: &Stand<'_>) -> Judged {
    let mask = |mask: u32| {
        let name = format!("umask {mask:03o}");
        Change::new(name.as_str(), move |call| call.umask(mask)).command(name)
    };
    under_each(stand, vec![mask(0o077), mask(0)])
}

fn locales(stand: &Stand<'_>) -> Judged {
    let located = |name: &'static str| {
        Change::new(format!("LC_ALL={name}"), move |call| {
            call.env("LC_ALL", name).env("LANG", name)
        })
    };
    under_each(stand, ["C", "tr_TR.UTF-8", "de_DE.UTF-8", "xx_XX.nonsense"].map(located).into())
}

fn time_zones(stand: &Stand<'_>) -> Judged {
    let zone = |zone: &str| Change::variable("TZ", zone.to_owned());
    under_each(stand, ["Pacific/Kiritimati", "No/Where"].map(zone).into())
}

fn homes(stand: &Stand<'_>) -> Judged {
    // As usual there is none.
    under_each(
        stand,
        ["/root", "/nonexistent"].map(|home| Change::variable("HOME", home.to_owned())).into(),
    )
}

/// Before any PATH: the stubs of a cluster's tools.
fn stubs(stand: &Stand<'_>) -> String {
    let ours = stand.setup.extra.get(OsStr::new("PATH")).and_then(|path| path.to_str());
    ours.and_then(|path| path.strip_suffix(PATH)).unwrap_or_default().to_owned()
}

fn reduced(stand: &Stand<'_>) -> String {
    format!("{}/usr/bin:/bin", stubs(stand))
}

fn reduced_path(stand: &Stand<'_>) -> Judged {
    under_each(stand, vec![Change::variable("PATH", reduced(stand))])
}

fn empty_path(stand: &Stand<'_>) -> Judged {
    if !stubs(stand).is_empty() {
        return Err(Finding::unknown("the stubs of a cluster's tools are in PATH"));
    }
    match under_each(stand, vec![Change::variable("PATH", reduced(stand))]) {
        Err(Finding::Violation(what)) => {
            return Err(Finding::unknown(format!("{what} (see the check reduced-path)")));
        }
        judged => judged?,
    }
    under_each(stand, vec![Change::variable("PATH", String::new())])
}

fn inputs(stand: &Stand<'_>) -> Judged {
    // The other end is neither read nor written.
    let pair = openpty(None, None).map_err(std::io::Error::from)?;
    for end in [&pair.master, &pair.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(std::io::Error::from)?;
    }
    let terminal = Arc::new(pair.slave);
    let closed = Change::place("standard input closed", |place| place.input = Input::Closed);
    let typed = move |place: &mut Place| place.input = Input::Terminal(terminal.clone());
    let typed = Change::place("a terminal as standard input", typed);
    let judged =
        under_each(stand, vec![closed.redirections("<&-"), typed.redirections("</dev/tty")]);
    drop(pair.master);
    judged
}

fn descriptors(stand: &Stand<'_>) -> Judged {
    let open = Arc::new(OwnedFd::from(file::null()?));
    let change = move |place: &mut Place| place.descriptors = Some(open.clone());
    let change = Change::place("descriptors 3 to 9 open", change);
    let all: Vec<_> = (3..=9).map(|number| format!("{number}<>/dev/null")).collect();
    under_each(stand, vec![change.redirections(&all.join(" "))])
}

fn ignored(stand: &Stand<'_>) -> Judged {
    let ignoring = |signal: Signal| {
        let name = signal.as_str();
        let change = move |place: &mut Place| place.ignored = vec![signal];
        Change::place(format!("{name} ignored"), change)
            .command(format!("trap '' {}", name.trim_start_matches("SIG")))
    };
    under_each(stand, [Signal::SIGCHLD, Signal::SIGPIPE].map(ignoring).into())
}

fn priorities(stand: &Stand<'_>) -> Judged {
    let with = |(priority, words): (Priority, &str)| {
        Change::place(words, move |place| place.priority = priority).words(words)
    };
    under_each(
        stand,
        [(Priority::Nice, "nice -n 5"), (Priority::SlowDisk, "ionice -c 2 -n 7")].map(with).into(),
    )
}
