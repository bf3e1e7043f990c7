//! What every agent needs: `use ocf::prelude::*;`.
#![forbid(unsafe_code)]

pub use crate::action::Action;
pub use crate::agent::{Agent, Context};
pub use crate::explain::Explanation;
pub use crate::failure::{Failure, Kind, OrFail};
pub use crate::invocation::Invocation;
pub use crate::outcome::{Reloaded, Status};
pub use crate::param::{
    AnyParam, Param, TRACE_FILE, TRACE_RA, absolute_path, boolean, text, whole,
};
pub use crate::spec::{ActionSpec, Spec};
pub use crate::state::StateFile;
pub use crate::values::{Faults, Values};
pub use crate::watch::{Sources, WATCH, WATCH_GRACE};
