//! Daemons that were started by other means.

use crate::life::{FILLED, PLAIN};
use crate::{CONF, daemon, director, expect_gone, expect_table, machine, with_ipvs, write};

/// After a change from the shell agent, which keeps no record: the daemon runs already, and ends
/// before the next start. What its file executes since it has read it does not run, and must not
/// count as dead.
#[test]
fn a_daemon_that_was_found_is_known_to_a_stop_when_it_is_dead() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, "/etc/ha.d/executed.cf", "checkinterval=1\n");
        let agent = director(&host);
        let state = "/run/resource-agents";
        host.sh(&format!("mkdir -p {state}; mount -t tmpfs -o mode=755 state {state}"));
        for is_probe in [true, false] {
            write(&host, CONF, PLAIN);
            host.sh(&format!("rm -f {state}/*; ldirectord {CONF} start"));
            expect_table(&host, &FILLED);
            write(&host, CONF, &format!("execute=executed.cf\n{PLAIN}"));
            agent.explain().expect_code(0).expect_lines(&["record: none", "monitor: running"]);
            assert_eq!(host.sh(&format!("ls {state}")), "", "an explanation changes nothing");
            host.sh(&format!("mount -o remount,ro {state}"));
            agent.monitor().expect_code(0).expect_stderr(&["Read-only"]);
            host.sh(&format!("mount -o remount,rw {state}"));
            let seen = if is_probe { agent.probe() } else { agent.monitor() };
            seen.expect_code(0).expect_silent();
            let number = daemon(&host);
            host.sh(&format!("grep 'virtual=tcp 10.9.0.50:80' {state}/ldirectord-director.record"));
            host.sh("rm /run/ldirectord.ldirectord.cf.pid");
            agent.monitor().expect_code(0).expect_silent();
            host.sh(&format!("kill -9 {number}"));
            agent.monitor().expect_code(7);
            agent.stop().expect_code(0).expect_silent();
            expect_table(&host, &[]);
            expect_gone(&host);
        }
    });
}
