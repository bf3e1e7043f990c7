//! The state directory: the lock of a resource, and what happens where nothing can be written.

use std::time::{Duration, Instant};

use harness::L2;

use crate::dummy_on;

/// Until an action of the resource is at work.
fn wait_for_lock(rig: &L2) {
    let file = "/run/resource-agents/Dummy-dummy.lock";
    rig.a.sh(&format!("until [ -e {file} ] && ! flock -n {file} true; do sleep 0.01; done"));
}

#[test]
fn rt_2_an_action_waits_for_the_other_one_of_its_resource() {
    let rig = L2::new();
    let slow = dummy_on(&rig).param("op_sleep", "2");
    std::thread::scope(|scope| {
        let start = scope.spawn(|| slow.start());
        wait_for_lock(&rig);
        let began = Instant::now();
        dummy_on(&rig).stop().expect_code(0);
        assert!(began.elapsed() > Duration::from_millis(500), "the stop waits for the start");
        start.join().unwrap().expect_code(0);
    });
    dummy_on(&rig).monitor().expect_code(7);
}

#[test]
fn rt_2_a_wait_without_an_end_names_the_process() {
    let rig = L2::new();
    let slow = dummy_on(&rig).param("op_sleep", "6");
    std::thread::scope(|scope| {
        let start = scope.spawn(|| slow.start());
        wait_for_lock(&rig);
        let stop = dummy_on(&rig).timeout(Duration::from_secs(2)).stop();
        stop.expect_code(1).expect_within(Duration::from_secs(3));
        stop.expect_reason(&["another action of this resource goes on (start, process "]);
        // A monitor changes nothing, and another resource is another matter.
        dummy_on(&rig).monitor().expect_within(Duration::from_secs(2));
        let other = dummy_on(&rig).instance("other").param("state", "/run/other.state");
        other.start().expect_code(0).expect_within(Duration::from_secs(2));
        start.join().unwrap().expect_code(0);
    });
}

#[test]
fn an_3_a_state_directory_that_cannot_be_written_fails_no_stop() {
    let rig = L2::new();
    rig.a.sh("mkdir -p /run/resource-agents && mount -t tmpfs -o ro none /run/resource-agents");
    let dummy = dummy_on(&rig);
    dummy.start().expect_code(0);
    dummy.monitor().expect_code(0).expect_silent();
    let stop = dummy.stop();
    stop.expect_code(0);
    assert!(
        stop.stderr.contains("WARNING: no lock in /run/resource-agents: Read-only file system"),
        "{stop}"
    );
    dummy.monitor().expect_code(7);
}

#[test]
fn an_3_a_resource_may_have_a_name_of_any_length() {
    let rig = L2::new();
    let dummy = dummy_on(&rig).without("state").instance(&"r".repeat(245));
    dummy.start().expect_code(0).expect_silent();
    dummy.monitor().expect_code(0).expect_silent();
    dummy.stop().expect_code(0).expect_silent();
    dummy.monitor().expect_code(7);
}
