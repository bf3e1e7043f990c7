//! The built binary, called as anybody may call it: without a server, without a cluster, without an environment.

use std::process::{Command, Output};

const AGENT: &str = env!("CARGO_BIN_EXE_apache");

#[expect(clippy::disallowed_methods, reason = "a test waits for what it calls")]
fn call(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(AGENT).args(arguments).env_clear().envs(environment.iter().copied()).output().expect("the agent runs")
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_description_is_there_for_everybody() {
    let output = call(&["meta-data"], &[("OCF_RESKEY_port", "nonsense")]);
    assert_eq!(told(&output), (Some(0), String::new()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("../../../metadata/apache.xml"));
}

#[test]
fn unknown_actions_are_unimplemented() {
    for arguments in [&["no_cmd"][..], &[], &["promote"]] {
        assert_eq!(call(arguments, &[]).status.code(), Some(3), "{arguments:?}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let environment = [
        ("OCF_RESKEY_configfile", "etc/x"),
        ("OCF_RESKEY_port", "80000"),
        ("OCF_RESKEY_testregex10", "(open"),
        ("OCF_RESKEY_use_ipv6", "maybe"),
        ("OCF_RESKEY_expect_status", "good"),
    ];
    let (code, stderr) = told(&call(&["validate-all"], &environment));
    assert_eq!(code, Some(6));
    for name in ["configfile=", "port=", "testregex10=", "use_ipv6=", "expect_status="] {
        assert!(stderr.contains(name), "{name} in {stderr}");
    }
    assert_eq!(stderr.matches("ocf-exit-reason:").count(), 1);
}

#[test]
fn values_alone_are_judged_without_a_look_at_the_machine() {
    let nowhere = [("OCF_RESKEY_configfile", "/nowhere/httpd.conf"), ("OCF_RESKEY_httpd", "/nowhere/httpd")];
    assert_eq!(told(&call(&["validate-all"], &nowhere)), (Some(0), String::new()));
    let (code, stderr) = told(&call(&["validate-all"], &[&nowhere[..], &[("OCF_CHECK_LEVEL", "10")]].concat()));
    assert_eq!(code, Some(5));
    assert!(stderr.contains("httpd=/nowhere/httpd: no such program"), "{stderr}");
}

#[test]
fn ap_03_what_is_not_installed_does_not_run() {
    let nowhere = [("OCF_RESKEY_configfile", "/nowhere/httpd.conf"), ("OCF_RESKEY_httpd", "/nowhere/httpd")];
    assert_eq!(told(&call(&["monitor"], &nowhere)), (Some(7), String::new()));
}
