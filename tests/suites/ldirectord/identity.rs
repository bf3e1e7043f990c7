//! Whose daemons are this instance's. What needs no kernel with IP Virtual Server.

use harness::Host;
use harness::impostor::{self, NOBODY, World};
use harness::process::wait_until;

use crate::{CONF, PATIENCE, director, has, machine, write};

/// A daemon by its arguments, which only waits.
const SLEEPING: &str = "#!/usr/bin/perl\nsleep 600;\n";

fn with_scripts() -> Option<Host> {
    if !has(&["/usr/sbin/ldirectord", "/usr/bin/perl"]) || !harness::root::has_other_users() {
        return None;
    }
    let host = machine("lvs01");
    write(
        &host,
        CONF,
        "virtual=10.9.0.50:80\n\treal=10.240.0.20:80 masq\n\tscheduler=rr\n\tchecktype=on\n",
    );
    host.sh("mkdir /tmp/x");
    write(&host, "/tmp/x/ldirectord", SLEEPING);
    host.sh("chmod 755 /tmp/x/ldirectord");
    Some(host)
}

/// The number of processes that run that script; what starts one has its words, too, for a moment.
fn count(host: &Host) -> usize {
    host.run("pgrep", &["-f", "^/usr/bin/perl /tmp/x/ldirectord"]).stdout.lines().count()
}

/// A probe was 1.
#[test]
fn id_2_a_script_of_another_user_is_no_daemon() {
    let Some(host) = with_scripts() else { return };
    let agent = director(&host);
    let id = NOBODY.to_string();
    let words = [
        "--reuid",
        &id,
        "--regid",
        &id,
        "--clear-groups",
        "/usr/bin/perl",
        "/tmp/x/ldirectord",
        CONF,
        "start",
    ];
    let mut others = host.spawn("setpriv", &words);
    assert!(wait_until(PATIENCE, || (count(&host) == 1).then_some(())).is_some());
    for pid_file in [false, true] {
        if pid_file {
            host.sh(&format!("echo {} > /run/ldirectord.ldirectord.cf.pid", others.pid_inside()));
        }
        agent.probe().expect_code(7);
        agent.stop().expect_code(0);
    }
    assert!(others.is_alive());
    // Root's is a daemon of this configuration, by whatever means it was started.
    let _roots = host.spawn("setsid", &["/usr/bin/perl", "/tmp/x/ldirectord", CONF, "start"]);
    assert!(wait_until(PATIENCE, || (count(&host) == 2).then_some(())).is_some());
    agent.probe().expect_code(1).expect_reason(&["stop ends them"]);
}

#[test]
fn id_4_the_daemon_of_a_container_is_left_alone() {
    let Some(host) = with_scripts() else { return };
    let agent = director(&host);
    host.sh("cp -r /tmp/x /srv/x");
    for world in [World::Container, World::HostNumbers] {
        let mut container =
            world.spawn(&host, &["/usr/bin/perl", "/srv/x/ldirectord", CONF, "start"]);
        let there =
            || !host.run("pgrep", &["-f", "^/usr/bin/perl /srv/x/ldirectord"]).stdout.is_empty();
        assert!(wait_until(PATIENCE, || there().then_some(())).is_some(), "{world:?}");
        agent.probe().expect_code(7);
        agent.stop().expect_code(0);
        assert!(container.is_alive(), "{world:?}");
    }
}

#[test]
fn id_6_arguments_without_end_are_not_read() {
    let Some(host) = with_scripts() else { return };
    let agent = director(&host).under(&["/bin/sh", "-c", "ulimit -v 300000; exec \"$@\"", "sh"]);
    let _others = impostor::spawn(&host, NOBODY, &["ARGUMENTS=1", "/usr/bin/perl"]);
    let _roots = impostor::spawn(&host, 0, &["ARGUMENTS=1", "/usr/bin/perl"]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
}
