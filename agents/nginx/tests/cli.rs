//! The built binary's command line, without root and without a server.

use ocf::testing::Program;

const AGENT: Program = Program(env!("CARGO_BIN_EXE_nginx"));

#[test]
fn ng_15_no_action_and_an_unknown_one_are_3() {
    AGENT.expect_usage();
}

#[test]
fn ng_11_the_meta_data_has_another_interval_for_each_depth() {
    AGENT.expect_description(include_str!("../../../metadata/nginx.xml"), &["0", "10", "20", "30"]);
}

#[test]
fn every_fault_is_named() {
    AGENT.expect_every_fault_is_named(&[
        ("configfile", "nginx.conf"),
        ("port", "70000"),
        ("status10url", "ftp://x/"),
        ("status10regex", "("),
        ("options", "-g 'x"),
        ("external_monitor30_cmd", "\"x"),
        ("expect_status", "nine"),
    ]);
}

#[test]
fn old_and_misprinted_names_are_known() {
    AGENT.expect_each_is_taken(&[("client", "wget"), ("testclient", "wget")]);
}

#[test]
fn a_resource_whose_configuration_is_elsewhere_does_not_run_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("nginx.conf");
    let environment = [
        ("OCF_RESKEY_configfile", conf.to_str().unwrap()),
        ("HA_RSCTMP", folder.path().to_str().unwrap()),
    ];
    assert_eq!(AGENT.call("monitor", &environment).code, Some(7));
    assert!(!conf.exists());
}
