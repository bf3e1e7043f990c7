//! What administrators do while monitors wait: nothing waits for them, and none of it is a failure.

use std::time::{Duration, Instant};

use harness::Cluster;
use harness::cluster::{Node, Status};
use harness::figures::{median, ms};
use harness::process::wait_until;
use harness::stage::{Fault, RESOURCES, Stage, Wish};
use harness::tell::tell;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Service, WAITING, row, settled, verdict_after};
use crate::{SOON, turn};

const NGINX: &str = "ocf:native:nginx configfile=/etc/nginx/nginx.conf";

/// Within this the cluster must have nothing left to do, on a busy machine; a first run that waits
/// would take thirty seconds. The goal, on a quiet one, is three.
const PROMPTLY: Duration = Duration::from_secs(12);

fn waiting_service() -> Service {
    Service::up(Cluster::builder(1), &format!("{NGINX} {WAITING}"), |_| {})
}

/// A process that has ended by itself is no matter.
fn send(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

fn words(command: &str) -> (&str, Vec<&str>) {
    let mut all = command.split_whitespace();
    (all.next().unwrap_or_default(), all.collect())
}

fn type_all(node: &Node, commands: &str) {
    for command in commands.split('|') {
        let (program, arguments) = words(command);
        node.expect(program, &arguments);
    }
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_2_the_failure_has_our_reason_and_the_monitor_s_on_fail_is_honoured() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let cluster = Cluster::builder(2).property("no-quorum-policy", "ignore").start();
    let node = cluster.node(1);
    node.pcs(&format!("resource create WEB {NGINX} {WAITING}"));
    node.pcs("constraint location WEB prefers node1=INFINITY");
    for policy in ["restart", "block", "standby"] {
        node.pcs(&format!(
            "resource update WEB op monitor interval=1s timeout=60s on-fail={policy}"
        ));
        node.expect("crm_resource", &["--cleanup"]);
        cluster.wait_idle();
        cluster.wait_for("the service on node1", SOON, |status| {
            status.are_well(&["WEB"]) && status.resource("WEB").nodes == ["node1"]
        });
        let armed = wait_until(SOON, || (!node.processes("ocf-wait").is_empty()).then_some(()));
        assert!(armed.is_some(), "no monitor waits: {}", cluster.status());
        node.kill_all("nginx");
        let expected = |status: &Status| {
            let web = status.resource("WEB");
            !status.failures.is_empty()
                && match policy {
                    "restart" => web.is_well() && web.nodes == ["node1"],
                    "block" => web.blocked,
                    _ => web.is_well() && web.nodes == ["node2"],
                }
        };
        let status = cluster.wait_for(&format!("on-fail={policy}"), SOON, expected);
        let [failed] = &status.failures[..] else { panic!("{status}") };
        assert_eq!(failed.operation, "WEB_monitor_1000", "{status}");
        assert!(failed.answered && verdict_after(&failed.reason).is_some(), "{failed:?}");
        let count = node.expect("crm_failcount", &["--query", "-r", "WEB", "-N", "node1"]);
        assert!(count.contains("value=1"), "{count}");
        tell(&format!("on-fail={policy}: {} ({})", failed.operation, failed.reason));
    }
    cluster.down();
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_3_the_first_run_after_a_change_never_waits() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let service = waiting_service();
    let (cluster, node) = (&service.cluster, service.node());
    let ten_times = "crm_attribute --name maintenance-mode --update true|\
                     crm_attribute --name maintenance-mode --update false|"
        .repeat(10);
    for (what, commands) in [
        ("cleanup", "crm_resource --cleanup --resource WEB"),
        ("refresh", "crm_resource --refresh --resource WEB"),
        ("maintenance on and off, ten times", ten_times.trim_end_matches('|')),
        (
            "is-managed off and on",
            "crm_resource --resource WEB --meta --set-parameter is-managed --parameter-value false|\
             crm_resource --resource WEB --meta --set-parameter is-managed --parameter-value true",
        ),
        ("another interval", "pcs resource update WEB op monitor interval=2s timeout=60s"),
        ("reload-agent", "crm_resource --resource WEB --set-parameter watch --parameter-value 31s"),
        (
            "stopped and started",
            "crm_resource --resource WEB --meta --set-parameter target-role --parameter-value \
             Stopped|\
             crm_resource --resource WEB --meta --set-parameter target-role --parameter-value \
             Started",
        ),
    ] {
        service.armed();
        let took = settled(cluster, || type_all(node, commands));
        tell(&format!("| {what} | {:.1} s |", took.as_secs_f64()));
        assert!(took < PROMPTLY, "{what}: {took:?}");
        let status = cluster.wait_for("well", SOON, |status| status.are_well(&["WEB"]));
        assert!(status.failures.is_empty(), "{what}: {status}");
    }
    // The executor alone: the controller starts the daemons anew, and asks about everything.
    service.armed();
    let executor = node.processes("pacemaker-execd");
    assert!(!executor.is_empty());
    let began = Instant::now();
    executor.iter().for_each(|pid| send(*pid, Signal::SIGKILL));
    std::thread::sleep(Duration::from_secs(2));
    let status = cluster.wait_for("well", SOON, |status| status.are_well(&["WEB"]));
    tell(&format!("| executor killed | well after {:.1} s |", began.elapsed().as_secs_f64()));
    assert!(status.failures.is_empty(), "{status}");
    service.armed();
    service.down();
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_4_planned_moves_are_no_failures_and_no_slower() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let mut medians = Vec::new();
    for watch in [true, false] {
        let wish = Wish {
            observer: true,
            watch,
            address_interval: 1,
            server_interval: 1,
            ..Wish::default()
        };
        let mut stage = Stage::set(wish);
        let mut away = Vec::new();
        for _ in 0..20 {
            if watch {
                let node = stage.cluster.named(&stage.owner());
                let armed = || (node.processes("ocf-wait").len() == 2).then_some(());
                assert!(wait_until(SOON, armed).is_some(), "{}", stage.cluster.status());
            }
            let account = stage.inflict(Fault::Standby);
            assert!(account.failures.is_empty(), "{account}: {:?}", account.failures);
            away.push(ms(account.outage.longest_gap));
            stage.heal(&account);
        }
        let name = if watch { "monitors that wait" } else { "interval=1s" };
        tell(&row(&format!("planned move, {name}"), away.clone()));
        medians.push(median(away).unwrap_or_default());
        stage.strike();
    }
    assert!(medians[0] < medians[1] * 1.5 + 100.0, "{medians:?}");
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_5_a_kill_at_the_moment_of_a_move_is_at_most_one_failure() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let stage = Stage::set(Wish { observer: true, watch: true, ..Wish::default() });
    let cluster = &stage.cluster;
    let admin = cluster.anyone();
    let mut most = 0;
    for round in 0..20 {
        let from = stage.owner();
        let node = cluster.named(&from);
        let armed = || (node.processes("ocf-wait").len() == 2).then_some(());
        assert!(wait_until(SOON, armed).is_some(), "{}", cluster.status());
        // Before, together, and after, by up to a tenth of a second.
        let offset = Duration::from_millis(round % 10 * 10);
        std::thread::scope(|scope| {
            scope.spawn(|| admin.expect("crm_standby", &["--node", &from, "--update", "on"]));
            scope.spawn(|| {
                std::thread::sleep(offset);
                // The stop of the move may be faster.
                node.processes("nginx").iter().for_each(|pid| send(*pid, Signal::SIGKILL));
            });
        });
        let status = cluster.wait_idle();
        let active = status.resource("WEB").nodes.clone();
        assert!(active.len() <= 1, "active on {active:?}: {status}");
        assert!(status.failures.len() <= 1, "round {round}: {status}");
        most = most.max(status.failures.len());
        admin.expect("crm_standby", &["--node", &from, "--delete"]);
        admin.expect("crm_resource", &["--cleanup"]);
        cluster.wait_idle();
        cluster.wait_for("well", SOON, |status| status.are_well(&RESOURCES));
    }
    tell(&format!("killed and moved at once, 20 times: at most {most} failure each, one node"));
    let log = admin.log();
    assert!(!log.contains("active on 2 nodes"), "active on 2 nodes");
    stage.strike();
}

#[test]
#[ignore = "takes a minute; make cluster-test"]
fn watch_6_a_reload_and_a_dead_worker_are_no_failure_and_the_new_master_is_seen() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let service = waiting_service();
    let node = service.node();
    let run = |script: &str| node.sh(script);
    for script in [
        "nginx -s reload",
        "kill -9 $(pgrep -P $(cat /run/nginx.pid) | head -n 1)",
        "kill -USR2 $(cat /run/nginx.pid); sleep 1; kill -QUIT $(cat /run/nginx.pid.oldbin)",
    ] {
        service.armed();
        run(script);
        std::thread::sleep(Duration::from_secs(3));
        let status = service.cluster.wait_idle();
        assert!(status.failures.is_empty(), "{script}: {status}");
    }
    service.armed();
    let away = service.away(|node| node.kill_all("nginx"));
    tell(&format!("| nginx killed after reload, dead worker and upgrade | {away:.0} ms |"));
    service.one_failure();
    service.down();
}

/// A clone whose instances are notified, a second monitor, and calls by hand.
#[test]
#[ignore = "takes a minute; make cluster-test"]
fn watch_10_what_must_not_be_delayed_is_not() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let service = waiting_service();
    let (cluster, node) = (&service.cluster, service.node());
    node.pcs(&format!("resource create CLONE ocf:native:Dummy {WAITING} clone notify=true"));
    cluster.wait_idle();
    std::thread::sleep(Duration::from_secs(4));
    service.armed();
    assert_eq!(service.waiters(), 1, "the clone with notifications waits");
    for call in [
        "crm_resource --resource WEB --force-check",
        "pcs resource debug-monitor WEB",
        "crm_resource --resource CLONE --force-check",
    ] {
        let began = Instant::now();
        let (program, arguments) = words(call);
        node.expect(program, &arguments);
        assert!(began.elapsed() < PROMPTLY, "{call}: {:?}", began.elapsed());
    }
    // A deeper monitor comes in its time, and fails in its time.
    node.pcs("resource op add WEB monitor interval=3s timeout=20s OCF_CHECK_LEVEL=10");
    cluster.wait_idle();
    let deep = || node.results("WEB").iter().filter(|it| it.starts_with("monitor")).count();
    let before = deep();
    assert!(wait_until(SOON, || (deep() > before || before > 0).then_some(())).is_some());
    let status = cluster.wait_idle();
    assert!(status.failures.is_empty(), "{status}");
    service.down();
}

/// The wait ends after half of the time-out. `OCF_WAIT_MINUTES` makes it as long as is wanted.
#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_9_a_wait_longer_than_the_time_out_never_times_out() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let minutes = std::env::var("OCF_WAIT_MINUTES").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(60 * minutes.unwrap_or(2));
    let definition = format!("{NGINX} watch=60s op monitor interval=10s timeout=20s");
    let service = Service::up(Cluster::builder(1), &definition, |_| {});
    service.armed();
    // A waiter that is stopped for longer than its time goes on, and ends.
    let held = service.node().processes("ocf-wait")[0];
    send(held, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(5));
    send(held, Signal::SIGCONT);
    let end = Instant::now() + length;
    while Instant::now() < end {
        let status = service.cluster.status();
        assert!(status.failures.is_empty() && status.are_well(&["WEB"]), "{status}");
        std::thread::sleep(Duration::from_secs(10));
    }
    tell(&format!("watch=60s timeout=20s: {} s without a failure", length.as_secs()));
    service.down();
}
