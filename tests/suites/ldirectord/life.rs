//! Starts, stops, and everything that happens to a daemon between.

use std::time::Duration;

use harness::process::wait_until;

use crate::{
    CONF, PATIENCE, at, daemon, director, expect_gone, expect_table, log, machine, processes,
    table, with_ipvs, write,
};

/// Two services whose servers need no check.
pub const PLAIN: &str = "checkinterval=1\nquiescent=no\nvirtual=10.9.0.50:80\n\
    \treal=10.240.0.20:80 masq\n\
    \tscheduler=rr\n\
                     \tchecktype=on\nvirtual=7\n\treal=10.240.0.20 \
                     gate\n\tscheduler=rr\n\tchecktype=on\n\tprotocol=fwm\n";

/// What the kernel has then.
pub const FILLED: [&str; 4] =
    ["TCP 10.9.0.50:80 rr", "-> 10.240.0.20:80 Masq 1", "FWM 7 rr", "-> 10.240.0.20:0 Route 1"];

#[test]
fn a_life_leaves_the_table_as_it_was() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        let agent = director(&host);
        agent.probe().expect_code(7);
        // A caller with no mask at all.
        agent
            .clone()
            .under(&["/bin/sh", "-c", "umask 000; exec \"$@\"", "sh"])
            .start()
            .expect_code(0);
        expect_table(&host, &FILLED);
        let number = daemon(&host);
        for level in [0, 10, 20] {
            at(&agent, level).expect_code(0).expect_silent();
        }
        agent.start().expect_code(0);
        assert_eq!(daemon(&host), number, "a second start starts nothing");
        // Without its pid file it is known by the record; without both, by its arguments.
        host.sh("mv /run/ldirectord.ldirectord.cf.pid /run/kept");
        agent.monitor().expect_code(0);
        host.sh("mkdir /run/aside; mv /run/resource-agents/* /run/aside");
        agent.monitor().expect_code(1).expect_reason(&["lost its pid file", "stop ends them"]);
        host.sh(
            "mv /run/aside/* /run/resource-agents; mv /run/kept /run/ldirectord.ldirectord.cf.pid",
        );
        assert_eq!(
            host.sh("stat -c %a /run/ldirectord.ldirectord.cf.pid"),
            "644\n",
            "not everybody may write it"
        );
        // A stop needs neither the file nor the parameters.
        host.sh(&format!("rm {CONF}"));
        agent.clone().param("on_low", "nonsense").stop().expect_code(0);
        expect_table(&host, &[]);
        expect_gone(&host);
        agent.stop().expect_code(0);
        agent.probe().expect_code(7);
        host.sh("! ls /run/resource-agents/*.record");
    });
}

/// LD-04: virtual services stayed in the kernel's table (RA:e0819ab82).
#[test]
fn ld_04_whoever_ended_the_daemon_only_what_the_start_added_goes() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        // A service of another program, and one that has the same place as ours.
        host.sh("ipvsadm -A -t 10.9.0.60:80 -s wlc; ipvsadm -a -t 10.9.0.60:80 -r 10.240.0.30:80 \
            -m -w 3
             ipvsadm -A -f 7 -s wrr -p 90; ipvsadm -a -f 7 -r 10.240.0.31 -g -w 9");
        let saved = || host.sh("ipvsadm-save -n | sort");
        let before = saved();
        let agent = director(&host);
        for killed in [false, true] {
            agent.start().expect_code(0);
            assert_ne!(saved(), before);
            if killed {
                host.sh(&format!("kill -9 {}", daemon(&host)));
                agent.monitor().expect_code(7);
                assert!(
                    table(&host).iter().any(|line| line.contains("10.9.0.50:80")),
                    "the kernel still directs"
                );
            }
            agent.stop().expect_code(0).expect_silent();
            assert_eq!(saved(), before);
            expect_gone(&host);
        }
        // Killed starts, anywhere.
        for delay in [50, 400, 1500, 4000] {
            agent.clone().kill_after(Duration::from_millis(delay)).start();
            agent.stop().expect_code(0);
            assert_eq!(saved(), before, "killed after {delay} ms");
            expect_gone(&host);
        }
        // What is to stay, stays.
        write(&host, CONF, &format!("cleanstop=no\n{PLAIN}"));
        agent.start().expect_code(0);
        agent.stop().expect_code(0);
        assert!(
            table(&host).iter().any(|line| line.contains("10.9.0.50:80")),
            "{:?}",
            table(&host)
        );
    });
}

/// Debian's enabled unit started it between probe and start: its services counted as those of
/// before, and stayed.
#[test]
fn ld_f1_a_daemon_that_its_unit_has_started_is_taken_over_and_its_services_go_with_it() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        let agent = director(&host);
        for with_start in [true, false] {
            agent.probe().expect_code(7);
            host.sh("ldirectord start");
            expect_table(&host, &FILLED);
            agent.probe().expect_code(0);
            let before = processes(&host);
            if with_start {
                agent.start().expect_code(0);
                assert_eq!(processes(&host), before, "a start starts no second one");
            }
            for level in [0, 10, 20] {
                at(&agent, level).expect_code(0).expect_silent();
            }
            agent.stop().expect_code(0);
            expect_table(&host, &[]);
            expect_gone(&host);
            agent.probe().expect_code(7);
        }
        // One that runs is the one to look at, whatever another pid file says.
        agent.start().expect_code(0);
        host.sh("echo 1 > /run/ldirectord.ldirectord.pid");
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_table(&host, &[]);
    });
}

/// The resource is renamed while nothing watches it.
#[test]
fn a_daemon_that_was_started_under_another_name_is_adopted() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        host.sh("ipvsadm -A -t 10.9.0.60:80 -s wlc");
        let others = ["TCP 10.9.0.60:80 wlc"];
        let former = director(&host);
        let agent = director(&host).instance("renamed");
        for is_started in [true, false] {
            former.start().expect_code(0);
            let before = processes(&host);
            agent.probe().expect_code(0);
            if is_started {
                agent.start().expect_code(0);
            }
            for level in [0, 10, 20] {
                at(&agent, level).expect_code(0).expect_silent();
            }
            assert_eq!(processes(&host), before, "never a second daemon");
            agent.stop().expect_code(0);
            expect_table(&host, &others);
            expect_gone(&host);
            for name in [&agent, &former] {
                name.probe().expect_code(7);
            }
            former.stop().expect_code(0);
            expect_table(&host, &others);
        }
    });
}

#[test]
fn a_recovery_goes_on_with_what_the_dead_daemon_had_in_the_table() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        let agent = director(&host);
        let stop = || {
            agent.stop().expect_code(0).expect_silent();
            assert_eq!(table(&host), [""; 0], "whatever follows, a stop leaves nothing");
        };
        let killed = || {
            host.sh(&format!("kill -9 {}", daemon(&host)));
            agent.monitor().expect_code(7);
            stop();
        };
        // The daemon's own word for a virtual service that was there when it came.
        let taken_over = || log(&host).matches("Changed virtual server").count();
        agent.start().expect_code(0);
        killed();
        assert_eq!(taken_over(), 0);
        agent.start().expect_code(0);
        expect_table(&host, &FILLED);
        let went_on = wait_until(PATIENCE, || (taken_over() >= 2).then_some(()));
        assert!(went_on.is_some(), "{}", log(&host));
        // An ordinary stop, and another configuration, begin with nothing.
        stop();
        let before = taken_over();
        agent.start().expect_code(0);
        killed();
        write(&host, CONF, &PLAIN.replace("virtual=7", "virtual=8"));
        agent.start().expect_code(0);
        stop();
        assert_eq!(taken_over(), before, "{}", log(&host));
        host.sh("! ls /run/resource-agents/*.left");
    });
}

/// LD-07: a clash of Perl modules, and the daemon did not start (RA#365; RA:0d44388f2, 9d91c7bd2).
/// And: a pid file that is another program's, a file that gets a mistake while the daemon runs, a
/// daemon that is held, children of a dead one.
#[test]
fn ld_07_what_keeps_the_daemon_from_its_work_is_named() {
    with_ipvs(|| {
        let host = machine("lvs01");
        write(&host, CONF, PLAIN);
        let agent = director(&host);
        host.sh("mkdir /srv/broken; echo 'die \"clash of symbols\\n\";' > /srv/broken/Socket6.pm");
        let broken = agent.clone().env("PERL5LIB", "/srv/broken");
        broken.start().expect_code(1).expect_reason(&["ldirectord: ", "clash of symbols"]);
        expect_table(&host, &[]);
        agent.probe().expect_code(7);
        // The daemon itself would start nothing, and say that all is well.
        write(&host, "/srv/ldirectord.cf", PLAIN);
        let other = agent.clone().instance("other").param("configfile", "/srv/ldirectord.cf");
        agent.start().expect_code(0);
        other.probe().expect_code(7);
        other.start().expect_code(1).expect_reason(&[
            "/var/run/ldirectord.ldirectord.cf.pid",
            CONF,
            "another name",
        ]);
        other.stop().expect_code(0);
        expect_table(&host, &FILLED);
        at(&agent, 20).expect_code(0);
        // A mistake in the file is nothing that a restart cures. The daemon's own status would
        // remove its pid file.
        write(&host, CONF, &format!("{PLAIN}\tbogus=1\n"));
        at(&agent, 0).expect_code(0);
        at(&agent, 10)
            .expect_code(190)
            .expect_reason(&["a restart would fail", &format!("{CONF}:12: ")]);
        host.sh("test -s /run/ldirectord.ldirectord.cf.pid");
        write(&host, CONF, PLAIN);
        // Held.
        host.sh(&format!("kill -STOP {}", daemon(&host)));
        agent.monitor().expect_code(1).expect_reason(&["held by a signal"]);
        agent.stop().expect_code(0);
        expect_table(&host, &[]);
        expect_gone(&host);
        // With a child for each service, which outlive the daemon.
        write(&host, CONF, &format!("fork=yes\n{PLAIN}"));
        agent.start().expect_code(0);
        // By their titles: commands of the daemon have its words until they run their program.
        let children =
            || host.run("pgrep", &["-f", "^ldirectord (tcp|fwm):"]).stdout.lines().count();
        let forked = || wait_until(PATIENCE, || (children() == 2).then_some(()));
        assert!(forked().is_some(), "{:?}\n{}", processes(&host), log(&host));
        agent.monitor().expect_code(0);
        host.sh(&format!("kill -9 {}", daemon(&host)));
        agent.monitor().expect_code(1).expect_reason(&["2 processes", "stop ends them"]);
        agent.start().expect_code(0);
        assert!(forked().is_some(), "{:?}", processes(&host));
        agent.stop().expect_code(0);
        expect_table(&host, &[]);
        expect_gone(&host);
    });
}
