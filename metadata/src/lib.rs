//! Man pages and completions, made from what the agents and the tester say about themselves.
//!
//! An agent's page comes from its meta-data, as committed in `metadata/`; its examples need values
//! that make sense, and those are the only thing that is written by hand ([`examples`]). The
//! tester's page and its completions come from its command line. The results are committed, so that
//! installing needs no generator; a test holds them equal.
//!
//! Pages have no date: the version says what they are about, and two builds must not differ.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the rules for agents; this runs in the source tree")]

pub mod describe;
pub mod examples;
pub mod notices;
pub mod page;
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

/// Everything that is made from what is in `directory`, in a fixed order.
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
        let example = examples::of(&description.name).ok_or_else(|| {
            format!("{} has no example: add one to metadata/src/examples.rs", description.name)
        })?;
        let page = page::page(&description, PROVIDER, &example);
        made.push((PathBuf::from(format!("man/ocf_{PROVIDER}_{}.7", description.name)), page));
    }
    made.extend(tester::outputs().map_err(|error| format!("ocf-tester: {error}"))?);
    Ok(made)
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

    #[test]
    fn the_committed_pages_and_completions_are_current() {
        let stale = stale(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(stale.is_empty(), "run make man, and commit: {stale:?}");
    }

    #[test]
    fn an_update_writes_what_is_missing_and_removes_what_nobody_makes() {
        let directory = tempfile::tempdir().unwrap();
        let committed = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::copy(committed.join("Dummy.xml"), directory.path().join("Dummy.xml")).unwrap();
        fs::create_dir(directory.path().join("man")).unwrap();
        fs::write(directory.path().join("man/ocf_native_Gone.7"), "x").unwrap();
        let stale = stale(directory.path()).unwrap();
        for path in ["man/ocf_native_Dummy.7", "man/ocf-tester.1", "man/ocf_native_Gone.7"] {
            assert!(stale.contains(&PathBuf::from(path)), "{path}: {stale:?}");
        }
        assert_eq!(update(directory.path()).unwrap(), stale);
        assert_eq!(super::stale(directory.path()).unwrap(), Vec::<PathBuf>::new());
        assert!(!directory.path().join("man/ocf_native_Gone.7").exists());
    }

    #[test]
    fn an_agent_without_an_example_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let text =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dummy.xml")).unwrap();
        fs::write(directory.path().join("x.xml"), text.replace("name=\"Dummy\"", "name=\"Other\""))
            .unwrap();
        let error = outputs(directory.path()).unwrap_err();
        assert!(error.contains("Other has no example"), "{error}");
    }
}
