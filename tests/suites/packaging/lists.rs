//! An agent that is there is everywhere: among what is installed and packaged, among the pages, in
//! the documents.

use std::collections::BTreeSet;

use crate::{agents, make, sources, text};

/// The crates that the manifests name, without those of the workspace.
fn dependencies() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let agents = std::fs::read_dir(sources().join("agents")).unwrap();
    let agents = agents.map(|entry| format!("agents/{}", entry.unwrap().file_name().display()));
    let members = ["shared", "ocf-tester", "metadata", "tests"].map(str::to_owned);
    for member in members.into_iter().chain(agents) {
        let manifest = text(&format!("{member}/Cargo.toml"));
        let mut inside = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]");
            } else if let (true, Some((name, _))) = (inside, line.split_once(['.', ' '])) {
                found.insert(name.to_owned());
            }
        }
    }
    found.retain(|name| !name.is_empty() && !name.starts_with(['#', 'o']));
    found
}

#[test]
fn every_crate_that_is_used_is_explained_and_no_other_is() {
    let document = text("CONTRIBUTING.md");
    let table = document.split("| crate | for |\n").nth(1).unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let names = rows.filter_map(|row| row.split('|').nth(1));
    let listed: BTreeSet<String> =
        names.flat_map(|names| names.split('`').skip(1).step_by(2).map(str::to_owned)).collect();
    assert_eq!(listed, dependencies());
}

#[test]
fn every_agent_is_installed_and_has_a_page_and_a_document() {
    let variable = make(&["-s", "agents"]);
    let listed = String::from_utf8(variable.stdout).unwrap();
    let mut listed: Vec<&str> = listed.split_whitespace().collect();
    listed.sort_unstable();
    assert_eq!(listed, agents(), "AGENTS of the Makefile");
    for agent in agents() {
        let page = format!("metadata/man/ocf_native_{agent}.7");
        assert!(sources().join(&page).is_file(), "{page} is not there: make man");
    }
    let table = text("README.md");
    for agent in agents() {
        let row = format!("| [`{agent}`](agents/{}/README.md) |", agent.to_lowercase());
        assert!(table.contains(&row), "the table of README.md lacks {row}");
    }
}
