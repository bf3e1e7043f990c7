//! Monitors that wait for events (`watch`) under real clusters: how soon a service is back, that
//! nothing waits for them, and what they cost. Each test prints its rows of the table.

mod changes;
mod cost;
mod remote;
mod servers;
mod site;
mod storm;

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use harness::Cluster;
use harness::cluster::{Builder, Node};
use harness::figures::{median, ms};
use harness::process::wait_until;
use harness::visitor::{Visitor, outage};

use crate::SOON;

/// Between two requests of the client.
const PACE: Duration = Duration::from_millis(10);

/// So many good answers in a row mean that the service is back.
const SURE: usize = 10;

/// What makes monitors wait, as an administrator configures it.
const WAITING: &str = "watch=30s op monitor interval=1s timeout=60s";

/// The figures of a list, as a row of the table.
fn row(what: &str, mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    let at = |share: usize| all[(all.len() * share / 100).min(all.len() - 1)];
    let middle = median(all.clone()).unwrap_or_default();
    format!("| {what} | {middle:.0} ms | {:.0} ms | {:.0} ms | {} |", at(95), at(100), all.len())
}

/// How long after its event a verdict came, in milliseconds, by its own words (`… 6 ms ago`).
fn verdict_after(reason: &str) -> Option<f64> {
    let before = reason.split(" ago").next()?;
    let mut words = before.split_whitespace().rev();
    let (unit, number) = (words.next()?, words.next()?.parse::<f64>().ok()?);
    Some(if unit == "s" { number * 1e3 } else { number })
}

/// One node with one service `WEB` on port 80, and a client that asks for its page.
struct Service {
    cluster: Cluster,
    visitor: Visitor,
}

impl Service {
    /// The service of a definition as `pcs resource create WEB` takes it; `prepare` makes what it
    /// needs on the node.
    fn up(builder: Builder, definition: &str, prepare: impl FnOnce(&Node)) -> Service {
        let cluster = builder.start();
        let node = cluster.node(1);
        node.write("/var/www/html/index.html", "node1\n");
        prepare(node);
        node.pcs(&format!("resource create WEB {definition}"));
        cluster.wait_for("the service started", SOON, |status| status.are_well(&["WEB"]));
        let site: SocketAddr = "10.9.0.1:80".parse().expect("an address");
        let visitor = Visitor::every(PACE, &cluster.client, site);
        Service { cluster, visitor }
    }

    fn node(&self) -> &Node {
        self.cluster.node(1)
    }

    fn waiters(&self) -> usize {
        self.node().processes("ocf-wait").len()
    }

    /// Returns when a monitor waits.
    #[track_caller]
    fn armed(&self) {
        let found = wait_until(SOON, || (self.waiters() > 0).then_some(()));
        assert!(found.is_some(), "no monitor waits: {}", self.cluster.status());
    }

    /// For how long the page was away after this was done, in milliseconds.
    #[track_caller]
    fn away(&self, deed: impl FnOnce(&Node)) -> f64 {
        away(&self.cluster, &self.visitor, || deed(self.node()))
    }

    /// The only failure that Pacemaker knows of, which is cleaned up.
    #[track_caller]
    fn one_failure(&self) -> String {
        let status = self.cluster.wait_idle();
        assert_eq!(status.failures.len(), 1, "{status}");
        let failed = status.failures[0].clone();
        let count =
            self.node().expect("crm_failcount", &["--query", "--resource", "WEB", "-N", "node1"]);
        assert!(count.contains("value=1"), "{count}");
        self.node().expect("crm_resource", &["--cleanup", "--resource", "WEB"]);
        self.cluster.wait_idle();
        assert!(failed.operation.starts_with("WEB_monitor_"), "{failed:?}");
        failed.reason
    }

    fn down(self) {
        let Service { cluster, visitor } = self;
        drop(visitor);
        cluster.down();
    }
}

/// For how long a visitor saw no page after this was done, in milliseconds.
#[track_caller]
fn away(cluster: &Cluster, visitor: &Visitor, deed: impl FnOnce()) -> f64 {
    let answers = || visitor.last_pages(SURE).map(drop);
    assert!(wait_until(SOON, answers).is_some(), "{}", cluster.status());
    let began = SystemTime::now();
    deed();
    let failed = || {
        let all = visitor.since(began);
        all.iter().any(|it| it.ended.is_some() && it.said.is_err()).then_some(())
    };
    assert!(wait_until(SOON, failed).is_some(), "every request was answered");
    assert!(wait_until(SOON, answers).is_some(), "{}", cluster.status());
    // What was under way at the deed has no answer: the last good one is older than that.
    let before = began - Duration::from_secs(1);
    ms(outage(&visitor.requests(), before, SystemTime::now()).longest_gap)
}

/// How long something takes until the cluster has nothing left to do.
fn settled(cluster: &Cluster, deed: impl FnOnce()) -> Duration {
    let began = Instant::now();
    deed();
    cluster.anyone().expect("crm_resource", &["--wait", "--timeout=100"]);
    began.elapsed()
}
