//! What the agents say about themselves, judged by the schemas and the tester that others wrote.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod schema;
mod structure;
mod tester;

use std::path::PathBuf;

use harness::call::is_there;
use harness::cluster::installed;
use harness::skip::skip;
use harness::{Host, agent};

/// The agents that are built, with the place of their committed description.
fn agents() -> Vec<(&'static str, PathBuf)> {
    let committed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../metadata");
    let built = harness::call::names().filter(|kind| is_there(kind));
    built.map(|kind| (kind, committed.join(format!("{kind}.xml")))).collect()
}

/// What `meta-data` prints.
fn described(host: &Host, kind: &str) -> String {
    agent(host, kind).action("meta-data").expect_code(0).stdout.clone()
}

/// False, and a loud skip, when something that is needed is absent.
fn has(programs: &[&str], files: &[&str]) -> bool {
    let program = programs.iter().find(|program| !installed(program));
    let file = files.iter().find(|file| !std::path::Path::new(file).is_file());
    match program.or(file) {
        Some(absent) => {
            skip(&format!("{absent} is not installed"));
            false
        }
        None => true,
    }
}
