//! Two directors under Pacemaker, as heartbeat's `lvs01 VIP ldirectord` had them: the address of the clients, the gateway of
//! the real servers, and the daemon, one group.

use std::time::Duration;

use harness::cluster::missing;
use harness::process::wait_until;
use harness::skip::skip;
use harness::{Cluster, Host};

use crate::rig::{VIP, page};
use crate::{CONF, has};

/// Until a cluster must have done something, in a slow kernel on a busy machine.
const SOON: Duration = Duration::from_secs(240);

/// Two real servers in namespaces of their own on the client, on the same wire.
const REALS: &str = "ip link add br0 type bridge forward_delay 0; ip link set br0 up
ip -4 address show dev eth0 | sed -n 's/.*inet \\([^ ]*\\).*/\\1/p' > /run/own
ip address flush dev eth0; ip link set eth0 master br0; ip address add $(cat /run/own) dev br0
for n in 0 1; do
    ip netns add rs$n; ip link add port$n type veth peer name eth0 netns rs$n; ip link set port$n master br0 up
    ip -n rs$n link set lo up; ip -n rs$n address add 10.240.0.2$n/24 dev eth0; ip -n rs$n link set eth0 up
    ip -n rs$n route add default via 10.240.0.1
    mkdir -p /run/rs$n/www; echo rs$n > /run/rs$n/www/index.html; echo 'this is a test page' > /run/rs$n/www/.testpage
    chmod 755 /run/rs$n /run/rs$n/www
    printf 'user root; worker_processes 1; pid /run/rs%s/pid; error_log /run/rs%s/error; events {}\\n' $n $n > /run/rs$n/conf
    printf 'http { access_log off; server { listen *:80; root /run/rs%s/www; } }\\n' $n >> /run/rs$n/conf
    ip netns exec rs$n nginx -c /run/rs$n/conf
done";

fn primitive(id: &str, kind: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: String = parameters
        .iter()
        .map(|(name, value)| format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    let operation = |name: &str, interval: &str| {
        format!(r#"<op id="{id}-{name}" name="{name}" interval="{interval}" timeout="120s"/>"#)
    };
    let operations = [operation("start", "0"), operation("stop", "0"), operation("monitor", "10s")].concat();
    format!(
        r#"<primitive id="{id}" class="ocf" provider="native" type="{kind}"><instance_attributes id="{id}-p">{pairs}</instance_attributes><operations>{operations}</operations></primitive>"#
    )
}

/// Both real servers answer clients of the address.
#[track_caller]
fn expect_served(client: &Host) {
    let url = format!("http://{VIP}/");
    let mut last = String::new();
    let both = wait_until(SOON, || {
        last = page(client, &[&url, &url, &url, &url]);
        let mut lines: Vec<&str> = last.lines().collect();
        lines.sort_unstable();
        (lines == ["rs0", "rs0", "rs1", "rs1"]).then_some(())
    });
    assert!(both.is_some(), "{last}");
}

#[test]
#[ignore = "a cluster takes minutes in a kernel of its own"]
fn the_director_moves_when_its_node_dies_and_when_it_is_told_to() {
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm", "/usr/sbin/nginx"]) {
        return;
    }
    if let Some(reason) = missing() {
        return skip(&reason);
    }
    harness::uml::with_ipvs(Duration::from_secs(1500), || {
        let mut cluster = Cluster::builder(2).token(Duration::from_secs(10)).start();
        cluster.client.sh(REALS);
        let conf = format!(
            "checktimeout=20\ncheckinterval=1\nquiescent=yes\nvirtual={VIP}:80\n\treal=10.240.0.20:80 masq\n\treal=10.240.0.21:80 masq\n\
             \tservice=http\n\trequest=\".testpage\"\n\treceive=\"test page\"\n\tscheduler=rr\n\tprotocol=tcp\n\tchecktype=negotiate\n"
        );
        for number in [1, 2] {
            cluster.node(number).sh("mkdir -p /etc/ha.d; sysctl -qw net.ipv4.ip_forward=1");
            cluster.node(number).write(CONF, &conf);
        }
        let group = [
            primitive("VIP", "IPaddr2", &[("ip", VIP), ("cidr_netmask", "24")]),
            primitive("GATEWAY", "IPaddr2", &[("ip", "10.240.0.1"), ("cidr_netmask", "24"), ("nic", "eth0")]),
            primitive("LVS", "ldirectord", &[]),
        ];
        let xml = format!(r#"<group id="director">{}</group>"#, group.concat());
        cluster.node(1).expect("cibadmin", &["--create", "--scope", "resources", "--xml-text", &xml]);
        let all = ["VIP", "GATEWAY", "LVS"];
        let status = cluster.wait_for("the director on a node", SOON, |status| status.are_well(&all));
        let first = status.resource("LVS").nodes[0].clone();
        expect_served(&cluster.client);
        let moved = |status: &harness::cluster::Status, from: &str| {
            status.are_well(&all) && status.resource("LVS").nodes.iter().all(|node| node != from)
        };
        // Told to move: nothing is left on the old node.
        cluster.named(&first).expect("crm_standby", &["-N", &first, "-v", "on"]);
        cluster.wait_for("the director on the other node", SOON, |status| moved(status, &first));
        expect_served(&cluster.client);
        assert_eq!(crate::table(cluster.named(&first)), [""; 0]);
        cluster.named(&first).expect_absent(VIP);
        cluster.named(&first).expect("crm_standby", &["-N", &first, "-D"]);
        let status = cluster.wait_idle();
        let second = status.resource("LVS").nodes[0].clone();
        assert_ne!(second, first);
        // Its node dies.
        cluster.kill(if second == "node1" { 1 } else { 2 });
        cluster.wait_for("the director on the node that is left", SOON, |status| moved(status, &second));
        expect_served(&cluster.client);
        cluster.down();
    });
}
