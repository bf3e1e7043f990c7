//! The cluster of the harness itself.

use std::time::Duration;

use harness::Cluster;
use harness::cluster::missing;
use harness::skip::skip;

use crate::SOON;

#[test]
fn an_address_follows_a_power_cut_and_the_node_returns() {
    if let Some(reason) = missing() {
        return skip(&reason);
    }
    let mut cluster = Cluster::up(2);
    create(&cluster, "VIP", "ip=10.9.0.50");
    let before =
        cluster.wait_for("the address on a node", SOON, |status| status.are_well(&["VIP"]));
    let first = before.resource("VIP").nodes[0].clone();
    let number = if first == "node1" { 1 } else { 2 };
    assert_eq!(cluster.named(&first).only("10.9.0.50").nic, "eth0");
    cluster.client.sh("ping -c 1 -W 5 10.9.0.50 >/dev/null");
    cluster.kill(number);
    assert!(!cluster.node(number).is_up());
    let after = cluster.wait_for("the address on the other node", SOON, |status| {
        status.are_well(&["VIP"]) && status.resource("VIP").nodes[0] != first
    });
    cluster.named(&after.resource("VIP").nodes[0]).only("10.9.0.50");
    // No answer at once would mean that the client still talks to the dead node.
    cluster.client.sh("ping -c 1 -W 1 10.9.0.50 >/dev/null");
    cluster.revive(number);
    cluster.node(number).expect_absent("10.9.0.50");
    assert_eq!(cluster.wait_idle().online(), 2);
    cluster.down();
}

#[test]
fn three_nodes_form_one_cluster() {
    if let Some(reason) = missing() {
        return skip(&reason);
    }
    let cluster = Cluster::builder(3)
        .token(Duration::from_secs(2))
        .property("no-quorum-policy", "stop")
        .start();
    let status = cluster.status();
    assert!(status.quorum && status.online() == 3, "{status}");
    cluster.down();
}

/// Without pcs or crm: as XML.
fn create(cluster: &Cluster, id: &str, parameter: &str) {
    let (name, value) = parameter.split_once('=').expect("name=value");
    let xml = format!(
        r#"<primitive id="{id}" class="ocf" provider="native" type="IPaddr2">
           <instance_attributes id="{id}-p">
            <nvpair id="{id}-p-1" name="{name}" value="{value}"/></instance_attributes>
           <operations><op id="{id}-m" name="monitor" interval="5s" timeout="20s"/></operations>
            </primitive>"#
    );
    cluster.node(1).expect("cibadmin", &["--create", "--scope", "resources", "--xml-text", &xml]);
}
