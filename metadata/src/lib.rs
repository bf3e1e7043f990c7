//! Man pages and completions, made from what the agents and the tester say about themselves.
//!
//! An agent's page comes from its meta-data, as committed in `metadata/`, and from its README,
//! which has an example, the differences from the agent that it replaces, and its reasons. The
//! tester's page and its completions come from its command line. The results are committed, so that
//! installing needs no generator; a test holds them equal.
//!
//! Pages have no date: the version says what they are about, and two builds must not differ.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the rules for agents; this runs in the source tree")]

pub mod describe;
pub mod new;
pub mod notices;
pub mod page;
pub mod picture;
pub mod readme;
pub mod sbom;
pub mod tester;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use describe::Description;

/// The provider that the committed pages name. An installation under another name replaces this
/// word.
pub const PROVIDER: &str = "native";

/// A file to be written: its path below `metadata/`, and its content.
pub type Output = (PathBuf, String);

/// Everything that is made from what is in `directory` and from the documents beside it, in a fixed
/// order.
///
/// # Errors
/// With the file that cannot be read, or what it lacks.
pub fn outputs(directory: &Path) -> Result<Vec<Output>, String> {
    let mut made = Vec::new();
    for name in sources(directory).map_err(|error| format!("{}: {error}", directory.display()))? {
        let path = directory.join(&name);
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| named(&error))?;
        let description = Description::parse(&text).map_err(|error| named(&error))?;
        let member = format!("../agents/{}", description.name.to_lowercase());
        let about = about(directory, &member)?;
        let page = page::page(&description, PROVIDER, &about);
        made.push((PathBuf::from(format!("man/ocf_{PROVIDER}_{}.7", description.name)), page));
    }
    let version = env!("CARGO_PKG_VERSION");
    let page = page::shared(version, PROVIDER, &about(directory, "../shared")?);
    made.push((PathBuf::from(format!("man/ocf_{PROVIDER}_agents.7")), page));
    made.extend(tester::outputs().map_err(|error| format!("ocf-tester: {error}"))?);
    Ok(made)
}

/// The README of a member of the workspace.
fn about(directory: &Path, member: &str) -> Result<Vec<readme::Section>, String> {
    let path = directory.join(member).join("README.md");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(readme::sections(&text))
}

/// The outputs that are not in `directory` as they should be; and files there that are not
/// generated any more.
///
/// # Errors
/// As [`outputs`].
pub fn stale(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let made = outputs(directory)?;
    let differs = |(path, text): &&Output| {
        fs::read_to_string(directory.join(path)).ok().as_ref() != Some(text)
    };
    let mut stale: Vec<PathBuf> =
        made.iter().filter(differs).map(|(path, _)| path.clone()).collect();
    stale.extend(strangers(directory, &made));
    Ok(stale)
}

/// Writes what is stale, and removes what is not generated any more. Returns what was touched.
///
/// # Errors
/// With the file that cannot be written.
pub fn update(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let made = outputs(directory)?;
    let stale = stale(directory)?;
    for path in &stale {
        let full = directory.join(path);
        let done = match made.iter().find(|(name, _)| name == path) {
            Some((_, text)) => full
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&full, text)),
            None => fs::remove_file(&full),
        };
        done.map_err(|error| format!("{}: {error}", full.display()))?;
    }
    Ok(stale)
}

/// The pictures of the values in `directory`, whose names end in `.json`.
///
/// # Errors
/// With the file that cannot be read, or what it lacks.
pub fn pictures(directory: &Path) -> Result<Vec<Output>, String> {
    let mut made = Vec::new();
    for name in names(directory).map_err(|error| format!("{}: {error}", directory.display()))? {
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let named = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let text = fs::read_to_string(directory.join(&name)).map_err(|error| named(&error))?;
        let chart = picture::Chart::parse(&text).map_err(|error| named(&error))?;
        for (colours, svg) in chart.pictures().map_err(|error| named(&error))? {
            made.push((PathBuf::from(format!("{stem}-{colours}.svg")), svg));
        }
    }
    Ok(made)
}

/// The names of the agents' meta-data files.
fn sources(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = names(directory)?;
    names.retain(|name| name.ends_with(".xml"));
    Ok(names)
}

/// Files in the directories of outputs that are none.
fn strangers(directory: &Path, made: &[Output]) -> Vec<PathBuf> {
    let parts = ["man", "completions"].into_iter();
    let found = parts.flat_map(|part| {
        let names = names(&directory.join(part)).unwrap_or_default();
        names.into_iter().map(move |name| Path::new(part).join(name))
    });
    found.filter(|path| !made.iter().any(|(name, _)| name == path)).collect()
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::Action;

    #[test]
    fn the_committed_pages_and_completions_are_current() {
        let stale = stale(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(stale.is_empty(), "run make man, and commit: {stale:?}");
    }

    #[test]
    fn the_committed_pictures_are_current() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/figures");
        let made = pictures(&directory).unwrap();
        assert!(made.len() > 2);
        for (path, svg) in made {
            let committed = fs::read_to_string(directory.join(&path)).unwrap_or_default();
            assert!(committed == svg, "{}: run make pictures, and commit", path.display());
        }
    }

    #[test]
    fn an_update_writes_what_is_missing_and_removes_what_is_not_generated() {
        let tree = tempfile::tempdir().unwrap();
        let directory = tree.path().join("metadata");
        let committed = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(directory.join("man")).unwrap();
        for member in ["agents/dummy", "shared"] {
            fs::create_dir_all(tree.path().join(member)).unwrap();
            let readme = format!("{member}/README.md");
            fs::copy(committed.join("..").join(&readme), tree.path().join(&readme)).unwrap();
        }
        fs::copy(committed.join("Dummy.xml"), directory.join("Dummy.xml")).unwrap();
        fs::write(directory.join("man/ocf_native_Gone.7"), "x").unwrap();
        let stale = stale(&directory).unwrap();
        for path in ["man/ocf_native_Dummy.7", "man/ocf-tester.1", "man/ocf_native_Gone.7"] {
            assert!(stale.contains(&PathBuf::from(path)), "{path}: {stale:?}");
        }
        assert_eq!(update(&directory).unwrap(), stale);
        assert_eq!(super::stale(&directory).unwrap(), Vec::<PathBuf>::new());
        assert!(!directory.join("man/ocf_native_Gone.7").exists());
    }

    #[test]
    fn the_example_of_each_agent_has_the_time_outs_that_the_agent_advertises() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in sources(directory).unwrap() {
            let text = fs::read_to_string(directory.join(&name)).unwrap();
            let agent = Description::parse(&text).unwrap();
            let member = format!("../agents/{}", agent.name.to_lowercase());
            let about = about(directory, &member).unwrap();
            let example = about.iter().find(|section| section.title == "Example").unwrap();
            let literals: Vec<String> = example
                .blocks
                .iter()
                .filter_map(|block| match block {
                    readme::Block::Literal(lines) => Some(lines.join(" ")),
                    _ => None,
                })
                .collect();
            assert_eq!(literals.len(), 2, "{}: one for pcs, one for crmsh", agent.name);
            for action in agent.actions.iter().filter(|action| action.name != "meta-data") {
                let Action { name, timeout, .. } = action;
                let operation = match (&action.interval, name.as_str()) {
                    (Some(interval), "monitor") if action.depth.unwrap_or(0) <= 10 => {
                        format!("monitor interval={interval} timeout={timeout}")
                    }
                    (_, "start" | "stop") => format!("{name} timeout={timeout}"),
                    _ => continue,
                };
                let has = |literal: &String| literal.contains(&operation);
                assert!(literals.iter().all(has), "{}: {operation}: {literals:#?}", agent.name);
            }
        }
    }
}
