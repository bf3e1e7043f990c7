//! An agent that is there is everywhere: in the Makefile, in both packages, among the pages.

use crate::{agents, make, sources, text};

#[test]
fn every_agent_is_installed_and_packaged() {
    let variable = make(&["-s", "--eval=show: ; @echo $(AGENTS)", "show"]);
    let listed = String::from_utf8(variable.stdout).unwrap();
    let mut listed: Vec<&str> = listed.split_whitespace().collect();
    listed.sort_unstable();
    assert_eq!(listed, agents(), "AGENTS of the Makefile");
    let manifest = text("metadata/Cargo.toml");
    for agent in agents() {
        let deb = format!(
            "[\"../target/package/bin/{agent}\", \"usr/lib/ocf/resource.d/native/\", \"755\"]"
        );
        let rpm = format!(
            "{{ source = \"target/package/bin/{agent}\", dest = \"/usr/lib/ocf/resource.d/native/\", mode = \"755\" }}"
        );
        for entry in [deb, rpm] {
            assert!(manifest.contains(&entry), "metadata/Cargo.toml lacks {entry}");
        }
        let page = format!("metadata/man/ocf_native_{agent}.7");
        assert!(sources().join(&page).is_file(), "{page} is not there: make man");
    }
}
