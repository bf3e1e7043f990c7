//! A floating address with a web server behind it on three nodes, a visitor, and faults to inflict
//! on them.
//!
//! What `make demo` shows and what the suite `cluster` asserts and measures are the same code:
//! [`Stage::inflict`] does one [`Fault`] and gives its [`Account`] (what the visitor lost, when the
//! address came and was announced, what the agents cost), [`Stage::heal`] puts things back.
//!
//! Nothing is put between Pacemaker and the agents for it. How long an action took is Pacemaker's
//! own record; the processor time is what the kernel has counted for the executor's children; the
//! processes are what the kernel's last process number in the node has advanced by, Pacemaker's own
//! fork for each action included.

mod eyes;
mod fault;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::Cluster;
use crate::capture::Capture;
use crate::cluster::{Builder, Failure, Operation, Status};
use crate::frame::Mac;
use crate::probe::Outage;
use crate::process::wait_until;
use crate::rig::Net;
use crate::visitor::{Request, outage};

pub use eyes::{Eyes, Power};
pub use fault::Fault;

/// The floating address.
pub const VIP: &str = "192.168.100.200";

/// The resources: address and server.
pub const RESOURCES: [&str; 2] = ["IP_VIRTUAL", "WEB"];

/// Until the cluster must have dealt with a fault, on a busy machine.
pub const SOON: Duration = Duration::from_secs(90);

/// So many good answers in a row mean that the site is back.
const BACK: usize = 25;

/// Whose agents run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The built ones.
    Native,
    /// The shell agents that are installed here.
    Shell,
}

impl Whose {
    /// The provider in the names of the agents.
    #[must_use]
    pub fn provider(self) -> &'static str {
        match self {
            Whose::Native => "native",
            Whose::Shell => "heartbeat",
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if *self == Whose::Native { "native" } else { "shell" })
    }
}

/// How the stage is set.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Whose agents.
    pub whose: Whose,
    /// Seconds between two monitors of the address.
    pub address_interval: u32,
    /// Seconds between two monitors of the server.
    pub server_interval: u32,
    /// node3 takes no resources: commands and questions go there, and disturb no count.
    pub observer: bool,
    /// Monitors come every second and wait for events in between, whatever the intervals are.
    pub watch: bool,
}

impl Default for Wish {
    /// Our agents on three equal nodes, watched every two seconds.
    fn default() -> Self {
        Wish {
            whose: Whose::Native,
            address_interval: 2,
            server_interval: 2,
            observer: false,
            watch: false,
        }
    }
}

/// Three nodes, the address, the server, the visitor.
#[derive(Debug)]
pub struct Stage {
    /// The cluster.
    pub cluster: Cluster,
    /// What is seen from outside; may be shared with the part that prints it.
    pub eyes: Arc<Eyes>,
    wish: Wish,
    capture: Capture,
}

/// What one fault came to.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whose agents they were.
    pub whose: Whose,
    /// What was done.
    pub fault: Fault,
    /// Where the site was.
    pub from: String,
    /// Where it is now.
    pub to: String,
    /// What the visitor saw; the longest gap is the downtime.
    pub outage: Outage,
    /// From the fault until the address was on the new node; nothing when it did not move.
    pub added: Option<Duration>,
    /// From the address until the client heard the first announcement.
    pub announced: Option<Duration>,
    /// From the address until the first good page.
    pub page: Option<Duration>,
    /// Announcements heard.
    pub announcements: usize,
    /// The actions, as Pacemaker recorded them.
    pub actions: Vec<Operation>,
    /// What failed, as Pacemaker says.
    pub failures: Vec<Failure>,
    /// Processor time of the actions on the nodes that live.
    pub cpu: Duration,
    /// Processes that were started on the nodes that live, where nothing else starts any.
    pub processes: u64,
    /// The cluster's own view at the end.
    pub view: String,
}

impl Account {
    /// How long Pacemaker waited for actions in sum, of a kind such as `start`.
    #[must_use]
    pub fn wall(&self, task: &str) -> Duration {
        self.actions.iter().filter(|action| action.task == task).map(|action| action.took).sum()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
        let or = |time: Option<Duration>| {
            time.map_or("-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3))
        };
        write!(
            out,
            "{} ({}): {} > {}, down {}, {} of {} requests failed; address after {}, first \
             announcement {} later, first page {} later; start {}, stop {}, processor {}, \
             processes {}; cluster: {}",
            self.fault,
            self.whose,
            self.from,
            self.to,
            ms(self.outage.longest_gap),
            self.outage.lost,
            self.outage.sent,
            self.added.map_or("-".to_owned(), ms),
            or(self.announced),
            or(self.page),
            ms(self.wall("start")),
            ms(self.wall("stop")),
            ms(self.cpu),
            self.processes,
            self.view,
        )
    }
}

/// What is counted on the living nodes.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    cpu: Duration,
    processes: u64,
}

impl Stage {
    /// Makes the cluster, creates the resources as an administrator does, and waits for the
    /// visitor's first pages.
    #[must_use]
    pub fn set(wish: Wish) -> Stage {
        Stage::set_on(wish, Cluster::builder(3))
    }

    /// As [`Stage::set`], on a cluster of three nodes made otherwise.
    #[must_use]
    pub fn set_on(wish: Wish, builder: Builder) -> Stage {
        let cluster = builder.net(Net::of("eth0", "192.168.100", 9, 1)).start();
        for number in 1..=3 {
            cluster.node(number).write("/var/www/html/index.html", &format!("node{number}\n"));
        }
        let admin = cluster.anyone();
        let Wish { whose, address_interval, server_interval, watch, .. } = wish;
        let monitor = |interval: u32| {
            if watch {
                "watch=30s op monitor interval=1s timeout=60s".to_owned()
            } else {
                format!("op monitor interval={interval}s")
            }
        };
        let provider = whose.provider();
        // Where it is, it stays: a move back is a second outage.
        admin.pcs("resource defaults update resource-stickiness=100");
        admin.pcs(&format!(
            "resource create IP_VIRTUAL ocf:{provider}:IPaddr2 ip={VIP} cidr_netmask=24 {}",
            monitor(address_interval)
        ));
        admin.pcs(&format!(
            "resource create WEB ocf:{provider}:nginx configfile=/etc/nginx/nginx.conf {} \
             --disabled",
            monitor(server_interval)
        ));
        admin.pcs("constraint colocation add WEB with IP_VIRTUAL INFINITY");
        admin.pcs("constraint order IP_VIRTUAL then WEB");
        if wish.observer {
            admin.pcs("constraint location IP_VIRTUAL avoids node3");
        }
        admin.pcs("resource enable WEB");
        cluster.wait_for("address and server started", SOON, |status| status.are_well(&RESOURCES));
        let site = SocketAddr::new(VIP.parse().expect("an address"), 80);
        let capture = Capture::on(&cluster.client, "eth0");
        let eyes = Arc::new(Eyes::open(&cluster, site));
        let stage = Stage { cluster, eyes, wish, capture };
        stage.wait_back(SystemTime::now(), |_| true);
        stage
    }

    /// The node that has the site, by its pages.
    #[must_use]
    pub fn owner(&self) -> String {
        let page = self.eyes.visitor.last_pages(1).and_then(|mut pages| pages.pop());
        page.unwrap_or_else(|| panic!("the site does not answer: {}", self.cluster.status()))
    }

    /// Does what `fault` says to the node that has the site, and returns when the visitor is served
    /// again.
    pub fn inflict(&mut self, fault: Fault) -> Account {
        self.cluster.wait_idle();
        let from = self.owner();
        let number = number_of(&from);
        let before = self.cluster.status();
        let count = self.count(None);
        self.capture.heard();
        let began = SystemTime::now();
        self.eyes.happened(format!("{fault}: {}", fault.on(&from)));
        fault.inflict(self, number);
        self.wait_back(began, |requests| {
            let struck = |it: &Request| it.ended.is_some() && !it.shows(&from);
            // A move may be so smooth that nothing fails.
            if fault.moves() {
                requests.iter().any(|it| it.said.is_ok() && struck(it))
            } else {
                requests.iter().any(struck)
            }
        });
        let window = SystemTime::now();
        let to = self.owner();
        let spent = self.count(fault.leaves_dead().then_some(number));
        let after = self.settled(&to);
        let count = if fault.leaves_dead() { self.without(count, number) } else { count.0 };
        let requests = self.eyes.visitor.since(began - Duration::from_millis(100));
        let address: IpAddr = VIP.parse().expect("an address");
        let added = self.eyes.added(number_of(&to), address, began);
        let since = |from: Option<SystemTime>, to: Option<SystemTime>| {
            Some(to?.duration_since(from?).unwrap_or_default())
        };
        let mac: Mac = Net::of("eth0", "192.168.100", 9, 1)
            .mac_of(number_of(&to))
            .parse()
            .expect("an Ethernet address");
        let heard: Vec<SystemTime> = self
            .capture
            .announcements(VIP)
            .iter()
            .filter(|heard| heard.at >= began && heard.from == mac)
            .map(|heard| heard.at)
            .collect();
        let page = requests.iter().filter(|it| it.shows(&to)).filter_map(|it| it.ended);
        let page = page.filter(|at| added.is_some_and(|added| *at >= added)).min();
        let account = Account {
            whose: self.wish.whose,
            fault,
            outage: outage(&requests, began - Duration::from_millis(100), window),
            added: since(Some(began), added),
            // The kernel stamps the frame; that the address is there we learn a moment late, on a
            // busy machine after it.
            announced: since(added, heard.first().copied()),
            page: since(added, page),
            announcements: heard.len(),
            actions: after
                .history
                .iter()
                .filter(|done| !before.history.contains(done))
                .cloned()
                .collect(),
            failures: after.failures.clone(),
            cpu: spent.0.cpu.saturating_sub(count.cpu),
            processes: spent.0.processes.saturating_sub(
                count.processes + spent.1.iter().filter(|it| it.processes > 0).count() as u64,
            ),
            view: after.brief(),
            from,
            to,
        };
        self.eyes.happened(format!(
            "served by {} again after {:.1} s",
            account.to,
            account.outage.longest_gap.as_secs_f64()
        ));
        account
    }

    /// Undoes a fault: the node is a member again, and nothing is left to complain about.
    pub fn heal(&mut self, account: &Account) {
        account.fault.heal(self, number_of(&account.from));
        self.cluster.wait_for("all nodes back", SOON, |status| status.online() == 3);
        self.cluster.anyone().expect("crm_resource", &["--cleanup"]);
        self.cluster.wait_idle();
        let status = self.cluster.wait_for("all well", SOON, |status| status.are_well(&RESOURCES));
        let owner = status.resource("WEB").nodes[0].clone();
        self.wait_back(SystemTime::now(), |requests| {
            requests.last().is_some_and(|it| it.shows(&owner))
        });
    }

    /// Ends it, and panics when anything is left.
    pub fn strike(self) {
        let Stage { cluster, eyes, .. } = self;
        drop(eyes);
        cluster.down();
    }

    /// Waits until the requests after `began` have been as `struck` says, and the last ones are all
    /// good.
    fn wait_back(&self, began: SystemTime, struck: impl Fn(&[Request]) -> bool) {
        let back = wait_until(SOON, || {
            let requests = self.eyes.visitor.since(began);
            let over: Vec<Request> =
                requests.into_iter().filter(|request| request.ended.is_some()).collect();
            let good = over.len() >= BACK
                && over[over.len() - BACK..].iter().all(|request| request.said.is_ok());
            (good && struck(&over)).then_some(())
        });
        let all = self.eyes.visitor.since(began);
        let last = all.last().map(|request| &request.said);
        assert!(
            back.is_some(),
            "the site is not back, the visitor's last word is {last:?}: {}",
            self.cluster.status()
        );
    }

    /// The cluster when it has noted all of it.
    fn settled(&self, to: &str) -> Status {
        self.cluster.wait_idle();
        self.cluster.wait_for("the resources where the pages come from", SOON, |status| {
            status.are_well(&RESOURCES)
                && RESOURCES.iter().all(|id| status.resource(id).nodes == [to])
        })
    }

    /// What was counted until now on nodes that have power: the sum, and each.
    fn count(&self, but: Option<usize>) -> (Count, [Count; 3]) {
        let mut each = [Count::default(); 3];
        for number in (1..=3).filter(|number| Some(*number) != but) {
            let node = self.cluster.node(number);
            // The observer's own commands are of no interest.
            if node.is_up() && !(self.wish.observer && number == 3) {
                each[number - 1] =
                    Count { cpu: node.agents_cpu().0, processes: node.next_process() };
            }
        }
        let sum = each.iter().fold(Count::default(), |sum, one| Count {
            cpu: sum.cpu + one.cpu,
            processes: sum.processes + one.processes,
        });
        (sum, each)
    }

    fn without(&self, (sum, each): (Count, [Count; 3]), number: usize) -> Count {
        let dead = each[number - 1];
        Count { cpu: sum.cpu - dead.cpu, processes: sum.processes - dead.processes }
    }
}

/// The number in the name of a node.
fn number_of(name: &str) -> usize {
    name.trim_start_matches("node").parse().unwrap_or_else(|_| panic!("{name} is no node"))
}
