//! Two nodes that lose each other, without fencing.

use std::time::Duration;

use harness::process::wait_until;
use harness::rig::{Net, VIP4, VIP6};
use harness::{Cluster, Host};

use crate::{SOON, tell, turn};

/// Seconds between two monitors.
const INTERVAL: u64 = 3;

/// Both sides take the address. When the cut heals the cluster keeps one of them, and everybody
/// talks with that one; what a neighbour learns wrong after that is put right by the next monitor.
#[test]
#[ignore = "takes a minute: make cluster-test"]
fn after_a_split_brain_the_neighbours_are_right_within_a_monitor() {
    let Some(_turn) = turn(&["pcs"]) else { return };
    let cluster =
        Cluster::builder(2).net(Net::plain()).property("no-quorum-policy", "ignore").start();
    let admin = cluster.node(1);
    for (id, words) in [
        ("VIP4", format!("ip={VIP4} cidr_netmask=24")),
        ("VIP6", format!("ip={VIP6} cidr_netmask=64")),
    ] {
        admin.pcs(&format!(
            "resource create {id} ocf:native:IPaddr2 {words} arp_count_refresh=1 op monitor \
             interval={INTERVAL}s"
        ));
        admin.pcs(&format!("constraint location {id} prefers node1=10"));
    }
    let well = ["VIP4", "VIP6"];
    cluster.wait_for("both addresses on node1", SOON, |status| {
        status.are_well(&well) && well.iter().all(|id| status.resource(id).nodes == ["node1"])
    });
    let both = [VIP4, VIP6];
    let client = &cluster.client;
    for vip in both {
        right(client, vip, 1, "before");
    }
    // The nodes have links and the client, but not each other: both have the addresses, the one
    // that came last is believed.
    cluster.lan(0).part(&[1, 2], true);
    for (number, name) in [(1, "node1"), (2, "node2")] {
        let node = cluster.node(number);
        cluster.wait_for_at(node, "the addresses on both sides", SOON, |status| {
            status.online() == 1
                && well.iter().all(|id| status.resource(id).nodes.iter().any(|it| it == name))
        });
        both.iter().for_each(|vip| {
            node.only(vip);
        });
    }
    cluster.lan(0).part(&[1, 2], false);
    let status = cluster.wait_for("one cluster, one owner", SOON, |status| {
        status.online() == 2 && status.are_well(&well)
    });
    let status = if status.online() == 2 { cluster.wait_idle() } else { status };
    tell(&format!("split brain healed; cluster: {}", status.brief()));
    // A start's announcements go on for some seconds: it is the monitor's that are looked for.
    std::thread::sleep(Duration::from_secs(5));
    for (id, vip) in [("VIP4", VIP4), ("VIP6", VIP6)] {
        let owner = if cluster.status().resource(id).nodes == ["node1"] { 1 } else { 2 };
        cluster.node(3 - owner).expect_absent(vip);
        cluster.node(owner).only(vip);
        right(client, vip, owner, "healed");
        // A wrong announcement from a node that still has it does not stay.
        let wrong = Net::plain().mac_of(3 - owner);
        client.ip(&format!("neighbour replace {vip} lladdr {wrong} dev eth0 nud stale"));
        let took = right(client, vip, owner, "misled");
        tell(&format!(
            "{id}: a neighbour that was misled is right after {:.1} s",
            took.as_secs_f64()
        ));
    }
    cluster.down();
}

/// Waits until the client has the Ethernet address of node `number` for an address: one monitor,
/// and ample time besides.
#[track_caller]
fn right(client: &Host, vip: &str, number: usize, when: &str) -> Duration {
    let wanted = Net::plain().mac_of(number);
    let began = std::time::Instant::now();
    let known = || {
        client.ip_json(&format!("neighbour show to {vip} dev eth0"))[0]["lladdr"]
            .as_str()
            .map(str::to_owned)
    };
    let found = wait_until(Duration::from_secs(INTERVAL + 10), || {
        // A client that speaks with it.
        if when != "misled" {
            client.run("ping", &["-c", "1", "-W", "1", vip]);
        }
        (known().as_deref() == Some(wanted.as_str())).then(|| began.elapsed())
    });
    found.unwrap_or_else(|| {
        panic!("{when}: the client has {:?} for {vip}, node{number} is {wanted}", known())
    })
}
