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

/// A resource as configured.
pub struct Settings {
    state: PathBuf,
    op_sleep: Duration,
    fail_start_on: Option<String>,
    envfile: Option<PathBuf>,
}

const SPEC: Spec = Spec {
    name: "Dummy",
    version: env!("CARGO_PKG_VERSION"),
    short: "Example resource that is a file",
    long: "Remembers in a file whether it runs. For tests of a cluster, and as an example for new agents.",
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
    type Params = Settings;
    const SPEC: &'static Spec = &SPEC;

    fn params(values: &Values, invocation: &Invocation, _faults: &mut Faults) -> Option<Settings> {
        Some(Settings {
            state: state(invocation),
            envfile: values.get(&params::ENVFILE),
            op_sleep: Duration::from_secs(values.get(&params::OP_SLEEP)?.into()),
            fail_start_on: values.get(&params::FAIL_START_ON),
        })
    }

    fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
        if Self::monitor(context, settings)? != Status::Running {
            file::write_atomic(&settings.state, b"", 0o600).or_fail(settings.state.display())?;
        }
        let node = nix::unistd::gethostname().unwrap_or_default();
        match &settings.fail_start_on {
            Some(name) if node == **name => {
                Err(Failure::generic(format!("fail_start_on is this node, {name}")))
            }
            _ => Ok(()),
        }
    }

    fn stop(context: &Context<'_>, settings: Option<&Settings>) -> Result<(), Failure> {
        let state = state(context.invocation);
        settings.map_or(Ok(()), |settings| begin(context, settings))?;
        file::remove(&state).or_fail(state.display())
    }

    fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
        begin(context, settings)?;
        look(&settings.state)
    }

    fn explain(
        _context: &Context<'_>,
        settings: &Settings,
        explanation: &mut Explanation,
    ) -> Result<(), Failure> {
        explanation.line("state file", settings.state.display());
        let seen = look(&settings.state);
        explanation.monitor(&seen);
        match seen? {
            Status::NotRunning(_) => explanation.line("start", "makes the state file"),
            _ => explanation.because("start", "does nothing", "the state file is there"),
        }
        Ok(())
    }

    fn probe_without_params(context: &Context<'_>) -> Result<Status, Failure> {
        look(&state(context.invocation))
    }

    fn watch(_context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
        let mut sources = Sources::default();
        sources.add_file(&settings.state, Duration::ZERO)?;
        Ok(sources)
    }

    fn reload(_context: &Context<'_>, _settings: &Settings) -> Result<(), Failure> {
        Ok(())
    }

    fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
        Self::start(context, settings).map(|()| Reloaded::Done)
    }
}

/// The file, whatever other parameters are.
fn state(invocation: &Invocation) -> PathBuf {
    invocation.values.get(&params::STATE).unwrap_or_else(|| default_state(invocation))
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
fn begin(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    if let Some(path) = &settings.envfile {
        let mut file = file::open_append(path).or_fail(path.display())?;
        for (name, value) in context.invocation.environment() {
            writeln!(file, "{}={}", name.display(), value.display()).or_fail(path.display())?;
        }
    }
    context.budget.work().sleep(settings.op_sleep);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_holds_together() {
        ocf::metadata::assert_sound(&super::SPEC);
    }
}
