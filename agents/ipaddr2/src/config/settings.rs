//! The parameters of one resource, judged together and typed: what every action works with.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ocf::invocation::Invocation;
use ocf::values::{Faults, Values};

use crate::config::params;
use crate::config::parse::{Broadcast, Dad, Firewall, LinkCheck, Mac, Mask, is_link_local};

/// The longest interface name, and the longest label (IFNAMSIZ less the final zero).
pub const LONGEST_NAME: usize = 15;

/// What finds the address on this node, and what a stop does besides removing it. Each part is from
/// a value that is good, else as if it were unset. But where the interface or the network namespace
/// is faulty, there is no address: without them it could be another resource's, and only the record
/// counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// The address, if one was given.
    pub ip: Option<IpAddr>,
    /// The interface.
    pub nic: Option<String>,
    /// The prefix length.
    pub prefix: Option<u8>,
    /// The network namespace.
    pub network_namespace: Option<String>,
    /// Shared among the instances of a globally unique clone.
    pub cluster_ip: Option<ClusterIp>,
    /// LVS direct routing on IPv4.
    pub lvs_support: bool,
    /// The label in the address selection policy, for an IPv6 address that gets one.
    pub address_label: Option<u32>,
    /// Flush cached routes on stop.
    pub flush_routes: bool,
    /// Reset TCP connections on stop.
    pub kill_connections: bool,
}

impl Identity {
    /// As far as the values are good.
    pub fn of(invocation: &Invocation) -> Self {
        let values = &invocation.values;
        let unheard = &mut Faults::default();
        let nic = values.get(&params::NIC).map(|nic| nic.name);
        let network_namespace = values.get(&params::NETWORK_NAMESPACE);
        let is_lost =
            values.is_faulty(&params::NIC) || values.is_faulty(&params::NETWORK_NAMESPACE);
        let ip = effective_address(values, invocation, unheard).filter(|_| !is_lost);
        let is_loopback = nic.as_deref() == Some("lo");
        let v6 = ip.is_some_and(|ip| ip.is_ipv6());
        let is_true = |param: &ocf::param::Param<bool>| values.get(param) == Some(true);
        Self {
            ip,
            prefix: mask(values).filter(|mask| fits(ip, *mask)).map(|mask| mask.length),
            network_namespace,
            cluster_ip: cluster_ip(values, invocation, is_loopback, v6, unheard),
            lvs_support: is_true(&params::LVS_SUPPORT),
            address_label: address_label(values, v6),
            flush_routes: is_true(&params::FLUSH_ROUTES),
            kill_connections: is_true(&params::KILL_CONNECTIONS),
            nic,
        }
    }
}

/// A resource as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The address, with the clone number added where each instance has its own.
    pub ip: IpAddr,
    /// The interface as the administrator names it.
    pub nic: Option<String>,
    /// The label's part after the colon. IPv4 only: IPv6 addresses have none.
    pub label: Option<String>,
    /// The prefix length.
    pub prefix: Option<u8>,
    /// The IPv4 broadcast address.
    pub broadcast: Option<Broadcast>,
    /// Routes of this origin only.
    pub route_protocol: Option<u8>,
    /// Routes of this table; `None` for that of the interface: main, or its VRF's.
    pub route_table: Option<u32>,
    /// The metric of the prefix route.
    pub metric: Option<u32>,
    /// No prefix route.
    pub noprefixroute: bool,
    /// What to do about duplicate address detection.
    pub dad: Dad,
    /// In seconds; `u32::MAX` for ever.
    pub preferred_lft: u32,
    /// The label in the address selection policy, for an IPv6 address that gets one.
    pub address_label: Option<u32>,
    /// LVS direct routing on IPv4.
    pub lvs_support: bool,
    /// Whether to look for an IPv4 conflict first.
    pub detect_conflict: bool,
    /// How to announce.
    pub announce: Announce,
    /// What a lost link means; `None` is the distribution's choice.
    pub link_check: Option<LinkCheck>,
    /// Flush cached routes on stop.
    pub flush_routes: bool,
    /// Reset TCP connections on stop.
    pub kill_connections: bool,
    /// The network namespace.
    pub network_namespace: Option<String>,
    /// Shared among the instances of a globally unique clone.
    pub cluster_ip: Option<ClusterIp>,
}

/// How to announce the address.
#[derive(Clone, Debug, PartialEq)]
pub struct Announce {
    /// How many times after a start.
    pub count: u32,
    /// The same time between all of them; `None` for the schedule that suits neighbours best.
    pub interval: Option<Duration>,
    /// How many times in each monitor.
    pub refresh: u32,
    /// Whether start and monitor leave all but the first to the background.
    pub background: bool,
    /// Neighbours to tell directly, of the address's family.
    pub to: Vec<IpAddr>,
}

/// A cluster IP: several nodes have the address, and each answers its share of the clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIp {
    /// Which share is ours, from 1.
    pub node: u32,
    /// How many shares there are.
    pub nodes: u32,
    /// The tool for the rules.
    pub firewall: Firewall,
    /// The hash seed; `None` follows from the address.
    pub seed: Option<u32>,
    /// The shared MAC address; `None` follows from the address.
    pub mac: Option<Mac>,
    /// The iptables table.
    pub table: String,
    /// The iptables chain.
    pub chain: String,
    /// Whether ARP answers carry the shared MAC.
    pub mangle: bool,
}

/// Judges the combinations and gives the settings; `None` when a value that all depends on is
/// missing or faulty.
pub fn from_values(
    values: &Values,
    invocation: &Invocation,
    faults: &mut Faults,
) -> Option<Settings> {
    let nic = values.get(&params::NIC);
    let mask = mask(values);
    let ip = effective_address(values, invocation, faults);
    if let (Some(ip), Some(mask)) = (ip, mask) {
        judge_mask(ip, mask, faults);
    }
    let v6 = matches!(ip, Some(IpAddr::V6(_)));
    let is_loopback = nic.as_ref().is_some_and(|n| n.name == "lo");
    if let Some(IpAddr::V6(address)) = ip {
        judge_v6(address, values, nic.is_some(), faults);
    }
    // A label in nic takes precedence, as it always did.
    let label = nic.as_ref().and_then(|n| n.label.clone()).or_else(|| values.get(&params::IFLABEL));
    if let (Some(nic), Some(label), false) = (&nic, &label, v6) {
        judge_label(&nic.name, label, faults);
    }
    let cluster_ip = cluster_ip(values, invocation, is_loopback, v6, faults);
    let to = values.get(&params::ANNOUNCE_TO).unwrap_or_default();
    if let Some(ip) = ip
        && let Some(stranger) = to.iter().find(|other| other.is_ipv4() != ip.is_ipv4())
    {
        faults.wrong(
            "announce_to",
            &stranger.to_string(),
            format!("addresses of the same family as ip {ip}"),
        );
    }
    let dad = if values.get(&params::NODAD)? { Dad::Off } else { values.get(&params::DAD)? };
    Some(Settings {
        ip: ip?,
        nic: nic.map(|n| n.name),
        label: if v6 { None } else { label },
        prefix: mask.map(|m| m.length),
        broadcast: if v6 { None } else { values.get(&params::BROADCAST) },
        route_protocol: values.get(&params::PROTO),
        route_table: values.get(&params::TABLE),
        metric: values.get(&params::METRIC),
        noprefixroute: values.get(&params::NOPREFIXROUTE)?,
        dad,
        preferred_lft: values.get(&params::PREFERRED_LFT)?,
        address_label: address_label(values, v6),
        lvs_support: values.get(&params::LVS_SUPPORT)?,
        detect_conflict: values.get(&params::RUN_ARPING)?,
        announce: Announce {
            count: values.get(&params::ARP_COUNT)?,
            interval: values
                .is_given(&params::ARP_INTERVAL)
                .then(|| values.get(&params::ARP_INTERVAL))
                .flatten(),
            refresh: values.get(&params::ARP_COUNT_REFRESH)?,
            background: values.get(&params::ARP_BG)?,
            to,
        },
        link_check: values
            .is_given(&params::CHECK_LINK_STATUS)
            .then(|| values.get(&params::CHECK_LINK_STATUS))
            .flatten(),
        flush_routes: values.get(&params::FLUSH_ROUTES)?,
        kill_connections: values.get(&params::KILL_CONNECTIONS)?,
        network_namespace: values.get(&params::NETWORK_NAMESPACE),
        cluster_ip,
    })
}

/// The prefix length. What stands behind the address counts where nothing else is said.
fn mask(values: &Values) -> Option<Mask> {
    let behind = || {
        let length = values.get(&params::IP)?.prefix?;
        Some(Mask { length, dotted: false })
    };
    values.get(&params::CIDR_NETMASK).or_else(behind)
}

/// Whether addresses of this family can have the mask.
fn fits(ip: Option<IpAddr>, mask: Mask) -> bool {
    let mut faults = Faults::default();
    ip.into_iter().for_each(|ip| judge_mask(ip, mask, &mut faults));
    faults.is_empty()
}

/// The label in the address selection policy: IPv6 addresses get one if that is wanted.
fn address_label(values: &Values, v6: bool) -> Option<u32> {
    let is_wanted = v6 && values.get(&params::LVS_IPV6_ADDRLABEL) == Some(true);
    is_wanted.then(|| values.get(&params::LVS_IPV6_ADDRLABEL_VALUE)).flatten()
}

/// The address that this instance manages.
pub fn effective_address(
    values: &Values,
    invocation: &Invocation,
    faults: &mut Faults,
) -> Option<IpAddr> {
    let ip = values.get(&params::IP)?.address;
    if values.get(&params::UNIQUE_CLONE_ADDRESS) != Some(true) {
        return Some(ip);
    }
    let clone = invocation.clone_meta();
    if !clone.globally_unique {
        faults
            .push("unique_clone_address needs a globally unique clone (meta globally-unique=true)");
        return Some(ip);
    }
    let next = plus(ip, clone.number);
    if next.is_none() {
        faults.push(format!(
            "unique_clone_address: {ip} plus clone number {} is no address",
            clone.number
        ));
    }
    next
}

/// An address some places further on. IPv4 stays within its last octet, as it always did.
fn plus(ip: IpAddr, number: u32) -> Option<IpAddr> {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, last] = v4.octets();
            let last = u8::try_from(u32::from(last).checked_add(number)?).ok()?;
            Some(Ipv4Addr::new(a, b, c, last).into())
        }
        IpAddr::V6(v6) => {
            Some(Ipv6Addr::from_bits(v6.to_bits().checked_add(number.into())?).into())
        }
    }
}

fn judge_mask(ip: IpAddr, mask: Mask, faults: &mut Faults) {
    let name = params::CIDR_NETMASK.info.name;
    match ip {
        IpAddr::V4(_) if mask.length > 32 => {
            faults.wrong(
                name,
                &mask.length.to_string(),
                "a prefix length from 1 to 32 for an IPv4 address",
            );
        }
        IpAddr::V6(_) if mask.dotted => {
            let netmask = Ipv4Addr::from_bits(u32::MAX << (32 - mask.length));
            let expected = "a prefix length from 1 to 128 for an IPv6 address, not a netmask";
            faults.wrong(name, &netmask.to_string(), expected);
        }
        _ => {}
    }
}

fn judge_v6(ip: Ipv6Addr, values: &Values, has_nic: bool, faults: &mut Faults) {
    if is_link_local(ip) && !has_nic && !values.is_given(&params::NIC) {
        faults.push(format!("nic is required for the link-local address {ip}"));
    }
    if values.get(&params::LVS_SUPPORT) == Some(true) {
        faults.push("lvs_support is for IPv4; for IPv6 use lvs_ipv6_addrlabel");
    }
    if values.get(&params::NODAD) == Some(true) && values.get(&params::DAD) == Some(Dad::Optimistic)
    {
        faults.push("nodad=true and dad=optimistic exclude each other");
    }
}

fn judge_label(nic: &str, label: &str, faults: &mut Faults) {
    let whole = format!("{nic}:{label}");
    if whole.len() > LONGEST_NAME {
        faults.wrong(
            "iflabel",
            &whole,
            format!("at most {LONGEST_NAME} characters together with interface and colon"),
        );
    }
}

/// A cluster IP is a globally unique clone of several instances that share one address. An
/// anonymous clone is a plain address on each node, and so is anything on the loopback interface.
pub fn cluster_ip(
    values: &Values,
    invocation: &Invocation,
    is_loopback: bool,
    v6: bool,
    faults: &mut Faults,
) -> Option<ClusterIp> {
    let clone = invocation.clone_meta();
    let nodes = clone.max.unwrap_or(1);
    let own_addresses = values.get(&params::UNIQUE_CLONE_ADDRESS) == Some(true);
    if !clone.globally_unique || nodes < 2 || own_addresses || is_loopback {
        return None;
    }
    if values.get(&params::LVS_SUPPORT) == Some(true) {
        faults.push("lvs_support and a cluster IP exclude each other");
    }
    let mangle = values.get(&params::CLUSTERIP_MAC_MANGLE)?;
    if mangle && v6 {
        faults.push("clusterip_mac_mangle is for IPv4");
    }
    if clone.number >= nodes {
        faults.push(format!("clone number {} is not below clone-max {nodes}", clone.number));
    }
    Some(ClusterIp {
        node: clone.number + 1,
        nodes,
        firewall: values.get(&params::CLUSTERIP_FIREWALL)?,
        seed: values.get(&params::CLUSTERIP_HASH_SEED),
        mac: values.get(&params::MAC),
        table: values.get(&params::CLUSTERIP_TABLE)?,
        chain: values.get(&params::CLUSTERIP_CHAIN)?,
        mangle,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn call(pairs: &[(&str, &str)]) -> Invocation {
        let environment = pairs
            .iter()
            .map(|(n, v)| (OsString::from(format!("OCF_RESKEY_{n}")), OsString::from(v)));
        Invocation::new([OsString::from("IPaddr2"), "start".into()], environment)
    }

    fn judge(pairs: &[(&str, &str)]) -> (Option<Settings>, Faults) {
        let call = call(pairs);
        let mut faults = call.values.faults(params::ALL);
        let settings = from_values(&call.values, &call, &mut faults);
        (settings, faults)
    }

    fn good(pairs: &[(&str, &str)]) -> Settings {
        let (settings, faults) = judge(pairs);
        assert!(faults.is_empty(), "{pairs:?}: {faults:?}");
        settings.expect("settings")
    }

    fn reason(pairs: &[(&str, &str)]) -> String {
        judge(pairs).1.into_failure().expect("a fault").to_string()
    }

    #[test]
    fn an_address_alone_is_enough() {
        let settings = good(&[("ip", "10.9.0.50")]);
        assert_eq!(settings.announce.count, 5);
        assert_eq!((settings.announce.interval, settings.announce.background), (None, true));
        assert_eq!(
            (settings.link_check, settings.cluster_ip, settings.address_label),
            (None, None, None)
        );
        assert_eq!(good(&[("ip", "2001:db8::1")]).address_label, Some(99));
    }

    #[test]
    fn a_stop_uses_what_is_good_of_faulty_parameters() {
        let given = [
            ("OCF_RESKEY_ip", "10.9.0.50"),
            ("OCF_RESKEY_cidr_netmask", "24"),
            ("OCF_RESKEY_nic", "ethA"),
            ("OCF_RESKEY_kill_connections", "perhaps"),
            ("OCF_RESKEY_flush_routes", "true"),
        ];
        let call = Invocation::new(
            [OsString::from("IPaddr2"), "stop".into()],
            given.map(|(name, value)| (OsString::from(name), OsString::from(value))),
        );
        let expected = Identity {
            ip: "10.9.0.50".parse().ok(),
            nic: Some("ethA".to_owned()),
            prefix: Some(24),
            flush_routes: true,
            ..Identity::default()
        };
        assert_eq!(Identity::of(&call), expected);
        let given = [("OCF_RESKEY_ip", "10.9.0.50"), ("OCF_RESKEY_cidr_netmask", "99")];
        let call = Invocation::new(
            [OsString::from("IPaddr2"), "stop".into()],
            given.map(|(name, value)| (OsString::from(name), OsString::from(value))),
        );
        assert_eq!(Identity::of(&call).prefix, None, "no IPv4 address has it");
    }

    #[test]
    fn each_family_has_its_own_range_of_prefix_lengths() {
        assert!(reason(&[("ip", "10.9.0.50"), ("cidr_netmask", "33")]).contains("from 1 to 32"));
        assert!(
            reason(&[("ip", "2001:db8::1"), ("netmask", "255.255.255.0")])
                .contains("not a netmask")
        );
        assert_eq!(good(&[("ip", "2001:db8::1"), ("cidr_netmask", "128")]).prefix, Some(128));
        assert_eq!(good(&[("ip", "10.9.0.50"), ("netmask", "255.255.255.0")]).prefix, Some(24));
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = reason(&[
            ("ip", "febf::1"),
            ("cidr_netmask", "200"),
            ("arp_count", "0"),
            ("nodad", "maybe"),
            ("lvs_support", "1"),
        ]);
        for part in [
            "cidr_netmask=\"200\"",
            "arp_count=\"0\"",
            "nodad=\"maybe\"",
            "nic is required",
            "lvs_support is",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn ip_18_a_label_is_at_most_fifteen_characters_with_its_interface() {
        assert!(
            reason(&[("ip", "10.9.0.50"), ("nic", "ethA"), ("iflabel", "elevenchars")])
                .contains("ethA:elevenchars")
        );
        assert_eq!(
            good(&[("ip", "10.9.0.50"), ("nic", "eth0:0"), ("iflabel", "x")]).label.as_deref(),
            Some("0")
        );
    }

    #[test]
    fn only_a_globally_unique_clone_of_several_shares_its_address() {
        let clone = |unique: &str, nic: &str| {
            good(&[
                ("ip", "10.9.0.50"),
                ("nic", nic),
                ("CRM_meta_clone", "1"),
                ("CRM_meta_clone_max", "2"),
                ("CRM_meta_globally_unique", unique),
            ])
            .cluster_ip
        };
        assert_eq!(clone("true", "ethA").map(|c| (c.node, c.nodes)), Some((2, 2)));
        assert_eq!(clone("false", "ethA"), None);
        assert_eq!(clone("true", "lo"), None);
    }

    #[test]
    fn a_faulty_interface_or_namespace_leaves_only_the_record() {
        let found =
            |name: &str, value: &str| Identity::of(&call(&[("ip", "10.9.0.50"), (name, value)])).ip;
        for (name, value) in
            [("nic", "eth0 "), ("nic", "a/b"), ("network_namespace", "/run/netns/blue")]
        {
            assert_eq!(found(name, value), None, "{name}={value}");
        }
        for (name, value) in [("nic", "eth0"), ("cidr_netmask", "99"), ("arp_count", "many")] {
            assert!(found(name, value).is_some(), "{name}={value}");
        }
    }

    #[test]
    fn each_instance_may_have_an_address_of_its_own() {
        let base = [
            ("unique_clone_address", "true"),
            ("CRM_meta_clone", "3"),
            ("CRM_meta_clone_max", "9"),
        ];
        let with = |ip, unique| {
            let mut pairs = base.to_vec();
            pairs.extend([("ip", ip), ("CRM_meta_globally_unique", unique)]);
            judge(&pairs)
        };
        assert_eq!(with("10.9.0.50", "true").0.unwrap().ip.to_string(), "10.9.0.53");
        assert_eq!(with("2001:db8::fffe", "true").0.unwrap().ip.to_string(), "2001:db8::1:1");
        assert!(!with("10.9.0.254", "true").1.is_empty());
        assert!(!with("10.9.0.50", "false").1.is_empty());
    }
}
