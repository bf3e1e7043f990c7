//! What a failure means for the action that met it: one table instead of a habit of each agent.
//!
//! | kind | start, reload, validate-all | stop | probe | recurring monitor |
//! | --- | --- | --- | --- | --- |
//! | `Configured` | 6 | 1 | 7 | 6 |
//! | `Installed`, `Args` | 5, 2 | 1 | 7 | 1 |
//! | `Permission` | 4 | 4 | 4 | 4 |
//! | `Unimplemented` | 3 | 3 | 3 | 3 |
//! | `Generic` | 1 | 1 | 1 | 1 |
//!
//! A probe asks "is it here?": a machine that lacks the software, or a resource that could run
//! nowhere, has the clean answer "not here" (7). With faulty parameters that answer comes after a
//! look by what is good of them ([`crate::run`]). A recurring monitor of something that ran must
//! not say 5 or 2, for those bar the node for good where a restart might do; a value that is wrong
//! everywhere stays 6, since no node can do better with it. A stop reaches this table only by a
//! failure of its own (its parameters never gate it), and every failed stop is 1.
#![forbid(unsafe_code)]

use crate::action::Action;
use crate::failure::{Failure, Kind};
use crate::outcome::{Code, Exit};

/// The exit that a failed action ends with.
pub fn settle(action: Action, probe: bool, failure: &Failure) -> Exit {
    Exit::because(code(action, probe, failure.kind), failure.to_string())
}

fn code(action: Action, probe: bool, kind: Kind) -> Code {
    match kind {
        Kind::Generic => Code::Generic,
        Kind::Permission => Code::Permission,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Args | Kind::Installed | Kind::Configured if action == Action::Stop => Code::Generic,
        Kind::Args | Kind::Installed | Kind::Configured if action.is_monitor() && probe => {
            Code::NotRunning
        }
        Kind::Configured => Code::Configured,
        Kind::Args | Kind::Installed if action.is_monitor() => Code::Generic,
        Kind::Args => Code::Args,
        Kind::Installed => Code::Installed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the module doc: start, stop, probe, recurring monitor, validate-all,
    /// reload-agent.
    const TABLE: &[(Kind, [u8; 6])] = &[
        (Kind::Generic, [1, 1, 1, 1, 1, 1]),
        (Kind::Args, [2, 1, 7, 1, 2, 2]),
        (Kind::Unimplemented, [3, 3, 3, 3, 3, 3]),
        (Kind::Permission, [4, 4, 4, 4, 4, 4]),
        (Kind::Installed, [5, 1, 7, 1, 5, 5]),
        (Kind::Configured, [6, 1, 7, 6, 6, 6]),
    ];

    #[test]
    fn every_kind_meets_every_action_as_the_table_says() {
        let actions = [
            (Action::Start, true),
            (Action::Stop, true),
            (Action::Monitor, true),
            (Action::Monitor, false),
            (Action::ValidateAll, true),
            (Action::ReloadAgent, true),
        ];
        for (kind, codes) in TABLE {
            for ((action, probe), expected) in actions.iter().zip(codes) {
                let exit = settle(*action, *probe, &Failure::new(*kind, "x"));
                assert_eq!(exit.code as u8, *expected, "{kind:?} {action:?} probe={probe}");
                assert_eq!(exit.reason.as_deref(), Some("x"));
            }
        }
    }
}
