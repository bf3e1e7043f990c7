use super::*;
use crate::kernel::examples::{address, link, route};
use crate::kernel::{Address, AddressFlags};
use ocf::invocation::Invocation;
use std::ffi::OsString;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let environment =
        pairs.iter().map(|(n, v)| (OsString::from(format!("OCF_RESKEY_{n}")), OsString::from(v)));
    let call = Invocation::new([OsString::from("IPaddr2"), "start".into()], environment);
    let mut faults = ocf::values::Faults::default();
    crate::config::settings::from_values(&call.values, &call, &mut faults).expect("settings")
}

/// lo, ethA and ethC, with these routes.
fn host(routes: Vec<Route>) -> Snapshot {
    Snapshot {
        links: vec![link(1, "lo"), link(2, "ethA"), link(3, "ethC")],
        addresses: vec![],
        routes,
    }
}

fn found(pairs: &[(&str, &str)], snapshot: &Snapshot) -> (String, u8) {
    let (place, _) = place(&settings(pairs), snapshot).unwrap_or_else(|f| panic!("{pairs:?}: {f}"));
    (place.name, place.prefix)
}

#[test]
fn ip_05_the_most_specific_network_wins() {
    let host = host(vec![route("10.122.0.0/18", 3, 0), route("10.122.24.0/25", 2, 0)]);
    assert_eq!(found(&[("ip", "10.122.24.50")], &host), ("ethA".into(), 25));
}

#[test]
fn ip_03_of_two_routes_to_one_network_the_lower_metric_wins_and_then_the_first() {
    let both = host(vec![route("10.9.0.0/24", 3, 101), route("10.9.0.0/24", 2, 100)]);
    assert_eq!(found(&[("ip", "10.9.0.50")], &both).0, "ethA");
    let same = host(vec![route("10.9.0.0/24", 3, 100), route("10.9.0.0/24", 2, 100)]);
    assert_eq!(found(&[("ip", "10.9.0.50")], &same).0, "ethC");
}

#[test]
fn ip_01_routes_that_lead_nowhere_or_elsewhere_tell_nothing() {
    let mut nowhere = route("2001:db8:9::/72", 1, 0);
    nowhere.kind = RouteKind::Other;
    let mut other_table = route("2001:db8:9::/96", 3, 0);
    other_table.table = 100;
    let mut via = route("2001:db8:9::/80", 3, 0);
    via.gateway = true;
    let host = host(vec![
        nowhere,
        other_table,
        via,
        route("::/0", 3, 0),
        route("2001:db8:9::/64", 2, 1024),
    ]);
    assert_eq!(found(&[("ip", "2001:db8:9::50")], &host), ("ethA".into(), 64));
    assert_eq!(found(&[("ip", "2001:db8:9::50"), ("table", "100")], &host), ("ethC".into(), 96));
}

#[test]
fn ip_08_an_address_outside_every_network_needs_interface_and_prefix() {
    let host = host(vec![route("0.0.0.0/0", 2, 0)]);
    for pairs in [
        &[("ip", "192.0.2.5")][..],
        &[("ip", "192.0.2.5"), ("nic", "ethA")],
        &[("ip", "192.0.2.5"), ("cidr_netmask", "24")],
    ] {
        let failure = place(&settings(pairs), &host).unwrap_err();
        assert_eq!(failure.kind, Kind::Installed);
        assert!(failure.to_string().contains("set both nic and cidr_netmask"), "{failure}");
    }
    assert_eq!(
        found(&[("ip", "192.0.2.5"), ("nic", "ethA"), ("cidr_netmask", "32")], &host),
        ("ethA".into(), 32)
    );
}

#[test]
fn ip_10_an_interface_may_be_named_by_an_alternative_name() {
    let host = host(vec![route("10.9.0.0/24", 2, 0)]);
    assert_eq!(found(&[("ip", "10.9.0.50"), ("nic", "alt-ethA")], &host), ("ethA".into(), 24));
}

#[test]
fn ip_23_a_missing_interface_is_named_with_those_that_are_there() {
    let failure =
        place(&settings(&[("ip", "10.9.0.50"), ("nic", "eth7")]), &host(vec![])).unwrap_err();
    assert_eq!(failure.kind, Kind::Installed);
    assert!(
        failure.to_string().contains("nic=\"eth7\"")
            && failure.to_string().contains("lo ethA ethC"),
        "{failure}"
    );
}

#[test]
fn a_prefix_shorter_than_the_networks_own_needs_the_interface_too() {
    let host = host(vec![route("192.168.144.0/24", 2, 0)]);
    assert!(place(&settings(&[("ip", "192.168.144.2"), ("cidr_netmask", "16")]), &host).is_err());
    assert_eq!(
        found(&[("ip", "192.168.144.2"), ("cidr_netmask", "28")], &host),
        ("ethA".into(), 28)
    );
    assert_eq!(
        found(&[("ip", "192.168.144.2"), ("cidr_netmask", "16"), ("nic", "ethC")], &host),
        ("ethC".into(), 16)
    );
}

#[test]
fn the_broadcast_address_is_that_of_the_network_unless_it_is_given() {
    let mut connected = route("10.9.0.0/24", 2, 0);
    connected.source = Some("10.9.0.1".parse().unwrap());
    let mut host = host(vec![connected]);
    host.addresses =
        vec![Address { broadcast: Some([10, 9, 0, 255].into()), ..address("10.9.0.1/24", 2) }];
    let broadcast = |pairs: &[(&str, &str)]| {
        place(&settings(pairs), &host).unwrap().0.broadcast.map(|b| b.to_string())
    };
    assert_eq!(broadcast(&[("ip", "10.9.0.50")]).as_deref(), Some("10.9.0.255"));
    assert_eq!(
        broadcast(&[("ip", "10.9.0.50"), ("broadcast", "10.9.7.7")]).as_deref(),
        Some("10.9.7.7")
    );
    assert_eq!(
        broadcast(&[("ip", "10.9.0.50"), ("broadcast", "+")]).as_deref(),
        Some("10.9.0.255")
    );
    assert_eq!(broadcast(&[("ip", "10.9.0.50"), ("broadcast", "-")]).as_deref(), Some("10.9.0.0"));
    assert_eq!(broadcast(&[("ip", "198.51.100.1"), ("nic", "ethC"), ("cidr_netmask", "24")]), None);
    let narrow = [("ip", "10.9.0.50"), ("cidr_netmask", "32"), ("broadcast", "+")];
    assert_eq!(broadcast(&narrow).as_deref(), Some("10.9.0.50"));
}

#[test]
fn ip_14_loopback_addresses_are_found_in_the_local_table() {
    let mut local = route("127.0.0.0/8", 1, 0);
    (local.table, local.kind) = (TABLE_LOCAL, RouteKind::Local);
    assert_eq!(found(&[("ip", "127.0.0.3")], &host(vec![local.clone()])), ("lo".into(), 8));
    assert!(place(&settings(&[("ip", "10.9.0.50")]), &host(vec![local])).is_err());
}

#[test]
fn ip_35_a_metric_is_set_when_it_is_given_or_found() {
    let metric = |found: u32, pairs: &[(&str, &str)]| {
        let network = if pairs[0].1.contains(':') { "2001:db8:9::/64" } else { "10.9.0.0/24" };
        place(&settings(pairs), &host(vec![route(network, 2, found)])).unwrap().0.metric
    };
    assert_eq!(metric(0, &[("ip", "10.9.0.50")]), None);
    assert_eq!(metric(101, &[("ip", "10.9.0.50")]), Some(101));
    assert_eq!(metric(256, &[("ip", "2001:db8:9::50")]), None);
    assert_eq!(metric(1024, &[("ip", "2001:db8:9::50")]), Some(1024));
    assert_eq!(metric(0, &[("ip", "10.9.0.50"), ("metric", "50")]), Some(50));
}

#[test]
fn ip_18_a_label_that_does_not_fit_this_interface_is_wrong_here_only() {
    let mut host = host(vec![route("10.9.0.0/24", 2, 0)]);
    host.links[1].name = "enp0s31f6".into();
    let failure =
        place(&settings(&[("ip", "10.9.0.50"), ("iflabel", "database")]), &host).unwrap_err();
    assert_eq!(failure.kind, Kind::Args);
    assert_eq!(
        place(&settings(&[("ip", "10.9.0.50"), ("iflabel", "web")]), &host)
            .unwrap()
            .0
            .label
            .unwrap(),
        "enp0s31f6:web"
    );
}

#[test]
fn only_routes_of_the_asked_origin_count() {
    let mut wider = route("10.9.0.0/16", 3, 0);
    wider.protocol = 4;
    let host = host(vec![wider, route("10.9.0.0/24", 2, 0)]);
    assert_eq!(found(&[("ip", "10.9.0.50"), ("proto", "static")], &host), ("ethC".into(), 16));
}

#[test]
fn ip_f3_a_prefix_route_that_no_address_has_brought_is_not_shared() {
    let advertised = || route("2001:db8:aa::/64", 2, 1024);
    let own = |prefix: u8, flags: AddressFlags| Address {
        flags,
        ..address(&format!("2001:db8:aa::1/{prefix}"), 2)
    };
    let permanent = AddressFlags { permanent: true, ..AddressFlags::default() };
    let decided = |routes: Vec<Route>, addresses: Vec<Address>| {
        let host = Snapshot { addresses, ..host(routes) };
        place(&settings(&[("ip", "2001:db8:aa::50")]), &host).unwrap().0.noprefixroute
    };
    assert!(decided(vec![advertised()], vec![own(128, permanent)]));
    assert!(decided(
        vec![advertised()],
        vec![own(64, AddressFlags { noprefixroute: true, ..permanent })]
    ));
    assert!(
        decided(vec![advertised()], vec![own(64, AddressFlags::default())]),
        "brought by an advertisement, too"
    );
    assert!(!decided(
        vec![advertised(), route("2001:db8:aa::/64", 2, 256)],
        vec![own(64, permanent)]
    ));
    // A route of another interface or of a wider network is not the one that the kernel would take.
    let longer = [("ip", "2001:db8:aa::50"), ("nic", "ethA"), ("cidr_netmask", "64")];
    for other in [route("2001:db8:aa::/48", 2, 1024), route("2001:db8:aa::/64", 3, 1024)] {
        assert!(!place(&settings(&longer), &host(vec![other])).unwrap().0.noprefixroute);
    }
}

#[test]
fn ip_f14_the_table_of_a_vrf_tells_where_its_interfaces_are() {
    let mut vrf = link(4, "vrf-red");
    vrf.vrf_table = Some(10);
    let mut part = link(5, "ethR");
    part.master = Some(4);
    let mut host = host(vec![route("10.9.0.0/24", 2, 0)]);
    host.links.extend([vrf, part]);
    host.routes.push(Route { table: 10, ..route("10.8.0.0/24", 5, 0) });
    host.routes.push(Route { table: 10, ..route("10.9.0.0/24", 5, 0) });
    assert_eq!(tables(&settings(&[("ip", "10.9.0.50"), ("nic", "ethR")]), &host.links), [10]);
    assert_eq!(tables(&settings(&[("ip", "10.9.0.50"), ("table", "7")]), &host.links), [7]);
    assert_eq!(found(&[("ip", "10.9.0.50"), ("nic", "ethR")], &host), ("ethR".into(), 24));
    // Main comes first; only what it does not know is looked up elsewhere.
    assert_eq!(found(&[("ip", "10.9.0.50")], &host).0, "ethA");
    assert_eq!(found(&[("ip", "10.8.0.50")], &host).0, "ethR");
}
