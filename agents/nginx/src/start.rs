//! Starts the server, and returns when it answers.
#![forbid(unsafe_code)]

use std::path::Path;

use ocf::daemon::{self, Daemon, STARTING, one_start_at_a_time};
use ocf::prelude::*;

use crate::ask;
use crate::check;
use crate::instance::{self, Described, Instance};
use crate::record::Record;
use crate::settings::Settings;

/// Starts the server. Nothing happens when it runs already and answers.
///
/// # Errors
/// Why it does not; nothing of the attempt is left then.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let described = instance::describe(context, &settings.identity);
    let conf = described.instance.record.conf.clone();
    // With `reuseport` each of two starts would have a master.
    one_start_at_a_time(context, "nginx", &conf, || start_alone(context, settings, described))
}

fn start_alone(
    context: &Context<'_>,
    settings: &Settings,
    described: Described,
) -> Result<(), Failure> {
    let mut instance = described.instance;
    instance.record.serial.clone_from(&settings.config_serial);
    let work = context.budget.work();
    if instance
        .take_over(context, |_| ask::alive(&instance.record, settings.port, work.minus(STARTING)))?
    {
        return adopt(context, &instance);
    }
    daemon::end_earlier(context, Instance::earlier(context.invocation, &settings.identity))?;
    let described = Described { instance, ..described };
    check::check(context, &described)?.for_start()?;
    let instance = described.instance;
    if let Some(directory) = instance.record.pid_file.parent() {
        // /run is empty after a boot.
        make_directory(directory)?;
    }
    instance.launch(context, instance.command(&[]), &mut |_| {
        ask::alive(&instance.record, settings.port, work).into()
    })
}

/// Records a server that runs already. The serial of an earlier record stays: the server has not
/// read anything since.
fn adopt(context: &Context<'_>, instance: &Instance) -> Result<(), Failure> {
    let mut record = instance.record.clone();
    if let Some(known) =
        Record::load(context.invocation).filter(|known| known.identity == record.identity)
    {
        record.serial = known.serial;
    }
    record.save(context.invocation)
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        Ok(())
    } else {
        ocf::sys::file::ensure_dir(path, 0o755).or_fail(path.display())
    }
}
