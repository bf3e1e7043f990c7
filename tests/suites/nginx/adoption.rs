//! nginx that was started by other means, and the generations of one that was reloaded or upgraded.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use harness::adoption::{Adoption, leaders};
use harness::process::wait_until;
use harness::{Agent, Host};

use crate::{PLAIN, configure, expect_gone, machine, master, page, processes, settled, web};

fn adoption<'a>(
    agent: Agent<'a>,
    masters: &'a dyn Fn() -> Vec<String>,
    serves: &'a dyn Fn() -> bool,
    expect_gone: &'a dyn Fn(),
) -> Adoption<'a> {
    Adoption { agent, levels: &[0, 10, 20, 30], masters, serves, expect_gone }
}

#[test]
fn a_server_that_runs_is_adopted_whoever_started_it() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", &PLAIN.replace("8081;", "8081 reuseport;"));
    let masters = || leaders(&host, "nginx");
    let serves = || page(&host, &["http://127.0.0.1:8081/"]).contains("alive");
    let gone = || expect_gone(&host);
    let by = |command: String| {
        let host = &host;
        move || drop(host.sh(&command))
    };
    let hand = by(format!("nginx -c {path}"));
    let relative = by("cd /; nginx -p /etc/nginx -c a.conf".to_owned());
    let foreground =
        by(format!("setsid nginx -g 'daemon off;' -c {path} </dev/null >/dev/null 2>&1 &"));
    let unit = by(format!(
        "unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /tmp; exec nginx -c \
         {path}'"
    ));
    adoption(web(&host, &path), &masters, &serves, &gone).expect_adopted(&[
        ("hand", &hand),
        ("hand with a relative name", &relative),
        ("hand in the foreground", &foreground),
        ("a unit with PrivateTmp=", &unit),
    ]);
    // The usual configuration, as Debian's unit starts it: without a name.
    configure(&host, "nginx", PLAIN);
    host.sh("sed -i 's#/run/a.pid#/run/nginx.pid#' /etc/nginx/nginx.conf");
    let unit = by("nginx -g 'daemon on; master_process on;'".to_owned());
    let usual = web(&host, &path).without("configfile");
    adoption(usual, &masters, &serves, &gone).expect_adopted(&[("Debian's unit", &unit)]);
}

/// A client that a worker has begun to answer, and that takes its time.
fn lingering(host: &Host) -> std::net::TcpStream {
    let mut slow =
        host.in_network(|| std::net::TcpStream::connect("127.0.0.1:8081")).expect("a connection");
    slow.write_all(b"GET /big HTTP/1.0\r\n\r\n").expect("a request");
    slow.read_exact(&mut [0; 8]).expect("the begin of an answer");
    slow
}

#[test]
fn a_stop_leaves_no_generation_of_a_reloaded_or_upgraded_server() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", &format!("limit_rate 1k; {PLAIN}"));
    let agent = web(&host, &path).param("stop_grace", "1s");
    host.sh("head -c 500000 /dev/zero > /srv/www/big");
    for is_upgraded in [false, true] {
        for is_crashed in [false, true] {
            agent.start().expect_code(0);
            settled(&host);
            let _slow = lingering(&host);
            let old = master(&host, "a");
            let signal = if is_upgraded { "USR2" } else { "HUP" };
            host.sh(&format!("kill -{signal} {old}"));
            let both = || {
                let all = processes(&host);
                let goes = all.iter().any(|line| line.contains("is shutting down"));
                // Two masters with two workers each, or an old worker beside two new ones.
                if is_upgraded { all.len() == 6 } else { goes && all.len() == 4 }
            };
            let there = wait_until(Duration::from_secs(10), || both().then_some(()));
            assert!(there.is_some(), "{:?}", processes(&host));
            if is_crashed {
                let all = processes(&host);
                let masters = all.iter().filter(|line| line.contains("master process"));
                masters.for_each(|line| host.crash(line.split(' ').next().unwrap_or_default()));
                agent.monitor().expect_code(1).expect_reason(&["has died"]);
            }
            agent.stop().expect_code(0);
            expect_gone(&host);
            agent.monitor().expect_code(7);
        }
    }
}
