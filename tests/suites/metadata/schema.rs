//! The committed texts, and other people's schemas.

use std::process::Stdio;

use harness::enter::Entry;
use harness::root::has_other_users;
use harness::skip::skip;
use harness::{Host, agent};

use crate::{agents, described, has};

/// What pcs accepts as OCF 1.1.
const PCS: &str = "/usr/share/pcs/data/ocf-1.1.rng";

#[test]
fn every_description_is_the_committed_one() {
    let host = Host::new("reader");
    let agents = agents();
    assert!(agents.iter().any(|(kind, _)| *kind == "IPaddr2"), "IPaddr2 is not built");
    for (kind, file) in agents {
        let committed = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let printed = described(&host, kind);
        assert!(printed == committed, "{kind}: meta-data is not metadata/{kind}.xml:\n{printed}");
    }
}

#[test]
fn pcs_accepts_every_description_as_ocf_1_1() {
    if !has(&["xmllint"], &[PCS]) {
        return;
    }
    let host = Host::new("reader");
    for (kind, _) in agents() {
        lint(&host, kind, &["--noout", "--relaxng", PCS, "-"]);
    }
}

/// Pacemaker 3 logs a failed assertion for each declaration of an internal subset (al_4).
#[test]
fn al_4_no_description_has_a_document_type() {
    let host = Host::new("reader");
    for (kind, _) in agents() {
        let printed = described(&host, kind);
        assert!(
            printed.starts_with("<?xml version=\"1.0\"?>\n<resource-agent "),
            "{kind}: {printed}"
        );
        assert!(!printed.contains("<!"), "{kind}: {printed}");
    }
}

/// Runs xmllint on what the agent prints.
fn lint(host: &Host, kind: &str, args: &[&str]) {
    host.sh(&format!("cat > /run/{kind}.xml <<'END OF IT'\n{}\nEND OF IT", described(host, kind)));
    let script = format!("xmllint \"$@\" < /run/{kind}.xml");
    let mut words = vec!["-c", script.as_str(), "sh"];
    words.extend(args);
    let done = host.run("/bin/sh", &words);
    let warned = !matches!(done.stderr.trim(), "" | "- validates");
    assert!(done.code == Some(0) && !warned, "{kind}: xmllint {args:?}: {done:#?}");
}

#[test]
fn a_description_needs_no_environment_and_no_rights() {
    let host = Host::new("reader");
    for (kind, _) in agents() {
        let expected = described(&host, kind);
        let bare = agent(&host, kind).bare();
        assert_eq!(bare.action("meta-data").expect_code(0).stdout, expected);
        if has_other_users() {
            assert_eq!(bare.as_nobody().action("meta-data").expect_code(0).stdout, expected);
        }
    }
    if !has_other_users() {
        skip("there is one user only: not run as nobody");
    }
}

#[test]
fn a_description_survives_a_reader_that_leaves() {
    let host = Host::new("reader");
    for (kind, _) in agents() {
        let (mut command, _) = host.command_as(harness::call::executable(kind), Entry::default());
        command.arg("meta-data").stderr(Stdio::piped());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = command.stdout(writer).spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!said.contains("panicked"), "{kind}: {said}");
    }
}
