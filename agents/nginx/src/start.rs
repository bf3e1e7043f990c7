//! Starts the server, and returns when it answers.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::ask;
use crate::check::{self, Verdict};
use crate::instance::{self, Instance};
use crate::record::Record;
use crate::settings::Settings;
use crate::stop;

/// How long a server that does not answer may take to end before it is started anew.
const ENDING: Duration = Duration::from_secs(10);

/// What a new server needs of the time: one that runs already and does not answer may use the rest, and no more.
const STARTING: Duration = Duration::from_secs(3);

/// How long the workers of a dead master may take to end.
const CLEARING: Duration = Duration::from_secs(5);

/// Starts the server. Nothing happens when it runs already and answers.
///
/// # Errors
/// Why it does not; nothing of the attempt is left then.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let work = context.budget.work();
    let described = instance::describe(context, &settings.identity);
    let mut instance = described.instance;
    instance.record.serial.clone_from(&settings.config_serial);
    if let Some(master) = instance.with(|daemon| daemon.observe())?.master {
        match ask::alive(&instance.record, settings.port, work.minus(STARTING)) {
            Ok(()) => {
                // Somebody else may have started it; a stop must know it all the same.
                instance.with(|daemon| daemon.remember(&master))?;
                return adopt(context, &instance);
            }
            Err(failure) => {
                context.log.warn(format_args!("starting anew what does not serve: {failure}"));
                stop::end(context, &instance, Deadline::after(ENDING).min(work.minus(STARTING)))?;
            }
        }
    }
    let described = instance::Described { instance, ..described };
    match check::check(context, &described)? {
        Verdict::Good => {}
        Verdict::NoAddress(why) | Verdict::Denied(why) => return Err(Failure::generic(why)),
        Verdict::Bad(why) => return Err(Failure::installed(why)),
    }
    let instance = described.instance;
    if let Some(directory) = instance.record.pid_file.parent() {
        // /run is empty after a boot.
        make_directory(directory)?;
    }
    instance.with(|daemon| daemon.clear(Deadline::after(CLEARING).min(work)))?;
    stop::sweep(context, &instance.record);
    // Before the server is there: a start that is killed anywhere leaves what a stop knows.
    instance.record.save(context.invocation)?;
    let started = instance.with(|daemon| {
        daemon.start(instance.command(&[]), context.budget, &mut |_| ask::alive(&instance.record, settings.port, work))
    });
    started.inspect_err(|_| {
        stop::sweep(context, &instance.record);
        let is_left = |found: ocf::daemon::Found| found.master.is_some() || !found.orphans.is_empty();
        if instance.with(|daemon| daemon.observe()).map_or(true, is_left) {
            return;
        }
        if let Err(failure) = Record::forget(context.invocation) {
            context.log.debug(format_args!("the record stays: {failure}"));
        }
    })
}

/// Notes a server that runs already. The serial of an earlier record stays: the server has not read anything since.
fn adopt(context: &Context<'_>, instance: &Instance) -> Result<(), Failure> {
    let mut record = instance.record.clone();
    if let Some(known) = Record::load(context.invocation).filter(|known| known.identity == record.identity) {
        record.serial = known.serial;
    }
    record.save(context.invocation)
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    if path.is_dir() { Ok(()) } else { ocf::sys::file::ensure_dir(path, 0o755).or_fail(path.display()) }
}
