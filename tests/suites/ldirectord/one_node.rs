//! A director under a Pacemaker of one node: faults that must cost nothing, and one that must be
//! seen at once. The real server is on the director itself, at another port.

use std::time::Duration;

use harness::Cluster;
use harness::cluster::{Failure, Node, Status};
use harness::process::wait_until;
use harness::visitor::{NO_ANSWER, Visitor};

use crate::pair::{PACE, SOON, with_pairs};
use crate::rig::VIP;
use crate::{CONF, table};

/// The resource. Its monitors wait, as soon as all is well.
const DIRECTOR: &str = r#"<primitive id="LVS" class="ocf" provider="native" type="ldirectord">
  <instance_attributes id="LVS-p">
    <nvpair id="LVS-watch" name="watch" value="30s"/>
    <nvpair id="LVS-serial" name="config_serial" value="1"/>
  </instance_attributes>
  <operations>
    <op id="LVS-start" name="start" interval="0s" timeout="120s"/>
    <op id="LVS-stop" name="stop" interval="0s" timeout="120s"/>
    <op id="LVS-reload" name="reload-agent" interval="0s" timeout="120s"/>
    <op id="LVS-monitor" name="monitor" interval="2s" timeout="120s"/>
  </operations></primitive>"#;

/// The real server.
const SERVER: &str = "user root; worker_processes 1; pid /run/real.pid; error_log /run/real.error; \
    events {}\nhttp { access_log off; server { listen 10.9.0.1:8080; return 200 'node1\\n'; } }\n";

/// The address of the clients, and services on these ports of it.
fn configuration(ports: &[u16]) -> String {
    let section = |port: &u16| {
        format!(
            "virtual={VIP}:{port}\n\treal=10.9.0.1:8080 masq\n\tservice=http\n\trequest=\"/\"\n\
             \treceive=\"node1\"\n\tscheduler=rr\n\tprotocol=tcp\n\tchecktype=negotiate\n"
        )
    };
    let sections: String = ports.iter().map(section).collect();
    format!("checktimeout=20\ncheckinterval=1\nquiescent=no\n{sections}")
}

fn count(node: &Node, result: &str) -> usize {
    node.results("LVS").iter().filter(|found| *found == result).count()
}

/// What the recurring monitor has reported and Pacemaker shows.
fn reported(status: &Status) -> Option<&Failure> {
    status.failures.iter().find(|failed| failed.operation == "LVS_monitor_2000")
}

/// Changes a parameter that can be reloaded; returns when it was.
fn update(cluster: &Cluster, name: &str, value: &str) {
    let node = cluster.node(1);
    let before = count(node, "reload-agent: ok");
    let words = ["--resource", "LVS", "--set-parameter", name, "--parameter-value", value];
    node.expect("crm_resource", &words);
    cluster.wait_for(&format!("a reload after {name}={value}"), SOON, |_| {
        count(node, "reload-agent: ok") > before
    });
}

#[test]
#[ignore = "a cluster takes minutes in a kernel of its own: make test-slow"]
fn al_1_a_fault_costs_no_request_and_a_death_is_seen_by_the_monitor_that_waits() {
    with_pairs(Duration::from_secs(1200), || {
        let cluster = Cluster::builder(1).token(Duration::from_secs(10)).start();
        let node = cluster.node(1);
        node.sh(&format!("mkdir -p /etc/ha.d; ip address add {VIP}/32 dev eth0"));
        node.write("/etc/nginx/real.conf", SERVER);
        node.sh("nginx -c /etc/nginx/real.conf");
        node.write(CONF, &configuration(&[80]));
        node.expect("cibadmin", &["--create", "--scope", "resources", "--xml-text", DIRECTOR]);
        cluster.wait_for("the director started", SOON, |status| status.are_well(&["LVS"]));
        serves_on(&cluster);
        dies(&cluster);
        cluster.down();
    });
}

/// A faulty value of a parameter, and a faulty file that was pushed to all nodes, each until it is
/// mended.
fn serves_on(cluster: &Cluster) {
    let node = cluster.node(1);
    let site = format!("{VIP}:80").parse().expect("an address");
    let visitor = Visitor::every(PACE.interval, &cluster.client, site);
    let served = || wait_until(SOON, || visitor.last_pages(20).map(drop));
    assert!(served().is_some(), "{:?}\n{}", table(node), crate::log(node));
    // The first checks are over: from here on no request is lost.
    let first = visitor.requests().len();
    let degraded = |why: &str| {
        cluster.wait_for(&format!("a monitor that reports {why}"), SOON, |status| {
            reported(status).is_some_and(|it| it.code == 190 && it.reason.contains(why))
        })
    };
    let mended = |well: usize| {
        cluster
            .wait_for("a monitor that finds all well", SOON, |_| count(node, "monitor: ok") > well);
    };
    update(cluster, "on_low", "nonsense");
    degraded("on_low");
    let well = count(node, "monitor: ok");
    update(cluster, "on_low", "degraded");
    mended(well);
    node.write(CONF, &format!("bogus=1\n{}", configuration(&[80, 81])));
    update(cluster, "config_serial", "2");
    let status = degraded("ldirectord.cf:1: ");
    harness::tell::tell(&reported(&status).map(|it| it.reason.clone()).unwrap_or_default());
    // More than one monitor sees it.
    std::thread::sleep(Duration::from_secs(6));
    degraded("ldirectord.cf:1: ");
    assert_eq!(table(node).iter().filter(|line| line.starts_with("TCP")).count(), 1);
    // Mended: the next monitor loads it.
    let well = count(node, "monitor: ok");
    node.write(CONF, &configuration(&[80, 81]));
    mended(well);
    let both = || {
        let there = |port: u16| table(node).contains(&format!("TCP {VIP}:{port} rr"));
        (there(80) && there(81)).then_some(())
    };
    assert!(wait_until(SOON, both).is_some(), "{:?}", table(node));
    assert!(served().is_some(), "{:?}", table(node));
    let is_lost = |said: &Result<String, String>| said.as_ref().is_err_and(|why| why != NO_ANSWER);
    let all = visitor.requests().split_off(first);
    let lost: Vec<_> = all.iter().filter(|it| it.ended.is_some() && is_lost(&it.said)).collect();
    assert!(lost.is_empty(), "{lost:#?}\n{}", crate::log(node));
    let results = node.results("LVS");
    assert_eq!((count(node, "start: ok"), count(node, "stop: ok")), (1, 0), "{results:?}");
    harness::tell::tell(&format!("ldirectord under Pacemaker: 0 of {} requests lost", all.len()));
}

/// The daemon is killed while the monitor waits.
fn dies(cluster: &Cluster) {
    let node = cluster.node(1);
    node.expect("crm_resource", &["--cleanup", "--resource", "LVS"]);
    cluster.wait_idle();
    let waits = || (!node.processes("ocf-wait").is_empty()).then_some(());
    assert!(wait_until(SOON, waits).is_some(), "no monitor waits: {}", cluster.status());
    let number = crate::daemon(node);
    node.sh(&format!("kill -9 {number}"));
    let status = cluster.wait_for("a failure, and the director is back", SOON, |status| {
        reported(status).is_some() && status.are_well(&["LVS"]) && count(node, "start: ok") == 2
    });
    let [failed] = &status.failures[..] else { panic!("{status}") };
    assert!(failed.reason.contains("the daemon") && failed.reason.contains(" ago"), "{failed:?}");
    harness::tell::tell(&failed.reason);
    let fails = node.expect("crm_failcount", &["--query", "--resource", "LVS", "--node", "node1"]);
    assert!(fails.contains("value=1"), "{fails}");
    assert_ne!(crate::daemon(node), number);
    node.expect("crm_resource", &["--cleanup", "--resource", "LVS"]);
    let stopped = ["--resource", "LVS", "--meta", "--set-parameter", "target-role"];
    node.expect("crm_resource", &[&stopped[..], &["--parameter-value", "Stopped"]].concat());
    // Right after the cleanup it counts as stopped, for Pacemaker has not looked yet.
    crate::expect_table(node, &[]);
    let status = cluster.wait_idle();
    assert!(status.failures.is_empty(), "{status}");
}
