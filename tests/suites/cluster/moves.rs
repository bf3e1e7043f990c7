//! Planned moves of an address and nginx with default parameters, IPv4 and IPv6 one after the
//! other.

use std::time::Duration;

use harness::Cluster;
use harness::figures::{largest, median, ms};
use harness::onlooker::{Onlooker, Pace};
use harness::rig::{VIP4, VIP6};

use crate::{SOON, tell, turn};

/// Moves of each family; the first one more is for the caches.
const TRIES: usize = 5;

/// Between two requests: what is measured is a tenth of a second.
const INTERVAL: Duration = Duration::from_millis(5);

/// Duplicate address detection alone takes at least this long on average: a start that waits for it
/// cannot stay below.
const DETECTION: f64 = 1000.0;

#[test]
#[ignore = "takes a minute: make cluster-test"]
fn a_planned_move_takes_no_longer_with_ipv6_than_with_ipv4() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let mut cluster = Cluster::builder(2).property("no-quorum-policy", "ignore").start();
    for node in cluster.alive() {
        node.write("/var/www/html/index.html", &format!("{}\n", node.name()));
    }
    let mut medians = Vec::new();
    for (family, vip) in [("IPv4", VIP4), ("IPv6", VIP6)] {
        let down = moves(&mut cluster, vip);
        let middle = median(down.clone()).expect("moves");
        let most = largest(&down).unwrap_or_default();
        tell(&format!(
            "planned move, {family}, defaults: down {middle:.0} ms (median of {TRIES}), most \
             {most:.0} ms"
        ));
        medians.push(middle);
    }
    assert!(
        medians[1] < DETECTION.min(2.0 * medians[0] + 100.0),
        "IPv4 {} ms, IPv6 {} ms",
        medians[0],
        medians[1]
    );
    cluster.down();
}

/// Moves a site to and fro; for how long it was away each time, in milliseconds.
fn moves(cluster: &mut Cluster, vip: &str) -> Vec<f64> {
    let admin = cluster.node(1);
    admin.pcs(&format!(
        "resource create VIP ocf:native:IPaddr2 ip={vip} op monitor interval=5s --group SITE"
    ));
    admin.pcs(
        "resource create WEB ocf:native:nginx configfile=/etc/nginx/nginx.conf op monitor \
         interval=5s --group SITE",
    );
    cluster.wait_for("address and server", SOON, |status| status.are_well(&["VIP", "WEB"]));
    let mut look =
        Onlooker::at_pace(Pace { interval: INTERVAL, patience: SOON }, cluster, vip, "eth0");
    let mut from = look.expect_page(cluster, &[]);
    let mut down = Vec::new();
    for _ in 0..=TRIES {
        cluster.wait_idle();
        let to = if from == "node1" { "node2" } else { "node1" };
        let seen = look.during(cluster, "planned move", &[to], |cluster| {
            // What pcs does for it, without the second that Python takes to start.
            cluster.anyone().expect("crm_standby", &["--node", &from, "--update", "on"]);
        });
        cluster.anyone().expect("crm_standby", &["--node", &from, "--delete"]);
        to.clone_into(&mut from);
        down.push(ms(seen.outage.longest_gap));
    }
    drop(look);
    cluster.anyone().pcs("resource delete SITE");
    cluster.wait_idle();
    down.split_off(1)
}
