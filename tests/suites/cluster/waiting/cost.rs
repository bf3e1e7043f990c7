//! What monitors that wait cost beside those that come every second.

use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::Cluster;
use harness::cluster::Node;
use harness::tell::tell;

use crate::{SOON, turn};

/// How long each kind is measured.
const MEASURED: Duration = Duration::from_secs(30);

/// So many on one node.
const MANY: usize = 500;

/// Dummies with these monitors, as XML.
fn dummies(count: usize, watch: &str, interval: u32) -> String {
    (1..=count)
        .map(|number| {
            format!(
                "<primitive id=\"D{number}\" class=\"ocf\" provider=\"native\" type=\"Dummy\">\
                 <instance_attributes id=\"D{number}-a\"><nvpair id=\"D{number}-w\" name=\"watch\" \
                 value=\"{watch}\"/></instance_attributes><operations><op id=\"D{number}-m\" \
                 name=\"monitor\" interval=\"{interval}s\" \
                 timeout=\"60s\"/></operations></primitive>"
            )
        })
        .collect()
}

pub fn load(cluster: &Cluster, count: usize, watch: &str, interval: u32) {
    let (node, file) = (cluster.node(1), "/root/many.xml");
    node.write(file, &format!("<resources>{}</resources>", dummies(count, watch, interval)));
    node.expect("cibadmin", &["--replace", "--scope", "resources", "--xml-file", file]);
    let last = format!("D{count}");
    cluster.wait_for("the last of them", 5 * SOON, |status| {
        status.are_well(&[&last]) && status.resources.iter().all(|it| it.is_well())
    });
}

/// The numbers of `/proc/PID/smaps_rollup` in KiB: resident, and its share of what is in common.
fn memory(pid: i32) -> (u64, u64) {
    let all = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let of = |name: &str| {
        let line = all.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    (of("Rss:"), of("Pss:"))
}

/// How often a process has slept and gone on, so far.
fn switches(pid: i32) -> u64 {
    let all = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = all.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
}

/// Processors that agents and executor use while nothing happens.
fn processors(node: &Node) -> f64 {
    let sum = |(agents, executor): (Duration, Duration)| (agents + executor).as_secs_f64();
    let (before, began) = (sum(node.agents_cpu()), Instant::now());
    sleep(MEASURED);
    (sum(node.agents_cpu()) - before) / began.elapsed().as_secs_f64()
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_12_waiting_costs_less_than_asking_every_second() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let mut hours = Vec::new();
    for (name, watch) in [("waiting", "30s"), ("interval=1s alone", "0")] {
        let cluster = Cluster::builder(1).property("load-threshold", "10000%").start();
        load(&cluster, 20, watch, 1);
        sleep(Duration::from_secs(5));
        let node = cluster.node(1);
        let used = processors(node) / 20.0 * 3600.0;
        tell(&format!("| {name} | {used:.1} s of a processor an hour for each resource |"));
        hours.push(used);
        if watch != "0" {
            for (kind, pid) in waiters_of_each_kind(&cluster) {
                let (rss, pss) = memory(pid);
                let (before, began) = (switches(pid), Instant::now());
                sleep(Duration::from_secs(10));
                let woken = (switches(pid) - before) as f64 / began.elapsed().as_secs_f64() * 60.0;
                tell(&format!(
                    "| {kind} waits | RSS {rss} KiB, PSS {pss} KiB | {woken:.0} wake-ups a minute |"
                ));
            }
        }
        cluster.down();
    }
    assert!(hours[0] < hours[1], "{hours:?}");
}

/// One more resource of each kind that this node can have, and its waiting process.
fn waiters_of_each_kind(cluster: &Cluster) -> Vec<(&'static str, i32)> {
    let node = cluster.node(1);
    let mut found = Vec::new();
    for (kind, parameters) in
        [("IPaddr2", "ip=10.9.0.60"), ("nginx", "configfile=/etc/nginx/nginx.conf")]
    {
        let before = node.processes("ocf-wait");
        node.pcs(&format!(
            "resource create {kind} ocf:native:{kind} {parameters} {}",
            super::WAITING
        ));
        cluster.wait_for(kind, SOON, |status| status.are_well(&[kind]));
        sleep(Duration::from_secs(4));
        let named = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(kind))
        };
        let fresh = node.processes("ocf-wait").into_iter().filter(|pid| !before.contains(pid));
        found.extend(fresh.filter(named).take(1).map(|pid| (kind, pid)));
    }
    assert_eq!(found.len(), 2, "{found:?}");
    found
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_12_five_hundred_resources_wait_on_one_node() {
    let Some(_turn) = turn(&["cibadmin"]) else { return };
    let cluster = Cluster::builder(1).property("load-threshold", "10000%").start();
    load(&cluster, MANY, "30s", 1);
    sleep(Duration::from_secs(10));
    let node = cluster.node(1);
    let used = processors(node);
    let waiters = node.processes("ocf-wait");
    let memory: Vec<_> = waiters.iter().map(|pid| memory(*pid)).collect();
    let sum = |of: fn(&(u64, u64)) -> u64| memory.iter().map(of).sum::<u64>() / 1024;
    tell(&format!(
        "| {MANY} Dummies, watch=30s | {} wait at this moment | RSS {} MiB, PSS {} MiB | {used:.2} \
         processors |",
        waiters.len(),
        sum(|it| it.0),
        sum(|it| it.1),
    ));
    let status = cluster.status();
    assert!(status.failures.is_empty(), "{status}");
    assert!(waiters.len() > MANY * 4 / 5, "{} wait", waiters.len());
    cluster.down();
}
