//! The built binary's command line, without root and without a server.

use ocf::testing::Program;

const AGENT: Program = Program(env!("CARGO_BIN_EXE_haproxy"));

#[test]
fn no_action_and_an_unknown_one_are_3() {
    AGENT.expect_usage();
}

#[test]
fn the_meta_data_has_another_interval_for_each_depth() {
    AGENT.expect_description(include_str!("../../../metadata/haproxy.xml"), &["0", "10", "20"]);
}

#[test]
fn every_fault_is_named() {
    AGENT.expect_every_fault_is_named(&[
        ("config", "haproxy.cfg"),
        ("binpath", "haproxy"),
        ("options", "-L 'x"),
        ("mode", "master"),
        ("statusurl", "ftp://x/"),
        ("min_up", "most"),
        ("on_low", "stop"),
        ("reload_on", "monday"),
        ("hard_stop_after", "soon"),
        ("max_old_workers", "-1"),
    ]);
}

#[test]
fn every_known_name_is_taken_without_a_word() {
    AGENT.expect_each_is_taken(&[
        ("binpath", "/usr/sbin/haproxy"),
        ("haproxy", "/usr/sbin/haproxy"),
        ("conffile", "/etc/haproxy/haproxy.cfg"),
        ("config", "/etc/haproxy/haproxy.cfg"),
        ("extraconf", "-f /etc/haproxy/more.cfg"),
        ("pid", "/run/haproxy.pid"),
        ("monitor_url", "http://127.0.0.1:6000/"),
    ]);
}

#[test]
fn a_resource_whose_configuration_is_elsewhere_does_not_run_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("haproxy.cfg");
    let environment = [
        ("OCF_RESKEY_configfile", conf.to_str().unwrap()),
        ("HA_RSCTMP", folder.path().to_str().unwrap()),
    ];
    assert_eq!(AGENT.call("monitor", &environment).code, Some(7));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a probe writes nothing");
}
