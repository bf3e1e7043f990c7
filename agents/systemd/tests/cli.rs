//! The built binary's command line, without root and without a systemd.

use ocf::testing::{Program, Said};

const AGENT: Program = Program(env!("CARGO_BIN_EXE_systemd"));

#[test]
fn no_action_and_an_unknown_one_are_3() {
    AGENT.expect_usage();
}

#[test]
fn the_meta_data_has_another_interval_for_each_depth() {
    AGENT.expect_description(include_str!("../../../metadata/systemd.xml"), &["0", "10", "20"]);
}

#[test]
fn every_fault_is_named() {
    AGENT.expect_every_fault_is_named(&[
        ("unit", "a/b.service"),
        ("job_mode", "hasty"),
        ("start_timeout", "soon"),
        ("check_http", "/page"),
        ("check_match", "("),
        ("check_tcp", "somewhere"),
        ("check_unix", "run/x"),
        ("check_command", "\"x"),
        ("required_units", "a/b"),
        ("monitor_reload_as", "asleep"),
        ("drop_in", "perhaps"),
        ("bus_address", "nowhere"),
    ]);
}

#[test]
fn a_unit_must_be_named() {
    let said = AGENT.validate(&[]);
    assert_eq!(said.code, Some(6));
    assert!(said.stderr.contains("unit"), "{said:?}");
}

#[test]
fn names_of_units_are_judged_without_a_manager() {
    for unit in [
        "haproxy",
        "haproxy.service",
        "x.socket",
        "backup.timer",
        "srv-data.mount",
        "web@a.service",
    ] {
        assert_eq!(AGENT.validate(&[("unit", unit)]), Said::silently(0), "{unit}");
    }
    assert_eq!(AGENT.validate(&[("unit", "web@"), ("instance", "a")]), Said::silently(0));
}
