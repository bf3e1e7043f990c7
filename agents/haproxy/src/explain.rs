//! What start and monitor go by, in words, from their own functions.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;

use ocf::prelude::*;

use crate::check::{self, Verdict};
use crate::instance::{self, Instance};
use crate::settings::{Mode, Settings};
use crate::{monitor, sum};

/// Explains.
///
/// # Errors
/// Why a start would fail.
pub fn explain(
    context: &Context<'_>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    let recorded = record(Instance::recorded(context.invocation), settings, explanation);
    let described = instance::describe(context.invocation, &settings.identity);
    files(&described, settings, context, explanation);
    let running = recorded.as_ref().unwrap_or(&described);
    let found = explanation.processes(running, context.budget.work())?;
    sockets(running, explanation);
    if let Some(url) = &settings.status_url {
        explanation.because(
            "level 10 requests",
            ocf::sys::http::shown(url),
            "status_url, besides the frontends",
        );
    }
    explanation.monitor(&monitor::monitor(context, settings));
    if let Some(master) = &found.master {
        let is_same = running.has_configuration(master);
        let why = if is_same {
            "it runs"
        } else {
            "it runs with other configuration files, and is ended"
        };
        let what =
            if is_same { "does nothing as long as haproxy answers" } else { "starts haproxy anew" };
        explanation.because("start", what, why);
        return Ok(());
    }
    match check::check(context, &described, false)? {
        Verdict::Good => {}
        Verdict::NotNow(why) | Verdict::Denied(why) => return Err(Failure::generic(why)),
        Verdict::Bad(why) => return Err(Failure::installed(why)),
    }
    explanation.line("configuration check", "good");
    explanation.because("added configuration", described.extra.display(), "a start writes it");
    explanation.command("start", &described.start_command());
    Ok(())
}

/// The recorded haproxy, if it is of these parameters.
fn record(
    recorded: Option<Instance>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Option<Instance> {
    let Some(instance) = recorded else {
        explanation.line("record", "none");
        return None;
    };
    let is_same = instance.record.identity == settings.identity;
    let why = if is_same {
        "a monitor goes by it"
    } else {
        "of other parameters; a stop ends that haproxy, too"
    };
    explanation.because("record", instance.record.program.display(), why);
    if is_same && sum::of(&settings.identity.configs) != instance.record.sum {
        explanation.because(
            "record",
            "the configuration has changed since",
            "reload, or reload_on=change, loads it",
        );
    }
    is_same.then_some(instance)
}

fn files(
    described: &Instance,
    settings: &Settings,
    context: &Context<'_>,
    explanation: &mut Explanation,
) {
    let why = match (described.installed, &settings.identity.binary) {
        (false, _) => "not there",
        (true, Some(_)) => "binary",
        (true, None) => "the usual place",
    };
    explanation.because("program", described.record.program.display(), why);
    if described.installed {
        let mut command = Command::new(&described.record.program);
        command.arg("-v");
        explanation.version(command, context.budget.work());
    }
    explanation.line("mode", settings.identity.mode.word());
    for path in &described.record.configs {
        let is_there = |path: &Path| if path.exists() { "there" } else { "not there" };
        let why = if *path == described.extra { "added by the agent" } else { is_there(path) };
        explanation.because("configuration", path.display(), why);
    }
}

fn sockets(instance: &Instance, explanation: &mut Explanation) {
    let all = [
        ("master socket", &instance.record.master_socket),
        ("stats socket", &instance.record.stats_socket),
    ];
    for (name, path) in all.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
        let why = if path.exists() { "there; monitors use it" } else { "not there" };
        explanation.because(name, path.display(), why);
    }
    if instance.record.identity.mode == Mode::MasterWorker
        && instance.record.master_socket.is_none()
    {
        explanation.because(
            "master socket",
            "none",
            "haproxy was started without one, not by this agent",
        );
    }
}
