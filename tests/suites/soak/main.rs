//! A cluster under random faults breaks no rule: a minute of it, and with `make test-slow` five.
//! `make soak` is the same for as long as one likes.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use harness::cluster::{installed, missing};
use harness::process::wait_until;
use harness::skip::skip;
use harness::tell::tell;

const SOAK: &str = env!("CARGO_BIN_EXE_ocf-soak");

/// Clusters one at a time.
static ONE: Mutex<()> = Mutex::new(());

/// What the services need besides a cluster.
const PROGRAMS: [&str; 5] = ["nginx", "haproxy", "apache2", "nft", "crm_standby"];

/// Why there is no soak here, if so.
fn lacks() -> Option<String> {
    let absent = PROGRAMS.into_iter().find(|program| !installed(program));
    let foreign = harness::call::foreign()
        .then(|| "the soak's own witnesses are for our agents here".to_owned());
    missing().or(absent.map(|program| format!("{program} is not installed"))).or(foreign)
}

/// Runs the schedules of these seeds, each for so many seconds; panics with what was found.
#[track_caller]
fn soak(seeds: &[u32], seconds: u32) {
    if let Some(reason) = lacks() {
        return skip(&reason);
    }
    let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
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
    // Nodes with systemd and without.
    soak(&[8, 5, 6, 11], 75);
}

/// Where the nodes' disks of a soak are: its child has it on its command line.
fn disks(soak: u32) -> Option<PathBuf> {
    let child = std::fs::read_to_string(format!("/proc/{soak}/task/{soak}/children")).ok()?;
    let line = std::fs::read(format!("/proc/{}/cmdline", child.split_whitespace().next()?)).ok()?;
    let words: Vec<&str> = std::str::from_utf8(&line).ok()?.split('\0').collect();
    let at = words.iter().position(|word| *word == "--inside")?;
    words.get(at + 1).map(PathBuf::from)
}

#[test]
fn an_interrupted_soak_leaves_nothing() {
    if let Some(reason) = lacks() {
        return skip(&reason);
    }
    let _turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let out = tempfile::tempdir().unwrap();
    let mut soak = Command::new(SOAK)
        .args(["--seed", "1", "--out"])
        .arg(out.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the soak");
    let mut lines = BufReader::new(soak.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a line").expect("a line");
    assert!(first.contains("native-1.jsonl"), "{first}");
    let disks = disks(soak.id()).expect("where the disks are");
    let node = disks.clone();
    let has_node = move || {
        let clusters = std::fs::read_dir(&node).into_iter().flatten().flatten();
        clusters.map(|it| it.path().join("node3")).any(|disk| disk.exists())
    };
    let begun = wait_until(Duration::from_secs(60), || has_node().then_some(()));
    assert!(begun.is_some(), "no machine came up");
    // SAFETY: plain system call; the soak has not been waited for.
    unsafe { libc::kill(soak.id() as i32, libc::SIGINT) };
    assert_eq!(soak.wait().expect("its end").code(), Some(130));
    assert!(!Path::new(&disks).exists(), "{} is left", disks.display());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!mounts.contains(&*disks.to_string_lossy()), "mounts are left: {mounts}");
}
