//! A client that watches a site: which node serves it, for how long none does, and when addresses
//! are announced.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::Cluster;
use crate::capture::Capture;
use crate::figures::ms;
use crate::probe::Outage;
use crate::process::wait_until;
use crate::stage::SOON;
use crate::tell::tell;
use crate::visitor::{INTERVAL, PATIENCE, Visitor, outage};

/// So many equal pages in a row mean that the site is there.
const SURE: usize = 25;

/// How fast things go.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two requests.
    pub interval: Duration,
    /// As long as the site may be away.
    pub patience: Duration,
}

/// The client of a cluster at its work.
#[derive(Debug)]
pub struct Onlooker {
    /// Who asks.
    pub visitor: Visitor,
    capture: Capture,
    address: String,
    patience: Duration,
}

/// What it saw.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The longest gap is the downtime.
    pub outage: Outage,
    /// Announcements heard, as time since the beginning.
    pub announced: Vec<Duration>,
}

impl Onlooker {
    /// Begins to ask for the page of `address`, port 80, and to listen on the client's device
    /// `nic`.
    #[must_use]
    pub fn of(cluster: &Cluster, address: &str, nic: &str) -> Onlooker {
        Onlooker::at_pace(Pace { interval: INTERVAL, patience: SOON }, cluster, address, nic)
    }

    /// As [`Onlooker::of`], at another pace.
    #[must_use]
    pub fn at_pace(pace: Pace, cluster: &Cluster, address: &str, nic: &str) -> Onlooker {
        let capture = Capture::on(&cluster.client, nic);
        let site = SocketAddr::new(address.parse().expect("an address"), 80);
        let visitor = Visitor::every(pace.interval, &cluster.client, site);
        Onlooker { visitor, capture, address: address.to_owned(), patience: pace.patience }
    }

    /// Waits until the site is served, and by one of these pages alone; with none given, by any.
    #[track_caller]
    pub fn expect_page(&self, cluster: &Cluster, wanted: &[&str]) -> String {
        let now = SystemTime::now();
        let last = || {
            self.visitor
                .requests()
                .into_iter()
                .rev()
                .take(SURE)
                .map(|it| it.said)
                .collect::<Vec<_>>()
        };
        let found = wait_until(self.patience, || {
            let pages: Vec<_> =
                self.visitor.since(now).into_iter().filter(|it| it.ended.is_some()).collect();
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
            panic!(
                "the site is not served by {wanted:?}, the last answers were {:?}: {status}",
                last()
            )
        })
    }

    /// Does something to the cluster, waits until one of `pages` is served, and returns what was
    /// seen from the beginning of it.
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

    /// What was seen since `began`; it is printed, too.
    pub fn account(&mut self, cluster: &Cluster, what: &str, began: SystemTime) -> Seen {
        let seen = self.seen(began, SystemTime::now());
        tell(&format!("{what}: {seen}; cluster: {}", cluster.status().brief()));
        seen
    }

    /// What was seen between two moments.
    pub fn seen(&mut self, began: SystemTime, ended: SystemTime) -> Seen {
        // What is under way is not lost.
        wait_until(2 * PATIENCE, || {
            let all = self.visitor.since(began);
            all.iter().all(|it| it.ended.is_some() || it.sent > ended).then_some(())
        });
        // The last good page before it belongs to it.
        let outage = outage(&self.visitor.requests(), began - Duration::from_millis(100), ended);
        let heard = self.capture.announcements(&self.address);
        let announced =
            heard.iter().filter_map(|heard| heard.at.duration_since(began).ok()).collect();
        Seen { outage, announced }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times: Vec<String> =
            self.announced.iter().map(|at| format!("{:.2}", at.as_secs_f64())).collect();
        let Outage { longest_gap, lost, sent } = &self.outage;
        let times = if times.is_empty() { "-".to_owned() } else { times.join(" ") };
        write!(
            out,
            "down {:.0} ms, {lost} of {sent} requests failed; announced at {times} s",
            ms(*longest_gap)
        )
    }
}
