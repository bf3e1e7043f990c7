//! What an agent has to say and do; everything else is done for it by [`crate::run`].
#![forbid(unsafe_code)]

use crate::budget::Budget;
use crate::explain::Explanation;
use crate::failure::{Failure, Kind};
use crate::invocation::Invocation;
use crate::log::Log;
use crate::outcome::{Reloaded, Status};
use crate::spec::Spec;
use crate::values::{Faults, Values};
use crate::watch::Sources;

/// What every step of an action is given.
pub struct Context<'a> {
    /// The call.
    pub invocation: &'a Invocation,
    /// Where messages go.
    pub log: &'a Log,
    /// The action's time, in its phases: every wait ends with its phase.
    pub budget: Budget,
    /// The check level, rounded down to one that the agent supports.
    pub depth: u32,
}

/// An agent. The order of calls is that of the methods.
pub trait Agent {
    /// What finds a resource on this node, for a stop and a probe. No more than these need, and
    /// each part of it from a value that is good: others may be faulty.
    type Identity;

    /// The parameters of a resource, judged and typed.
    type Params;

    /// The description.
    const SPEC: &'static Spec;

    /// Reads the identity from the values that are good; never fails, for a stop must not hang on
    /// parameters. An agent that can find nothing without a certain value makes the type an
    /// `Option`. Pure.
    fn identity(invocation: &Invocation) -> Self::Identity;

    /// Gives the typed parameters, and adds a fault for each combination that cannot be. Pure.
    /// Faults of single values are known already; `None` means that a value that is needed is
    /// missing or faulty.
    fn params(
        values: &Values,
        invocation: &Invocation,
        faults: &mut Faults,
    ) -> Option<Self::Params>;

    /// Judges the machine, for `validate-all` at level 10. A start judges what it meets on its way,
    /// by the same functions.
    ///
    /// # Errors
    /// What the machine lacks.
    fn check_host(_context: &Context<'_>, _params: &Self::Params) -> Result<(), Failure> {
        Ok(())
    }

    /// Makes the resource available; returns when `monitor` would say so. Good when it is available
    /// already.
    ///
    /// # Errors
    /// Why not. Nothing of the attempt is left then.
    fn start(context: &Context<'_>, params: &Self::Params) -> Result<(), Failure>;

    /// Makes sure that nothing of the resource is left, verified by looking. It has the identity
    /// alone, for a stop is never gated by validation.
    ///
    /// # Errors
    /// What is left, or could not be looked at.
    fn stop(context: &Context<'_>, identity: &Self::Identity) -> Result<(), Failure>;

    /// Returns the state.
    ///
    /// # Errors
    /// Why the state is neither running nor cleanly stopped, or cannot be known.
    fn monitor(context: &Context<'_>, params: &Self::Params) -> Result<Status, Failure>;

    /// Opens the event sources of a resource that is well, for a recurring monitor that waits
    /// ([`crate::watch`]): each is something whose event may mean that the next check fails. Called
    /// before that check. None: monitors do not wait.
    ///
    /// # Errors
    /// Why they cannot be opened; the monitor does not wait then.
    fn watch(_context: &Context<'_>, _params: &Self::Params) -> Result<Sources, Failure> {
        Ok(Sources::default())
    }

    /// Explains what a start would do here and why, what a monitor sees, and what is on record, by
    /// the functions that start and monitor use. It changes nothing.
    ///
    /// # Errors
    /// Why a start would fail, after all that could be found out until then.
    fn explain(
        context: &Context<'_>,
        params: &Self::Params,
        explanation: &mut Explanation,
    ) -> Result<(), Failure>;

    /// Looks for the resource when its parameters are faulty, for a probe: by the record and by the
    /// identity, where a stop would find something to end. No check of the application is made.
    ///
    /// # Errors
    /// What is there and neither runs nor is cleanly stopped, or that it cannot be known.
    fn probe_without_params(
        context: &Context<'_>,
        identity: &Self::Identity,
    ) -> Result<Status, Failure>;

    /// Applies changed reloadable parameters. A configuration that the service cannot load is not a
    /// failure but [`Reloaded::Refused`]: Pacemaker stops a resource whose reload has failed, on
    /// every node. The frame calls this again at monitors until the configuration is loaded, so it
    /// must do nothing where nothing has changed.
    ///
    /// # Errors
    /// The service does not run, or no longer works.
    fn reload_agent(_context: &Context<'_>, _params: &Self::Params) -> Result<Reloaded, Failure> {
        Err(unimplemented("reload-agent"))
    }

    /// Makes the service read its own configuration again.
    ///
    /// # Errors
    /// Why not; the service goes on as before.
    fn reload(_context: &Context<'_>, _params: &Self::Params) -> Result<(), Failure> {
        Err(unimplemented("reload"))
    }

    /// Hands the live resource over to the node in the meta attribute `migrate_target`.
    ///
    /// # Errors
    /// Why not.
    fn migrate_to(_context: &Context<'_>, _params: &Self::Params) -> Result<(), Failure> {
        Err(unimplemented("migrate_to"))
    }

    /// Receives the live resource from the node in the meta attribute `migrate_source`.
    ///
    /// # Errors
    /// Why not.
    fn migrate_from(_context: &Context<'_>, _params: &Self::Params) -> Result<(), Failure> {
        Err(unimplemented("migrate_from"))
    }
}

fn unimplemented(action: &str) -> Failure {
    Failure::new(Kind::Unimplemented, format!("this agent has no action {action}"))
}
