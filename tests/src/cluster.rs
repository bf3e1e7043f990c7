//! A real Corosync and Pacemaker on simulated machines.
//!
//! Every node is a [`Host`] whose `/` is an overlay of this machine's, with a private `/run`,
//! `/tmp`, `/dev` (shared memory included), and state directories that begin empty. Its upper layer
//! is the node's disk: it outlives a power cut, not the cluster. The nodes and a client hang on one
//! switch; nothing leads anywhere else. The agents under test appear in every node as provider
//! [`PROVIDER`].
//!
//! Node K is `nodeK` with 10.9.0.K/24 and 2001:db8:9::K/64 on `eth0` unless [`Builder::net`] says
//! otherwise; the client is number [`CLIENT`]. With [`Builder::also`] there are more networks, each
//! with a switch of its own and a device in every node; the daemons talk over the first one, and
//! the client is on the second.
//!
//! With [`Builder::systemd`] each node is a [`SystemdBox`](crate::SystemdBox), and the daemons are
//! units of it.
//!
//! It needs root: Pacemaker's daemons run as several users. Ask [`missing`] first.

pub(crate) mod census;
mod config;
mod node;
pub mod remote;
mod status;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::host::Host;
use crate::process::wait_until;
use crate::rig::{Lan, Net};

use census::{network_of, processes_in};

pub use node::Node;
pub use status::{Failure, Member, Operation, Resource, Status};

/// The provider's directory in every node.
pub const PROVIDER: &str = "native";

/// Number of the client at the switch, and the last part of its addresses.
pub const CLIENT: usize = 100;

/// Until a cluster must have formed.
const FORM: Duration = Duration::from_secs(90);

/// What this machine lacks for a cluster, if anything.
#[must_use]
pub fn missing() -> Option<String> {
    if let Err(reason) = crate::root::available() {
        return Some(reason);
    }
    if !crate::root::has_other_users() {
        return Some(
            "Pacemaker's daemons run as several users, and without root there is one only".into(),
        );
    }
    let overlay =
        std::fs::read_to_string("/proc/filesystems").is_ok_and(|list| list.contains("\toverlay"));
    if !overlay {
        return Some("this kernel has no overlay file system".into());
    }
    let programs =
        ["corosync", "corosync-cmapctl", "pacemakerd", "cibadmin", "crm_mon", "crm_resource", "ip"];
    let absent: Vec<&str> = programs.into_iter().filter(|program| !installed(program)).collect();
    if absent.is_empty() { None } else { Some(format!("not installed: {}", absent.join(", "))) }
}

/// Whether a program is in the `PATH` of simulated machines.
#[must_use]
pub fn installed(program: &str) -> bool {
    crate::host::PATH.split(':').any(|directory| Path::new(directory).join(program).is_file())
}

/// How a cluster is made. See [`Cluster::builder`].
#[derive(Debug)]
pub struct Builder {
    nodes: usize,
    token: Duration,
    properties: Vec<(String, String)>,
    nets: Vec<Net>,
    systemd: bool,
    disks: Option<PathBuf>,
    environment: Vec<String>,
}

impl Builder {
    /// Another network than the plain one for nodes and client.
    #[must_use]
    pub fn net(mut self, net: Net) -> Self {
        self.nets[0] = net;
        self
    }

    /// One network more; the client is on the first of these.
    #[must_use]
    pub fn also(mut self, net: Net) -> Self {
        self.nets.push(net);
        self
    }

    /// Nodes with a real systemd as process 1. Ask
    /// [`systemd_box::missing`](crate::systemd_box::missing) too.
    #[must_use]
    pub fn systemd(mut self) -> Self {
        self.systemd = true;
        self
    }

    /// Corosync's token time-out: how soon a dead node is noticed. One second unless said
    /// otherwise.
    #[must_use]
    pub fn token(mut self, token: Duration) -> Self {
        self.token = token;
        self
    }

    /// A property of the cluster, in the CIB from the beginning.
    #[must_use]
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.retain(|(known, _)| known != name);
        self.properties.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where the nodes' disks are made; with a directory of its own, a caller can clear up after a
    /// process that was killed.
    #[must_use]
    pub fn disks_in(mut self, directory: &Path) -> Self {
        self.disks = Some(directory.to_owned());
        self
    }

    /// A variable of the environment of Pacemaker's daemons (`NAME=value`).
    #[must_use]
    pub fn environment(mut self, variable: &str) -> Self {
        self.environment.push(variable.to_owned());
        self
    }

    /// Starts all nodes; returns when they are online and have decided who decides.
    #[must_use]
    pub fn start(self) -> Cluster {
        let boxes = self.systemd.then(crate::systemd_box::missing).flatten();
        if let Some(reason) = missing().or(boxes) {
            panic!("cannot make a cluster: {reason}");
        }
        let totem = config::Totem {
            nodes: self.nodes,
            net: self.nets[0].clone(),
            token_ms: self.token.as_millis() as u64,
            realtime: config::realtime_possible(),
        };
        let lans: Vec<Lan> = self.nets.into_iter().map(Lan::of).collect();
        let client = Host::new("client");
        lans.get(1).unwrap_or(&lans[0]).wire(CLIENT, &client);
        let parent = self.disks.unwrap_or_else(memory);
        let disks =
            TempDir::with_prefix_in("ocf-cluster-", parent).expect("directory of the nodes' disks");
        let nodes = (1..=self.nodes)
            .map(|number| {
                let disk = disks.path().join(format!("node{number}"));
                std::fs::create_dir(&disk).expect("directory of a node's disk");
                let mut node = Node::power_on(number, disk, &lans, self.systemd);
                node.environment.clone_from(&self.environment);
                node.format(&totem, &self.properties);
                node
            })
            .collect();
        let mut cluster =
            Cluster { nodes, client, lans, systemd: self.systemd, cut: Mutex::default(), disks };
        cluster.nodes.iter_mut().for_each(Node::boot);
        cluster.wait_formed();
        cluster
    }
}

/// Where the nodes' disks are best: in memory, for Pacemaker synchronises every change, and an
/// overlay cannot lie upon another.
#[must_use]
pub fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let usable = nix::sys::statfs::statfs(memory)
        .is_ok_and(|it| it.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC);
    if usable { memory.to_owned() } else { std::env::temp_dir() }
}

/// Real nodes with Corosync and Pacemaker, a switch, a client. Dropping it cuts everybody's power.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    /// A machine on the same switch that is no member.
    pub client: Host,
    lans: Vec<Lan>,
    systemd: bool,
    /// Whose cable to the first network is cut.
    cut: Mutex<Vec<usize>>,
    disks: TempDir,
}

impl Cluster {
    /// Begins a cluster of one, two or three nodes, without fencing.
    #[must_use]
    pub fn builder(nodes: usize) -> Builder {
        assert!((1..=3).contains(&nodes), "a cluster has one to three nodes");
        let defaults = Builder {
            nodes,
            token: Duration::from_secs(1),
            properties: Vec::new(),
            nets: vec![Net::plain()],
            systemd: false,
            disks: None,
            environment: Vec::new(),
        };
        defaults.property("dc-deadtime", "2s").property("stonith-enabled", "false")
    }

    /// A cluster of so many nodes, up.
    #[must_use]
    pub fn up(nodes: usize) -> Cluster {
        Cluster::builder(nodes).start()
    }

    /// Node `number`, from 1.
    #[must_use]
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// The node of a name.
    #[must_use]
    pub fn named(&self, name: &str) -> &Node {
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// The nodes that have power.
    pub fn alive(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_up())
    }

    /// A node to ask: the last one that is not cut off, so that scenarios can keep their resources
    /// away from what is started for it.
    #[must_use]
    pub fn anyone(&self) -> &Node {
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = |node: &&Node| node.has_daemons() && !cut.contains(&node.number);
        self.alive().filter(joined).last().expect("a node with daemons and a cable")
    }

    /// The cluster at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let node = self.anyone();
        let said = wait_until(Duration::from_secs(10), || node.try_status());
        said.unwrap_or_else(|| {
            panic!("Pacemaker does not answer on {}: {}", node.name(), node.logs())
        })
    }

    /// Waits until the cluster is as `wanted` says; panics with its state and logs after `limit`.
    #[track_caller]
    pub fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Status) -> bool,
    ) -> Status {
        self.wait_for_at(self.anyone(), what, limit, wanted)
    }

    /// As [`Cluster::wait_for`], asking a certain node: there may be two opinions.
    #[track_caller]
    pub fn wait_for_at(
        &self,
        node: &Node,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Status) -> bool,
    ) -> Status {
        let mut last = Status::default();
        let found = wait_until(limit, || {
            last = node.try_status()?;
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("not within {limit:?}: {what}\n{last}\n{}", node.logs()))
    }

    /// Waits until the cluster has nothing left to do.
    #[track_caller]
    pub fn wait_idle(&self) -> Status {
        self.anyone().expect("crm_resource", &["--wait", "--timeout=100"]);
        self.status()
    }

    fn wait_formed(&self) {
        let alive = self.alive().filter(|node| node.has_daemons()).count();
        self.wait_for("all nodes online, and one of them deciding", FORM, |status| {
            status.dc.is_some() && status.online() == alive
        });
    }

    /// Cuts a node's power: its cable is dead at once, then all its processes are. What it wrote
    /// stays on its disk.
    pub fn kill(&mut self, number: usize) {
        self.lans.iter().for_each(|lan| lan.cable(number, false));
        self.nodes[number - 1].cut_power();
    }

    /// Turns a node off as its administrator does: its daemons end in good order, and its resources
    /// go elsewhere.
    pub fn halt(&mut self, number: usize) {
        self.nodes[number - 1].halt();
    }

    /// Gives a node power again, with the disk it had; returns when it is online.
    pub fn revive(&mut self, number: usize) {
        self.power(number);
        self.join(number);
    }

    /// Gives a node power again, with the disk it had; its daemons do not run yet.
    pub fn power(&mut self, number: usize) {
        let node = &self.nodes[number - 1];
        assert!(!node.is_up(), "{} has power", node.name());
        let mut fresh = Node::power_on(node.number, node.disk.clone(), &self.lans, self.systemd);
        fresh.environment.clone_from(&node.environment);
        self.nodes[number - 1] = fresh;
    }

    /// Starts the daemons of a node, which may find no cluster to join for now.
    pub fn boot(&mut self, number: usize) {
        self.nodes[number - 1].boot();
    }

    /// Ends the daemons of a node in good order; its resources go elsewhere.
    pub fn leave(&mut self, number: usize) {
        self.nodes[number - 1].shut_down();
    }

    /// Starts the daemons of a node that had left; returns when it is online.
    pub fn join(&mut self, number: usize) {
        self.nodes[number - 1].boot();
        self.wait_formed();
    }

    /// Connects or cuts a node's cable to the first network.
    pub fn cable(&self, number: usize, connected: bool) {
        self.lans[0].cable(number, connected);
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.retain(|other| *other != number);
        if !connected {
            cut.push(number);
        }
    }

    /// A network, from 0: the daemons' own.
    #[must_use]
    pub fn lan(&self, index: usize) -> &Lan {
        &self.lans[index]
    }

    /// Cuts everybody's power and panics when anything is left: processes, mounts, directories; and
    /// when Pacemaker had something to complain of that should never be, such as the meta-data of
    /// an agent with an internal subset (al_4).
    pub fn down(self) {
        for node in self.nodes.iter().filter(|node| node.is_up()) {
            let log = node.log();
            let failed: Vec<&str> =
                log.lines().filter(|line| line.contains("assertion")).take(5).collect();
            assert!(failed.is_empty(), "{}: {failed:#?}", node.name());
        }
        let hosts = self
            .nodes
            .iter()
            .map(|node| &**node)
            .chain([&self.client])
            .chain(self.lans.iter().map(|lan| &lan.switch));
        let networks: Vec<u64> =
            hosts.filter(|host| host.is_up()).map(|host| network_of(host.pid())).collect();
        let disks = self.disks.path().to_owned();
        let Cluster { nodes, client, lans, disks: directory, .. } = self;
        drop((nodes, client, lans));
        directory.close().expect("remove the nodes' disks");
        assert!(!disks.exists(), "{} is left", disks.display());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        assert!(!mounts.contains(&disks.display().to_string()), "mounts are left: {mounts}");
        let left = wait_until(Duration::from_secs(10), || {
            processes_in(&networks).is_empty().then_some(())
        });
        assert!(left.is_some(), "processes are left: {:?}", processes_in(&networks));
    }
}
