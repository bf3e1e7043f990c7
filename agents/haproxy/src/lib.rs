//! HAProxy, the load balancer: one instance, which is one configuration.
//!
//! There is no shell agent in the distributions; two families of them are passed around, and their
//! parameters' names are understood. What none of them does:
//!
//! - **The right processes, always.** An instance is recognised by its executable and by the
//!   configuration or the pid file of its own that it was started with, not by a number in a file.
//!   A second start never makes a second master, which SO_REUSEPORT would allow.
//! - **A master of our own.** haproxy runs as master and worker (`-W`) with a pid file and a master
//!   socket of the resource's, whatever the configuration says (haproxy#443). `mode=daemon` is for
//!   those who cannot have that.
//! - **haproxy answers for itself.** A monitor asks on the master's socket, and takes no old
//!   worker's answer for the new one's. Level 10 looks at the frontends, level 20 at the servers of
//!   each backend.
//! - **A faulty configuration is 5**, with file and line. An address that is not here yet is 1,
//!   with what to do about it.
//! - **Stop is soft** (SIGUSR1) for a share of its time, then ends what is left, old workers of
//!   former reloads too.
//! - **A reload is proven**, by a new worker that answers and whose frontends listen; a failed one
//!   leaves the old worker alone.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod arguments;
mod ask;
mod bind;
mod check;
mod cli;
mod explain;
mod instance;
mod monitor;
mod params;
mod plain;
mod reading;
mod record;
mod reload;
mod settings;
mod start;
mod stop;
mod sum;
mod watch;

use ocf::prelude::*;

use crate::check::Verdict;
use crate::settings::{Identity, Settings};

/// The agent.
pub struct Haproxy;

/// What the agent is.
pub const SPEC: Spec = Spec {
    name: "haproxy",
    version: env!("CARGO_PKG_VERSION"),
    short: "HAProxy load balancer",
    long: "Runs an instance of the load balancer HAProxy, version 2.2 or later: one configuration. \
           Order it after the addresses that it listens on, or set net.ipv4.ip_nonlocal_bind=1. \
           The service of the system must be disabled.\n\n\
           A monitor at level 0 sees that the master and its worker live and answer. Level 10 \
           sees that all frontends take \
           connections, and reads the page of statusurl if there is one. Level 20 sees that each \
           backend has servers enough \
           that are up; with fewer the resource is degraded, or has failed if on_low says so.\n\n\
           The action reload makes haproxy read its configuration again; with pcs or crm, change \
           config_serial, or set \
           reload_on=change.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 40),
        ActionSpec::new(Action::Stop, 60),
        ActionSpec::new(Action::Reload, 40),
        ActionSpec::new(Action::ReloadAgent, 40),
        ActionSpec::new(Action::Status, 30),
        ActionSpec::new(Action::Monitor, 30).every(10, 0),
        ActionSpec::new(Action::Monitor, 30).every(30, 10),
        ActionSpec::new(Action::Monitor, 30).every(31, 20),
        ActionSpec::new(Action::ValidateAll, 10).at(0),
        ActionSpec::new(Action::ValidateAll, 10).at(10),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: true,
    metadata: include_str!("../../../metadata/haproxy.xml"),
};

impl Agent for Haproxy {
    type Identity = Identity;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Identity {
        Identity::of(&invocation.values)
    }

    fn params(values: &Values, _invocation: &Invocation, faults: &mut Faults) -> Option<Settings> {
        settings::from_values(values, faults)
    }

    fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        let instance = instance::describe(context.invocation, &settings.identity);
        match check::check(context, &instance, false)? {
            Verdict::Good => Ok(()),
            Verdict::NotNow(why) => Err(Failure::generic(why)),
            Verdict::Denied(why) => Err(Failure::new(Kind::Permission, why)),
            Verdict::Bad(why) => Err(Failure::installed(why)),
        }
    }

    fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        start::start(context, settings)
    }

    fn stop(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
        stop::stop(context, identity)
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

    fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
        monitor::monitor(context, settings)
    }

    fn watch(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        watch::sources(context, settings)
    }

    fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
        reload::reload_agent(context, settings)
    }

    fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        reload::reload(context, settings)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_holds_together() {
        ocf::metadata::assert_sound(&super::SPEC);
    }
}
