//! Makes haproxy read its configuration again without losing a connection.
//!
//! The signal alone proves nothing: a master whose new configuration is of no use goes on with its
//! old worker and says so only on its socket (haproxy#443). So the proof is a worker that was not
//! there before, that answers, and whose frontends listen.
#![forbid(unsafe_code)]

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::{Daemon, complaint};
use ocf::failure::plain;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command;
use ocf::sys::file;
use ocf::sys::process::Process;

use crate::ask::{self, Question};
use crate::bind;
use crate::check::{self, Verdict};
use crate::cli::proc::Processes;
use crate::instance::{self, Instance};
use crate::record::Record;
use crate::settings::{Mode, Settings};
use crate::sum;

/// One look at a master that may be busy with its new configuration.
const LOOK: Duration = Duration::from_secs(2);

/// More bytes than the file has that is added to the configuration.
const LARGEST_EXTRA: u64 = 64 << 10;

/// Reads the configuration again. What does not run is not started: for the cluster it would be
/// stopped all the same.
///
/// # Errors
/// Why not: the old worker goes on then, with the old configuration.
pub fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let (instance, master) = running(context, settings)?;
    renew(context, settings, instance, &master)?.or_refused()
}

/// Applies changed parameters. All but `config_serial` and `hard_stop_after` are read anew by the
/// action that uses them.
///
/// # Errors
/// haproxy does not run.
pub fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
    let (instance, master) = running(context, settings)?;
    let is_known = Record::load(context.invocation)
        .is_some_and(|known| known.serial == settings.config_serial);
    if is_known && (!instance.uses_extra(&master) || instance.has_extra(settings.hard_stop_after)) {
        return Ok(Reloaded::Done);
    }
    renew(context, settings, instance, &master)
}

/// The instance that runs, by the record where there is one.
fn running(context: &Context<'_>, settings: &Settings) -> Result<(Instance, Process), Failure> {
    let known = Instance::recorded(context.invocation)
        .filter(|known| known.record.identity == settings.identity);
    let instance =
        known.unwrap_or_else(|| instance::describe(context.invocation, &settings.identity));
    let found = instance.observe(context.budget.work())?.master;
    let master = found.ok_or_else(|| Failure::generic("haproxy does not run on this node"))?;
    Ok((instance.taken_from(&master), master))
}

fn renew(
    context: &Context<'_>,
    settings: &Settings,
    instance: Instance,
    master: &Process,
) -> Result<Reloaded, Failure> {
    let sum = sum::of(&settings.identity.configs);
    let has_extra = instance.uses_extra(master);
    let before = has_extra
        .then(|| file::read_small(&instance.extra, LARGEST_EXTRA).ok().flatten())
        .flatten();
    if has_extra && let Err(failure) = instance.write_extra(settings.hard_stop_after) {
        return Ok(kept(&failure));
    }
    if !has_extra && settings.hard_stop_after.is_some() {
        context.log.warn(format_args!(
            "hard_stop_after takes effect after a restart: haproxy was not started by this resource"
        ));
    }
    let renewed =
        judged(context, &instance, has_extra).and_then(|()| match instance.record.identity.mode {
            Mode::MasterWorker => by_master(context, &instance, master),
            Mode::Daemon => by_successor(context, &instance, master),
        });
    if let Err(failure) = renewed {
        // A later reload by hand must not meet what has just been refused.
        if let Some(bytes) = before
            && let Err(error) = file::write_if_changed(&instance.extra, &bytes, 0o600)
        {
            context.log.warn(format_args!("{}: {error}", instance.extra.display()));
        }
        if !master.lives().or_fail("/proc")? {
            return Err(failure);
        }
        return Ok(kept(&failure));
    }
    let record = Record { serial: settings.config_serial.clone(), sum, ..instance.record };
    record.save_or_warn(context, "the next reload will repeat this one");
    Ok(Reloaded::Done)
}

/// The answer where haproxy goes on as it was.
fn kept(failure: &Failure) -> Reloaded {
    Reloaded::Refused(format!(
        "configuration refused: {failure}; haproxy keeps its old configuration"
    ))
}

/// Whether the master can make its socket anew. It does so at a reload, under another name in the
/// same directory first, and ends when it cannot (HAProxy 2.6 to 3.0, `uxst_bind_listener`).
fn can_make_socket(path: &Path) -> Result<(), Failure> {
    let trial = instance::trial_of(path);
    let cleared = || file::remove_socket(&trial);
    let made = cleared().and_then(|()| UnixListener::bind(&trial)).map(drop);
    made.and_then(|()| cleared()).map_err(|error| {
        let directory = path.parent().unwrap_or(path).display();
        let why = plain(&error);
        Failure::generic(format!("the master cannot make its socket in {directory} again: {why}"))
    })
}

fn judged(context: &Context<'_>, instance: &Instance, has_extra: bool) -> Result<(), Failure> {
    match check::check(context, instance, has_extra)? {
        Verdict::Good => Ok(()),
        Verdict::NotNow(why) | Verdict::Denied(why) | Verdict::Bad(why) => {
            Err(Failure::generic(why))
        }
    }
}

/// How far a reload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Pending,
    Failed,
    /// There is a new worker, which may not be ready yet.
    Begun,
}

/// Compares the workers before with those of now. Versions that do not count failures have one when
/// the master has been through a reload and no new worker is there.
fn progress(before: &Processes, now: &Processes) -> Progress {
    let is_new = |pid: &i32| !before.workers.contains(pid) && !before.old.contains(pid);
    let begun = now.workers.iter().any(is_new);
    let failed = match (before.failed, now.failed) {
        (Some(before), Some(now)) => now > before,
        _ => now.reloads > before.reloads && !begun,
    };
    match (failed, begun) {
        (true, _) => Progress::Failed,
        (false, true) => Progress::Begun,
        (false, false) => Progress::Pending,
    }
}

fn by_master(context: &Context<'_>, instance: &Instance, master: &Process) -> Result<(), Failure> {
    let record = &instance.record;
    let Some(path) = &record.master_socket else {
        return Err(Failure::generic(
            "a reload cannot be verified: the master has no socket; restart it",
        ));
    };
    can_make_socket(path)?;
    let before = ask::processes(path, master, Deadline::after(LOOK).min(context.budget.work()))?;
    let handle = master
        .open()
        .or_fail("haproxy")?
        .ok_or_else(|| Failure::generic("haproxy has just ended"))?;
    handle.signal(Signal::SIGUSR2).or_fail("haproxy")?;
    let refused = || {
        Failure::generic(
            "the reload failed: haproxy could not use its new configuration, see its log",
        )
    };
    let mut last = None;
    let deadline = context.budget.work();
    let renewed = deadline.poll(|| {
        let soon = Deadline::after(LOOK).min(deadline);
        match ask::view(record, master, Question::Frontends, soon) {
            Ok(Some(view)) => {
                let now = view.processes.as_ref()?;
                match progress(&before, now) {
                    Progress::Failed => Some(Err(refused())),
                    Progress::Begun if !before.workers.contains(&view.info.pid) => {
                        match ask::listens(&view) {
                            Ok(_) => Some(Ok(())),
                            Err(failure) => {
                                last = Some(failure);
                                None
                            }
                        }
                    }
                    Progress::Begun | Progress::Pending => None,
                }
            }
            Ok(None) => None,
            // Between two programs the master does not answer, or not yet for its worker.
            Err(failure) => {
                last = Some(failure);
                let now = ask::processes(path, master, soon).ok()?;
                (progress(&before, &now) == Progress::Failed).then(|| Err(refused()))
            }
        }
    });
    renewed.unwrap_or_else(|| {
        let why =
            last.map_or_else(|| "see haproxy's log".to_owned(), |failure| failure.to_string());
        Err(Failure::generic(format!("no new worker serves in time: {why}")))
    })
}

/// Without a master, a new process takes the sockets over and orders the old one to end.
fn by_successor(context: &Context<'_>, instance: &Instance, old: &Process) -> Result<(), Failure> {
    let record = &instance.record;
    let mut successor = instance.start_command();
    // The configuration's own stats socket may not give sockets away; then the kernel shares them
    // (SO_REUSEPORT).
    if let (None, Some(socket)) = (&record.identity.stats_socket, &record.stats_socket) {
        successor.arg("-x").arg(socket);
    }
    successor.arg("-sf").arg(old.pid.to_string());
    match command::run(successor, None, context.budget.work()) {
        Ok(output) if output.code == Some(0) => {}
        Ok(output) => {
            let said = complaint(&output.stderr, &output.stdout);
            return Err(Failure::generic(bind::reason(&said).unwrap_or(said)));
        }
        Err(error) => return Err(Failure::generic(format!("haproxy {error}"))),
    }
    let mut last = None;
    let deadline = context.budget.work();
    let renewed = deadline.poll(|| {
        let found = instance
            .observe(context.budget.work())
            .map(|found| found.master.filter(|now| now != old));
        match found {
            Ok(Some(new)) => match ask::serves(record, &new, Deadline::after(LOOK).min(deadline)) {
                Ok(()) => Some(new),
                Err(failure) => {
                    last = Some(failure);
                    None
                }
            },
            Ok(None) => None,
            Err(failure) => {
                last = Some(failure);
                None
            }
        }
    });
    match renewed {
        Some(new) => instance.remember(&new),
        None => Err(last.unwrap_or_else(|| {
            Failure::generic("no new process serves in time: see haproxy's log")
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processes(reloads: u32, failed: Option<u32>, workers: &[i32], old: &[i32]) -> Processes {
        Processes { master: 5, reloads, failed, workers: workers.to_vec(), old: old.to_vec() }
    }

    #[test]
    fn only_a_new_worker_is_a_reload() {
        let before = processes(1, Some(0), &[10], &[9]);
        for (now, expected) in [
            (processes(1, Some(0), &[10], &[9]), Progress::Pending),
            (processes(2, Some(0), &[11], &[10, 9]), Progress::Begun),
            (processes(2, Some(1), &[10], &[9]), Progress::Failed),
            // The new worker is listed while it begins, and then fails.
            (processes(2, Some(1), &[10, 11], &[9]), Progress::Failed),
            (processes(2, Some(0), &[9], &[]), Progress::Pending),
        ] {
            assert_eq!(progress(&before, &now), expected, "{now:?}");
        }
        // After a failure, a good one counts from zero again.
        let before = processes(2, Some(1), &[10], &[]);
        assert_eq!(progress(&before, &processes(3, Some(0), &[12], &[10])), Progress::Begun);
        assert_eq!(progress(&before, &processes(3, Some(2), &[10], &[])), Progress::Failed);
    }

    #[test]
    fn versions_that_count_no_failures_show_them_too() {
        let before = processes(1, None, &[10], &[]);
        assert_eq!(progress(&before, &processes(1, None, &[10], &[])), Progress::Pending);
        assert_eq!(progress(&before, &processes(2, None, &[10], &[])), Progress::Failed);
        assert_eq!(progress(&before, &processes(2, None, &[11], &[10])), Progress::Begun);
    }
}
