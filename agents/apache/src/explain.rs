//! What start and monitor go by, in words, from their own functions.
#![forbid(unsafe_code)]

use ocf::prelude::*;

use crate::instance::{self, Instance};
use crate::record::Record;
use crate::server::Server;
use crate::settings::Settings;
use crate::{check, monitor, start};

/// Explains.
///
/// # Errors
/// Why a start would fail.
pub fn explain(
    context: &Context<'_>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    let remembered = Record::load(context.invocation);
    let is_same = |known: &Record| known.key == settings.identity.key();
    explanation.record(
        remembered
            .as_ref()
            .map(|known| (format!("the server of {}", known.config.display()), is_same(known))),
    );
    let remembered = remembered.filter(is_same);
    let server = Server::read(context, &settings.identity);
    files(&server, settings, context, explanation);
    let known = remembered.unwrap_or_else(|| instance::describe(&server, &settings.identity));
    let found =
        explanation.processes(&Instance::new(context, known.clone()), context.budget.work())?;
    questions(context, &known, settings, explanation)?;
    explanation.monitor(&monitor::monitor(context, settings));
    if found.master.is_some() {
        explanation.because("start", "does nothing as long as the server answers", "it runs");
        return Ok(());
    }
    start::check_host(context, settings)?;
    explanation.line("configuration check", "good");
    let plan = start::plan(server, settings)?;
    explanation.command("start", &plan.server.command(&plan.program, &[]));
    Ok(())
}

fn files(
    server: &Server,
    settings: &Settings,
    context: &Context<'_>,
    explanation: &mut Explanation,
) {
    match settings.identity.program() {
        Ok(program) => {
            let why = if program == settings.identity.httpd {
                "httpd"
            } else {
                "the usual place; httpd is not there"
            };
            explanation.program(&program, why, true, context.budget.work());
        }
        Err(failure) => explanation.because("program", "none", failure),
    }
    let why = match (server.config.is_file(), &settings.identity.configfile) {
        (false, _) => "not there",
        (true, Some(_)) => "configfile",
        (true, None) => "the usual place",
    };
    explanation.because("configuration", server.config.display(), why);
    for file in &settings.identity.envfiles {
        let why = match (&server.envfile, file.is_file()) {
            (Some(failure), _) => failure.to_string(),
            (None, true) => "envfiles".to_owned(),
            (None, false) => "not there, and not needed".to_owned(),
        };
        explanation.because("variables", file.display(), why);
    }
}

/// What a monitor requests.
fn questions(
    context: &Context<'_>,
    known: &Record,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    let use_ipv6 = settings.checks.use_ipv6;
    explanation.list(
        "listens on",
        known.listens.iter().map(|listen| listen.url(use_ipv6)),
        "nothing that is known",
    );
    let why = match (&settings.checks.statusurl, known.status_pages.is_empty()) {
        (Some(_), _) => "statusurl",
        (None, false) => "the page of mod_status",
        (None, true) => "no mod_status in the configuration; any answer below 500 is good",
    };
    match check::page(known, &settings.checks) {
        Some(page) => {
            explanation.because("level 0 requests", ocf::sys::http::shown(&page), why);
        }
        None => explanation.because("level 0 requests", "nothing", "it is not on this machine"),
    }
    if let Some(test) = check::test(context, known, &settings.checks)? {
        explanation.because(
            "level 10 requests",
            ocf::sys::http::shown(&test.url),
            "testurl, testregex10 or testconffile",
        );
    }
    Ok(())
}
