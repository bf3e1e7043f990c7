//! Each parameter once: the meta-data, the checks and the help are made of it.
#![allow(missing_docs, reason = "each constant carries its own texts")]

use std::path::PathBuf;

use ocf::prelude::*;

pub const STATE: Param<PathBuf> = Param::new(
    "state",
    absolute_path,
    "State file",
    "There while the resource runs. If unset, one in /run.",
)
.unique("state");
pub const ALL: &[&dyn AnyParam] = &[&STATE, &WATCH, &WATCH_GRACE, &TRACE_RA, &TRACE_FILE];
