//! A haproxy that is frozen, half dead, or not the one that answers.

use std::time::Duration;

use crate::{
    PLAIN, answers, at, balancer, configure, eventually, expect_gone, machine, master, processes,
    workers, write,
};

#[test]
fn a_frozen_master_or_worker_is_noticed_and_ended() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let soon = |level| at(&agent.clone().timeout(Duration::from_secs(2)), level);
    for what in ["master", "worker", "both"] {
        agent.start().expect_code(0);
        let number = master(&host);
        let worker = workers(&host, &number).remove(0);
        let victims = match what {
            "master" => number,
            "worker" => worker,
            _ => format!("{number} {worker}"),
        };
        host.sh(&format!("kill -STOP {victims}"));
        soon(0)
            .expect_code(1)
            .expect_reason(&["does not answer"])
            .expect_within(Duration::from_secs(2));
        soon(10).expect_code(1);
        agent.stop().expect_code(0).expect_within(Duration::from_secs(6));
        expect_gone(&host);
    }
    let agent = agent.param("mode", "daemon");
    agent.start().expect_code(0);
    host.sh(&format!("kill -STOP {}", master(&host)));
    at(&agent.clone().timeout(Duration::from_secs(2)), 0)
        .expect_code(1)
        .expect_reason(&["does not answer"]);
    agent.clone().timeout(Duration::from_secs(6)).start().expect_code(0);
    assert!(answers(&host, 8081), "a start replaces what does not serve");
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn a_worker_that_outlives_its_master_is_found_and_ended() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    for stop_first in [true, false] {
        agent.start().expect_code(0);
        let number = master(&host);
        // One that runs notices the death of its master, and ends.
        host.sh(&format!("kill -STOP {}; kill -9 {number}", workers(&host, &number)[0]));
        eventually("the master is gone", || processes(&host).len() == 1);
        agent.monitor().expect_code(1).expect_reason(&["left 1 workers"]);
        if stop_first {
            agent.stop().expect_code(0);
            expect_gone(&host);
        }
        agent.start().expect_code(0);
        assert!(answers(&host, 8081));
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// Listens on the path and serves each caller in one of these ways.
const IMPOSTOR: &str = r"import os, socket, sys, time
path, way = sys.argv[1:]
try: os.unlink(path)
except OSError: pass
s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(9)
while True:
    c, _ = s.accept()
    try:
        if way != 'endless': c.recv(1024)
        if way == 'garbage': c.sendall(b'\xff\x00 220 hello\r\n' * 3)
        if way == 'table':
            c.sendall(b'#<PID> <type> <reloads>\n4711 master 0 [failed: 0]\n# workers\n')
            c.sendall(b'4712 worker 0\n\nName: HAProxy\nPid: 4712\n\n')
        if way == 'endless':
            while True: c.sendall(b'x' * 65536)
        if way == 'slow':
            while True: c.sendall(b'#'); time.sleep(0.1)
        if way == 'silent': time.sleep(60)
    except OSError: pass
    c.close()
";

#[test]
fn what_is_not_haproxys_answer_is_not_believed() {
    let Some(host) = machine() else { return };
    let socket = "/run/resource-agents/haproxy-lb.sock";
    write(&host, "/srv/impostor.py", IMPOSTOR);
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let soon = |level| at(&agent.clone().timeout(Duration::from_secs(2)), level);
    agent.start().expect_code(0);
    host.sh(&format!("mv {socket} /run/real.sock"));
    for (way, reason) in [
        ("garbage", "no answer of haproxy"),
        ("table", "another haproxy, process 4711"),
        ("endless", "does not answer"),
        ("slow", "half an answer"),
        ("silent", "no answer from"),
        ("closed", "no answer of haproxy"),
    ] {
        host.sh(&format!("rm -f {socket}"));
        let _impostor = host.spawn("python3", &["/srv/impostor.py", socket, way]);
        eventually("the impostor listens", || {
            host.run("ss", &["-Hxl"]).stdout.contains(&format!("{socket} "))
        });
        for level in [0, 20] {
            soon(level)
                .expect_code(1)
                .expect_reason(&[reason])
                .expect_within(Duration::from_secs(2));
        }
    }
    host.sh(&format!("rm {socket}"));
    agent.monitor().expect_code(1).expect_reason(&["does not answer", "No such file"]);
    host.sh(&format!("mv /run/real.sock {socket}"));
    agent.monitor().expect_code(0);
    host.sh(&format!("rm {socket}; echo text > {socket}"));
    agent.monitor().expect_code(1).expect_reason(&["connection refused"]);
    // A start takes what does not answer for broken, and makes it anew.
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn an_ordinary_user_is_told_that_he_may_not_ask() {
    let Some(host) = machine() else { return };
    if !harness::root::has_other_users() {
        return harness::skip::skip("without root there is one user only");
    }
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.clone().as_nobody().monitor().expect_code(7);
    agent.start().expect_code(0);
    agent.clone().as_nobody().monitor().expect_code(4).expect_reason(&["only root may ask"]);
    agent.clone().as_nobody().stop().expect_code(4);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}
