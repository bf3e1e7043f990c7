//! HAProxy, the real one: one test for each failure that users of its agents have met, and whole
//! lives.
//!
//! A name that begins with `ha_NN` is a row of the list of reported failures; the doc comment says
//! what went wrong and where it was reported (`haproxy#n`: haproxy/haproxy).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod adoption;
mod broken;
mod client;
mod explain;
mod failures;
mod identity;
mod layouts;
mod life;
mod reload;
mod rows;
mod scenario;
mod table;
mod tester;

use std::time::Duration;

use harness::process::wait_until;
use harness::{Agent, Host, agent};

/// A machine with a haproxy of its own: the program of this one, and nothing else of it.
fn machine() -> Option<Host> {
    if !std::path::Path::new("/usr/sbin/haproxy").is_file() {
        harness::skip::skip("haproxy is not installed");
        return None;
    }
    let empty = ["/tmp", "/etc/haproxy", "/srv", "/media"];
    Some(empty.into_iter().fold(Host::builder("nodea"), harness::host::Builder::tmpfs).start())
}

/// What is in front of each configuration.
const HEAD: &str = "global\n  maxconn 300\ndefaults\n  mode http\n  timeout connect 1s\n  timeout \
                    client 60s\n  timeout server 60s\n  timeout http-keep-alive 60s\n";

/// A frontend that answers by itself.
const PLAIN: &str = "frontend web\n  bind 127.0.0.1:8081\n  http-request return status 200 \
                     content-type text/plain string alive\n";

/// Writes a configuration.
fn configure(host: &Host, name: &str, body: &str) -> String {
    let path = format!("/etc/haproxy/{name}.cfg");
    write(host, &path, &format!("{HEAD}{body}"));
    path
}

fn write(host: &Host, path: &str, text: &str) {
    host.sh(&format!("cat > {path} <<'END'\n{text}\nEND"));
}

/// The agent for a configuration.
fn balancer<'host>(host: &'host Host, configfile: &str) -> Agent<'host> {
    agent(host, "haproxy")
        .instance("lb")
        .param("configfile", configfile)
        .timeout(Duration::from_secs(20))
}

/// The processes of all instances, as `pgrep` sees them.
fn processes(host: &Host) -> Vec<String> {
    let found = host.run("pgrep", &["-x", "haproxy", "-a"]).stdout;
    found.lines().filter(|line| !line.contains("<defunct>")).map(str::to_owned).collect()
}

/// The number of the master of `lb`.
fn master(host: &Host) -> String {
    host.sh("cat /run/resource-agents/haproxy-lb.pid").trim().to_owned()
}

/// The numbers of a master's workers, old ones too.
fn workers(host: &Host, master: &str) -> Vec<String> {
    host.run("pgrep", &["-x", "haproxy", "-P", master]).stdout.lines().map(str::to_owned).collect()
}

/// What `curl` gets.
fn page(host: &Host, words: &[&str]) -> String {
    let mut all = vec!["--silent", "--show-error", "--max-time", "5"];
    all.extend(words);
    host.run("curl", &all).stdout
}

fn answers(host: &Host, port: u16) -> bool {
    page(host, &[&format!("http://127.0.0.1:{port}/")]) == "alive"
}

/// All processes are gone, nothing listens, and of the resource's own files none is left.
#[track_caller]
fn expect_gone(host: &Host) {
    let gone = wait_until(Duration::from_secs(2), || processes(host).is_empty().then_some(()));
    assert!(gone.is_some(), "{:?}", processes(host));
    let listening = host.run("ss", &["-Hxltnp"]).stdout;
    assert!(!listening.contains("haproxy"), "{listening}");
    // The lock of starts with one configuration stays when one of them is killed.
    let left = host.run("ls", &["-A", "-I", "*.common", "/run/resource-agents"]).stdout;
    assert_eq!(left, "");
}

/// Starts, monitors at all levels, stops.
#[track_caller]
fn full_life(host: &Host, agent: &Agent<'_>) {
    agent.start().expect_code(0).expect_silent();
    for level in [0, 10, 20] {
        at(agent, level).expect_code(0).expect_silent();
    }
    agent.stop().expect_code(0).expect_silent();
    expect_gone(host);
    agent.monitor().expect_code(7);
}

/// A recurring monitor at a level.
fn at(agent: &Agent<'_>, level: u32) -> harness::Outcome {
    agent.clone().env("OCF_CHECK_LEVEL", &level.to_string()).monitor()
}

/// Waits until something is so.
#[track_caller]
fn eventually(what: &str, mut question: impl FnMut() -> bool) {
    assert!(wait_until(Duration::from_secs(10), || question().then_some(())).is_some(), "{what}");
}
