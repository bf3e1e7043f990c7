//! Traffic through the director: the configuration of a tutorial, with real web servers.

use harness::process::wait_until;

use crate::rig::{CHECK, Nat, VIP, again, kill, page, serve, set_up};
use crate::{CONF, PATIENCE, at, director, expect_gone, expect_table, with_ipvs, write};

/// Waits until the four servers of the tutorial have these weights, and the fallback is there or
/// not.
#[track_caller]
fn expect(nat: &Nat, weights: [u32; 4], fallback: bool) {
    let servers = ["10.240.0.20", "10.240.0.21", "10.240.1.20", "10.240.1.21"];
    let mut all = vec![format!("TCP {VIP}:80 rr")];
    all.extend(
        servers
            .iter()
            .zip(weights)
            .map(|(address, weight)| format!("-> {address}:80 Masq {weight}")),
    );
    if fallback {
        all.push("-> 127.0.0.1:80 Route 1".to_owned());
    }
    expect_table(nat.director(), &all.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_tutorials_director_shares_requests_and_keeps_dead_servers_out() {
    with_ipvs(|| {
        let nat = Nat::new(4);
        let lvs = nat.director();
        // Two of the four are in a second network of the same wire.
        set_up(lvs, &[], "address add 10.240.1.1/24 dev eth0");
        for (number, address) in [(2, "10.240.1.20"), (3, "10.240.1.21")] {
            let lines = format!(
                "address flush dev eth0 scope global\naddress add {address}/24 dev eth0\n\
                 route add default via 10.240.1.1"
            );
            set_up(nat.real(number), &[], &lines);
        }
        let tutorial = include_str!("../../../agents/ldirectord/tests/fixtures/tutorial.cf");
        // A busy machine may take longer for a page than the three seconds of the tutorial.
        let tutorial = tutorial.replace("checktimeout=3", "checktimeout=20");
        write(
            lvs,
            CONF,
            &tutorial.replace("VIP", VIP).replace("/etc/init.d/apache2", "/srv/fallback"),
        );
        lvs.sh("printf '#!/bin/sh\\necho \"$*\" >> /srv/called\\n' > /srv/fallback; chmod 755 \
                /srv/fallback");
        serve(lvs, "sorry");
        let agent = director(lvs);
        agent.start().expect_code(0);
        expect(&nat, [1; 4], false);
        at(&agent, 20).expect_code(0).expect_silent();
        let shared = nat.asked(8);
        assert_eq!(shared.len(), 4, "{shared:?}");
        assert!(
            shared.iter().all(|(name, count)| name.starts_with("rs") && *count == 2),
            "{shared:?}"
        );
        // A page loses its text, another server is killed: both out, none of them is used.
        nat.real(0).sh("echo gone > /srv/www/.testpage");
        kill(nat.real(1));
        expect(&nat, [0, 0, 1, 1], false);
        let shared = nat.asked(4);
        assert!(shared.keys().eq(["rs2", "rs3"]), "{shared:?}");
        at(&agent, 20).expect_code(0);
        // All dead: the fallback answers, and its command has been called.
        kill(nat.real(2));
        nat.real(3).sh("rm /srv/www/.testpage");
        expect(&nat, [0; 4], true);
        assert_eq!(page(nat.client(), &[&format!("http://{VIP}/")]), "sorry");
        at(&agent, 20).expect_code(0);
        let called = || lvs.sh("tail -n 1 /srv/called");
        assert_eq!(called(), format!("start {VIP}:80 tcp\n"));
        // Back: in.
        again(nat.real(2));
        nat.real(0).sh("echo 'this is a test page' > /srv/www/.testpage");
        expect(&nat, [1, 0, 1, 0], false);
        assert_eq!(called(), format!("stop {VIP}:80 tcp\n"));
        let shared = nat.asked(4);
        assert!(
            shared.keys().eq(["rs0", "rs2"]) && shared.values().all(|count| *count == 2),
            "{shared:?}"
        );
        agent.stop().expect_code(0).expect_silent();
        expect_table(lvs, &[]);
        expect_gone(lvs);
    });
}

#[test]
fn a_service_without_a_server_is_told_by_level_20() {
    with_ipvs(|| {
        let nat = Nat::new(1);
        nat.configure("quiescent=yes", CHECK);
        let agent = director(nat.director());
        agent.start().expect_code(0);
        let service = format!("TCP {VIP}:80 rr");
        expect_table(nat.director(), &[&service, "-> 10.240.0.20:80 Masq 1"]);
        kill(nat.real(0));
        expect_table(nat.director(), &[&service, "-> 10.240.0.20:80 Masq 0"]);
        let named = format!("tcp {VIP}:80 has a real server of weight 0 only");
        at(&agent, 0).expect_code(0).expect_silent();
        at(&agent, 10).expect_code(0).expect_silent();
        at(&agent, 20).expect_code(190).expect_reason(&[&named]);
        // Only in its first half minute that is no reason to begin again.
        let failed = wait_until(PATIENCE, || {
            let told = at(&agent.clone().param("on_low", "fail"), 20);
            told.expect_reason(&[&named]).expect_code_in(&[1, 190]);
            (told.code == 1).then_some(())
        });
        assert!(failed.is_some());
        again(nat.real(0));
        expect_table(nat.director(), &[&service, "-> 10.240.0.20:80 Masq 1"]);
        at(&agent, 20).expect_code(0);
        // The daemon does not put back a service that was removed; only a restart does.
        nat.director().sh(&format!("ipvsadm -D -t {VIP}:80"));
        at(&agent, 20)
            .expect_code(1)
            .expect_reason(&["no virtual service", &format!("tcp {VIP}:80")]);
        agent.stop().expect_code(0);
        agent.start().expect_code(0);
        let all = [service.as_str(), "-> 10.240.0.20:80 Masq 1"];
        expect_table(nat.director(), &all);
        at(&agent, 20).expect_code_in(&[0, 190]);
        agent.stop().expect_code(0);
        expect_gone(nat.director());
    });
}
