//! `ocf-tester` judged: by agents that are wrong in one way each, and by some that are right
//! (`tests/fixtures/zoo`).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod animal;
mod ci;
mod findings;
mod ours;
mod peer;
mod real;
mod rows;
mod said;
mod zoo;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use harness::cluster::installed;
use harness::skip::skip;

/// How many machines are at work: agents wait more than they work.
const SIDE_BY_SIDE: usize = 4;

/// The schemas that give some of the verdicts.
const SCHEMAS: [&str; 2] =
    ["/usr/share/pcs/data/ocf-1.1.rng", "/usr/share/resource-agents/ra-api-1.dtd"];

/// False, and a loud skip, when something that is needed is absent.
fn has(programs: &[&str]) -> bool {
    let program = programs.iter().find(|program| !installed(program));
    if let Some(absent) =
        program.or_else(|| SCHEMAS.iter().find(|schema| !Path::new(schema).is_file()))
    {
        skip(&format!("{absent} is not installed"));
        return false;
    }
    if !harness::root::has_other_users() {
        skip("without root there is one user only, and half of the rules are about others");
        return false;
    }
    true
}

/// What `work` gives for each, a few at a time; named as `name` says.
fn side_by_side<T: Sync, R: Send>(
    all: &[T],
    name: impl Fn(&T) -> String + Sync,
    work: impl Fn(&T) -> R + Sync,
) -> BTreeMap<String, R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(all.len()) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(one);
                    results
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(name(one), result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
