//! A configuration that is read again by a server that runs on.

use std::time::Duration;

use crate::site::{ROOT, Site};

#[test]
fn a_changed_serial_loads_the_configuration_and_keeps_the_master() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().param("config_serial", "1");
    agent.start().expect_code(0);
    let master = site.master("a.conf");
    site.config(
        "a.conf",
        "Listen 127.0.0.1:8081\nListen 127.0.0.1:8082\nAlias /new /run/web/htdocs",
    );
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
fn al_1_a_faulty_configuration_is_reported_until_it_is_mended() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    let before = site.of("a.conf");
    site.config("a.conf", "Listen 127.0.0.1:8081\nBogusDirective");
    let changed = agent.clone().param("config_serial", "2");
    changed.action("reload").expect_code(1).expect_reason(&["BogusDirective", "old configuration"]);
    changed.action("reload-agent").expect_code(0).expect_stderr(&["BogusDirective", "190"]);
    for _ in 0..2 {
        changed.monitor().expect_code(190).expect_reason(&["BogusDirective", "old configuration"]);
    }
    assert_eq!(site.of("a.conf"), before);
    site.config("a.conf", "Listen 127.0.0.1:8081\nListen 127.0.0.1:8086");
    changed.monitor().expect_code(0).expect_silent();
    assert!(site.connect("127.0.0.1:8086").is_some(), "the mended configuration is loaded");
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
    let there =
        harness::process::wait_until(Duration::from_secs(5), || site.connect("127.0.0.1:8085"));
    assert!(there.is_some());
    agent.monitor().expect_code(0);
    agent.monitor().expect_code(0);
}
