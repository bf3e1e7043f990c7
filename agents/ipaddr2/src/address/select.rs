//! Chooses the interface, the prefix and the broadcast address for the resource. Pure.
//!
//! The most specific connected network wins, then the lowest metric, then the kernel's order.
//! Default routes, routes that lead nowhere (unreachable, blackhole, prohibit, throw) and other
//! tables' routes tell nothing about where an address belongs.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr};

use ocf::failure::{Failure, Kind};

use crate::address::prefix_route;
use crate::config::parse::Broadcast;
use crate::config::settings::{LONGEST_NAME, Settings};
use crate::kernel::place::{Place, V6_DEFAULT_METRIC, vrf_table};
use crate::kernel::{Link, Route, RouteKind, Snapshot, TABLE_LOCAL, TABLE_MAIN, contains};

/// The routing tables that tell where the address belongs, the first one first: the given one, or
/// that of the interface's VRF, or main and those of all VRFs.
pub fn tables(settings: &Settings, links: &[Link]) -> Vec<u32> {
    if let Some(table) = settings.route_table {
        return vec![table];
    }
    let nic = settings.nic.as_ref().and_then(|name| links.iter().find(|link| link.is_called(name)));
    if let Some(table) = nic.and_then(|link| vrf_table(link, links)) {
        return vec![table];
    }
    let mut tables = vec![TABLE_MAIN];
    if settings.ip.is_ipv4() && settings.ip.is_loopback() {
        tables.push(TABLE_LOCAL);
    }
    if nic.is_none() {
        tables.extend(links.iter().filter_map(|link| link.vrf_table));
    }
    tables
}

/// Chooses a place; and the route that it follows from, where there is one.
///
/// # Errors
/// When this host has no such interface, or no network that the address belongs to; the reason says
/// what to set.
pub fn place<'a>(
    settings: &Settings,
    snapshot: &'a Snapshot,
) -> Result<(Place, Option<&'a Route>), Failure> {
    let wanted = match &settings.nic {
        Some(name) => Some(link_called(name, snapshot)?),
        None => None,
    };
    let route = best_route(settings, wanted, snapshot);
    let link = match (wanted, route) {
        (Some(link), _) => link,
        (None, Some(route)) => snapshot.link(route.index).ok_or_else(|| {
            Failure::generic(format!("interface {} of a route is gone", route.index))
        })?,
        (None, None) => return Err(no_network(settings)),
    };
    let prefix = match (settings.prefix, route) {
        (Some(prefix), _) => prefix,
        (None, Some(route)) => route.prefix,
        (None, None) => return Err(no_network(settings)),
    };
    let label = settings.label.as_ref().map(|label| format!("{}:{label}", link.name));
    if let Some(label) = label.as_ref().filter(|label| label.len() > LONGEST_NAME) {
        // Wrong on this host only: another node's interface may have a shorter name.
        return Err(Failure::new(
            Kind::Args,
            format!("label \"{label}\" is longer than {LONGEST_NAME} characters; shorten iflabel"),
        ));
    }
    let mut place = Place {
        index: link.index,
        name: link.name.clone(),
        prefix,
        broadcast: broadcast(settings, prefix, route, snapshot),
        metric: settings.metric.or_else(|| route.and_then(|r| found_metric(r, settings.ip))),
        label,
        noprefixroute: settings.noprefixroute,
    };
    place.noprefixroute |= prefix_route::is_foreign(settings.ip, &place, link, snapshot);
    Ok((place, route))
}

fn link_called<'a>(name: &str, snapshot: &'a Snapshot) -> Result<&'a Link, Failure> {
    snapshot.link_called(name).ok_or_else(|| {
        let others: Vec<&str> =
            snapshot.links.iter().take(16).map(|link| link.name.as_str()).collect();
        Failure::installed(format!(
            "nic=\"{name}\": no such interface on this node; it has {}",
            others.join(" ")
        ))
    })
}

fn no_network(settings: &Settings) -> Failure {
    let ip = settings.ip;
    let on = settings
        .nic
        .as_ref()
        .map_or_else(|| "this node".to_owned(), |nic| format!("interface {nic}"));
    Failure::installed(format!(
        "{on} has no route to the network of {ip}; set both nic and cidr_netmask"
    ))
}

/// The route that decides where the address belongs: of the first table that has any.
fn best_route<'a>(
    settings: &Settings,
    link: Option<&Link>,
    snapshot: &'a Snapshot,
) -> Option<&'a Route> {
    let tables = tables(settings, &snapshot.links);
    tables.iter().find_map(|table| {
        let of_table = snapshot.routes.iter().filter(|route| route.table == *table);
        let candidates = of_table.filter(|route| objection(settings, link, route).is_none());
        // min_by_key keeps the first of equals: the kernel's order.
        candidates.min_by_key(|route| (std::cmp::Reverse(route.prefix), route.metric))
    })
}

/// Why a route does not tell where the address belongs; `None` for one that may. `link` is the
/// interface that was named.
pub fn objection(settings: &Settings, link: Option<&Link>, route: &Route) -> Option<&'static str> {
    let ip = settings.ip;
    let is_connected = match route.kind {
        RouteKind::Unicast => {
            route.table != TABLE_LOCAL || settings.route_table == Some(TABLE_LOCAL)
        }
        RouteKind::Local => {
            ip.is_ipv4()
                && ip.is_loopback()
                && route.table == TABLE_LOCAL
                && settings.route_table.is_none()
        }
        RouteKind::Other => false,
    };
    let objections = [
        (!contains(route.network, route.prefix, ip), "does not have the address"),
        (route.prefix == 0, "is the default route"),
        (!is_connected, "does not lead to a network"),
        (route.gateway, "leads to a router"),
        (route.index == 0, "leads over no single interface"),
        (
            link.is_some_and(|link| route.index != link.index),
            "leads over another interface than nic",
        ),
        (
            settings.prefix.is_some_and(|given| route.prefix > given),
            "is narrower than cidr_netmask",
        ),
        (
            settings.route_protocol.is_some_and(|given| route.protocol != given),
            "has another origin than proto",
        ),
        // That of an address that is there already says nothing about its network.
        (
            route.network == ip && is_host_route(route) && settings.prefix.is_none(),
            "is the address's own",
        ),
    ];
    objections.into_iter().find_map(|(applies, why)| applies.then_some(why))
}

/// Whether a route that the kernel would take to the address is the one that [`place`] would find
/// among all: of the right table, and not more specific than the prefix length. A default route is:
/// there is nothing better then.
pub fn is_the_answer(route: &Route, prefix: u8, tables: &[u32]) -> bool {
    tables.contains(&route.table)
        && (route.prefix == 0 || (!route.gateway && route.prefix <= prefix))
}

fn is_host_route(route: &Route) -> bool {
    usize::from(route.prefix) == if route.network.is_ipv4() { 32 } else { 128 }
}

fn found_metric(route: &Route, ip: IpAddr) -> Option<u32> {
    let by_itself = if ip.is_ipv4() { 0 } else { V6_DEFAULT_METRIC };
    (route.metric != 0 && route.metric != by_itself && route.kind == RouteKind::Unicast)
        .then_some(route.metric)
}

/// The broadcast address: the configured one, else that of the address which the network is
/// connected by.
fn broadcast(
    settings: &Settings,
    prefix: u8,
    route: Option<&Route>,
    snapshot: &Snapshot,
) -> Option<Ipv4Addr> {
    let IpAddr::V4(ip) = settings.ip else { return None };
    let host_bits = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    // iproute2 leaves prefixes that have no room for a broadcast address alone.
    let host_bits = if prefix > 30 { 0 } else { host_bits };
    match settings.broadcast {
        Some(Broadcast::Address(address)) => Some(address),
        Some(Broadcast::HostBitsSet) => Some(Ipv4Addr::from_bits(ip.to_bits() | host_bits)),
        Some(Broadcast::HostBitsCleared) => Some(Ipv4Addr::from_bits(ip.to_bits() & !host_bits)),
        None => {
            let route = route?;
            let base =
                snapshot.having(route.source?).find(|address| address.index == route.index)?;
            base.broadcast
        }
    }
}

#[cfg(test)]
mod tests;
