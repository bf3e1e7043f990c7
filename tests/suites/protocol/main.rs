//! What every agent owes its caller, whatever it manages: run against IPaddr2 and Dummy.
//!
//! A name that begins with `sl_NN` is a row of the list of failures that users met in the shared
//! shell library (`RA#n`: ClusterLabs/resource-agents).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod dummy;
mod environment;
mod hangs;
mod metadata;
mod reason;
mod state;
mod words;

use harness::{Agent, L2, agent};

/// Each agent, well configured.
fn subjects(rig: &L2) -> [Agent<'_>; 2] {
    [rig.vip4(), dummy_on(rig)]
}

/// Dummy on A.
fn dummy_on(rig: &L2) -> Agent<'_> {
    agent(&rig.a, "Dummy").instance("dummy").param("state", "/run/dummy.state")
}

/// Each agent with a value that is wrong everywhere; and what its reason must name.
fn mistaken(rig: &L2) -> [(Agent<'_>, &'static str); 2] {
    [
        (rig.vip4().param("cidr_netmask", "junk"), "cidr_netmask"),
        (dummy_on(rig).param("op_sleep", "junk"), "op_sleep"),
    ]
}
