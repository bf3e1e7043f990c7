//! Whose processes are this instance's: those of other users, containers, `program` sections, and
//! of a former name.

use std::time::Duration;

use harness::Host;
use harness::enter::CAP_SYS_PTRACE;
use harness::impostor::{self, NOBODY, World};
use harness::process::wait_until;

use crate::{
    PLAIN, answers, balancer, configure, eventually, expect_gone, machine, master, processes,
    workers, write,
};

/// A machine with a configuration whose workers are another user's.
fn with_users() -> Option<(Host, String)> {
    harness::root::users_for_workers()?;
    let host = machine()?;
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!(
        "sed -i 's/^global/global\\n  user nobody\\n  group nogroup\\n  chroot \\/srv/' {path}"
    ));
    Some((host, path))
}

/// With such a process monitor and start were 0 with no port open, and its socket was in the
/// record.
#[test]
fn id_1_a_process_of_another_user_is_no_instance_and_nothing_is_taken_from_it() {
    let Some((host, path)) = with_users() else { return };
    let words =
        ["/usr/sbin/haproxy", "-W", "-S", "/tmp/other.sock", "-p", "/tmp/other.pid", "-f", &path];
    let mut others = impostor::spawn(&host, NOBODY, &words);
    for mode in ["master-worker", "daemon"] {
        let agent = balancer(&host, &path).param("mode", mode);
        agent.probe().expect_code(7);
        agent.monitor().expect_code(7);
        agent.stop().expect_code(0);
        agent.start().expect_code(0);
        assert!(answers(&host, 8081), "the real one serves");
        agent.monitor().expect_code(0);
        agent.start().expect_code(0);
        let record = host.sh("cat /run/resource-agents/*.record");
        assert!(!record.contains("other"), "{record}");
        agent.stop().expect_code(0);
        assert_eq!(processes(&host).len(), 1);
    }
    assert!(others.is_alive());
}

#[test]
fn id_3_processes_that_keep_appearing_are_passed_over_or_named() {
    let Some((host, path)) = with_users() else { return };
    let agent = balancer(&host, &path).timeout(Duration::from_secs(8));
    let words = ["/usr/sbin/haproxy", "-W", "-p", "/tmp/other.pid", "-f", &path];
    let (often, always) = (Duration::from_millis(50), Duration::from_millis(5));
    let rain = impostor::rain(&host, NOBODY, &words, often, Some(Duration::from_millis(500)));
    agent.start().expect_code(0);
    agent.stop().expect_code(0).expect_within(Duration::from_secs(5));
    drop(rain);
    let rain = impostor::rain(&host, 0, &words, always, None);
    eventually("they appear", || processes(&host).len() > 2);
    // Each of them may be ended before the next one begins: that is a stop.
    let stop = agent.stop();
    stop.expect_within(Duration::from_secs(8));
    if stop.code != 0 {
        stop.expect_code(1).expect_reason(&["keep appearing", "started by"]);
    }
    drop(rain);
    host.sh("pkill -KILL -x haproxy || true");
}

#[test]
fn id_4_the_server_of_a_container_is_left_alone() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "haproxy", &PLAIN.replace("8081", "8099"));
    for world in [World::Container, World::HostNumbers, World::Chroot] {
        let agent = balancer(&host, &path).without("configfile");
        let mut container = world.spawn(&host, &["/usr/sbin/haproxy", "-W", "-db", "-f", &path]);
        eventually("the container serves", || processes(&host).len() == 2);
        agent.probe().expect_code(7);
        agent.monitor().expect_code(7);
        agent.stop().expect_code(0);
        if world == World::Container {
            agent.start().expect_code(0);
            agent.stop().expect_code(0);
        }
        assert_eq!(processes(&host).len(), 2, "{world:?}");
        assert!(container.is_alive());
        drop(container);
        host.sh("pkill -KILL -x haproxy || true");
        eventually("nothing is left", || processes(&host).is_empty());
    }
}

#[test]
fn id_4_the_server_of_a_unit_with_a_private_tmp_is_ours() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let _unit = World::PrivateTmp
        .spawn(&host, &["/usr/sbin/haproxy", "-D", "-W", "-S", "/run/m.sock", "-f", &path]);
    let agent = balancer(&host, &path);
    // The worker serves before its master has opened its socket anew.
    eventually("the unit serves, and is ours", || agent.probe().code == 0);
    assert!(answers(&host, 8081));
    agent.start().expect_code(0);
    agent.stop().expect_code(0);
    assert_eq!(processes(&host), [""; 0]);
}

#[test]
fn id_5_what_cannot_be_looked_at_is_no_stopped_server() {
    let Some((host, path)) = with_users() else { return };
    let agent = balancer(&host, &path).without_capability(CAP_SYS_PTRACE);
    for has_note in [true, false] {
        agent.start().expect_code(0);
        agent.monitor().expect_code(0);
        let number = master(&host);
        // A worker that runs notices the death of its master, and ends.
        let worker = workers(&host, &number).remove(0);
        host.sh(&format!(
            "kill -STOP {worker}; until grep -q '^State:.T' /proc/{worker}/status; do \
                          sleep 0.01; done"
        ));
        host.crash(&number);
        eventually("the master is gone", || processes(&host).len() == 1);
        if has_note {
            agent.monitor().expect_code(1).expect_reason(&["workers"]);
            agent.stop().expect_code(0);
        } else {
            host.sh("rm /run/resource-agents/haproxy-lb.master");
            for outcome in [agent.monitor(), agent.stop()] {
                outcome.expect_code(1).expect_reason(&["(haproxy)", "CAP_SYS_PTRACE"]);
            }
            assert_eq!(processes(&host).len(), 1, "what is not known is left alone");
            balancer(&host, &path).stop().expect_code(0);
        }
        expect_gone(&host);
    }
}

#[test]
fn id_6_arguments_without_end_are_not_read() {
    let Some((host, path)) = with_users() else { return };
    let agent =
        balancer(&host, &path).under(&["/bin/sh", "-c", "ulimit -v 300000; exec \"$@\"", "sh"]);
    let _others = impostor::spawn(&host, NOBODY, &["ARGUMENTS=1", "/usr/sbin/haproxy"]);
    let _roots = impostor::spawn(&host, 0, &["ARGUMENTS=1", "/usr/sbin/haproxy"]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    // What begins like this instance's, as root's, and does not end.
    let long = "x".repeat(100_000);
    let _doubtful =
        impostor::spawn(&host, 0, &["/usr/sbin/haproxy", "-f", &path, "-L", &long, "-L", &long]);
    for outcome in [agent.probe(), agent.stop()] {
        outcome.expect_code(1).expect_reason(&["over 128 KiB"]);
    }
}

#[test]
fn id_7_an_update_of_the_program_changes_nothing() {
    let Some((host, path)) = with_users() else { return };
    host.sh("mkdir /media/bin; cp /usr/sbin/haproxy /media/bin/haproxy");
    let agent = balancer(&host, &path).param("binary", "/media/bin/haproxy");
    for mode in ["master-worker", "daemon"] {
        let agent = agent.clone().param("mode", mode);
        agent.start().expect_code(0);
        host.sh("cp /usr/sbin/haproxy /media/bin/new; mv /media/bin/new /media/bin/haproxy");
        agent.monitor().expect_code(0);
        let number = master(&host);
        agent.start().expect_code(0);
        assert_eq!(master(&host), number, "a start finds it, too");
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

/// A `program` that never ends.
const PROGRAM: &str = "program sleeper\n  command /bin/sleep 600\n";

/// The first connection came to a socket that the master had left and the program kept: a start
/// took 10 s.
#[test]
fn wt_6_a_program_does_not_delay_a_start_and_a_stop_ends_it() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = balancer(&host, &path);
    let plain = agent.start().expect_code(0).elapsed;
    agent.stop().expect_code(0);
    configure(&host, "a", &format!("{PLAIN}{PROGRAM}"));
    host.sh(&format!("sed -i 's/^global/global\\n  master-worker/' {path}"));
    for _ in 0..3 {
        agent.start().expect_code(0).expect_within(plain + Duration::from_secs(3));
        assert_eq!(sleepers(&host).len(), 1);
        agent.monitor().expect_code(0);
        agent.stop().expect_code(0);
        expect_gone(&host);
        assert_eq!(sleepers(&host), [""; 0], "the program is ended, too");
    }
}

fn sleepers(host: &Host) -> Vec<String> {
    host.run("pgrep", &["-x", "sleep", "-a"]).stdout.lines().map(str::to_owned).collect()
}

/// The session shows whose the program is: stop was 0, and it stayed.
#[test]
fn ha_f4_the_program_of_a_dead_master_is_ended() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", &format!("{PLAIN}{PROGRAM}"));
    host.sh(&format!("sed -i 's/^global/global\\n  master-worker/' {path}"));
    let agent = balancer(&host, &path);
    let mut bystander = host.spawn("sleep", &["601"]);
    agent.start().expect_code(0);
    // The worker does not notice: the program has the master's end of their connection, too.
    let number = master(&host);
    let worker = workers(&host, &number).remove(0);
    host.crash(&number);
    host.crash(&worker);
    assert_eq!(sleepers(&host).len(), 2);
    agent.monitor().expect_code(1).expect_reason(&["master process has died"]);
    agent.stop().expect_code(0);
    agent.monitor().expect_code(7);
    expect_gone(&host);
    assert_eq!(sleepers(&host).len(), 1);
    assert!(bystander.is_alive());
}

/// A haproxy ends while nothing watches it, and the number of its session goes to a daemon that
/// begins one, forks, and leaves: a monitor was 1, and stop killed the daemon.
#[test]
fn the_number_of_a_session_that_has_ended_may_be_anybodys() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let end = || {
        let number = master(&host);
        host.sh(&format!("kill -TERM {number}"));
        eventually("it has ended", || processes(&host).is_empty());
        number
    };
    let daemon = |number: &str| {
        let fork = format!(
            "import ctypes, os\nnumber = {number}\nopen('/proc/sys/kernel/ns_last_pid', \
             'w').write(str(number - 1))\nif (child := os.fork()) == 0:\n  os.setsid()\n  if \
             os.fork() == 0: os.execv('/bin/sleep', ['sleep', '602'])\n  os._exit(0)\nassert child \
             == number\nos.waitpid(child, 0)\n"
        );
        write(&host, "/srv/fork.py", &fork);
        host.sh("python3 /srv/fork.py");
        host.sh("pgrep -x sleep").trim().to_owned()
    };
    for is_watched in [false, true] {
        agent.start().expect_code(0);
        let number = end();
        if is_watched {
            agent.monitor().expect_code(7);
            let left = host.sh("ls /run/resource-agents");
            assert!(!left.contains(".master"), "no note outlives what it is about: {left}");
        }
        let sleeper = daemon(&number);
        agent.monitor().expect_code(7);
        agent.stop().expect_code(0);
        expect_gone(&host);
        assert_eq!(host.sh("pgrep -x sleep").trim(), sleeper, "it is left alone");
        host.crash(&sleeper);
    }
}

/// The resource is renamed while nothing watches it: the probe was 7, and a start made a second
/// master.
#[test]
fn ha_f3_a_haproxy_that_was_started_under_another_name_is_adopted() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let former = balancer(&host, &path);
    let agent = balancer(&host, &path).instance("renamed");
    for starts in [true, false] {
        former.start().expect_code(0);
        let number = master(&host);
        agent.probe().expect_code(0);
        if starts {
            agent.start().expect_code(0);
        }
        assert_eq!(workers(&host, &number).len(), 1);
        assert_eq!(processes(&host).len(), 2, "never two masters");
        agent.monitor().expect_code(0);
        crate::at(&agent, 20).expect_code(0);
        agent.stop().expect_code(0);
        agent.probe().expect_code(7);
        former.probe().expect_code(7);
        expect_gone(&host);
    }
    // Another configuration is another instance.
    former.start().expect_code(0);
    write(&host, "/etc/haproxy/b.cfg", &host.sh(&format!("sed s/8081/8082/ {path}")));
    let other = balancer(&host, "/etc/haproxy/b.cfg").instance("other");
    other.probe().expect_code(7);
    other.start().expect_code(0);
    other.stop().expect_code(0);
    former.monitor().expect_code(0);
    former.stop().expect_code(0);
    let gone = wait_until(Duration::from_secs(2), || processes(&host).is_empty().then_some(()));
    assert!(gone.is_some());
}

/// Parameters that were changed while the cluster did not look: a probe said that nothing runs, and
/// the haproxy of the earlier ones stayed after a start and a stop.
#[test]
fn a_haproxy_that_was_started_with_other_parameters_does_not_stay() {
    let Some(host) = machine() else { return };
    let former = configure(&host, "a", PLAIN);
    let now = configure(&host, "b", &PLAIN.replace("8081", "8082"));
    balancer(&host, &former).param("pidfile", "/run/a.pid").start().expect_code(0);
    let changed = balancer(&host, &now);
    changed.probe().expect_code(1).expect_reason(&["earlier parameters", "stop the resource"]);
    changed.start().expect_code(0);
    assert!(!answers(&host, 8081) && answers(&host, 8082));
    changed.probe().expect_code(0);
    changed.stop().expect_code(0);
    expect_gone(&host);
}
