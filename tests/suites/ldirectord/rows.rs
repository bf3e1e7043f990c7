//! Checks of real servers, as the daemon does them: what its users have met.

use std::time::{Duration, Instant};

use harness::process::wait_until;

use crate::rig::{CHECK, Nat, VIP, kill, page};
use crate::{
    CONF, PATIENCE, at, director, expect_gone, expect_table, log, processes, table, with_ipvs,
    write,
};

/// LD-02: the shell agent signalled, looked at once, and failed the stop. LD-08: one check that
/// hangs ended the daemon, or kept the others from being switched (RA:f0eb273d7, 7420b2ea1).
#[test]
fn ld_02_ld_08_a_server_that_never_answers_holds_up_nothing_for_ever() {
    with_ipvs(|| {
        let nat = Nat::new(2);
        let lvs = nat.director();
        // It takes connections and says nothing.
        kill(nat.real(1));
        let _hole = nat.real(1).spawn(
            "python3",
            &[
                "-c",
                "import socket,time\ns=socket.create_server(('0.0.0.0',80),backlog=200)\n\
                     time.sleep(3600)",
            ],
        );
        nat.configure("quiescent=yes\nnegotiatetimeout=5", CHECK);
        let agent = director(lvs);
        agent.start().expect_code(0);
        let service = format!("TCP {VIP}:80 rr");
        expect_table(lvs, &[&service, "-> 10.240.0.21:80 Masq 0", "-> 10.240.0.20:80 Masq 1"]);
        kill(nat.real(0));
        expect_table(lvs, &[&service, "-> 10.240.0.21:80 Masq 0", "-> 10.240.0.20:80 Masq 0"]);
        at(&agent, 10).expect_code(0);
        // It hears a signal only when the check is over: the stop waits for that, and then nothing
        // is left.
        agent.stop().expect_code(0).expect_silent();
        expect_gone(lvs);
        expect_table(lvs, &[]);
        assert!(log(lvs).contains("terminated on signal"), "it ended by itself: {}", log(lvs));
    });
}

/// LD-05: a verification of names took out all HTTPS servers (RA#361, #333; RA:68fad3832). LD-06:
/// IPv4 and IPv6 in one configuration broke each other (RA#379, #470, #796; RA:b298b4f94). LD-11: a
/// dead server got requests until the first check (RA:b2612d380), quiescent ones came back (RA#125;
/// RA:0bf8af17a), names of services as ports (RA:774434c7b).
#[test]
fn ld_05_ld_06_ld_11_each_server_is_checked_as_it_is() {
    with_ipvs(|| {
        let nat = Nat::new(2);
        let lvs = nat.director();
        nat.real(0).sh(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=somebody.else -keyout \
             /srv/key -out /srv/cert 2>/dev/null
             sed -i 's#server {#server { listen 443 ssl; ssl_certificate /srv/cert; \
             ssl_certificate_key /srv/key;#' /srv/nginx.conf
             nginx -c /srv/nginx.conf -s reload",
        );
        kill(nat.real(1));
        write(
            lvs,
            CONF,
            &format!(
                "checktimeout=20\ncheckinterval=1\nquiescent=yes\n\
                 virtual={VIP}:https\n\treal=10.240.0.20:https masq\n\tservice=https\n\
                 \trequest=\".testpage\"\n\treceive=\"test page\"\n\tscheduler=rr\n\
                 virtual={VIP}:http\n\treal=10.240.0.20:http masq\n\treal=10.240.0.21:http masq\n\
                 \tscheduler=rr\n\
                 virtual6=[2001:db8:9::50]:80\n\treal6=[2001:db8:240::20]:80 masq\n\
                 \treal6=[2001:db8:240::21]:80 masq\n\tscheduler=rr\n\tchecktype=connect\n"
            ),
        );
        // Perl's libraries have learnt to verify certificates by default; the name is still of no
        // host.
        let cert = nat.real(0).sh("cat /srv/cert");
        write(lvs, "/srv/ca", &cert);
        let agent = director(lvs).param("ca", "/srv/ca");
        agent.start().expect_code(0);
        for living in [
            "-> 10.240.0.20:443 Masq 1",
            "-> 10.240.0.20:80 Masq 1",
            "-> [2001:db8:240::20]:80 Masq 1",
        ] {
            let there =
                wait_until(PATIENCE, || table(lvs).iter().any(|line| line == living).then_some(()));
            assert!(there.is_some(), "{living}: {:?}\n{}", table(lvs), log(lvs));
        }
        at(&agent, 20).expect_code(0);
        // From the first second: the dead ones were out before anybody had been checked.
        let said = log(lvs);
        let when = |what: &str| said.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
        let checked = when("Resetting soft failure count");
        for dead in ["10.240.0.21:80", "[2001:db8:240::21]:80"] {
            assert!(when(&format!("Quiescent real server: {dead}")) < checked, "{dead}: {said}");
            assert!(!said.contains(&format!("Restored real server: {dead}")), "{dead}: {said}");
        }
        for url in
            [&format!("https://{VIP}/"), &format!("http://{VIP}/"), "http://[2001:db8:9::50]/"]
        {
            assert_eq!(page(nat.client(), &[url]), "rs0", "{url}");
        }
        // Rounds later it is the same: nothing has put them back.
        let settled = table(lvs);
        let rounds = || log(lvs).lines().count();
        let before = rounds();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!((table(lvs), rounds()), (settled, before), "{}", log(lvs));
        agent.stop().expect_code(0);
        expect_table(lvs, &[]);
        expect_gone(lvs);
    });
}

/// LD-09: checks that were killed for their time-out multiplied, by a signal handler that
/// interrupted itself (RA:a88a9af21).
#[test]
#[ignore = "many rounds of checks take minutes in a kernel of its own"]
fn ld_09_round_after_round_there_are_as_many_processes() {
    with_ipvs(|| {
        let host = crate::machine("lvs01");
        host.sh("printf '#!/bin/sh\\necho >> /srv/rounds\\nexec sleep 30\\n' > /srv/check; chmod \
                 755 /srv/check");
        let conf = "checktimeout=1\ncheckinterval=1\nquiescent=yes\nvirtual=10.9.0.50:80\n\
                    \treal=10.240.0.20:80 masq\n\
                    \treal=10.240.0.21:80 masq\n\tchecktype=external\n\
                    \tcheckcommand=\"/srv/check\"\n\tscheduler=rr\n";
        write(&host, CONF, conf);
        let agent = director(&host);
        agent.start().expect_code(0);
        let rounds =
            || host.sh("cat /srv/rounds 2>/dev/null | wc -l").trim().parse::<usize>().unwrap_or(0);
        let began = Instant::now();
        let mut most = 0;
        while rounds() < 16 && began.elapsed() < PATIENCE {
            most = most
                .max(host.sh("ls -d /proc/[0-9]* | wc -l").trim().parse::<usize>().unwrap_or(0));
        }
        assert!(rounds() >= 16, "{} rounds\n{}", rounds(), log(&host));
        // The machine's first process, the daemon, its check, those that are being reaped, and
        // those that count.
        assert!(most <= 12, "{most} processes");
        assert_eq!(
            processes(&host).iter().filter(|line| line.contains("start")).count(),
            1,
            "{:?}",
            processes(&host)
        );
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_gone(&host);
    });
}
