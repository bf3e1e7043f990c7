//! ldirectord against the real daemon and the real kernel: one test for each failure that its users
//! have met, whole lives, and traffic.
//!
//! A name that begins with `ld_NN` is a row of the list of reported failures; the doc comment says
//! what went wrong and where it was reported (`RA#n`: ClusterLabs/resource-agents). What needs IP
//! Virtual Server runs in a kernel that has it ([`harness::uml`]).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod absent;
mod beside;
mod defaults;
mod direct;
mod explain;
mod failover;
mod found;
mod identity;
mod life;
mod one_node;
mod pair;
mod reader;
mod reload;
mod rig;
mod routing;
mod rows;
mod table;
mod tester;

use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use harness::process::wait_until;
use harness::skip::skip;
use harness::{Agent, Host, agent};

/// Where the agent and the daemon have the configuration by default.
const CONF: &str = "/etc/ha.d/ldirectord.cf";

/// As long as anything here may take: a kernel of its own is slow, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A test in a kernel with IP Virtual Server.
fn with_ipvs(test: impl FnOnce()) {
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm", "/usr/sbin/nginx"]) {
        return;
    }
    within(Duration::from_secs(400), test);
}

/// What is measured runs alone; everything else side by side.
static MEASURED: RwLock<()> = RwLock::new(());

/// A test in a kernel with IP Virtual Server, which may take so long.
fn within(limit: Duration, test: impl FnOnce()) {
    let _turn = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    harness::uml::with_ipvs(limit, test);
}

/// False, and a loud skip, when something that is needed is absent.
fn has(files: &[&str]) -> bool {
    match files.iter().find(|file| !Path::new(file).is_file()) {
        Some(absent) => {
            skip(&format!("{absent} is not installed"));
            false
        }
        None => true,
    }
}

/// A machine with an ldirectord of its own: the program of this one, and nothing else of it.
fn machine(name: &str) -> Host {
    let empty = ["/tmp", "/etc/ha.d", "/var/log", "/var/lib/nginx", "/srv"];
    empty.into_iter().fold(Host::builder(name), harness::host::Builder::tmpfs).start()
}

fn write(host: &Host, path: &str, text: &str) {
    host.sh(&format!("cat > {path} <<'END'\n{text}\nEND"));
}

/// The agent for the usual configuration.
fn director(host: &Host) -> Agent<'_> {
    agent(host, "ldirectord").instance("director").timeout(PATIENCE)
}

/// A recurring monitor at a level.
fn at(agent: &Agent<'_>, level: u32) -> harness::Outcome {
    agent.clone().env("OCF_CHECK_LEVEL", &level.to_string()).monitor()
}

/// The kernel's table as `ipvsadm` sees it, one line a service or server, single spaces, without
/// the counters.
fn table(host: &Host) -> Vec<String> {
    let said = host.run("ipvsadm", &["-Ln"]).stdout;
    let rows = said.lines().skip(3).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.map(|words| if words[0] == "->" { words[..4].join(" ") } else { words.join(" ") })
        .collect()
}

/// Waits for a table; the kernel has no order of its own.
#[track_caller]
fn expect_table(host: &Host, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let sorted = || {
        let mut now = table(host);
        now.sort_unstable();
        now
    };
    let same = wait_until(PATIENCE, || (sorted() == expected).then_some(()));
    assert!(same.is_some(), "{:?} is expected, not {:?}\n{}", expected, table(host), log(host));
}

/// What the daemon has written.
fn log(host: &Host) -> String {
    host.run("cat", &["/var/log/ldirectord.log"]).stdout
}

/// The processes of all daemons, as `pgrep` sees them.
fn processes(host: &Host) -> Vec<String> {
    let found = host.run("pgrep", &["-f", "ldirectord.*(start|:)", "-a"]).stdout;
    found.lines().map(str::to_owned).collect()
}

/// No process is left, nor a pid file.
#[track_caller]
fn expect_gone(host: &Host) {
    let gone = wait_until(Duration::from_secs(5), || processes(host).is_empty().then_some(()));
    assert!(gone.is_some(), "{:?}", processes(host));
    assert_eq!(host.sh("ls /run | grep ldirectord.*pid || true"), "");
}

/// The number of the daemon of a configuration.
fn daemon(host: &Host) -> String {
    host.sh("cat /run/ldirectord.ldirectord.cf.pid").trim().to_owned()
}
