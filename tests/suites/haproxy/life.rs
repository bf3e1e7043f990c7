//! Starts and stops.

use std::time::{Duration, Instant};

use crate::client::{self, Session};
use crate::{
    PLAIN, answers, balancer, configure, eventually, expect_gone, full_life, machine, master,
    processes, workers,
};

#[test]
fn a_start_returns_when_haproxy_serves() {
    let Some(host) = machine() else { return };
    for mode in ["master-worker", "daemon"] {
        let agent = balancer(&host, &configure(&host, "a", PLAIN)).param("mode", mode);
        for _ in 0..3 {
            agent.start().expect_code(0).expect_silent().expect_within(Duration::from_secs(5));
            assert!(answers(&host, 8081));
            agent.start().expect_code(0);
            for level in [0, 10, 20] {
                crate::at(&agent, level).expect_code(0).expect_silent();
            }
            agent.stop().expect_code(0).expect_within(Duration::from_secs(5));
            agent.stop().expect_code(0);
            expect_gone(&host);
            agent.monitor().expect_code(7);
        }
    }
}

#[test]
fn many_starts_at_once_make_one_master() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..5).map(|_| scope.spawn(|| agent.start())).collect();
        for start in starts {
            start.join().unwrap().expect_code(0).expect_silent();
        }
    });
    assert_eq!(processes(&host).len(), 2, "{:?}", processes(&host));
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// The parameters of the resource, with the passwords in them, were in the environment of the
/// server and of its `program` sections.
#[test]
fn rt_6_the_server_gets_none_of_the_cluster_s_variables() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN)).env("KEPT", "yes");
    agent.start().expect_code(0);
    let variables = host.sh(&format!("tr '\\0' '\\n' < /proc/{}/environ", master(&host)));
    assert!(variables.contains("KEPT=yes"), "{variables}");
    let of_the_cluster: Vec<_> =
        variables.lines().filter(|line| line.starts_with("OCF_")).collect();
    assert_eq!(of_the_cluster, [""; 0]);
    agent.stop().expect_code(0);
}

/// Everybody who can read the configuration can lock it.
#[test]
fn rt_2_a_lock_on_the_configuration_delays_no_start() {
    let Some(host) = machine() else { return };
    let config = configure(&host, "a", PLAIN);
    let _locked = host.spawn("flock", &["-x", &config, "sleep", "40"]);
    host.sh(&format!("while flock -n -x {config} true; do sleep 0.01; done"));
    let agent = balancer(&host, &config);
    agent.start().expect_code(0).expect_silent().expect_within(Duration::from_secs(5));
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn two_instances_with_names_alike_are_two() {
    let Some(host) = machine() else { return };
    configure(&host, "a", PLAIN);
    configure(&host, "b", &PLAIN.replace("8081", "8082"));
    host.sh("mv /etc/haproxy/b.cfg /etc/haproxy/a.cfg2");
    let one = balancer(&host, "/etc/haproxy/a.cfg");
    let two = balancer(&host, "/etc/haproxy/a.cfg2").instance("lb2");
    one.start().expect_code(0);
    two.monitor().expect_code(7);
    two.start().expect_code(0);
    let of_two =
        || processes(&host).into_iter().filter(|line| line.contains("a.cfg2")).collect::<Vec<_>>();
    let before = of_two();
    assert_eq!(before.len(), 2);
    one.action("reload").expect_code(0);
    host.sh(&format!("kill -9 {}", master(&host)));
    one.stop().expect_code(0);
    one.monitor().expect_code(7);
    two.monitor().expect_code(0);
    assert_eq!(of_two(), before);
    two.stop().expect_code(0);
    expect_gone(&host);
}

/// haproxy itself waits for the first line of a request as long as its time-outs say.
#[test]
fn a_silent_client_does_not_keep_a_stop() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN))
        .timeout(Duration::from_secs(60))
        .param("stop_grace", "10min");
    agent.start().expect_code(0);
    let silent = host.in_network(|| std::net::TcpStream::connect("127.0.0.1:8081"));
    assert!(silent.is_ok(), "{silent:?}");
    agent.stop().expect_code(0).expect_within(Duration::from_secs(20));
    expect_gone(&host);
}

/// Someone has deleted the address: the cluster stops haproxy before it starts the address again.
/// Who was talking cannot be reached, and the connections to those behind haproxy are no clients.
#[test]
fn a_stop_does_not_wait_for_clients_of_an_address_that_is_gone() {
    let Some(host) = machine() else { return };
    client::echo(&host, 9001);
    let listen = "listen long\n  mode tcp\n  bind :::8082 v4v6\n  server echo 127.0.0.1:9001\n";
    let path = configure(&host, "a", &format!("{PLAIN}  log 127.0.0.1:514 local0\n{listen}"));
    let agent = balancer(&host, &path).param("stop_grace", "10s");
    for address in ["10.7.7.7", "2001:db8:7::7"] {
        host.sh(&format!("ip address add {address} dev lo"));
        agent.start().expect_code(0);
        let mut session = Session::at(&host, address, 8082);
        assert!(session.echo("hello"));
        host.sh(&format!("ip address del {address} dev lo"));
        let stopped = agent.clone().timeout(Duration::from_secs(30)).stop();
        stopped.expect_code(0).expect_within(Duration::from_secs(5));
        expect_gone(&host);
    }
    // Who can be reached has the time that was promised.
    agent.start().expect_code(0);
    let mut session = Session::open(&host, 8082);
    assert!(session.echo("hello"));
    let stopped = agent.clone().timeout(Duration::from_secs(30)).stop();
    stopped.expect_code(0);
    assert!(stopped.elapsed >= Duration::from_secs(10), "{stopped}");
}

#[test]
fn a_stop_needs_neither_configuration_nor_parameters() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path);
    for (spoil, changed) in [
        (format!("rm {path}"), agent.clone()),
        (format!("echo bogus > {path}"), agent.clone()),
        ("rm /run/resource-agents/haproxy-lb.pid".into(), agent.clone()),
        ("rm /run/resource-agents/haproxy-lb.sock".into(), agent.clone()),
        ("rm /run/resource-agents/haproxy-lb.record".into(), agent.clone().without("configfile")),
        ("rm /run/resource-agents/haproxy-lb.*".into(), agent.clone()),
        ("true".into(), agent.clone().param("min_up", "nonsense")),
        ("true".into(), agent.clone().param("binary", "/no/such/program")),
        ("true".into(), agent.clone().param("mode", "daemon")),
        ("true".into(), agent.clone().without("configfile")),
    ] {
        configure(&host, "a", PLAIN);
        agent.start().expect_code(0);
        host.sh(&spoil);
        changed.stop().expect_code(0);
        let left = processes(&host);
        assert!(left.is_empty(), "{spoil}: {left:?}");
        host.sh("rm -f /run/resource-agents/haproxy-lb.*");
    }
}

#[test]
fn an_address_in_use_is_named_and_nothing_is_left() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let _other = host.spawn("python3", &["-m", "http.server", "8081", "--bind", "127.0.0.1"]);
    eventually("the other server listens", || host.run("ss", &["-Htln"]).stdout.contains(":8081"));
    agent.start().expect_code(1).expect_reason(&[
        "127.0.0.1:8081",
        "another program",
        "Address already in use",
    ]);
    expect_gone(&host);
    agent.monitor().expect_code(7);
}

#[test]
fn a_start_killed_anywhere_leaves_what_a_stop_ends() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    for delay in [2, 5, 10, 15, 20, 30, 40, 60] {
        agent.clone().kill_after(Duration::from_millis(delay)).start();
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
    full_life(&host, &agent);
}

#[test]
fn recovery_from_a_crash_takes_a_moment() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    host.sh(&format!("kill -9 {}", master(&host)));
    let began = Instant::now();
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn a_haproxy_that_somebody_else_started_is_adopted() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path);
    for words in [
        format!("-W -D -f {path} -p /run/haproxy.pid -S /run/haproxy-master.sock"),
        format!("-W -D -f {path}"),
        format!("-D -f {path}"),
    ] {
        host.sh(&format!("haproxy {words}"));
        eventually("it serves", || agent.probe().code == 0);
        let before = processes(&host);
        agent.start().expect_code(0);
        assert_eq!(processes(&host), before, "{words}");
        agent.monitor().expect_code(0);
        for level in [10, 20] {
            let seen = crate::at(&agent, level);
            if words.contains("-S") {
                seen.expect_code(0);
            } else {
                // It may serve: a restart would cost its connections.
                seen.expect_code(190).expect_reason(&["no CLI socket (-S)", "restart"]);
            }
        }
        agent.action("reload").expect_code(if words.contains("-S") { 0 } else { 1 });
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

#[test]
fn one_with_another_configuration_is_replaced_by_a_start() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let number = master(&host);
    let changed = balancer(&host, &configure(&host, "b", &PLAIN.replace("8081", "8082")));
    changed.start().expect_code(0);
    assert_ne!(master(&host), number);
    assert!(answers(&host, 8082) && !answers(&host, 8081));
    assert_eq!(workers(&host, &master(&host)).len(), 1);
    changed.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn the_names_of_the_community_agents_work() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", &format!("{PLAIN}  monitor-uri /alive\n"));
    let bare = || balancer(&host, &path).without("configfile");
    let russki = bare()
        .param("binpath", "/usr/sbin/haproxy")
        .param("conffile", &path)
        .param("pidfile", "/run/haproxy.pid");
    full_life(
        &host,
        &russki.param("statusurl", "http://127.0.0.1:8081/alive").param("extraconf", "-L me"),
    );
    let other = bare()
        .param("haproxy", "/usr/sbin/haproxy")
        .param("config", &path)
        .param("pid", "/run/x/haproxy.pid");
    let other = other.param("monitor_url", "http://127.0.0.1:8081/alive").param("options", "-dr");
    full_life(&host, &other);
    other
        .clone()
        .param("conffile", "/etc/haproxy/b.cfg")
        .start()
        .expect_code(6)
        .expect_reason(&["conffile and config"]);
    let wrong = other.param("monitor_url", "http://127.0.0.1:8081/").param("expect_status", "404");
    wrong.start().expect_code(0);
    crate::at(&wrong, 0).expect_code(0);
    crate::at(&wrong, 10).expect_code(1).expect_reason(&["200 OK", "expected 404"]);
    wrong.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn somebody_elses_number_in_the_pid_file_is_not_believed() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let mut bystander = host.spawn("sleep", &["600"]);
    host.sh(&format!(
        "mkdir -p /run/resource-agents; echo {} > /run/resource-agents/haproxy-lb.pid",
        bystander.pid_inside()
    ));
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    assert!(answers(&host, 8081));
    agent.stop().expect_code(0);
    expect_gone(&host);
    assert!(bystander.is_alive());
}

/// A probe with a faulty parameter said "not running" while the server ran.
#[test]
fn an_1_a_probe_with_a_faulty_parameter_looks_for_the_server() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    harness::faults::expect_probes_look(&agent, || expect_gone(&host));
}
