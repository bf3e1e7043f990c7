//! A running cluster that changes its agents, and a parameter that changes: nothing is interrupted.

use std::time::{Duration, SystemTime};

use harness::process::wait_until;
use harness::stage::{RESOURCES, Stage, VIP, Whose, Wish};
use harness::visitor::outage;

use crate::{SOON, tell, turn};

/// The shell agents' resources become ours, and ours the shell agents' again, while the visitor is
/// served.
#[test]
#[ignore = "takes a minute: make cluster-test"]
fn a_running_cluster_changes_its_agents_and_back_without_losing_a_request() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let stage = Stage::set(Wish {
        whose: Whose::Shell,
        address_interval: 10,
        server_interval: 2,
        observer: false,
        watch: false,
    });
    let (owner, admin) = (stage.owner(), stage.cluster.anyone());
    let node = stage.cluster.named(&owner);
    let master = || node.sh("cat /run/nginx.pid");
    let (before, began) = (master(), SystemTime::now());
    for (from, to) in [("heartbeat", "native"), ("native", "heartbeat"), ("heartbeat", "native")] {
        admin.pcs("property set maintenance-mode=true");
        stage.cluster.wait_idle();
        let cib = "/root/cib.xml";
        admin.pcs(&format!("cluster cib {cib}"));
        admin.sh(&format!("sed -i 's/provider=\"{from}\"/provider=\"{to}\"/' {cib}"));
        admin.pcs(&format!("cluster cib-push {cib} scope=resources"));
        // What Pacemaker knows is of the other agents, and it would restart for that: it forgets,
        // and probes.
        stage.cluster.wait_idle();
        admin.pcs("resource refresh");
        stage.cluster.wait_idle();
        let name = format!("ocf:{to}:IPaddr2");
        stage.cluster.wait_for("the other agents", SOON, |status| {
            let found = |id| {
                status.resource(id).nodes == [owner.clone()]
                    && status.resource(id).role == "Started"
            };
            status.resource("IP_VIRTUAL").agent == name && RESOURCES.iter().all(|id| found(id))
        });
        admin.pcs("property set maintenance-mode=false");
        stage.cluster.wait_idle();
        let status = stage.cluster.wait_for("all well", SOON, |status| status.are_well(&RESOURCES));
        assert!(status.failures.is_empty(), "{status}");
        assert_eq!(master(), before, "from {from} to {to}, nginx was restarted");
    }
    // Watched by the new ones.
    let monitors = || node.results("WEB").iter().filter(|it| *it == "monitor: ok").count();
    let served = wait_until(SOON, || (monitors() > 0).then_some(()));
    assert!(served.is_some(), "{:?}", node.results("WEB"));
    expect_nothing_lost(&stage, began, "shell to native, back, and again");
    stage.strike();
}

/// What the agents say can be taken over without a restart, is.
#[test]
fn a_reloadable_change_restarts_nothing() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let stage = Stage::set(Wish {
        whose: Whose::Native,
        address_interval: 10,
        server_interval: 2,
        observer: false,
        watch: false,
    });
    let (owner, admin) = (stage.owner(), stage.cluster.anyone());
    let node = stage.cluster.named(&owner);
    let master = || node.sh("cat /run/nginx.pid");
    let (before, began) = (master(), SystemTime::now());
    for (id, change) in [
        ("IP_VIRTUAL", "arp_count=9"),
        ("WEB", "config_serial=1"),
        ("IP_VIRTUAL", "arp_interval=100"),
    ] {
        let reloads = || node.results(id).iter().filter(|it| *it == "reload-agent: ok").count();
        let known = reloads();
        admin.pcs(&format!("resource update {id} {change}"));
        stage.cluster.wait_for(&format!("a reload after {change}"), SOON, |_| reloads() > known);
    }
    let status = stage.cluster.wait_idle();
    assert!(status.are_well(&RESOURCES) && status.failures.is_empty(), "{status}");
    assert_eq!(master(), before, "nginx was restarted");
    expect_nothing_lost(&stage, began, "three changes");
    stage.strike();
}

/// No request failed since `began`, and the address neither came nor went.
#[track_caller]
fn expect_nothing_lost(stage: &Stage, began: SystemTime, what: &str) {
    let requests = stage.eyes.visitor.since(began);
    // Those under way are not judged.
    let now = SystemTime::now() - Duration::from_secs(1);
    let seen = outage(&requests, began, now);
    let failed: Vec<_> = requests.iter().filter(|it| it.sent < now && it.said.is_err()).collect();
    tell(&format!(
        "{what}: {} of {} requests failed; {}",
        seen.lost,
        seen.sent,
        stage.cluster.status().brief()
    ));
    assert!(failed.is_empty() && seen.sent > 50, "{failed:?}");
    let events = stage.eyes.events(VIP.parse().expect("an address"), began);
    assert!(events.is_empty(), "the address was touched: {events:?}");
}
