//! A resource that is a file: the example for new agents, and something to try a cluster with. It
//! has the parameters of `ocf:pacemaker:Dummy`, without that one's check levels that fail on
//! purpose and without live migration.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

mod params;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ocf::prelude::*;
use ocf::state::short;
use ocf::sys::file;

/// The agent.
pub struct Dummy;

/// What a stop and a probe need, also when other parameters are faulty.
pub struct Identity {
    state: PathBuf,
    op_sleep: Duration,
    envfile: Option<PathBuf>,
}

/// A resource as configured.
pub struct Settings {
    identity: Identity,
    fail_start_on: Option<String>,
}

const SPEC: Spec = Spec {
    name: "Dummy",
    version: env!("CARGO_PKG_VERSION"),
    short: "Example resource that is a file",
    long: "Remembers in a file whether it runs. For tests of a cluster, and as an example for new \
        agents.",
    parameters: params::ALL,
    actions: &[
        ActionSpec::new(Action::Start, 20),
        ActionSpec::new(Action::Stop, 20),
        ActionSpec::new(Action::Status, 20).every(10, 0),
        ActionSpec::new(Action::Monitor, 20).every(10, 0),
        ActionSpec::new(Action::Reload, 20),
        ActionSpec::new(Action::ReloadAgent, 20),
        ActionSpec::new(Action::ValidateAll, 20).at(0),
        ActionSpec::new(Action::MetaData, 5),
    ],
    needs_root: false,
    metadata: include_str!("../../../metadata/Dummy.xml"),
};

impl Agent for Dummy {
    type Identity = Identity;
    type Params = Settings;
    const SPEC: &'static Spec = &SPEC;

    fn identity(invocation: &Invocation) -> Identity {
        let values = &invocation.values;
        let seconds = values.get(&params::OP_SLEEP).unwrap_or_default();
        Identity {
            state: values.get(&params::STATE).unwrap_or_else(|| default_state(invocation)),
            op_sleep: Duration::from_secs(seconds.into()),
            envfile: values.get(&params::ENVFILE),
        }
    }

    fn params(values: &Values, invocation: &Invocation, _faults: &mut Faults) -> Option<Settings> {
        Some(Settings {
            identity: Self::identity(invocation),
            fail_start_on: values.get(&params::FAIL_START_ON),
        })
    }

    fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        if Self::monitor(context, settings)? != Status::Running {
            let state = &settings.identity.state;
            file::write_atomic(state, b"", 0o600).or_fail(state.display())?;
        }
        let node = nix::unistd::gethostname().unwrap_or_default();
        match &settings.fail_start_on {
            Some(name) if node == **name => {
                Err(Failure::generic(format!("fail_start_on is this node, {name}")))
            }
            _ => Ok(()),
        }
    }

    fn stop(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
        begin(context, identity)?;
        file::remove_written(&identity.state).or_fail(identity.state.display())
    }

    fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
        begin(context, &settings.identity)?;
        look(&settings.identity.state)
    }

    fn explain(
        _context: &Context<'_>,
        settings: &Settings,
        explanation: &mut Explanation,
    ) -> Result<(), Failure> {
        let state = &settings.identity.state;
        explanation.line("state file", state.display());
        let seen = look(state);
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
        look(&identity.state)
    }

    fn watch(_context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        let mut sources = Sources::default();
        sources.add_file(&settings.identity.state, Duration::ZERO)?;
        Ok(sources)
    }

    fn reload(_context: &Context<'_>, _settings: &Settings) -> Result<(), Failure> {
        Ok(())
    }

    fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
        Self::start(context, settings).map(|()| Reloaded::Done)
    }
}

fn look(state: &Path) -> Result<Status, Failure> {
    let is_there = state.try_exists().or_fail(state.display())?;
    Ok(if is_there { Status::Running } else { Status::STOPPED })
}

/// A file for each resource; the instances of an anonymous clone are all one to a node.
fn default_state(invocation: &Invocation) -> PathBuf {
    let whole = invocation.instance();
    let name = if invocation.clone_meta().globally_unique {
        whole
    } else {
        whole.split(':').next().unwrap_or(whole)
    };
    Path::new(invocation.variable("HA_VARRUN").unwrap_or("/run"))
        .join(format!("Dummy-{}.state", short(&name.replace('/', "_"))))
}

/// What each action does first: show its environment, and take its time.
fn begin(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
    if let Some(path) = &identity.envfile {
        let mut file = file::open_append(path).or_fail(path.display())?;
        for (name, value) in context.invocation.environment() {
            writeln!(file, "{}={}", name.display(), value.display()).or_fail(path.display())?;
        }
    }
    context.budget.work().sleep(identity.op_sleep);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_holds_together() {
        ocf::metadata::assert_sound(&super::SPEC);
    }
}
