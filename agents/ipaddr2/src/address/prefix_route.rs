//! The route to its network that an IPv6 address comes with: whose is it, and when does it stay
//! without an address? Pure.
//!
//! The kernel looks for the route by network and interface alone, not by metric
//! (`cleanup_prefix_route`, net/ipv6/addrconf.c). With the last address of a network it removes the
//! first route that it finds, whatever has added it. While another address of the network is there
//! it removes none, also where the two have routes of different metrics.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use crate::kernel::place::{Place, metric_of, prefix_table};
use crate::kernel::{Address, Link, Route, RouteKind, Snapshot, contains};

/// Whether the address must come without a prefix route of its own: there is one that no address of
/// the interface has brought (a router advertisement's, an administrator's), and it would go with
/// the address.
pub fn is_foreign(ip: IpAddr, place: &Place, link: &Link, snapshot: &Snapshot) -> bool {
    let metric = metric_of(place.metric);
    let table = prefix_table(link, &snapshot.links);
    let same_network = |route: &&Route| {
        route.table == table
            && route.index == place.index
            && route.kind == RouteKind::Unicast
            && !route.gateway
            && route.prefix == place.prefix
            && contains(route.network, place.prefix, ip)
    };
    let has_brought = |metric: Option<u32>| {
        snapshot.addresses.iter().any(|address| brings(address, ip, place, metric))
    };
    let would_go = |route: &Route| {
        !has_brought(Some(route.metric))
            && (route.metric == metric || (route.metric < metric && !has_brought(None)))
    };
    ip.is_ipv6() && snapshot.routes.iter().filter(same_network).any(would_go)
}

/// Whether the route that came with an address has stayed behind: the address is gone, and none of
/// these has one of the same metric.
pub fn may_be_left(ip: IpAddr, place: &Place, addresses: &[Address]) -> bool {
    let metric = Some(metric_of(place.metric));
    ip.is_ipv6()
        && !place.noprefixroute
        && !addresses.iter().any(|address| brings(address, ip, place, metric))
}

/// Whether an address comes with a route to this network, of this metric or of any.
fn brings(address: &Address, ip: IpAddr, place: &Place, metric: Option<u32>) -> bool {
    address.index == place.index
        && address.prefix == place.prefix
        && contains(address.ip, place.prefix, ip)
        && address.flags.permanent
        && !address.flags.noprefixroute
        && metric.is_none_or(|metric| metric == metric_of(address.metric))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::AddressFlags;
    use crate::kernel::examples;

    const IP: &str = "2001:db8:9::50";

    fn place(metric: Option<u32>) -> Place {
        Place { prefix: 64, metric, ..examples::place() }
    }

    fn route(metric: u32) -> Route {
        examples::route("2001:db8:9::/64", 2, metric)
    }

    fn address(metric: Option<u32>, noprefixroute: bool) -> Address {
        let flags = AddressFlags { permanent: true, noprefixroute, ..AddressFlags::default() };
        Address { flags, metric, ..examples::address("2001:db8:9::1/64", 2) }
    }

    #[test]
    fn ip_f3_a_route_that_no_address_has_brought_is_foreign_when_it_would_go_with_the_address() {
        let link = Link { index: 2, ..Link::default() };
        let foreign = |own: Option<u32>, routes: &[u32], addresses: &[Option<u32>]| {
            let snapshot = Snapshot {
                links: vec![link.clone()],
                addresses: addresses.iter().map(|metric| address(*metric, false)).collect(),
                routes: routes.iter().map(|metric| route(*metric)).collect(),
            };
            is_foreign(IP.parse().unwrap(), &place(own), &link, &snapshot)
        };
        assert!(!foreign(None, &[], &[]));
        assert!(foreign(None, &[256], &[]) && foreign(None, &[100], &[]));
        assert!(!foreign(None, &[1024], &[]) && !foreign(Some(77), &[256], &[]));
        // With another address of the network.
        assert!(!foreign(None, &[256], &[None]) && !foreign(Some(77), &[256], &[None]));
        assert!(!foreign(Some(77), &[50, 256], &[None]));
        assert!(foreign(Some(77), &[77, 256], &[None]));
        assert!(!foreign(Some(77), &[77, 256], &[None, Some(77)]));
    }

    #[test]
    fn a_route_is_left_behind_when_no_other_address_has_one_of_its_metric() {
        let left = |own: Option<u32>, others: &[Address]| {
            may_be_left(IP.parse().unwrap(), &place(own), others)
        };
        assert!(left(None, &[]) && left(Some(77), &[address(None, false)]));
        assert!(!left(None, &[address(None, false)]) && !left(Some(256), &[address(None, false)]));
        assert!(!left(Some(77), &[address(None, false), address(Some(77), false)]));
        assert!(left(None, &[address(None, true)]));
        let without = Place { noprefixroute: true, ..place(None) };
        assert!(!may_be_left(IP.parse().unwrap(), &without, &[]));
        assert!(!may_be_left("10.9.0.50".parse().unwrap(), &place(None), &[]));
    }
}
