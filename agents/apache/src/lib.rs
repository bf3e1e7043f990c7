//! The Apache web server: one instance for each configuration file.
//!
//! A drop-in for `ocf:heartbeat:apache`: the same parameters, defaults and check levels, without
//! curl, wget, awk or perl. Where it differs, it does so on purpose:
//!
//! - **A broken configuration fails a start at once**, with the server's own message, file and
//!   line, and code 5 (this machine), never 6. Missing directories for pid file and locks are made.
//!   A start that does not come to serve is taken back.
//! - **Only this instance's processes are touched**: those that run the server's program with this
//!   configuration as an argument, word for word; a number in a pid file is a hint. What a dead
//!   master has left is ended by the next start or stop, and until then a monitor says 1, for
//!   something still answers.
//! - **Without a page to request**, any answer proves life; one of 500 and above is shown as
//!   degraded. With `statusurl`, `testregex` or `expect_status` the status code decides before the
//!   expression: error pages have `</html>` too. No proxy, no redirect, never without limit.
//! - **stop** lets requests end for some seconds at most, then insists; it needs neither
//!   configuration nor program.
//! - **reload** and the parameter `config_serial` make the server read its configuration again,
//!   after a syntax check.
//! - **Configuration is read as the server reads it**; a start and a reload ask the server itself.
//!   Files of variables are data where they can be; only one with more in it is read by a shell. A
//!   second Debian server (`/etc/apache2-x/apache2.conf`) finds its `APACHE_CONFDIR` set, as with
//!   Debian's own tool.
//! - **No module is switched on** in the administrator's configuration (the peer calls
//!   `a2enmod status`).
//! - `client` has no effect. At level 10 without any test the check is that of level 0, not an
//!   error.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod check;
mod config;
mod directives;
mod envfile;
mod explain;
#[cfg(test)]
mod fuzz;
mod instance;
mod listen;
mod monitor;
mod mpm;
mod params;
mod record;
mod reload;
mod server;
mod settings;
mod start;
mod stop;
mod trial;

use ocf::prelude::*;

use crate::settings::{Identity, Settings};

/// The agent.
pub struct Apache;

/// What the agent is.
pub const SPEC: Spec = Spec {
    name: "apache",
    version: env!("CARGO_PKG_VERSION"),
    short: "Apache web server",
    long: "Runs one instance of the Apache web server for each configuration file. A start returns \
           when the server answers. A monitor asks for a page: that of mod_status where the \
           configuration has one, or the one in statusurl; at check level 10 for the page in \
           testurl, or as a file of tests says.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 40),
        ActionSpec::new(Action::Stop, 60),
        ActionSpec::new(Action::Status, 30),
        ActionSpec::new(Action::Monitor, 20).every(10, 0),
        ActionSpec::new(Action::Monitor, 20).every(30, 10),
        ActionSpec::new(Action::Reload, 40),
        ActionSpec::new(Action::ReloadAgent, 40),
        ActionSpec::new(Action::ValidateAll, 5).at(0),
        ActionSpec::new(Action::ValidateAll, 5).at(10),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: true,
    metadata: include_str!("../../../metadata/apache.xml"),
};

impl Agent for Apache {
    /// `None` when a faulty value says which server it is.
    type Identity = Option<Identity>;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Option<Identity> {
        Identity::meant(invocation)
    }

    fn params(values: &Values, invocation: &Invocation, faults: &mut Faults) -> Option<Settings> {
        Settings::read(values, invocation, faults)
    }

    fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        start::check_host(context, settings)
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

    fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        reload::reload(context, settings)
    }

    /// Without a record there is nothing to go by: the monitor makes one.
    fn watch(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        let known = instance::remembered(context, &settings.identity);
        let found = known.map(|known| monitor::observe(context, &known)).transpose()?;
        Sources::of_master(found.and_then(|found| found.master))
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
