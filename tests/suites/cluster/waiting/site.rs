//! An address and a web server as a site.

use std::time::{Duration, Instant};

use harness::figures::{DOWNTIME, machine, median, ms};
use harness::process::wait_until;
use harness::stage::{Fault, Stage, Wish};
use harness::tell::tell;

use super::row;
use crate::beside::named;
use crate::{SOON, turn};

/// The most that the median of a killed server's outage may be on a busy machine: without waiting,
/// it is half an interval of a second and more.
const LIMIT: f64 = 500.0;

/// Waits until both monitors of the node with the site do.
fn armed(stage: &Stage) {
    let node = stage.cluster.named(&stage.owner());
    let waiters = || (node.processes("ocf-wait").len() == 2).then_some(());
    assert!(
        wait_until(SOON, waiters).is_some(),
        "monitors do not wait: {}",
        stage.cluster.status()
    );
}

fn outages(stage: &mut Stage, fault: Fault, times: usize) -> Vec<f64> {
    let mut all = Vec::new();
    for _ in 0..times {
        armed(stage);
        // The visitor asks every 20 ms: some good answers first.
        std::thread::sleep(Duration::from_millis(300));
        let account = stage.inflict(fault);
        assert_eq!(account.failures.len(), 1, "{account}: {:?}", account.failures);
        let failed = &account.failures[0];
        assert!(
            failed.operation.ends_with("_monitor_1000") && failed.reason.contains(" ago"),
            "{failed:?}"
        );
        all.push(ms(account.outage.longest_gap));
        stage.heal(&account);
    }
    all
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_1_a_site_is_back_at_once_when_its_monitors_wait() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let began = Instant::now();
    let mut stage = Stage::set(Wish { observer: true, watch: true, ..Wish::default() });
    let server = outages(&mut stage, Fault::Server, 20);
    let address = outages(&mut stage, Fault::Address, 10);
    let middle = median(server.clone()).unwrap_or_default();
    let values = [(Fault::Server, &server), (Fault::Address, &address)].map(|(fault, all)| {
        let middle = median(all.clone()).unwrap_or_default();
        (named(fault), "native with watch", middle / 1e3)
    });
    DOWNTIME.record(&machine(), &values);
    tell(&format!(
        "down until the next good page, monitors that wait, {:.0} s in all",
        began.elapsed().as_secs_f32()
    ));
    tell("| fault | median | 95 % | most | tries |");
    tell(&row("nginx killed", server));
    tell(&row("address deleted", address));
    assert!(middle < LIMIT, "{middle} ms");
    stage.strike();
}
