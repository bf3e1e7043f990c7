//! Real clusters, as their users build them: each with the commands that an administrator types,
//! only the provider changed.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod balancer;
mod beside;
mod crmsh;
mod density;
mod floating;
mod moves;
mod special;
mod split;
mod units;
mod upgrade;
mod waiting;
mod web;

use std::sync::{Mutex, MutexGuard, PoisonError};

use harness::cluster::{installed, missing};
use harness::skip::skip;
use harness::stage::SOON;
use harness::tell::tell;

/// Clusters one at a time: what is measured in one is not disturbed by another.
static ONE: Mutex<()> = Mutex::new(());

/// The right to have a cluster; or nothing and a loud skip when this machine cannot have one, or
/// lacks one of the `programs`.
fn turn(programs: &[&str]) -> Option<MutexGuard<'static, ()>> {
    let absent = programs
        .iter()
        .find(|program| !installed(program))
        .map(|program| format!("{program} is not installed"));
    let foreign = harness::call::foreign()
        .then(|| "both sorts of agents are compared here already".to_owned());
    match missing().or(absent).or(foreign) {
        Some(reason) => {
            skip(&reason);
            None
        }
        None => Some(ONE.lock().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// So many addresses as XML, `V1` with 10.9.1.1 and so on, each watched in an interval of seconds.
fn addresses(provider: &str, count: usize, interval: u32) -> String {
    let one = |number: usize| {
        let address = format!("10.9.{}.{}", 1 + (number - 1) / 200, 1 + (number - 1) % 200);
        format!(
            "<primitive id=\"V{number}\" class=\"ocf\" provider=\"{provider}\" type=\"IPaddr2\">\
             <instance_attributes id=\"V{number}-a\"><nvpair id=\"V{number}-i\" name=\"ip\" \
             value=\"{address}\"/>\
             <nvpair id=\"V{number}-n\" name=\"nic\" value=\"eth0\"/>\
             <nvpair id=\"V{number}-c\" name=\"cidr_netmask\" value=\"32\"/></instance_attributes>\
             <operations><op id=\"V{number}-m\" name=\"monitor\" interval=\"{interval}s\" \
             timeout=\"20s\"/></operations></primitive>"
        )
    };
    (1..=count).map(one).collect()
}
