//! Two nodes, an address, apache; pcs.

use harness::Cluster;
use harness::cluster::Node;
use harness::onlooker::Onlooker;
use harness::rig::Net;
use harness::visitor::get;

use crate::{SOON, turn};

/// As a distribution with `httpd` has it, with the modules where Debian puts them.
pub const HTTPD: &str = "/etc/httpd/conf/httpd.conf";

/// A web server whose page is the node's name, and whose status page is for the node itself.
pub fn httpd(node: &Node) {
    let modules: String = ["mpm_event", "authz_core", "authz_host", "dir", "mime", "status"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .concat();
    node.sh("mkdir -p /etc/httpd/conf /var/log/httpd");
    node.write("/var/www/html/index.html", &format!("{}\n", node.name()));
    node.write(
        HTTPD,
        &format!(
            "ServerRoot /etc/httpd\nListen 80\nServerName {}\n{modules}User www-data\n\
             Group www-data\n\
             PidFile /run/httpd.pid\nErrorLog /var/log/httpd/error_log\n\
             TypesConfig /etc/mime.types\n\
             DocumentRoot /var/www/html\nDirectoryIndex index.html\n\
             <Location /server-status>\n  SetHandler server-status\n  Require ip 127.0.0.1\n\
             </Location>\n",
            node.name()
        ),
    );
}

#[test]
fn an_active_passive_apache_fails_over_and_goes_back_where_it_is_preferred() {
    let Some(_turn) = turn(&["pcs", "apache2"]) else { return };
    let net = Net::of("eth0", "192.168.1", 10, 1);
    let mut cluster = Cluster::builder(2).net(net).property("no-quorum-policy", "ignore").start();
    cluster.alive().for_each(httpd);
    let admin = cluster.node(1);
    admin.pcs(
        "resource create Cluster_VIP ocf:native:IPaddr2 ip=192.168.1.26 cidr_netmask=24 op \
               monitor interval=20s",
    );
    admin.pcs(&format!(
        "resource create WebServer ocf:native:apache configfile={HTTPD} \
         statusurl=http://127.0.0.1/server-status op monitor interval=20s --disabled"
    ));
    admin.pcs("constraint colocation add WebServer with Cluster_VIP INFINITY");
    admin.pcs("constraint order start Cluster_VIP then start WebServer");
    admin.pcs("constraint location WebServer prefers node1=50");
    admin.pcs("constraint location WebServer prefers node2=45");
    admin.pcs("resource enable WebServer");
    let well = ["Cluster_VIP", "WebServer"];
    cluster.wait_for("address and server started", SOON, |status| status.are_well(&well));
    let mut look = Onlooker::of(&cluster, "192.168.1.26", "eth0");
    look.expect_page(&cluster, &["node1"]);
    let status = get(&cluster.client, "192.168.1.26:80".parse().unwrap(), "/server-status");
    assert_eq!(status, Err("status 403".into()), "the status page is for the node itself");
    // Power.
    let seen = look.during(&mut cluster, "power cut", &["node2"], |cluster| cluster.kill(1));
    assert!(seen.outage.lost > 0 && !seen.announced.is_empty(), "{:?}", seen.outage);
    look.during(&mut cluster, "back, and preferred", &["node1"], |cluster| cluster.revive(1));
    let status = cluster.wait_for("all well", SOON, |status| status.are_well(&well));
    assert!(status.failures.is_empty() && status.online() == 2, "{status}");
    // The same as a group: constraints that say no more are no reason to stop anything.
    let starts = |cluster: &Cluster| {
        cluster.node(1).results("WebServer").iter().filter(|it| *it == "start: ok").count()
    };
    let before = starts(&cluster);
    cluster.node(1).pcs("resource group add WebGroup Cluster_VIP WebServer");
    cluster.wait_idle();
    assert_eq!(starts(&cluster), before);
    look.during(&mut cluster, "planned move", &["node2"], |cluster| {
        cluster.node(2).pcs("node standby node1");
    });
    let status = cluster.wait_for("all well", SOON, |status| status.are_well(&well));
    assert!(status.failures.is_empty(), "{status}");
    cluster.node(1).expect_absent("192.168.1.26");
    assert_eq!(cluster.node(1).processes("apache2"), [] as [i32; 0]);
    cluster.down();
}
