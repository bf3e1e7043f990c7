//! Two directors under Pacemaker, as heartbeat's `lvs01 VIP ldirectord` had them: the address of
//! the clients, the gateway of the real servers, and the daemon, one group. Two real servers behind
//! them, a page for when both are dead, a client.

use std::fmt;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use harness::Cluster;
use harness::cluster::{Failure, Node, Operation, Status, missing};
use harness::figures::ms;
use harness::onlooker::{Onlooker, Pace, Seen};
use harness::process::wait_until;
use harness::skip::skip;
use harness::stage::Whose;
use harness::tell::tell;

use crate::rig::VIP;
use crate::{CONF, MEASURED, has, write};

/// Until a cluster must have done something, in a slow kernel on a busy machine.
pub const SOON: Duration = Duration::from_secs(240);

/// Each request costs some of the only processor.
pub const PACE: Pace = Pace { interval: Duration::from_millis(100), patience: SOON };

/// The resources.
pub const ALL: [&str; 3] = ["VIP", "GATEWAY", "LVS"];

/// Seconds between two monitors, as the shell agent advertises.
const INTERVAL: u32 = 20;

/// Two real servers in namespaces of their own on the client, on the same wire.
const REALS: &str = "ip link add br0 type bridge forward_delay 0; ip link set br0 up
ip -4 address show dev eth0 | sed -n 's/.*inet \\([^ ]*\\).*/\\1/p' > /run/own
ip address flush dev eth0; ip link set eth0 master br0; ip address add $(cat /run/own) dev br0
for n in 0 1; do
    ip netns add rs$n; ip link add port$n type veth peer name eth0 netns rs$n; ip link set port$n \
    master br0 up
    ip -n rs$n link set lo up; ip -n rs$n address add 10.240.0.2$n/24 dev eth0; ip -n rs$n link \
    set eth0 up
    ip -n rs$n route add default via 10.240.0.1
    mkdir -p /run/rs$n/www; echo rs$n > /run/rs$n/www/index.html; echo 'this is a test page' > \
    /run/rs$n/www/.testpage
    chmod 755 /run/rs$n /run/rs$n/www
    printf 'user root; worker_processes 1; pid /run/rs%s/pid; error_log /run/rs%s/error; events \
    {}\\n' $n $n > /run/rs$n/conf
    printf 'http { access_log off; server { listen *:80; root /run/rs%s/www; } }\\n' $n >> \
    /run/rs$n/conf
done";

/// The page for when all real servers are dead, on every director. Its status keeps it apart from a
/// service.
const SORRY: &str =
    "user root; worker_processes 1; pid /run/sorry.pid; error_log /run/sorry.error; events {}
http { access_log off; server { listen *:80; location / { return 503 'no server is there'; } } }";

/// What is done to the active director.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The daemon gets SIGKILL. The kernel directs on; nothing checks the real servers.
    Daemon,
    /// An administrator moves everything away.
    Standby,
    /// The node's power is cut.
    Power,
}

impl Fault {
    /// In the order in which they are inflicted.
    pub const ALL: [Fault; 3] = [Fault::Daemon, Fault::Standby, Fault::Power];
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Fault::Daemon => "daemon killed",
            Fault::Standby => "planned move",
            Fault::Power => "node dead",
        })
    }
}

/// What one fault came to.
#[derive(Debug, Clone)]
pub struct Account {
    pub whose: Whose,
    pub fault: Fault,
    pub from: usize,
    pub to: usize,
    /// What the client saw.
    pub seen: Seen,
    /// Until a living daemon had both real servers in the table again.
    pub whole: Duration,
    /// The actions, as Pacemaker recorded them.
    pub actions: Vec<Operation>,
    /// What failed, as Pacemaker says.
    pub failures: Vec<Failure>,
    /// Processor time of the actions on the nodes that live.
    pub cpu: Duration,
    /// The cluster's own view at the end.
    pub view: String,
}

impl Account {
    /// How long Pacemaker waited for actions in sum, of a kind such as `start`; of a start and a
    /// stop on the same node it keeps the last.
    pub fn wall(&self, task: &str) -> Option<Duration> {
        self.actions
            .iter()
            .filter(|action| action.task == task)
            .map(|action| action.took)
            .reduce(|one, other| one + other)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |time: Option<Duration>| {
            time.map_or("-".to_owned(), |time| format!("{:.0} ms", ms(time)))
        };
        write!(
            out,
            "{} ({}): node{} > node{}, {}; whole after {:.0} ms; start {}, stop {}, processor \
             {:.0} ms; cluster: {}",
            self.fault,
            self.whose,
            self.from,
            self.to,
            self.seen,
            ms(self.whole),
            or(self.wall("start")),
            or(self.wall("stop")),
            ms(self.cpu),
            self.view
        )
    }
}

/// The pair at work.
pub struct Pair {
    pub cluster: Cluster,
    pub look: Onlooker,
    whose: Whose,
}

/// A test of a pair, in a kernel that has IPVS, and alone.
pub fn with_pairs(limit: Duration, test: impl FnOnce()) {
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm", "/usr/sbin/nginx"]) {
        return;
    }
    if let Some(reason) = missing() {
        return skip(&reason);
    }
    let _turn = MEASURED.write().unwrap_or_else(PoisonError::into_inner);
    harness::uml::with_ipvs(limit, test);
}

impl Pair {
    /// Makes the cluster, creates the group, and waits until both real servers answer the client.
    pub fn set(whose: Whose) -> Pair {
        let cluster = Cluster::builder(2).token(Duration::from_secs(10)).start();
        cluster.client.sh(REALS);
        (0..2).for_each(|number| revive_real(&cluster, number));
        cluster.alive().for_each(furnish);
        let group = [
            primitive(whose, "VIP", "IPaddr2", &[("ip", VIP), ("cidr_netmask", "24")]),
            primitive(
                whose,
                "GATEWAY",
                "IPaddr2",
                &[("ip", "10.240.0.1"), ("cidr_netmask", "24"), ("nic", "eth0")],
            ),
            primitive(whose, "LVS", "ldirectord", &[]),
        ];
        let xml = format!(r#"<group id="director">{}</group>"#, group.concat());
        let admin = cluster.anyone();
        // Where it is, it stays: a move back is a second outage.
        admin.expect(
            "crm_attribute",
            &["--type", "rsc_defaults", "--name", "resource-stickiness", "--update", "100"],
        );
        admin.expect("cibadmin", &["--create", "--scope", "resources", "--xml-text", &xml]);
        let look = Onlooker::at_pace(PACE, &cluster, VIP, "eth0");
        let pair = Pair { cluster, look, whose };
        pair.settled();
        pair.expect_served();
        tell(&format!("{whose} agents: {}", pair.cluster.status().brief()));
        pair
    }

    /// The number of the node that directs, when the cluster has noted it.
    pub fn owner(&self) -> usize {
        let status = self.settled();
        number_of(&status.resource("LVS").nodes[0])
    }

    /// Both real servers answer clients of the address.
    #[track_caller]
    pub fn expect_served(&self) {
        let both = || {
            let pages = self.look.visitor.last_pages(20)?;
            let of = |name: &str| pages.iter().filter(|page| *page == name).count();
            (of("rs0") >= 5 && of("rs1") >= 5).then_some(())
        };
        if wait_until(SOON, both).is_none() {
            let requests = self.look.visitor.requests();
            let last: Vec<_> =
                requests.iter().rev().take(30).map(|request| &request.said).collect();
            let tables: Vec<_> =
                self.cluster.alive().map(|node| (crate::table(node), crate::log(node))).collect();
            panic!(
                "both real servers are expected to answer, not {last:?}\n{tables:#?}\n{}",
                self.cluster.status()
            );
        }
    }

    /// Does what `fault` says to the active director, and returns when the client is served and the
    /// cluster content again.
    pub fn inflict(&mut self, fault: Fault) -> Account {
        let from = self.owner();
        let number = daemon(self.cluster.node(from));
        let before = self.cluster.status();
        let began = SystemTime::now();
        let survivors = self.survivors(fault, from);
        let spent: Duration = self.cpu(&survivors);
        match fault {
            Fault::Daemon => self
                .cluster
                .node(from)
                .sh(&format!("kill -9 {}", number.as_deref().unwrap_or_default())),
            Fault::Standby => {
                self.cluster.anyone().expect("crm_standby", &["-N", &name(from), "-v", "on"])
            }
            Fault::Power => {
                self.cluster.kill(from);
                String::new()
            }
        };
        let whole = wait_until(SOON, || {
            let whole = |it: &&usize| {
                directs(
                    self.cluster.node(**it),
                    (**it == from).then_some(number.as_deref()).flatten(),
                )
            };
            let elsewhere = |it: &&usize| fault == Fault::Daemon || **it != from;
            survivors
                .iter()
                .find(|it| elsewhere(it) && whole(it))
                .map(|to| (*to, SystemTime::now()))
        });
        let Some((to, at)) = whole else {
            panic!(
                "no director after {fault}: {}\n{}",
                self.cluster.status(),
                crate::log(self.cluster.anyone())
            )
        };
        self.look.expect_page(&self.cluster, &[]);
        let ended = SystemTime::now();
        let after = self.settled();
        self.expect_served();
        Account {
            whose: self.whose,
            fault,
            from,
            to,
            seen: self.look.seen(began, ended),
            whole: at.duration_since(began).unwrap_or_default(),
            actions: after
                .history
                .iter()
                .filter(|done| !before.history.contains(done))
                .cloned()
                .collect(),
            cpu: self.cpu(&survivors).saturating_sub(spent),
            view: after.brief(),
            failures: after.failures,
        }
    }

    /// Undoes a fault: both nodes are there, and nothing is left to complain about.
    pub fn heal(&mut self, account: &Account) {
        match account.fault {
            Fault::Daemon => {
                self.cluster.anyone().expect("crm_resource", &["--cleanup"]);
            }
            Fault::Standby => {
                self.cluster.anyone().expect("crm_standby", &["-N", &name(account.from), "-D"]);
            }
            Fault::Power => {
                self.cluster.revive(account.from);
                furnish(self.cluster.node(account.from));
            }
        }
        self.settled();
        self.expect_served();
    }

    /// Ends it, and panics when anything is left.
    pub fn strike(self) {
        drop(self.look);
        self.cluster.down();
    }

    /// The cluster when it has nothing left to do, and the group is on one node.
    fn settled(&self) -> Status {
        let together = |status: &Status| {
            let place = status.are_well(&ALL).then(|| status.resource("LVS").nodes.clone());
            place.is_some_and(|place| ALL.iter().all(|id| status.resource(id).nodes == place))
        };
        self.cluster.wait_for("the director on a node", SOON, together);
        let status = self.cluster.wait_idle();
        assert!(together(&status), "it does not stay there: {status}");
        status
    }

    fn survivors(&self, fault: Fault, from: usize) -> Vec<usize> {
        let up = |number: &usize| {
            self.cluster.node(*number).is_up() && (fault != Fault::Power || *number != from)
        };
        [1, 2].into_iter().filter(up).collect()
    }

    fn cpu(&self, nodes: &[usize]) -> Duration {
        nodes.iter().map(|number| self.cluster.node(*number).agents_cpu().0).sum()
    }
}

/// What a director needs besides its resources. Its disk outlives a power cut; what runs does not.
fn furnish(node: &Node) {
    node.sysctl("net/ipv4/ip_forward", "1");
    node.sh("mkdir -p /etc/ha.d /srv
        printf '#!/bin/sh\\necho \"$*\" >> /srv/called\\n' > /srv/fallback; chmod 755 \
        /srv/fallback");
    let tutorial = include_str!("../../../agents/ldirectord/tests/fixtures/tutorial.cf");
    // Two of its four real servers; and a busy machine may take longer for a page than its three
    // seconds.
    let conf: String = tutorial
        .lines()
        .filter(|line| !line.contains("10.240.1."))
        .map(|line| format!("{line}\n"))
        .collect();
    let conf = conf
        .replace("checktimeout=3", "checktimeout=20")
        .replace("/etc/init.d/apache2", "/srv/fallback");
    node.write(CONF, &conf.replace("VIP", VIP));
    write(node, "/srv/sorry.conf", SORRY);
    node.sh("nginx -c /srv/sorry.conf");
}

/// Kills the web server of a real server.
pub fn kill_real(cluster: &Cluster, number: usize) {
    cluster
        .client
        .sh(&format!("kill -9 $(cat /run/rs{number}/pid) $(pgrep -P $(cat /run/rs{number}/pid))"));
}

/// Starts the web server of a real server; returns when it answers.
pub fn revive_real(cluster: &Cluster, number: usize) {
    let client = &cluster.client;
    client.sh(&format!("ip netns exec rs{number} nginx -c /run/rs{number}/conf"));
    let words =
        ["netns", "exec", &format!("rs{number}"), "curl", "-sf", "http://127.0.0.1/.testpage"];
    let there = || (client.run("ip", &words).code == Some(0)).then_some(());
    assert!(wait_until(SOON, there).is_some(), "no web server");
}

fn primitive(whose: Whose, id: &str, kind: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: String = parameters
        .iter()
        .map(|(name, value)| format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    let operation = |name: &str, interval: u32| {
        format!(r#"<op id="{id}-{name}" name="{name}" interval="{interval}s" timeout="120s"/>"#)
    };
    let operations =
        [operation("start", 0), operation("stop", 0), operation("monitor", INTERVAL)].concat();
    let provider = whose.provider();
    format!(
        r#"<primitive id="{id}" class="ocf" provider="{provider}" type="{kind}">
            <instance_attributes id="{id}-p">{pairs}</instance_attributes>
            <operations>{operations}</operations></primitive>"#
    )
}

fn name(number: usize) -> String {
    format!("node{number}")
}

fn number_of(name: &str) -> usize {
    name.trim_start_matches("node").parse().unwrap_or_else(|_| panic!("{name} is no node"))
}

/// A file inside, read from outside: a process costs much in a kernel of our own.
fn inside(node: &Node, path: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{}/{path}", node.pid())).ok()
}

/// The number of the living daemon inside.
fn daemon(node: &Node) -> Option<String> {
    let number = inside(node, "root/run/ldirectord.ldirectord.cf.pid")?.trim().to_owned();
    let words = inside(node, &format!("root/proc/{number}/cmdline"))?;
    words.contains("ldirectord").then_some(number)
}

/// Whether a daemon, another one than that of this number, lives inside, and the kernel sends
/// clients to both real servers.
fn directs(node: &Node, but: Option<&str>) -> bool {
    let there = daemon(node).is_some_and(|number| Some(number.as_str()) != but);
    there && weights(&inside(node, "net/ip_vs").unwrap_or_default()) == [1, 1]
}

/// The weights of all servers in the kernel's table, `/proc/net/ip_vs`: three lines of a head, then
/// `-> SERVER FORWARD WEIGHT …`.
fn weights(table: &str) -> Vec<u32> {
    let servers = table.lines().skip(3).filter_map(|line| line.trim_start().strip_prefix("-> "));
    servers.filter_map(|line| line.split_whitespace().nth(2)?.parse().ok()).collect()
}

#[test]
fn the_weights_of_a_table_are_read() {
    let table = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler \
                 Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  \
                 0A090032:0050 rr  \n -> 0AF00015:0050      Masq    1      0          0         \n \
                 -> 0AF00014:0050      Masq    0      0          0         \n";
    assert_eq!(weights(table), [1, 0]);
    assert_eq!(weights(""), [0; 0]);
}
