//! The built binary through a whole life, without root and without a cluster.

use std::process::Command;

const AGENT: &str = env!("CARGO_BIN_EXE_Dummy");

#[expect(clippy::disallowed_methods, reason = "a test waits for what it calls")]
fn call(action: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output =
        Command::new(AGENT).arg(action).env_clear().envs(environment.iter().copied()).output().expect("the agent runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

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
        assert_eq!(call(action, &environment), (Some(code), String::new()), "{action}");
    }
}

#[test]
fn closed_standard_streams_get_no_other_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let environment = [("OCF_RESKEY_state", state.to_str().unwrap()), ("OCF_RESKEY_fail_start_on", "none")];
    for (action, code) in
        [("start", 0), ("monitor", 0), ("meta-data", 0), ("frobnicate", 3), ("stop", 0), ("monitor", 7)]
    {
        let script = format!("exec '{AGENT}' {action} <&- >&- 2>&-");
        let mut shell = Command::new("/bin/sh");
        let mut child = shell.args(["-c", &script]).env_clear().envs(environment).spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{action}");
    }
}

#[test]
fn bad_values_are_named_and_secrets_are_not() {
    let environment =
        [("OCF_RESKEY_state", "relative"), ("OCF_RESKEY_op_sleep", "x"), ("OCF_RESKEY_passwd", "hunter2")];
    let (code, stderr) = call("start", &environment);
    assert_eq!(code, Some(6));
    assert!(stderr.contains("state=\"relative\"") && stderr.contains("op_sleep=\"x\""), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_typo_in_a_name_is_pointed_out() {
    let (code, stderr) = call("validate-all", &[("OCF_RESKEY_fak", "x")]);
    assert_eq!(code, Some(0));
    assert!(stderr.contains("unknown parameter fak is ignored; did you mean fake?"), "{stderr}");
}
