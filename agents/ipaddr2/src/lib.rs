//! A virtual IPv4 or IPv6 address: on this node while the cluster wants it here, and known to the
//! neighbours at once.
//!
//! A drop-in for `ocf:heartbeat:IPaddr2`: the same parameters, defaults and meanings, without
//! iproute2, arping or awk. Where it differs, it does so on purpose:
//!
//! - **The right host, always.** stop finds the address by a record of its own, whatever the
//!   parameters say by then, and succeeds only when it is gone; the peer forgets an address whose
//!   `nic` or `cidr_netmask` has changed. Other addresses of the subnet stay, also with
//!   `promote_secondaries=0`.
//! - **Routing does not decide a monitor.** An address that is there is there, whatever routes say.
//! - **A wrong prefix or label fails the monitor** (1) instead of looking stopped (7). A probe that
//!   finds the address on an interface without link says 1, so that the cluster takes it down,
//!   instead of 7.
//! - **Announcements**: requests and replies, from the first millisecond; IPv6 is announced in the
//!   background too (`arp_bg` is true for both families), and refreshed by monitors. Unless
//!   `arp_interval` is given they are spread over three and a half seconds. `arp_sender` and
//!   `send_arp_opts` have no effect.
//! - **A start without link leaves nothing behind**, and neither does any other failed start.
//! - **Conflict detection** (`run_arping`) takes a fifth of a second instead of three.
//! - **A cluster IP is a globally unique clone**; an anonymous clone is a plain address on each
//!   node. Its rules change in one nft transaction, and nothing announces its address but the
//!   shared MAC (with `clusterip_mac_mangle`).
//! - **Values are checked**: `:::::` and `/33` are refused, a typo in a yes-or-no word too.
//! - **IPv6 is as fast as IPv4**: by default the address serves while duplicate address detection
//!   runs, and is announced with Override at once, though RFC 4429 asks hosts to wait: the cluster
//!   has already decided who owns it.
//!
//! # Rooms
//! - `start`, `stop`, `monitor`: the actions, read from top to bottom. `plan`: what a start
//!   decides. `watch`: what wakes a monitor that waits. `explain`: what start and monitor go by, in
//!   words.
//! - `config`: parameters, the forms of their values, and all of them judged together. Pure.
//! - `address`: where the address belongs (`select`), what is there (`judge`, `observe`), what a
//!   lost link means (`link`), whose the route to its network is (`prefix_route`).
//! - `kernel`: questions (`questions`, `labels`), changes (`changes`, `sysctl`), messages as plain
//!   data (`decode`, `place`), namespaces, duplicate address detection, TCP connections. It needs
//!   no other room.
//! - `announce`: frames, sockets, schedule and pacing of announcements, their background, and the
//!   look for a conflict.
//! - `cluster_ip`: the share of the clients that this node answers, and the firewall's rules for
//!   it.
//! - `record`, `turns`: what is kept between two calls, and the locks.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod address;
mod announce;
mod cluster_ip;
mod config;
mod explain;
#[cfg(test)]
mod fuzz;
mod kernel;
mod monitor;
mod plan;
mod record;
mod start;
mod stop;
mod turns;
mod watch;

use ocf::prelude::*;

use crate::config::settings::{Identity, Settings};

/// The agent.
pub struct IPaddr2;

/// What the agent is.
pub const SPEC: Spec = Spec {
    name: "IPaddr2",
    version: env!("CARGO_PKG_VERSION"),
    short: "Virtual IPv4 or IPv6 address",
    long: "Puts an IPv4 or IPv6 address on a network interface of this node and announces it to \
           the neighbours, so that clients follow a service from node to node. Interface and \
           prefix length are found in the routing table unless they are given.\n\n\
           As a globally unique clone with several instances, all nodes have the address and each \
           answers its share of \
           the clients (a cluster IP, which needs nft or iptables); as an anonymous clone it is a \
           plain address on each \
           node.",
    parameters: config::params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 20),
        ActionSpec::new(Action::Stop, 20),
        ActionSpec::new(Action::Status, 20).every(10, 0),
        ActionSpec::new(Action::Monitor, 20).every(10, 0),
        ActionSpec::new(Action::ReloadAgent, 20),
        ActionSpec::new(Action::ValidateAll, 20).at(0),
        ActionSpec::new(Action::ValidateAll, 20).at(10),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: true,
    metadata: include_str!("../../../metadata/IPaddr2.xml"),
};

impl Agent for IPaddr2 {
    type Identity = Identity;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Identity {
        Identity::of(invocation)
    }

    fn params(values: &Values, invocation: &Invocation, faults: &mut Faults) -> Option<Settings> {
        config::settings::from_values(values, invocation, faults)
    }

    fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        plan::plan(context, settings).map(drop)
    }

    fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        start::start(context, settings)
    }

    fn stop(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
        stop::stop(context, identity)
    }

    fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
        monitor::monitor(context, settings)
    }

    fn watch(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        watch::sources(context, settings)
    }

    fn explain(
        context: &Context<'_>,
        settings: &Settings,
        explanation: &mut Explanation,
    ) -> Result<(), Failure> {
        explain::explain(context, settings, explanation)
    }

    fn probe_without_params(context: &Context<'_>, identity: &Identity) -> Result<Status, Failure> {
        stop::probe_without_params(context, identity)
    }

    /// Every reloadable parameter is read anew by the action that uses it: there is nothing to take
    /// over, only to see that the address is there.
    fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
        match monitor::monitor(context, settings)? {
            Status::Running | Status::Degraded(_) => Ok(Reloaded::Done),
            Status::NotRunning(_) => {
                Err(Failure::generic(format!("{} is not on this node", settings.ip)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_holds_together() {
        ocf::metadata::assert_sound(&super::SPEC);
    }
}
