//! Starts and stops.

use std::io::Write;
use std::time::{Duration, Instant};

use harness::process::wait_until;

use crate::{PLAIN, configure, expect_gone, machine, master, page, processes, settled, web};

#[test]
fn a_start_returns_when_the_server_answers() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    for _ in 0..5 {
        agent.start().expect_code(0).expect_silent().expect_within(Duration::from_secs(2));
        assert!(page(&host, &["http://127.0.0.1:8081/"]).contains("alive"));
        agent.start().expect_code(0);
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0).expect_within(Duration::from_secs(2));
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

#[test]
fn two_instances_with_names_alike_are_two() {
    let Some(host) = machine() else { return };
    let other = PLAIN.replace("8081", "8082");
    let (one, two) = (configure(&host, "a", PLAIN), configure(&host, "ab", &other));
    host.sh("mv /etc/nginx/ab.conf /etc/nginx/a.conf2");
    let _ = two;
    let (one, two) = (web(&host, &one), web(&host, "/etc/nginx/a.conf2").instance("web2"));
    one.start().expect_code(0);
    two.monitor().expect_code(7);
    two.start().expect_code(0);
    // A worker that has just begun has its master's title for a moment.
    let of_two =
        || processes(&host).into_iter().filter(|line| line.contains("a.conf2")).collect::<Vec<_>>();
    let before =
        wait_until(Duration::from_secs(5), || Some(of_two()).filter(|found| found.len() == 1))
            .unwrap();
    // A dead master's workers, and the other instance beside them.
    host.crash(&master(&host, "a"));
    one.stop().expect_code(0);
    one.monitor().expect_code(7);
    two.monitor().expect_code(0);
    assert_eq!(of_two(), before);
    two.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn a_download_that_has_begun_ends_in_peace() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", "server { listen 8081; limit_rate 200k; }"));
    host.sh("head -c 500000 /dev/zero > /srv/www/big");
    agent.start().expect_code(0);
    let begin = |file: &str| host.spawn("curl", &["-s", "-o", file, "http://127.0.0.1:8081/big"]);
    let size = |file: &str| {
        host.run("stat", &["-c", "%s", file]).stdout.trim().parse::<u64>().unwrap_or(0)
    };
    let _client = begin("/tmp/got");
    assert!(wait_until(Duration::from_secs(5), || (size("/tmp/got") > 0).then_some(())).is_some());
    agent.stop().expect_code(0);
    assert!(
        wait_until(Duration::from_secs(2), || (size("/tmp/got") == 500_000).then_some(()))
            .is_some()
    );
    expect_gone(&host);
    // One that lasts longer than the time allows is cut off in time.
    agent.start().expect_code(0);
    host.sh("head -c 50000000 /dev/zero > /srv/www/big");
    let _client = begin("/tmp/more");
    assert!(wait_until(Duration::from_secs(5), || (size("/tmp/more") > 0).then_some(())).is_some());
    agent.clone().timeout(Duration::from_secs(4)).stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn requests_have_as_long_as_the_parameter_says() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN))
        .timeout(Duration::from_secs(60))
        .param("stop_grace", "10min");
    agent.start().expect_code(0);
    let mut slow = host.in_network(|| std::net::TcpStream::connect("127.0.0.1:8081")).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    // One who has said nothing beside it makes no difference.
    let _silent = host.in_network(|| std::net::TcpStream::connect("127.0.0.1:8081")).unwrap();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| agent.stop());
        // Longer than it would be without.
        std::thread::sleep(Duration::from_secs(5));
        assert!(!processes(&host).is_empty() && !stopping.is_finished());
        drop(slow);
        stopping.join().unwrap().expect_code(0);
    });
    expect_gone(&host);
}

/// Everybody waits while a server ends: one who has connected and says nothing does not decide for
/// how long.
#[test]
fn a_silent_client_does_not_keep_a_stop() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN))
        .timeout(Duration::from_secs(60))
        .param("stop_grace", "10min");
    agent.start().expect_code(0);
    let silent = host.in_network(|| std::net::TcpStream::connect("127.0.0.1:8081"));
    assert!(silent.is_ok(), "{silent:?}");
    agent.stop().expect_code(0).expect_within(Duration::from_secs(20));
    expect_gone(&host);
}

#[test]
fn a_stop_needs_neither_configuration_nor_parameters() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    for (spoil, changed) in [
        (format!("rm {path}"), agent.clone()),
        (format!("echo '}}' > {path}"), agent.clone()),
        (format!("sed -i 's#/run/a.pid#/run/other.pid#' {path}"), agent.clone()),
        ("rm /run/a.pid".into(), agent.clone()),
        ("true".into(), agent.clone().param("port", "nonsense")),
        ("true".into(), agent.clone().param("httpd", "/no/such/program")),
        ("true".into(), agent.clone().without("configfile")),
    ] {
        configure(&host, "a", PLAIN);
        agent.start().expect_code(0);
        host.sh(&spoil);
        changed.stop().expect_code(0);
        expect_gone(&host);
    }
}

#[test]
fn an_address_in_use_is_named_and_nothing_is_left() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    let _other = host.spawn("python3", &["-m", "http.server", "8081", "--bind", "127.0.0.1"]);
    let there = || host.run("ss", &["-Htln"]).stdout.contains(":8081").then_some(());
    assert!(wait_until(Duration::from_secs(10), there).is_some());
    agent.start().expect_code(1).expect_reason(&["127.0.0.1:8081", "Address already in use"]);
    expect_gone(&host);
    agent.monitor().expect_code(7);
    let elsewhere = web(&host, &configure(&host, "a", "server { listen 192.0.2.1:80; }"));
    elsewhere.validate_here().expect_code(0);
    elsewhere.start().expect_code(1).expect_reason(&["192.0.2.1:80", "Cannot assign"]);
    expect_gone(&host);
}

#[test]
fn a_local_socket_left_by_a_crash_hinders_nobody() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", "server { listen unix:/run/a.sock; }"));
    agent.start().expect_code(0);
    host.sh("pkill -KILL -x nginx; while pgrep -x nginx >/dev/null; do sleep 0.01; done; test -S \
             /run/a.sock");
    agent.monitor().expect_code(7);
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    host.sh("! test -e /run/a.sock");
}

#[test]
fn a_start_killed_anywhere_leaves_what_a_stop_ends() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    for delay in [5, 10, 15, 20, 30, 50] {
        agent.clone().kill_after(Duration::from_millis(delay)).start();
        agent.stop().expect_code(0);
        expect_gone(&host);
        agent.start().expect_code(0);
        agent.stop().expect_code(0);
    }
}

#[test]
fn recovery_from_a_crash_takes_a_moment() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    host.crash(&master(&host, "a"));
    let began = Instant::now();
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    agent.stop().expect_code(0);
}

#[test]
fn a_server_that_never_detaches_is_refused_at_once() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!("echo 'daemon off;' >> {path}"));
    web(&host, &path)
        .start()
        .expect_code(5)
        .expect_reason(&["daemon off"])
        .expect_within(Duration::from_secs(2));
    expect_gone(&host);
}

#[test]
fn a_server_that_somebody_else_started_is_adopted() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!("nginx -g 'worker_shutdown_timeout 9;' -c {path}"));
    let agent = web(&host, &path);
    assert!(
        wait_until(Duration::from_secs(5), || (agent.probe().code == 0).then_some(())).is_some()
    );
    let before = settled(&host);
    agent.start().expect_code(0);
    assert_eq!(processes(&host), before);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn the_usual_configuration_needs_no_parameter() {
    let Some(host) = machine() else { return };
    configure(&host, "nginx", PLAIN);
    let agent = web(&host, "/x").without("configfile");
    crate::full_life(&host, &agent);
    // As its package starts it.
    host.sh("nginx -g 'daemon on; master_process on;'");
    assert!(
        wait_until(Duration::from_secs(5), || (agent.probe().code == 0).then_some(())).is_some()
    );
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A probe with a faulty parameter said "not running" while the server ran.
#[test]
fn an_1_a_probe_with_a_faulty_parameter_looks_for_the_server() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    harness::faults::expect_probes_look(&agent, || expect_gone(&host));
}
