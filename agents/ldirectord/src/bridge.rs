//! What the kernel goes on with while a daemon that died is started again.
//!
//! Without its daemon the kernel directs clients as before. A stop must nevertheless leave the
//! table as it was before the start: it is not known whether a start follows, or where. So what the
//! daemon had in the table is kept in a file when it is found dead, and a start that follows soon
//! puts it back before the daemon comes up, which takes an interpreter with all its modules. The
//! daemon goes on from what it finds, as it always does, and checks it.
//!
//! All of it is a favour: what fails here is logged, and the start or stop goes on.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::{Duration, SystemTime};

use ocf::daemon::Daemon;
use ocf::prelude::*;
use ocf::state;

use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::record::{LEFT, Record};
use crate::table::{self, Service};

/// Later than this, it is no recovery: real servers may have come and gone.
const SOON: Duration = Duration::from_secs(60);

/// Keeps what a daemon that died has in the kernel's table.
pub fn save_services(context: &Context<'_>, known: &Record) {
    let Some(conf) = known.confs.first() else { return };
    let main = Instance::new(context.invocation, &known.identity.program, conf, 0);
    // One that never was up has checked nothing; one that lives clears up for itself.
    if !main.was_up()
        || main.observe(context.budget.work()).map_or(true, |found| found.master.is_some())
    {
        return;
    }
    let Ok(Some(kernel)) = Kernel::open() else { return };
    let Ok(table) = kernel.table() else { return };
    let left =
        Record { before: table::serving(&known.wanted, &known.before, &table), ..known.clone() };
    if left.before.is_empty() {
        return;
    }
    if let Err(failure) = left.save_left(context.invocation) {
        context.log.warn(format_args!("clients wait until the daemon is up again: {failure}"));
    }
}

/// Puts back what was kept, if that was just now and of the same configuration.
pub fn restore_services(context: &Context<'_>, new: &Record, kernel: &Kernel) {
    let path = Record::path(context.invocation, LEFT);
    let left =
        Record::load_left(context.invocation).filter(|left| is_of(left, new) && is_fresh(&path));
    if let Err(failure) = state::forget(&path) {
        context.log.warn(format_args!("{}: {failure}", path.display()));
    }
    let Some(left) = left else { return };
    let Ok(now) = kernel.table() else { return };
    for change in table::restore(&new.wanted, &left.before, &now) {
        if let Err(error) = kernel.apply(&change) {
            context
                .log
                .warn(format_args!("the kernel's table of virtual services: {change:?}: {error}"));
            return;
        }
    }
    context.log.info(format_args!("the kernel directs clients as before the daemon died"));
}

/// Whether what was left is of the same resource with the same virtual services, none of which has
/// something else now.
fn is_of(left: &Record, new: &Record) -> bool {
    let free = |service: &Service| new.before.iter().all(|before| before.id != service.id);
    left.identity == new.identity && left.wanted == new.wanted && left.before.iter().all(free)
}

fn is_fresh(path: &Path) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    // A clock that was put back makes it older than it is, never younger.
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < SOON))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Id, Wanted};

    #[test]
    fn only_what_is_of_the_same_services_is_put_back() {
        let id = Id::parse("tcp 10.0.0.1:80").unwrap();
        let service = Service { id, attributes: Vec::new(), servers: Vec::new() };
        let wanted = vec![Wanted { id, kept: false, off: false }];
        let new = Record { wanted, confs: vec!["/a".into()], ..Record::default() };
        let left = Record { before: vec![service.clone()], ..new.clone() };
        assert!(is_of(&left, &new));
        assert!(
            !is_of(&left, &Record { before: vec![service], ..new.clone() }),
            "another one's by now"
        );
        assert!(!is_of(&left, &Record { wanted: Vec::new(), ..new }), "another configuration");
    }
}
