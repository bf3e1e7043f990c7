//! What it costs, what it prints, and who may ask.

use std::time::Duration;

use harness::L2;
use harness::rig::VIP4;
use harness::skip::skip;

/// With the device gone an unknown action was a generic error, for set-up ran before the action was
/// looked at.
#[test]
fn ip_41_an_unknown_action_is_3_even_in_a_broken_environment() {
    let rig = L2::new();
    rig.a.ip("link del ethA");
    let broken = rig.vip4().param("nic", "ethA").param("cidr_netmask", "junk");
    broken.action("frobnicate").expect_code(3).expect_reason(&["frobnicate"]);
    broken.action("meta-data").expect_code(0);
    broken.call(&[]).expect_code(3);
    if !harness::root::has_other_users() {
        return skip("there is no other user in this user namespace");
    }
    broken.clone().as_nobody().action("frobnicate").expect_code(3);
    broken.as_nobody().action("meta-data").expect_code(0);
}

/// Each monitor logged something.
#[test]
fn ip_42_a_healthy_monitor_prints_and_logs_nothing() {
    let rig = L2::new();
    let vip = rig.vip4().env("HA_LOGFILE", "/run/ha.log").env("HA_logfile", "/run/ha.log");
    vip.start().expect_code(0);
    rig.a.sh(": > /run/ha.log");
    for _ in 0..100 {
        vip.monitor().expect_code(0).expect_silent();
    }
    assert_eq!(rig.a.sh("cat /run/ha.log"), "");
}

/// One monitor of the shell agent is forty processes; a start once took half an hour (RA#1693).
#[test]
fn ip_43_a_monitor_starts_no_other_program_and_is_fast() {
    let rig = L2::new();
    let vip = rig.vip4();
    vip.start().expect_code(0);
    let fastest = (0..50).map(|_| vip.monitor().expect_code(0).elapsed).min();
    assert!(
        fastest < Some(Duration::from_millis(20)),
        "the fastest of fifty monitors took {fastest:?}"
    );
    if rig.a.run("/bin/sh", &["-c", "command -v strace"]).code != Some(0) {
        return skip("strace is not installed");
    }
    let traced = vip.under(&["strace", "-f", "-e", "trace=execve", "-o", "/run/trace"]).monitor();
    traced.expect_code(0);
    let trace = rig.a.sh("cat /run/trace");
    assert!(trace.lines().filter(|line| line.contains("execve(")).count() <= 3, "{trace}");
}

/// An ordinary user may ask, but not change.
#[test]
fn ip_44_an_ordinary_user_may_look_but_not_touch() {
    if !harness::root::has_other_users() {
        return skip("there is no other user in this user namespace");
    }
    let rig = L2::new();
    rig.vip4().start().expect_code(0);
    let vip = rig.vip4().as_nobody();
    vip.action("meta-data").expect_code(0);
    vip.validate().expect_code(0);
    vip.monitor().expect_code(0).expect_silent();
    vip.stop().expect_code(4);
    rig.a.only(VIP4);
    rig.vip4().stop().expect_code(0);
    vip.start().expect_code(4);
    vip.monitor().expect_code(7);
    rig.a.expect_absent(VIP4);
}

/// Nothing is said by a start and a stop that go well.
#[test]
fn a_start_and_a_stop_that_go_well_print_nothing() {
    let rig = L2::new();
    for vip in [rig.vip4(), rig.vip6()] {
        vip.start().expect_code(0).expect_silent();
        vip.stop().expect_code(0).expect_silent();
    }
}
