//! Parameters that change while the address is up, and values that are wrong.

use harness::cluster::{Node, Status};
use harness::rig::{VIP4, VIP6};
use harness::watch::AddressWatch;
use harness::{Cluster, call};

use crate::{SOON, one_node};

/// Changes a parameter and waits until the agent was called for `task` once more.
fn update(cluster: &Cluster, id: &str, change: &str, task: &str) -> Status {
    let node = cluster.node(1);
    let (before, wanted) = (count(node, id, task), format!("{task} of {id} after {change}"));
    node.pcs(&format!("resource update {id} {change}"));
    cluster
        .wait_for(&wanted, SOON, |status| status.are_well(&[id]) && count(node, id, task) > before)
}

fn count(node: &Node, id: &str, task: &str) -> usize {
    let wanted = format!("{task}: ok");
    node.results(id).iter().filter(|result| **result == wanted).count()
}

#[test]
fn a_reloadable_change_touches_no_address() {
    if call::foreign() {
        return harness::skip::skip(
            "the agents under test are others, which promise nothing of the kind",
        );
    }
    let Some(cluster) = one_node(&["pcs"]) else { return };
    let node = cluster.node(1);
    node.pcs(&format!("resource create VIP4 ocf:native:IPaddr2 ip={VIP4} op monitor interval=2s"));
    node.pcs(&format!("resource create VIP6 ocf:native:IPaddr2 ip={VIP6} op monitor interval=2s"));
    cluster.wait_for("both addresses started", SOON, |status| status.are_well(&["VIP4", "VIP6"]));
    cluster.wait_idle();
    let watch = AddressWatch::on(node);
    for (id, change) in [
        ("VIP4", "arp_count=9"),
        ("VIP6", "arp_count=9"),
        ("VIP4", "check_link_status=false"),
        ("VIP6", "check_link_status=false"),
    ] {
        let status = update(&cluster, id, change, "reload-agent");
        assert!(status.failures.is_empty(), "{status}");
    }
    for id in ["VIP4", "VIP6"] {
        assert_eq!(
            (count(node, id, "start"), count(node, id, "stop")),
            (1, 0),
            "{:?}",
            node.results(id)
        );
    }
    assert_eq!(watch.changes(), [], "a reload must not touch any address");
    // The same eyes see a restart, which is what every other parameter means.
    update(&cluster, "VIP4", "cidr_netmask=25", "start");
    assert_eq!(node.only(VIP4).prefix, 25);
    let kinds: Vec<bool> = watch.changes().iter().map(|change| change.added).collect();
    assert_eq!(kinds, [false, true], "{:?}", watch.changes());
    assert_eq!((count(node, "VIP4", "start"), count(node, "VIP4", "stop")), (2, 1));
    cluster.down();
}

#[test]
fn a_wrong_value_is_shown_with_the_one_reason() {
    if call::foreign() {
        return harness::skip::skip(
            "the agents under test are others, which promise nothing of the kind",
        );
    }
    let Some(cluster) = one_node(&["pcs", "crm"]) else { return };
    let node = cluster.node(1);
    // Some versions of pcs refuse it at once, by validate-all: then with the reason too.
    let first = node.tool(
        "pcs",
        &[
            "resource",
            "create",
            "BAD",
            "ocf:native:IPaddr2",
            &format!("ip={VIP4}"),
            "cidr_netmask=77",
        ],
    );
    if first.code != Some(0) {
        assert!(first.stderr.contains("cidr_netmask"), "{first:#?}");
        node.pcs(&format!(
            "resource create BAD ocf:native:IPaddr2 ip={VIP4} cidr_netmask=77 --force"
        ));
    }
    let status = cluster.wait_for("a failure of BAD", SOON, |status| !status.failures.is_empty());
    let failure = &status.failures[0];
    assert!(failure.operation == "BAD_start_0" && [2, 6].contains(&failure.code), "{failure:?}");
    assert!(
        failure.reason.contains("cidr_netmask") && failure.reason.contains("77"),
        "{failure:?}"
    );
    for (program, args) in [("crm_mon", &["-1"][..]), ("pcs", &["status"]), ("crm", &["status"])] {
        let said = node.expect(program, args);
        let lines = said.lines().filter(|line| line.contains(&failure.reason)).count();
        assert_eq!(lines, 1, "{program} {args:?}:\n{said}");
    }
    node.expect_absent(VIP4);
    // The failed start is seen a moment before the stop that follows it.
    cluster.wait_for("BAD stopped", SOON, |status| status.resource("BAD").role == "Stopped");
    // Put right, it starts.
    node.pcs("resource update BAD cidr_netmask=24");
    node.pcs("resource cleanup BAD");
    cluster.wait_for("BAD started", SOON, |status| {
        status.are_well(&["BAD"]) && status.failures.is_empty()
    });
    assert_eq!(node.only(VIP4).prefix, 24);
    cluster.down();
}
