//! The long run: a cluster of three nodes under random faults, with witnesses that never ask the
//! agents, and rules that their record is judged by.
//!
//! * [`plan`] is the schedule, made of a seed: episodes of faults that overlap, each with rest
//!   after it. [`deed`] knows what can be done, and how long a service may be away for it.
//! * [`scene`] builds the cluster, [`act`] does and undoes the deeds, [`run`] is the programme.
//! * [`witness`] looks: the clients, the packet capture, the kernel's news of addresses, `/proc`.
//!   [`calls`] reads when agents were called, and what Pacemaker says they answered.
//! * [`history`] is what was recorded, as JSON lines: nothing is judged that does not stand there.
//! * [`judge`] is the rules: pure functions over a history.
//! * [`shrink`] finds the few steps of a schedule that matter, [`page`] shows a run to people.
//!
//! Nothing is put between Pacemaker and the agents: in their place stands a program that notes the
//! moment and becomes the agent (`ocf-test-shim`).
//!
//! Deliberately absent: jumps of the clock, for the machines share the kernel's one; and slow
//! disks, for the nodes' are in memory.

pub mod act;
pub mod arp;
pub mod calls;
pub mod deed;
pub mod dice;
pub mod history;
pub mod judge;
pub mod page;
pub mod plan;
pub mod run;
pub mod scene;
pub mod shrink;
pub mod strangers;
pub mod witness;

/// What a client asks for, and the group of resources that gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its name, which is that of the group.
    pub name: &'static str,
    /// The addresses, and their resources.
    pub addresses: &'static [(&'static str, &'static str)],
    /// The port at each of them.
    pub port: u16,
    /// The resource of the server.
    pub server: &'static str,
    /// Its agent.
    pub agent: &'static str,
    /// The name of its processes.
    pub program: &'static str,
}

/// All of them.
pub const SERVICES: [Service; 3] = [
    Service {
        name: "SITE",
        addresses: &[("VIP4", "10.9.0.50"), ("VIP6", "2001:db8:9::50")],
        port: 80,
        server: "WEB",
        agent: "nginx",
        program: "nginx",
    },
    Service {
        name: "BALANCER",
        addresses: &[("BVIP", "10.9.0.60")],
        port: 8000,
        server: "HAP",
        agent: "haproxy",
        program: "haproxy",
    },
    Service {
        name: "PAGES",
        addresses: &[("AVIP", "10.9.0.70")],
        port: 8080,
        server: "APA",
        agent: "apache",
        program: "apache2",
    },
];

/// An address that each node has on its loopback device, as a clone.
pub const CLONED: (&str, &str) = ("ANY", "10.9.0.90");

/// A unit of systemd, on nodes that have one; and the name of its processes.
pub const UNIT: (&str, &str) = ("UNIT", "soak-unit");

/// The names of all processes that are looked at.
pub const PROGRAMS: [&str; 4] =
    [SERVICES[0].program, SERVICES[1].program, SERVICES[2].program, UNIT.1];

/// The number of nodes.
pub const NODES: usize = 3;

/// The service of a name, or of a resource.
#[must_use]
pub fn service_of(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|it| {
        it.name == name || it.server == name || it.addresses.iter().any(|(id, _)| *id == name)
    })
}

/// The address of a resource, if it is one.
#[must_use]
pub fn address_of(resource: &str) -> Option<&'static str> {
    let all = SERVICES.iter().flat_map(|it| it.addresses).chain([&CLONED]);
    all.into_iter().find(|(id, _)| *id == resource).map(|(_, address)| *address)
}

/// All resources whose calls are judged.
pub fn resources() -> impl Iterator<Item = &'static str> {
    let of = |it: &'static Service| it.addresses.iter().map(|(id, _)| *id).chain([it.server]);
    SERVICES.iter().flat_map(of).chain([CLONED.0, UNIT.0])
}

/// What comes after the name of a resource while it has another one.
pub const RENAMED: &str = ".2";

/// The name of a resource as it was created: without a clone's number, and as before it was
/// renamed.
#[must_use]
pub fn first_name(resource: &str) -> &str {
    let name = resource.split(':').next().unwrap_or(resource);
    name.strip_suffix(RENAMED).unwrap_or(name)
}

/// The name of a node.
#[must_use]
pub fn node_name(number: usize) -> String {
    format!("node{number}")
}

/// The number in the name of a node.
#[must_use]
pub fn node_number(name: &str) -> Option<usize> {
    name.strip_prefix("node")?.parse().ok()
}
