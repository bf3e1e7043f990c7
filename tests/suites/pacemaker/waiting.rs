//! Monitors that wait for events (`watch`), under Pacemaker's own executor: what they report, and
//! that nothing waits for them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use harness::Cluster;
use harness::cluster::Node;
use harness::process::wait_until;
use harness::visitor::get;

use crate::{SOON, one_node};

/// Long before the next monitor, and long before the end of a wait.
const AT_ONCE: Duration = Duration::from_millis(2_500);

/// How long the cluster may be busy with a change: clearly less than the thirty seconds that a
/// first run would keep it waiting.
const PROMPTLY: Duration = Duration::from_secs(12);

/// One node with an nginx whose monitors come every so many seconds and wait for thirty.
fn watched(interval: u32) -> Option<Cluster> {
    let cluster = one_node(&["pcs", "nginx"])?;
    let node = cluster.node(1);
    node.write("/var/www/html/index.html", "node1\n");
    node.pcs(&format!(
        "resource create WEB ocf:native:nginx configfile=/etc/nginx/nginx.conf watch=30s op \
         monitor interval={interval}s timeout=60s"
    ));
    cluster.wait_for("the server started", SOON, |status| status.are_well(&["WEB"]));
    Some(cluster)
}

/// Returns when a monitor waits.
#[track_caller]
fn waiter(node: &Node) {
    let found = wait_until(SOON, || (!node.processes("ocf-wait").is_empty()).then_some(()));
    assert!(found.is_some(), "no monitor waits");
}

fn fails(node: &Node) -> String {
    node.expect("crm_failcount", &["--query", "--resource", "WEB", "--node", "node1"])
}

#[test]
fn watch_1_and_2_a_killed_server_is_back_long_before_the_next_monitor_and_counts_once() {
    let Some(cluster) = watched(5) else { return };
    let node = cluster.node(1);
    let site: SocketAddr = "10.9.0.1:80".parse().unwrap();
    for round in 0..2 {
        waiter(node);
        node.kill_all("nginx");
        let killed = Instant::now();
        let back = wait_until(SOON, || {
            (get(&cluster.client, site, "/").as_deref() == Ok("node1")).then_some(())
        });
        assert!(
            back.is_some() && killed.elapsed() < AT_ONCE,
            "round {round}: {:?}",
            killed.elapsed()
        );
        let status = cluster.wait_idle();
        let failed = status.failures.first().unwrap_or_else(|| panic!("{status}"));
        assert_eq!(failed.operation, "WEB_monitor_5000", "{status}");
        assert!(
            failed.reason.contains("the master process ") && failed.reason.contains(" ended "),
            "{status}"
        );
        assert!(fails(node).contains("value=1"), "{}", fails(node));
        node.expect("crm_resource", &["--cleanup", "--resource", "WEB"]);
        cluster.wait_idle();
    }
    // The waiting process itself: one failure, and the server is back as after any other.
    waiter(node);
    node.kill_all("ocf-wait");
    let status = cluster.wait_for("it failed and is back", SOON, |s| {
        s.are_well(&["WEB"]) && !s.failures.is_empty()
    });
    assert_eq!(status.failures.len(), 1, "{status}");
    assert!(fails(node).contains("value=1"), "{}", fails(node));
    cluster.down();
}

#[test]
fn watch_3_and_4_no_change_waits_for_a_monitor_that_waits_and_none_is_a_failure() {
    let Some(cluster) = watched(2) else { return };
    let node = cluster.node(1);
    for change in [
        "crm_resource --cleanup --resource WEB",
        "crm_resource --refresh --resource WEB",
        "crm_attribute --name maintenance-mode --update true|crm_attribute --name maintenance-mode \
         --update false",
        "crm_resource --resource WEB --meta --set-parameter is-managed --parameter-value false|\
         crm_resource --resource WEB --meta --set-parameter is-managed --parameter-value true",
        "crm_resource --resource WEB --set-parameter watch --parameter-value 31s",
        "crm_resource --resource WEB --meta --set-parameter target-role --parameter-value Stopped|\
         crm_resource --resource WEB --meta --set-parameter target-role --parameter-value Started",
    ] {
        waiter(node);
        for command in change.split('|') {
            let words: Vec<&str> = command.split_whitespace().collect();
            node.expect(words[0], &words[1..]);
            let began = Instant::now();
            cluster.wait_idle();
            assert!(began.elapsed() < PROMPTLY, "{command}: {:?}", began.elapsed());
        }
        let status = cluster.wait_for("well", SOON, |status| status.are_well(&["WEB"]));
        assert!(status.failures.is_empty(), "{change}: {status}");
    }
    cluster.down();
}
