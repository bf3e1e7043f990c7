//! haproxy that was started by other means.

use std::time::Duration;

use harness::adoption::{Adoption, leaders};

use crate::{PLAIN, answers, balancer, configure, eventually, expect_gone, machine, page};

#[test]
fn a_haproxy_that_runs_is_adopted_whoever_started_it() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let masters = || leaders(&host, "haproxy");
    let by = |command: String| {
        let host = &host;
        move || drop(host.sh(&command))
    };
    let socket = "-p /run/haproxy.pid -S /run/haproxy-master.sock";
    let hand = by(format!("haproxy -W -D -f {path} {socket}"));
    let unit = by(format!("setsid haproxy -Ws -f {path} {socket} </dev/null >/dev/null 2>&1 &"));
    let private = by(format!(
        "unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /tmp; exec haproxy -W \
         -D -f {path} {socket}'"
    ));
    let with_master = Adoption {
        agent: balancer(&host, &path),
        levels: &[0, 10, 20],
        masters: &masters,
        serves: &|| answers(&host, 8081),
        expect_gone: &|| {
            host.sh("rm -f /run/haproxy-master.sock");
            expect_gone(&host);
        },
    };
    with_master.expect_adopted(&[
        ("hand", &hand),
        ("Debian's unit", &unit),
        ("a unit with PrivateTmp=", &private),
    ]);
    // Without a master, on a socket that the configuration has.
    host.sh(&format!(
        "sed -i 's#^global#global\\n  stats socket /run/admin.sock mode 600 level admin#' {path}"
    ));
    let alone = Adoption {
        agent: balancer(&host, &path)
            .param("mode", "daemon")
            .param("stats_socket", "/run/admin.sock"),
        ..with_master
    };
    alone.expect_adopted(&[("hand", &by(format!("haproxy -D -f {path} -p /run/haproxy.pid")))]);
}

/// Nothing was on record until a start: a change was never noticed, and nothing said so.
#[test]
fn a_haproxy_that_a_probe_has_found_is_reloaded_when_its_configuration_changes() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path).param("reload_on", "change");
    host.sh(&format!("haproxy -W -D -f {path} -p /run/haproxy.pid -S /run/haproxy-master.sock"));
    eventually("it serves", || answers(&host, 8081));
    // Its master executes itself once more when its worker serves, and makes its socket anew.
    let socket = || host.sh("stat -c '%i %z' /run/haproxy-master.sock || true");
    eventually("its master is there", || {
        let before = socket();
        std::thread::sleep(Duration::from_millis(300));
        before == socket()
    });
    agent.explain().expect_code(0);
    let kept = || host.sh("mkdir -p /run/resource-agents; ls /run/resource-agents");
    assert!(!kept().contains("record"), "an explanation changes nothing");
    if harness::root::has_other_users() {
        agent.clone().as_nobody().monitor();
        assert!(!kept().contains("record"), "only root keeps records");
    }
    agent.probe().expect_code(0);
    assert!(kept().contains("haproxy-lb.record") && kept().contains("haproxy-lb.master"));
    agent.monitor().expect_code(0).expect_silent();
    host.sh(&format!("sed -i 's/string alive/string changed/' {path}"));
    agent.monitor().expect_code(0);
    assert_eq!(page(&host, &["http://127.0.0.1:8081/"]), "changed");
    agent.stop().expect_code(0);
    host.sh("rm -f /run/haproxy-master.sock");
    expect_gone(&host);
}

/// With the pid file of the system's haproxy as a parameter, its process was taken for this
/// resource's: monitors were 0 with none of its frontends there, and a stop ended it.
#[test]
fn a_haproxy_with_another_configuration_keeps_its_pid_file() {
    let Some(host) = machine() else { return };
    let system = configure(&host, "haproxy", PLAIN);
    let path = configure(&host, "b", &PLAIN.replace("8081", "8082"));
    let agent = balancer(&host, &path).param("pidfile", "/run/haproxy.pid");
    host.sh(&format!("haproxy -W -D -f {system} -p /run/haproxy.pid -S /run/m.sock"));
    eventually("it serves", || answers(&host, 8081));
    let number = host.sh("cat /run/haproxy.pid");
    agent.probe().expect_code(7);
    agent.monitor().expect_code(7);
    let whose = ["/run/haproxy.pid is the pid file of another server, process ", "set pidfile"];
    agent.start().expect_code(1).expect_reason(&whose);
    agent.explain().expect_code(1).expect_reason(&whose);
    agent.stop().expect_code(0);
    assert_eq!(host.sh("cat /run/haproxy.pid"), number);
    assert!(answers(&host, 8081), "it is left alone");
    host.sh(&format!("kill -TERM {number}"));
    eventually("it has ended", || crate::processes(&host).is_empty());
    // What is left of it names nobody.
    host.sh(&format!("echo '{}' > /run/haproxy.pid", number.trim()));
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    // What the parameters said then is on record.
    let changed = agent.clone().param("configfile", &system);
    changed.monitor().expect_code(0);
    changed.stop().expect_code(0);
    host.sh("rm -f /run/m.sock");
    expect_gone(&host);
}
