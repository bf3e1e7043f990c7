//! Interfaces, addresses and routes for tests.

use super::place::Place;
use super::{Address, Link, Route, RouteKind, TABLE_MAIN};

/// An interface that is up, with the alternative name `alt-` and its name.
pub fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.into(),
        altnames: vec![format!("alt-{name}")],
        loopback: name == "lo",
        up: true,
        ..Link::default()
    }
}

/// An address such as `10.9.0.50/24`.
pub fn address(text: &str, index: u32) -> Address {
    let (ip, prefix) = text.split_once('/').unwrap();
    Address::plain(index, ip.parse().unwrap(), prefix.parse().unwrap())
}

/// The route to a network such as `10.9.0.0/24`, in the main table.
pub fn route(network: &str, index: u32, metric: u32) -> Route {
    let (network, prefix) = network.split_once('/').unwrap();
    Route {
        table: TABLE_MAIN,
        kind: RouteKind::Unicast,
        network: network.parse().unwrap(),
        prefix: prefix.parse().unwrap(),
        index,
        gateway: false,
        metric,
        protocol: 2,
        source: None,
    }
}

/// On ethA, number 2, with prefix length 24 and nothing more.
pub fn place() -> Place {
    Place {
        index: 2,
        name: "ethA".into(),
        prefix: 24,
        broadcast: None,
        metric: None,
        label: None,
        noprefixroute: false,
    }
}
