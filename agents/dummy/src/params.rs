//! Each parameter once. Names and meanings are those of `ocf:pacemaker:Dummy`.
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
pub const PASSWD: Param<String> =
    Param::new("passwd", text, "Password", "Not used. Shows how a secret is kept.")
        .reloadable()
        .private();
pub const FAKE: Param<String> =
    Param::new("fake", text, "Something to change", "Not used. Change it to see a reload.")
        .or("dummy")
        .reloadable();
pub const OP_SLEEP: Param<u32> =
    Param::new("op_sleep", seconds, "Delay", "How many seconds actions take.")
        .integer()
        .or("0")
        .reloadable();
pub const FAIL_START_ON: Param<String> = Param::new(
    "fail_start_on",
    text,
    "Node that fails",
    "The node on which start reports a failure.",
)
.reloadable();
pub const ENVFILE: Param<PathBuf> = Param::new(
    "envfile",
    absolute_path,
    "Environment file",
    "Each action adds its environment to it.",
)
.reloadable();
pub const ALL: &[&dyn AnyParam] = &[
    &STATE,
    &PASSWD,
    &FAKE,
    &OP_SLEEP,
    &FAIL_START_ON,
    &ENVFILE,
    &WATCH,
    &WATCH_GRACE,
    &TRACE_RA,
    &TRACE_FILE,
];

fn seconds(text: &str) -> Result<u32, String> {
    whole(text, 0, 86_400)
}
