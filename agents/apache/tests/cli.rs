//! The built binary, called as anybody may call it: without a server, without a cluster, without an
//! environment.

use ocf::testing::{Program, Said};

const AGENT: Program = Program(env!("CARGO_BIN_EXE_apache"));

/// A server that is not here.
const NOWHERE: [(&str, &str); 2] =
    [("configfile", "/nowhere/httpd.conf"), ("httpd", "/nowhere/httpd")];

/// The same as variables.
const NOWHERE_SET: [(&str, &str); 2] =
    [("OCF_RESKEY_configfile", NOWHERE[0].1), ("OCF_RESKEY_httpd", NOWHERE[1].1)];

#[test]
fn the_description_is_there_for_everybody() {
    AGENT.expect_description(include_str!("../../../metadata/apache.xml"), &["0", "10"]);
}

#[test]
fn unknown_actions_are_unimplemented() {
    AGENT.expect_usage();
}

#[test]
fn all_faults_are_told_at_once() {
    AGENT.expect_every_fault_is_named(&[
        ("configfile", "etc/x"),
        ("port", "80000"),
        ("testregex10", "(open"),
        ("use_ipv6", "maybe"),
        ("expect_status", "good"),
    ]);
}

#[test]
fn values_alone_are_judged_without_a_look_at_the_machine() {
    assert_eq!(AGENT.validate(&NOWHERE), Said::silently(0));
    let here =
        AGENT.call("validate-all", &[&NOWHERE_SET[..], &[("OCF_CHECK_LEVEL", "10")]].concat());
    assert_eq!(here.code, Some(5));
    assert!(here.stderr.contains("httpd=/nowhere/httpd: no such program"), "{here:?}");
}

#[test]
fn ap_03_what_is_not_installed_does_not_run() {
    assert_eq!(AGENT.call("monitor", &NOWHERE_SET), Said::silently(7));
}
