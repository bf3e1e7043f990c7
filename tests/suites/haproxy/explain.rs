//! `--explain`: what start and monitor go by.

use crate::{PLAIN, balancer, configure, machine, master, processes};

#[test]
fn an_explanation_says_what_was_found_and_what_a_start_would_do() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let stopped = agent.explain();
    stopped.expect_code(0).expect_lines(&[
        "program: /usr/sbin/haproxy (the usual place)",
        "mode: master-worker",
        "configuration: /etc/haproxy/a.cfg (there)",
        "configuration: /run/resource-agents/haproxy-lb.cfg (added by the agent)",
        "record: none",
        "pid file: /run/resource-agents/haproxy-lb.pid (there is none, or it is empty)",
        "master socket: /run/resource-agents/haproxy-lb.sock (not there)",
        "monitor: not running",
        "configuration check: good",
        "start: /usr/sbin/haproxy -D -p /run/resource-agents/haproxy-lb.pid -W -S \
         /run/resource-agents/haproxy-lb.sock,mode,600 -f /etc/haproxy/a.cfg -f \
         /run/resource-agents/haproxy-lb.cfg",
    ]);
    assert!(stopped.stdout.to_lowercase().contains("version: haproxy version "), "{stopped}");
    assert!(processes(&host).is_empty());
    agent.start().expect_code(0);
    // With reload_on=change a monitor would load the new configuration; an explanation does not.
    let number = master(&host);
    configure(&host, "a", &PLAIN.replace("alive", "other"));
    let running = agent.clone().param("reload_on", "change").explain();
    running.expect_code(0).expect_lines(&[
        "record: /usr/sbin/haproxy (a monitor goes by it)",
        "record: the configuration has changed since (reload, or reload_on=change, loads it)",
        &format!("pid file: /run/resource-agents/haproxy-lb.pid (says {number})"),
        "master socket: /run/resource-agents/haproxy-lb.sock (there; monitors use it)",
        "monitor: running",
        "start: does nothing as long as haproxy answers (it runs)",
    ]);
    assert!(crate::page(&host, &["http://127.0.0.1:8081/"]).contains("alive"));
    agent.stop().expect_code(0);
    configure(&host, "a", "bogus\n");
    agent
        .explain()
        .expect_code(5)
        .expect_reason(&["bogus"])
        .expect_lines(&["monitor: not running"]);
}
