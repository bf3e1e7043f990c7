//! What is on each node and of no resource: a run may not change it.

use std::collections::BTreeSet;

use super::{SERVICES, Service};
use crate::cluster::Node;
use crate::host::Resident;
use crate::soak::scene;

/// The last part of the address that is no resource's, without the node's number.
const ADDRESS: usize = 200;

/// A route that is no resource's, and goes with no device.
const ROUTE: &str = "10.77.0.0/24";

/// Files that are no resource's, one of them beside the agents' state.
const FILES: [&str; 2] = ["/run/stranger/keep", "/run/resource-agents/stranger.pid"];

/// The strangers of one node, from one boot to the next.
#[derive(Debug)]
pub struct Strangers {
    servers: Vec<Resident>,
    address: String,
    firewall: String,
}

impl Strangers {
    /// Starts servers of the same programs with configurations of their own, the same once more in
    /// containers, and leaves an address, a route, files and a firewall rule.
    #[must_use]
    pub fn on(node: &Node, number: usize) -> Strangers {
        node.sh("mkdir -p /run/stranger/log
             cat >/run/stranger/nginx.conf <<'E'
user root; worker_processes 1; pid /run/stranger/nginx.pid; daemon off; error_log \
/run/stranger/log/nginx;
events { worker_connections 64; }
http { access_log off; server { listen 127.0.0.1:8990; location / { return 200 stranger; } } }
E
             cat >/run/stranger/haproxy.cfg <<'E'
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend f
  bind 127.0.0.1:8991
E
             cat >/run/stranger/apache.conf <<'E'
ServerRoot /etc/apache2
Listen 127.0.0.1:8992
ServerName stranger
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
PidFile /run/stranger/apache.pid
ErrorLog /run/stranger/log/apache
StartServers 1
E");
        let address = format!("10.9.0.{}", ADDRESS + number);
        node.ip(&format!("address add {address}/24 dev eth0"));
        node.ip(&format!("route add blackhole {ROUTE}"));
        // Not every kernel has it.
        let _ = node.run(
            "nft",
            &["add table ip stranger; add chain ip stranger c; add rule ip stranger c counter \
                accept"],
        );
        for file in FILES {
            node.write(file, "4711\n");
        }
        let mut servers = vec![
            node.spawn("nginx", &["-c", "/run/stranger/nginx.conf"]),
            node.spawn("haproxy", &["-W", "-f", "/run/stranger/haproxy.cfg"]),
            node.spawn("apache2", &["-DFOREGROUND", "-f", "/run/stranger/apache.conf"]),
        ];
        servers.extend(SERVICES.iter().map(|service| contain(node, service)));
        // Their workers come a moment later.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let ended = servers.iter_mut().position(|server| !server.is_alive());
        assert_eq!(ended, None, "{}: a server of others has not stayed", node.name());
        Strangers { servers, address, firewall: firewall(node) }
    }

    /// The processes that were started, by their numbers outside; their children are strangers,
    /// too.
    #[must_use]
    pub fn roots(&self) -> BTreeSet<i32> {
        self.servers.iter().map(Resident::pid).collect()
    }

    /// What of all but the processes is not as it was.
    #[must_use]
    pub fn changes(&self, node: &Node) -> Vec<String> {
        let mut changes = Vec::new();
        if node.seen(&self.address).is_empty() {
            changes.push(format!("the address {} is gone", self.address));
        }
        if !node.ip("route show type blackhole").contains("10.77.0.0") {
            changes.push(format!("the route to {ROUTE} is gone"));
        }
        for file in FILES {
            if std::fs::read_to_string(node.outside(file)).ok().as_deref() != Some("4711\n") {
                changes.push(format!("{file} is not as it was"));
            }
        }
        if firewall(node) != self.firewall {
            changes.push("the firewall's rules are not as they were".to_owned());
        }
        changes
    }
}

/// A container on the node's network with the service's program: files and numbers of processes are
/// its own, and there its configuration, its pid file and its command line have the same names as
/// the resource's.
fn contain(node: &Node, service: &Service) -> Resident {
    let path = scene::configuration(service).0;
    let (pid_file, port) = (scene::pid_file(service), service.port + 1000);
    let (text, command) = match service.agent {
        "nginx" => (
            format!(
                "user root;\nworker_processes 1;\npid {pid_file};\nerror_log /run/error;\n\
                 events {{ worker_connections 64; }}\nhttp {{ access_log off;\n  \
                 server {{ listen 127.0.0.1:{port}; location / {{ return 200 contained; }} }} }}\n"
            ),
            format!("nginx -g 'daemon off;' -c {path}"),
        ),
        "haproxy" => (
            format!(
                "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  \
                 timeout server 1s\nfrontend web\n  bind 127.0.0.1:{port}\n"
            ),
            format!("haproxy -W -p {pid_file} -f {path}"),
        ),
        _ => (
            format!(
                "ServerRoot /etc/apache2\nListen 127.0.0.1:{port}\nServerName contained\n\
                 LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
                 LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
                 PidFile {pid_file}\nErrorLog /run/error\nStartServers 1\n"
            ),
            format!("apache2 -DFOREGROUND -f {path}"),
        ),
    };
    let outside = format!("/run/stranger/contained-{}", service.agent);
    node.write(&outside, &text);
    let script = format!(
        "mount --bind {outside} {path}; mount -t tmpfs run /run; mount -t proc proc /proc; exec \
         {command}"
    );
    node.spawn("unshare", &["--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", &script])
}

/// The strangers' rules, without the counts of packets.
fn firewall(node: &Node) -> String {
    node.run("nft", &["--stateless", "list", "table", "ip", "stranger"]).stdout
}
