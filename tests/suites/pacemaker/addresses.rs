//! Addresses under Pacemaker: started, watched, recovered, stopped.

use std::time::{Duration, Instant};

use harness::process::wait_until;
use harness::rig::{VIP4, VIP6};

use crate::{SOON, one_node};

/// A third address, configured by another tool.
const VIP_BY_CRM: &str = "10.9.0.51";

#[test]
fn addresses_start_come_back_when_deleted_and_stop() {
    let Some(cluster) = one_node(&["pcs", "crm"]) else { return };
    let node = cluster.node(1);
    node.pcs(&format!("resource create VIP4 ocf:native:IPaddr2 ip={VIP4} op monitor interval=2s"));
    node.pcs(&format!(
        "resource create VIP6 ocf:native:IPaddr2 ip={VIP6} cidr_netmask=64 op monitor interval=2s"
    ));
    node.crm(&format!(
        "configure primitive VIPC ocf:native:IPaddr2 params ip={VIP_BY_CRM} op monitor interval=2s"
    ));
    cluster.wait_for("all addresses started", SOON, |status| {
        status.are_well(&["VIP4", "VIP6", "VIPC"])
    });
    for (address, prefix) in [(VIP4, 24), (VIP6, 64), (VIP_BY_CRM, 24)] {
        let seen = node.only(address);
        assert_eq!((seen.nic.as_str(), seen.prefix), ("eth0", prefix), "{seen:?}");
        cluster.client.sh(&format!("ping -c 1 -W 5 {address} >/dev/null"));
    }
    for (id, address, prefix) in [("VIP4", VIP4, 24), ("VIP6", VIP6, 64)] {
        let status = cluster.wait_for("a monitor", SOON, |status| {
            status.history.iter().any(|done| done.resource == id && done.task == "monitor")
        });
        assert_eq!(status.last(id, "monitor").code, 0, "{status}");
        node.ip(&format!("address del {address}/{prefix} dev eth0"));
        let began = Instant::now();
        let back = wait_until(SOON, || (node.seen(address).len() == 1).then(|| began.elapsed()));
        let back =
            back.unwrap_or_else(|| panic!("{address} did not come back: {}", cluster.status()));
        // The interval of the monitor, and ample time for the cluster to act on a busy machine.
        assert!(back < Duration::from_secs(2 + 15), "{address} came back after {back:?} only");
        let status = cluster.wait_for("recovered", SOON, |status| {
            status.are_well(&[id])
                && status
                    .failures
                    .iter()
                    .any(|failed| failed.operation == format!("{id}_monitor_2000"))
        });
        let failed =
            status.failures.iter().find(|failed| failed.operation.starts_with(id)).unwrap();
        assert_eq!((failed.code, failed.answered), (7, true), "{failed:?}");
        node.pcs(&format!("resource cleanup {id}"));
    }
    for (id, address) in [("VIP4", VIP4), ("VIP6", VIP6), ("VIPC", VIP_BY_CRM)] {
        node.expect(
            "crm_resource",
            &[
                "--resource",
                id,
                "--meta",
                "--set-parameter",
                "target-role",
                "--parameter-value",
                "Stopped",
            ],
        );
        let status =
            cluster.wait_for("stopped", SOON, |status| status.resource(id).role == "Stopped");
        assert!(status.failures.is_empty(), "{status}");
        assert_eq!(node.results(id).last().map(String::as_str), Some("stop: ok"));
        node.expect_absent(address);
    }
    cluster.down();
}
