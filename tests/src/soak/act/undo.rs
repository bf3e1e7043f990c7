//! The ends of deeds, and what puts everything right after an episode.

use std::time::{Duration, Instant, SystemTime};

use super::{Actor, signal};
use crate::cluster::{Failure, Node};
use crate::soak::deed::Deed;
use crate::soak::history::{Event, Waiter};
use crate::soak::plan::Step;
use crate::soak::scene::{self, STATE, configuration};
use crate::soak::{CLONED, NODES, RENAMED, SERVICES, UNIT, node_name, node_number, service_of};

/// Until all nodes must be members again.
const JOIN: Duration = Duration::from_secs(90);

/// Until everything must be well after that, before the run gives up.
const GIVE_UP: Duration = Duration::from_secs(60);

/// So long everything must have been well: the longest interval of a monitor, and what the cluster
/// needs to begin something.
const STEADY: Duration = Duration::from_secs(3);

impl Actor {
    /// Undoes a step that lasts.
    pub fn end(&mut self, index: usize, step: &Step) {
        let done = self.undo(step);
        // Such as a cable to a machine that has been turned off since.
        let note = done.err().unwrap_or_default();
        self.report(index, step.deed, &step.target, &step.target, false, Ok(note));
    }

    fn undo(&mut self, step: &Step) -> Result<(), String> {
        use Deed as D;
        let target = step.target.as_str();
        match step.deed {
            D::Freeze | D::FreezeMaster | D::FreezeWorkers => self.thaw(),
            D::KillAgent => self.cluster.alive().for_each(|node| {
                let _ = std::fs::remove_file(node.outside("/etc/soak/kill"));
            }),
            D::DeleteRoute => {
                let number = node_number(target).ok_or("no node")?;
                self.node(target)?.try_ip(&format!(
                    "route replace 10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.{number}"
                ));
            }
            D::LinkDown => self.link_up(target)?,
            D::RenameLink => {
                let host = self.node(target)?;
                host.try_ip("link set eth9 down");
                host.try_ip("link set eth9 name eth0");
                self.link_up(target)?;
            }
            // A machine that was turned off meanwhile gets a new one: what is left of the old one's
            // network would answer for a while.
            D::Cable => {
                let number = self.node(target).map(|_| node_number(target))?;
                self.cluster.cable(number.ok_or("no node")?, true);
            }
            D::OneWay => {
                self.cluster.lan(0).switch.run("nft", &["delete table bridge soak"]);
            }
            D::Power => self.revive(node_number(target).ok_or("no node")?),
            D::Move | D::Ban => self.order("crm_resource", &["--clear", "--resource", target])?,
            D::Standby => self.order("crm_standby", &["--node", target, "--delete"])?,
            D::Maintenance => {
                self.order("crm_attribute", &["--name", "maintenance-mode", "--delete"])?;
            }
            D::Unmanage => {
                let words = ["--resource", target, "--meta", "--delete-parameter", "is-managed"];
                self.order("crm_resource", &words)?;
            }
            D::Rename => self.rename(&format!("{target}{RENAMED}"), target)?,
            D::BadConfig => {
                let service = service_of(target).ok_or("no service")?;
                self.push(service, configuration(service).0, &scene::text_of(service))?;
            }
            D::StateFull => {
                self.script(target, &format!("rm -f {STATE}/filler"))?;
            }
            D::StateReadOnly => {
                self.script(target, &format!("mount -o remount,rw {STATE}"))?;
            }
            D::Starve => self.busy.clear(),
            D::SilentNames => self.node(target)?.write("/etc/resolv.conf", ""),
            _ => {}
        }
        Ok(())
    }

    fn thaw(&mut self) {
        self.frozen.drain(..).for_each(|pid| signal(pid, libc::SIGCONT));
    }

    /// As the node's own network service does it.
    fn link_up(&self, node: &str) -> Result<(), String> {
        let number = node_number(node).ok_or("no node")?;
        let host = self.node(node)?;
        host.try_ip("link set eth0 up");
        host.try_ip(&format!("address replace 2001:db8:9::{number}/64 dev eth0 nodad"));
        Ok(())
    }

    /// What a node sends is lost at the switch.
    pub(super) fn one_way(&self, number: usize) -> Result<(), String> {
        let rules = format!(
            "add table bridge soak; add chain bridge soak c {{ type filter hook prerouting \
             priority -300; }}; \
             add rule bridge soak c iifname \"p{number}\" drop"
        );
        let done = self.cluster.lan(0).switch.run("nft", &[&rules]);
        if done.code == Some(0) {
            Ok(())
        } else {
            Err("the kernel has no filter for bridges".into())
        }
    }

    /// Puts right whatever the episode may have left, and waits until all is well. `false`: it does
    /// not get so.
    pub fn mend(&mut self) -> bool {
        self.thaw();
        self.busy.clear();
        let began = Instant::now();
        while self.is_reviving() && began.elapsed() < JOIN {
            self.tick();
            std::thread::sleep(Duration::from_millis(50));
        }
        (1..=NODES).for_each(|number| self.revive(number));
        self.apart.clear();
        if !self.wait_online() {
            return self.restless("the nodes do not come together");
        }
        let commands: [&[&str]; 2] = [
            &["crm_attribute", "--name", "maintenance-mode", "--delete"],
            // Moves and bans.
            &[
                "cibadmin",
                "--delete-all",
                "--force",
                "--xpath",
                "//rsc_location[starts-with(@id,'cli-')]",
            ],
        ];
        for words in commands {
            self.obey(words);
        }
        let failed = self.admin().and_then(|node| node.try_status()).is_some_and(|status| {
            let blocked = status.resources.iter().any(|it| it.blocked || it.failed);
            blocked || !status.failures.is_empty()
        });
        // A node that had no power when a faulty configuration was mended has it still.
        for node in self.cluster.alive() {
            for service in &SERVICES {
                let (path, text) = (configuration(service).0, scene::text_of(service));
                if std::fs::read_to_string(node.outside(path)).ok().as_ref() != Some(&text) {
                    node.write(path, &text);
                }
            }
        }
        self.recorder.note(Event::Mended { number: self.episode });
        if failed {
            self.obey(&["crm_resource", "--cleanup"]);
        }
        self.wait_calm(Some(self.episode))
    }

    fn wait_online(&mut self) -> bool {
        let deadline = Instant::now() + JOIN;
        while Instant::now() < deadline {
            self.tick();
            let status = self.admin().and_then(|node| node.try_status());
            if status.is_some_and(|status| status.online() == NODES && status.dc.is_some())
                && !self.is_reviving()
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        false
    }

    /// Waits until everything runs and is served, and goes on so; notes since when.
    ///
    /// A cleanup that meets an executor that has just been killed can leave Pacemaker 2.1 without
    /// monitors of what runs there, and with their loss as failures: an administrator cleans up
    /// again, and that is the last of the faults.
    pub fn wait_calm(&mut self, number: Option<usize>) -> bool {
        let mut deadline = Instant::now() + GIVE_UP;
        let (mut view, mut since) = (String::new(), None::<SystemTime>);
        let mut again = Some(Instant::now() + GIVE_UP / 4);
        while Instant::now() < deadline {
            self.tick();
            if self.is_reviving() {
                // The cluster has fenced a node: that is the last of the faults.
                if !self.wait_online() {
                    return self.restless("the nodes do not come together");
                }
                self.recorder.note(Event::Mended { number: self.episode });
                (since, deadline) = (None, Instant::now() + GIVE_UP);
            }
            let now = SystemTime::now();
            let Some(status) = self.admin().and_then(|node| node.try_status()) else { continue };
            view = format!("{}; failures: {:?}", status.brief(), status.failures);
            if status.failures.iter().any(is_lost) && again.is_some_and(|at| Instant::now() > at) {
                again = None;
                self.obey(&["crm_resource", "--cleanup"]);
                self.recorder.note(Event::Mended { number: self.episode });
                (since, deadline) = (None, Instant::now() + GIVE_UP);
            }
            let cloned = if self.plan.has_clone() { NODES } else { 0 };
            let wanted = SERVICES.iter().map(|it| it.addresses.len() + 1).sum::<usize>()
                + cloned
                + usize::from(self.plan.systemd);
            let well =
                status.resources.iter().filter(|it| it.is_well() && it.id != "FENCE").count();
            let is_calm = status.online() == NODES
                && well == wanted
                && !self.is_ordering()
                && self.witness.is_served(since.unwrap_or(now))
                && self.is_there();
            since = is_calm.then(|| since.unwrap_or(now));
            let steady = since.and_then(|since| now.duration_since(since).ok());
            if let Some(since) = since.filter(|_| steady >= Some(STEADY)) {
                self.recorder.note_at(self.recorder.seconds(since), Event::Calm { number });
                self.sample();
                return true;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        self.restless(&view)
    }

    /// Whether what no client asks for is where it belongs: the cluster finds out with its next
    /// monitor only.
    fn is_there(&self) -> bool {
        let has_clone = |node: &Node| !node.seen(CLONED.1).is_empty();
        let has_unit = |node: &&Node| !self.witness.servers(node.name(), UNIT.1).is_empty();
        (!self.plan.has_clone() || self.cluster.alive().all(has_clone))
            && (!self.plan.systemd || self.cluster.alive().filter(has_unit).count() == 1)
    }

    fn restless(&self, view: &str) -> bool {
        self.recorder.note(Event::Restless { number: self.episode, view: view.to_owned() });
        false
    }

    /// What there is on the nodes while nothing happens.
    fn sample(&self) {
        for node in self.cluster.alive() {
            let directory = std::fs::read_dir(node.outside(STATE)).into_iter().flatten().flatten();
            let mut files: Vec<String> =
                directory.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
            files.sort();
            let waiters = node.processes("ocf-wait").into_iter().map(waiter).collect();
            let lines = self.witness.log_lines(node.name());
            let event = Event::Sample { node: node.name().to_owned(), files, waiters, lines };
            self.recorder.note(event);
            let number = node_number(node.name()).unwrap_or_default();
            let strangers = self.strangers.get(number - 1).and_then(Option::as_ref);
            for what in strangers.map(|it| it.changes(node)).unwrap_or_default() {
                self.recorder.note(Event::Stranger { node: node_name(number), what });
            }
        }
    }
}

/// Whether Pacemaker has lost an operation with its executor.
fn is_lost(failure: &Failure) -> bool {
    let words = ["executor connection was dropped", "Transport endpoint is not connected"];
    !failure.answered && words.iter().any(|it| failure.reason.contains(it))
}

fn waiter(pid: i32) -> Waiter {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.and_then(|it| it.split_whitespace().next()?.parse().ok());
    Waiter { pid, descriptors, memory: memory.unwrap_or_default() }
}
