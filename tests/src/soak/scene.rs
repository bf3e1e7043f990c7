//! The cluster of a run: three nodes, the services, and the farm behind the balancer.

use std::fmt::Write as _;
use std::path::Path;

use super::plan::Plan;
use super::{CLONED, NODES, SERVICES, Service, UNIT};
use crate::cluster::{Cluster, Node};
use crate::host::{Host, Resident, built_directory};

/// The last part of the farm's address.
const FARM: usize = 12;

/// The ports of its servers.
const BACKENDS: [u16; 3] = [8101, 8102, 8103];

/// The provider under which the cluster calls all agents: what notes the calls.
const SHIM: &str = "soak";

/// A unit that only runs.
const UNIT_FILE: &str = "[Service]\nExecStart=/usr/local/bin/soak-unit infinity\n";

/// Where the agents keep their state.
pub const STATE: &str = "/run/resource-agents";

/// Where the configuration of each service is, and a line that its server refuses.
#[must_use]
pub fn configuration(service: &Service) -> (&'static str, &'static str) {
    match service.agent {
        "nginx" => ("/etc/nginx/soak.conf", "no_such_directive;"),
        "haproxy" => ("/etc/haproxy/soak.cfg", "no_such_section"),
        _ => ("/etc/apache2/soak.conf", "NoSuchDirective"),
    }
}

/// Where the master process of a service leaves its number.
#[must_use]
pub fn pid_file(service: &Service) -> String {
    format!("/run/{}-soak.pid", service.agent)
}

/// The farm: a machine with three web servers.
#[derive(Debug)]
pub struct Farm {
    // Dropped in this order.
    _nginx: Resident,
    _host: Host,
}

/// Makes the cluster and the farm; the services are not there yet.
#[must_use]
pub fn build(plan: &Plan, disks: &Path) -> (Cluster, Farm) {
    let fencing = if plan.fencing { "true" } else { "false" };
    let mut builder = Cluster::builder(NODES)
        .disks_in(disks)
        .property("stonith-enabled", fencing)
        // The end of each call goes to its log.
        .environment("PCMK_debug=pacemaker-execd");
    if plan.systemd {
        builder = builder.systemd();
    }
    let cluster = builder.start();
    let farm = farm(&cluster);
    for number in 1..=NODES {
        furnish(cluster.node(number), plan);
        power_on(cluster.node(number));
    }
    (cluster, farm)
}

fn farm(cluster: &Cluster) -> Farm {
    let host =
        Host::builder("farm").tmpfs("/var/log").tmpfs("/var/lib/nginx").tmpfs("/srv").start();
    cluster.lan(0).wire(FARM, &host);
    let servers: String = BACKENDS
        .iter()
        .map(|port| format!("server {{ listen {port}; location / {{ return 200 farm; }} }}\n"))
        .collect();
    host.sh(&format!(
        "mkdir /var/log/nginx; cat > /run/nginx.conf <<'END'
user root; worker_processes 1; pid /run/nginx.pid; daemon off; error_log /var/log/nginx/error.log;
events {{ worker_connections 512; }}
http {{ access_log off; default_type text/plain; {servers} }}
END"
    ));
    let nginx = host.spawn("nginx", &["-c", "/run/nginx.conf"]);
    Farm { _nginx: nginx, _host: host }
}

/// What is on a node's disk.
fn furnish(node: &Node, plan: &Plan) {
    let shim = built_directory().join("ocf-test-shim");
    let shims: String = ["IPaddr2", "nginx", "haproxy", "apache", "systemd"]
        .map(|kind| format!("ln -sf {} /usr/lib/ocf/resource.d/{SHIM}/{kind}\n", shim.display()))
        .concat();
    node.sh(&format!(
        "mkdir -p /etc/soak /opt/soak /usr/lib/ocf/resource.d/{SHIM} /srv/site /etc/haproxy \
         /var/log/apache2 /var/log/nginx
         echo {} >/etc/soak/provider; echo {} >/srv/site/index.html\n{shims}",
        plan.provider,
        node.name()
    ));
    for service in &SERVICES {
        node.write(configuration(service).0, &text_of(service));
    }
    if plan.systemd {
        node.write("/etc/systemd/system/soak.service", UNIT_FILE);
        node.sh(&format!("cp /bin/sleep /usr/local/bin/{}; systemctl daemon-reload", UNIT.1));
    }
    if plan.fencing {
        node.write("/usr/sbin/fence_harness", FENCE);
        node.sh("chmod 755 /usr/sbin/fence_harness");
    }
}

/// What a node needs after each of its boots, before the cluster's daemons.
pub fn power_on(node: &Node) {
    node.sh(&format!(
        "rm -f /etc/soak/kill; mkdir -p {STATE}; mountpoint -q {STATE} || mount -t tmpfs -o \
         size=1m,mode=1755 state {STATE}"
    ));
}

/// The right configuration of a service.
#[must_use]
pub fn text_of(service: &Service) -> String {
    match service.agent {
        "nginx" => format!(
            "user www-data;\nworker_processes 2;\npid {};\n\
             error_log /var/log/nginx/soak.log;\nevents {{ worker_connections 256; }}\n\
             http {{\n  access_log off;\n  server {{\n    listen 80; listen [::]:80; root \
             /srv/site;\n    \
             location /status {{ stub_status; }}\n  }}\n}}\n",
            pid_file(service)
        ),
        "haproxy" => {
            let servers: String = BACKENDS
                .iter()
                .map(|port| {
                    format!(
                        "  server web{port} 10.9.0.{FARM}:{port} check inter 500ms fall 3 rise 1\n"
                    )
                })
                .collect();
            format!(
                "global\n  maxconn 500\ndefaults\n  mode http\n  option redispatch\n  retries 3\n  \
                 timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n\
                 frontend web\n  bind {}:{}\n  default_backend farm\n\
                 backend farm\n  balance roundrobin\n{servers}",
                service.addresses[0].1, service.port
            )
        }
        _ => {
            let modules: String =
                ["mpm_event", "authz_core", "authz_host", "dir", "mime", "status"]
                    .map(|name| {
                        format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
                    })
                    .concat();
            format!(
                "ServerRoot /etc/apache2\nListen {}\nServerName site\n{modules}User www-data\n\
                 Group www-data\nPidFile {}\nErrorLog /var/log/apache2/soak.log\n\
                 TypesConfig /etc/mime.types\nDocumentRoot /srv/site\nDirectoryIndex index.html\n\
                 <Location /server-status>\n  SetHandler server-status\n  Require ip 127.0.0.1\n\
                 </Location>\n",
                service.port,
                pid_file(service)
            )
        }
    }
}

/// Creates the resources, as their administrator would.
pub fn create(cluster: &Cluster, plan: &Plan) {
    let admin = cluster.anyone();
    admin.expect(
        "crm_attribute",
        &["--type", "rsc_defaults", "--name", "resource-stickiness", "--update", "100"],
    );
    let mut xml = String::from("<resources>");
    for service in &SERVICES {
        let members: String = service
            .addresses
            .iter()
            .map(|(id, address)| self::address(id, address, "eth0", plan))
            .chain([server(service, plan)])
            .collect();
        let _ = write!(xml, "<group id=\"{}\">{members}</group>", service.name);
    }
    if plan.has_clone() {
        let _ = write!(
            xml,
            "<clone id=\"{}S\">{}</clone>",
            CLONED.0,
            address(CLONED.0, CLONED.1, "lo", plan)
        );
    }
    if plan.systemd {
        xml += &primitive(UNIT.0, "systemd", &[("unit", "soak.service")], plan, true);
    }
    if plan.fencing {
        xml += "<primitive id=\"FENCE\" class=\"stonith\" type=\"fence_harness\">\
                <instance_attributes id=\"FENCE-a\"><nvpair id=\"FENCE-h\" name=\"pcmk_host_list\" \
                value=\"node1 node2 node3\"/></instance_attributes></primitive>";
    }
    xml += "</resources>";
    admin.expect("cibadmin", &["--replace", "--scope", "resources", "--xml-text", &xml]);
}

fn address(id: &str, address: &str, nic: &str, plan: &Plan) -> String {
    let prefix = match (address.contains(':'), nic) {
        (true, _) => "64",
        (_, "lo") => "32",
        _ => "24",
    };
    let parameters = [("ip", address), ("cidr_netmask", prefix), ("nic", nic)];
    primitive(id, "IPaddr2", &parameters, plan, nic != "lo")
}

fn server(service: &Service, plan: &Plan) -> String {
    let mut parameters = vec![("configfile", configuration(service).0)];
    if service.agent == "apache" {
        parameters.push(("statusurl", "http://127.0.0.1:8080/server-status"));
    }
    primitive(service.server, service.agent, &parameters, plan, true)
}

fn primitive(
    id: &str,
    kind: &str,
    parameters: &[(&str, &str)],
    plan: &Plan,
    may_watch: bool,
) -> String {
    let watch = plan.watch && may_watch;
    let mut xml = format!(
        "<primitive id=\"{id}\" class=\"ocf\" provider=\"{SHIM}\" \
         type=\"{kind}\"><instance_attributes id=\"{id}-a\">"
    );
    for (name, value) in parameters.iter().chain(watch.then_some(&("watch", "30s"))) {
        let _ = write!(xml, "<nvpair id=\"{id}-a-{name}\" name=\"{name}\" value=\"{value}\"/>");
    }
    let monitor =
        if watch { "interval=\"1s\" timeout=\"60s\"" } else { "interval=\"2s\" timeout=\"20s\"" };
    let _ = write!(
        xml,
        "</instance_attributes><operations><op id=\"{id}-m\" name=\"monitor\" {monitor}/>\
         <op id=\"{id}-s\" name=\"start\" interval=\"0s\" timeout=\"40s\"/>\
         <op id=\"{id}-p\" name=\"stop\" interval=\"0s\" timeout=\"60s\"/></operations></primitive>"
    );
    xml
}

/// Where the fence agent leaves its requests.
pub const FENCES: &str = "/run/fence";

/// Asks the harness, which looks into each node's [`FENCES`], to cut a node's power.
const FENCE: &str = r#"#!/bin/sh
while read -r line; do
    case $line in
    action=* | option=*) action=${line#*=} ;;
    nodename=* | port=* | plug=*) node=${line#*=} ;;
    esac
done
case $action in
metadata)
    cat <<'END'
<?xml version="1.0" ?>
<resource-agent name="fence_harness" shortdesc="cuts the power of a simulated machine">
<longdesc>Asks the harness.</longdesc>
<parameters>
<parameter name="action" unique="0" required="1"><content type="string" default="reboot"/>
<shortdesc lang="en">what to do</shortdesc></parameter>
<parameter name="port" unique="0" required="0"><content type="string"/>
<shortdesc lang="en">which machine</shortdesc></parameter>
</parameters>
<actions><action name="on"/><action name="off"/><action name="reboot"/><action name="status"/>
<action name="monitor"/><action name="metadata"/></actions>
</resource-agent>
END
    ;;
off | reboot)
    mkdir -p /run/fence
    : >"/run/fence/$node.wanted"
    for _ in $(seq 200); do
        [ ! -e "/run/fence/$node.wanted" ] && exit 0
        sleep 0.1
    done
    exit 1
    ;;
esac
exit 0
"#;
