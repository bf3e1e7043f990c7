//! Whose processes are this instance's: those of other users, containers and units.

use std::time::Duration;

use harness::Host;
use harness::enter::CAP_SYS_PTRACE;
use harness::impostor::{self, NOBODY, World};
use harness::process::wait_until;

use crate::{PLAIN, configure, expect_gone, machine, master, page, processes, web};

/// The number of processes whose program is nginx.
fn count(host: &Host) -> usize {
    processes(host).len()
}

/// A machine whose workers are another user's.
fn with_users() -> Option<(Host, String)> {
    harness::root::users_for_workers()?;
    let host = machine()?;
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!(
        "sed -i 's/^user root;/user nobody nogroup;/' {path}; chmod 711 /var/lib/nginx"
    ));
    Some((host, path))
}

/// With such a process monitor and start were 0, and a probe 1.
#[test]
fn id_2_a_process_of_another_user_is_no_instance() {
    let Some((host, path)) = with_users() else { return };
    let agent = web(&host, &path);
    let mut others = impostor::spawn(&host, NOBODY, &["/usr/sbin/nginx", "-c", &path]);
    agent.probe().expect_code(7);
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    assert!(page(&host, &["http://127.0.0.1:8081/"]).contains("alive"), "the real one serves");
    agent.stop().expect_code(0);
    assert_eq!(count(&host), 1);
    assert!(others.is_alive());
}

/// A pid file of root's that a process of another user has got the number of.
#[test]
fn id_2_a_stale_pid_file_does_not_make_it_one() {
    let Some((host, path)) = with_users() else { return };
    let agent = web(&host, &path);
    let mut others = impostor::spawn(&host, NOBODY, &["/usr/sbin/nginx", "-c", &path]);
    host.sh(&format!("echo {} > /run/a.pid", others.pid_inside()));
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    agent.stop().expect_code(0);
    assert!(others.is_alive());
}

/// Each look found another one: stop took 19 of 20 s with ten of them a second, and was killed with
/// one every 5 ms.
#[test]
fn id_3_processes_that_keep_appearing_are_passed_over_or_named() {
    let Some((host, path)) = with_users() else { return };
    let agent = web(&host, &path).timeout(Duration::from_secs(8));
    let words = ["/usr/sbin/nginx", "-c", path.as_str()];
    let (often, always) = (Duration::from_millis(50), Duration::from_millis(5));
    let rain = impostor::rain(&host, NOBODY, &words, often, Some(Duration::from_millis(500)));
    agent.start().expect_code(0);
    agent.stop().expect_code(0).expect_within(Duration::from_secs(5));
    drop(rain);
    // As root's, they are this instance's: a supervisor that the cluster does not know of.
    let rain = impostor::rain(&host, 0, &words, always, None);
    wait_until(Duration::from_secs(5), || (count(&host) > 2).then_some(()));
    agent.stop().expect_code(1).expect_reason(&["keep appearing", "(nginx) of root", "started by"]);
    drop(rain);
    host.sh("pkill -KILL -x nginx || true");
}

/// The server of a container was ended by start and stop.
#[test]
fn id_4_the_server_of_a_container_is_left_alone() {
    let Some(host) = machine() else { return };
    for world in [World::Container, World::HostNumbers, World::Chroot] {
        let name = "nginx";
        let path = configure(&host, name, &PLAIN.replace("8081", "8099"));
        let agent = web(&host, &path).without("configfile");
        let mut container = world.spawn(&host, &["/usr/sbin/nginx", "-g", "daemon off;"]);
        let up = wait_until(Duration::from_secs(10), || (count(&host) == 3).then_some(()));
        assert!(up.is_some(), "{world:?}: {:?}", processes(&host));
        agent.probe().expect_code(7);
        agent.monitor().expect_code(7);
        agent.stop().expect_code(0);
        assert_eq!(count(&host), 3, "{world:?}");
        // Of the shared network, the port is taken.
        if world == World::Container {
            agent.start().expect_code(0);
            agent.monitor().expect_code(0);
            agent.stop().expect_code(0);
        } else {
            agent.start().expect_code(1);
        }
        assert_eq!(count(&host), 3, "{world:?}");
        assert!(container.is_alive());
        drop(container);
        host.sh("pkill -KILL -x nginx || true");
        expect_gone(&host);
    }
}

/// A unit with `PrivateTmp=` has a mount namespace of its own; its server is this machine's.
#[test]
fn id_4_the_server_of_a_unit_with_a_private_tmp_is_ours() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    let _unit = World::PrivateTmp.spawn(&host, &["/usr/sbin/nginx", "-c", &path]);
    let up = wait_until(Duration::from_secs(10), || (count(&host) == 3).then_some(()));
    assert!(up.is_some(), "{:?}", processes(&host));
    agent.probe().expect_code(0);
    agent.start().expect_code(0);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// In a container root often lacks the right to trace. Monitor was 7 and stop 0 while the workers
/// of a dead master served.
#[test]
fn id_5_what_cannot_be_looked_at_is_no_stopped_server() {
    let Some((host, path)) = with_users() else { return };
    let agent = web(&host, &path).without_capability(CAP_SYS_PTRACE);
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    host.crash(&master(&host, "a"));
    // The note of the master proves whose its session is.
    agent.monitor().expect_code(1).expect_reason(&["workers"]);
    agent.stop().expect_code(0);
    expect_gone(&host);
    // Without the note, the number in the pid file is no proof.
    agent.start().expect_code(0);
    host.crash(&master(&host, "a"));
    host.sh("rm /run/resource-agents/nginx-web.master");
    for outcome in [agent.monitor(), agent.probe(), agent.stop()] {
        outcome.expect_code(1).expect_reason(&["(nginx)", "CAP_SYS_PTRACE"]);
    }
    assert!(count(&host) > 0, "what is not known is left alone");
    web(&host, &path).stop().expect_code(0);
    expect_gone(&host);
}

/// Two gigabytes of arguments made the agent grow to 24 GB.
#[test]
fn id_6_arguments_without_end_are_not_read() {
    let Some((host, path)) = with_users() else { return };
    let little = ["/bin/sh", "-c", "ulimit -v 300000; exec \"$@\"", "sh"];
    let agent = web(&host, &path).under(&little);
    let _others = impostor::spawn(&host, NOBODY, &["ARGUMENTS=1", "/usr/sbin/nginx"]);
    let _roots = impostor::spawn(&host, 0, &["ARGUMENTS=1", "/usr/sbin/nginx"]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
}

/// The file of the program is replaced while it runs, as by an update; then the program is, by
/// SIGUSR2.
#[test]
fn id_7_an_update_of_the_program_changes_nothing() {
    let Some((host, path)) = with_users() else { return };
    host.sh("mkdir /srv/bin; cp /usr/sbin/nginx /srv/bin/nginx");
    let agent = web(&host, &path).param("httpd", "/srv/bin/nginx");
    agent.start().expect_code(0);
    host.sh("cp /usr/sbin/nginx /srv/bin/new; mv /srv/bin/new /srv/bin/nginx");
    agent.monitor().expect_code(0);
    let old = master(&host, "a");
    host.sh(&format!("kill -USR2 {old}"));
    let upgraded = || host.sh("cat /run/a.pid || true").trim() != old && count(&host) == 6;
    assert!(
        wait_until(Duration::from_secs(10), || upgraded().then_some(())).is_some(),
        "{:?}",
        processes(&host)
    );
    agent.monitor().expect_code(0);
    host.sh(&format!("kill -QUIT {old}"));
    assert!(wait_until(Duration::from_secs(10), || (count(&host) == 3).then_some(())).is_some());
    agent.monitor().expect_code(0);
    agent.start().expect_code(0);
    // Its workers are in the session of the first one.
    host.crash(&master(&host, "a"));
    agent.monitor().expect_code(1).expect_reason(&["workers"]);
    agent.stop().expect_code(0);
    expect_gone(&host);
}

/// A typo in `configfile` made the distribution's server the resource's: a probe was 0, and stop
/// ended it.
#[test]
fn a_faulty_configfile_does_not_mean_the_usual_server() {
    let Some(host) = machine() else { return };
    configure(&host, "nginx", &PLAIN.replace("8081", "8099"));
    host.sh("/usr/sbin/nginx");
    let path = configure(&host, "a", PLAIN);
    let faulty = web(&host, path.trim_start_matches('/'));
    faulty.probe().expect_code(7).expect_reason(&["configfile"]);
    faulty.stop().expect_code(0);
    assert!(page(&host, &["http://127.0.0.1:8099/"]).contains("alive"), "it is not ours");
    // What was started is found by its record.
    web(&host, &path).start().expect_code(0);
    faulty.probe().expect_code(0);
    faulty.stop().expect_code(0);
    assert_eq!(page(&host, &["http://127.0.0.1:8081/"]), "");
    assert!(page(&host, &["http://127.0.0.1:8099/"]).contains("alive"));
    host.sh("/usr/sbin/nginx -s stop");
}

/// The server was found by a probe alone, and its program upgraded then: no note said which session
/// it has, and with the master killed, a monitor was 7 and a stop 0 while its workers served.
#[test]
fn the_workers_of_an_upgraded_master_that_no_start_has_seen_are_found() {
    let Some((host, path)) = with_users() else { return };
    let agent = web(&host, &path);
    for (is_probed, is_watched) in [(true, false), (true, true), (false, false), (false, true)] {
        host.sh(&format!("/usr/sbin/nginx -c {path}"));
        wait(|| count(&host) == 3);
        if is_probed {
            agent.probe().expect_code(0);
        }
        let old = master(&host, "a");
        host.sh(&format!("kill -USR2 {old}"));
        wait(|| host.sh("cat /run/a.pid || true").trim() != old && count(&host) == 6);
        if is_watched {
            agent.monitor().expect_code(0);
        }
        host.sh(&format!("kill -QUIT {old}"));
        wait(|| count(&host) == 3);
        if !is_probed {
            agent.monitor().expect_code(0);
        }
        host.crash(&master(&host, "a"));
        agent.monitor().expect_code(1).expect_reason(&["workers"]);
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

#[track_caller]
fn wait(mut question: impl FnMut() -> bool) {
    assert!(wait_until(Duration::from_secs(10), || question().then_some(())).is_some());
}

/// Parameters that were changed while the cluster did not look: a probe said that nothing runs, and
/// the server of the earlier ones stayed after a start and a stop.
#[test]
fn a_server_that_was_started_with_other_parameters_does_not_stay() {
    let Some(host) = machine() else { return };
    let former = configure(&host, "a", PLAIN);
    let now = configure(&host, "b", &PLAIN.replace("8081", "8082"));
    web(&host, &former).start().expect_code(0);
    let changed = web(&host, &now);
    changed.probe().expect_code(1).expect_reason(&["earlier parameters", "stop the resource"]);
    changed.start().expect_code(0);
    assert_eq!(page(&host, &["http://127.0.0.1:8081/"]), "");
    assert!(page(&host, &["http://127.0.0.1:8082/"]).contains("alive"));
    changed.probe().expect_code(0);
    changed.stop().expect_code(0);
    expect_gone(&host);
}
