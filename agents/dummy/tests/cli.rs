//! The built binary through a whole life, without root and without a cluster.

use std::process::Command;

use ocf::testing::{Program, Said};

const AGENT: Program = Program(env!("CARGO_BIN_EXE_Dummy"));

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
        ("reload", 0),
        ("stop", 0),
        ("stop", 0),
        ("monitor", 7),
    ];
    for (action, code) in steps {
        assert_eq!(AGENT.call(action, &environment), Said::silently(code), "{action}");
    }
}

#[test]
fn closed_standard_streams_get_no_other_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let environment =
        [("OCF_RESKEY_state", state.to_str().unwrap()), ("OCF_RESKEY_fail_start_on", "none")];
    for (action, code) in [
        ("start", 0),
        ("monitor", 0),
        ("meta-data", 0),
        ("frobnicate", 3),
        ("stop", 0),
        ("monitor", 7),
    ] {
        let script = format!("exec '{}' {action} <&- >&- 2>&-", AGENT.0);
        let mut shell = Command::new("/bin/sh");
        let mut child = shell.args(["-c", &script]).env_clear().envs(environment).spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{action}");
    }
}

#[test]
fn bad_values_are_named_and_secrets_are_not() {
    let said = AGENT.validate(&[("state", "relative"), ("op_sleep", "x"), ("passwd", "hunter2")]);
    assert_eq!(said.code, Some(6));
    assert!(
        said.stderr.contains("state=\"relative\"") && said.stderr.contains("op_sleep=\"x\""),
        "{said:?}"
    );
    assert!(!said.stderr.contains("hunter2"), "{said:?}");
}

#[test]
fn a_typo_in_a_name_is_pointed_out() {
    let said = AGENT.validate(&[("fak", "x")]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.stderr.contains("unknown parameter fak is ignored; did you mean fake?"),
        "{said:?}"
    );
}
