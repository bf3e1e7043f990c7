//! Where distributions put what, and how configurations are divided.

use std::time::Duration;

use harness::agent;

use crate::site::{ROOT, Site};

#[test]
fn ap_01_debians_own_server_starts_with_an_empty_run() {
    let Some(site) = Site::new() else { return };
    let agent = agent(&site.host, "apache").instance("web");
    agent.start().expect_code(0).expect_silent().expect_within(Duration::from_secs(2));
    site.host.sh("test -s /run/apache2/apache2.pid && test -d /run/lock/apache2");
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    agent.probe().expect_code(7);
}

/// Debian's /var/lock is a link to /run/lock, and a container's /run has nothing in it.
#[test]
fn directories_behind_a_link_to_nothing_are_made() {
    let Some(site) = Site::new() else { return };
    site.host.sh(&format!("ln -s {ROOT}/far {ROOT}/lock"));
    site.config("a.conf", &format!("Listen 127.0.0.1:8081\nMutex file:{ROOT}/lock/deep default"));
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    site.host.sh(&format!("test -d {ROOT}/far/deep"));
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// A link that another user has put there: root made the directory that it leads to, and gave it
/// to the server's user.
#[test]
fn rt_1_a_directory_behind_another_user_s_link_is_not_made() {
    let Some(site) = Site::new() else { return };
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    site.host.sh(&format!(
        "mkdir -p -m 1777 {ROOT}/open; chmod 1777 {ROOT}/open; {nobody} ln -s {ROOT}/victim \
         {ROOT}/open/lock"
    ));
    let mutex = "Listen 127.0.0.1:8081\nMutex file:";
    site.config("a.conf", &format!("{mutex}{ROOT}/open/lock default"));
    let agent = site.agent("a.conf");
    agent.start().expect_code(1).expect_reason(&[&format!("{ROOT}/open/lock"), "link"]);
    site.host.sh(&format!("test ! -e {ROOT}/victim"));
    // Nor is a directory of that user given away, or used.
    site.host.sh(&format!("{nobody} mkdir -m 777 {ROOT}/open/theirs"));
    site.config("a.conf", &format!("{mutex}{ROOT}/open/theirs default"));
    let before = site.host.sh(&format!("stat -c %u:%g:%a {ROOT}/open/theirs"));
    agent.start();
    assert_eq!(site.host.sh(&format!("stat -c %u:%g:%a {ROOT}/open/theirs")), before);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// RA#1365 and others.
#[test]
fn ap_08_a_pid_file_deep_in_the_configuration_is_followed() {
    let Some(site) = Site::new() else { return };
    site.bare("a.conf", "include \"conf.d/*.conf\"");
    site.write("conf.d/one.conf", "pidfile \\\n  run/x.pid\nLISTEN 127.0.0.1:8081");
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    site.host.sh(&format!("test -s {ROOT}/run/x.pid"));
    agent.monitor().expect_code(0);
    site.host.sh("rm -r /run/resource-agents");
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn ap_08_instances_without_a_pid_file_have_one_each() {
    let Some(site) = Site::new() else { return };
    site.bare("a.conf", "Listen 127.0.0.1:8081");
    site.bare("b.conf", "Listen 127.0.0.1:8082");
    let (first, second) =
        (site.agent("a.conf").instance("one"), site.agent("b.conf").instance("two"));
    first.start().expect_code(0);
    second.start().expect_code(0);
    site.host.sh("test -s /run/apache2-one.pid && test -s /run/apache2-two.pid");
    first.stop().expect_code(0);
    second.monitor().expect_code(0);
    second.stop().expect_code(0);
}

/// RA#1393.
#[test]
fn ap_21_a_module_may_be_a_link() {
    let Some(site) = Site::new() else { return };
    site.host.sh(&format!(
        "ln -s /usr/lib/apache2/modules {ROOT}/mods; ln -s mods/mod_headers.so {ROOT}/h.so"
    ));
    site.config(
        "a.conf",
        "Listen 127.0.0.1:8081\nLoadModule headers_module h.so\n\
         LoadModule env_module mods/mod_env.so",
    );
    site.agent("a.conf").start().expect_code(0);
    site.agent("a.conf").monitor().expect_code(0);
}
