//! The built binary's command line, without root and without a daemon.

use ocf::testing::Program;

const AGENT: Program = Program(env!("CARGO_BIN_EXE_ldirectord"));

#[test]
fn no_action_and_an_unknown_one_are_3() {
    AGENT.expect_usage();
}

#[test]
fn the_meta_data_has_another_interval_for_each_depth() {
    AGENT.expect_description(include_str!("../../../metadata/ldirectord.xml"), &["0", "10", "20"]);
}

#[test]
fn every_fault_is_named() {
    AGENT.expect_every_fault_is_named(&[
        ("configfile", "ldirectord.cf"),
        ("ldirectord", "ldirectord"),
        ("ca", "ca.pem"),
        ("on_low", "panic"),
    ]);
}

#[test]
fn a_resource_whose_configuration_is_elsewhere_does_not_run_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("nowhere.cf");
    let environment = [
        ("OCF_RESKEY_configfile", conf.to_str().unwrap()),
        ("HA_RSCTMP", folder.path().to_str().unwrap()),
    ];
    assert_eq!(AGENT.call("monitor", &environment).code, Some(7));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
