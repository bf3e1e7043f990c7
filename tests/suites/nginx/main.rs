//! nginx against the real server: one test for each failure that users of its agents have met, and
//! whole lives.
//!
//! A name that begins with `ng_NN` is a row of the list of reported failures; the doc comment says
//! what went wrong and where it was reported (`RA#n`: ClusterLabs/resource-agents).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod adoption;
mod explain;
mod failures;
mod identity;
mod levels;
mod life;
mod meanwhile;
mod reload;
mod table;
mod tester;

use std::time::Duration;

use harness::host::Builder;
use harness::process::wait_until;
use harness::{Agent, Host, agent};

/// A machine with an nginx of its own: the program of this one, and nothing else of it.
fn machine() -> Option<Host> {
    machine_of(|builder| builder)
}

/// As [`machine`], with more of its own.
fn machine_of(more: impl FnOnce(Builder) -> Builder) -> Option<Host> {
    if !std::path::Path::new("/usr/sbin/nginx").is_file() {
        harness::skip::skip("nginx is not installed");
        return None;
    }
    let empty = ["/tmp", "/etc/nginx", "/var/log", "/var/lib/nginx", "/srv"];
    let host = empty.into_iter().fold(more(Host::builder("nodea")), Builder::tmpfs).start();
    host.sh("mkdir /var/log/nginx /srv/www; echo 'it is alive' > /srv/www/index.html; chmod 755 \
             /srv /srv/www");
    Some(host)
}

/// Writes a configuration of a server with these lines in `http`.
fn configure(host: &Host, name: &str, http: &str) -> String {
    let path = format!("/etc/nginx/{name}.conf");
    let text = format!(
        "user root;\nworker_processes 2;\npid /run/{name}.pid;\n\
         error_log /var/log/nginx/{name}-error.log;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n  access_log /var/log/nginx/{name}.log;\n  root /srv/www;\n  {http}\n}}\n"
    );
    write(host, &path, &text);
    path
}

fn write(host: &Host, path: &str, text: &str) {
    host.sh(&format!("cat > {path} <<'END'\n{text}\nEND"));
}

/// A plain server with a status page.
const PLAIN: &str = "server { listen 127.0.0.1:8081; location /nginx_status { stub_status; } \
                     location /fail { return 500 'Reading: 1 Writing: 1 Waiting: 1'; } }";

/// The agent for a configuration.
fn web<'host>(host: &'host Host, configfile: &str) -> Agent<'host> {
    agent(host, "nginx")
        .instance("web")
        .param("configfile", configfile)
        .timeout(Duration::from_secs(20))
}

/// The processes of all instances, as `pgrep` sees them.
fn processes(host: &Host) -> Vec<String> {
    let found = host.run("pgrep", &["-x", "nginx", "-a"]).stdout;
    found.lines().filter(|line| !line.contains("<defunct>")).map(str::to_owned).collect()
}

/// The processes of one instance as soon as they are a master and two workers: a worker that has
/// just begun has its master's title for a moment, and one that ends is there a while longer.
#[track_caller]
fn settled(host: &Host) -> Vec<String> {
    let whole = |found: &Vec<String>| {
        let workers = found.iter().filter(|line| line.ends_with("worker process")).count();
        found.len() == 3 && workers == 2
    };
    let found = wait_until(Duration::from_secs(5), || Some(processes(host)).filter(whole));
    found.unwrap_or_else(|| panic!("{:?}", processes(host)))
}

/// The number of the master of an instance.
fn master(host: &Host, name: &str) -> String {
    host.sh(&format!("cat /run/{name}.pid")).trim().to_owned()
}

/// What `curl` gets.
fn page(host: &Host, words: &[&str]) -> String {
    let mut all = vec!["--silent", "--show-error", "--max-time", "5"];
    all.extend(words);
    host.run("curl", &all).stdout
}

/// All processes are gone, and nothing listens.
#[track_caller]
fn expect_gone(host: &Host) {
    let gone = wait_until(Duration::from_secs(2), || processes(host).is_empty().then_some(()));
    assert!(gone.is_some(), "{:?}", processes(host));
    let listening = host.run("ss", &["-Htlnp"]).stdout;
    assert!(!listening.contains("nginx"), "{listening}");
}

/// Starts, monitors at two levels, stops.
#[track_caller]
fn full_life(host: &Host, agent: &Agent<'_>) {
    agent.start().expect_code(0).expect_silent();
    agent.monitor().expect_code(0).expect_silent();
    at(agent, 10).expect_code(0).expect_silent();
    agent.stop().expect_code(0).expect_silent();
    expect_gone(host);
    agent.monitor().expect_code(7);
}

/// A recurring monitor at a level.
fn at(agent: &Agent<'_>, level: u32) -> harness::Outcome {
    agent.clone().env("OCF_CHECK_LEVEL", &level.to_string()).monitor()
}
