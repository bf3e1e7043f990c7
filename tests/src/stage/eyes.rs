//! What is seen of a stage from outside, by threads of its own, so that it can be printed while
//! something happens.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::Cluster;
use crate::cluster::Node;
use crate::visitor::Visitor;
use crate::watch::AddressWatch;

/// What was done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Nothing.
    Up,
    /// Its power was cut.
    Off,
    /// Its cable was cut.
    Alone,
    /// It may have no resources.
    Standby,
}

/// The visitor, the nodes' addresses, and what happened when.
#[derive(Debug)]
pub struct Eyes {
    /// Who asks for the page.
    pub visitor: Visitor,
    nodes: Mutex<Vec<Seen>>,
    events: Mutex<Vec<(SystemTime, String)>>,
}

/// One node, from outside.
#[derive(Debug)]
struct Seen {
    power: Power,
    watch: AddressWatch,
    /// It had the address when the watch began.
    had: bool,
}

impl Seen {
    fn of(node: &Node, address: IpAddr) -> Seen {
        Seen {
            power: Power::Up,
            watch: AddressWatch::on(node),
            had: !node.seen(&address.to_string()).is_empty(),
        }
    }
}

impl Eyes {
    pub(super) fn open(cluster: &Cluster, site: SocketAddr) -> Eyes {
        let nodes = cluster.alive().map(|node| Seen::of(node, site.ip())).collect();
        Eyes {
            visitor: Visitor::on(&cluster.client, site),
            nodes: Mutex::new(nodes),
            events: Mutex::default(),
        }
    }

    /// Notes something.
    pub fn happened(&self, what: String) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push((SystemTime::now(), what));
    }

    /// What was noted, and the comings and goings of an address, after `moment`, in order.
    #[must_use]
    pub fn events(&self, address: IpAddr, moment: SystemTime) -> Vec<(SystemTime, String)> {
        let mut all = self.events.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        // What is taken down of a machine without power is no news.
        for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node.power != Power::Off) {
            let changes =
                node.watch.changes().into_iter().filter(|change| change.address == address);
            let word = |added| if added { "comes to" } else { "leaves" };
            all.extend(
                changes
                    .map(|it| (it.at, format!("{address} {} node{}", word(it.added), index + 1))),
            );
        }
        all.retain(|(at, _)| *at > moment);
        all.sort();
        all
    }

    /// What was done to each node.
    #[must_use]
    pub fn power(&self) -> Vec<Power> {
        self.nodes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|node| node.power)
            .collect()
    }

    /// Whether each node had the address at a moment; one without power has nothing.
    #[must_use]
    pub fn has(&self, address: IpAddr, moment: SystemTime) -> Vec<bool> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |node: &Seen| {
            let last = node
                .watch
                .changes()
                .into_iter()
                .rfind(|change| change.address == address && change.at <= moment);
            node.power != Power::Off && last.map_or(node.had, |change| change.added)
        };
        nodes.iter().map(has).collect()
    }

    /// When an address first came to a node after `moment`.
    pub(super) fn added(
        &self,
        number: usize,
        address: IpAddr,
        moment: SystemTime,
    ) -> Option<SystemTime> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes
            .get(number - 1)?
            .watch
            .changes()
            .into_iter()
            .find(|it| it.added && it.address == address && it.at >= moment)
            .map(|it| it.at)
    }

    pub(super) fn set(&self, number: usize, power: Power) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[number - 1].power = power;
    }

    /// A machine that is new in an old place.
    pub(super) fn renew(&self, number: usize, node: &Node, address: IpAddr) {
        let seen = Seen::of(node, address);
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)[number - 1] = seen;
    }
}
