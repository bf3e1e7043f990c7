//! Calling an OCF agent as Pacemaker's executor does.
//!
//! The environment is the tester's: what Pacemaker sets and nothing else. The interval is there for
//! recurring monitors only. The agent leads its own process group; on time-out SIGKILL goes to all
//! of it with no warning; when the agent has ended, its pipes are closed, even if another process
//! holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use ocf_tester::environment::{self, Operation, Resource};

use crate::enter::Entry;
use crate::host::{Host, built_directory};
use crate::outcome::Outcome;
use crate::process::{self, Victim};

/// The user and group `nobody` on Debian.
const NOBODY: u32 = 65534;

/// An agent, its parameters, and where it runs.
#[derive(Debug, Clone)]
pub struct Agent<'host> {
    host: &'host Host,
    kind: String,
    instance: String,
    parameters: BTreeMap<String, String>,
    meta: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    timeout: Duration,
    kill_after: Option<Duration>,
    entry: Entry,
    bare: bool,
    under: Vec<String>,
    peer: Option<PathBuf>,
}

/// The agent `kind` on `host`, without parameters.
#[must_use]
pub fn agent<'host>(host: &'host Host, kind: &str) -> Agent<'host> {
    Agent {
        host,
        kind: kind.to_owned(),
        instance: "vip".to_owned(),
        parameters: BTreeMap::new(),
        meta: BTreeMap::new(),
        environment: BTreeMap::new(),
        timeout: Duration::from_secs(20),
        kill_after: None,
        entry: Entry::default().own_group(),
        bare: false,
        under: Vec::new(),
        peer: None,
    }
}

/// The names of the workspace's agents, by the meta-data that there is.
pub fn names() -> impl Iterator<Item = &'static str> {
    static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metadata");
        let entries = std::fs::read_dir(directory).expect("metadata");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".xml").map(str::to_owned)).collect();
        names.sort();
        names
    });
    NAMES.iter().map(String::as_str)
}

/// Whether the suites run against other agents (`OCF_AGENTS_DIR`), to compare.
#[must_use]
pub fn foreign() -> bool {
    std::env::var_os("OCF_AGENTS_DIR").is_some()
}

/// Whether the executable of an agent is there.
#[must_use]
pub fn is_there(kind: &str) -> bool {
    location(kind).is_file()
}

fn location(kind: &str) -> PathBuf {
    let portable = || std::env::var_os("OCF_PORTABLE").filter(|_| names().any(|name| name == kind));
    let directory = std::env::var_os("OCF_AGENTS_DIR").or_else(portable);
    directory.map_or_else(built_directory, PathBuf::from).join(kind)
}

/// The executable of an agent: in `OCF_AGENTS_DIR`, in `OCF_PORTABLE`, else the one that was built
/// with the test.
#[must_use]
pub fn executable(kind: &str) -> PathBuf {
    let path = location(kind);
    assert!(path.is_file(), "{} is not there: run cargo build --workspace first", path.display());
    path
}

impl<'host> Agent<'host> {
    /// Sets a parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a parameter away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.remove(name);
        self
    }

    /// Sets a meta attribute, such as `clone_max`.
    #[must_use]
    pub fn meta(mut self, name: &str, value: &str) -> Self {
        self.meta.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Names the resource; a clone's instance is `name:0`.
    #[must_use]
    pub fn instance(mut self, name: &str) -> Self {
        self.instance = name.to_owned();
        self
    }

    /// Sets any other variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Pacemaker's time-out of the action.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// SIGKILL to the process group so long after the start, whatever the time-out in the agent's
    /// environment.
    #[must_use]
    pub fn kill_after(mut self, delay: Duration) -> Self {
        self.kill_after = Some(delay);
        self
    }

    /// As an ordinary user.
    #[must_use]
    pub fn as_nobody(mut self) -> Self {
        self.entry = self.entry.user(NOBODY);
        self
    }

    /// Without a capability, such as [`crate::enter::CAP_NET_RAW`].
    #[must_use]
    pub fn without_capability(mut self, number: i32) -> Self {
        self.entry = self.entry.without_capability(number);
        self
    }

    /// With no environment at all but what [`Agent::env`] sets, as a person types it.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// As arguments of another program, such as strace.
    #[must_use]
    pub fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Another agent of this name, in `directory`, to compare; nothing is expected of it.
    #[must_use]
    pub fn peer(mut self, directory: &str) -> Self {
        self.peer = Some(Path::new(directory).join(&self.kind));
        self
    }

    /// The action `start`.
    pub fn start(&self) -> Outcome {
        self.action("start")
    }

    /// The action `stop`.
    pub fn stop(&self) -> Outcome {
        self.action("stop")
    }

    /// A recurring monitor, every ten seconds.
    pub fn monitor(&self) -> Outcome {
        self.clone().meta("interval", "10000").action("monitor")
    }

    /// A probe: a monitor with no interval set.
    pub fn probe(&self) -> Outcome {
        self.action("monitor")
    }

    /// `validate-all` at check level 0.
    pub fn validate(&self) -> Outcome {
        self.action("validate-all")
    }

    /// `validate-all` at check level 10, which may look at the machine.
    pub fn validate_here(&self) -> Outcome {
        self.clone().env("OCF_CHECK_LEVEL", "10").action("validate-all")
    }

    /// What a start would do here, as a person asks for it; no file may change by that.
    #[track_caller]
    pub fn explain(&self) -> Outcome {
        let before = self.files();
        let explained = self.call(&["--explain"]);
        let after = self.files();
        let changed: Vec<&String> = before.symmetric_difference(&after).collect();
        assert!(changed.is_empty(), "{changed:#?}\nhave changed by\n{explained}");
        explained
    }

    /// The machine's own files, and configurations. Of directories only the names count: a file
    /// that is made and taken away again changes their time. Left out is what is written meanwhile
    /// by systemd and its journal, and by announcements in the background.
    fn files(&self) -> BTreeSet<String> {
        let script = r"find /run /srv /etc/apache2 /etc/ha.d /etc/haproxy /etc/nginx /etc/systemd \
            /var/lib/nginx \( -path /run/systemd/journal -o -path /run/systemd/units -o -path \
            /run/systemd/invocation -o -path /run/log -o -path /run/udev -o -path /run/dbus -o \
            -name 'within-reach-*' -o -name '*.gate' \) -prune -o -type d -printf '%p %m\n' -o \
            -printf '%p %i %m %u %s %T@\n' 2>/dev/null || true";
        self.host.sh(script).lines().map(str::to_owned).collect()
    }

    /// Any action.
    pub fn action(&self, action: &str) -> Outcome {
        self.call(&[action])
    }

    /// With these arguments, legal or not.
    pub fn call(&self, arguments: &[&str]) -> Outcome {
        let foreign = self.peer.is_some() || foreign();
        if foreign {
            // The shell agents rely on tmpfiles.d for it.
            self.host.sh("mkdir -p /run/resource-agents");
        }
        let action = arguments.first().copied().unwrap_or("");
        let mut program = self.program();
        if self.entry.user.is_some() {
            program = self.within_reach(&program);
        }
        let words: Vec<OsString> =
            self.under.iter().map(OsString::from).chain([program.into_os_string()]).collect();
        let (mut command, pid) = self.host.command_as(&words[0], self.entry.clone());
        command.args(&words[1..]).args(arguments).env_clear();
        let environment = self.variables(action);
        command.envs(&environment);
        let limit = self.kill_after.unwrap_or(self.timeout);
        let done = process::run(&mut command, pid, limit, Victim::Group).unwrap_or_else(|error| {
            panic!("{} {arguments:?} on {}: {error}", self.kind, self.host.name())
        });
        let outcome =
            Outcome::new(format!("{} {}", self.kind, arguments.join(" ")), environment, done);
        if !foreign && self.kill_after.is_none() {
            outcome.expect_protocol(action);
        }
        outcome
    }

    /// A copy that any user may run: the way to the built one may be closed to others.
    fn within_reach(&self, program: &Path) -> PathBuf {
        let copy = PathBuf::from(format!("/run/within-reach-{}", self.kind));
        let (from, to) = (program.display(), copy.display());
        self.host.sh(&format!(
            "test -e {to} || {{ cp {from} {to}.new && chmod 755 {to}.new && mv {to}.new {to}; }}"
        ));
        copy
    }

    /// The executable. A static one loads no library before its own (`LD_PRELOAD`): where a test
    /// needs that, it is the one that was built with the test.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        if let Some(peer) = &self.peer {
            return peer.clone();
        }
        if self.environment.contains_key("LD_PRELOAD") && !foreign() {
            return built_directory().join(&self.kind);
        }
        executable(&self.kind)
    }

    /// The environment of an action.
    #[must_use]
    pub fn variables(&self, action: &str) -> BTreeMap<String, String> {
        let text = |value: &OsString| value.to_string_lossy().into_owned();
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        if self.bare {
            variables.extend(
                self.parameters
                    .iter()
                    .map(|(name, value)| (format!("OCF_RESKEY_{name}"), value.clone())),
            );
        } else {
            let resource = Resource {
                instance: self.instance.clone().into(),
                kind: self.kind.clone().into(),
                provider: "native".into(),
                root: "/usr/lib/ocf".into(),
                node: self.host.name().to_owned(),
                parameters: self
                    .parameters
                    .iter()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
            };
            let operation =
                Operation { action, timeout: self.timeout, interval: None, level: None };
            variables.extend(
                environment::of(&resource, &operation)
                    .iter()
                    .map(|(name, value)| (text(name), text(value))),
            );
        }
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
        self.meta.iter().for_each(|(name, value)| {
            set(&format!("OCF_RESKEY_CRM_meta_{name}"), value);
        });
        self.environment.iter().for_each(|(name, value)| {
            set(name, value);
        });
        variables
    }
}
