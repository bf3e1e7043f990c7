//! A unit of systemd, with an OCF agent's manners.
//!
//! It does what Pacemaker's own `systemd:` class does, and adds what that class cannot have:
//! parameters, checks of the application, and reasons. It speaks to systemd over D-Bus, and never
//! runs `systemctl`. Where it differs:
//!
//! - **A start is over when the unit is active and the application works**, and not a moment later:
//!   the end of the very job that was begun is waited for, without asking again and again.
//! - **Silence is no answer.** A manager that replaces itself (`daemon-reexec`), a bus that is
//!   restarted, an answer that is lost: the call is repeated until the time is over; without an
//!   answer the result is 1, never "not running".
//! - **Each failure has a reason**: the job's result, how the main process ended, the last line
//!   that it wrote.
//! - **A unit that is on its way** is waited for, within the time that the operation has; one that
//!   is stuck there is reported with its state before Pacemaker's own limit.
//! - **Settings for the time in the cluster** (`dropin`): no restart by systemd, and Pacemaker
//!   before the unit when the machine goes down; systemd reads its files again only when it does
//!   not know them yet.
//! - **Levels**: 0 is the state, 10 also the main process and the checks, 20 also `check_command`.
//!
//! Deliberately absent: killing before systemd does (`stop_force` asks for it), starting what is
//! required, changing units.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod bus;
mod checks;
mod dropin;
mod explain;
mod facts;
mod host;
mod journal;
mod manager;
mod monitor;
mod name;
mod params;
mod record;
mod reload;
mod settings;
mod start;
mod state;
mod stop;
mod watch;

use ocf::prelude::*;

use crate::settings::{Identity, Settings};

/// The agent.
pub struct Systemd;

/// What the agent is.
pub const SPEC: Spec = Spec {
    name: "systemd",
    version: env!("CARGO_PKG_VERSION"),
    short: "Unit of systemd with checks",
    long: "Starts, stops and watches a unit of systemd: a service, or a socket, timer, mount, \
           target or another one. Beyond Pacemaker's class systemd it has parameters, looks \
           whether the application works, and says why it does not.\n\n\
           A monitor at level 0 asks systemd for the state. Level 10 also looks at the main \
           process, and makes the checks \
           that are configured: a page, a port, a local socket. Level 20 also runs a program. A \
           start makes all of them \
           before it counts as good.\n\n\
           The unit should be disabled, so that only the cluster starts it.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 100),
        ActionSpec::new(Action::Stop, 100),
        ActionSpec::new(Action::Reload, 100),
        ActionSpec::new(Action::ReloadAgent, 20),
        ActionSpec::new(Action::Status, 30),
        ActionSpec::new(Action::Monitor, 30).every(10, 0),
        ActionSpec::new(Action::Monitor, 30).every(30, 10),
        ActionSpec::new(Action::Monitor, 60).every(60, 20),
        ActionSpec::new(Action::ValidateAll, 10).at(0),
        ActionSpec::new(Action::ValidateAll, 10).at(10),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: true,
    metadata: include_str!("../../../metadata/systemd.xml"),
};

impl Agent for Systemd {
    type Identity = Option<Identity>;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Option<Identity> {
        Identity::of(&invocation.values)
    }

    fn params(values: &Values, _invocation: &Invocation, faults: &mut Faults) -> Option<Settings> {
        settings::from_values(values, faults)
    }

    fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        host::check(context, settings)
    }

    fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        start::start(context, settings)
    }

    fn stop(context: &Context<'_>, identity: &Option<Identity>) -> Result<(), Failure> {
        stop::stop(context, identity.as_ref())
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

    fn probe_without_params(
        context: &Context<'_>,
        identity: &Option<Identity>,
    ) -> Result<Status, Failure> {
        monitor::probe_without_params(context, identity.as_ref())
    }

    fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
        reload::reload_agent(context, settings).map(|()| Reloaded::Done)
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
