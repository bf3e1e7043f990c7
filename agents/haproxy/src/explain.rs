//! What start and monitor go by, in words, from their own functions.
#![forbid(unsafe_code)]

use std::path::Path;

use ocf::daemon::Daemon;
use ocf::prelude::*;

use crate::check;
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
    let recorded = Instance::recorded(context.invocation);
    let is_same = |instance: &Instance| instance.record.identity == settings.identity;
    explanation.record(
        recorded.as_ref().map(|instance| (instance.record.program.display(), is_same(instance))),
    );
    let recorded = recorded.filter(is_same);
    let has_changed =
        |instance: &Instance| sum::of(&settings.identity.configs) != instance.record.sum;
    if recorded.as_ref().is_some_and(has_changed) {
        explanation.because(
            "record",
            "the configuration has changed since",
            "reload, or reload_on=change, loads it",
        );
    }
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
    described.expect_own_pid_file("pidfile")?;
    check::check(context, &described, false)?.for_start()?;
    explanation.line("configuration check", "good");
    explanation.because("added configuration", described.extra.display(), "a start writes it");
    explanation.command("start", &described.start_command());
    Ok(())
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
    let record = &described.record;
    explanation.program(&record.program, why, described.installed, context.budget.work());
    explanation.line("mode", settings.identity.mode.word());
    for path in &record.configs {
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
