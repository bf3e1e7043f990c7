//! @NAME@: a resource that is a file.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod params;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ocf::prelude::*;
use ocf::state::short;
use ocf::sys::file;

/// The agent.
pub struct @TYPE@;

/// What finds the resource on this node. A stop has no more than this, for other parameters may be
/// faulty.
pub struct Identity {
    state: PathBuf,
}

/// A resource as configured.
pub struct Settings {
    identity: Identity,
}

const SPEC: Spec = Spec {
    name: "@NAME@",
    version: env!("CARGO_PKG_VERSION"),
    short: "Resource that is a file",
    long: "Remembers in a file whether it runs.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 20),
        ActionSpec::new(Action::Stop, 20),
        ActionSpec::new(Action::Status, 20).every(10, 0),
        ActionSpec::new(Action::Monitor, 20).every(10, 0),
        ActionSpec::new(Action::ReloadAgent, 20),
        ActionSpec::new(Action::ValidateAll, 20).at(0),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: false,
    metadata: include_str!("../../../metadata/@NAME@.xml"),
};

impl Agent for @TYPE@ {
    type Identity = Identity;
    type Params = Settings;

    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Identity {
        let given = invocation.values.get(&params::STATE);
        Identity { state: given.unwrap_or_else(|| default_state(invocation)) }
    }

    fn params(_values: &Values, invocation: &Invocation, _faults: &mut Faults) -> Option<Settings> {
        Some(Settings { identity: Self::identity(invocation) })
    }

    fn start(_context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        let state = &settings.identity.state;
        match look(&settings.identity)? {
            Status::NotRunning(_) => file::write_atomic(state, b"", 0o600).or_fail(state.display()),
            _ => Ok(()),
        }
    }

    fn stop(_context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
        file::remove_written(&identity.state).or_fail(identity.state.display())
    }

    fn monitor(_context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
        look(&settings.identity)
    }

    fn watch(_context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        let mut sources = Sources::default();
        sources.add_file(&settings.identity.state, Duration::ZERO)?;
        Ok(sources)
    }

    fn explain(
        _context: &Context<'_>,
        settings: &Settings,
        explanation: &mut Explanation,
    ) -> Result<(), Failure> {
        explanation.line("state file", settings.identity.state.display());
        let seen = look(&settings.identity);
        explanation.monitor(&seen);
        match seen? {
            Status::NotRunning(_) => explanation.line("start", "makes the state file"),
            _ => explanation.because("start", "does nothing", "the state file is there"),
        }
        Ok(())
    }

    fn probe_without_params(
        _context: &Context<'_>,
        identity: &Identity,
    ) -> Result<Status, Failure> {
        look(identity)
    }

    fn reload_agent(_context: &Context<'_>, _settings: &Settings) -> Result<Reloaded, Failure> {
        Ok(Reloaded::Done)
    }
}

fn look(identity: &Identity) -> Result<Status, Failure> {
    let is_there = identity.state.try_exists().or_fail(identity.state.display())?;
    Ok(if is_there { Status::Running } else { Status::STOPPED })
}

/// A file for each resource; the instances of an anonymous clone are all one to a node.
fn default_state(invocation: &Invocation) -> PathBuf {
    let whole = invocation.instance();
    let is_unique = invocation.clone_meta().globally_unique;
    let name = if is_unique { whole } else { whole.split(':').next().unwrap_or(whole) };
    Path::new(invocation.variable("HA_VARRUN").unwrap_or("/run"))
        .join(format!("@NAME@-{}.state", short(&name.replace('/', "_"))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_holds_together() {
        ocf::metadata::assert_sound(&super::SPEC);
    }
}
