//! Two nodes, an address with a label, apache; crm.

use harness::Cluster;
use harness::onlooker::Onlooker;
use harness::rig::Net;

use crate::web::{HTTPD, httpd};
use crate::{SOON, turn};

const VIP: &str = "192.168.2.101";

#[test]
#[ignore = "takes a minute: make cluster-test"]
fn a_front_web_server_survives_the_end_of_corosync() {
    let web = format!(
        "primitive FAILOVER-APACHE ocf:native:apache params configfile={HTTPD} op monitor \
         interval=15s"
    );
    front(&web, "ocf:native:apache");
}

#[test]
#[ignore = "takes a minute: make cluster-test"]
fn an_init_script_beside_our_address_does_too() {
    front("primitive FAILOVER-APACHE lsb:apache2 op monitor interval=15s", "lsb:apache2");
}

fn front(web: &str, name: &str) {
    let Some(_turn) = turn(&["crm", "apache2"]) else { return };
    let mut cluster = Cluster::builder(2).net(Net::of("eth2", "192.168.2", 10, 1)).start();
    cluster.alive().for_each(httpd);
    let admin = cluster.node(1);
    admin.write(
        "/root/front.crm",
        &format!(
            "primitive FAILOVER-ADDR ocf:native:IPaddr2 params ip=\"{VIP}\" nic=\"eth2:0\" op \
             monitor interval=\"10s\" \
             meta is-managed=\"true\"\n{web}\ngroup mi_cluster_web FAILOVER-ADDR FAILOVER-APACHE\n\
             property no-quorum-policy=ignore\n"
        ),
    );
    admin.crm("configure load update /root/front.crm");
    let well = ["FAILOVER-ADDR", "FAILOVER-APACHE"];
    let status =
        cluster.wait_for("address and server started", SOON, |status| status.are_well(&well));
    let first = status.resource("FAILOVER-ADDR").nodes[0].clone();
    let (one, other) = if first == "node1" { (1, "node2") } else { (2, "node1") };
    assert_eq!(cluster.named(&first).only(VIP).label, "eth2:0");
    let mut look = Onlooker::of(&cluster, VIP, "eth2");
    look.expect_page(&cluster, &[&first]);
    let seen =
        look.during(&mut cluster, &format!("{name}: corosync stopped"), &[other], |cluster| {
            cluster.leave(one)
        });
    assert!(!seen.announced.is_empty());
    assert_eq!(cluster.named(other).only(VIP).label, "eth2:0");
    // In good order: nothing is left on the node that went.
    cluster.node(one).expect_absent(VIP);
    assert_eq!(cluster.node(one).processes("apache2"), [] as [i32; 0]);
    look.during(&mut cluster, &format!("{name}: and back"), &["node1", "node2"], |cluster| {
        cluster.join(one)
    });
    let status = cluster.wait_for("all well", SOON, |status| status.are_well(&well));
    assert!(status.failures.is_empty() && status.online() == 2, "{status}");
    cluster.down();
}
