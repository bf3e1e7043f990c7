//! The pair of load balancers, with systemd as the nodes' process 1 and haproxy as a unit of it: by
//! our agent, and by Pacemaker's own class. Two such pairs stand side by side, and what is done to
//! one is done to the other.

use std::fmt;
use std::time::Duration;

use harness::cluster::{Node, Status};
use harness::figures::{median, ms};
use harness::onlooker::Onlooker;
use harness::probe::Outage;
use harness::process::wait_until;
use harness::skip::skip;
use harness::tell::tell;
use harness::{Cluster, call, systemd_box};

use crate::balancer::{
    ALL, FARM, INNER, OUTER, Server, balancers, expect_nobody, expect_own_page, forward, gateway,
    load, owner,
};
use crate::{SOON, turn};

/// Of kills.
const KILLS: usize = 5;

/// Of all else.
const TRIES: usize = 3;

/// Of the resource.
const INTERVAL: Duration = Duration::from_secs(5);

/// What a busy machine may add.
const BUSY: Duration = Duration::from_secs(15);

/// Who manages the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    Class,
}

impl Kind {
    /// As the administrator types it.
    fn definition(self) -> &'static str {
        match self {
            Kind::Ours => "ocf:native:systemd unit=haproxy",
            Kind::Class => "systemd:haproxy",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Kind::Ours => "native",
            Kind::Class => "class",
        })
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Power,
    Halt,
    Leave,
    Back,
}

impl Fault {
    const ALL: [Fault; 5] = [Fault::Kill, Fault::Power, Fault::Halt, Fault::Leave, Fault::Back];
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Fault::Kill => "haproxy killed",
            Fault::Power => "node without power",
            Fault::Halt => "node shut down",
            Fault::Leave => "cluster stopped on it",
            Fault::Back => "node back, preferred",
        })
    }
}

/// What it came to.
struct Account {
    kind: Kind,
    fault: Fault,
    outage: Outage,
    /// The last stop and start of haproxy's resource that it led to, by Pacemaker's record.
    stop: Option<Duration>,
    start: Option<Duration>,
}

/// Two balancers, their farm, and a client.
struct Pair {
    kind: Kind,
    look: Onlooker,
    farm: Vec<Server>,
    cluster: Cluster,
}

impl Pair {
    fn up(kind: Kind) -> Pair {
        let (cluster, farm, look) = balancers(Cluster::builder(2).systemd(), kind.definition());
        let pair = Pair { kind, look, farm, cluster };
        assert_eq!(pair.property("ActiveState"), "active");
        // The unit of the package says "always": two masters would be one too many.
        assert_eq!(pair.property("Restart"), "no");
        assert_eq!(load(&pair.cluster, 100), 0, "requests of ab failed");
        pair
    }

    /// What systemd says of the unit, on the node that should have it.
    fn property(&self, name: &str) -> String {
        property(self.cluster.node(1), name)
    }

    /// haproxy dies. Each time it comes equally soon after a start, and so after a monitor.
    fn kill(&mut self) -> Account {
        let what = format!("{}, {}", Fault::Kill, self.kind);
        let before = self.property("MainPID");
        let seen = self.look.during(&mut self.cluster, &what, &[], |cluster| {
            cluster.node(1).kill_all("haproxy");
            expect_nobody(cluster);
        });
        assert!(seen.outage.longest_gap < INTERVAL + BUSY, "{:?}", seen.outage);
        assert_eq!(owner(&self.cluster), "node1");
        assert_ne!(self.property("MainPID"), before);
        let status = self.cluster.status();
        let failure = status.failures.iter().find(|it| it.operation == "HAproxy_monitor_5000");
        let failure = failure.unwrap_or_else(|| panic!("nothing is known of it: {status}"));
        tell(&format!(
            "  {} on {}: {} {:?}",
            failure.operation, failure.node, failure.code, failure.reason
        ));
        if self.kind == Kind::Ours {
            assert!(failure.reason.contains("haproxy.service"), "{failure:?}");
        }
        self.account(Fault::Kill, seen.outage, ["node1", "node1"])
    }

    /// The first node goes, in this way or that.
    fn lose(&mut self, fault: Fault) -> Account {
        let what = format!("{fault}, {}", self.kind);
        let seen = self.look.during(&mut self.cluster, &what, &[], |cluster| match fault {
            Fault::Power => cluster.kill(1),
            Fault::Halt => cluster.halt(1),
            // What `pcs cluster stop` does.
            _ => cluster.leave(1),
        });
        assert!(!seen.announced.is_empty(), "the move was not announced");
        assert_eq!(owner(&self.cluster), "node2");
        gateway(&self.farm);
        assert_eq!(self.failures(), [] as [String; 0]);
        self.account(fault, seen.outage, ["node1", "node2"])
    }

    /// The first node comes back, and gets all.
    fn regain(&mut self) -> Account {
        let what = format!("{}, {}", Fault::Back, self.kind);
        let seen = self.look.during(&mut self.cluster, &what, &[], |cluster| {
            if cluster.node(1).is_up() {
                cluster.join(1);
            } else {
                cluster.revive(1);
                forward(cluster.node(1));
            }
            let home = wait_until(SOON, || (owner(cluster) == "node1").then_some(()));
            assert!(home.is_some(), "{}", cluster.status());
        });
        let other = self.cluster.node(2);
        [OUTER, INNER].into_iter().for_each(|vip| other.expect_absent(vip));
        assert_eq!(
            (other.processes("haproxy"), property(other, "ActiveState").as_str()),
            (vec![], "inactive")
        );
        gateway(&self.farm);
        assert_eq!(self.failures(), [] as [String; 0]);
        self.account(Fault::Back, seen.outage, ["node2", "node1"])
    }

    /// The servers of the farm go, one by one. To the cluster haproxy is well without them.
    fn lose_the_farm(&mut self) {
        let (last, others) = self.farm.split_last_mut().expect("servers");
        for (server, number) in others.iter_mut().zip(FARM) {
            let what = format!("web{number} stopped, {}", self.kind);
            self.look.during(&mut self.cluster, &what, &[], |_| server.stop());
        }
        self.look.during(&mut self.cluster, "one server is left", &["web14"], |_| {});
        assert_eq!(load(&self.cluster, 300), 0, "requests of ab failed");
        let before = property(self.cluster.node(1), "MainPID");
        last.stop();
        expect_own_page(&self.cluster);
        // Whatever the phase of the monitor, one of them sees it.
        std::thread::sleep(INTERVAL + INTERVAL / 2);
        let status = self.cluster.wait_idle();
        assert!(status.are_well(&ALL), "dead servers are no reason to move: {status}");
        assert_eq!((self.failures(), self.property("MainPID")), (vec![], before));
        self.farm_back();
    }

    fn farm_back(&mut self) {
        let what = format!("the farm is back, {}", self.kind);
        self.look.during(&mut self.cluster, &what, &[], |_| {
            self.farm.iter_mut().for_each(Server::start)
        });
    }

    /// Our agent requests the page when it is configured: then a farm without servers is a failure
    /// that says why, and a start lasts until a server answers.
    fn ask_for_the_page(&mut self) {
        let (admin, before) = (self.cluster.node(1), self.property("MainPID"));
        admin.pcs(&format!("resource update HAproxy check_http=http://{OUTER}/"));
        admin.pcs("resource op add HAproxy monitor interval=7s timeout=30s OCF_CHECK_LEVEL=10");
        self.cluster.wait_idle();
        assert_eq!(self.property("MainPID"), before, "a check is added without a restart");
        assert_eq!(self.failures(), [] as [String; 0]);
        self.farm.iter_mut().for_each(Server::stop);
        let status = self.cluster.wait_for("a failure that names the page", SOON, |status| {
            status
                .failures
                .iter()
                .any(|it| it.operation == "HAproxy_monitor_7000" && it.reason.contains("503"))
        });
        status
            .failures
            .iter()
            .for_each(|it| tell(&format!("{}: {} {:?}", self.kind, it.operation, it.reason)));
        self.farm_back();
        assert_eq!(owner(&self.cluster), "node1");
    }

    /// Makes the cluster forget what failed; it looks again then.
    fn forget(&self) {
        self.cluster.node(2).pcs("resource cleanup");
        self.cluster.wait_idle();
        assert_eq!((owner(&self.cluster), self.failures()), ("node1".to_owned(), vec![]));
    }

    /// What the cluster holds against the resources.
    fn failures(&self) -> Vec<String> {
        self.cluster.status().failures.iter().map(|it| format!("{it:?}")).collect()
    }

    fn account(&self, fault: Fault, outage: Outage, [from, to]: [&str; 2]) -> Account {
        let status = self.cluster.status();
        // Pacemaker keeps the last of both on each node.
        let stop =
            if from == to || fault == Fault::Power { None } else { took(&status, from, "stop") };
        Account { kind: self.kind, fault, outage, stop, start: took(&status, to, "start") }
    }

    fn down(self) {
        drop((self.look, self.farm));
        self.cluster.down();
    }
}

fn property(node: &Node, name: &str) -> String {
    node.expect("systemctl", &["show", "--value", "-p", name, "haproxy.service"]).trim().to_owned()
}

fn took(status: &Status, node: &str, task: &str) -> Option<Duration> {
    let of = status
        .history
        .iter()
        .filter(|it| it.resource == "HAproxy" && it.node == node && it.task == task);
    of.max_by_key(|it| it.call).map(|it| it.took)
}

fn of(accounts: &[Account], fault: Fault, kind: Kind) -> Vec<&Account> {
    accounts.iter().filter(|it| it.fault == fault && it.kind == kind).collect()
}

fn down(accounts: &[&Account]) -> Vec<f64> {
    accounts.iter().map(|it| ms(it.outage.longest_gap)).collect()
}

fn table(accounts: &[Account]) -> String {
    let mut text = format!(
        "\n{:<22} {:<9} {:>5} {:>8} {:>8} {:>7} {:>8} {:>8}\n",
        "fault", "by", "tries", "down ms", "most", "failed", "stop ms", "start ms"
    );
    for fault in Fault::ALL {
        for kind in [Kind::Ours, Kind::Class] {
            let all = of(accounts, fault, kind);
            let of = |value: &dyn Fn(&Account) -> Option<f64>| {
                let known = all.iter().filter_map(|it| value(it)).collect();
                median(known).map_or_else(|| "-".to_owned(), |middle| format!("{middle:.0}"))
            };
            text.push_str(&format!(
                "{fault:<22} {kind:<9} {:>5} {:>8} {:>8.0} {:>7} {:>8} {:>8}\n",
                all.len(),
                of(&|it| Some(ms(it.outage.longest_gap))),
                down(&all).into_iter().fold(0.0, f64::max),
                of(&|it| Some(it.outage.lost as f64)),
                of(&|it| it.stop.map(ms)),
                of(&|it| it.start.map(ms)),
            ));
        }
    }
    text.push_str(
        "down: longest time between two good pages, one being requested every 20 ms; failed: \
         requests; medians;\n\
         stop, start: of haproxy's resource, by Pacemaker's own record\n",
    );
    text
}

#[test]
#[ignore = "takes ten minutes: make cluster-test"]
fn a_pair_of_load_balancers_is_safe_with_units_too() {
    let Some(_turn) = turn(&["pcs", "nginx", "haproxy", "ab"]) else { return };
    if let Some(reason) = systemd_box::missing() {
        return skip(&reason);
    }
    if !call::is_there("systemd") {
        return skip("the agent systemd is not built");
    }
    let mut pairs = [Kind::Ours, Kind::Class].map(Pair::up);
    let mut accounts: Vec<Account> = Vec::new();
    for pair in &mut pairs {
        // The first one comes whenever it comes.
        pair.kill();
        accounts.extend((0..KILLS).map(|_| pair.kill()));
        pair.forget();
    }
    pairs.iter_mut().for_each(Pair::lose_the_farm);
    for _ in 0..TRIES {
        for fault in [Fault::Power, Fault::Halt, Fault::Leave] {
            for pair in &mut pairs {
                accounts.push(pair.lose(fault));
                accounts.push(pair.regain());
            }
        }
    }
    pairs.iter_mut().filter(|pair| pair.kind == Kind::Ours).for_each(Pair::ask_for_the_page);
    pairs.into_iter().for_each(Pair::down);
    let table = table(&accounts);
    tell(&table);
    // After a power cut it is Corosync that decides, and it does so in steps of a second.
    for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::Power) {
        let [ours, class] =
            [Kind::Ours, Kind::Class].map(|kind| median(down(&of(&accounts, fault, kind))));
        let costs_more = ours.zip(class).is_none_or(|(ours, class)| ours > class + 1000.0);
        assert!(!costs_more, "{fault} costs more with our agent: {table}");
    }
}
