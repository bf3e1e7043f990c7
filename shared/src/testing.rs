//! For the tests of agents: the built program, called as anybody may call it, without root, a
//! cluster or an environment. No feature, which would have every agent built once more for its
//! tests: the linker leaves out what is not called.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a test waits for what it calls")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::glob::Files;

pub mod fuzz;

/// What servers of several releases of Debian have said (`tests/fixtures/record` records it), each
/// with its place: all recordings with this name.
///
/// # Panics
/// When there are fewer than two.
#[must_use]
pub fn recorded(name: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recorded");
    let releases = std::fs::read_dir(&root).unwrap_or_else(|error| panic!("{root:?}: {error}"));
    let read = |release: std::io::Result<std::fs::DirEntry>| {
        let path = release.expect("a release").path().join(name);
        std::fs::read_to_string(&path).ok().map(|text| (path.display().to_string(), text))
    };
    let all: Vec<(String, String)> = releases.filter_map(read).collect();
    assert!(all.len() >= 2, "{name} is recorded of fewer than two releases in {root:?}");
    all
}

/// A built agent, by its path: `Program(env!("CARGO_BIN_EXE_nginx"))`.
#[derive(Clone, Copy, Debug)]
pub struct Program(pub &'static str);

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// This code, and not a word.
    #[must_use]
    pub fn silently(code: i32) -> Self {
        Self { code: Some(code), stdout: String::new(), stderr: String::new() }
    }
}

impl Program {
    /// Calls it with one argument, or none for an empty one, and this environment alone.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn call(&self, action: &str, environment: &[(&str, &str)]) -> Said {
        let mut command = Command::new(self.0);
        command
            .args((!action.is_empty()).then_some(action))
            .env_clear()
            .envs(environment.iter().copied());
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", self.0));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Validates parameters at level 0, which looks at nothing else.
    ///
    /// # Panics
    /// As [`Program::call`].
    #[must_use]
    pub fn validate(&self, parameters: &[(&str, &str)]) -> Said {
        let variables: Vec<_> =
            parameters.iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), *value)).collect();
        let environment: Vec<_> =
            variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.call("validate-all", &environment)
    }

    /// Each action that there is not, none at all among them, is 3, and those that there are are
    /// named.
    ///
    /// # Panics
    /// When that is not so.
    pub fn expect_usage(&self) {
        for action in ["", "frobnicate", "START", "promote", "migrate_to"] {
            let said = self.call(action, &[("OCF_RESKEY_nonsense", "x")]);
            assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{action}");
            assert!(
                said.stderr.contains("ocf-exit-reason:") && said.stderr.contains("validate-all"),
                "{said:?}"
            );
        }
    }

    /// The meta-data is the `committed` text whatever the parameters are, and has a monitor of each
    /// depth at an interval of its own: Pacemaker takes two of one interval for one.
    ///
    /// # Panics
    /// When that is not so.
    pub fn expect_description(&self, committed: &str, depths: &[&str]) {
        let said = self.call("meta-data", &[("OCF_RESKEY_config", "\u{1}nonsense")]);
        assert_eq!(said, Said { stdout: committed.to_owned(), ..Said::silently(0) });
        let monitors = || committed.lines().filter(|line| line.contains("name=\"monitor\""));
        let of = |name: &str| -> Vec<String> {
            let value = |line: &str| {
                let (_, rest) = line.split_once(&format!(" {name}=\""))?;
                rest.split_once('"').map(|(value, _)| value.to_owned())
            };
            monitors().filter_map(value).collect()
        };
        assert_eq!(of("depth"), depths);
        let mut intervals = of("interval");
        intervals.sort_unstable();
        intervals.dedup();
        assert_eq!(intervals.len(), depths.len(), "{intervals:?}");
    }

    /// All of these values are reported as faulty, in one reason.
    ///
    /// # Panics
    /// When that is not so.
    pub fn expect_every_fault_is_named(&self, faulty: &[(&str, &str)]) {
        let said = self.validate(faulty);
        assert_eq!(said.code, Some(6), "{said:?}");
        assert_eq!(said.stderr.matches("ocf-exit-reason:").count(), 1, "{said:?}");
        for (name, _) in faulty {
            assert!(said.stderr.contains(&format!("{name}=")), "{name}: {said:?}");
        }
    }

    /// Each of these values is accepted, and nothing is said about it.
    ///
    /// # Panics
    /// When that is not so.
    pub fn expect_each_is_taken(&self, good: &[(&str, &str)]) {
        for pair in good {
            assert_eq!(self.validate(&[*pair]), Said::silently(0), "{pair:?}");
        }
    }
}

/// A generator of numbers that gives the same ones at each run (xorshift64*, Marsaglia and Vigna),
/// for parsers that are given nonsense: what fails once fails again.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Begins at a seed, which is not 0.
    ///
    /// # Panics
    /// When it is 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        assert_ne!(seed, 0, "0 is followed by 0");
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below this one; 0 when that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.any() % limit.max(1) as u64) as usize
    }
}

/// Files that are not on this machine: paths and texts. A path below another one makes that a
/// directory.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a>(pub &'a [(&'a str, &'a str)]);

impl Files for Tree<'_> {
    fn text(&self, path: &Path) -> Option<String> {
        self.0.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
    }

    fn names(&self, path: &Path) -> Option<Vec<String>> {
        let below = self.0.iter().filter_map(|(name, _)| Path::new(name).strip_prefix(path).ok());
        let names: BTreeSet<_> =
            below.filter_map(|rest| Some(rest.iter().next()?.to_str()?.to_owned())).collect();
        (!names.is_empty()).then(|| names.into_iter().collect())
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.iter().any(|(name, _)| Path::new(name).starts_with(path))
    }
}
