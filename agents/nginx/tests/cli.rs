//! The built binary's command line, without root and without a server.

use std::path::Path;
use std::process::Command;

const AGENT: &str = env!("CARGO_BIN_EXE_nginx");

#[expect(clippy::disallowed_methods, reason = "a test waits for what it calls")]
fn call(action: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(AGENT);
    command.args((!action.is_empty()).then_some(action)).env_clear().envs(environment.iter().copied());
    let output = command.output().expect("the agent runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn ng_15_no_action_and_an_unknown_one_are_3() {
    for action in ["", "frobnicate", "promote"] {
        let (code, stdout, stderr) = call(action, &[]);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{action}");
        assert!(stderr.contains("reload-agent"), "{stderr}");
    }
}

#[test]
fn ng_11_the_meta_data_has_another_interval_for_each_depth() {
    let (code, stdout, stderr) = call("meta-data", &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let value = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let monitors: Vec<&str> = stdout.lines().filter(|line| line.contains("name=\"monitor\"")).collect();
    let depths: Vec<String> = monitors.iter().filter_map(|line| value(line, "depth")).collect();
    assert_eq!(depths, ["0", "10", "20", "30"]);
    let mut intervals: Vec<String> = monitors.iter().filter_map(|line| value(line, "interval")).collect();
    intervals.dedup();
    assert_eq!(intervals.len(), 4, "{intervals:?}");
}

#[test]
fn every_fault_is_named() {
    let environment = [
        ("OCF_RESKEY_configfile", "nginx.conf"),
        ("OCF_RESKEY_port", "70000"),
        ("OCF_RESKEY_status10url", "ftp://x/"),
        ("OCF_RESKEY_status10regex", "("),
        ("OCF_RESKEY_options", "-g 'x"),
        ("OCF_RESKEY_external_monitor30_cmd", "\"x"),
        ("OCF_RESKEY_expect_status", "nine"),
    ];
    let (code, _, stderr) = call("validate-all", &environment);
    assert_eq!(code, Some(6));
    for (name, _) in environment {
        let name = name.trim_start_matches("OCF_RESKEY_");
        assert!(stderr.contains(&format!("{name}=")), "{name}: {stderr}");
    }
}

#[test]
fn old_and_misprinted_names_are_known() {
    for name in ["client", "testclient"] {
        let variable = format!("OCF_RESKEY_{name}");
        assert_eq!(call("validate-all", &[(&variable, "wget")]), (Some(0), String::new(), String::new()), "{name}");
    }
}

#[test]
fn a_resource_whose_configuration_is_elsewhere_does_not_run_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("nginx.conf");
    let environment =
        [("OCF_RESKEY_configfile", conf.to_str().unwrap()), ("HA_RSCTMP", folder.path().to_str().unwrap())];
    assert_eq!(call("monitor", &environment).0, Some(7));
    assert!(!Path::new(&conf).exists());
}
