//! Whose processes are this instance's: those of other users, containers and units.

use std::time::Duration;

use harness::enter::CAP_SYS_PTRACE;
use harness::impostor::{self, NOBODY, World};
use harness::process::wait_until;

use crate::site::{ROOT, Site};

/// The number of processes whose program is apache2. Zombies run no program any more.
fn count(site: &Site) -> usize {
    let states = site.host.run("ps", &["-C", "apache2", "-o", "stat="]).stdout;
    states.lines().filter(|state| !state.starts_with('Z')).count()
}

#[test]
fn id_2_a_process_of_another_user_is_no_instance() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    let config = format!("{ROOT}/a.conf");
    let mut others = impostor::spawn(&site.host, NOBODY, &["/usr/sbin/apache2", "-f", &config]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    site.host.sh(&format!("echo {} >{ROOT}/a.conf.pid", others.pid_inside()));
    agent.probe().expect_code(7);
    agent.start().expect_code(0);
    assert!(site.get("127.0.0.1:8081", "/").is_some(), "the real one serves");
    agent.stop().expect_code(0);
    assert_eq!(count(&site), 1);
    assert!(others.is_alive());
}

#[test]
fn id_3_processes_that_keep_appearing_are_passed_over_or_named() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().timeout(Duration::from_secs(8));
    let config = format!("{ROOT}/a.conf");
    let words = ["/usr/sbin/apache2", "-f", &config];
    let (often, always) = (Duration::from_millis(50), Duration::from_millis(5));
    let rain = impostor::rain(&site.host, NOBODY, &words, often, Some(Duration::from_millis(500)));
    agent.start().expect_code(0);
    agent.stop().expect_code(0).expect_within(Duration::from_secs(5));
    drop(rain);
    let rain = impostor::rain(&site.host, 0, &words, always, None);
    assert!(wait_until(Duration::from_secs(5), || (count(&site) > 2).then_some(())).is_some());
    let stop = agent.stop();
    stop.expect_within(Duration::from_secs(8));
    if stop.code != 0 {
        stop.expect_code(1).expect_reason(&["keep appearing", "started by"]);
    }
    drop(rain);
    site.host.sh("pkill -KILL -x apache2 || true");
}

#[test]
fn id_4_the_server_of_a_container_is_left_alone() {
    let Some(site) = Site::new() else { return };
    let config = format!("{ROOT}/a.conf");
    for world in [World::Container, World::HostNumbers, World::Chroot] {
        let agent = site.usual();
        let mut container =
            world.spawn(&site.host, &["/usr/sbin/apache2", "-f", &config, "-DFOREGROUND"]);
        let up = wait_until(Duration::from_secs(10), || (count(&site) == 2).then_some(()));
        assert!(up.is_some(), "{world:?}: {}", site.host.run("ps", &["axf"]).stdout);
        agent.probe().expect_code(7);
        agent.stop().expect_code(0);
        if world == World::Container {
            agent.start().expect_code(0);
            agent.stop().expect_code(0);
        }
        assert_eq!(count(&site), 2, "{world:?}");
        assert!(container.is_alive());
        drop(container);
        site.host.sh("pkill -KILL -x apache2 || true");
        assert!(wait_until(Duration::from_secs(5), || (count(&site) == 0).then_some(())).is_some());
    }
}

#[test]
fn id_4_the_server_of_a_unit_with_a_private_tmp_is_ours() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    let _unit = World::PrivateTmp
        .spawn(&site.host, &["/usr/sbin/apache2", "-f", &format!("{ROOT}/a.conf")]);
    let up = wait_until(Duration::from_secs(10), || site.get("127.0.0.1:8081", "/"));
    assert!(up.is_some(), "it serves");
    agent.probe().expect_code(0);
    agent.start().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn id_5_what_cannot_be_looked_at_is_no_stopped_server() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().without_capability(CAP_SYS_PTRACE);
    for has_note in [true, false] {
        agent.start().expect_code(0);
        agent.monitor().expect_code(0);
        site.kill_master("a.conf");
        if has_note {
            agent.monitor().expect_code(1).expect_reason(&["has died"]);
            agent.stop().expect_code(0);
        } else {
            site.host.sh("rm /run/resource-agents/apache-web.master");
            for outcome in [agent.monitor(), agent.stop()] {
                outcome.expect_code(1).expect_reason(&["(apache2)", "CAP_SYS_PTRACE"]);
            }
            assert!(count(&site) > 0, "what is not known is left alone");
            site.usual().stop().expect_code(0);
        }
        site.expect_nothing("a.conf");
    }
}

#[test]
fn id_6_arguments_without_end_are_not_read() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().under(&["/bin/sh", "-c", "ulimit -v 300000; exec \"$@\"", "sh"]);
    let _others = impostor::spawn(&site.host, NOBODY, &["ARGUMENTS=1", "/usr/sbin/apache2"]);
    let _roots = impostor::spawn(&site.host, 0, &["ARGUMENTS=1", "/usr/sbin/apache2"]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
}

#[test]
fn id_7_an_update_of_the_program_changes_nothing() {
    let Some(site) = Site::new() else { return };
    site.host.sh(&format!("mkdir {ROOT}/bin; cp /usr/sbin/apache2 {ROOT}/bin/apache2"));
    let agent = site.usual().param("httpd", &format!("{ROOT}/bin/apache2"));
    agent.start().expect_code(0);
    let number = site.master("a.conf");
    site.host
        .sh(&format!("cp /usr/sbin/apache2 {ROOT}/bin/new; mv {ROOT}/bin/new {ROOT}/bin/apache2"));
    agent.monitor().expect_code(0);
    agent.start().expect_code(0);
    assert_eq!(site.master("a.conf"), number);
    site.kill_master("a.conf");
    agent.monitor().expect_code(1);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// A typo in `configfile` made the distribution's server the resource's: a probe was 0, and stop
/// ended it.
#[test]
fn a_faulty_configfile_does_not_mean_the_distributions_server() {
    let Some(site) = Site::new() else { return };
    site.config("usual.conf", "Listen 127.0.0.1:8099");
    site.host.sh(&format!(
        "mount --bind {ROOT}/usual.conf /etc/apache2/apache2.conf; /usr/sbin/apache2 -k start"
    ));
    let good = site.usual();
    let faulty = good.clone().param("configfile", &format!("{ROOT}/a.conf")[1..]);
    faulty.probe().expect_code(7).expect_reason(&["configfile"]);
    faulty.stop().expect_code(0);
    assert!(site.get("127.0.0.1:8099", "/").is_some(), "it is not ours");
    // What was started is found by its record.
    good.start().expect_code(0);
    faulty.probe().expect_code(0);
    faulty.stop().expect_code(0);
    site.expect_nothing("a.conf");
    assert!(site.get("127.0.0.1:8099", "/").is_some());
    site.host.sh("pkill -KILL -x apache2");
}

/// A start that fails and cannot end what it has begun: the record was forgotten, and with it what
/// a stop ends.
#[test]
fn ap_f3_a_failed_start_that_leaves_processes_keeps_its_record() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().param("expect_status", "418");
    // Its workers neither answer nor end with their master, and without this right the agent cannot
    // end them.
    let helpless = agent.clone().without_capability(CAP_KILL).timeout(Duration::from_secs(8));
    std::thread::scope(|scope| {
        let started = scope.spawn(|| helpless.start());
        let stopped = || {
            site.host.run("pkill", &["-STOP", "-u", "www-data", "-x", "apache2"]).code == Some(0)
        };
        assert!(
            wait_until(Duration::from_secs(8), || stopped().then_some(())).is_some(),
            "there are workers"
        );
        started.join().expect("a start").expect_code(1).expect_reason(&["rollback"]);
    });
    assert!(count(&site) > 0, "{}", site.host.run("ps", &["axf"]).stdout);
    assert!(site.host.sh("ls /run/resource-agents").contains("apache-web.record"));
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
    // One that leaves nothing leaves no record.
    agent.start().expect_code(1);
    site.expect_nothing("a.conf");
    assert!(!site.host.sh("ls /run/resource-agents").contains("apache-web"));
}

/// Number of the capability that signals to other users' processes need.
const CAP_KILL: i32 = 5;

/// Parameters that were changed while the cluster did not look: a probe said that nothing runs, and
/// the server of the earlier ones stayed after a start and a stop.
#[test]
fn a_server_that_was_started_with_other_parameters_does_not_stay() {
    let Some(site) = Site::new() else { return };
    site.usual().start().expect_code(0);
    site.config("b.conf", "Listen 127.0.0.1:8082");
    let changed = site.agent("b.conf");
    changed.probe().expect_code(1).expect_reason(&["earlier parameters", "stop the resource"]);
    changed.start().expect_code(0);
    site.expect_nothing("a.conf");
    assert!(site.get("127.0.0.1:8082", "/").is_some());
    changed.probe().expect_code(0);
    changed.stop().expect_code(0);
    site.expect_nothing("b.conf");
}
