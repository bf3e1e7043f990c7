//! What an administrator gets: pages, an installation, packages; and whether the documents tell the
//! truth.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]
#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod failures;
mod install;
mod lists;
mod moving;
mod packages;
mod pages;
mod portable;
mod readme;
mod reasons;
mod release;
mod walk;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The directory of the sources.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the sources")
}

/// The names of the agents.
fn agents() -> Vec<String> {
    harness::call::names().map(str::to_owned).collect()
}

/// A file of the sources.
fn text(path: &str) -> String {
    std::fs::read_to_string(sources().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents for administrators and contributors: those of the project, and each agent's.
fn documents() -> Vec<String> {
    let mut found =
        vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned(), "SECURITY.md".to_owned()];
    let members = std::fs::read_dir(sources().join("agents"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let members = members
        .map(|name| format!("agents/{}", name.to_string_lossy()))
        .chain(["shared", "ocf-tester", "tests", "metadata/packaging"].map(str::to_owned));
    let mut more: Vec<String> = members
        .map(|member| format!("{member}/README.md"))
        .filter(|name| sources().join(name).is_file())
        .collect();
    more.sort();
    found.extend(more);
    found
}

/// `make` in the sources, with nothing of the caller's settings.
fn make(words: &[&str]) -> Output {
    let mut command = Command::new("make");
    for name in ["DESTDIR", "PREFIX", "PROVIDER", "OCF_ROOT", "BUILT", "MAKEFLAGS", "MAKELEVEL"] {
        command.env_remove(name);
    }
    command.current_dir(sources()).arg("--no-print-directory").args(words).output().expect("make")
}

fn said(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}
