//! Reloads, and parameters that change under a running haproxy.

use std::time::Duration;

use crate::client::Session;
use crate::{
    PLAIN, answers, at, balancer, client, configure, eventually, expect_gone, machine, master,
    processes, workers, write,
};

#[test]
fn what_does_not_run_is_not_started_by_a_reload() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    for action in ["reload", "reload-agent"] {
        agent.action(action).expect_code(1).expect_reason(&["does not run"]);
        expect_gone(&host);
    }
}

#[test]
fn a_parameter_that_haproxy_need_not_know_reloads_nothing() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    let before = processes(&host);
    let changed =
        agent.clone().param("min_up", "2").param("on_low", "fail").param("max_old_workers", "3");
    changed.action("reload-agent").expect_code(0).expect_silent();
    assert_eq!(processes(&host), before);
    let changed = changed.param("hard_stop_after", "5");
    changed.action("reload-agent").expect_code(0);
    let after = workers(&host, &master(&host));
    assert!(
        after.iter().any(|worker| !before.iter().any(|line| line.starts_with(worker.as_str()))),
        "{after:?}"
    );
    host.sh("grep 'hard-stop-after 5s' /run/resource-agents/haproxy-lb.cfg");
    at(&changed, 10).expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn without_a_master_a_new_process_takes_over() {
    let Some(host) = machine() else { return };
    client::echo(&host, 9001);
    let body = format!(
        "{PLAIN}listen long\n  mode tcp\n  bind 127.0.0.1:8082\n  server echo 127.0.0.1:9001\n"
    );
    let path = configure(&host, "a", &body);
    let agent = balancer(&host, &path).param("mode", "daemon");
    agent.start().expect_code(0);
    let first = master(&host);
    let mut session = Session::open(&host, 8082);
    assert!(session.echo("hello"));
    agent.action("reload").expect_code(0).expect_silent();
    let second = master(&host);
    assert_ne!(first, second);
    assert!(session.echo("again"));
    assert_eq!(processes(&host).len(), 2);
    at(&agent, 10).expect_code(0).expect_silent();
    host.sh(&format!("cp {path} /tmp/good"));
    configure(&host, "a", &format!("{body}  bogus\n"));
    agent.action("reload").expect_code(1).expect_reason(&["bogus", "old configuration"]);
    configure(&host, "a", &format!("{body}  bind 192.0.2.1:80\n"));
    agent.action("reload").expect_code(1).expect_reason(&[
        "192.0.2.1:80",
        "ip_nonlocal_bind=1",
        "old configuration",
    ]);
    assert_eq!(master(&host), second);
    assert!(answers(&host, 8081));
    at(&agent, 10).expect_code(0);
    assert!(session.echo("once more"));
    agent.clone().timeout(Duration::from_secs(5)).stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn a_reload_by_hand_does_not_confuse_a_monitor() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    host.sh(&format!("kill -USR2 {}", master(&host)));
    eventually("the new worker serves", || answers(&host, 8082) && !answers(&host, 8081));
    agent.start().expect_code(0);
    for level in [0, 10, 20] {
        at(&agent, level).expect_code(0).expect_silent();
    }
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A configuration that took more than three seconds to read made the monitor fail, though
/// everything was served.
#[test]
fn a_reload_by_hand_that_takes_long_fails_no_monitor() {
    let Some(host) = machine() else { return };
    let slow = "local f = io.open('/srv/delay'); os.execute('sleep ' .. f:read('*n')); f:close()";
    write(&host, "/srv/slow.lua", slow);
    let delay = |seconds: &str| write(&host, "/srv/delay", seconds);
    delay("0");
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!("sed -i 's#^global#global\\n  lua-load /srv/slow.lua#' {path}"));
    let agent = balancer(&host, &path);
    agent.start().expect_code(0);
    let number = master(&host);
    delay("9");
    host.sh(&format!("kill -USR2 {number}"));
    eventually("it reads", || host.run("pgrep", &["-f", "sleep 9"]).code == Some(0));
    let hasty = agent.clone().timeout(Duration::from_secs(5));
    hasty.monitor().expect_code(190).expect_reason(&["reads its configuration since a reload"]);
    assert!(answers(&host, 8081));
    agent.monitor().expect_code(0).expect_silent();
    // Whatever else keeps it from answering is a failure, after a reload, too.
    host.sh("rm /run/resource-agents/haproxy-lb.sock");
    agent.monitor().expect_code(1).expect_reason(&["does not answer"]);
    delay("0");
    agent.start().expect_code(0);
    // One that is frozen does not read.
    let number = master(&host);
    delay("9");
    host.sh(&format!("kill -USR2 {number}"));
    eventually("it reads", || host.run("pgrep", &["-f", "sleep 9"]).code == Some(0));
    host.sh(&format!("kill -STOP {number}"));
    hasty.monitor().expect_code(1).expect_reason(&["does not answer"]);
    agent.stop().expect_code(0);
    host.sh("pkill -x sleep || true");
    expect_gone(&host);
}

/// A master makes its socket anew at a reload, and ends when it cannot.
#[test]
fn a_reload_is_refused_where_the_master_could_not_make_its_socket_anew() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    host.sh("mkdir -p /run/resource-agents; mount -t tmpfs -o mode=755 state /run/resource-agents");
    agent.start().expect_code(0);
    let before = processes(&host);
    configure(&host, "a", &PLAIN.replace("8081", "8082"));
    host.sh("mount -o remount,ro /run/resource-agents");
    let said = &["the master cannot make its socket", "old configuration"];
    agent.action("reload").expect_code(1).expect_reason(said);
    for (name, value) in [("config_serial", "2"), ("hard_stop_after", "7")] {
        let changed = agent.clone().param(name, value);
        changed.action("reload-agent").expect_code(0).expect_stderr(&["old configuration"]);
    }
    assert_eq!(processes(&host), before);
    assert!(answers(&host, 8081));
    host.sh("mount -o remount,rw /run/resource-agents");
    agent.action("reload").expect_code(0).expect_silent();
    assert!(answers(&host, 8082));
    host.sh("test $(ls /run/resource-agents | grep -c trial) = 0");
    // What a reload leaves that is killed in that moment.
    let bind = "import socket; socket.socket(1).bind(\"haproxy-lb.ocf-trial\")";
    host.sh(&format!("cd /run/resource-agents; python3 -c '{bind}'"));
    agent.stop().expect_code(0);
    host.sh("! test -e /run/resource-agents/haproxy-lb.ocf-trial");
    expect_gone(&host);
}
