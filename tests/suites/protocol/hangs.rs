//! Whatever an agent waits for may never come: each action ends before its time-out all the same,
//! with a reason that names what it waited for.
//!
//! Here is what needs no server. Servers and programs that hang are in the suites of their agents
//! (`wt_…`, "frozen").

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use harness::{Agent, Host, Outcome, agent};

/// What the tests of this file give an action.
const TIMEOUT: Duration = Duration::from_secs(3);

/// All actions that the cluster calls, and how each ended.
fn all_actions(agent: &Agent<'_>) -> [(&'static str, Outcome); 5] {
    [
        ("probe", agent.probe()),
        ("monitor", agent.monitor()),
        ("validate-all", agent.validate_here()),
        ("start", agent.start()),
        ("stop", agent.stop()),
    ]
}

/// A bus that takes connections and says nothing.
#[test]
fn wt_4_a_silent_bus_is_a_doubt_in_time() {
    let host = Host::builder("nodea").start();
    let address = SocketAddr::from_abstract_name("silent-bus").expect("a name");
    let _bus = host.in_network(|| UnixListener::bind_addr(&address)).expect("a socket");
    let agent = agent(&host, "systemd")
        .param("unit", "app")
        .param("bus_address", "unix:abstract=silent-bus");
    for (action, outcome) in all_actions(&agent.timeout(TIMEOUT)) {
        outcome.expect_code(1).expect_reason(&["systemd does not answer"]).expect_within(TIMEOUT);
        assert!(outcome.elapsed > Duration::from_secs(1), "{action} has asked again: {outcome}");
    }
}

/// A pipe that nothing writes to, in the place of a configuration.
#[test]
fn wt_4_a_pipe_is_no_configuration() {
    let host = Host::builder("nodea").tmpfs("/srv").start();
    host.sh("mkfifo /srv/pipe");
    for name in ["apache", "nginx", "ldirectord"] {
        let agent =
            agent(&host, name).instance(name).param("configfile", "/srv/pipe").timeout(TIMEOUT);
        for (action, outcome) in all_actions(&agent) {
            let expected: &[i32] = match action {
                "probe" | "monitor" => &[7],
                "stop" => &[0],
                _ => &[1, 5],
            };
            outcome.expect_code_in(expected).expect_within(TIMEOUT);
        }
    }
}
