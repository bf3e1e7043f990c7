//! Web servers under Pacemaker: started, watched, recovered, reloaded without a stop, stopped.

use std::net::SocketAddr;
use std::time::Duration;

use harness::cluster::Node;
use harness::process::wait_until;
use harness::visitor::{NO_ANSWER, Visitor, get};
use harness::{Cluster, call};

use crate::{SOON, one_node};

/// A server as Debian installs it.
struct Server {
    /// The agent, and the name of the server's processes.
    agent: &'static str,
    process: &'static str,
    pid_file: &'static str,
    configfile: &'static str,
}

const NGINX: Server = Server {
    agent: "nginx",
    process: "nginx",
    pid_file: "/run/nginx.pid",
    configfile: "/etc/nginx/nginx.conf",
};

const APACHE: Server = Server {
    agent: "apache",
    process: "apache2",
    pid_file: "/run/apache2/apache2.pid",
    configfile: "/etc/apache2/apache2.conf",
};

#[test]
fn nginx_comes_back_when_killed_and_reloads_without_a_restart() {
    let Some(cluster) = one_node(&["pcs", "crm", "nginx"]) else { return };
    life(&cluster, &NGINX, |node, id| {
        node.pcs(&format!(
            "resource create {id} ocf:native:nginx configfile={} op monitor interval=1s",
            NGINX.configfile
        ));
    });
    cluster.down();
}

#[test]
fn apache_comes_back_when_killed_and_reloads_without_a_restart() {
    let Some(cluster) = one_node(&["pcs", "crm", "apache2"]) else { return };
    life(&cluster, &APACHE, |node, id| {
        let file = APACHE.configfile;
        node.crm(&format!(
            "configure primitive {id} ocf:native:apache params configfile={file} op monitor \
             interval=1s"
        ));
    });
    cluster.down();
}

fn life(cluster: &Cluster, server: &Server, create: impl Fn(&Node, &str)) {
    let node = cluster.node(1);
    let site: SocketAddr = "10.9.0.1:80".parse().expect("an address");
    node.write("/var/www/html/index.html", "node1\n");
    create(node, "WEB");
    cluster.wait_for("the server started", SOON, |status| status.are_well(&["WEB"]));
    assert_eq!(get(&cluster.client, site, "/").as_deref(), Ok("node1"));
    let first = master(node, server);
    // Killed.
    node.kill_all(server.process);
    let back = wait_until(SOON, || {
        (get(&cluster.client, site, "/").as_deref() == Ok("node1")).then_some(())
    });
    assert!(back.is_some(), "it did not come back: {}", cluster.status());
    let status = cluster.wait_for("recovered", SOON, |status| {
        status.are_well(&["WEB"]) && !status.failures.is_empty()
    });
    assert!(
        status.failures.iter().all(|failed| failed.operation == "WEB_monitor_1000"),
        "{status}"
    );
    // Not cleaned up before the reload: Pacemaker forgets the parameters of the start, and would
    // restart for any change.
    cluster.wait_idle();
    let second = master(node, server);
    assert_ne!(first, second);
    // A new configuration, taken over when an administrator says so.
    if !call::foreign() {
        let starts = count(node, "start");
        let visitor = Visitor::on(&cluster.client, site);
        for (serial, tool) in [("1", "pcs"), ("2", "crm")] {
            let reloads = count(node, "reload-agent");
            match tool {
                "pcs" => node.pcs(&format!("resource update WEB config_serial={serial}")),
                _ => node.crm(&format!("resource param WEB set config_serial {serial}")),
            };
            cluster.wait_for("a reload", SOON, |_| count(node, "reload-agent") > reloads);
            cluster.wait_idle();
            assert_eq!(
                (master(node, server), count(node, "start")),
                (second, starts),
                "{:?}",
                node.results("WEB")
            );
        }
        let enough = wait_until(SOON, || visitor.last_pages(20));
        // Refused or cut off; on a busy machine an answer may come later than a visitor waits.
        let is_lost =
            |said: &Result<String, String>| said.as_ref().is_err_and(|why| why != NO_ANSWER);
        let lost: Vec<_> = visitor
            .requests()
            .into_iter()
            .filter(|it| it.ended.is_some() && is_lost(&it.said))
            .collect();
        assert!(enough.is_some() && lost.is_empty(), "requests were lost: {lost:#?}");
    }
    // Stopped: nothing is left.
    node.pcs("resource cleanup WEB");
    node.crm("resource stop WEB");
    let status =
        cluster.wait_for("stopped", SOON, |status| status.resource("WEB").role == "Stopped");
    assert!(status.failures.is_empty(), "{status}");
    assert_eq!(node.results("WEB").last().map(String::as_str), Some("stop: ok"));
    let gone = wait_until(Duration::from_secs(2), || {
        node.processes(server.process).is_empty().then_some(())
    });
    assert!(gone.is_some(), "{:?}", node.processes(server.process));
}

/// The number in the server's pid file.
fn master(node: &Node, server: &Server) -> u32 {
    node.sh(&format!("cat {}", server.pid_file))
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{}", server.agent))
}

fn count(node: &Node, task: &str) -> usize {
    node.results("WEB").iter().filter(|result| **result == format!("{task}: ok")).count()
}
