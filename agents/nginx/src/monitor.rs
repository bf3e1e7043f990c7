//! Does it run, and does it work? A healthy server is judged by its record; the configuration is
//! read only where that leads nowhere, for it may have changed since the server read it, and an
//! administrator may have reloaded it by hand.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use ocf::daemon::{self, Daemon};
use ocf::ere::Ere;
use ocf::external;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::http;
use ocf::web::{self, Test, testfile};

use crate::ask;
use crate::config::listen::{Listen, Socket};
use crate::instance::{self, Instance};
use crate::params;
use crate::record::Record;
use crate::settings::Settings;

/// How long a new master may be without a pid file during an upgrade of the program.
const UPGRADING: Duration = Duration::from_secs(1);

/// Returns the state.
///
/// # Errors
/// Why it is neither running nor cleanly stopped.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let recorded = Instance::recorded(context.invocation)
        .filter(|instance| instance.record.identity == settings.identity)
        .map(|instance| look(context, settings, &instance, true));
    match recorded {
        Some(Ok(status @ (Status::Running | Status::Degraded(_)))) => return Ok(status),
        // No time is left for another look, and what that would say is not the cause.
        Some(Err(failure)) if context.budget.work().expired() => return Err(failure),
        _ => {}
    }
    let described = instance::describe(context, &settings.identity);
    let found = look(context, settings, &described.instance, false);
    // It was started or reloaded with other addresses by other means: from now on these.
    if matches!(found, Ok(Status::Running | Status::Degraded(_)))
        && nix::unistd::geteuid().is_root()
    {
        let known = Record::load(context.invocation);
        let serial = known.map_or_else(|| settings.config_serial.clone(), |known| known.serial);
        let now = Record { serial, ..described.instance.record.clone() };
        let saved = now.save(context.invocation);
        // The note about its master, too: only that knows the workers of one that dies.
        if let Err(failure) = saved.and(described.instance.observe_recorded(context)) {
            context.log.debug(format_args!("there is no new record: {failure}"));
        }
    }
    match (found, recorded) {
        // Processes that only the record knows of.
        (Ok(Status::NotRunning(_)), Some(Err(failure))) => Err(failure),
        (Ok(status @ Status::NotRunning(_)), _) => {
            let earlier = Instance::earlier(context.invocation, &settings.identity);
            daemon::none_of_earlier(context, earlier).map(|()| status)
        }
        (found, _) => found,
    }
}

fn look(
    context: &Context<'_>,
    settings: &Settings,
    instance: &Instance,
    is_recorded: bool,
) -> Result<Status, Failure> {
    // Workers without a master may be those of an upgrade: for a moment there is no pid file. A
    // master that was killed leaves its own.
    let work = context.budget.work();
    let is_upgrading = || !instance.pid_file().exists();
    let observe = || match is_recorded {
        true => instance.observe_recorded(context),
        false => instance.observe(work),
    };
    let whole = Deadline::after(UPGRADING).min(work).poll(|| match observe() {
        Ok(found) if found.master.is_none() && !found.orphans.is_empty() && is_upgrading() => None,
        other => Some(other),
    });
    let found = whole.unwrap_or_else(observe)?;
    if found.master.is_none() {
        let count = found.orphans.len();
        return if count == 0 {
            Ok(Status::STOPPED)
        } else {
            Err(Failure::generic(format!(
                "the master process has died and left {count} workers; stop ends them"
            )))
        };
    }
    deepest(context, settings, &instance.record)
}

/// The check of the level that was asked for. A level that is not configured is the next lower one:
/// pcs adds a monitor for each that is advertised, and a resource that was created with defaults
/// must not fail by that. So is a status page that was guessed and is not shown: it may be of
/// another server, or for other clients.
fn deepest(context: &Context<'_>, settings: &Settings, record: &Record) -> Result<Status, Failure> {
    let (depth, limit) = (context.depth, context.budget.work());
    if let Some(words) = settings.external.as_ref().filter(|_| depth >= 30) {
        let name = params::EXTERNAL_MONITOR30_CMD.info.name;
        return external::check(name, words, context, limit).map(|()| Status::Running);
    }
    if depth >= 20
        && let Some(test) = page_of_level_20(context, settings, record)?
    {
        return web::check(&test, limit);
    }
    let Some(test) = page_of_level_10(settings, record, limit).filter(|_| depth >= 10) else {
        return alive(settings, record, limit);
    };
    match web::guess(&test, limit)? {
        Err(failure) if settings.is_status_guessed => {
            context.log.debug(format_args!("level 10 is level 0: {failure}"));
            alive(settings, record, limit)
        }
        answered => answered,
    }
}

/// The check of level 0.
fn alive(settings: &Settings, record: &Record, limit: Deadline) -> Result<Status, Failure> {
    ask::alive(record, settings.port, limit).map(|()| Status::Running)
}

/// The check of level 10, where there is a page for it.
fn page_of_level_10(settings: &Settings, record: &Record, limit: Deadline) -> Option<Test> {
    let (listen, page) = status_page_of(settings, record, limit)?;
    let mut test = test(settings, &listen, page, Some(&settings.status_regex));
    if settings.status_page.is_none() && test.rules.host_header.is_none() {
        test.rules.host_header.clone_from(&record.status_host);
    }
    Some(test)
}

/// The status page, and the server that has it where the page does not say: the one that was
/// chosen, or the one with `stub_status` in the configuration. There is none where that server
/// listens on other machines' addresses only.
pub fn status_page_of<'a>(
    settings: &'a Settings,
    record: &'a Record,
    limit: Deadline,
) -> Option<(Listen, &'a str)> {
    let (listen, page) = match (&settings.status_page, &record.status) {
        (None, Some((listen, page))) if settings.port.is_none() => {
            (Some(listen.clone()).filter(|listen| ask::is_here(listen, limit)), page)
        }
        (Some(page), _) | (None, Some((_, page))) => {
            (server_of(page, settings, record, limit), page)
        }
        (None, None) => return None,
    };
    Some((listen?, page))
}

/// The page of level 20, or the test from a file.
fn page_of_level_20(
    context: &Context<'_>,
    settings: &Settings,
    record: &Record,
) -> Result<Option<Test>, Failure> {
    let limit = context.budget.work();
    let (file, page) = (settings.test_file.as_deref(), settings.test_page.as_ref());
    // As the shell agent has it: a file that is not there leaves the word to the other parameters.
    if let Some(path) =
        file.filter(|path| path.is_file() || page.is_none() || settings.test_regex.is_none())
    {
        let found = testfile::load(path, settings.test_name.as_deref())?;
        for ignored in &found.ignored {
            context.log.debug(format_args!("has no effect: {ignored}"));
        }
        let is_whole = http::is_url(&found.url);
        let Some(listen) = server_of(&found.url, settings, record, limit) else { return Ok(None) };
        let mut test = found.into_test(&listen.base_url(), settings.rules.clone());
        test.unix_socket = local(&listen, is_whole);
        return Ok(Some(test));
    }
    let page = page.and_then(|page| Some((server_of(page, settings, record, limit)?, page)));
    Ok(page.map(|(listen, page)| test(settings, &listen, page, settings.test_regex.as_ref())))
}

/// The server to ask for a page; `None` where it listens on other machines' addresses only, and the
/// page does not say itself where it is.
fn server_of(page: &str, settings: &Settings, record: &Record, limit: Deadline) -> Option<Listen> {
    if http::is_url(page) {
        return Some(Listen::usual());
    }
    ask::first(record, settings.port, limit)
}

fn test(settings: &Settings, listen: &Listen, page: &str, regex: Option<&Ere>) -> Test {
    let mut test = Test::new(web::absolute(&listen.base_url(), page), settings.rules.clone());
    test.unix_socket = local(listen, http::is_url(page));
    test.regex = regex.cloned();
    test
}

/// The local socket to connect to, for a page that does not say where it is.
fn local(listen: &Listen, is_whole: bool) -> Option<PathBuf> {
    match &listen.socket {
        Socket::Unix(path) if !is_whole => Some(path.clone()),
        _ => None,
    }
}
