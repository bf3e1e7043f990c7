//! Real Pacemaker with the agents: what its own programs and daemons make of them.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod addresses;
mod changes;
mod cluster;
mod defaults;
mod faulty;
mod recipes;
mod tools;
mod waiting;
mod web;

use std::time::Duration;

use harness::Cluster;
use harness::cluster::{installed, missing};
use harness::skip::skip;

/// Until the cluster must have done something small, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// One node; or nothing and a loud skip when this machine cannot have it, or lacks one of the
/// `programs`.
fn one_node(programs: &[&str]) -> Option<Cluster> {
    let absent = programs
        .iter()
        .find(|program| !installed(program))
        .map(|program| format!("{program} is not installed"));
    match missing().or(absent) {
        Some(reason) => {
            skip(&reason);
            None
        }
        None => Some(Cluster::up(1)),
    }
}
