//! `--explain`: what start and monitor go by.

use crate::life::PLAIN;
use crate::{CONF, daemon, director, machine, with_ipvs, write};

#[test]
fn an_explanation_says_what_was_found_and_what_a_start_would_do() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        let agent = director(&host);
        let files = [
            "program: /usr/sbin/ldirectord",
            "configuration: /etc/ha.d/ldirectord.cf (configfile)",
            "autoreload: no (whether the daemon reads its file again when that changes)",
        ];
        agent.explain().expect_code(0).expect_lines(&files).expect_lines(&[
            "record: none",
            "pid file: /var/run/ldirectord.ldirectord.cf.pid (there is none, or it is empty)",
            "process: none",
            "monitor: not running",
            "virtual service: tcp 10.9.0.50:80 (not in the kernel's table)",
            "virtual service: mark 7 (not in the kernel's table)",
            "start: /usr/sbin/ldirectord /etc/ha.d/ldirectord.cf start",
        ]);
        agent.start().expect_code(0);
        let running = agent.explain();
        running.expect_code(0).expect_lines(&files).expect_lines(&[
            "record: /etc/ha.d/ldirectord.cf (a monitor goes by it)",
            "record of the table before the start: no virtual service",
            "monitor: running",
            "virtual service: tcp 10.9.0.50:80 (in the kernel's table, with 1 servers that get \
             clients)",
            "start: does nothing (the daemon runs and directs)",
        ]);
        assert!(running.stdout.contains(&format!("process: {} (", daemon(&host))), "{running}");
        agent.stop().expect_code(0);
        write(&host, CONF, "bogus");
        agent
            .explain()
            .expect_code(5)
            .expect_reason(&["ldirectord.cf:1"])
            .expect_lines(&["monitor: not running"]);
    });
}
