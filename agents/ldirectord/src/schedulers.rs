//! Schedulers of the kernel. It refuses a virtual service whose scheduler it does not have, and the
//! daemon writes that into its log and goes on without the service.
#![forbid(unsafe_code)]

use std::path::Path;

use ocf::prelude::*;

use crate::config::Config;
use crate::kernel::Kernel;

/// A scheduler that a virtual service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduler {
    /// File and line.
    pub place: String,
    /// Its name.
    pub name: String,
}

/// The schedulers of a configuration, each once.
pub fn used(config: &Config, conf: &Path) -> Vec<Scheduler> {
    let mut all: Vec<Scheduler> = Vec::new();
    for (line, name) in config.virtuals.iter().map(|section| &section.scheduler) {
        if all.iter().all(|known| known.name != *name) {
            let place = format!("{}:{line}", conf.display());
            all.push(Scheduler { place, name: name.clone() });
        }
    }
    all
}

/// Whether the kernel has all of these. Those that its table uses need no question, so that a
/// monitor of a director that works makes no namespace.
///
/// # Errors
/// The first that it does not have.
pub fn check(used: &[Scheduler]) -> Result<(), Failure> {
    // Without IP Virtual Server, or without the right to ask, a start says so itself.
    let Ok(Some(table)) = Kernel::open().and_then(|kernel| kernel.map(|it| it.table()).transpose())
    else {
        return Ok(());
    };
    let is_new =
        |it: &&Scheduler| table.iter().all(|service| service.scheduler() != Some(&it.name));
    let new: Vec<&str> = used.iter().filter(is_new).map(|it| it.name.as_str()).collect();
    let unknown = Kernel::first_unknown_of(&new);
    match used.iter().find(|it| Some(it.name.as_str()) == unknown) {
        None => Ok(()),
        Some(Scheduler { place, name }) => Err(Failure::installed(format!(
            "{place}: this kernel has no scheduler {name}; load the module ip_vs_{name}, or use \
             another"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheduler_is_known_with_its_line() {
        let config = crate::config::read(
            "virtual=10.0.0.1:80\n\tscheduler=sh\n\nvirtual=10.0.0.1:81\n\treal=10.0.0.2:81 masq\n\
             \nvirtual=10.0.0.1:82\n\tscheduler = sh \n",
        );
        let used = used(&config, Path::new("/d.cf"));
        let all: Vec<_> = used.iter().map(|it| (it.place.as_str(), it.name.as_str())).collect();
        assert_eq!(all, [("/d.cf:2", "sh"), ("/d.cf:4", "wrr")]);
    }
}
