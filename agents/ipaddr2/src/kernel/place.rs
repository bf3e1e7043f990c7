//! [`Place`]: the interface, prefix, label and metric of an address that exists or is planned.
//! Pure.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;

use super::{Address, Link, TABLE_MAIN};

/// The metric that the kernel gives to IPv6 prefix routes by itself (`IP6_RT_PRIO_ADDRCONF`).
pub const V6_DEFAULT_METRIC: u32 = 256;

/// Where an address is or goes, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The interface.
    pub index: u32,
    /// Its name at the time.
    pub name: String,
    /// The prefix length.
    pub prefix: u8,
    /// The broadcast address; none is set without one.
    pub broadcast: Option<Ipv4Addr>,
    /// The metric of the prefix route; the kernel's own without one.
    pub metric: Option<u32>,
    /// The whole label (`eth0:web`).
    pub label: Option<String>,
    /// No prefix route.
    pub noprefixroute: bool,
}

impl Place {
    /// The place that an address has.
    #[must_use]
    pub fn of(address: &Address, link: &Link) -> Self {
        Self {
            index: link.index,
            name: link.name.clone(),
            prefix: address.prefix,
            broadcast: address.broadcast,
            metric: address.metric,
            label: address.label.clone().filter(|label| *label != link.name),
            noprefixroute: address.flags.noprefixroute,
        }
    }

    /// The name that an IPv4 address stands under: its label, or its interface's name.
    #[must_use]
    pub fn stands_under(&self) -> &str {
        self.label.as_ref().unwrap_or(&self.name)
    }
}

/// The metric of an IPv6 prefix route, where 0 and none are the kernel's own choice.
#[must_use]
pub fn metric_of(metric: Option<u32>) -> u32 {
    metric.filter(|metric| *metric != 0).unwrap_or(V6_DEFAULT_METRIC)
}

/// The routing table in which the kernel puts the prefix routes of an interface: that of its VRF,
/// or main.
#[must_use]
pub fn prefix_table(link: &Link, links: &[Link]) -> u32 {
    vrf_table(link, links).unwrap_or(TABLE_MAIN)
}

/// The routing table of the VRF that an interface is a part of.
#[must_use]
pub fn vrf_table(link: &Link, links: &[Link]) -> Option<u32> {
    links.iter().find(|other| Some(other.index) == link.master)?.vrf_table
}
