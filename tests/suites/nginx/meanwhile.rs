//! Somebody else acts on the server while monitors look at it.

use std::time::Duration;

use harness::meanwhile::monitors;
use harness::process::wait_until;

use crate::{PLAIN, configure, expect_gone, machine, master, page, processes, web};

#[test]
fn no_monitor_fails_while_nginx_is_reloaded_upgraded_or_has_its_logs_rotated() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    let agent = web(&host, &path);
    agent.start().expect_code(0);
    let serves = || page(&host, &["http://127.0.0.1:8081/"]).contains("alive");
    let seen = monitors(&agent, &[0, 10, 20, 30], || {
        for round in 0..12 {
            let number = master(&host, "a");
            host.sh(&format!("kill -HUP {number}"));
            assert!(serves());
            // As logrotate does.
            host.sh(&format!(
                "mv /var/log/nginx/a.log /var/log/nginx/a.log.{round}; kill -USR1 {number}"
            ));
            assert!(serves());
            // As a package does: a new master beside the old one, which then goes.
            host.sh(&format!("kill -USR2 {number}"));
            // For a moment neither has a pid file.
            let renewed = || {
                let now = host.sh("cat /run/a.pid || true");
                (!now.trim().is_empty() && now.trim() != number).then_some(())
            };
            assert!(
                wait_until(Duration::from_secs(10), renewed).is_some(),
                "{:?}",
                processes(&host)
            );
            assert!(serves());
            host.sh(&format!("kill -WINCH {number}; kill -QUIT {number}"));
            let gone = || {
                (!host.sh("pgrep -x nginx || true").lines().any(|pid| pid == number)).then_some(())
            };
            assert!(wait_until(Duration::from_secs(10), gone).is_some(), "{:?}", processes(&host));
            assert!(serves());
        }
    });
    for outcome in &seen {
        outcome.expect_code(0);
    }
    agent.start().expect_code(0);
    // What has ended is not running, whoever has ended it.
    host.sh(&format!("kill -QUIT {}", master(&host, "a")));
    let gone = || processes(&host).is_empty().then_some(());
    assert!(wait_until(Duration::from_secs(10), gone).is_some());
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    expect_gone(&host);
}
