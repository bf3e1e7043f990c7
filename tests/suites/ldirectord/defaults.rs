//! A director that is created with nothing but its configuration file where it usually is.

use std::time::Duration;

use harness::Cluster;
use harness::cluster::installed;
use harness::skip::skip;

use crate::pair::{SOON, with_pairs};
use crate::{CONF, table};

/// Two services whose real servers need no check, as a first configuration has them.
use crate::life::PLAIN;

/// pcs adds a monitor for each level that is advertised, crm none.
#[test]
#[ignore = "a cluster takes minutes in a kernel of its own: make test-slow"]
fn al_2_a_director_that_is_created_with_defaults_runs() {
    if let Some(missing) = ["pcs", "crm"].into_iter().find(|tool| !installed(tool)) {
        return skip(&format!("{missing} is not installed"));
    }
    with_pairs(Duration::from_secs(1200), || {
        let cluster = Cluster::builder(1).token(Duration::from_secs(10)).start();
        let node = cluster.node(1);
        node.sh("mkdir -p /etc/ha.d");
        node.write(CONF, PLAIN);
        for (tool, monitors) in [("pcs", 3), ("crm", 0)] {
            match tool {
                "pcs" => node.pcs("resource create LVS ocf:native:ldirectord"),
                _ => node.crm("configure primitive LVS ocf:native:ldirectord"),
            };
            cluster.wait_for("the director started", SOON, |status| status.are_well(&["LVS"]));
            let all = cluster.wait_for("its monitors", SOON, |status| {
                let good = |it: &&harness::cluster::Operation| {
                    it.resource == "LVS" && it.task == "monitor" && it.code == 0
                };
                status.history.iter().filter(good).count() >= monitors
            });
            assert!(all.failures.is_empty(), "{tool}: {all}");
            let status = cluster.wait_idle();
            assert!(status.failures.is_empty() && status.are_well(&["LVS"]), "{tool}: {status}");
            assert!(!table(node).is_empty());
            harness::tell::tell(&format!("{tool}: {}", status.brief()));
            node.pcs("resource delete LVS --force");
            cluster.wait_idle();
            assert_eq!(table(node), [""; 0]);
        }
        cluster.down();
    });
}
