//! The closed set of results: exit codes, states, and what a finished action says.
#![forbid(unsafe_code)]

use crate::failure::Failure;

/// The exit codes that Pacemaker knows (`include/crm/common/agents.h`); it turns any other into 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// Done, or running.
    Success = 0,
    /// Failed; trying again, here or elsewhere, may help.
    Generic = 1,
    /// A value is wrong on this machine.
    Args = 2,
    /// The agent has no such action.
    Unimplemented = 3,
    /// The caller may not do this.
    Permission = 4,
    /// This machine lacks something that the resource needs.
    Installed = 5,
    /// A value is wrong on every machine.
    Configured = 6,
    /// Cleanly and fully stopped.
    NotRunning = 7,
    /// Running, but degraded: shown in the status, without any recovery (Pacemaker 2.0.5 and
    /// later).
    Degraded = 190,
}

/// What a monitor saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The resource does its work.
    Running,
    /// The resource works, but something that people should look at is wrong.
    Degraded(String),
    /// The resource does nothing on this node. Only a status can say so: the types keep code 7 out
    /// of start and stop.
    NotRunning(Option<String>),
}

impl Status {
    /// Not running, with nothing to add.
    pub const STOPPED: Self = Self::NotRunning(None);

    /// The exit code of a monitor that saw this.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Running => Code::Success,
            Self::Degraded(_) => Code::Degraded,
            Self::NotRunning(_) => Code::NotRunning,
        }
    }

    /// The word that `status` prints for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Degraded(_) => "degraded",
            Self::NotRunning(_) => "stopped",
        }
    }
}

/// What a reload has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// What was to change is in effect.
    Done,
    /// The service goes on as before, with its old configuration, for this reason.
    Refused(String),
}

impl Reloaded {
    /// For the action `reload`, which an administrator has ordered: a refused configuration is a
    /// failure there.
    ///
    /// # Errors
    /// The reason of a refusal.
    pub fn or_refused(self) -> Result<(), Failure> {
        match self {
            Self::Done => Ok(()),
            Self::Refused(reason) => Err(Failure::generic(reason)),
        }
    }
}

/// How an action ended: the exit code, and why when it is not plain success.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Exit {
    /// The process's exit code.
    pub code: Code,
    /// One sentence for the administrator. Present for every code but 0, and but 7 when there is
    /// nothing to add.
    pub reason: Option<String>,
}

impl Exit {
    /// Success without a word.
    pub const OK: Self = Self { code: Code::Success, reason: None };

    /// An exit that explains itself.
    pub fn because(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: Some(reason.into()) }
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        let code = status.code();
        let reason = match status {
            Status::Running => None,
            Status::Degraded(why) => Some(why),
            Status::NotRunning(why) => why,
        };
        Self { code, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_numbers_of_the_specification() {
        let numbers: Vec<u8> = [
            Code::Success,
            Code::Generic,
            Code::Args,
            Code::Unimplemented,
            Code::Permission,
            Code::Installed,
            Code::Configured,
            Code::NotRunning,
            Code::Degraded,
        ]
        .map(|code| code as u8)
        .to_vec();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 190]);
    }

    #[test]
    fn a_status_becomes_its_code_and_keeps_its_reason() {
        assert_eq!(Exit::from(Status::Running), Exit::OK);
        assert_eq!(Exit::from(Status::STOPPED), Exit { code: Code::NotRunning, reason: None });
        assert_eq!(
            Exit::from(Status::Degraded("slow".into())),
            Exit::because(Code::Degraded, "slow")
        );
    }
}
