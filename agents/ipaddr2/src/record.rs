//! What this resource has put on the host, kept in a file of its own so that stop finds it whatever
//! the parameters say by then.
//!
//! Written before the address is added: a start that is killed anywhere leaves at most a record
//! without an address. A stop leaves a record too, one that says "nothing".
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::str::FromStr;

use ocf::state::{Pairs, StateFile};

use crate::config::parse;
use crate::config::settings::{ClusterIp, Settings};
use crate::kernel::place::Place;
use crate::kernel::{Address, AddressFlags, readable};

/// What is known of a resource's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The address, if one was put here and has not been removed.
    pub added: Option<Added>,
    /// An address with prefix length 32 that was taken off the loopback interface for it, as it
    /// was.
    pub set_aside: Option<Address>,
    /// The rules of a cluster IP.
    pub rules: Option<Rules>,
}

/// The rules of a cluster IP that were made for this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The tool that has made them.
    pub tool: String,
    /// What they are about: a stop comes with the meta attributes of now. A record of the first
    /// version does not have it.
    pub config: Option<ClusterIp>,
}

/// An address that was put on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The address.
    pub ip: IpAddr,
    /// Where it was put, and in which form. A record of an earlier version says nothing about the
    /// prefix route: `noprefixroute` then.
    pub place: Place,
    /// The parameter `nic` at the time.
    pub asked: Option<String>,
    /// The network namespace.
    pub namespace: Option<String>,
    /// The label in the address selection policy.
    pub address_label: Option<u32>,
}

impl Added {
    /// Whether it is about the resource as it is configured now.
    #[must_use]
    pub fn is_about(&self, settings: &Settings) -> bool {
        self.ip == settings.ip
            && self.asked == settings.nic
            && self.namespace == settings.network_namespace
    }
}

impl StateFile for Record {
    const AGENT: &'static str = "IPaddr2";

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if let Some(copy) = &self.set_aside {
            pairs.push(("set_aside", "1".to_owned()));
            pairs.push(("aside_ip", copy.ip.to_string()));
            pairs.push(("aside_scope", copy.scope.to_string()));
            pairs.extend(copy.label.clone().map(|label| ("aside_label", label)));
            pairs
                .extend(copy.broadcast.map(|broadcast| ("aside_broadcast", broadcast.to_string())));
            pairs.extend(copy.peer.map(|peer| ("aside_peer", peer.to_string())));
            pairs.extend(copy.metric.map(|metric| ("aside_metric", metric.to_string())));
            pairs.extend(copy.protocol.map(|protocol| ("aside_protocol", protocol.to_string())));
            pairs.extend(copy.flags.noprefixroute.then(|| ("aside_noprefixroute", "1".to_owned())));
            if let Some((preferred, valid)) = copy.lifetimes {
                pairs.push(("aside_preferred", preferred.to_string()));
                pairs.push(("aside_valid", valid.to_string()));
            }
        }
        if let Some(rules) = &self.rules {
            pairs.push(("rules", rules.tool.clone()));
            pairs.extend(rules.config.iter().flat_map(share));
        }
        if let Some(added) = &self.added {
            let place = &added.place;
            pairs.push(("ip", added.ip.to_string()));
            pairs.push(("prefix", place.prefix.to_string()));
            pairs.push(("index", place.index.to_string()));
            pairs.push(("name", place.name.clone()));
            let optional =
                [("label", &place.label), ("asked", &added.asked), ("namespace", &added.namespace)];
            pairs.extend(
                optional.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))),
            );
            pairs.extend(place.broadcast.map(|broadcast| ("broadcast", broadcast.to_string())));
            // The metric of the prefix route; 0 is the kernel's own choice.
            let route = (!place.noprefixroute).then(|| place.metric.unwrap_or(0));
            pairs.extend(route.map(|metric| ("prefix_route", metric.to_string())));
            pairs.extend(added.address_label.map(|label| ("address_label", label.to_string())));
        }
        pairs
    }

    fn from_pairs(pairs: Pairs) -> Option<Self> {
        let get = |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
        let text = |key: &str| get(key).map(str::to_owned);
        let added = match get("ip") {
            None => None,
            Some(ip) => Some(Added {
                ip: ip.parse().ok()?,
                place: place(&get)?,
                asked: text("asked"),
                namespace: text("namespace"),
                address_label: optional(get("address_label"))?,
            }),
        };
        let set_aside =
            if get("set_aside") == Some("1") { Some(copy(&get, added.as_ref())?) } else { None };
        let rules = text("rules").map(|tool| Rules { config: cluster_ip(&get, &tool), tool });
        Some(Self { added, set_aside, rules })
    }
}

/// What the rules of a cluster IP are about.
fn share(config: &ClusterIp) -> Vec<(&'static str, String)> {
    let ClusterIp { node, nodes, seed, mac, table, chain, mangle, firewall: _ } = config;
    let mut pairs = vec![
        ("rules_node", node.to_string()),
        ("rules_nodes", nodes.to_string()),
        ("rules_table", table.clone()),
        ("rules_chain", chain.clone()),
        ("rules_mangle", mangle.to_string()),
    ];
    pairs.extend(seed.map(|seed| ("rules_seed", seed.to_string())));
    pairs.extend(mac.map(|mac| ("rules_mac", readable(&mac))));
    pairs
}

/// What [`share`] has written; `None` where a part is missing or wrong.
fn cluster_ip<'a>(get: &impl Fn(&str) -> Option<&'a str>, tool: &str) -> Option<ClusterIp> {
    Some(ClusterIp {
        node: get("rules_node")?.parse().ok()?,
        nodes: get("rules_nodes")?.parse().ok()?,
        firewall: parse::firewall(tool).ok()?,
        seed: optional(get("rules_seed"))?,
        mac: get("rules_mac").map(parse::multicast_mac).transpose().ok()?,
        table: get("rules_table")?.to_owned(),
        chain: get("rules_chain")?.to_owned(),
        mangle: get("rules_mangle")?.parse().ok()?,
    })
}

/// Where the address was put.
fn place<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> Option<Place> {
    let route: Option<u32> = optional(get("prefix_route"))?;
    Some(Place {
        index: get("index")?.parse().ok()?,
        name: get("name")?.to_owned(),
        prefix: get("prefix")?.parse().ok()?,
        broadcast: optional(get("broadcast"))?,
        metric: route.filter(|metric| *metric != 0),
        label: get("label").map(str::to_owned),
        noprefixroute: route.is_none(),
    })
}

/// The copy on the loopback interface. Records of the first version say only that there was one.
fn copy<'a>(get: &impl Fn(&str) -> Option<&'a str>, added: Option<&Added>) -> Option<Address> {
    let lifetimes: (Option<u32>, Option<u32>) =
        (optional(get("aside_preferred"))?, optional(get("aside_valid"))?);
    Some(Address {
        index: 0,
        ip: optional(get("aside_ip"))?.or(added.map(|added| added.ip))?,
        peer: optional(get("aside_peer"))?,
        prefix: 32,
        label: get("aside_label").map(str::to_owned),
        broadcast: optional(get("aside_broadcast"))?,
        flags: AddressFlags {
            noprefixroute: get("aside_noprefixroute") == Some("1"),
            ..AddressFlags::default()
        },
        metric: optional(get("aside_metric"))?,
        scope: optional(get("aside_scope"))?.unwrap_or_default(),
        lifetimes: lifetimes.0.zip(lifetimes.1),
        protocol: optional(get("aside_protocol"))?,
    })
}

/// A value that may be absent, but not wrong.
fn optional<T: FromStr>(text: Option<&str>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        let copy = Address {
            index: 0,
            ip: "10.9.0.80".parse().unwrap(),
            peer: Some("10.9.0.81".parse().unwrap()),
            prefix: 32,
            label: Some("lo:vip".into()),
            broadcast: Some([10, 9, 0, 80].into()),
            flags: AddressFlags { noprefixroute: true, ..AddressFlags::default() },
            metric: Some(7),
            scope: 254,
            lifetimes: Some((100, u32::MAX)),
            protocol: Some(4),
        };
        Record {
            added: Some(Added {
                ip: "2001:db8::50".parse().unwrap(),
                place: Place {
                    index: 7,
                    name: "ethA".into(),
                    prefix: 64,
                    broadcast: Some([10, 9, 0, 255].into()),
                    metric: Some(77),
                    label: Some("ethA:web".into()),
                    noprefixroute: false,
                },
                asked: Some("lan0".into()),
                namespace: Some("blue".into()),
                address_label: Some(99),
            }),
            set_aside: Some(copy),
            rules: Some(Rules { tool: "nft".into(), config: Some(shared()) }),
        }
    }

    fn shared() -> ClusterIp {
        ClusterIp {
            node: 2,
            nodes: 3,
            firewall: parse::Firewall::Nft,
            seed: Some(4711),
            mac: Some([1, 0, 0x5e, 0, 0x53, 1]),
            table: "mangle".into(),
            chain: "PREROUTING".into(),
            mangle: true,
        }
    }

    fn read(pairs: &[(&str, &str)]) -> Option<Record> {
        Record::from_pairs(
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        )
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for record in [full(), Record::default(), Record { added: None, ..full() }] {
            let pairs =
                record.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(Record::from_pairs(pairs), Some(record));
        }
    }

    #[test]
    fn a_record_of_the_first_version_is_read() {
        let old = read(&[
            ("set_aside", "1"),
            ("ip", "10.9.0.80"),
            ("prefix", "24"),
            ("index", "2"),
            ("name", "ethA"),
            ("rules", "nft"),
        ]);
        let old = old.unwrap();
        assert_eq!(old.rules, Some(Rules { tool: "nft".into(), config: None }));
        assert!(old.added.unwrap().place.noprefixroute);
        let copy = old.set_aside.unwrap();
        assert_eq!((copy.ip, copy.prefix, copy.label), ("10.9.0.80".parse().unwrap(), 32, None));
    }

    #[test]
    fn anything_else_is_no_record() {
        for bad in
            [&[("ip", "x")][..], &[("ip", "10.9.0.50")], &[("set_aside", "1"), ("aside_ip", "x")]]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
