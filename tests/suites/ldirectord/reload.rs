//! Reloads that the daemon follows late.

use harness::process::wait_until;

use crate::rig::Nat;
use crate::{
    CONF, PATIENCE, daemon, director, expect_gone, expect_table, log, table, with_ipvs, write,
};

/// A configuration with a service at each of these ports, whose real server needs no check.
fn configuration(ports: &[u16]) -> String {
    let section = |port: &u16| {
        format!(
            "virtual=10.9.0.50:{port}\n\treal=10.240.0.20:80 masq\n\tscheduler=rr\n\
             \tchecktype=on\n"
        )
    };
    ports.iter().map(section).collect()
}

/// The daemon stands still when it is ordered to read its file again, and follows after the reload
/// has given up. One of the new services has the place of another's, which is there again after a
/// stop, whether the reload has been repeated or not.
#[test]
fn a_stop_after_a_late_reload_leaves_what_was_there_before() {
    with_ipvs(|| {
        let nat = Nat::new(1);
        let lvs = nat.director();
        let agent = director(lvs);
        let there = |port: u16| table(lvs).iter().any(|it| it.contains(&format!(":{port} ")));
        lvs.sh("ipvsadm -A -t 10.9.0.50:82 -s wlc");
        for is_repeated in [false, true] {
            write(lvs, CONF, &configuration(&[84, 81]));
            agent.start().expect_code(0);
            let number = daemon(lvs);
            lvs.sh(&format!("kill -STOP {number}"));
            write(lvs, CONF, &configuration(&[84, 82, 83]));
            agent.action("reload").expect_code(1).expect_reason(&["not in effect yet"]);
            lvs.sh(&format!("kill -CONT {number}"));
            let followed = || (there(83) && !there(81)).then_some(());
            assert!(wait_until(PATIENCE, followed).is_some(), "{:?}\n{}", table(lvs), log(lvs));
            if is_repeated {
                agent.action("reload").expect_code(0);
            }
            // What the file says now is no help.
            write(lvs, CONF, "");
            agent.stop().expect_code(0);
            expect_table(lvs, &["TCP 10.9.0.50:82 wlc"]);
            expect_gone(lvs);
        }
    });
}

/// The order to read a file in which there is a service less.
#[test]
fn a_reload_that_drops_a_service_ends_when_it_is_gone() {
    with_ipvs(|| {
        let nat = Nat::new(1);
        let lvs = nat.director();
        let agent = director(lvs);
        write(lvs, CONF, &configuration(&[81, 82]));
        agent.start().expect_code(0);
        write(lvs, CONF, &configuration(&[81]));
        agent.action("reload").expect_code(0);
        let ports: Vec<_> = table(lvs).into_iter().filter(|it| it.starts_with("TCP")).collect();
        assert_eq!(ports, ["TCP 10.9.0.50:81 rr"]);
        agent.stop().expect_code(0);
        expect_table(lvs, &[]);
        expect_gone(lvs);
    });
}
