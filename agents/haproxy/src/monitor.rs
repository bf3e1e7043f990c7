//! Does it run, and does it work? A healthy haproxy is judged by its record and by what it says of
//! itself.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::daemon::{self, Daemon};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::process::Process;
use ocf::web::{self, Test};

use crate::ask::{self, Question, View};
use crate::cli::stat;
use crate::instance::{self, Instance};
use crate::reading::{self, READS};
use crate::record::Record;
use crate::reload;
use crate::settings::{OnLow, ReloadOn, Settings};
use crate::start;
use crate::sum;

/// How long a haproxy may not answer that is reloaded or replaced by other means.
pub const RELOADING: Duration = Duration::from_secs(3);

/// What is left for the last question: with less time, the only thing that could be said of it is
/// that there was none.
const ANSWERING: Duration = Duration::from_millis(500);

/// Looks whether haproxy runs and works.
///
/// # Errors
/// Why it is neither running nor cleanly stopped.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let Running { instance, master, is_recorded, view } = match running(context, settings)? {
        Seen::Running(running) => *running,
        Seen::Reading => return Ok(Status::Degraded(READS.to_owned())),
        Seen::Nothing => {
            let earlier = Instance::earlier(context.invocation, &settings.identity);
            return daemon::none_of_earlier(context, earlier).map(|()| Status::STOPPED);
        }
    };
    let seen = judge(context, settings, view.as_ref())?;
    if is_recorded {
        return renew_if_changed(context, settings, &instance, seen);
    }
    record(context, settings, &instance, &master);
    Ok(seen)
}

/// Records a haproxy that is well and was started by other means, as a start would: from now on a
/// change of its configuration is noticed, and its processes are known. A record of former
/// parameters stays: a stop needs it.
fn record(context: &Context<'_>, settings: &Settings, instance: &Instance, master: &Process) {
    if !nix::unistd::geteuid().is_root()
        || context.invocation.is_explanation()
        || Record::load(context.invocation).is_some()
    {
        return;
    }
    let noted = instance.remember(master);
    if let Err(failure) = noted.and_then(|()| start::adopt(context, settings, instance)) {
        context.log.warn(format_args!("{failure}; changes of the configuration go unnoticed"));
    }
}

/// What a look sees.
enum Seen {
    Nothing,
    /// A master that still reads its configuration, and whose workers serve.
    Reading,
    Running(Box<Running>),
}

/// A haproxy that runs, and what it says.
struct Running {
    instance: Instance,
    master: Process,
    /// Whether the instance is that of the record.
    is_recorded: bool,
    /// `None` of one without a socket.
    view: Option<View>,
}

/// Finds haproxy and asks it. While it is reloaded or replaced, by whatever means, it does not
/// answer, or a worker on its way out does: the question is repeated for a while before that
/// counts. A master that reads its configuration after a reload has all of the time.
fn running(context: &Context<'_>, settings: &Settings) -> Result<Seen, Failure> {
    let mut seen = Ok(Seen::Nothing);
    let mut patience = Deadline::after(RELOADING);
    let mut was_reading = false;
    context.budget.work().minus(ANSWERING).poll(|| {
        let recorded = Instance::recorded(context.invocation)
            .filter(|it| it.record.identity == settings.identity);
        let is_recorded = recorded.is_some();
        let instance =
            recorded.unwrap_or_else(|| instance::describe(context.invocation, &settings.identity));
        let programs = instance.programs().to_vec();
        let master = match find(context, &instance, is_recorded) {
            Ok(Some(master)) => master,
            other => {
                was_reading = false;
                seen = other.map(|_| Seen::Nothing);
                return Some(());
            }
        };
        let asked = match is_recorded {
            true => ask_recorded(context, instance, &master),
            false => ask(context, instance.taken_from(&master), &master),
        };
        seen = asked.map(|(instance, view)| {
            Seen::Running(Box::new(Running { instance, master, is_recorded, view }))
        });
        if !seen.as_ref().is_err_and(|failure| failure.kind == Kind::Generic) {
            return Some(());
        }
        // Its new worker needs a moment when it has read.
        if reading::is_reading(&programs, &master) {
            was_reading = true;
            patience = Deadline::after(RELOADING);
        }
        patience.expired().then_some(())
    });
    match seen {
        Err(failure) if failure.kind == Kind::Generic && was_reading && !patience.expired() => {
            Ok(Seen::Reading)
        }
        seen => seen,
    }
}

/// Asks a haproxy that the record describes. One that was started again by other means, its unit
/// say, has other sockets: then these are recorded, as a start does.
fn ask_recorded(
    context: &Context<'_>,
    instance: Instance,
    master: &Process,
) -> Result<(Instance, Option<View>), Failure> {
    let known = instance.record.clone();
    let failure = match ask::view(&known, master, question(context), context.budget.work()) {
        Ok(view) => return Ok((instance, view)),
        Err(failure) => failure,
    };
    let now = instance.taken_from(master);
    if now.record == known {
        return Err(failure);
    }
    let (now, view) = ask(context, now, master)?;
    if nix::unistd::geteuid().is_root()
        && let Err(failure) =
            now.remember(master).and_then(|()| now.record.save(context.invocation))
    {
        context.log.debug(format_args!("there is no new record: {failure}"));
    }
    Ok((now, view))
}

fn ask(
    context: &Context<'_>,
    instance: Instance,
    master: &Process,
) -> Result<(Instance, Option<View>), Failure> {
    let view = ask::view(&instance.record, master, question(context), context.budget.work())?;
    Ok((instance, view))
}

fn question(context: &Context<'_>) -> Question {
    match context.depth {
        0 => Question::Alive,
        10 => Question::Frontends,
        _ => Question::Servers,
    }
}

/// The master; `None` when nothing is there.
fn find(
    context: &Context<'_>,
    instance: &Instance,
    is_recorded: bool,
) -> Result<Option<Process>, Failure> {
    let found = if is_recorded {
        instance.observe_recorded(context)?
    } else {
        instance.observe(context.budget.work())?
    };
    match (found.master, found.orphans.len()) {
        (Some(master), _) => Ok(Some(master)),
        (None, 0) => Ok(None),
        (None, count) => Err(Failure::generic(format!(
            "the master process has died and left {count} workers; stop ends them"
        ))),
    }
}

fn judge(
    context: &Context<'_>,
    settings: &Settings,
    view: Option<&View>,
) -> Result<Status, Failure> {
    let question = question(context);
    let Some(view) = view else {
        return match question {
            Question::Alive => Ok(Status::Running),
            // It may serve, and a restart would cost connections.
            _ => Ok(Status::Degraded(
                "the master has no CLI socket (-S), so haproxy cannot be checked: set \
                 stats_socket, or restart it"
                    .to_owned(),
            )),
        };
    };
    let mut seen = vec![generations(settings, view)];
    if question != Question::Alive {
        seen.push(ask::listens(view)?);
        if let Some(url) = &settings.status_url {
            seen.push(web::check(&Test::new(url, settings.rules.clone()), context.budget.work())?);
        }
    }
    if question == Question::Servers {
        seen.push(backends(settings, view)?);
    }
    Ok(worst(seen))
}

/// All complaints of those that there are.
fn worst(seen: Vec<Status>) -> Status {
    let complaints: Vec<String> = seen
        .into_iter()
        .filter_map(|status| match status {
            Status::Degraded(why) => Some(why),
            _ => None,
        })
        .collect();
    if complaints.is_empty() { Status::Running } else { Status::Degraded(complaints.join("; ")) }
}

/// What reloads have left behind.
fn generations(settings: &Settings, view: &View) -> Status {
    let Some(processes) = &view.processes else { return Status::Running };
    let mut complaints = Vec::new();
    if processes.failed.is_some_and(|failed| failed > 0) {
        complaints
            .push("the last reload failed: haproxy goes on with the old configuration".to_owned());
    }
    let old = processes.old.len();
    if old > settings.max_old_workers as usize {
        complaints.push(format!(
            "{old} old workers still serve clients, more than max_old_workers={}: set \
             hard_stop_after",
            settings.max_old_workers
        ));
    }
    if complaints.is_empty() { Status::Running } else { Status::Degraded(complaints.join("; ")) }
}

/// Whether the backends have servers enough.
fn backends(settings: &Settings, view: &View) -> Result<Status, Failure> {
    let all = stat::backends(&view.rows);
    let missing: Vec<&str> = settings
        .backends
        .iter()
        .map(String::as_str)
        .filter(|name| !all.contains_key(name))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::generic(format!(
            "check_backends: there is no backend with servers called {}",
            missing.join(", ")
        )));
    }
    let is_meant = |name: &str| {
        settings.backends.is_empty() || settings.backends.iter().any(|wanted| wanted == name)
    };
    let low: Vec<String> = all
        .iter()
        .filter(|(name, strength)| is_meant(name) && !settings.min_up.is_met(**strength))
        .map(|(name, strength)| {
            format!("backend {name}: {} of {} servers are up", strength.up, strength.all)
        })
        .collect();
    if low.is_empty() {
        return Ok(Status::Running);
    }
    let why = format!("{} (min_up={})", low.join(", "), settings.min_up);
    match settings.on_low {
        OnLow::Degraded => Ok(Status::Degraded(why)),
        OnLow::Fail => Err(Failure::generic(why)),
    }
}

/// Reads a configuration again that has changed, with `reload_on=change`.
fn renew_if_changed(
    context: &Context<'_>,
    settings: &Settings,
    instance: &Instance,
    seen: Status,
) -> Result<Status, Failure> {
    let may = settings.reload_on == ReloadOn::Change && !context.invocation.is_probe();
    if !may
        || !nix::unistd::geteuid().is_root()
        || sum::of(&settings.identity.configs) == instance.record.sum
    {
        return Ok(seen);
    }
    match reload::reload(context, settings) {
        Ok(()) => {
            context.log.info(format_args!("the configuration has changed and was read again"));
            Ok(seen)
        }
        Err(failure) => {
            let text = failure.to_string();
            let why = text.strip_prefix("configuration refused: ").unwrap_or(&text);
            let changed = Status::Degraded(format!("configuration has changed: {why}"));
            Ok(worst(vec![seen, changed]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::info;
    use crate::cli::proc::Processes;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        crate::settings::from_values(&Values::from_pairs(pairs), &mut Faults::default()).unwrap()
    }

    fn view(old: usize, failed: u32) -> View {
        let table = "# pxname,svname,status,type,\nw,FRONTEND,OPEN,0,\na,s1,UP,2,\na,s2,DOWN,2,\n\
            b,s1,DOWN,2,\n\
                     b,s2,MAINT,2,\nnone,BACKEND,UP,1,\n";
        View {
            processes: Some(Processes {
                failed: Some(failed),
                old: vec![9; old],
                ..Processes::default()
            }),
            info: info::parse(info::tests::V2_6).unwrap(),
            rows: stat::parse(table).unwrap(),
        }
    }

    #[test]
    fn the_reason_names_the_backends_that_are_low() {
        let judge = |pairs: &[(&str, &str)]| {
            backends(&settings(pairs), &view(0, 0)).map_err(|failure| failure.to_string())
        };
        let low = "backend b: 0 of 2 servers are up (min_up=1)".to_owned();
        assert_eq!(judge(&[]), Ok(Status::Degraded(low.clone())));
        assert_eq!(judge(&[("on_low", "fail")]), Err(low));
        assert_eq!(judge(&[("check_backends", "a")]), Ok(Status::Running));
        assert_eq!(judge(&[("min_up", "0")]), Ok(Status::Running));
        let both =
            "backend a: 1 of 2 servers are up, backend b: 0 of 2 servers are up (min_up=51%)";
        assert_eq!(judge(&[("min_up", "51%")]), Ok(Status::Degraded(both.into())));
        assert!(judge(&[("check_backends", "a none c")]).unwrap_err().contains("called none, c"));
    }

    #[test]
    fn what_reloads_leave_is_shown_past_a_limit() {
        let judge = |old, failed, limit: &str| {
            generations(&settings(&[("max_old_workers", limit)]), &view(old, failed))
        };
        assert_eq!(judge(3, 0, "3"), Status::Running);
        assert!(
            matches!(judge(4, 0, "3"), Status::Degraded(why) if why.starts_with("4 old workers"))
        );
        assert!(matches!(judge(0, 1, "3"), Status::Degraded(why) if why.contains("reload failed")));
        assert_eq!(
            worst(vec![
                Status::Degraded("a".into()),
                Status::Running,
                Status::Degraded("b".into())
            ]),
            Status::Degraded("a; b".into())
        );
    }
}
