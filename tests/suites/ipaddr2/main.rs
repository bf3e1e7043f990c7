//! IPaddr2 against a real kernel: one test for each failure that users of address agents have met.
//!
//! A name that begins with `ip_NN` is a row of the list of reported failures; the doc comment says
//! what went wrong and where it was reported (`RA#n`: ClusterLabs/resource-agents, `KA#n`:
//! acassen/keepalived, `KV#n`: kube-vip/kube-vip, `MLB#n`: metallb/metallb). Row 57 (InfiniBand
//! frames) has no device here: it is a unit test of the agent's encoder.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod address;
mod announce;
mod bad_input;
mod clone;
mod explain;
mod extras;
mod form;
mod hangs;
mod ipv6;
mod kinds;
mod lenient;
mod life;
mod model;
mod neighbours;
mod ocft_common;
mod ocft_v4;
mod ocft_v6;
mod others;
mod quiet;
mod robust;
mod select;
mod together;

use harness::{Agent, Host};

/// Starts, monitors, stops and probes; the address must be where `nic` and `prefix` say, then
/// nowhere.
#[track_caller]
fn full_life(agent: &Agent<'_>, host: &Host, ip: &str, nic: &str, prefix: u64) {
    agent.start().expect_code(0);
    let seen = host.only(ip);
    assert_eq!((seen.nic.as_str(), seen.prefix), (nic, prefix), "{seen:?}");
    agent.monitor().expect_code(0).expect_silent();
    agent.stop().expect_code(0);
    host.expect_absent(ip);
    agent.monitor().expect_code(7);
}

/// A device pair that nothing needs: both ends in `host`, left down.
fn spare_pair(host: &Host) {
    host.ip("link add spare0 type veth peer name spare1");
}
