//! A remote node: the executor there is another program, and monitors wait under it all the same.

use std::time::Duration;

use harness::Cluster;
use harness::cluster::{Node, Status, remote};
use harness::process::wait_until;
use harness::skip::skip;
use harness::tell::tell;
use harness::visitor::Visitor;

use super::{PACE, WAITING, away, settled, verdict_after};
use crate::{SOON, turn};

/// The remote node, and the site's address on it.
const REMOTE: usize = 9;
const SITE: &str = "10.9.0.50";

/// Within this the cluster must have nothing left to do, on a busy machine; a first run that waits
/// would take thirty seconds.
const PROMPTLY: Duration = Duration::from_secs(12);

/// In milliseconds: long before the next ordinary check of a monitor that waits, and the end of its
/// wait.
const AT_ONCE: f64 = 2_500.0;

/// What is done to the remote node.
type Deed = fn(&Node);

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_10_monitors_wait_on_a_remote_node() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    if let Some(reason) = remote::missing() {
        return skip(&reason);
    }
    let cluster = Cluster::up(1);
    let (node, far) = (cluster.node(1), cluster.remote(REMOTE));
    far.write("/var/www/html/index.html", "node9\n");
    // pcs would send the key by its own daemon.
    node.pcs(
        "resource create node9 ocf:pacemaker:remote server=10.9.0.9 op monitor interval=5s --force",
    );
    cluster.wait_for("the remote node", SOON, |status| status.are_well(&["node9"]));
    let site = |monitor| format!("cidr_netmask=24 {monitor} --group site");
    node.pcs(&format!("resource create VIP ocf:native:IPaddr2 ip={SITE} {}", site(WAITING)));
    node.pcs(&format!(
        "resource create WEB ocf:native:nginx configfile=/etc/nginx/nginx.conf {WAITING} --group \
         site"
    ));
    node.pcs("constraint location site prefers node9=INFINITY");
    let there = |status: &Status| {
        let is_there = |id: &str| status.resource(id).nodes == ["node9"];
        status.are_well(&["VIP", "WEB"]) && is_there("VIP") && is_there("WEB")
    };
    cluster.wait_for("the site on the remote node", SOON, there);
    for command in
        ["crm_resource --refresh --resource VIP", "crm_resource --refresh --resource WEB"]
    {
        armed(&cluster, &far);
        let words: Vec<&str> = command.split_whitespace().collect();
        let took = settled(&cluster, || drop(node.expect(words[0], &words[1..])));
        tell(&format!("| remote node, {command} | {:.1} s |", took.as_secs_f64()));
        assert!(took < PROMPTLY, "{command}: {took:?}");
        let status = cluster.wait_for("well", SOON, there);
        assert!(status.failures.is_empty(), "{command}: {status}");
    }
    let address = format!("{SITE}:80").parse().expect("an address");
    let visitor = Visitor::every(PACE, &cluster.client, address);
    let faults: [(&str, &str, Deed); 2] = [
        ("nginx killed", "WEB", |far| far.kill_all("nginx")),
        ("address deleted", "VIP", |far| drop(far.ip(&format!("address del {SITE}/24 dev eth0")))),
    ];
    for (what, id, deed) in faults {
        armed(&cluster, &far);
        let away = away(&cluster, &visitor, || deed(&far));
        assert!(away < AT_ONCE, "{what}: {away} ms");
        let status = cluster.wait_idle();
        let [failed] = &status.failures[..] else { panic!("{what}: {status}") };
        assert_eq!(failed.operation, format!("{id}_monitor_1000"), "{status}");
        assert!(verdict_after(&failed.reason).is_some(), "{failed:?}");
        let count = node.expect("crm_failcount", &["--query", "--resource", id, "--node", "node9"]);
        assert!(count.contains("value=1"), "{count}");
        tell(&format!(
            "| remote node, {what} | page again after {:.0} ms | {} |",
            away, failed.reason
        ));
        node.expect("crm_resource", &["--cleanup"]);
        cluster.wait_for("the site on the remote node", SOON, there);
    }
    node.pcs("resource disable site");
    cluster.wait_for("stopped", SOON, |status| {
        ["VIP", "WEB"].iter().all(|id| status.resource(id).role == "Stopped")
    });
    far.expect_absent(SITE);
    drop((visitor, far));
    cluster.down();
}

/// Returns when both monitors wait.
#[track_caller]
fn armed(cluster: &Cluster, far: &Node) {
    let waiters = || (far.processes("ocf-wait").len() == 2).then_some(());
    assert!(wait_until(SOON, waiters).is_some(), "monitors do not wait: {}", cluster.status());
}
