//! Right answers: haproxy that is reloaded or restarted by other means, checked as it is run, and a
//! faulty configuration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{
    PLAIN, answers, at, balancer, client, configure, eventually, expect_gone, machine, master,
    processes,
};

/// Of thirty monitors 25 failed at once, while all clients were served.
#[test]
fn ha_f1_no_monitor_fails_while_haproxy_is_reloaded_by_other_means() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let number = master(&host);
    let over = AtomicBool::new(false);
    let (outcomes, score) = std::thread::scope(|scope| {
        let client = scope.spawn(|| client::steady(&host, 8081, &over));
        let reloads = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                host.sh(&format!("kill -USR2 {number}"));
                std::thread::sleep(Duration::from_millis(250));
            }
        });
        let outcomes: Vec<_> = (0..30).map(|round| at(&agent, [0, 10, 20][round % 3])).collect();
        agent.start().expect_code(0);
        over.store(true, Ordering::Relaxed);
        reloads.join().unwrap();
        (outcomes, client.join().unwrap())
    });
    for outcome in outcomes {
        outcome.expect_code(0);
    }
    assert_eq!((score.refused, score.broken.as_slice()), (0, &[][..]));
    assert_eq!(master(&host), number, "a start ends no haproxy that serves");
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// `haproxy -c` refuses a `program` without a master, `haproxy -W -c` does not: a start was 5.
#[test]
fn ha_f2_the_configuration_is_checked_as_it_is_run() {
    let Some(host) = machine() else { return };
    let body = format!("{PLAIN}program sleeper\n  command /bin/sleep 600\n");
    let agent = balancer(&host, &configure(&host, "a", &body));
    agent.validate_here().expect_code(0).expect_silent();
    agent.start().expect_code(0);
    assert!(answers(&host, 8081));
    agent.action("reload").expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
    let without = agent.param("mode", "daemon");
    without
        .validate_here()
        .expect_code(5)
        .expect_reason(&["'program' section without master worker mode"]);
    without.start().expect_code(5).expect_reason(&["'program' section without master worker mode"]);
    expect_gone(&host);
}

/// Its unit has started it again, with another socket: monitors were 1, and a start adopted it.
#[test]
fn ha_f5_a_haproxy_that_was_restarted_by_other_means_is_running_for_monitor_and_start() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path);
    for start_first in [true, false] {
        agent.start().expect_code(0);
        host.crash(&master(&host));
        eventually("all of it ends", || processes(&host).is_empty());
        host.sh(&format!(
            "haproxy -W -D -f {path} -p /run/haproxy.pid -S /run/haproxy-master.sock"
        ));
        let before = processes(&host);
        if start_first {
            agent.start().expect_code(0);
        }
        for level in [0, 10, 20] {
            at(&agent, level).expect_code(0).expect_silent();
        }
        agent.probe().expect_code(0);
        agent.start().expect_code(0);
        assert_eq!(processes(&host), before);
        agent.action("reload").expect_code(0);
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// A faulty file and a new serial: haproxy goes on with its old configuration, and monitors say so
/// until it is mended.
#[test]
fn al_1_a_faulty_configuration_is_reported_until_it_is_mended() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path).param("config_serial", "1");
    agent.start().expect_code(0);
    let before = processes(&host);
    for (serial, fault) in
        [("2", "  bogus"), ("3", "  bind 192.0.2.1:80"), ("4", "  bind :443 ssl crt /none.pem")]
    {
        configure(&host, "a", &format!("{PLAIN}{fault}\n"));
        let agent = agent.clone().param("config_serial", serial);
        agent
            .action("reload-agent")
            .expect_code(0)
            .expect_stderr(&["configuration refused", "190"]);
        for level in [0, 10, 20] {
            at(&agent, level).expect_code(190).expect_reason(&["configuration refused"]);
        }
        assert!(answers(&host, 8081));
        assert_eq!(processes(&host)[..1], before[..1]);
    }
    let agent = agent.param("config_serial", "4");
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    agent.monitor().expect_code(0);
    assert!(answers(&host, 8082), "the mended configuration is loaded");
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A faulty value of a parameter that the running haproxy does not need does not stop it.
#[test]
fn al_1_a_faulty_value_of_a_reloadable_parameter_is_reported_and_stops_nothing() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let faulty = agent.clone().param("stop_grace", "soon").param("min_up", "many");
    faulty.action("reload-agent").expect_code(0).expect_stderr(&["stop_grace", "min_up"]);
    faulty.monitor().expect_code(190).expect_reason(&["stop_grace", "min_up", "default"]);
    assert!(answers(&host, 8081));
    agent.stop().expect_code(0);
    faulty.monitor().expect_code(7);
    faulty.start().expect_code(6);
    expect_gone(&host);
}

/// Debian's configuration has its socket in /run/haproxy, which its unit makes, and a boot takes
/// away.
#[test]
fn al_2_the_directory_of_a_socket_is_made() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!(
        "sed -i 's#^global#global\\n  stats socket /run/haproxy/admin.sock mode 660#' {path}"
    ));
    let agent = balancer(&host, &path);
    agent.start().expect_code(0).expect_silent();
    host.sh("test -S /run/haproxy/admin.sock");
    agent.stop().expect_code(0);
    expect_gone(&host);
}
