//! What start and monitor go by, in words, from their own functions.
#![forbid(unsafe_code)]

use ocf::prelude::*;

use crate::check;
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::monitor;
use crate::record::Record;
use crate::settings::Settings;
use crate::table;

/// Explains.
///
/// # Errors
/// Why a start would fail.
pub fn explain(
    context: &Context<'_>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    let (identity, work) = (&settings.identity, context.budget.work());
    record(context, settings, explanation);
    explanation.line("program", identity.program.display());
    explanation.because("configuration", identity.configfile.display(), "configfile");
    explanation.monitor(&monitor::monitor(context, settings));
    check::files(settings)?;
    let described = check::describe(&identity.configfile, work)?;
    check::loadable(&described, identity, work)?;
    for (number, conf) in described.confs.iter().enumerate() {
        if number > 0 {
            explanation.because("configuration", conf.display(), "execute=");
        }
        explanation
            .processes(&Instance::new(context.invocation, &identity.program, conf, number), work)?;
    }
    for remark in &described.remarks {
        explanation.line("remark", remark);
    }
    explanation.because(
        "autoreload",
        if described.autoreload { "yes" } else { "no" },
        "whether the daemon reads its file again when that changes",
    );
    let what = "the kernel's table of virtual services";
    let table = match Kernel::open().or_fail(what)? {
        Some(kernel) => kernel.table().or_fail(what)?,
        None => {
            explanation.because("kernel", "no IP Virtual Server", "a start loads the module ip_vs");
            Vec::new()
        }
    };
    for wanted in &described.wanted {
        let there = table.iter().find(|service| service.id == wanted.id);
        let servers =
            there.map(|service| service.servers.iter().filter(|server| server.weight > 0).count());
        let why = servers.map_or_else(
            || "not in the kernel's table".to_owned(),
            |count| format!("in the kernel's table, with {count} servers that get clients"),
        );
        explanation.because("virtual service", wanted.id, why);
    }
    let main = Instance::new(context.invocation, &identity.program, &identity.configfile, 0);
    let is_running = ocf::daemon::Daemon::observe(&main, work)?.master.is_some();
    if is_running && table::judge(&described.wanted, &table).services.is_empty() {
        explanation.because("start", "does nothing", "the daemon runs and directs");
    } else {
        explanation.command("start", &main.command("start"));
    }
    Ok(())
}

fn record(context: &Context<'_>, settings: &Settings, explanation: &mut Explanation) {
    let record = Record::load(context.invocation);
    explanation.record(record.as_ref().map(|record| {
        (record.identity.configfile.display(), record.identity == settings.identity)
    }));
    if let Some(record) = record {
        explanation.list(
            "record of the table before the start",
            record.before.iter().map(|service| service.id),
            "no virtual service",
        );
    }
}
