//! `--explain`: what start and monitor go by.

use crate::{PLAIN, configure, machine, master, processes, web, write};

#[test]
fn an_explanation_says_what_was_found_and_what_a_start_would_do() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    let expected = [
        "program: /usr/sbin/nginx (the usual place)",
        "configuration: /etc/nginx/a.conf (configfile)",
        "listens on: 127.0.0.1:8081",
        "level 0 requests: 127.0.0.1:8081 (the configuration)",
        "level 10 requests: http://127.0.0.1:8081/nginx_status (stub_status in the configuration)",
    ];
    let stopped = agent.explain();
    stopped.expect_code(0).expect_lines(&expected).expect_lines(&[
        "record: none",
        "pid file: /run/a.pid (there is none, or it is empty)",
        "process: none",
        "monitor: not running",
        "configuration check: good",
        "start: /usr/sbin/nginx -c /etc/nginx/a.conf",
    ]);
    assert!(stopped.stdout.contains("version: nginx version: nginx/"), "{stopped}");
    assert!(processes(&host).is_empty());
    agent.start().expect_code(0);
    let number = master(&host, "a");
    let running = agent.explain();
    running.expect_code(0).expect_lines(&expected).expect_lines(&[
        "record: /usr/sbin/nginx with /etc/nginx/a.conf (a monitor goes by it)",
        &format!("pid file: /run/a.pid (says {number})"),
        "monitor: running",
        "start: does nothing as long as the server answers (it runs)",
    ]);
    assert!(
        running.stdout.contains(&format!("process: {number} (nginx) of root, started by 1 (")),
        "{running}"
    );
    agent.stop().expect_code(0);
    write(&host, "/etc/nginx/a.conf", "bogus;");
    let broken = agent.explain();
    broken
        .expect_code(5)
        .expect_reason(&["bogus", "/etc/nginx/a.conf:1"])
        .expect_lines(&["monitor: not running"]);
    let absent =
        agent.param("httpd", "/opt/nginx").param("configfile", "/etc/nginx/none.conf").explain();
    absent.expect_code(5).expect_lines(&[
        "program: /usr/sbin/nginx (httpd is not there)",
        "configuration: /etc/nginx/none.conf (cannot be read)",
    ]);
}
