//! A cluster under random faults breaks no rule: a minute of it, and with `make test-slow` five.
//! `make soak` is the same for as long as one likes.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

use std::process::Command;

use harness::cluster::{installed, missing};
use harness::skip::skip;
use harness::tell::tell;

const SOAK: &str = env!("CARGO_BIN_EXE_ocf-soak");

/// What the services need besides a cluster.
const PROGRAMS: [&str; 5] = ["nginx", "haproxy", "apache2", "nft", "crm_standby"];

/// Runs the schedules of these seeds, each for so many seconds; panics with what was found.
#[track_caller]
fn soak(seeds: &[u32], seconds: u32) {
    let absent = PROGRAMS.into_iter().find(|program| !installed(program));
    let foreign = harness::call::foreign()
        .then(|| "the soak's own witnesses are for our agents here".to_owned());
    let absent = absent.map(|program| format!("{program} is not installed"));
    if let Some(reason) = missing().or(absent).or(foreign) {
        return skip(&reason);
    }
    for seed in seeds {
        let (seed, seconds) = (seed.to_string(), seconds.to_string());
        // Kept: a history of a failure is what one needs.
        let out = harness::host::built_directory().join("soak");
        let done = Command::new(SOAK)
            .args(["--seed", &seed, "--seconds", &seconds, "--out"])
            .arg(&out)
            .output()
            .expect("the soak");
        let said = String::from_utf8_lossy(&done.stdout);
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "seed {seed}: {said}{complaint}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("0 violations"), "seed {seed}: {said}");
        let work = said.lines().find(|line| line.contains("calls of agents")).unwrap_or_default();
        tell(&format!("soak, seed {seed}: {work}, {last}"));
    }
}

#[test]
fn a_cluster_under_random_faults_for_a_minute_breaks_no_rule() {
    soak(&[1], 40);
}

#[test]
#[ignore = "takes six minutes: make test-slow"]
fn clusters_with_and_without_waiting_monitors_and_fencing_break_no_rule_in_five_minutes() {
    soak(&[4, 5, 6, 7], 75);
}
