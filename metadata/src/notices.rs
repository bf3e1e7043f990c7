//! The licences of what is linked into the binaries, with their texts: most of them ask for that
//! wherever the binaries go.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// Names that files of licences begin with.
const FILES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

const HEAD: &str = "\
The programs of ocf-agents are linked with the crates below, and with the standard library of Rust
(https://github.com/rust-lang/rust, MIT or Apache-2.0). Where a crate has several licences to \
choose from, all are here.
";

/// A crate from outside this project.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    name: String,
    version: String,
    licence: String,
    manifest: String,
}

/// The notices for what `roots` are linked with, according to `cargo metadata`.
///
/// # Errors
/// When that says something unexpected, or a crate's licence cannot be read.
pub fn notices(metadata: &str, roots: &[String]) -> Result<String, String> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let parts = parts(&metadata, roots)?;
    let mut report = HEAD.to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    report.push('\n');
    for part in &parts {
        let _ = writeln!(report, "{} {}: {}", part.name, part.version, part.licence);
        let found = licences(Path::new(&part.manifest))
            .map_err(|error| format!("{}: {error}", part.manifest))?;
        for text in found {
            texts.entry(text).or_default().push(part.name.clone());
        }
    }
    let mut sections: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, names)| (names, text)).collect();
    sections.sort();
    for (mut names, text) in sections {
        names.dedup();
        let rule = "-".repeat(80);
        let _ = write!(report, "\n{rule}\n{}\n{rule}\n\n{text}\n", names.join(", "));
    }
    Ok(report)
}

/// What the roots need at run time, without members of the workspace.
fn parts(metadata: &Value, roots: &[String]) -> Result<BTreeSet<Part>, String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .map(|package| (word(&package["id"]), package))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .map(|node| (word(&node["id"]), node))
        .collect();
    let mut waiting = Vec::new();
    for root in roots {
        let found = packages.iter().find(|(_, package)| package["name"] == root.as_str());
        waiting.push(found.ok_or_else(|| format!("there is no package {root}"))?.0.clone());
    }
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in list(&nodes.get(&id).ok_or("a package without dependencies")?["deps"]) {
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(word(&dependency["pkg"]));
            }
        }
    }
    let foreign = seen
        .iter()
        .filter_map(|id| packages.get(id))
        .filter(|package| !package["source"].is_null());
    Ok(foreign
        .map(|package| Part {
            name: word(&package["name"]),
            version: word(&package["version"]),
            licence: word(&package["license"]),
            manifest: word(&package["manifest_path"]),
        })
        .collect())
}

/// The texts beside a manifest.
fn licences(manifest: &Path) -> io::Result<Vec<String>> {
    let Some(directory) = manifest.parent() else { return Ok(Vec::new()) };
    let mut paths: Vec<_> =
        fs::read_dir(directory)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let is_licence = |path: &&std::path::PathBuf| {
        let name =
            path.file_name().map(|name| name.to_string_lossy().to_uppercase()).unwrap_or_default();
        path.is_file() && FILES.iter().any(|start| name.starts_with(start))
    };
    let read = |path: &std::path::PathBuf| {
        fs::read(path).map(|text| String::from_utf8_lossy(&text).trim().to_owned())
    };
    paths.iter().filter(is_licence).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a (ours) needs b; b needs c, is built with d, and tested with e.
    fn graph(directory: &Path) -> String {
        let package = |name: &str, source: Value| {
            let manifest = directory.join(name).join("Cargo.toml");
            serde_json::json!({
                "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source,
                "manifest_path": manifest.to_str().unwrap(),
            })
        };
        let needs = |name: &str, kind: Value| {
            let kinds = [serde_json::json!({ "kind": kind })];
            serde_json::json!({ "pkg": name, "dep_kinds": kinds })
        };
        let deps = [needs("c", Value::Null), needs("d", "build".into()), needs("e", "dev".into())];
        let mut packages = vec![package("a", Value::Null)];
        packages.extend(["b", "c", "d", "e"].map(|name| package(name, "registry".into())));
        serde_json::json!({
            "packages": packages,
            "resolve": {"nodes": [
                {"id": "a", "deps": [needs("b", Value::Null)]},
                {"id": "b", "deps": deps},
                {"id": "c", "deps": []},
            ]},
        })
        .to_string()
    }

    #[test]
    fn what_is_linked_is_listed_with_its_licence_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b", "c"] {
            fs::create_dir(directory.path().join(name)).unwrap();
            fs::write(directory.path().join(name).join("LICENSE-MIT"), "may be used\n").unwrap();
        }
        fs::write(directory.path().join("c/main.rs"), "no licence").unwrap();
        let text = notices(&graph(directory.path()), &["a".to_owned()]).unwrap();
        assert!(text.contains("\nb 1.0.0: MIT\nc 1.0.0: MIT\n"), "{text}");
        assert!(
            !text.contains("\na 1.0.0")
                && !text.contains("\nd 1.0.0")
                && !text.contains("no licence"),
            "{text}"
        );
        assert_eq!(text.matches("may be used").count(), 1, "{text}");
        assert!(text.contains("\nb, c\n"), "{text}");
    }

    #[test]
    fn an_unknown_package_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            notices(&graph(directory.path()), &["z".to_owned()]).unwrap_err(),
            "there is no package z"
        );
    }
}
