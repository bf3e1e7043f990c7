//! ldirectord, the director of Linux Virtual Server: one daemon, which is one configuration file.
//!
//! A drop-in for `ocf:heartbeat:ldirectord`: the same parameters and defaults. Where it differs, it
//! does so on purpose:
//!
//! - **The right process, always.** The number in a pid file is believed only if that process is
//!   ldirectord with this configuration; processes are never looked for by a pattern of their
//!   command line.
//! - **A probe and a stop need nothing**: neither the program nor the configuration (the shell
//!   agent says 5 to both).
//! - **Level 0 is cheap.** It looks at the process and starts nothing; level 10 runs the daemon's
//!   own `status`, which is an interpreter with all its modules; level 20 reads the kernel's table,
//!   by netlink.
//! - **A mistake in the configuration** is 5 at the start, with its line. A running daemon is not
//!   restarted for one: level 10 says 190. The daemon's own `status` removes the pid file of a
//!   running daemon then; the agent does not ask it.
//! - **A reload** (new), by `config_serial` too, makes the daemon read its file again, if that has
//!   no mistake; the kernel directs on meanwhile.
//! - **Start returns when the kernel has the virtual services**, and waits a little for the first
//!   live real servers.
//! - **Stop waits** until the daemon has ended, and leaves the table as it was before the start,
//!   whatever killed the daemon: services of others stay, those that were there get back what they
//!   had. `cleanstop=no` is respected. When the daemon had died, a start that follows soon goes on
//!   with what it had in the table: clients need not wait for an interpreter with all its modules.
//! - **A pid file that another configuration of the same name uses** is an error, where the daemon
//!   starts nothing and says that all is well.
//! - **`supervised=yes` is refused**: such a start would never return. What `execute=` starts
//!   belongs to the resource.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod argv;
mod bridge;
mod check;
mod config;
mod explain;
#[cfg(test)]
mod fuzz;
mod instance;
mod ipvs;
mod kernel;
mod modules;
mod monitor;
mod names;
mod params;
mod record;
mod reload;
mod schedulers;
mod settings;
mod start;
mod stop;
mod table;

use ocf::prelude::*;

use crate::settings::{Identity, Settings};

/// The agent.
pub struct Ldirectord;

/// What the agent is.
pub const SPEC: Spec = Spec {
    name: "ldirectord",
    version: env!("CARGO_PKG_VERSION"),
    short: "ldirectord, the director of Linux Virtual Server",
    long: "Runs ldirectord, which balances virtual services by the kernel's IP Virtual Server and \
           keeps real servers that do not work out of it.\n\n\
           A monitor at level 0 sees that the daemon of this configuration runs. Level 10 asks \
           the daemon's own status. Level \
           20 sees that the kernel's table has every virtual service of the configuration, and \
           each of them a real server or \
           the fallback to send clients to.\n\n\
           The action reload makes the daemon read its configuration again; with pcs or crm, \
           change config_serial.\n\n\
           A stop leaves the kernel's table as it was before the start.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 30),
        ActionSpec::new(Action::Stop, 30),
        ActionSpec::new(Action::Reload, 30),
        ActionSpec::new(Action::ReloadAgent, 30),
        ActionSpec::new(Action::Status, 15),
        ActionSpec::new(Action::Monitor, 15).every(20, 0),
        ActionSpec::new(Action::Monitor, 30).every(60, 10),
        ActionSpec::new(Action::Monitor, 15).every(30, 20),
        ActionSpec::new(Action::ValidateAll, 10).at(0),
        ActionSpec::new(Action::ValidateAll, 10).at(10),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: true,
    metadata: include_str!("../../../metadata/ldirectord.xml"),
};

impl Agent for Ldirectord {
    type Identity = Option<Identity>;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Option<Identity> {
        Identity::of(&invocation.values)
    }

    fn params(values: &Values, _invocation: &Invocation, _faults: &mut Faults) -> Option<Settings> {
        settings::from_values(values)
    }

    fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        check::files(settings)?;
        let described = check::describe(&settings.identity.configfile, context.budget.work())?;
        check::loadable(&described, &settings.identity, context.budget.work())?;
        described.remarks.iter().for_each(|remark| context.log.warn(format_args!("{remark}")));
        Ok(())
    }

    fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        start::start(context, settings)
    }

    fn stop(context: &Context<'_>, identity: &Option<Identity>) -> Result<(), Failure> {
        stop::stop(context, identity.as_ref())
    }

    fn explain(
        context: &Context<'_>,
        settings: &Settings,
        explanation: &mut Explanation,
    ) -> Result<(), Failure> {
        explain::explain(context, settings, explanation)
    }

    fn probe_without_params(
        context: &Context<'_>,
        identity: &Option<Identity>,
    ) -> Result<Status, Failure> {
        stop::probe_without_params(context, identity.as_ref())
    }

    fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
        monitor::monitor(context, settings)
    }

    fn watch(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        monitor::sources(context, settings)
    }

    fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        reload::reload(context, settings)
    }

    fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
        reload::reload_agent(context, settings)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_holds_together() {
        ocf::metadata::assert_sound(&super::SPEC);
    }
}
