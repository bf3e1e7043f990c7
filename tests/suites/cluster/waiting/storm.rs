//! Many resources that fail at the same moment.

use std::time::{Duration, Instant};

use harness::Cluster;
use harness::tell::tell;

use super::cost::load;
use super::verdict_after;
use crate::{SOON, turn};

/// So many of these fail at once; the seconds until all are back, and the slowest verdict in
/// milliseconds, where verdicts name an event.
fn storm(count: usize, watch: &str) -> (f64, Option<f64>) {
    let cluster = Cluster::builder(1).property("load-threshold", "10000%").start();
    load(&cluster, count, watch, 1);
    std::thread::sleep(Duration::from_secs(8));
    let node = cluster.node(1);
    let began = Instant::now();
    node.sh("rm -f /run/Dummy-D*.state");
    let status = cluster.wait_for("all failed and are back", 5 * SOON, |status| {
        status.failures.len() == count && status.resources.iter().all(|it| it.is_well())
    });
    let back = began.elapsed().as_secs_f64();
    let verdicts: Vec<f64> =
        status.failures.iter().filter_map(|it| verdict_after(&it.reason)).collect();
    let slowest = verdicts.iter().copied().reduce(f64::max);
    let late = slowest.map_or_else(String::new, |ms| format!(", the slowest {ms:.0} ms after it"));
    tell(&format!(
        "| {count} fail at once, watch={watch} | all back after {back:.1} s | {} verdicts name the \
         event{late} |",
        verdicts.len()
    ));
    cluster.down();
    (back, slowest)
}

#[test]
#[ignore = "takes minutes; make cluster-test"]
fn watch_11_many_failures_at_once_are_known_at_once() {
    let Some(_turn) = turn(&["cibadmin"]) else { return };
    for count in [20, 100] {
        let (waiting, slowest) = storm(count, "30s");
        let (asking, _) = storm(count, "0");
        // The machine may be busy; without waiting, half of them are known after half a second.
        assert!(waiting < 1.5 * asking + 2.0, "{count}: {waiting} s, {asking} s");
        assert!(slowest.is_some_and(|it| it < 5_000.0), "{count}: {slowest:?}");
    }
}
