//! Two load balancers with an address on each side, and a farm of three behind them.

use std::time::{Duration, Instant};

use harness::cluster::{Builder, Node};
use harness::host::Resident;
use harness::onlooker::Onlooker;
use harness::process::wait_until;
use harness::rig::Net;
use harness::skip::skip;
use harness::visitor::get;
use harness::{Cluster, Host, call};

use crate::{SOON, tell, turn};

/// The address that the world asks for.
pub const OUTER: &str = "192.168.1.200";
/// The farm's gateway.
pub const INNER: &str = "10.0.100.200";

/// The farm's numbers, which are the last parts of its addresses.
pub const FARM: [usize; 3] = [12, 13, 14];

/// The resources.
pub const ALL: [&str; 3] = ["VIP_externa", "VIP_interna", "HAproxy"];

/// A web server of the farm, whose gateway is the balancers' inner address.
pub struct Server {
    pub host: Host,
    number: usize,
    nginx: Option<Resident>,
}

impl Server {
    fn new(cluster: &Cluster, number: usize) -> Server {
        let host = Host::builder(&format!("web{number}"))
            .tmpfs("/var/log")
            .tmpfs("/var/lib/nginx")
            .tmpfs("/srv")
            .start();
        cluster.lan(2).wire(number, &host);
        host.ip(&format!("route add default via {INNER}"));
        host.sh(&format!(
            "mkdir /var/log/nginx; echo web{number} > /srv/index.html; cat > /run/nginx.conf <<'END'
user root; worker_processes 1; pid /run/nginx.pid; daemon off; error_log /var/log/nginx/error.log;
events {{ worker_connections 256; }}
http {{ access_log off; server {{ listen 80; root /srv; }} }}
END"
        ));
        Server { host, number, nginx: None }
    }

    pub fn start(&mut self) {
        self.nginx = Some(self.host.spawn("nginx", &["-c", "/run/nginx.conf"]));
    }

    /// Ends it as an administrator does.
    pub fn stop(&mut self) {
        let ended = self.nginx.take().is_none_or(|mut nginx| nginx.end(Duration::from_secs(20)));
        assert!(ended, "the server of web{} does not end", self.number);
    }
}

/// haproxy on both nodes alike: the outer address to the farm, and a page of its own when no server
/// is there.
fn configure(node: &Node) {
    let servers: String = FARM
        .iter()
        .map(|it| format!("  server web{it} 10.0.100.{it}:80 check inter 300ms fall 2 rise 1\n"))
        .collect();
    node.sh("mkdir -p /etc/haproxy/errors /run/haproxy");
    node.write(
        "/etc/haproxy/errors/none.http",
        "HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
         nobody is there\n",
    );
    node.write(
        "/etc/haproxy/haproxy.cfg",
        &format!(
            "global\n  maxconn 500\ndefaults\n  mode http\n  option redispatch\n  retries 3\n  \
             timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n  errorfile 503 \
             /etc/haproxy/errors/none.http\n\
             frontend web\n  bind {OUTER}:80\n  default_backend farm\n\
             backend farm\n  balance roundrobin\n  option httpchk GET /\n{servers}"
        ),
    );
    forward(node);
}

/// A balancer is the farm's gateway.
pub fn forward(node: &Node) {
    node.sysctl("net/ipv4/ip_forward", "1");
}

/// The node that has all of it.
pub fn owner(cluster: &Cluster) -> String {
    let status = cluster.wait_for("addresses and haproxy together", SOON, |status| {
        let place = status.are_well(&ALL).then(|| status.resource("HAproxy").nodes.clone());
        place.is_some_and(|place| ALL.iter().all(|id| status.resource(id).nodes == place))
    });
    status.resource("HAproxy").nodes[0].clone()
}

/// Both balancers, the farm, and the world that asks; all of it works, with haproxy as a resource
/// of this definition.
pub fn balancers(cluster: Builder, definition: &str) -> (Cluster, Vec<Server>, Onlooker) {
    let cluster = cluster
        .also(Net::of("enp0s3", "192.168.1", 10, 2))
        .also(Net::of("enp0s8", "10.0.100", 0, 3))
        .property("no-quorum-policy", "ignore")
        .start();
    cluster.alive().for_each(configure);
    let mut farm: Vec<Server> =
        FARM.into_iter().map(|number| Server::new(&cluster, number)).collect();
    farm.iter_mut().for_each(Server::start);
    create(cluster.node(1), definition);
    assert_eq!(owner(&cluster), "node1");
    let look = Onlooker::of(&cluster, OUTER, "enp0s3");
    look.expect_page(&cluster, &[]);
    // All three serve; and the farm reaches the world by the inner address.
    let pages = look.visitor.last_pages(20).unwrap_or_default();
    assert!(FARM.iter().all(|it| pages.contains(&format!("web{it}"))), "{pages:?}");
    cluster.client.ip(&format!("route add 10.0.100.0/24 via {OUTER}"));
    gateway(&farm);
    (cluster, farm, look)
}

/// The farm reaches the client.
pub fn gateway(farm: &[Server]) {
    farm[0].host.sh("ping -c 1 -W 5 192.168.1.110 >/dev/null");
}

/// Waits until the client gets no page.
pub fn expect_nobody(cluster: &Cluster) {
    let noticed = wait_until(SOON, || get(&cluster.client, site(), "/").is_err().then_some(()));
    assert!(noticed.is_some(), "the site is still served");
}

/// Waits until haproxy itself says that no server is there.
pub fn expect_own_page(cluster: &Cluster) {
    let none = wait_until(SOON, || {
        (get(&cluster.client, site(), "/") == Err("status 503".into())).then_some(())
    });
    assert!(none.is_some(), "the page for a farm without servers");
}

#[test]
#[ignore = "takes two minutes: make cluster-test"]
fn a_pair_of_load_balancers_survives_what_was_tried_on_them() {
    let Some(_turn) = turn(&["pcs", "nginx", "haproxy", "ab"]) else { return };
    if !call::is_there("haproxy") {
        return skip("the agent haproxy is not built");
    }
    let definition = "ocf:native:haproxy configfile=/etc/haproxy/haproxy.cfg";
    let (mut cluster, mut farm, mut look) = balancers(Cluster::builder(2), definition);
    assert_eq!(load(&cluster, 100), 0, "requests of ab failed");

    // haproxy killed: at most the monitor's five seconds, and what a busy machine takes.
    let seen = look.during(&mut cluster, "haproxy killed", &[], |cluster| {
        cluster.node(1).kill_all("haproxy");
        expect_nobody(cluster);
    });
    assert!(seen.outage.longest_gap < Duration::from_secs(5 + 15), "{:?}", seen.outage);
    assert_eq!(owner(&cluster), "node1");

    // Real servers, one by one: haproxy asks another one, so that next to nothing is lost.
    for index in 0..2 {
        look.during(&mut cluster, &format!("web{} stopped", FARM[index]), &[], |_| {
            farm[index].stop()
        });
    }
    look.during(&mut cluster, "one server is left", &["web14"], |_| {});
    assert_eq!(load(&cluster, 300), 0, "requests of ab failed");
    farm[2].stop();
    expect_own_page(&cluster);
    let status = cluster.wait_idle();
    assert!(status.are_well(&ALL), "dead servers are no reason to move: {status}");
    look.during(&mut cluster, "the farm is back", &[], |_| farm.iter_mut().for_each(Server::start));

    // A balancer without power, while ten at once ask; then back, for it is preferred. Its cables
    // are dead at once: no page after it is its own. A lone request may outlast the move, and be
    // answered.
    let seen = look.during(&mut cluster, "balancer without power", &[], |cluster| cluster.kill(1));
    assert!(!seen.announced.is_empty());
    assert_eq!(owner(&cluster), "node2");
    gateway(&farm);
    look.during(&mut cluster, "balancer back", &[], |cluster| {
        cluster.revive(1);
        forward(cluster.node(1));
    });
    let home = wait_until(SOON, || (owner(&cluster) == "node1").then_some(()));
    assert!(home.is_some(), "{}", cluster.status());

    // The nodes' own cable: both balance, which is what no fencing means; healed, one of them does.
    look.during(&mut cluster, "heartbeat cable pulled", &[], |cluster| {
        cluster.cable(1, false);
        let both = wait_until(SOON, || {
            cluster.alive().all(|node| !node.seen(OUTER).is_empty()).then_some(())
        });
        assert!(both.is_some(), "two nodes that do not hear each other");
    });
    look.during(&mut cluster, "heartbeat cable back", &[], |cluster| {
        cluster.cable(1, true);
        cluster.wait_for("one cluster", SOON, |status| status.online() == 2);
        cluster.wait_idle();
    });
    let last = owner(&cluster);
    let other = cluster.alive().find(|node| node.name() != last).expect("the other node");
    [OUTER, INNER].into_iter().for_each(|vip| other.expect_absent(vip));
    assert_eq!(other.processes("haproxy"), [] as [i32; 0]);
    gateway(&farm);
    assert_eq!(load(&cluster, 300), 0, "requests of ab failed");
    drop((look, farm));
    cluster.down();
}

/// As the administrator types it.
fn create(admin: &Node, definition: &str) {
    for (id, ip, nic) in [("VIP_externa", OUTER, "enp0s3"), ("VIP_interna", INNER, "enp0s8")] {
        admin.pcs(&format!(
            "resource create {id} ocf:native:IPaddr2 ip={ip} nic={nic} cidr_netmask=24 op monitor \
             interval=10s"
        ));
    }
    admin.pcs(&format!("resource create HAproxy {definition} op monitor interval=5s --disabled"));
    admin.pcs("constraint colocation add VIP_externa with VIP_interna INFINITY");
    admin.pcs("constraint colocation add VIP_interna with HAproxy INFINITY");
    admin.pcs("constraint order set VIP_externa VIP_interna HAproxy");
    admin.pcs("constraint location HAproxy prefers node1");
    admin.pcs("resource enable HAproxy");
}

fn site() -> std::net::SocketAddr {
    format!("{OUTER}:80").parse().expect("an address")
}

/// Ten at a time; how many failed.
pub fn load(cluster: &Cluster, count: usize) -> usize {
    let began = Instant::now();
    let words =
        ["-q", "-r", "-s", "20", "-c", "10", "-n", &count.to_string(), &format!("http://{OUTER}/")];
    let done = cluster.client.run("ab", &words);
    let number = |name: &str| -> usize {
        let line = done.stdout.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
    };
    let (complete, bad) = (number("Complete requests:"), number("Non-2xx responses:"));
    // Pages of different lengths are failures to ab; these are of one length.
    let failed = number("Failed requests:") + bad + (count - complete);
    tell(&format!(
        "ab -n {count} -c 10: {failed} failed, {:.0} a second",
        count as f64 / began.elapsed().as_secs_f64()
    ));
    failed
}
