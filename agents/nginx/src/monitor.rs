//! Does it run, and does it work? A healthy server is judged by its record; the configuration is read only where that
//! leads nowhere, for it may have changed since the server read it, and somebody may have reloaded it by hand.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::daemon::Daemon;
use ocf::ere::Ere;
use ocf::external;
use ocf::prelude::*;
use ocf::sys::http;
use ocf::web::{self, Test, testfile};

use crate::ask;
use crate::config::listen::{Listen, Socket};
use crate::instance::{self, Instance};
use crate::params;
use crate::record::Record;
use crate::settings::Settings;

/// The status page where the configuration has none.
const STATUS_PAGE: &str = "/nginx_status";

/// Tells the state.
///
/// # Errors
/// Why it is neither running nor cleanly stopped.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let recorded = Instance::recorded(context.invocation)
        .filter(|instance| instance.record.identity == settings.identity)
        .map(|instance| look(context, settings, &instance));
    if let Some(Ok(status @ (Status::Running | Status::Degraded(_)))) = recorded {
        return Ok(status);
    }
    let described = instance::describe(context, &settings.identity);
    let found = look(context, settings, &described.instance);
    // Somebody has started it, or reloaded it with other addresses: from now on these.
    if matches!(found, Ok(Status::Running | Status::Degraded(_))) && nix::unistd::geteuid().is_root() {
        let known = Record::load(context.invocation);
        let serial = known.map_or_else(|| settings.config_serial.clone(), |known| known.serial);
        let now = Record { serial, ..described.instance.record.clone() };
        if let Err(failure) = now.save(context.invocation) {
            context.log.debug(format_args!("there is no new record: {failure}"));
        }
    }
    match (found, recorded) {
        // Processes that only the record knows of.
        (Ok(Status::NotRunning(_)), Some(Err(failure))) => Err(failure),
        (found, _) => found,
    }
}

fn look(context: &Context<'_>, settings: &Settings, instance: &Instance) -> Result<Status, Failure> {
    let found = instance.observe(context.budget.work())?;
    if found.master.is_none() {
        let count = found.orphans.len();
        return if count == 0 {
            Ok(Status::STOPPED)
        } else {
            Err(Failure::generic(format!("the master process has died and left {count} workers; stop ends them")))
        };
    }
    let record = &instance.record;
    match context.depth {
        0 => ask::alive(record, settings.port, context.budget.work()).map(|()| Status::Running),
        10 => status_page(context, settings, record),
        20 => test_page(context, settings, record),
        _ => external(context, settings),
    }
}

/// Level 10.
fn status_page(context: &Context<'_>, settings: &Settings, record: &Record) -> Result<Status, Failure> {
    let (listen, page) = status_page_of(settings, record);
    let test = test(settings, &listen, page, &settings.status_regex);
    let known = settings.status_page.is_some() || record.status.is_some();
    web::check(&test, context.budget.work()).map_err(|failure| match known {
        true => failure,
        false => Failure::generic(format!("{failure} (no stub_status in the configuration; set status10url)")),
    })
}

/// The page of level 10, and the server that has it where the page does not say.
pub fn status_page_of<'a>(settings: &'a Settings, record: &'a Record) -> (Listen, &'a str) {
    match (&settings.status_page, &record.status) {
        (Some(page), _) => (first(settings, record), page.as_str()),
        (None, Some((listen, page))) if settings.port.is_none() => (listen.clone(), page.as_str()),
        (None, found) => (first(settings, record), found.as_ref().map_or(STATUS_PAGE, |(_, page)| page)),
    }
}

/// Level 20.
fn test_page(context: &Context<'_>, settings: &Settings, record: &Record) -> Result<Status, Failure> {
    let listen = first(settings, record);
    let file = settings.test_file.as_deref();
    let test = match (file, &settings.test_page, &settings.test_regex) {
        // As the shell agent has it: a file that is not there leaves the word to the other parameters.
        (Some(path), page, regex) if path.is_file() || page.is_none() || regex.is_none() => {
            let found = testfile::load(path, settings.test_name.as_deref())?;
            for ignored in &found.ignored {
                context.log.debug(format_args!("has no effect: {ignored}"));
            }
            let is_whole = http::is_url(&found.url);
            let mut test = found.into_test(&listen.base_url(), settings.rules.clone());
            test.unix_socket = local(&listen, is_whole);
            test
        }
        (_, Some(page), Some(regex)) => test(settings, &listen, page, regex),
        _ => return Err(unset(context, "a monitor at level 20 needs test20url and test20regex, or test20conffile")),
    };
    web::check(&test, context.budget.work())
}

/// A level was asked for without what it needs: wrong on every node. A probe must not say that nothing runs here.
fn unset(context: &Context<'_>, why: &str) -> Failure {
    Failure::new(if context.invocation.is_probe() { Kind::Generic } else { Kind::Configured }, why)
}

/// Level 30.
fn external(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    match &settings.external {
        Some(words) => external::check(params::EXTERNAL_MONITOR30_CMD.info.name, words, context, context.budget.work())
            .map(|()| Status::Running),
        None => Err(unset(context, "a monitor at level 30 needs external_monitor30_cmd")),
    }
}

/// The server to ask for a page that does not say which.
fn first(settings: &Settings, record: &Record) -> Listen {
    ask::preferred(record, settings.port).into_iter().next().unwrap_or_else(Listen::usual)
}

fn test(settings: &Settings, listen: &Listen, page: &str, regex: &Ere) -> Test {
    let mut test = Test::new(web::absolute(&listen.base_url(), page), settings.rules.clone());
    test.unix_socket = local(listen, http::is_url(page));
    test.regex = Some(regex.clone());
    test
}

/// The local socket to connect to, for a page that does not say where it is.
fn local(listen: &Listen, is_whole: bool) -> Option<PathBuf> {
    match &listen.socket {
        Socket::Unix(path) if !is_whole => Some(path.clone()),
        _ => None,
    }
}
