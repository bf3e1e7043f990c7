//! The demo does what it promises, and leaves nothing.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::Host;
use harness::cluster::{installed, missing};
use harness::process::wait_until;
use harness::skip::skip;

const DEMO: &str = env!("CARGO_BIN_EXE_ocf-demo");

fn lacks() -> Option<String> {
    let absent = ["pcs", "nginx"].into_iter().find(|program| !installed(program));
    missing().or(absent.map(|program| format!("{program} is not installed")))
}

/// The directory that the demo names.
fn directory(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("Files: ")?;
    Some(rest.split(". ").next()?.to_owned())
}

#[test]
#[ignore = "takes a minute: make test-slow"]
fn the_demo_shows_what_a_fault_costs() {
    if let Some(reason) = lacks() {
        return skip(&reason);
    }
    let done = Command::new(DEMO).args(["server", "standby"]).output().expect("the demo");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    for part in
        ["run on node", "SIGKILL", "FAILED", "comes to node", "server killed", "planned move"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains('\x1b'), "colours are for terminals: {said}");
    let files = said.lines().find_map(directory).expect("where its files are");
    assert!(!Path::new(&files).exists(), "{files} is left");
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    if let Some(reason) = lacks() {
        return skip(&reason);
    }
    let mut demo = Command::new(DEMO).stdout(Stdio::piped()).spawn().expect("the demo");
    let mut out = BufReader::new(demo.stdout.take().expect("its output"));
    let files = out
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| directory(&line))
        .expect("where its files are");
    // Two processes for each node, and the one that does the work: the daemons begin.
    let running = || processes(&files);
    assert!(
        wait_until(Duration::from_secs(60), || (running() >= 7).then_some(())).is_some(),
        "no machine came up"
    );
    // SAFETY: plain system call; the demo has not been waited for.
    unsafe { libc::kill(demo.id() as i32, libc::SIGINT) };
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the rest of its output");
    let status = demo.wait().expect("its end");
    assert_eq!(status.code(), Some(130), "{rest}");
    assert!(rest.contains("Interrupted") && rest.contains("gone"), "{rest}");
    assert_eq!(running(), 0, "machines are left");
    assert!(!Path::new(&files).exists(), "{files} is left");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!mounts.contains(&files), "mounts are left: {mounts}");
}

/// How many processes were given this directory: the demo's own, and one for each machine.
fn processes(directory: &str) -> usize {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(directory)).count()
}

#[test]
fn a_demo_without_its_programs_says_what_is_missing() {
    if let Some(reason) = lacks() {
        return skip(&reason);
    }
    let host = Host::builder("bare").overlay().start();
    host.sh("rm /usr/sbin/nginx");
    let done = host.run(DEMO, &["server"]);
    assert_eq!(done.code, Some(2), "{done:#?}");
    assert!(
        done.stderr.contains("nginx is not installed: make demo installs it")
            && done.stdout.is_empty(),
        "{done:#?}"
    );
}

#[test]
fn the_demo_says_how_it_is_used() {
    let run = |word: &str| Command::new(DEMO).arg(word).output().expect("the demo");
    let help = run("--help");
    assert!(
        help.status.success() && String::from_utf8_lossy(&help.stdout).contains("cable"),
        "{help:?}"
    );
    for wrong in ["--wrong", "flood"] {
        let said = run(wrong);
        assert_eq!(said.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&said.stderr).contains(wrong), "{said:?}");
    }
}
