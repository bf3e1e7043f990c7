//! Dummy: the reference, with the parameters of ocf:pacemaker:Dummy.

use std::time::Duration;

use harness::L2;

use crate::dummy_on;

#[test]
fn a_whole_life() {
    let rig = L2::new();
    let dummy = dummy_on(&rig);
    dummy.probe().expect_code(7).expect_silent();
    dummy.stop().expect_code(0);
    dummy.start().expect_code(0).expect_silent();
    dummy.start().expect_code(0);
    dummy.monitor().expect_code(0).expect_silent();
    rig.a.sh("test -f /run/dummy.state");
    dummy.stop().expect_code(0);
    dummy.monitor().expect_code(7);
    rig.a.sh("test ! -e /run/dummy.state");
}

#[test]
fn an_explanation_says_what_a_start_would_do_and_does_nothing() {
    let rig = L2::new();
    let dummy = dummy_on(&rig)
        .param("envfile", "/run/dummy.env")
        .param("op_sleep", "5")
        .param("passwd", "s3cret");
    let stopped = dummy.explain();
    stopped.expect_code(0).expect_within(Duration::from_secs(4)).expect_lines(&[
        "parameter: passwd=(hidden)",
        "state file: /run/dummy.state",
        "monitor: not running",
        "start: makes the state file",
    ]);
    assert!(!stopped.stdout.contains("s3cret"), "{stopped}");
    dummy_on(&rig).start().expect_code(0);
    dummy_on(&rig)
        .explain()
        .expect_lines(&["monitor: running", "start: does nothing (the state file is there)"]);
    // What another action may be about to change.
    let running = dummy_on(&rig).param("op_sleep", "3");
    std::thread::scope(|scope| {
        scope.spawn(|| drop(running.start()));
        std::thread::sleep(Duration::from_millis(700));
        let said = dummy_on(&rig).call(&["--explain"]);
        assert!(said.stdout.contains("action under way: start, process "), "{said}");
    });
}

#[test]
fn a_start_fails_on_the_node_that_is_named() {
    let rig = L2::new();
    dummy_on(&rig)
        .param("fail_start_on", "nodea")
        .start()
        .expect_code(1)
        .expect_reason(&["fail_start_on"]);
    // As in the original, the state is written before it fails: what a failed start leaves is for
    // stop.
    dummy_on(&rig).stop().expect_code(0);
    dummy_on(&rig).monitor().expect_code(7);
    dummy_on(&rig).param("fail_start_on", "nodeb").start().expect_code(0);
}

#[test]
fn an_action_takes_as_long_as_it_is_reported() {
    let rig = L2::new();
    let dummy = dummy_on(&rig).param("op_sleep", "1");
    let start = dummy.start();
    start.expect_code(0);
    assert!(start.elapsed >= Duration::from_secs(1), "{start}");
}

#[test]
fn an_action_that_is_killed_can_be_repeated() {
    let rig = L2::new();
    let dummy = dummy_on(&rig).param("op_sleep", "5");
    let start = dummy.clone().kill_after(Duration::from_millis(200)).start();
    assert!(start.timed_out, "{start}");
    dummy_on(&rig).stop().expect_code(0);
    dummy_on(&rig).start().expect_code(0);
}

#[test]
fn the_environment_is_written_where_asked_and_the_password_is_not_printed() {
    let rig = L2::new();
    let dummy = dummy_on(&rig)
        .param("envfile", "/run/dummy.env")
        .param("passwd", "s3cret")
        .param("fake", "other");
    let start = dummy.start();
    start.expect_code(0);
    assert!(!start.stderr.contains("s3cret") && !start.stdout.contains("s3cret"), "{start}");
    assert!(rig.a.sh("cat /run/dummy.env").contains("OCF_RESKEY_state=/run/dummy.state"));
    dummy.monitor().expect_code(0);
}

#[test]
fn a_state_file_that_cannot_be_written_fails_the_start() {
    let rig = L2::new();
    let dummy = dummy_on(&rig).param("state", "/proc/nowhere/state");
    dummy.start().expect_code_in(&[1, 2, 4, 5]).expect_reason(&["/proc/nowhere/state"]);
    dummy.stop().expect_code(0);
    dummy.probe().expect_code(7);
}

#[test]
fn migration_and_reload_are_there_as_in_the_original() {
    let rig = L2::new();
    let dummy = dummy_on(&rig);
    dummy.start().expect_code(0);
    dummy.action("reload-agent").expect_code(0);
    dummy.monitor().expect_code(0);
    for action in ["migrate_to", "migrate_from"] {
        dummy.action(action).expect_code_in(&[0, 3]);
    }
}

/// A probe with a faulty parameter said "not running" while the resource ran, and the cluster
/// started another one elsewhere.
#[test]
fn an_1_a_probe_with_a_faulty_parameter_looks_all_the_same() {
    let rig = L2::new();
    let faulty = dummy_on(&rig).param("op_sleep", "x");
    faulty.probe().expect_code(7).expect_reason(&["op_sleep"]);
    dummy_on(&rig).start().expect_code(0);
    faulty.probe().expect_code(0).expect_stderr(&["op_sleep"]);
    faulty.stop().expect_code(0);
    dummy_on(&rig).monitor().expect_code(7);
}
