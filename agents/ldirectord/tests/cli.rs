//! The built binary's command line, without root and without a daemon.

use std::process::Command;

const AGENT: &str = env!("CARGO_BIN_EXE_ldirectord");

#[expect(clippy::disallowed_methods, reason = "a test waits for what it calls")]
fn call(action: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(AGENT);
    command.args((!action.is_empty()).then_some(action)).env_clear().envs(environment.iter().copied());
    let output = command.output().expect("the agent runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn no_action_and_an_unknown_one_are_3() {
    for action in ["", "frobnicate", "promote"] {
        let (code, stdout, stderr) = call(action, &[]);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{action}");
        assert!(stderr.contains("validate-all"), "{stderr}");
    }
}

#[test]
fn every_fault_is_named() {
    let environment = [
        ("OCF_RESKEY_configfile", "ldirectord.cf"),
        ("OCF_RESKEY_ldirectord", "ldirectord"),
        ("OCF_RESKEY_ca", "ca.pem"),
        ("OCF_RESKEY_on_low", "panic"),
    ];
    let (code, _, stderr) = call("validate-all", &environment);
    assert_eq!(code, Some(6));
    for (name, _) in environment {
        let name = name.trim_start_matches("OCF_RESKEY_");
        assert!(stderr.contains(&format!("{name}=")), "{name}: {stderr}");
    }
}

#[test]
fn a_resource_whose_configuration_is_elsewhere_does_not_run_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("nowhere.cf");
    let environment =
        [("OCF_RESKEY_configfile", conf.to_str().unwrap()), ("HA_RSCTMP", folder.path().to_str().unwrap())];
    assert_eq!(call("monitor", &environment).0, Some(7));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
