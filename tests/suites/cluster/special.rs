//! Addresses of the less usual kinds: one for two nodes at once, IPv6 and nothing else, in a
//! network namespace, many.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use harness::onlooker::Onlooker;
use harness::process::wait_until;
use harness::rig::{Net, VIP4, VIP6, hashes};
use harness::skip::skip;
use harness::stage::Whose;
use harness::visitor::get;
use harness::watch::AddressWatch;
use harness::{Cluster, Host};

use crate::{SOON, addresses, tell, turn};

fn pages(cluster: &Cluster) {
    for node in cluster.alive() {
        node.write("/var/www/html/index.html", &format!("{}\n", node.name()));
    }
}

/// Twenty clients, shared between two nodes that both have the address; when one dies the other
/// serves all.
#[test]
#[ignore = "takes a minute: make cluster-test"]
fn a_cluster_ip_is_shared_by_two_nodes_and_taken_over_by_one() {
    let Some(_turn) = turn(&["pcs", "nginx", "nft"]) else { return };
    if !hashes(&Host::new("try")) {
        return skip("this kernel has no hash expression of nftables");
    }
    let mut cluster = Cluster::builder(2).property("no-quorum-policy", "ignore").start();
    pages(&cluster);
    let admin = cluster.node(1);
    admin.pcs(&format!(
        "resource create CIP ocf:native:IPaddr2 ip={VIP4} cidr_netmask=24 \
         clusterip_mac_mangle=true op monitor interval=5s clone globally-unique=true clone-max=2 \
         clone-node-max=2 interleave=true"
    ));
    admin.pcs(
        "resource create WEB ocf:native:nginx configfile=/etc/nginx/nginx.conf op monitor \
               interval=5s clone",
    );
    cluster.wait_for("both instances on a node each", SOON, |status| {
        ["CIP", "WEB"].into_iter().all(|id| {
            let all: Vec<_> = status
                .resources
                .iter()
                .filter(|it| it.id.starts_with(id) && it.is_well())
                .collect();
            let on = |name: &str| all.iter().any(|it| it.nodes == [name]);
            on("node1") && on("node2")
        })
    });
    cluster.wait_idle();
    let clients: Vec<String> = (101..=120).map(|last| format!("10.9.0.{last}")).collect();
    for address in &clients {
        cluster.client.ip(&format!("address add {address}/24 dev eth0"));
    }
    let ask = |from: &String| {
        let said = cluster.client.run(
            "curl",
            &["-s", "--max-time", "2", "--interface", from, &format!("http://{VIP4}/")],
        );
        said.stdout.trim().to_owned()
    };
    let answers: Vec<String> = clients.iter().map(ask).collect();
    let count = |name: &str| answers.iter().filter(|answer| *answer == name).count();
    tell(&format!(
        "cluster IP: of 20 clients node1 serves {}, node2 {}",
        count("node1"),
        count("node2")
    ));
    assert!(
        count("node1") > 0 && count("node2") > 0 && count("node1") + count("node2") == 20,
        "{answers:?}"
    );
    let began = Instant::now();
    cluster.kill(1);
    let all = |cluster: &Cluster| {
        clients.iter().all(|from| {
            let words = ["-s", "--max-time", "1", "--interface", from, &format!("http://{VIP4}/")];
            cluster.client.run("curl", &words).stdout.trim() == "node2"
        })
    };
    let served = wait_until(SOON, || all(&cluster).then(|| began.elapsed()));
    assert!(served.is_some(), "node2 does not serve all clients: {}", cluster.status());
    tell(&format!(
        "cluster IP: after a power cut node2 serves all within {:.1} s",
        served.unwrap_or_default().as_secs_f64()
    ));
    cluster.down();
}

#[test]
#[ignore = "takes a minute: make cluster-test"]
fn a_cluster_without_ipv4_moves_its_address() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let mut cluster =
        Cluster::builder(2).net(Net::six()).property("no-quorum-policy", "ignore").start();
    assert_eq!(
        cluster.node(1).ip_json("-4 address show dev eth0").as_array().map(Vec::len),
        Some(0)
    );
    pages(&cluster);
    let admin = cluster.node(1);
    admin.pcs(&format!(
        "resource create VIP ocf:native:IPaddr2 ip={VIP6} cidr_netmask=64 op monitor interval=5s \
         --group SITE"
    ));
    admin.pcs(
        "resource create WEB ocf:native:nginx configfile=/etc/nginx/nginx.conf op monitor \
         interval=5s --group SITE",
    );
    admin.pcs("constraint location SITE prefers node1=10");
    cluster.wait_for("address and server on node1", SOON, |status| {
        status.are_well(&["VIP", "WEB"]) && status.resource("WEB").nodes == ["node1"]
    });
    let mut look = Onlooker::of(&cluster, VIP6, "eth0");
    look.expect_page(&cluster, &["node1"]);
    let seen = look.during(&mut cluster, "IPv6 only: planned move", &["node2"], |cluster| {
        cluster.node(2).pcs("node standby node1");
    });
    assert!(!seen.announced.is_empty());
    cluster.node(2).pcs("node unstandby node1");
    look.expect_page(&cluster, &["node1"]);
    let seen =
        look.during(&mut cluster, "IPv6 only: power cut", &["node2"], |cluster| cluster.kill(1));
    assert!(!seen.announced.is_empty());
    cluster.down();
}

#[test]
#[ignore = "takes a minute: make cluster-test"]
fn an_address_in_a_network_namespace_moves() {
    let Some(_turn) = turn(&["pcs"]) else { return };
    let tenant = Net::of("eth1", "10.20.0", 0, 2);
    let cluster =
        Cluster::builder(2).also(tenant.clone()).property("no-quorum-policy", "ignore").start();
    for number in 1..=2 {
        let address = tenant.address_of(number);
        cluster.node(number).sh(&format!(
            "ip netns add tenant; ip link set eth1 netns tenant
             ip -n tenant link set lo up; ip -n tenant address add {address}/24 brd + dev eth1; \
             ip -n tenant link set eth1 up"
        ));
    }
    let admin = cluster.node(1);
    admin.pcs(
        "resource create VIP ocf:native:IPaddr2 ip=10.20.0.50 cidr_netmask=24 \
         network_namespace=tenant op monitor interval=5s",
    );
    let mut place = String::new();
    for round in 0..2 {
        let status = cluster.wait_for("the address on another node", SOON, |status| {
            status.are_well(&["VIP"]) && status.resource("VIP").nodes != [place.as_str()]
        });
        place.clone_from(&status.resource("VIP").nodes[0]);
        let (node, other) =
            (cluster.named(&place), if place == "node1" { "node2" } else { "node1" });
        let inside = node.sh("ip netns exec tenant ip -4 -o address show dev eth1");
        assert!(inside.contains("10.20.0.50/24"), "{inside}");
        node.expect_absent("10.20.0.50");
        cluster.client.sh("ping -c 1 -W 5 10.20.0.50 >/dev/null");
        let there = cluster.named(other).sh("ip netns exec tenant ip -4 -o address show dev eth1");
        assert!(!there.contains("10.20.0.50"), "{there}");
        if round == 0 {
            admin.pcs(&format!("node standby {place}"));
        }
    }
    tell(&format!("address in a network namespace: cluster: {}", cluster.status().brief()));
    cluster.down();
}

/// A hundred addresses in one group, which starts and stops them one after another.
#[test]
#[ignore = "takes two minutes: make cluster-test"]
fn a_hundred_addresses_in_a_group_move_at_once() {
    let Some(_turn) = turn(&["pcs"]) else { return };
    let ours = hundred(Whose::Native);
    let theirs = hundred(Whose::Shell);
    tell(&format!(
        "100 addresses in a group, from the wish until the last one is on the other node: native \
         {:.1} s, shell {:.1} s",
        ours.as_secs_f64(),
        theirs.as_secs_f64()
    ));
    assert!(ours < theirs, "native {ours:?}, shell {theirs:?}");
}

fn hundred(whose: Whose) -> Duration {
    let cluster = Cluster::builder(3).start();
    let admin = cluster.anyone();
    let members = addresses(whose.provider(), 100, 10);
    let group = format!("<group id=\"MANY\">{members}</group>");
    admin.expect("cibadmin", &["--create", "--scope", "resources", "--xml-text", &group]);
    admin.pcs("constraint location MANY avoids node3");
    admin.pcs("constraint location MANY prefers node1=10");
    let all = |name: &'static str| {
        move |status: &harness::cluster::Status| {
            let there = |it: &&harness::cluster::Resource| it.is_well() && it.nodes == [name];
            status.resources.iter().filter(there).count() == 100
        }
    };
    cluster.wait_for("all on node1", Duration::from_secs(300), all("node1"));
    cluster.wait_idle();
    let watch = AddressWatch::on(cluster.node(2));
    let began = SystemTime::now();
    admin.expect("crm_standby", &["--node", "node1", "--update", "on"]);
    cluster.wait_for("all on node2", Duration::from_secs(300), all("node2"));
    let prefix: IpAddr = "10.9.1.0".parse().expect("an address");
    let mine = |address: IpAddr| address.to_string().starts_with("10.9.1.") && address != prefix;
    let last =
        watch.changes().into_iter().filter(|it| it.added && mine(it.address)).map(|it| it.at).max();
    cluster.client.ip("route add 10.9.1.0/24 dev eth0");
    for number in [1, 50, 100] {
        cluster.client.sh(&format!("ping -c 1 -W 5 10.9.1.{number} >/dev/null"));
        cluster.node(1).expect_absent(&format!("10.9.1.{number}"));
    }
    let refused = get(&cluster.client, SocketAddr::from(([10, 9, 1, 100], 80)), "/");
    assert!(refused.is_err(), "nothing listens there: {refused:?}");
    cluster.down();
    last.and_then(|last| last.duration_since(began).ok()).expect("addresses came to node2")
}
