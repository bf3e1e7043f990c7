//! The built binary through a whole life, without root and without a cluster.

use ocf::testing::{Program, Said};

const AGENT: Program = Program(env!("CARGO_BIN_EXE_@NAME@"));

#[test]
fn a_life_from_probe_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let environment = [("OCF_RESKEY_state", state.to_str().unwrap())];
    let steps = [
        ("monitor", 7),
        ("start", 0),
        ("start", 0),
        ("monitor", 0),
        ("reload-agent", 0),
        ("stop", 0),
        ("stop", 0),
        ("monitor", 7),
    ];
    for (action, code) in steps {
        assert_eq!(AGENT.call(action, &environment), Said::silently(code), "{action}");
    }
}

#[test]
fn what_is_no_action_is_named() {
    AGENT.expect_usage();
}

#[test]
fn the_meta_data_is_the_committed_text() {
    AGENT.expect_description(include_str!("../../../metadata/@NAME@.xml"), &["0"]);
}

#[test]
fn every_faulty_value_is_named() {
    AGENT.expect_every_fault_is_named(&[("state", "relative"), ("watch", "perhaps")]);
}
