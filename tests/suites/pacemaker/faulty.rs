//! A faulty configuration, or a faulty value of a parameter, and a service that goes on: request by
//! request.

use std::net::SocketAddr;
use std::time::Duration;

use harness::cluster::Node;
use harness::process::wait_until;
use harness::visitor::{NO_ANSWER, Visitor};
use harness::{Cluster, call};

use crate::{SOON, one_node};

/// A server with a configuration of its own.
struct Server {
    agent: &'static str,
    configfile: &'static str,
    good: String,
    /// The same with a fault.
    faulty: String,
    /// A reloadable parameter.
    parameter: &'static str,
}

fn nginx() -> Server {
    let good = "user root; worker_processes 1; pid /run/n.pid; error_log /var/log/n.log; events \
                {}\nhttp { access_log off; server { listen 10.9.0.1:80; return 200 'node1\\n'; } \
                }\n";
    let faulty = format!("{good}bogus;\n");
    Server {
        agent: "nginx",
        configfile: "/etc/nginx/own.conf",
        good: good.into(),
        faulty,
        parameter: "stop_grace",
    }
}

fn apache() -> Server {
    let modules = ["mpm_event", "authz_core", "dir", "alias"]
        .map(|module| {
            format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
        })
        .concat();
    let good = format!(
        "ServerName web\nServerRoot /etc/apache2\n{modules}User www-data\nGroup www-data\n\
         PidFile /run/own.pid\n\
         ErrorLog /var/log/own.log\nListen 10.9.0.1:80\nDocumentRoot /var/www/html\n\
         DirectoryIndex index.html\n"
    );
    // No check of apache's sees this one; a graceful restart would end the server.
    let faulty = format!("{good}Listen 192.0.2.1:81\n");
    Server {
        agent: "apache",
        configfile: "/etc/apache2/own.conf",
        good,
        faulty,
        parameter: "max_latency",
    }
}

fn haproxy() -> Server {
    let good = "global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 1s\n  timeout \
                client 9s\n  timeout server 9s\n\
                frontend web\n  bind 10.9.0.1:80\n  http-request return status 200 content-type \
                text/plain string node1\n";
    let faulty = format!("{good}  bogus\n");
    Server {
        agent: "haproxy",
        configfile: "/etc/haproxy/own.cfg",
        good: good.into(),
        faulty,
        parameter: "min_up",
    }
}

#[test]
fn al_1_nginx_serves_on_with_a_faulty_configuration() {
    let Some(cluster) = one_node(&["pcs", "nginx"]) else { return };
    serves_on(cluster, &nginx());
}

#[test]
fn al_1_apache_serves_on_with_a_faulty_configuration() {
    let Some(cluster) = one_node(&["pcs", "apache2"]) else { return };
    serves_on(cluster, &apache());
}

#[test]
fn al_1_haproxy_serves_on_with_a_faulty_configuration() {
    let Some(cluster) = one_node(&["pcs", "haproxy"]) else { return };
    serves_on(cluster, &haproxy());
}

fn serves_on(cluster: Cluster, server: &Server) {
    if call::foreign() {
        return harness::skip::skip(
            "the agents under test are others, which promise nothing of the kind",
        );
    }
    let node = cluster.node(1);
    let site: SocketAddr = "10.9.0.1:80".parse().expect("an address");
    node.write("/var/www/html/index.html", "node1\n");
    node.write(server.configfile, &server.good);
    node.pcs(&format!(
        "resource create WEB ocf:native:{} configfile={} op monitor interval=1s",
        server.agent, server.configfile
    ));
    cluster.wait_for("the server started", SOON, |status| status.are_well(&["WEB"]));
    cluster.wait_idle();
    let visitor = Visitor::on(&cluster.client, site);
    let degraded = |why: &str| {
        cluster.wait_for(&format!("a monitor that reports {why}"), SOON, |status| {
            let is_this = |it: &&harness::cluster::Failure| {
                it.operation == "WEB_monitor_1000" && it.reason.contains(why)
            };
            status.failures.iter().find(is_this).is_some_and(|it| it.code == 190)
        })
    };
    let update = |change: &str| {
        let before = count(node, "reload-agent: ok");
        node.pcs(&format!("resource update WEB {change} --force"));
        cluster.wait_for(&format!("a reload after {change}"), SOON, |_| {
            count(node, "reload-agent: ok") > before
        });
    };
    // A faulty value, and back. Before any cleanup: it makes Pacemaker forget what the start was
    // given, and then each change is a restart.
    update(&format!("{}=nonsense", server.parameter));
    degraded(server.parameter);
    let well = count(node, "monitor: ok");
    update(&format!("{}=", server.parameter));
    cluster.wait_for("a monitor that finds all well", SOON, |_| count(node, "monitor: ok") > well);
    // A faulty file on all nodes, and a new serial.
    node.write(server.configfile, &server.faulty);
    update("config_serial=1");
    degraded("configuration refused");
    // Not until the cluster is idle: Pacemaker 3.0.0 never says so while a monitor is degraded.
    std::thread::sleep(Duration::from_secs(3));
    // Mended: the next monitor loads it.
    node.write(server.configfile, &server.good);
    let well = count(node, "monitor: ok");
    cluster.wait_for("a monitor that finds all well", SOON, |_| count(node, "monitor: ok") > well);
    node.pcs("resource cleanup WEB");
    cluster.wait_for("nothing to report", SOON, |status| {
        status.failures.is_empty() && status.are_well(&["WEB"])
    });
    cluster.wait_idle();
    let status = cluster.status();
    let enough = wait_until(SOON, || visitor.last_pages(20));
    let is_lost = |said: &Result<String, String>| said.as_ref().is_err_and(|why| why != NO_ANSWER);
    let lost: Vec<_> = visitor
        .requests()
        .into_iter()
        .filter(|it| it.ended.is_some() && is_lost(&it.said))
        .collect();
    assert!(
        enough.is_some() && lost.is_empty(),
        "{} requests were lost: {lost:#?}\n{status}",
        lost.len()
    );
    assert_eq!(
        (count(node, "start: ok"), count(node, "stop: ok")),
        (1, 0),
        "{:?}",
        node.results("WEB")
    );
    harness::tell::tell(&format!(
        "{}: 0 of {} requests lost",
        server.agent,
        visitor.requests().len()
    ));
    node.pcs("resource delete WEB --force");
    expect_no_assertion(node);
    cluster.down();
}

fn count(node: &Node, result: &str) -> usize {
    node.results("WEB").iter().filter(|found| *found == result).count()
}

/// Meta-data that Pacemaker cannot take makes its controller log failed assertions.
#[track_caller]
pub fn expect_no_assertion(node: &Node) {
    let log = node.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("assertion")).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}
