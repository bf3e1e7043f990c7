//! A client that watches a site: who serves it, for how long nobody does, and when addresses are announced.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use harness::Cluster;
use harness::capture::Capture;
use harness::probe::Outage;
use harness::process::wait_until;
use harness::visitor::{PATIENCE, Visitor, outage};

use crate::{SOON, tell};

/// So many equal pages in a row mean that the site is there.
const SURE: usize = 25;

/// The client of a cluster at its work.
pub struct Onlooker {
    pub visitor: Visitor,
    capture: Capture,
    address: String,
}

/// What it saw.
pub struct Seen {
    pub outage: Outage,
    /// Announcements heard, as time since the beginning.
    pub announced: Vec<Duration>,
}

impl Onlooker {
    /// Begins to ask for the page of `address`, port 80, and to listen on the client's device `nic`.
    pub fn of(cluster: &Cluster, address: &str, nic: &str) -> Onlooker {
        let capture = Capture::on(&cluster.client, nic);
        let site = SocketAddr::new(address.parse().expect("an address"), 80);
        let visitor = Visitor::on(&cluster.client, site);
        Onlooker { visitor, capture, address: address.to_owned() }
    }

    /// Waits until the site is served, and by one of these pages alone; with none given, by any.
    #[track_caller]
    pub fn expect_page(&self, cluster: &Cluster, wanted: &[&str]) -> String {
        let now = SystemTime::now();
        let last = || self.visitor.requests().last().map(|it| it.said.clone());
        let found = wait_until(SOON, || {
            let pages: Vec<_> = self.visitor.since(now).into_iter().filter(|it| it.ended.is_some()).collect();
            let last = pages.len().checked_sub(SURE).map(|first| &pages[first..])?;
            let page = last[0].said.clone().ok()?;
            let well = match wanted {
                [] => last.iter().all(|it| it.said.is_ok()),
                wanted => wanted.contains(&page.as_str()) && last.iter().all(|it| it.shows(&page)),
            };
            well.then_some(page)
        });
        found.unwrap_or_else(|| {
            let status = cluster.status();
            panic!("the site is not served by {wanted:?}, the last answer was {:?}: {status}", last())
        })
    }

    /// Does something to the cluster, waits until one of `pages` is served, and tells what was seen from the beginning of it.
    #[track_caller]
    pub fn during(
        &mut self,
        cluster: &mut Cluster,
        what: &str,
        pages: &[&str],
        deed: impl FnOnce(&mut Cluster),
    ) -> Seen {
        let began = SystemTime::now();
        deed(cluster);
        self.expect_page(cluster, pages);
        self.account(cluster, what, began)
    }

    /// What was seen since `began`; it is told too.
    pub fn account(&mut self, cluster: &Cluster, what: &str, began: SystemTime) -> Seen {
        let until = SystemTime::now();
        // What is under way is not lost.
        wait_until(2 * PATIENCE, || {
            let all = self.visitor.since(began);
            all.iter().all(|it| it.ended.is_some() || it.sent > until).then_some(())
        });
        // The last good page before it belongs to it.
        let outage = outage(&self.visitor.requests(), began - Duration::from_millis(100), until);
        let heard = self.capture.announcements(&self.address);
        let announced: Vec<Duration> = heard.iter().filter_map(|heard| heard.at.duration_since(began).ok()).collect();
        let times: Vec<String> = announced.iter().map(|at| format!("{:.2}", at.as_secs_f64())).collect();
        tell(&format!(
            "{what}: down {:.0} ms, {} of {} requests failed; announced at {} s; cluster: {}",
            outage.longest_gap.as_secs_f64() * 1e3,
            outage.lost,
            outage.sent,
            if times.is_empty() { "-".to_owned() } else { times.join(" ") },
            cluster.status().brief(),
        ));
        Seen { outage, announced }
    }
}
