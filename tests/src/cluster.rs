//! A real Corosync and Pacemaker on simulated machines.
//!
//! Every node is a [`Host`] whose `/` is an overlay of this machine's, with a private `/run`, `/tmp`, `/dev` (shared memory
//! included), and state directories that begin empty. Its upper layer is the node's disk: it outlives a power cut, not the
//! cluster. The nodes and a client hang on one switch; nothing leads anywhere else. The agents under test appear in every
//! node as provider [`PROVIDER`].
//!
//! Node K is `nodeK` with 10.9.0.K/24 and 2001:db8:9::K/64 on `eth0`; the client is number [`CLIENT`].
//!
//! It needs root: Pacemaker's daemons run as several users. Ask [`missing`] first.

mod config;
mod status;

use std::ops::Deref;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::call::{executable, is_there};
use crate::enter::Entry;
use crate::host::{Host, Resident};
use crate::process::{self, Finished, Victim, wait_until};
use crate::rig::Lan;

pub use status::{Failure, Member, Operation, Resource, Status};

/// The provider's directory in every node.
pub const PROVIDER: &str = "native";

/// Number of the client at the switch, and the last part of its addresses.
pub const CLIENT: usize = 100;

/// The agents that appear in every node when they are built.
pub const AGENTS: [&str; 7] = ["IPaddr2", "Dummy", "apache", "nginx", "haproxy", "systemd", "ldirectord"];

/// Limit of a single command: the cluster's tools wait for the cluster.
const TOOL: Duration = Duration::from_secs(120);

/// Until a cluster must have formed.
const FORM: Duration = Duration::from_secs(90);

/// What this machine lacks for a cluster, if anything.
#[must_use]
pub fn missing() -> Option<String> {
    if let Err(reason) = crate::root::available() {
        return Some(reason);
    }
    if !crate::root::has_other_users() {
        return Some("Pacemaker's daemons run as several users, and without root there is one only".into());
    }
    let overlay = std::fs::read_to_string("/proc/filesystems").is_ok_and(|list| list.contains("\toverlay"));
    if !overlay {
        return Some("this kernel has no overlay file system".into());
    }
    let programs = ["corosync", "corosync-cmapctl", "pacemakerd", "cibadmin", "crm_mon", "crm_resource", "ip"];
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
}

impl Builder {
    /// Corosync's token time-out: how soon a dead node is noticed. One second unless said otherwise.
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

    /// Starts all nodes; returns when they are online and have decided who decides.
    #[must_use]
    pub fn start(self) -> Cluster {
        if let Some(reason) = missing() {
            panic!("cannot make a cluster: {reason}");
        }
        let lan = Lan::new(0);
        let client = Host::new("client");
        lan.wire(CLIENT, &client);
        let disks = disks();
        let totem = config::Totem {
            nodes: self.nodes,
            token_ms: self.token.as_millis() as u64,
            realtime: config::realtime_possible(),
        };
        let nodes = (1..=self.nodes)
            .map(|number| {
                let disk = disks.path().join(format!("node{number}"));
                std::fs::create_dir(&disk).expect("directory of a node's disk");
                let node = Node::power_on(number, disk, &lan);
                node.format(totem, &self.properties);
                node
            })
            .collect();
        let mut cluster = Cluster { nodes, client, lan, disks };
        cluster.nodes.iter_mut().for_each(Node::boot);
        cluster.wait_formed();
        cluster
    }
}

/// Memory rather than a disk: Pacemaker synchronises every change, and an overlay cannot lie upon another.
fn disks() -> TempDir {
    let memory = Path::new("/dev/shm");
    let usable = nix::sys::statfs::statfs(memory).is_ok_and(|it| it.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC);
    let parent = if usable { memory.to_owned() } else { std::env::temp_dir() };
    TempDir::with_prefix_in("ocf-cluster-", parent).expect("directory of the nodes' disks")
}

/// One member of a cluster; also a [`Host`].
#[derive(Debug)]
pub struct Node {
    number: usize,
    disk: PathBuf,
    // Dropped in this order: a cut of power ends all at once, where a daemon that lost another one would wait for it.
    host: Host,
    daemons: Vec<Resident>,
}

impl Deref for Node {
    type Target = Host;
    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Node {
    /// A machine with its disk and its cable, and nothing running.
    fn power_on(number: usize, disk: PathBuf, lan: &Lan) -> Node {
        let mut builder = Host::builder(&format!("node{number}")).disk(&disk).tmpfs("/tmp");
        for kind in AGENTS.into_iter().filter(|kind| is_there(kind)) {
            builder = builder.bind(&executable(kind), &format!("/usr/lib/ocf/resource.d/{PROVIDER}/{kind}"));
        }
        let host = builder.start();
        // What tmpfiles.d makes on a real machine.
        host.sh("chmod 1777 /tmp; mkdir -p -m 1755 /run/resource-agents");
        lan.wire(number, &host);
        Node { number, disk, host, daemons: Vec::new() }
    }

    /// A disk that is used for the first time.
    fn format(&self, totem: config::Totem, properties: &[(String, String)]) {
        self.sh("rm -rf /var/lib/corosync/* /var/log/corosync/* /var/log/pacemaker/*
             mkdir -p /var/lib/corosync /var/log/corosync /var/log/pacemaker
             for each in cib pengine cores blackbox; do rm -rf /var/lib/pacemaker/$each/*; done
             : > /etc/resolv.conf");
        self.write("/etc/hostname", &format!("{}\n", self.name()));
        self.write("/etc/hosts", &config::hosts(totem.nodes));
        self.write("/etc/corosync/corosync.conf", &totem.corosync_conf());
        let empty = self.expect("cibadmin", &["--empty"]);
        self.write("/var/lib/pacemaker/cib/cib.xml", &config::first_cib(&empty, properties));
        self.sh("chown hacluster:haclient /var/lib/pacemaker/cib/cib.xml; chmod 600 /var/lib/pacemaker/cib/cib.xml");
    }

    /// Writes a file inside.
    pub fn write(&self, path: &str, text: &str) {
        self.expect("/bin/sh", &["-euc", "printf %s \"$2\" > \"$1\"", "sh", path, text]);
    }

    /// Starts Corosync, and Pacemaker once that answers.
    fn boot(&mut self) {
        self.daemons.push(self.host.spawn("corosync", &["-f"]));
        let answers = wait_until(Duration::from_secs(30), || {
            let asked = self.tool("corosync-cmapctl", &["-g", "runtime.votequorum.this_node_id"]);
            (asked.code == Some(0)).then_some(())
        });
        assert!(answers.is_some(), "corosync does not answer on {}: {}", self.name(), self.logs());
        self.daemons.push(self.host.spawn("pacemakerd", &["-f"]));
    }

    /// Runs one of the cluster's tools inside. A failure is an answer; no end within two minutes is a panic.
    pub fn tool(&self, program: &str, args: &[&str]) -> Finished {
        let (mut command, pid) = self.command_as(program, Entry::default());
        command.args(args).env("HOME", "/root");
        let done = process::run(&mut command, pid, TOOL, Victim::Process)
            .unwrap_or_else(|error| panic!("{}: {program} {args:?}: {error}", self.name()));
        assert!(!done.timed_out, "{}: {program} {args:?} did not end: {done:#?}", self.name());
        done
    }

    /// As [`Node::tool`], but a failure is a panic with all that it said. Returns its standard output.
    pub fn expect(&self, program: &str, args: &[&str]) -> String {
        let done = self.tool(program, args);
        assert!(done.code == Some(0), "{}: {program} {args:?} failed: {done:#?}", self.name());
        done.stdout
    }

    /// `pcs` with words split at white space; panics when it fails.
    pub fn pcs(&self, words: &str) -> String {
        self.expect("pcs", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// `crm` with words split at white space; panics when it fails.
    pub fn crm(&self, words: &str) -> String {
        self.expect("crm", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// What the cluster says here about itself; `None` while Pacemaker does not answer.
    #[must_use]
    pub fn try_status(&self) -> Option<Status> {
        let said = self.tool("crm_mon", &["-1", "--output-as=xml", "--inactive", "--include=all"]);
        (said.code == Some(0)).then(|| Status::parse(&said.stdout).expect("crm_mon prints XML"))
    }

    /// Pacemaker's detail log of this node.
    #[must_use]
    pub fn log(&self) -> String {
        self.tool("cat", &["/var/log/pacemaker/pacemaker.log"]).stdout
    }

    /// What the agents were called for on this node, in order, and what it came to: such as `start: ok`, as Pacemaker logs it.
    #[must_use]
    pub fn results(&self, resource: &str) -> Vec<String> {
        let of = format!(" operation for {resource} on ");
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.split_once("Result of "));
        let results = lines.filter_map(|(_, result)| {
            let (task, rest) = result.split_once(&of)?;
            let (_, outcome) = rest.split(" | ").next()?.split_once(": ")?;
            Some(format!("{task}: {outcome}"))
        });
        results.collect()
    }

    /// The ends of all logs, for a panic.
    fn logs(&self) -> String {
        let script =
            "for f in /var/log/corosync/*.log /var/log/pacemaker/*.log; do echo \"$f:\"; tail -n 40 \"$f\"; done";
        self.tool("/bin/sh", &["-c", script]).stdout
    }
}

/// Real nodes with Corosync and Pacemaker, a switch, a client. Dropping it cuts everybody's power.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    /// A machine on the same switch that is no member.
    pub client: Host,
    lan: Lan,
    disks: TempDir,
}

impl Cluster {
    /// Begins a cluster of one, two or three nodes, without fencing.
    #[must_use]
    pub fn builder(nodes: usize) -> Builder {
        assert!((1..=3).contains(&nodes), "a cluster has one to three nodes");
        let defaults = Builder { nodes, token: Duration::from_secs(1), properties: Vec::new() };
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

    /// A node to ask.
    fn anyone(&self) -> &Node {
        self.alive().next().expect("a node with power")
    }

    /// The cluster at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let node = self.anyone();
        let said = wait_until(Duration::from_secs(10), || node.try_status());
        said.unwrap_or_else(|| panic!("Pacemaker does not answer on {}: {}", node.name(), node.logs()))
    }

    /// Waits until the cluster is as `wanted` says; panics with its state and logs after `limit`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, limit: Duration, wanted: impl Fn(&Status) -> bool) -> Status {
        let node = self.anyone();
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
        let alive = self.alive().count();
        self.wait_for("all nodes online, and one of them deciding", FORM, |status| {
            status.dc.is_some() && status.online() == alive
        });
    }

    /// Cuts a node's power: its cable is dead at once, then all its processes are. What it wrote stays on its disk.
    pub fn kill(&mut self, number: usize) {
        self.lan.cable(number, false);
        let node = &mut self.nodes[number - 1];
        node.host.cut_power();
        node.daemons.clear();
    }

    /// Gives a node power again, with the disk it had; returns when it is online.
    pub fn revive(&mut self, number: usize) {
        let node = &self.nodes[number - 1];
        assert!(!node.is_up(), "{} has power", node.name());
        let mut fresh = Node::power_on(node.number, node.disk.clone(), &self.lan);
        fresh.boot();
        self.nodes[number - 1] = fresh;
        self.wait_formed();
    }

    /// Connects or cuts a node's cable.
    pub fn cable(&self, number: usize, connected: bool) {
        self.lan.cable(number, connected);
    }

    /// Cuts everybody's power and panics when anything is left: processes, mounts, directories.
    pub fn down(self) {
        let hosts = self.nodes.iter().map(|node| &node.host).chain([&self.client, &self.lan.switch]);
        let networks: Vec<u64> = hosts.filter(|host| host.is_up()).map(|host| network_of(host.pid())).collect();
        let disks = self.disks.path().to_owned();
        let Cluster { nodes, client, lan, disks: directory } = self;
        drop((nodes, client, lan));
        directory.close().expect("remove the nodes' disks");
        assert!(!disks.exists(), "{} is left", disks.display());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        assert!(!mounts.contains(&disks.display().to_string()), "mounts are left: {mounts}");
        let left = wait_until(Duration::from_secs(10), || processes_in(&networks).is_empty().then_some(()));
        assert!(left.is_some(), "processes are left: {:?}", processes_in(&networks));
    }
}

/// Which network namespace a process is in.
fn network_of(pid: i32) -> u64 {
    std::fs::metadata(format!("/proc/{pid}/ns/net")).map_or(0, |namespace| namespace.ino())
}

/// The processes that live in one of these network namespaces.
fn processes_in(networks: &[u64]) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| networks.contains(&network_of(*pid))).filter(|pid| network_of(*pid) != 0).collect()
}
