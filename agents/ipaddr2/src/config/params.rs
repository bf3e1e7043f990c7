//! Each parameter once: its name, type, default and description.
//!
//! Names, defaults and meanings are those of `ocf:heartbeat:IPaddr2`. New here, and optional:
//! `table`, `metric`, `dad`, `kill_connections`, `announce_to`, and the word `degraded` for
//! `check_link_status`.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::time::Duration;

use ocf::param::{AnyParam, Param, TRACE_FILE, TRACE_RA, boolean, text, whole};
use ocf::watch::{WATCH, WATCH_GRACE};

use crate::config::parse::{self, Broadcast, Dad, Firewall, Ip, LinkCheck, Mac, Mask, Nic, Seed};

/// The address.
pub const IP: Param<Ip> = Param::new(
    "ip",
    parse::ip,
    "IPv4 or IPv6 address",
    "The virtual address, IPv4 (192.0.2.10) or IPv6 (2001:db8::10). Any valid way to write an IPv6 \
     address will do.",
)
.required()
.unique("address");

/// The interface.
pub const NIC: Param<Nic> = Param::new(
    "nic",
    parse::nic,
    "Network interface",
    "The interface to put the address on, by its name or an alternative name. If unset, the one \
     that the routing table connects the address's network to, which may have another name on each \
     node. Required for an IPv6 link-local address. A label may follow after a colon (eth0:web), \
     as iflabel would give it.",
);

/// The prefix length.
pub const CIDR_NETMASK: Param<Mask> = Param::new(
    "cidr_netmask",
    parse::mask,
    "Prefix length",
    "The length of the network prefix (24), or an IPv4 netmask (255.255.255.0). If unset, that of \
     the network in the routing table. An address outside every connected network needs both nic \
     and cidr_netmask.",
)
.aliases(&["netmask"]);

/// The broadcast address.
pub const BROADCAST: Param<Broadcast> = Param::new(
    "broadcast",
    parse::broadcast,
    "Broadcast address",
    "The IPv4 broadcast address; + or - for the prefix with its host bits set or cleared. If \
     unset, that of the address which the connected network already has on the interface.",
);

/// The origin of routes that may tell the interface.
pub const PROTO: Param<u8> = Param::new(
    "proto",
    parse::route_protocol,
    "Origin of routes to consider",
    "Consider only routes of this origin (kernel, static, ra, dhcp, bird, … or a number) when \
     looking for the network. Seldom needed: the most specific connected network wins.",
);

/// The label.
pub const IFLABEL: Param<String> = Param::new(
    "iflabel",
    parse::label,
    "Interface label",
    "A label for the IPv4 address, shown after the interface's name and a colon; with these at \
     most 15 characters. A label in nic takes precedence.",
);

/// LVS direct routing.
pub const LVS_SUPPORT: Param<bool> = Param::new(
    "lvs_support",
    boolean,
    "Keep the address on the loopback interface while stopped",
    "For LVS direct routing on IPv4: an address with prefix length 32 on the loopback interface is \
     set aside by start and put back by stop, so that the node goes on serving requests without \
     being found by its neighbours.",
)
.boolean()
.or("false");

/// Whether an IPv6 address gets a label of its own.
pub const LVS_IPV6_ADDRLABEL: Param<bool> = Param::new(
    "lvs_ipv6_addrlabel",
    boolean,
    "Keep the IPv6 address from being a source address",
    "Gives the IPv6 address an entry in the address selection policy (RFC 6724), so that the node \
     does not choose it as the source of its own traffic. Health checks of LVS real servers need \
     this.",
)
.boolean()
.or("true");

/// The label's value.
pub const LVS_IPV6_ADDRLABEL_VALUE: Param<u32> = Param::new(
    "lvs_ipv6_addrlabel_value",
    |text| whole(text, 0, u32::MAX - 1),
    "Value of the IPv6 address label",
    "The label for lvs_ipv6_addrlabel: any number that no other entry of the policy has.",
)
.integer()
.or("99");

/// The MAC address of a cluster IP.
pub const MAC: Param<Mac> = Param::new(
    "mac",
    parse::multicast_mac,
    "MAC address of a cluster IP",
    "The multicast MAC address that the nodes of a cluster IP share. If unset, one that follows \
     from the address.",
);

/// Which firewall tool.
pub const CLUSTERIP_FIREWALL: Param<Firewall> = Param::new(
    "clusterip_firewall",
    parse::firewall,
    "Firewall tool for a cluster IP",
    "What drops the requests that other nodes answer: nft, iptables, or auto for nft where it is \
     installed.",
)
.or("auto");

/// The seed of the hash.
pub const CLUSTERIP_HASH_SEED: Param<Seed> = Param::new(
    "clusterip_hash_seed",
    parse::seed,
    "Hash seed of a cluster IP",
    "The seed of the hash that shares clients among the nodes; the same on all of them. If unset, \
     it follows from the address.",
);

/// The iptables table.
pub const CLUSTERIP_TABLE: Param<String> = Param::new(
    "clusterip_table",
    parse::identifier,
    "iptables table for a cluster IP",
    "The iptables table for the rules of a cluster IP. With nft each cluster IP has a table of its \
     own.",
)
.or("mangle");

/// The iptables chain.
pub const CLUSTERIP_CHAIN: Param<String> = Param::new(
    "clusterip_chain",
    parse::identifier,
    "iptables chain for a cluster IP",
    "The iptables chain for the rules of a cluster IP.",
)
.or("PREROUTING");

/// Whether ARP answers carry the shared MAC.
pub const CLUSTERIP_MAC_MANGLE: Param<bool> = Param::new(
    "clusterip_mac_mangle",
    boolean,
    "Answer ARP with the cluster IP's MAC address",
    "Rewrites ARP answers so that neighbours send to the shared multicast MAC address. IPv4 only.",
)
.boolean()
.or("false");

/// Superseded long ago.
pub const CLUSTERIP_HASH: Param<String> = Param::new(
    "clusterip_hash",
    text,
    "Deprecated, has no effect",
    "Deprecated: chose the hash of a kernel feature that is gone. Accepted, and has no effect.",
);

/// Whether each clone instance has an address of its own.
pub const UNIQUE_CLONE_ADDRESS: Param<bool> = Param::new(
    "unique_clone_address",
    boolean,
    "An address of its own for each clone instance",
    "Adds the number of the clone instance to the address, so that each instance manages another \
     one. The clone must be globally unique.",
)
.boolean()
.or("false");

/// The time between announcements.
pub const ARP_INTERVAL: Param<Duration> = Param::new(
    "arp_interval",
    |text| whole(text, 1, u32::MAX).map(|ms| Duration::from_millis(ms.into())),
    "Milliseconds between announcements",
    "The time between announcements (ARP, or neighbour advertisements for IPv6) after a start, in \
     milliseconds. It counts only if it is set: then 200, too, means every 200 ms. If it is not \
     set, the second follows after 200 ms and the others at steps of 1.1 s, which also reaches \
     neighbours that ignore a second announcement within a second.",
)
.integer()
.or("200")
.reloadable();

/// How many announcements.
pub const ARP_COUNT: Param<u32> = Param::new(
    "arp_count",
    |text| whole(text, 1, u32::MAX),
    "Number of announcements after a start",
    "How many times a start announces the address. The first time is before start returns.",
)
.integer()
.or("5")
.reloadable();

/// How many announcements in a monitor.
pub const ARP_COUNT_REFRESH: Param<u32> = Param::new(
    "arp_count_refresh",
    |text| parse::bare(text, |text| whole(text, 0, u32::MAX)),
    "Number of announcements in each monitor",
    "How many times each monitor announces the address again, IPv4 and IPv6 alike. One is enough \
     to correct neighbours that a split brain or a switch has left with a wrong entry.",
)
.integer()
.or("0")
.reloadable();

/// Whether to announce in the background.
pub const ARP_BG: Param<bool> = Param::new(
    "arp_bg",
    boolean,
    "Announce in the background",
    "Whether start returns after the first announcement and leaves the others to the background. \
     If false, it waits for all of them.",
)
.boolean()
.or("true")
.reloadable();

/// Which program announces.
pub const ARP_SENDER: Param<String> = Param::new(
    "arp_sender",
    parse::arp_sender,
    "Deprecated, has no effect",
    "Deprecated: the agent sends its announcements itself, requests and replies, on every type of \
     interface. The former values send_arp, ipoibarping, iputils_arping and libnet_arping are \
     accepted, and have no effect.",
)
.reloadable();

/// Options of that program.
pub const SEND_ARP_OPTS: Param<String> = Param::new(
    "send_arp_opts",
    text,
    "Deprecated, has no effect",
    "Deprecated: options of a program that is no longer used. Accepted, and has no effect.",
)
.reloadable();

/// Whether stop flushes cached routes.
pub const FLUSH_ROUTES: Param<bool> = Param::new(
    "flush_routes",
    boolean,
    "Flush cached routes on stop",
    "Whether stop makes the kernel forget cached routes, so that programs on this node stop taking \
     the short way over the loopback interface to an address that has moved.",
)
.boolean()
.or("false")
.reloadable();

/// Whether to look for a conflict.
pub const RUN_ARPING: Param<bool> = Param::new(
    "run_arping",
    boolean,
    "Look for an address conflict first (IPv4)",
    "Whether start sends ARP probes for the IPv4 address before it adds it (RFC 5227), and fails \
     when another host answers. Costs about 0.2 seconds.",
)
.boolean()
.or("false")
.reloadable();

/// Whether to skip duplicate address detection.
pub const NODAD: Param<bool> = Param::new(
    "nodad",
    boolean,
    "No duplicate address detection (IPv6)",
    "Whether to use the IPv6 address at once, without duplicate address detection. The same as \
     dad=off.",
)
.boolean()
.or("false");

/// What to do about duplicate address detection.
pub const DAD: Param<Dad> = Param::new(
    "dad",
    parse::dad,
    "Duplicate address detection (IPv6): auto, wait, optimistic or off",
    "auto: optimistic where the kernel has it (CONFIG_IPV6_OPTIMISTIC_DAD), else wait. optimistic: \
     the address serves while detection runs (RFC 4429), and a duplicate that is found later fails \
     the monitor. wait: start returns when the kernel has found no duplicate of the IPv6 address, \
     a second or two later. off: no detection.",
)
.or("auto");

/// Whether to leave out the prefix route.
pub const NOPREFIXROUTE: Param<bool> = Param::new(
    "noprefixroute",
    boolean,
    "No route for the prefix",
    "Whether to add the address without a route for its network.",
)
.boolean()
.or("false");

/// The preferred lifetime.
pub const PREFERRED_LFT: Param<u32> = Param::new(
    "preferred_lft",
    parse::lifetime,
    "Preferred lifetime (IPv6)",
    "The preferred lifetime of the IPv6 address in seconds, or forever. With 0 the node does not \
     choose the address as the source of new connections.",
)
.or("forever");

/// The network namespace.
pub const NETWORK_NAMESPACE: Param<String> = Param::new(
    "network_namespace",
    parse::file_name,
    "Network namespace",
    "The name of the network namespace (as in ip netns) that has the interface. It must exist \
     already.",
);

/// What a lost link means.
pub const CHECK_LINK_STATUS: Param<LinkCheck> = Param::new(
    "check_link_status",
    parse::link_check,
    "What a lost link means: true, false or degraded",
    "true: an interface whose state is DOWN or LOWERLAYERDOWN fails the resource. degraded: it is \
     reported as degraded, which people see and the cluster does not act upon. false: the link is \
     not looked at. Where the distribution's own agent does not look at it by default (Red Hat \
     before 10.1), neither does this one.",
)
.or("true")
.reloadable();

/// The routing table.
pub const TABLE: Param<u32> = Param::new(
    "table",
    parse::route_table,
    "Routing table to look the network up in",
    "The number of the routing table in which the address's network is looked up, for policy \
     routing. If unset, main.",
)
.integer();

/// The metric.
pub const METRIC: Param<u32> = Param::new(
    "metric",
    |text| whole(text, 1, u32::MAX),
    "Metric of the prefix route",
    "The metric of the route that comes with the address. If unset, that of the connected \
     network's own route.",
)
.integer();

/// Whether stop resets connections.
pub const KILL_CONNECTIONS: Param<bool> = Param::new(
    "kill_connections",
    boolean,
    "Reset the address's TCP connections on stop",
    "Whether stop resets the TCP connections that this node has open on the address, so that \
     clients notice the move at once and connect again.",
)
.boolean()
.or("false")
.reloadable();

/// Neighbours to announce to directly, besides the broadcast.
pub const ANNOUNCE_TO: Param<Vec<IpAddr>> = Param::new(
    "announce_to",
    parse::addresses,
    "Neighbours that get announcements directly",
    "Addresses of neighbours, such as the gateway, that each announcement is also sent to \
     directly, for equipment that ignores broadcasts. Separated by commas or spaces.",
)
.reloadable();

/// All of them, in the order of the meta-data.
pub const ALL: &[&dyn AnyParam] = &[
    &IP,
    &NIC,
    &CIDR_NETMASK,
    &BROADCAST,
    &PROTO,
    &TABLE,
    &METRIC,
    &IFLABEL,
    &LVS_SUPPORT,
    &LVS_IPV6_ADDRLABEL,
    &LVS_IPV6_ADDRLABEL_VALUE,
    &MAC,
    &CLUSTERIP_FIREWALL,
    &CLUSTERIP_HASH_SEED,
    &CLUSTERIP_TABLE,
    &CLUSTERIP_CHAIN,
    &CLUSTERIP_MAC_MANGLE,
    &CLUSTERIP_HASH,
    &UNIQUE_CLONE_ADDRESS,
    &ARP_INTERVAL,
    &ARP_COUNT,
    &ARP_COUNT_REFRESH,
    &ARP_BG,
    &ARP_SENDER,
    &SEND_ARP_OPTS,
    &ANNOUNCE_TO,
    &FLUSH_ROUTES,
    &KILL_CONNECTIONS,
    &RUN_ARPING,
    &NODAD,
    &DAD,
    &NOPREFIXROUTE,
    &PREFERRED_LFT,
    &NETWORK_NAMESPACE,
    &CHECK_LINK_STATUS,
    &WATCH,
    &WATCH_GRACE,
    &TRACE_RA,
    &TRACE_FILE,
];
