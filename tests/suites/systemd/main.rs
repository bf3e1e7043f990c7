//! Units of systemd, against a real systemd: one test for each failure that users of Pacemaker's
//! own class have met, and whole lives.
//!
//! A name that begins with `sd_NN` is a row of the list of reported failures; the doc comment says
//! what went wrong and where it was reported (`PCMK#n`: ClusterLabs/pacemaker, `RA#n`:
//! ClusterLabs/resource-agents, `pcs#n`: ClusterLabs/pcs).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod ends;
mod explain;
mod fake;
mod kinds;
mod life;
mod pacemaker;
mod rows;
mod said;
mod silence;
mod tester;
mod user;

use std::time::Duration;

use harness::cluster::installed;
use harness::process::wait_until;
use harness::skip::skip;
use harness::{Agent, Outcome, SystemdBox, agent, systemd_box};

/// Until something must have happened, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A machine with systemd, and these programs; or nothing, and a loud skip.
fn machine(programs: &[&str]) -> Option<SystemdBox> {
    machine_called("box", programs)
}

/// As [`machine`], with a name.
fn machine_called(name: &str, programs: &[&str]) -> Option<SystemdBox> {
    let absent = programs.iter().find(|program| !installed(program));
    let absent = absent.map(|program| format!("{program} is not installed"));
    match systemd_box::missing().or(absent) {
        Some(reason) => {
            skip(&reason);
            None
        }
        None => Some(SystemdBox::up(name)),
    }
}

/// The agent for a unit.
fn unit<'host>(machine: &'host SystemdBox, name: &str) -> Agent<'host> {
    agent(machine, "systemd").instance("tested").param("unit", name)
}

/// A recurring monitor at a level.
fn at(agent: &Agent<'_>, level: u32) -> Outcome {
    agent.clone().env("OCF_CHECK_LEVEL", &level.to_string()).monitor()
}

/// What systemctl says of a unit, at once.
fn state(machine: &SystemdBox, name: &str) -> String {
    machine.property(name, "ActiveState")
}

/// Waits until systemctl says so.
#[track_caller]
fn wait_state(machine: &SystemdBox, name: &str, wanted: &str) {
    let reached = wait_until(SOON, || (state(machine, name) == wanted).then_some(()));
    assert!(reached.is_some(), "{name} is {}, not {wanted}", state(machine, name));
}

/// A service that stays, and says when it is ready.
const READY: &str = "[Service]\nType=notify\nNotifyAccess=all\n\
                     ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'\n";

/// A service that only runs.
const SIMPLE: &str = "[Service]\nExecStart=/bin/sleep infinity\n";
