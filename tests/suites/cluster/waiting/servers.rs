//! Each kind of service: killed while its monitor waits, and in the gap between two waits.

use std::time::Duration;

use harness::Cluster;
use harness::cluster::Node;
use harness::figures::{median, ms};
use harness::process::wait_until;
use harness::rig::Net;
use harness::tell::tell;
use harness::{skip::skip, systemd_box};

use super::{Service, WAITING, row, verdict_after};
use crate::{SOON, turn};

/// The most that a median may be on a busy machine. Without waiting, it is half an interval of a
/// second and more.
const LIMIT: f64 = 500.0;

const TRIES: usize = 10;

/// A page without a farm.
const HAPROXY: &str = "global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 1s\n  \
    timeout client 5s\n  timeout server 5s\nfrontend web\n  bind :80\n  http-request return status \
    200 content-type text/plain string \"node1\\n\"\n";

fn prepare(node: &Node) {
    node.sh("mkdir -p /run/haproxy");
    node.write("/etc/haproxy/haproxy.cfg", HAPROXY);
    node.write("/etc/apache2/sites-enabled/000-default.conf", "DocumentRoot /var/www/html\n");
}

/// Kills a service again and again while its monitor waits, and prints how long it was away.
fn killed(what: &str, service: &Service, program: &str) -> f64 {
    let (mut away, mut verdicts) = (Vec::new(), Vec::new());
    let mut start = 0.0;
    for _ in 0..TRIES {
        service.armed();
        away.push(service.away(|node| node.kill_all(program)));
        start = ms(service.cluster.wait_idle().last("WEB", "start").took);
        let reason = service.one_failure();
        verdicts.push(verdict_after(&reason).unwrap_or_else(|| panic!("no event: {reason}")));
    }
    tell(&row(&format!("{what} killed (its last start took {start:.0} ms)"), away.clone()));
    tell(&row(&format!("{what} killed: verdict after the event"), verdicts));
    median(away).unwrap_or_default() - start
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_1_a_killed_server_of_each_kind_is_back_at_once() {
    let Some(_turn) = turn(&["pcs", "nginx", "apache2", "haproxy"]) else { return };
    tell("| fault, monitors that wait | median | 95 % | most | tries |");
    for (what, program, definition) in [
        ("nginx", "nginx", "ocf:native:nginx configfile=/etc/nginx/nginx.conf"),
        ("apache", "apache2", "ocf:native:apache configfile=/etc/apache2/apache2.conf"),
        ("haproxy", "haproxy", "ocf:native:haproxy configfile=/etc/haproxy/haproxy.cfg"),
    ] {
        let service = Service::up(Cluster::builder(1), &format!("{definition} {WAITING}"), prepare);
        let beyond = killed(what, &service, program);
        assert!(beyond < LIMIT, "{what}: {beyond} ms more than its start");
        service.down();
    }
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_1_a_unit_that_ends_is_back_at_once() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    if let Some(reason) = systemd_box::missing() {
        return skip(&reason);
    }
    let definition = format!("ocf:native:systemd unit=nginx {WAITING}");
    let service = Service::up(Cluster::builder(1).systemd(), &definition, |_| {});
    let beyond = killed("a unit of systemd", &service, "nginx");
    assert!(beyond < LIMIT, "{beyond} ms more than its start");
    service.down();
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_1_a_server_that_is_killed_in_the_gap_is_back_after_the_interval() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let definition = "ocf:native:nginx configfile=/etc/nginx/nginx.conf watch=2s op monitor \
                      interval=1s timeout=60s";
    let service = Service::up(Cluster::builder(1), definition, |_| {});
    let mut away = Vec::new();
    for _ in 0..TRIES {
        service.armed();
        away.push(service.away(|node| {
            let gap = wait_until(SOON, || node.processes("ocf-wait").is_empty().then_some(()));
            assert!(gap.is_some(), "the wait does not end");
            node.kill_all("nginx");
        }));
        service.one_failure();
    }
    tell(&row("nginx killed in the gap, interval=1s", away.clone()));
    let middle = median(away).unwrap_or_default();
    assert!(middle < 1_000.0 + LIMIT, "{middle} ms");
    service.down();
}

/// The kernel gathers changes of carriers for up to a second (net/core/link_watch.c), so the
/// verdict is counted from the event.
#[test]
#[ignore = "takes a minute; make cluster-test"]
fn watch_1_a_link_that_goes_is_a_verdict_at_once() {
    let Some(_turn) = turn(&["pcs"]) else { return };
    let cluster = Cluster::builder(1).also(Net::of("eth1", "192.168.7", 10, 2)).start();
    let node = cluster.node(1);
    // Blocked: without a carrier a new start fails, and its failure would take the monitor's place.
    node.pcs(&format!(
        "resource create VIP ocf:native:IPaddr2 ip=192.168.7.50 nic=eth1 cidr_netmask=24 {WAITING} \
         on-fail=block"
    ));
    for (what, down) in [("link down", true), ("carrier lost", false)] {
        let mut verdicts = Vec::new();
        for _ in 0..TRIES / 2 {
            cluster.wait_for("the address", SOON, |status| status.are_well(&["VIP"]));
            let armed = wait_until(SOON, || (!node.processes("ocf-wait").is_empty()).then_some(()));
            assert!(armed.is_some(), "no monitor waits: {}", cluster.status());
            if down {
                node.ip("link set eth1 down");
            } else {
                cluster.lan(1).cable(1, false);
            }
            let failed = |status: &harness::cluster::Status| {
                status.failures.iter().any(|it| it.operation == "VIP_monitor_1000")
            };
            let status = cluster.wait_for("the verdict", SOON, failed);
            let reason = &status.failures.iter().find(|it| it.operation == "VIP_monitor_1000");
            let reason = &reason.expect("a failure").reason;
            verdicts.push(verdict_after(reason).unwrap_or_else(|| panic!("no event: {reason}")));
            node.ip("link set eth1 up");
            cluster.lan(1).cable(1, true);
            std::thread::sleep(Duration::from_secs(1));
            node.expect("crm_resource", &["--cleanup"]);
            cluster.wait_idle();
        }
        tell(&row(&format!("{what}: verdict after the event"), verdicts.clone()));
        let middle = median(verdicts).unwrap_or_default();
        assert!(middle < LIMIT, "{what}: {middle} ms");
    }
    cluster.down();
}
