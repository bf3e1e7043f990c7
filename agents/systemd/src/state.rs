//! What systemd says about a unit, and what that means. Pure.
#![forbid(unsafe_code)]

use std::fmt;

use nix::sys::signal::Signal;

/// A job of systemd's that changes a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it does: `start`, `stop`, `restart` and so on.
    pub verb: String,
    /// Its D-Bus object.
    pub path: String,
}

/// A unit at one moment, as `ListUnitsByNames` reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its own name, whichever alias was given.
    pub id: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`, `maintenance`.
    pub active: String,
    /// The same in finer words, which depend on the type.
    pub sub: String,
    /// What is under way or queued.
    pub job: Option<Job>,
    /// Its D-Bus object.
    pub path: String,
}

impl fmt::Display for Unit {
    /// Name and state, `haproxy.service is deactivating (stop)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {} ({})", self.id, self.active, self.sub)
    }
}

/// What a unit's state means for the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitState {
    /// It does its work.
    Running,
    /// It does its work, and reads its configuration again.
    Reloading,
    /// It does nothing.
    Stopped,
    /// It does nothing, and not because it was ordered to.
    Failed,
    /// It is on the way to one of the others.
    Changing,
    /// A word that we do not know.
    Unknown,
}

impl Unit {
    /// Judges the state.
    #[must_use]
    pub fn verdict(&self) -> UnitState {
        // Between the two halves of a restart a unit may look stopped.
        let comes = self.job.as_ref().is_some_and(|job| {
            matches!(
                job.verb.as_str(),
                "start" | "restart" | "try-restart" | "reload-or-start" | "verify-active"
            )
        });
        match self.active.as_str() {
            "active" => UnitState::Running,
            // Newer versions refresh parts of a service's file systems, too.
            "reloading" | "refreshing" => UnitState::Reloading,
            "inactive" | "failed" if comes => UnitState::Changing,
            "inactive" => UnitState::Stopped,
            "failed" => UnitState::Failed,
            "activating" | "deactivating" => UnitState::Changing,
            _ => UnitState::Unknown,
        }
    }

    /// Whether systemd starts it by itself again and again: a change that leads nowhere.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.active == "activating" && self.sub.starts_with("auto-restart")
    }

    /// Why it cannot be started, where that is known before; `problem` is systemd's own word for
    /// it.
    #[must_use]
    pub fn unusable(&self, problem: &str) -> Option<String> {
        let id = &self.id;
        let detail = if problem.is_empty() { String::new() } else { format!(": {problem}") };
        match self.load.as_str() {
            "not-found" => {
                Some(format!("{id} is not installed: systemd knows no unit of this name"))
            }
            "masked" => {
                Some(format!("{id} is masked: systemctl unmask {id} allows it to be started"))
            }
            "bad-setting" => Some(format!(
                "{id} has a faulty unit file{detail}: run systemd-analyze verify {id}"
            )),
            "error" => Some(format!("{id} cannot be loaded{detail}")),
            _ => None,
        }
    }
}

/// More about a unit, for reasons and decisions beyond a healthy monitor. What an answer lacks, or
/// has in another form, is empty here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How the last run went, `success` or a word for the failure.
    pub result: Option<String>,
    /// How the main process ended (`si_code` of waitid(2)), and with which exit status or signal.
    pub main_end: Option<(i32, i32)>,
    /// The main process.
    pub main_pid: Option<u32>,
    /// The service's type: `simple`, `forking`, `notify`.
    pub service_type: Option<String>,
    /// What systemd does about a service that ends.
    pub restart: Option<String>,
    /// What of a unit a stop kills.
    pub kill_mode: Option<String>,
    /// Why it could not be loaded.
    pub load_error: String,
    /// Whether it is started at boot: `enabled`, `disabled`, `static`.
    pub file_state: String,
    /// Whether it can be reloaded.
    pub can_reload: bool,
    /// Whether its conditions held when it was last started.
    pub condition: Option<bool>,
    /// Those that did not.
    pub conditions: Vec<String>,
    /// Files that add to its unit file.
    pub drop_ins: Vec<String>,
    /// What it is ordered before.
    pub before: Vec<String>,
    /// What may start it besides us.
    pub triggered_by: Vec<String>,
    /// Units that keep it running (`Upholds=`).
    pub upheld_by: Vec<String>,
    /// The unit that has triggered its last start.
    pub started_by: Option<String>,
    /// Whether it may be stopped only with other units (`RefuseManualStop=`).
    pub refuses_stop: bool,
    /// Whether it counts as active when nothing of it runs any more (`RemainAfterExit=`).
    pub remains: bool,
    /// The number of its last run, as the journal writes it.
    pub invocation: Option<String>,
    /// Whether the main process ended first, and the unit's stop was the consequence.
    pub main_ended_first: Option<bool>,
    /// When its last run began, in microseconds since 1970.
    pub began: Option<u64>,
}

impl Facts {
    /// How its last run ended; `None` when there is nothing to say.
    #[must_use]
    pub fn end(&self) -> Option<String> {
        let main = self.main_end.and_then(|(code, status)| match code {
            nix::libc::CLD_EXITED if status != 0 => Some(format!("exit status {status}")),
            nix::libc::CLD_KILLED => Some(format!("killed by {}", signal(status))),
            nix::libc::CLD_DUMPED => Some(format!("crashed with {}", signal(status))),
            _ => None,
        });
        let result = self.result.as_deref().filter(|result| !matches!(*result, "" | "success"));
        match (result, main) {
            (Some(result), Some(main)) => Some(format!("{main} ({result})")),
            (Some(result), None) => Some(format!("result {result}")),
            (None, main) => main,
        }
    }

    /// What ended a unit that is stopped and did not fail.
    #[must_use]
    pub fn clean_end(&self) -> &'static str {
        match (self.main_ended_first, self.main_end) {
            (Some(true), Some((nix::libc::CLD_EXITED, _))) => {
                "the main process ended by itself with exit status 0"
            }
            (Some(true), _) => "the main process ended by itself",
            (None, _) => "it ended, or was stopped outside the cluster",
            (Some(false), _) => {
                "it was stopped outside the cluster (systemctl stop, or a conflict with another \
                 unit)"
            }
        }
    }

    /// Whether other units may start it again at once.
    #[must_use]
    pub fn has_starters(&self) -> bool {
        !self.triggered_by.is_empty() || !self.upheld_by.is_empty()
    }

    /// What starts the unit again when it is stopped.
    #[must_use]
    pub fn starters(&self) -> Option<String> {
        let mut all: Vec<String> = self.triggered_by.clone();
        all.extend(self.upheld_by.iter().map(|unit| format!("{unit} (Upholds=)")));
        if let Some(restart) =
            self.restart.as_deref().filter(|restart| !matches!(*restart, "" | "no"))
        {
            all.push(format!("Restart={restart}"));
        }
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// Whether it has had processes of its own, and counts as active without them.
    #[must_use]
    pub fn hides_its_end(&self) -> bool {
        self.remains && !matches!(self.service_type.as_deref(), None | Some("oneshot"))
    }

    /// Whether processes that a stop leaves are meant to stay: then they say nothing about the
    /// unit.
    #[must_use]
    pub fn leaves_processes(&self) -> bool {
        matches!(self.kill_mode.as_deref(), Some("process" | "none"))
    }

    /// Whether the unit notifies systemd when it is ready. Of the other types systemd knows only
    /// that a process was started.
    #[must_use]
    pub fn notifies_when_ready(&self) -> bool {
        !matches!(self.service_type.as_deref(), Some("simple" | "exec" | "idle"))
    }
}

/// A signal's name.
fn signal(number: i32) -> String {
    Signal::try_from(number)
        .map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

/// What the end of a job that did not reach its goal means. `None` for success.
#[must_use]
pub fn job_failure(verb: &str, id: &str, result: &str) -> Option<String> {
    let why = match result {
        "done" => return None,
        "failed" => "failed".to_owned(),
        "canceled" => "was cancelled by another job of the unit".to_owned(),
        "timeout" => {
            "did not end within the time that the unit itself allows (JobTimeoutSec)".to_owned()
        }
        "dependency" => {
            "was not run, for a unit that it depends on failed; see systemctl list-dependencies"
                .to_owned()
        }
        "skipped" => "was skipped: it does not apply to the unit as it is".to_owned(),
        "invalid" => "does not apply to the unit as it is".to_owned(),
        "assert" => "was not run, for an assertion in the unit file does not hold".to_owned(),
        "unsupported" => {
            "is not possible here: this kernel or container does not support such units".to_owned()
        }
        "once" => "was not run, for the unit runs once in a boot".to_owned(),
        other => format!("ended with \"{other}\""),
    };
    Some(format!("the {verb} job of {id} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(active: &str, job: Option<&str>) -> Unit {
        let job = job.map(|verb| Job { verb: verb.into(), path: "/j".into() });
        Unit {
            id: "a.service".into(),
            load: "loaded".into(),
            active: active.into(),
            sub: "x".into(),
            job,
            path: "/".into(),
        }
    }

    #[test]
    fn states_mean_what_they_say() {
        for (active, expected) in [
            ("active", UnitState::Running),
            ("reloading", UnitState::Reloading),
            ("refreshing", UnitState::Reloading),
            ("inactive", UnitState::Stopped),
            ("failed", UnitState::Failed),
            ("activating", UnitState::Changing),
            ("deactivating", UnitState::Changing),
            ("maintenance", UnitState::Unknown),
            ("", UnitState::Unknown),
        ] {
            assert_eq!(unit(active, None).verdict(), expected, "{active}");
        }
    }

    #[test]
    fn a_restart_is_no_stop() {
        assert_eq!(unit("inactive", Some("restart")).verdict(), UnitState::Changing);
        assert_eq!(unit("failed", Some("start")).verdict(), UnitState::Changing);
        assert_eq!(unit("inactive", Some("stop")).verdict(), UnitState::Stopped);
        assert_eq!(unit("active", Some("stop")).verdict(), UnitState::Running);
    }

    #[test]
    fn the_end_of_a_run_is_described_with_result_and_status() {
        let end = |result: &str, main| {
            Facts { result: Some(result.into()), main_end: main, ..Facts::default() }.end()
        };
        assert_eq!(end("success", Some((1, 0))), None);
        assert_eq!(end("exit-code", Some((1, 3))).unwrap(), "exit status 3 (exit-code)");
        assert_eq!(end("signal", Some((2, 9))).unwrap(), "killed by SIGKILL (signal)");
        assert_eq!(end("core-dump", Some((3, 11))).unwrap(), "crashed with SIGSEGV (core-dump)");
        assert_eq!(end("start-limit-hit", None).unwrap(), "result start-limit-hit");
        assert_eq!(Facts::default().end(), None);
    }

    #[test]
    fn sd_f1_a_main_process_that_ends_by_itself_is_not_taken_for_a_stop() {
        let facts = |first, end| {
            Facts { main_ended_first: first, main_end: end, ..Facts::default() }.clean_end()
        };
        assert!(facts(None, None).starts_with("it ended, or was"));
        assert!(facts(Some(true), Some((1, 0))).contains("by itself with exit status 0"));
        assert!(facts(Some(true), Some((2, 15))).ends_with("by itself"));
        assert!(facts(Some(false), Some((1, 0))).contains("stopped outside the cluster"));
    }

    #[test]
    fn sd_f4_what_starts_a_unit_again_is_named() {
        assert_eq!(Facts::default().starters(), None);
        let facts = Facts {
            triggered_by: vec!["a.socket".into()],
            upheld_by: vec!["b.target".into()],
            restart: Some("always".into()),
            ..Facts::default()
        };
        assert_eq!(facts.starters().unwrap(), "a.socket, b.target (Upholds=), Restart=always");
        let facts = |kind: &str| Facts {
            remains: true,
            service_type: Some(kind.into()),
            ..Facts::default()
        };
        assert!(facts("forking").hides_its_end() && !facts("oneshot").hides_its_end());
    }

    #[test]
    fn each_result_of_a_job_has_its_own_reason() {
        assert_eq!(job_failure("start", "a.service", "done"), None);
        let all = [
            "failed",
            "canceled",
            "timeout",
            "dependency",
            "skipped",
            "invalid",
            "assert",
            "unsupported",
            "once",
            "new",
        ];
        let mut reasons: Vec<String> =
            all.iter().map(|result| job_failure("start", "a.service", result).unwrap()).collect();
        assert!(reasons.iter().all(|reason| reason.starts_with("the start job of a.service ")));
        reasons.sort();
        reasons.dedup();
        assert_eq!(reasons.len(), all.len());
    }
}
