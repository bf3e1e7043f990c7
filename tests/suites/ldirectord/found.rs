//! Daemons that were started by other means or with other parameters, and services that move from
//! one director to another.

use harness::Host;
use harness::process::wait_until;

use crate::life::{FILLED, PLAIN};
use crate::{
    CONF, PATIENCE, daemon, director, expect_gone, expect_table, log, machine, processes, table,
    with_ipvs, write,
};

/// Another configuration.
const OTHER: &str = "/etc/ha.d/other.cf";

/// A configuration with a service at each of these ports, whose real server needs no check.
fn configuration(ports: &[u16]) -> String {
    let section = |port: &u16| {
        format!(
            "virtual=10.9.0.50:{port}\n\treal=10.240.0.20:80 masq\n\tscheduler=rr\n\
             \tchecktype=on\n"
        )
    };
    let sections: String = ports.iter().map(section).collect();
    format!("checkinterval=1\nquiescent=no\n{sections}")
}

/// Waits until the kernel's table has services at these ports, and no others.
#[track_caller]
fn expect_ports(host: &Host, ports: &[u16]) {
    let expected: Vec<String> =
        ports.iter().map(|port| format!("TCP 10.9.0.50:{port} rr")).collect();
    let now = || {
        let mut now: Vec<_> = table(host).into_iter().filter(|it| it.starts_with("TCP")).collect();
        now.sort_unstable();
        now
    };
    let same = wait_until(PATIENCE, || (now() == expected).then_some(()));
    assert!(same.is_some(), "{expected:?} is expected, not {:?}\n{}", now(), log(host));
}

/// Ends the daemon of a configuration in the folder of these at once.
fn kill(host: &Host, name: &str) {
    host.sh(&format!("kill -9 $(cat /run/ldirectord.{name}.pid)"));
}

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

/// The section of a service is moved to the file of another director, which has not read it, or
/// has: a stop of that one took the service away from the daemon that has it still.
#[test]
fn a_stop_leaves_a_service_that_the_daemon_never_had() {
    with_ipvs(|| {
        let host = machine("lvs01");
        let agent = director(&host);
        let other = director(&host).instance("other").param("configfile", OTHER);
        write(&host, CONF, &configuration(&[80]));
        for is_killed in [false, true] {
            write(&host, OTHER, &configuration(&[81]));
            other.start().expect_code(0);
            agent.start().expect_code(0);
            write(&host, OTHER, &configuration(&[80, 81]));
            expect_ports(&host, &[80, 81]);
            if is_killed {
                kill(&host, "other.cf");
            }
            other.stop().expect_code(0).expect_silent();
            expect_ports(&host, &[80]);
            agent.stop().expect_code(0);
        }
        // Nothing is recorded, and the daemon ends by itself.
        write(&host, OTHER, &configuration(&[81]));
        host.sh(&format!("ldirectord {OTHER} start"));
        agent.start().expect_code(0);
        expect_ports(&host, &[80, 81]);
        write(&host, OTHER, &configuration(&[80, 81]));
        other.stop().expect_code(0).expect_silent();
        expect_ports(&host, &[80]);
        // What a daemon has read by itself goes with it, whatever ended it.
        write(&host, OTHER, &format!("autoreload=yes\n{}", configuration(&[81])));
        other.start().expect_code(0);
        // Again and again: what the daemon finds at its first look is nothing new to it.
        let mut count = 0;
        let has_read = wait_until(PATIENCE, || {
            count += 1;
            write(&host, "/srv/new.cf", &format!("# {count}\n{}", configuration(&[81, 82])));
            // Whole, at once: half of a file is one, too.
            host.sh(&format!("mv /srv/new.cf {OTHER}"));
            table(&host).contains(&"TCP 10.9.0.50:82 rr".to_owned()).then_some(())
        });
        assert!(has_read.is_some(), "{}", log(&host));
        expect_ports(&host, &[80, 81, 82]);
        kill(&host, "other.cf");
        other.stop().expect_code(0).expect_silent();
        expect_ports(&host, &[80]);
        agent.stop().expect_code(0);
        expect_table(&host, &[]);
        expect_gone(&host);
    });
}

/// The parameters change in maintenance mode, and Pacemaker is started again: it probes, and
/// starts, with the new ones.
#[test]
fn a_daemon_of_former_parameters_is_reported_and_ended() {
    with_ipvs(|| {
        let host = machine("lvs01");
        let former = director(&host);
        let agent = director(&host).param("configfile", OTHER);
        write(&host, CONF, &configuration(&[80]));
        write(&host, OTHER, &configuration(&[81]));
        former.start().expect_code(0);
        for outcome in [agent.probe(), agent.monitor()] {
            let runs = format!("the ldirectord of {CONF} still runs: ");
            outcome.expect_code(1).expect_reason(&[&runs, "other parameters", "stop the resource"]);
        }
        former.monitor().expect_code(0).expect_silent();
        agent.stop().expect_code(0);
        expect_table(&host, &[]);
        expect_gone(&host);
        for is_dead in [false, true] {
            former.start().expect_code(0);
            if is_dead {
                kill(&host, "ldirectord.cf");
                agent.probe().expect_code(7);
            }
            agent.start().expect_code(0);
            expect_ports(&host, &[81]);
            let all = processes(&host);
            // A command that the daemon is about to run has its words, too.
            assert!(all.iter().all(|it| it.contains(OTHER)), "{all:?}");
            agent.monitor().expect_code(0).expect_silent();
            agent.stop().expect_code(0);
            expect_table(&host, &[]);
            expect_gone(&host);
        }
    });
}
