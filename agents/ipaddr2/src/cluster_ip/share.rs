//! How the nodes of a cluster IP share their clients: names, seed, MAC address and rules. Pure.
//!
//! Everything here must come out exactly as `ocf:heartbeat:IPaddr2` makes it, for during a change
//! from one agent to the other the two serve the same address side by side.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use md5::{Digest, Md5};

use crate::config::parse::Mac;
use crate::config::settings::ClusterIp;
use crate::kernel::place::Place;
use crate::kernel::readable;

/// A cluster IP with everything that its rules are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The address.
    pub ip: IpAddr,
    /// The interface.
    pub nic: String,
    /// How many shares there are.
    pub nodes: u32,
    /// The hash seed, as it stands in the rules.
    pub seed: String,
    /// The shared MAC address.
    pub mac: Mac,
    /// Whether ARP answers carry it.
    pub mangle: bool,
}

impl Share {
    /// Completes a configuration with what follows from the address.
    #[must_use]
    pub fn new(ip: IpAddr, place: &Place, config: &ClusterIp) -> Self {
        let digest = digest(ip, place);
        let seed = config.seed.map_or_else(
            || format!("0x{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]),
            |seed| format!("{seed:#x}"),
        );
        let mac = config.mac.unwrap_or_else(|| mac(ip, &digest));
        Self { ip, nic: place.name.clone(), nodes: config.nodes, seed, mac, mangle: config.mangle }
    }

    /// The shared MAC address as text.
    #[must_use]
    pub fn mac_text(&self) -> String {
        readable(&self.mac)
    }
}

/// Not for secrecy: any spread that all nodes agree on will do, and this is the one that they have.
fn digest(ip: IpAddr, place: &Place) -> [u8; 16] {
    let mut text = format!("{ip} {}", place.prefix);
    if let Some(broadcast) = place.broadcast {
        text.push_str(&format!(" {broadcast}"));
    }
    text.push('\n');
    Md5::digest(text.as_bytes()).into()
}

fn mac(ip: IpAddr, digest: &[u8; 16]) -> Mac {
    let mut mac = [digest[0], digest[1], digest[2], digest[3], digest[4], digest[5]];
    if mac[0] & 1 == 0 {
        // A multicast address; the peer replaces the whole low digit.
        mac[0] = (mac[0] & 0xf0) | 1;
    }
    if ip.is_ipv6() {
        // IPv6 multicast on Ethernet (RFC 2464, section 7).
        mac[0] = 0x33;
        mac[1] = 0x33;
    }
    mac
}

/// nft's word for the family.
#[must_use]
pub fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ip" } else { "ip6" }
}

/// The table that a cluster IP has in nft.
#[must_use]
pub fn table(ip: IpAddr) -> String {
    format!("IPaddr2_{}", ip.to_string().replace(['.', ':'], "_"))
}

/// The mark of the rule for one share.
fn mark(node: u32) -> String {
    format!("cip-node-{node}")
}

/// The shares that a table serves, read from the marks in its listing.
#[must_use]
pub fn shares_in(listing: &str) -> BTreeSet<u32> {
    let quoted = listing.split('"').filter_map(|part| part.strip_prefix("cip-node-"));
    quoted.filter_map(|number| number.parse().ok()).collect()
}

/// One nft transaction that makes the rules exactly those for these shares; without shares, none at
/// all.
#[must_use]
pub fn transaction(share: &Share, shares: &BTreeSet<u32>) -> String {
    let (family, table) = (family(share.ip), table(share.ip));
    let mut script = cleared(family, &table);
    if share.mangle || shares.is_empty() {
        script.push_str(&cleared("arp", &table));
    }
    if shares.is_empty() {
        return script;
    }
    let chain = format!("{family} {table} prerouting");
    let from = format!("iif \"{}\" {family} daddr {}", share.nic, share.ip);
    script.push_str(&format!("add table {family} {table}\n"));
    script.push_str(&format!(
        "add chain {chain} {{ type filter hook prerouting priority mangle; }}\n"
    ));
    for node in shares {
        script.push_str(&format!(
            "add rule {chain} {from} jhash {family} saddr mod {} seed {} offset 1 == {node} meta \
             pkttype set host accept comment \"{}\"\n",
            share.nodes,
            share.seed,
            mark(*node)
        ));
    }
    if share.ip.is_ipv6() {
        // Every node must hear who its neighbours are.
        script
            .push_str(&format!("add rule {chain} {from} icmpv6 type nd-neighbor-advert accept\n"));
    }
    script.push_str(&format!("add rule {chain} {from} drop\n"));
    if share.mangle {
        script.push_str(&format!("add table arp {table}\n"));
        script.push_str(&format!(
            "add chain arp {table} output {{ type filter hook output priority 0; }}\n"
        ));
        let (ip, mac) = (share.ip, share.mac_text());
        script.push_str(&format!(
            "add rule arp {table} output arp saddr ip {ip} arp saddr ether set {mac}\n"
        ));
    }
    script
}

/// Deletes a table whether it is there or not: to add one that is there is no error.
fn cleared(family: &str, table: &str) -> String {
    format!("add table {family} {table}\ndelete table {family} {table}\n")
}

/// A rule for iptables: the part after the command (`-I`, `-C`, `-D`).
pub type Rule = Vec<String>;

/// The iptables rules that do not depend on the share, in the order in which to insert them.
#[must_use]
pub fn common_rules(share: &Share, config: &ClusterIp) -> Vec<Rule> {
    let mut rules = vec![rule(share, config, &["-j", "DROP"])];
    if share.ip.is_ipv6() {
        let advert = [
            "-p",
            "ipv6-icmp",
            "-m",
            "icmp6",
            "--icmpv6-type",
            "neighbour-advertisement",
            "-j",
            "ACCEPT",
        ];
        rules.push(rule(share, config, &advert));
    }
    rules
}

/// The iptables rule of one share.
#[must_use]
pub fn share_rule(share: &Share, config: &ClusterIp, node: u32) -> Rule {
    let (nodes, node) = (share.nodes.to_string(), node.to_string());
    let matched = [
        "--cluster-hash-seed",
        &share.seed,
        "--cluster-total-nodes",
        &nodes,
        "--cluster-local-node",
        &node,
    ];
    rule(share, config, &[&["-m", "cluster"], &matched[..], &["-j", "ACCEPT"]].concat())
}

fn rule(share: &Share, config: &ClusterIp, rest: &[&str]) -> Rule {
    let ip = share.ip.to_string();
    let head = [config.chain.as_str(), "-t", &config.table, "-d", &ip, "-i", &share.nic];
    head.iter().chain(rest).map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::Firewall;

    fn place(broadcast: Option<&str>) -> Place {
        Place {
            broadcast: broadcast.map(|b| b.parse().unwrap()),
            ..crate::kernel::examples::place()
        }
    }

    fn config() -> ClusterIp {
        ClusterIp {
            node: 1,
            nodes: 2,
            firewall: Firewall::Nft,
            seed: None,
            mac: None,
            table: "mangle".into(),
            chain: "PREROUTING".into(),
            mangle: true,
        }
    }

    #[test]
    fn seed_and_mac_follow_from_the_address_as_the_peers_do() {
        // echo 10.9.0.50 24 10.9.0.255 | md5sum
        let share = Share::new("10.9.0.50".parse().unwrap(), &place(Some("10.9.0.255")), &config());
        assert_eq!((share.seed.as_str(), share.mac_text().as_str()), SEED_AND_MAC);
        assert_eq!(share.mac[0] & 1, 1);
        let v6 = Share::new(
            "2001:db8::50".parse().unwrap(),
            &Place { prefix: 64, ..place(None) },
            &config(),
        );
        assert_eq!(v6.mac[..2], [0x33, 0x33]);
    }

    const SEED_AND_MAC: (&str, &str) = ("0x47417c3e", "47:41:7c:3e:2b:10");

    #[test]
    fn the_shares_of_a_table_are_read_from_its_marks() {
        let share = Share::new("10.9.0.50".parse().unwrap(), &place(None), &config());
        let script = transaction(&share, &BTreeSet::from([1, 12]));
        assert_eq!(shares_in(&script), BTreeSet::from([1, 12]));
        assert_eq!(shares_in("comment \"cip-node-x\" \"other\""), BTreeSet::new());
    }

    #[test]
    fn the_drop_comes_last_and_no_shares_leave_nothing() {
        let share = Share::new(
            "2001:db8::50".parse().unwrap(),
            &place(None),
            &ClusterIp { mangle: false, ..config() },
        );
        let script = transaction(&share, &BTreeSet::from([2]));
        let rules: Vec<&str> = script.lines().filter(|line| line.starts_with("add rule")).collect();
        assert!(rules[0].contains("== 2 meta pkttype set host accept"));
        assert!(rules[1].ends_with("nd-neighbor-advert accept"));
        assert!(rules[2].ends_with("drop"));
        let none = transaction(&share, &BTreeSet::new());
        assert!(
            none.lines().all(|line| line.contains("table"))
                && none.trim_end().ends_with("delete table arp IPaddr2_2001_db8__50")
        );
    }

    #[test]
    fn iptables_rules_say_the_same() {
        let share = Share::new(
            "10.9.0.50".parse().unwrap(),
            &place(None),
            &ClusterIp { seed: Some(7), ..config() },
        );
        assert_eq!(
            share_rule(&share, &config(), 1).join(" "),
            "PREROUTING -t mangle -d 10.9.0.50 -i ethA -m cluster --cluster-hash-seed 0x7 \
             --cluster-total-nodes 2 --cluster-local-node 1 -j ACCEPT"
        );
        assert_eq!(common_rules(&share, &config()).len(), 1);
    }
}
