//! The reported failures, one test a row.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::{self, Session};
use crate::{
    PLAIN, answers, at, balancer, configure, eventually, expect_gone, full_life, machine, master,
    processes, workers,
};

/// A stop sent SIGTERM and said 0 at once (the community agents).
#[test]
fn ha_01_a_stop_is_over_when_everything_is() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let mut idle: Vec<Session> = (0..50).map(|_| Session::open(&host, 8081)).collect();
    assert!(idle.iter_mut().all(Session::ask));
    agent.stop().expect_code(0);
    expect_gone(&host);
    assert!(!answers(&host, 8081));
}

/// A second start succeeded by SO_REUSEPORT, and two masters shared the port.
#[test]
fn ha_02_a_second_start_makes_no_second_master() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let before = (master(&host), processes(&host));
    agent.start().expect_code(0).expect_silent();
    assert_eq!((master(&host), processes(&host)), before);
    // Also when everything that names it is gone.
    host.sh("rm /run/resource-agents/haproxy-lb.pid /run/resource-agents/haproxy-lb.record \
             /run/resource-agents/haproxy-lb.master");
    agent.start().expect_code(0);
    assert_eq!(processes(&host), before.1);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// The configuration had to have `pidfile`; an empty or longer pid file was misread.
#[test]
fn ha_04_the_pid_file_is_the_agents() {
    let Some(host) = machine() else { return };
    full_life(&host, &balancer(&host, &configure(&host, "a", PLAIN)));
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!("sed -i 's#^global#global\\n  pidfile /run/other.pid#' {path}"));
    let agent = balancer(&host, &path);
    full_life(&host, &agent);
    host.sh("! test -e /run/other.pid");
    agent.start().expect_code(0);
    for content in ["", "\\n\\n", "$p\\n$p\\n", "garbage\\n", "1\\n"] {
        host.sh(&format!(
            "p={}; printf \"{content}\" > /run/resource-agents/haproxy-lb.pid",
            processes(&host)[0].split(' ').next().unwrap()
        ));
        agent.monitor().expect_code(0);
    }
    agent.stop().expect_code(0);
    let gone = processes(&host);
    assert!(gone.is_empty(), "{gone:?}");
}

/// The configuration was not looked at before a start or a reload, and nothing afterwards.
#[test]
fn ha_05_a_faulty_configuration_is_told_with_its_line_and_changes_nothing() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path);
    let spoil = || host.sh(&format!("echo '  bogus' >> {path}"));
    spoil();
    agent
        .start()
        .expect_code(5)
        .expect_reason(&["bogus", "[/etc/haproxy/a.cfg:13]"])
        .expect_within(Duration::from_secs(5));
    expect_gone(&host);
    agent.validate_here().expect_code(5).expect_reason(&["/etc/haproxy/a.cfg:13"]);
    agent.validate().expect_code(0);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    configure(&host, "a", PLAIN);
    agent.start().expect_code(0);
    let before = processes(&host);
    spoil();
    agent.action("reload").expect_code(1).expect_reason(&[
        "bogus",
        "a.cfg:13",
        "old configuration",
    ]);
    assert_eq!(processes(&host), before);
    assert!(answers(&host, 8081));
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A reload that failed said nothing (haproxy#443): the proof is a new worker (ray#64063,
/// ray#66177).
#[test]
fn ha_06_a_reload_is_proven_by_a_new_worker() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path);
    agent.start().expect_code(0);
    let number = master(&host);
    let old = workers(&host, &number);
    agent.action("reload").expect_code(0).expect_silent();
    eventually("the old worker has no clients", || workers(&host, &number).len() == 1);
    let new = workers(&host, &number);
    assert_ne!(new, old);
    // By hand, past every check: the master goes on in its wait mode.
    host.sh(&format!("cp {path} /tmp/good; echo bogus >> {path}"));
    // A master that has just begun may lose a signal.
    eventually("the reload fails", || {
        host.sh(&format!("kill -USR2 {number}; sleep 0.5"));
        agent.monitor().code == 190
    });
    agent.monitor().expect_code(190).expect_reason(&["last reload failed", "old configuration"]);
    assert_eq!(workers(&host, &number), new);
    assert!(answers(&host, 8081));
    // What haproxy -c cannot know: the address is not here.
    host.sh(&format!("cp /tmp/good {path}"));
    configure(&host, "a", &format!("{PLAIN}  bind 192.0.2.1:80\n"));
    agent.action("reload").expect_code(1).expect_reason(&["reload failed", "old configuration"]);
    assert!(answers(&host, 8081));
    host.sh(&format!("cp /tmp/good {path}"));
    agent.action("reload").expect_code(0);
    agent.monitor().expect_code(0).expect_silent();
    assert_eq!(master(&host), number);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// Old workers linger with long sessions (haproxy#155, #1799, #1876).
#[test]
fn ha_07_old_workers_are_shown_past_a_limit_and_ended_by_a_stop() {
    let Some(host) = machine() else { return };
    client::echo(&host, 9001);
    let body = format!(
        "{PLAIN}listen long\n  mode tcp\n  bind 127.0.0.1:8082\n  server echo 127.0.0.1:9001\n"
    );
    let agent = balancer(&host, &configure(&host, "a", &body));
    agent.start().expect_code(0);
    let number = master(&host);
    let mut sessions = Vec::new();
    for round in 0..3 {
        let mut session = Session::open(&host, 8082);
        assert!(session.echo("hello"));
        sessions.push(session);
        agent.action("reload").expect_code(0);
        assert_eq!(workers(&host, &number).len(), round + 2);
    }
    assert!(sessions.iter_mut().all(|session| session.echo("still there")));
    for level in [0, 10, 20] {
        at(&agent, level).expect_code(0).expect_silent();
        let strict = agent.clone().param("max_old_workers", "2");
        at(&strict, level).expect_code(190).expect_reason(&["3 old workers", "hard_stop_after"]);
    }
    agent
        .clone()
        .timeout(Duration::from_secs(5))
        .stop()
        .expect_code(0)
        .expect_within(Duration::from_secs(5));
    expect_gone(&host);
    // With a limit they go by themselves.
    let agent = agent.param("hard_stop_after", "1");
    agent.start().expect_code(0);
    let number = master(&host);
    let mut session = Session::open(&host, 8082);
    assert!(session.echo("hello"));
    agent.action("reload").expect_code(0);
    eventually("the old worker is cut off", || workers(&host, &number).len() == 1);
    assert!(!session.echo("hello"));
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// Nothing in the cluster could make haproxy read its files again (pcs#219).
#[test]
fn ha_09_a_changed_file_or_serial_reloads_and_cuts_nobody_off() {
    let Some(host) = machine() else { return };
    client::echo(&host, 9001);
    let plain = format!(
        "listen long\n  mode tcp\n  bind 127.0.0.1:8083\n  server echo 127.0.0.1:9001\n{PLAIN}"
    );
    let agent = balancer(&host, &configure(&host, "a", &plain))
        .param("reload_on", "change")
        .param("config_serial", "1");
    agent.start().expect_code(0);
    let number = master(&host);
    let mut before = workers(&host, &number);
    let mut session = Session::open(&host, 8083);
    assert!(session.echo("hello"));
    agent.monitor().expect_code(0);
    assert_eq!(workers(&host, &number), before, "nothing has changed");
    configure(&host, "a", &plain.replace("8081", "8081,127.0.0.1:8082"));
    agent.probe().expect_code(0);
    assert!(!answers(&host, 8082), "a probe changes nothing");
    agent.monitor().expect_code(0);
    assert!(answers(&host, 8082) && answers(&host, 8081));
    let now = workers(&host, &number);
    assert!(now.iter().any(|worker| !before.contains(worker)), "{now:?}");
    assert!(session.echo("still here"), "the connection has survived");
    before = now;
    agent.monitor().expect_code(0);
    assert!(workers(&host, &number).iter().all(|worker| before.contains(worker)), "once is enough");
    configure(&host, "a", &format!("{plain}  bogus\n"));
    agent.monitor().expect_code(190).expect_reason(&[
        "has changed",
        "bogus",
        "a.cfg:16",
        "old configuration",
    ]);
    assert!(answers(&host, 8082));
    configure(&host, "a", &plain);
    let again = agent.clone().param("reload_on", "serial");
    again.monitor().expect_code(0);
    assert!(answers(&host, 8082));
    again.action("reload-agent").expect_code(0);
    assert!(answers(&host, 8082), "the serial is the old one");
    again.clone().param("config_serial", "2").action("reload-agent").expect_code(0).expect_silent();
    assert!(!answers(&host, 8082) && answers(&host, 8081));
    assert_eq!(master(&host), number);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// The address was not there yet, and no message said what to do (Clusters from Scratch, ordering).
#[test]
fn ha_10_an_address_that_is_not_here_yet_is_named_with_what_to_do() {
    let Some(host) = machine() else { return };
    for (address, family) in [("10.9.0.50:80", "ipv4"), ("[2001:db8:9::50]:80", "ipv6")] {
        let body = PLAIN.replace("127.0.0.1:8081", address);
        let agent = balancer(&host, &configure(&host, "a", &body));
        agent.validate_here().expect_code(0);
        let switch = format!("net.{family}.ip_nonlocal_bind=1");
        let ip = address.trim_end_matches(":80").trim_matches(['[', ']']);
        agent.start().expect_code(1).expect_reason(&[
            address,
            ip,
            "not on this machine",
            "order haproxy after its VIP",
            &switch,
        ]);
        expect_gone(&host);
        agent.monitor().expect_code(7);
        host.sysctl(&format!("net/{family}/ip_nonlocal_bind"), "1");
        full_life(&host, &agent);
    }
}

/// A reload refused connections (haproxy#1803).
#[test]
fn ha_11_no_connection_is_refused_across_ten_reloads() {
    let Some(host) = machine() else { return };
    for mode in ["master-worker", "daemon"] {
        let agent = balancer(&host, &configure(&host, "a", PLAIN)).param("mode", mode);
        agent.start().expect_code(0);
        let over = AtomicBool::new(false);
        let score = std::thread::scope(|scope| {
            let client = scope.spawn(|| client::steady(&host, 8081, &over));
            for _ in 0..10 {
                agent.action("reload").expect_code(0);
            }
            over.store(true, Ordering::Relaxed);
            client.join().unwrap()
        });
        assert_eq!((score.refused, score.broken.as_slice()), (0, &[][..]), "{mode}");
        assert!(score.good >= 20, "{score:?}");
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// With the master or a worker killed, nothing is left of 2.6.
#[test]
fn ha_12_what_was_killed_is_not_running_and_starts_again() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    for worker in [true, false] {
        agent.start().expect_code(0);
        let number = master(&host);
        let victim = if worker { workers(&host, &number)[0].clone() } else { number };
        host.sh(&format!("kill -9 {victim}"));
        eventually("all of it ends", || processes(&host).is_empty());
        agent.monitor().expect_code(7);
        agent.start().expect_code(0);
        assert!(answers(&host, 8081));
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// Without the program the community agents said 2.
#[test]
fn ha_13_without_the_program_nothing_runs_and_a_start_is_5() {
    let Some(host) = machine() else { return };
    let agent =
        balancer(&host, &configure(&host, "a", PLAIN)).param("binary", "/opt/haproxy/sbin/haproxy");
    agent.start().expect_code(5).expect_reason(&["/opt/haproxy/sbin/haproxy is not installed"]);
    agent.validate_here().expect_code(5);
    agent.probe().expect_code(7);
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    let agent = balancer(&host, "/etc/haproxy/none.cfg");
    agent.start().expect_code(5).expect_reason(&["/etc/haproxy/none.cfg does not exist"]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    host.sh("! test -e /run/resource-agents || test -z \"$(ls -A /run/resource-agents)\"");
}

/// It was not noticed that all servers of a backend were down.
#[test]
fn ha_14_a_backend_without_servers_is_shown_or_fails_as_asked() {
    let Some(host) = machine() else { return };
    client::echo(&host, 9001);
    let body = "frontend web\n  bind 127.0.0.1:8081\n  default_backend app\nbackend app\n  server \
                s1 127.0.0.1:9001 check inter 50 fall 1 rise 1\n  server s2 127.0.0.1:9002 check \
                inter 50 fall 1 rise 1\nbackend dead\n  server d1 127.0.0.1:9003 check inter 50 \
                fall 1\nbackend unchecked\n  server u1 127.0.0.1:9004\nbackend empty\n  \
                http-request deny\n";
    let agent = balancer(&host, &configure(&host, "a", body));
    agent.start().expect_code(0);
    at(&agent, 0).expect_code(0);
    at(&agent, 10).expect_code(0).expect_silent();
    eventually("the checks have seen it", || at(&agent, 20).code == 190);
    at(&agent, 20)
        .expect_code(190)
        .expect_reason(&["backend dead: 0 of 1 servers are up", "min_up=1"]);
    let with = |name: &str, value: &str| agent.clone().param(name, value);
    at(&with("on_low", "fail"), 20).expect_code(1).expect_reason(&["backend dead"]);
    for (backends, least, code) in [
        ("app", "1", 0),
        ("app,unchecked", "1", 0),
        ("app", "2", 190),
        ("app", "50%", 0),
        ("app", "51%", 190),
        ("none", "1", 1),
    ] {
        let judged = at(&with("check_backends", backends).param("min_up", least), 20);
        judged.expect_code(code);
        assert!(!judged.reason.is_some_and(|why| why.contains("dead")));
    }
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// haproxy puts its socket in the place of whatever is there.
#[test]
fn rt_3_a_file_in_the_place_of_the_socket_stays() {
    let Some(host) = crate::machine() else { return };
    let config = crate::configure(&host, "a", crate::PLAIN);
    host.sh("echo precious > /run/victim");
    let agent = crate::balancer(&host, &config).param("master_socket", "/run/victim");
    agent.stop().expect_code(0);
    agent.start().expect_code(2).expect_reason(&["/run/victim is not a socket"]);
    agent.stop().expect_code(0);
    assert_eq!(host.sh("cat /run/victim"), "precious\n");
}
