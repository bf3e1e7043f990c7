//! nginx, the web server and proxy: one instance, which is one configuration file.
//!
//! A drop-in for `ocf:heartbeat:nginx`: the same parameters, defaults and check levels, without a
//! shell, curl or wget. Where it differs, it does so on purpose:
//!
//! - **The right processes, always.** The number in a pid file is believed only if that process is
//!   nginx with this configuration file. Workers that a dead master has left are found by their
//!   session and ended by stop and start; a monitor that finds them says 1, for they still serve.
//! - **Level 0 asks the server**, with a line that nginx answers itself; one that is frozen fails
//!   in half of the time-out, and in ten seconds at the latest.
//! - **The status code decides** at levels 10 and 20, then the expression; redirects are explained
//!   and not followed.
//! - **Level 10 finds the page** with `stub_status` in the configuration, on whatever address its
//!   server listens.
//! - **Level 20 uses `test20name`**, and a file of tests with a client of its own is refused.
//! - **Level 30 runs the whole command** with its arguments and without a shell. A failure is 1.
//! - **A check leaves nothing behind**: `nginx -t` makes a pid file, logs and directories, which
//!   are taken away.
//! - **A faulty configuration is 5**, with file and line, never 6; stop does not look at it.
//! - **Stop is graceful** (SIGQUIT) for some seconds at most, then quick, then by force, and looks
//!   whether all are gone.
//! - **`reload` checks first**, waits for the new workers, and starts nothing that does not run;
//!   `config_serial` reloads by a change of parameters.
//! - **`daemon off` is refused**: such a start would never return.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod ask;
mod check;
mod config;
mod explain;
#[cfg(test)]
mod fuzz;
mod instance;
mod monitor;
mod params;
mod record;
mod reload;
mod settings;
mod start;
mod stop;
mod title;

use ocf::daemon::Daemon as _;
use ocf::prelude::*;

use crate::check::Verdict;
use crate::instance::Instance;
use crate::settings::{Identity, Settings};

/// The agent.
pub struct Nginx;

/// What the agent is.
pub const SPEC: Spec = Spec {
    name: "nginx",
    version: env!("CARGO_PKG_VERSION"),
    short: "nginx web server and proxy",
    long: "Runs an instance of the web server and proxy nginx: one configuration file. Several on \
           one node need pid files of their own.\n\n\
           A monitor at level 0 sees that the server runs and answers. Level 10 reads a status \
           page, by default that of \
           stub_status. Level 20 reads any page, or runs a test from a file. Level 30 runs a \
           program. At levels 10 and 20 \
           the HTTP status code decides first, then the expression.\n\n\
           The action reload makes nginx read its configuration again; with pcs or crm, change \
           config_serial.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 40),
        ActionSpec::new(Action::Stop, 60),
        ActionSpec::new(Action::Reload, 40),
        ActionSpec::new(Action::ReloadAgent, 40),
        ActionSpec::new(Action::Status, 30),
        ActionSpec::new(Action::Monitor, 30).every(10, 0),
        ActionSpec::new(Action::Monitor, 30).every(30, 10),
        ActionSpec::new(Action::Monitor, 45).every(60, 20),
        ActionSpec::new(Action::Monitor, 60).every(61, 30),
        ActionSpec::new(Action::ValidateAll, 5).at(0),
        ActionSpec::new(Action::ValidateAll, 5).at(10),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: true,
    metadata: include_str!("../../../metadata/nginx.xml"),
};

impl Agent for Nginx {
    /// `None` when a faulty value says which server it is.
    type Identity = Option<Identity>;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Option<Identity> {
        Identity::meant(&invocation.values)
    }

    fn params(values: &Values, _invocation: &Invocation, faults: &mut Faults) -> Option<Settings> {
        settings::from_values(values, faults)
    }

    fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        let described = instance::describe(context, &settings.identity);
        match check::check(context, &described)? {
            // The address may come with another resource, before a start.
            Verdict::Good | Verdict::NoAddress(_) => Ok(()),
            Verdict::NoName(why) => Err(Failure::generic(why)),
            Verdict::Denied(why) => Err(Failure::new(Kind::Permission, why)),
            Verdict::Bad(why) => Err(Failure::installed(why)),
        }
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

    /// Without a record there is nothing to go by: the monitor makes one.
    fn watch(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        let recorded = Instance::recorded(context.invocation);
        let instance = recorded.filter(|instance| instance.record.identity == settings.identity);
        let found = instance.map(|instance| instance.observe(context.budget.work())).transpose()?;
        Sources::of_master(found.and_then(|found| found.master))
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
