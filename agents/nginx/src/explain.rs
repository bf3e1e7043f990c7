//! `--explain`: what start and monitor go by, in words, from their own functions.
#![forbid(unsafe_code)]

use ocf::prelude::*;

use crate::check;
use crate::instance::{self, Described, Instance};
use crate::settings::Settings;
use crate::{ask, monitor};

/// Explains.
///
/// # Errors
/// Why a start would fail.
pub fn explain(
    context: &Context<'_>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    let work = context.budget.work();
    let recorded = Instance::recorded(context.invocation);
    let is_same = |instance: &Instance| instance.record.identity == settings.identity;
    explanation.record(recorded.as_ref().map(|instance| {
        let (program, conf) = (instance.record.program.display(), instance.record.conf.display());
        (format!("{program} with {conf}"), is_same(instance))
    }));
    let recorded = recorded.filter(is_same);
    let described = instance::describe(context, &settings.identity);
    files(&described, settings, context, explanation);
    // As the monitor has it: what was started counts, whatever its configuration says by now.
    let running = recorded.as_ref().unwrap_or(&described.instance);
    let found = explanation.processes(running, work)?;
    questions(running, settings, context, explanation);
    explanation.monitor(&monitor::monitor(context, settings));
    if found.master.is_some() {
        explanation.because("start", "does nothing as long as the server answers", "it runs");
        return Ok(());
    }
    check::check(context, &described)?.for_start()?;
    explanation.line("configuration check", "good");
    explanation.command("start", &described.instance.command(&[]));
    Ok(())
}

fn files(
    described: &Described,
    settings: &Settings,
    context: &Context<'_>,
    explanation: &mut Explanation,
) {
    let (record, identity) = (&described.instance.record, &settings.identity);
    let why = match (described.installed, &identity.httpd) {
        (false, _) => "not there",
        (true, Some(named)) if named.canonicalize().is_ok_and(|named| named == record.program) => {
            "httpd"
        }
        (true, Some(_)) => "httpd is not there",
        (true, None) => "the usual place",
    };
    explanation.program(&record.program, why, described.installed, context.budget.work());
    let why = match (described.readable, &identity.configfile) {
        (false, _) => "cannot be read",
        (true, Some(_)) => "configfile",
        (true, None) => "the one that the program was built with",
    };
    explanation.because("configuration", record.conf.display(), why);
}

/// What a monitor requests.
fn questions(
    instance: &Instance,
    settings: &Settings,
    context: &Context<'_>,
    explanation: &mut Explanation,
) {
    let (record, limit) = (&instance.record, context.budget.work());
    explanation.list(
        "listens on",
        record.listens.iter().map(|listen| &listen.socket),
        "nothing that is known",
    );
    let why = if settings.port.is_some() { "port" } else { "the configuration" };
    for listen in ask::preferred(record, settings.port) {
        if ask::is_here(&listen, limit) {
            explanation.because("level 0 requests", &listen.socket, why);
        } else {
            explanation.because("not asked", &listen.socket, "it is not on this machine");
        }
    }
    let Some((listen, page)) = monitor::status_page_of(settings, record, limit) else {
        explanation.because(
            "level 10 is",
            "level 0",
            "no stub_status in the configuration on this machine; set status10url",
        );
        return;
    };
    let why = if settings.status_page.is_some() {
        "status10url"
    } else {
        "stub_status in the configuration"
    };
    let url = ocf::web::absolute(&listen.base_url(), page);
    explanation.because("level 10 requests", ocf::sys::http::shown(&url), why);
}
