//! A master that reads its configuration after a reload, which may take long: names that are
//! looked up, large lists, Lua. It does not answer then, and its workers serve on.
#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use ocf::sys::process::{Process, everybody, program_of};

use crate::arguments;

/// What a monitor says of it that cannot wait any longer.
pub const READS: &str = "haproxy reads its configuration since a reload, and its old workers serve \
                         on: wait, or see its log";

/// Whether a master that does not answer is reading its configuration: it has begun anew with
/// orders for the workers before, these live, and there is none that is newer.
pub fn is_reading(programs: &[PathBuf], master: &Process) -> bool {
    let Some(words) = master.arguments_of_root() else { return false };
    let former = arguments::finishing(&words);
    if former.is_empty() || master.is_held().unwrap_or(true) {
        return false;
    }
    workers(programs, master).is_ok_and(|workers| are_all_former(&workers, &former))
}

fn are_all_former(workers: &[i32], former: &[i32]) -> bool {
    !workers.is_empty() && workers.iter().all(|worker| former.contains(worker))
}

/// The master's children that run haproxy: what it runs while it reads is no worker.
fn workers(programs: &[PathBuf], master: &Process) -> io::Result<Vec<i32>> {
    let runs_haproxy = |pid: i32| program_of(pid).is_ok_and(|program| programs.contains(&program));
    let children = everybody()?.into_iter().filter(|member| member.parent == master.pid);
    Ok(children.map(|member| member.process.pid).filter(|pid| runs_haproxy(*pid)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_worker_ends_the_reading() {
        assert!(are_all_former(&[12], &[12]));
        assert!(are_all_former(&[12], &[7, 12]));
        assert!(!are_all_former(&[12, 20], &[7, 12]), "it serves by now");
        assert!(!are_all_former(&[], &[7, 12]), "nothing serves");
    }
}
