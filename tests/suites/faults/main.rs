//! Faults of the machine: each system call that an agent makes fails in turn, its process group is
//! killed at any moment, disks are full or read-only, limits are low, capabilities are missing.
//! Whatever happens, no agent may say what is not so.
//!
//! A short sample with a fixed seed runs each time; the whole campaigns are ignored tests
//! (`make test-slow`). One agent's:
//! `cargo test -p ocf-agents-tests --test faults -- --ignored nginx`.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod calls;
mod judge;
mod kills;
mod limits;
mod subject;

use ocf::testing::Numbers;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// A few seconds for each agent.
    Sample,
    /// All that there is.
    Whole,
}

/// Numbers that are the same in each run, and others for each seed.
fn dice(seed: &str) -> Numbers {
    // FNV-1a.
    let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    Numbers::new(seed.bytes().fold(0xcbf2_9ce4_8422_2325, add).max(1))
}

/// What a campaign has tried and found.
#[derive(Debug, Default)]
struct Findings {
    tries: usize,
    found: Vec<String>,
}

impl Findings {
    fn add(&mut self, occasion: &str, wrong: impl IntoIterator<Item = String>) {
        self.found.extend(wrong.into_iter().map(|text| format!("{occasion}: {text}")));
    }

    /// Panics with what was found.
    #[track_caller]
    fn expect_none(&self, subject: &str) {
        const SHOWN: usize = 40;
        assert!(self.tries > 0, "nothing was tried");
        harness::tell::tell(&format!(
            "{subject}: {} faults, {} findings",
            self.tries,
            self.found.len()
        ));
        let shown = self.found.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.found.is_empty(), "{} of {}:\n{shown}", self.found.len(), self.tries);
    }
}

/// A test for each agent, so that they run side by side.
macro_rules! for_each_agent {
    ($work:expr $(, #[$attribute:meta])?) => {
        $(#[$attribute])?
        #[test]
        fn dummy() {
            $work(crate::subject::Subject::dummy());
        }
        $(#[$attribute])?
        #[test]
        fn ipaddr2() {
            $work(crate::subject::Subject::ipaddr2());
        }
        $(#[$attribute])?
        #[test]
        fn nginx() {
            $work(crate::subject::Subject::nginx());
        }
        $(#[$attribute])?
        #[test]
        fn haproxy() {
            $work(crate::subject::Subject::haproxy());
        }
        $(#[$attribute])?
        #[test]
        fn apache() {
            $work(crate::subject::Subject::apache());
        }
        $(#[$attribute])?
        #[test]
        fn systemd() {
            $work(crate::subject::Subject::systemd());
        }
        $(#[$attribute])?
        #[test]
        fn ldirectord() {
            $work(crate::subject::Subject::ldirectord());
        }
    };
}
use for_each_agent;
