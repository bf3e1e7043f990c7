//! Configurations that change under a running server.

use std::time::Duration;

use harness::process::wait_until;

use crate::{PLAIN, at, configure, expect_gone, machine, master, page, processes, settled, web};

#[test]
fn a_new_serial_reloads_once_and_keeps_the_master() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path).param("config_serial", "1");
    agent.start().expect_code(0);
    let number = master(&host, "a");
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    agent.action("reload-agent").expect_code(0);
    assert_eq!(page(&host, &["http://127.0.0.1:8082/"]), "", "the serial is the old one");
    agent.monitor().expect_code(0);
    let agent = agent.param("config_serial", "2");
    agent.action("reload-agent").expect_code(0).expect_silent();
    assert!(page(&host, &["http://127.0.0.1:8082/"]).contains("alive"));
    assert_eq!(master(&host, "a"), number);
    let before = settled(&host);
    agent.action("reload-agent").expect_code(0);
    assert_eq!(processes(&host), before);
    agent.monitor().expect_code(0);
    at(&agent, 10).expect_code(0);
    agent.action("reload").expect_code(0);
    assert_eq!(master(&host, "a"), number);
    agent.stop().expect_code(0);
    expect_gone(&host);
    for action in ["reload-agent", "reload"] {
        agent.action(action).expect_code(1).expect_reason(&["does not run"]);
        expect_gone(&host);
    }
}

/// What is done cannot be recorded: that is no reason for a restart, which could not be recorded
/// either.
#[test]
fn a_reload_that_cannot_be_recorded_is_done() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path).param("config_serial", "1");
    host.sh("mkdir -p /run/resource-agents; mount -t tmpfs -o mode=755 t /run/resource-agents");
    agent.start().expect_code(0);
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    host.sh("mount -o remount,ro /run/resource-agents");
    let agent = agent.param("config_serial", "2");
    agent.action("reload-agent").expect_code(0).expect_stderr(&["will repeat this one"]);
    assert!(page(&host, &["http://127.0.0.1:8082/"]).contains("alive"));
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
}

#[test]
fn an_address_that_cannot_be_had_keeps_the_old_workers() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path).timeout(Duration::from_secs(6));
    agent.start().expect_code(0);
    let before = settled(&host);
    configure(&host, "a", &format!("{PLAIN} server {{ listen 192.0.2.1:80; }}"));
    agent.action("reload").expect_code(1).expect_reason(&["192.0.2.1:80", "old configuration"]);
    assert_eq!(processes(&host), before);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn a_reload_by_hand_does_not_confuse_a_monitor() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    agent.start().expect_code(0);
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    // The server still has the old one.
    agent.monitor().expect_code(0);
    at(&agent, 10).expect_code(0);
    host.sh(&format!("kill -HUP {}", master(&host, "a")));
    let moved = || page(&host, &["http://127.0.0.1:8082/"]).contains("alive").then_some(());
    assert!(wait_until(Duration::from_secs(5), moved).is_some());
    let gone = || page(&host, &["http://127.0.0.1:8081/"]).is_empty().then_some(());
    assert!(wait_until(Duration::from_secs(5), gone).is_some());
    agent.monitor().expect_code(0).expect_silent();
    at(&agent, 10).expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// nginx tries for seconds, and says why it keeps its old workers in its log only.
#[test]
fn a_place_that_needs_a_restart_is_refused_at_once() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    agent.start().expect_code(0);
    let before = settled(&host);
    for changed in ["8081", "8081; listen [::]:8081"] {
        configure(&host, "a", &PLAIN.replace("127.0.0.1:8081", changed));
        let done = agent.action("reload");
        done.expect_code(1).expect_reason(&["0.0.0.0:8081", "needs a restart"]);
        done.expect_within(Duration::from_secs(2));
    }
    assert_eq!(processes(&host), before);
    agent.stop().expect_code(0);
    // One socket for all addresses, a server of one of them, and the other family beside it.
    let shared = "server { listen 8081; } server { listen 127.0.0.1:8081; }";
    configure(&host, "a", shared);
    agent.start().expect_code(0);
    agent.action("reload").expect_code(0);
    configure(&host, "a", &format!("{shared} server {{ listen [::]:8081; }}"));
    agent.action("reload").expect_code(0);
    assert!(page(&host, &["http://[::1]:8081/"]).contains("alive"));
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// nginx takes seconds over a place that it cannot have, and the agent's check passes over those
/// with `reuseport`, which several programs may share. A monitor tried again for all of its time,
/// and said 190 of a server that had been killed meanwhile.
#[test]
fn a_monitor_that_tries_again_takes_three_seconds_and_sees_the_server_end() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path).param("config_serial", "1");
    agent.start().expect_code(0);
    let _other = host.in_network(|| std::net::TcpListener::bind("127.0.0.1:8082")).unwrap();
    let more = "server { listen 127.0.0.1:8082 reuseport; }";
    configure(&host, "a", &format!("{PLAIN} {more}"));
    let agent = agent.param("config_serial", "2").timeout(Duration::from_secs(12));
    agent.action("reload-agent").expect_code(0).expect_stderr(&["no new worker"]);
    let tried = agent.monitor();
    tried.expect_code(190).expect_reason(&["no new worker"]).expect_within(Duration::from_secs(6));
    std::thread::scope(|scope| {
        let monitor = scope.spawn(|| agent.monitor());
        std::thread::sleep(Duration::from_secs(1));
        host.sh("pkill -KILL -f '^nginx: '");
        let seen = monitor.join().expect("a monitor");
        seen.expect_code(1).expect_reason(&["has just ended"]);
    });
    agent.stop().expect_code(0);
    expect_gone(&host);
}
