//! The reported failures, one test a row.

use std::time::Duration;

use crate::{
    PLAIN, at, configure, expect_gone, full_life, machine, master, page, processes, settled, web,
    write,
};

/// Workers of a dead master kept the port: stop said 0 with two of them left, start failed
/// (RA#1553).
#[test]
fn ng_01_workers_of_a_dead_master_are_ended() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    for stop_first in [true, false] {
        agent.start().expect_code(0);
        host.crash(&master(&host, "a"));
        assert!(!processes(&host).is_empty(), "workers are left");
        agent.monitor().expect_code(1).expect_reason(&["workers"]);
        if stop_first {
            agent.stop().expect_code(0);
            expect_gone(&host);
        }
        agent.start().expect_code(0);
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// As above, with the pid file gone too.
#[test]
fn ng_01_without_a_pid_file_they_are_found_by_their_session() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    host.crash(&master(&host, "a"));
    host.sh("rm /run/a.pid");
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A pid file with another program's number: monitor 0, start "already running", and stop killed
/// that program.
#[test]
fn ng_02_a_number_in_a_pid_file_is_not_believed() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    let mut bystander = host.spawn("sleep", &["600"]);
    host.sh(&format!("echo {} > /run/a.pid", bystander.pid_inside()));
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    assert!(page(&host, &["http://127.0.0.1:8081/"]).contains("alive"));
    agent.stop().expect_code(0);
    expect_gone(&host);
    assert!(bystander.is_alive());
}

/// A faulty configuration was 6, which stops the resource on every node (RA#978); validate-all
/// still was.
#[test]
fn ng_03_a_faulty_configuration_is_a_fault_of_this_node() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    host.sh(&format!("echo 'bogus;' >> {path}"));
    agent
        .start()
        .expect_code(5)
        .expect_reason(&["bogus", "/etc/nginx/a.conf:"])
        .expect_within(Duration::from_secs(2));
    agent.validate_here().expect_code(5).expect_reason(&["/etc/nginx/a.conf:"]);
    agent.validate().expect_code(0);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A plain configuration without a status page was invalid for validate-all (2), and started all
/// the same.
#[test]
fn ng_04_what_starts_is_valid() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", "server { listen 8081; }"));
    agent.validate().expect_code(0).expect_silent();
    agent.validate_here().expect_code(0).expect_silent();
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    at(&agent, 10).expect_code(0).expect_silent();
    agent.stop().expect_code(0);
}

/// An IPv6 address, words after the port and a local socket were misread.
#[test]
fn ng_05_every_form_of_listen_works_at_level_10() {
    let Some(host) = machine() else { return };
    for listen in [
        "[::1]:8082",
        "8083 default_server",
        "unix:/run/a.sock",
        "127.0.0.1:8084",
        "localhost:8085",
        "*:8086",
    ] {
        let http =
            format!("server {{ listen {listen}; location /nginx_status {{ stub_status; }} }}");
        full_life(&host, &web(&host, &configure(&host, "a", &http)));
    }
}

/// Level 10 was 0 for a page that answers 500, when the expression matched the error page.
#[test]
fn ng_06_the_status_code_comes_first() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    for url in ["/fail", "http://127.0.0.1:8081/fail"] {
        at(&agent.clone().param("status10url", url), 10).expect_code(1).expect_reason(&["500"]);
    }
    let accepting = agent.clone().param("status10url", "/fail").param("expect_status", "500");
    at(&accepting, 10).expect_code(0);
    agent.stop().expect_code(0);
}

/// A frozen server: level 0 said 0, level 10 never returned, and stop left a process.
#[test]
fn ng_07_a_frozen_server_is_noticed_and_ended() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN)).timeout(Duration::from_secs(6));
    for level in [0, 10] {
        agent.start().expect_code(0);
        host.sh("pkill -STOP -x nginx");
        at(&agent, level).expect_code(1).expect_reason(&["no answer"]);
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// Parameters of levels 20 and 30 were mixed up, arguments lost, and a failure of level 30 was 7.
#[test]
fn ng_09_a_program_at_level_30_gets_its_arguments_and_its_failure_is_1() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    write(
        &host,
        "/tmp/check",
        "#!/bin/sh\n[ \"$1 $2\" = 'a b $c' ] || { echo \"got $*\" >&2; exit 3; }",
    );
    host.sh("chmod 755 /tmp/check");
    for (command, code, reason) in [
        ("/bin/true", 0, ""),
        ("true", 0, ""),
        ("/bin/false", 1, "exit code 1"),
        ("/tmp/check a 'b $c'", 0, ""),
        ("/tmp/check a b", 1, "got a b"),
        ("/bin/false; /bin/true", 1, "installed"),
        ("/no/such/program", 1, "/no/such/program is not installed"),
    ] {
        let outcome = at(&agent.clone().param("external_monitor30_cmd", command), 30);
        outcome.expect_code(code).expect_reason(&[reason]);
    }
    at(&agent, 30).expect_code(0).expect_silent();
    agent.stop().expect_code(0);
}

/// A check as root left a pid file, and was made without the options of the start (RA#2101).
#[test]
fn ng_10_a_check_leaves_nothing_behind() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!("sed -i 's#/run/a.pid#/run/nginx/deep/a.pid#' {path}"));
    let listing = || host.sh("find /run /tmp /etc/nginx /var/log /var/lib/nginx /srv | sort");
    let before = listing();
    let agent = web(&host, &path);
    agent.validate_here().expect_code(0).expect_silent();
    assert_eq!(listing(), before);
    agent.probe().expect_code(7);
    agent
        .clone()
        .param("options", "-g 'bogus on;'")
        .validate_here()
        .expect_code(5)
        .expect_reason(&["bogus"]);
    assert_eq!(listing(), before);
    // The directory for the pid file is made by a start, as after a boot.
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// The documented default of the program was Apache's (RA#1772).
#[test]
fn ng_12_without_a_program_it_is_nginx() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    full_life(&host, &web(&host, &path));
    full_life(&host, &web(&host, &path).param("httpd", "/usr/sbin/no-such-httpd"));
}

/// A faulty file and a new serial: the server goes on with its old configuration, and monitors say
/// so until it is mended.
#[test]
fn al_1_a_faulty_configuration_is_reported_until_it_is_mended() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path).param("config_serial", "1");
    agent.start().expect_code(0);
    let before = settled(&host);
    host.sh(&format!("echo 'bogus;' >> {path}"));
    let agent = agent.param("config_serial", "2");
    agent.action("reload-agent").expect_code(0).expect_stderr(&["bogus", "a.conf:", "190"]);
    for _ in 0..2 {
        agent.monitor().expect_code(190).expect_reason(&["bogus", "a.conf:", "old configuration"]);
    }
    assert_eq!(processes(&host), before);
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    agent.monitor().expect_code(0).expect_silent();
    assert!(
        page(&host, &["http://127.0.0.1:8082/"]).contains("alive"),
        "the mended configuration is loaded"
    );
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A faulty value of a parameter that the running server does not need does not stop it.
#[test]
fn al_1_a_faulty_value_of_a_reloadable_parameter_is_reported_and_stops_nothing() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    agent.start().expect_code(0);
    let faulty = agent.clone().param("stop_grace", "soon").param("max_latency", "x");
    faulty.action("reload-agent").expect_code(0).expect_stderr(&["stop_grace", "max_latency"]);
    faulty.monitor().expect_code(190).expect_reason(&["stop_grace", "max_latency", "default"]);
    agent.stop().expect_code(0);
    faulty.monitor().expect_code(7);
    faulty.start().expect_code(6);
    expect_gone(&host);
}

/// A reload on request, without a restart (RA#991).
#[test]
fn ng_13_a_changed_parameter_restarts_nothing() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    agent.start().expect_code(0);
    let before = settled(&host);
    let changed = agent.clone().param("status10url", "/nginx_status").param("max_latency", "5s");
    changed.action("reload-agent").expect_code(0).expect_silent();
    assert_eq!(processes(&host), before);
    at(&changed, 10).expect_code(0);
    host.sh(&format!("echo 'bogus;' >> {path}"));
    let serial = changed.clone().param("config_serial", "2");
    serial.action("reload").expect_code(1).expect_reason(&[
        "bogus",
        "/etc/nginx/a.conf:",
        "old configuration",
    ]);
    assert_eq!(processes(&host), before);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A name in a URL, and name servers that do not answer.
#[test]
fn wt_2_silent_name_servers_end_a_check_in_time() {
    let Some(host) = crate::machine_of(harness::host::Builder::overlay) else { return };
    host.silent_name_servers();
    let agent = web(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let limit = Duration::from_secs(6);
    let named = agent.clone().param("status10url", "http://web.example:8081/").timeout(limit);
    at(&named, 10)
        .expect_code(1)
        .expect_reason(&[
            "web.example",
            "no answer from the name servers",
            "look at /etc/resolv.conf",
        ])
        .expect_within(limit);
    named.stop().expect_code(0);
}
