//! Somebody else acts on the server while monitors look at it.

use std::time::Duration;

use harness::meanwhile::monitors;
use harness::process::wait_until;

use crate::site::{ROOT, Site};

#[test]
fn no_monitor_fails_while_apache_is_reloaded_restarted_or_has_its_logs_rotated() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().param("testurl", "/").param("testregex10", "alive");
    agent.start().expect_code(0);
    let serves = || site.get("127.0.0.1:8081", "/").is_some_and(|page| page.contains("alive"));
    let seen = monitors(&agent, &[0, 10], || {
        let number = site.master("a.conf");
        for round in 0..6 {
            // As logrotate does.
            site.host
                .sh(&format!("mv {ROOT}/error.log {ROOT}/error.log.{round}; kill -USR1 {number}"));
            let renewed = || {
                site.host
                    .sh(&format!("ls {ROOT}"))
                    .lines()
                    .any(|name| name == "error.log")
                    .then_some(())
            };
            assert!(wait_until(Duration::from_secs(10), renewed).is_some());
            assert!(serves());
            // A restart by hand that keeps the addresses open.
            site.host.sh(&format!("kill -HUP {number}"));
            assert!(wait_until(Duration::from_secs(10), || serves().then_some(())).is_some());
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(site.master("a.conf"), number);
    });
    for outcome in &seen {
        outcome.expect_code(0);
    }
    site.host.sh(&format!("kill -TERM {}", site.master("a.conf")));
    let gone = || site.of("a.conf").is_empty().then_some(());
    assert!(wait_until(Duration::from_secs(10), gone).is_some());
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}
