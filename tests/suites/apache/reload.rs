//! A configuration that is read again by a server that runs on.

use std::time::Duration;

use crate::site::{ROOT, Site};

#[test]
fn a_changed_serial_loads_the_configuration_and_keeps_the_master() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().param("config_serial", "1");
    agent.start().expect_code(0);
    let master = site.master("a.conf");
    site.config("a.conf", "Listen 127.0.0.1:8081\nListen 127.0.0.1:8082\nAlias /new /run/web/htdocs");
    agent.action("reload-agent").expect_code(0);
    assert!(site.connect("127.0.0.1:8082").is_none(), "the same serial is no news");
    let changed = agent.clone().param("config_serial", "2");
    changed.action("reload-agent").expect_code(0).expect_within(Duration::from_secs(5));
    assert!(site.get("127.0.0.1:8082", "/").unwrap().contains("alive"));
    assert_eq!(site.master("a.conf"), master);
    changed.monitor().expect_code(0);
    changed.action("reload").expect_code(0);
    assert_eq!(site.master("a.conf"), master);
    changed.stop().expect_code(0);
    changed.action("reload").expect_code(1).expect_reason(&["does not run"]);
}

#[test]
fn what_the_server_refuses_is_not_loaded() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    let before = site.of("a.conf");
    site.config("a.conf", "Listen 127.0.0.1:8081\nBogusDirective");
    let changed = agent.clone().param("config_serial", "2");
    changed.action("reload-agent").expect_code(5).expect_reason(&["BogusDirective"]);
    assert_eq!(site.of("a.conf"), before);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn a_reload_by_hand_is_noticed() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    site.config("a.conf", "Listen 127.0.0.1:8085");
    let master = site.master("a.conf");
    site.host.sh(&format!("kill -USR1 {master}; test -e {ROOT}/a.conf"));
    let there = harness::process::wait_until(Duration::from_secs(5), || site.connect("127.0.0.1:8085"));
    assert!(there.is_some());
    agent.monitor().expect_code(0);
    agent.monitor().expect_code(0);
}
