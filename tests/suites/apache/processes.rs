//! Whose processes are touched.

use std::time::{Duration, Instant};

use crate::site::{ROOT, Site};

/// The shell agent takes any process with the number for the server, and kills it.
#[test]
fn ap_05_a_stale_number_is_nobody_of_ours() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    let mut stranger = site.host.spawn("sleep", &["600"]);
    site.host.sh(&format!("echo {} >{ROOT}/a.conf.pid", stranger.pid_inside()));
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    assert!(stranger.is_alive());
    site.host.sh(&format!("echo {} >{ROOT}/a.conf.pid", stranger.pid_inside()));
    agent.start().expect_code(0);
    assert!(site.get("127.0.0.1:8081", "/").is_some());
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    assert!(stranger.is_alive());
}

/// A start removed the pid file of an apache that had the same by its configuration: what ended
/// that one by the file ended the new one.
#[test]
fn the_pid_file_of_another_server_is_left_to_it() {
    let Some(site) = Site::new() else { return };
    let first = site.usual();
    site.config("b.conf", "Listen 127.0.0.1:8082");
    site.host.sh(&format!("sed -i 's#b.conf.pid#a.conf.pid#' {ROOT}/b.conf"));
    let second = site.agent("b.conf").instance("web2");
    first.start().expect_code(0);
    let read = || site.host.sh(&format!("cat {ROOT}/a.conf.pid")).trim().to_owned();
    let number = read();
    second.probe().expect_code(7);
    let whose = [&*format!("the pid file of another server, process {number}"), "PidFile"];
    second.start().expect_code(1).expect_reason(&whose);
    second.stop().expect_code(0);
    assert_eq!(read(), number);
    first.monitor().expect_code(0);
    // One that is gone has no pid file, whatever is left of that.
    first.stop().expect_code(0);
    site.host.sh(&format!("echo {number} >{ROOT}/a.conf.pid"));
    second.start().expect_code(0);
    second.stop().expect_code(0);
}

/// The shell agent looks for command lines that begin alike (RA:b80837e51).
#[test]
fn ap_06_an_instance_whose_name_begins_alike_is_left_alone() {
    let Some(site) = Site::new() else { return };
    let first = site.usual();
    site.config("a.conf2", "Listen 127.0.0.1:8082");
    let second = site.agent("a.conf2").instance("web2");
    first.start().expect_code(0);
    second.start().expect_code(0);
    first.stop().expect_code(0);
    site.expect_nothing("a.conf");
    second.monitor().expect_code(0);
    first.start().expect_code(0);
    site.kill_master("a.conf");
    first.stop().expect_code(0);
    second.monitor().expect_code(0);
    assert!(site.get("127.0.0.1:8082", "/").is_some());
    second.stop().expect_code(0);
}

#[test]
fn ap_07_what_a_dead_master_left_is_ended_by_a_start() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    site.kill_master("a.conf");
    agent.monitor().expect_code_in(&[1, 7]);
    agent.start().expect_code(0).expect_within(Duration::from_secs(2));
    agent.monitor().expect_code(0);
    site.kill_master("a.conf");
    let began = Instant::now();
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
    agent.start().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Its workers hear no SIGTERM then: a stop that found the master dying gave them half of its time.
#[test]
fn a_master_that_dies_while_it_is_stopped_costs_no_time() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().timeout(Duration::from_secs(60));
    for _ in 0..10 {
        agent.start().expect_code(0);
        site.host.sh("kill -9 $(pgrep -o -x apache2)");
        agent.stop().expect_code(0).expect_within(Duration::from_secs(15));
        site.expect_nothing("a.conf");
    }
}

/// The shell agent's monitor has no limit.
#[test]
fn ap_10_a_frozen_server_is_told_and_stopped() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    // The master first, which may be making workers.
    site.host.sh(&format!("kill -STOP {}; kill -STOP $(pgrep -x apache2)", site.master("a.conf")));
    let seconds = Duration::from_secs;
    agent.monitor().expect_code(1).expect_reason(&["no answer"]).expect_within(seconds(15));
    agent.stop().expect_code(0).expect_within(seconds(20));
    site.expect_nothing("a.conf");
}

#[test]
fn a_pid_file_that_is_gone_hides_nothing() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    let master = site.master("a.conf");
    site.host.sh(&format!("rm {ROOT}/a.conf.pid /run/resource-agents/*"));
    agent.monitor().expect_code(0);
    agent.start().expect_code(0);
    assert!(site.of("a.conf").contains(&master));
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn a_server_that_another_has_started_is_known() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    site.host.sh(&format!("/usr/sbin/apache2 -DSTATUS -f {ROOT}/a.conf"));
    agent.probe().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}
