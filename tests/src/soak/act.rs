//! Does and undoes the deeds.

mod inflict;
mod undo;

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::deed::Deed;
use super::history::{Event, Recorder};
use super::plan::{Plan, Step};
use super::scene::{self, FENCES, Farm};
use super::strangers::Strangers;
use super::witness::{Server, Witness};
use super::{NODES, Service, UNIT, address_of, node_name, node_number, service_of};
use crate::cluster::{Cluster, Node};
use crate::host::Resident;

/// A command of an administrator has so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command that has effects of its own has them within this.
const RECENT: Duration = Duration::from_secs(3);

/// From a fence's cut of the power to the node's next boot.
const REBOOT: Duration = Duration::from_secs(3);

/// The programs that keep a processor busy.
const BUSY: usize = 4;

/// Those who act: the cluster, and what was done to it and must be undone.
#[derive(Debug)]
pub struct Actor {
    // Dropped in this order: what looks, then what is looked at.
    pub(super) witness: Witness,
    pub(super) strangers: Vec<Option<Strangers>>,
    orders: Vec<(Instant, Child)>,
    busy: Vec<Resident>,
    pub(super) cluster: Cluster,
    _farm: Farm,
    pub(super) recorder: Arc<Recorder>,
    pub(super) plan: Plan,
    reviving: Vec<(Instant, usize)>,
    frozen: Vec<i32>,
    /// The nodes that the episode's deeds part from the others.
    apart: Vec<String>,
    pub(super) episode: usize,
    serial: u64,
}

impl Actor {
    /// Makes the cluster with its services, strangers and witnesses.
    #[must_use]
    pub fn of(plan: &Plan, disks: &std::path::Path, recorder: &Arc<Recorder>) -> Actor {
        let (cluster, farm) = scene::build(plan, disks);
        let witness = Witness::of(&cluster, recorder);
        let mut actor = Actor {
            witness,
            strangers: (0..NODES).map(|_| None).collect(),
            orders: Vec::new(),
            busy: Vec::new(),
            cluster,
            _farm: farm,
            recorder: Arc::clone(recorder),
            plan: plan.clone(),
            reviving: Vec::new(),
            frozen: Vec::new(),
            apart: Vec::new(),
            episode: 0,
            serial: 0,
        };
        (1..=NODES).for_each(|number| actor.settle(number));
        scene::create(&actor.cluster, plan);
        actor
    }

    /// A node that has just begun gets its strangers, and is looked at.
    fn settle(&mut self, number: usize) {
        let node = self.cluster.node(number);
        let strangers = Strangers::on(node, number);
        self.witness.add(node, strangers.roots());
        self.strangers[number - 1] = Some(strangers);
    }

    /// A node where an administrator can type.
    pub(super) fn admin(&self) -> Option<&Node> {
        let usable = |node: &&Node| {
            node.has_daemons() && !self.apart.iter().any(|apart| apart == node.name())
        };
        self.cluster.alive().find(usable)
    }

    /// Gives a command, and does not wait for its end.
    fn order(&mut self, program: &str, words: &[&str]) -> Result<(), String> {
        let node = self.admin().ok_or("no node to type at")?.name().to_owned();
        self.order_at(&node, program, words)
    }

    /// As [`Actor::order`], on this node.
    fn order_at(&mut self, node: &str, program: &str, words: &[&str]) -> Result<(), String> {
        let mut command = self.node(node)?.command(program);
        command.args(words).env("HOME", "/root").stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| error.to_string())?;
        self.orders.push((Instant::now() + PATIENCE, child));
        Ok(())
    }

    /// Gives a command, and waits for its end as long as an administrator does.
    pub(super) fn obey(&mut self, words: &[&str]) {
        let given = Instant::now();
        let _ = self.order(words[0], &words[1..]);
        let deadline = given + PATIENCE;
        while self.orders.iter().any(|(limit, _)| *limit >= deadline) {
            self.tick();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a shell script on a node; what it says when it fails.
    fn script(&self, node: &str, script: &str) -> Result<(), String> {
        let done = self.node(node)?.run("/bin/sh", &["-euc", script]);
        if done.code == Some(0) { Ok(()) } else { Err(done.stderr.trim().to_owned()) }
    }

    /// Gives a resource another name, or its first one back.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        let script = format!(
            "cibadmin --query --scope resources | \
             sed 's/<primitive id=\"{from}\"/<primitive id=\"{to}\"/' | \
             cibadmin --replace --scope resources --xml-pipe"
        );
        self.order("/bin/sh", &["-euc", &script])
    }

    fn set(&mut self, resource: &str, name: &str, value: &str) -> Result<(), String> {
        self.order(
            "crm_resource",
            &["--resource", resource, "--set-parameter", name, "--parameter-value", value],
        )
    }

    /// The node that has a service, by its first address.
    fn owner(&self, address: &str) -> Result<String, String> {
        let has = |node: &&Node| !node.seen(address).is_empty();
        let found = self.cluster.alive().find(has).map(|node| node.name().to_owned());
        found.ok_or_else(|| format!("no node has {address}"))
    }

    /// The node where the unit runs.
    fn owner_of_unit(&self) -> Result<String, String> {
        let runs = |node: &&Node| !self.witness.servers(node.name(), UNIT.1).is_empty();
        let found = self.cluster.alive().find(runs).map(|node| node.name().to_owned());
        found.ok_or_else(|| "the unit runs nowhere".to_owned())
    }

    fn node(&self, name: &str) -> Result<&Node, String> {
        let number = node_number(name).ok_or("no node")?;
        let node = self.cluster.node(number);
        if node.is_up() { Ok(node) } else { Err(format!("{name} has no power")) }
    }

    fn servers(&self, node: &str, service: &Service) -> Result<Vec<Server>, String> {
        let found = self.witness.servers(node, service.program);
        if found.is_empty() {
            Err(format!("no {} runs on {node}", service.program))
        } else {
            Ok(found)
        }
    }

    /// What must go on all the time: orders that are over, fences, machines that boot again.
    pub fn tick(&mut self) {
        self.orders.retain_mut(|(deadline, child)| {
            if Instant::now() > *deadline {
                let _ = child.kill();
            }
            matches!(child.try_wait(), Ok(None))
        });
        let wanted: Vec<(String, std::path::PathBuf)> = self
            .cluster
            .alive()
            .flat_map(|node| {
                std::fs::read_dir(node.outside(FENCES)).into_iter().flatten().flatten()
            })
            .filter_map(|entry| {
                let name = entry.file_name().to_str()?.strip_suffix(".wanted")?.to_owned();
                Some((name, entry.path()))
            })
            .collect();
        for (name, request) in wanted {
            let Some(number) = node_number(&name).filter(|number| *number <= NODES) else {
                continue;
            };
            self.report(usize::MAX, Deed::Fenced, &name, &name, true, Ok(String::new()));
            self.cut(number);
            self.reviving.push((Instant::now() + REBOOT, number));
            let _ = std::fs::remove_file(request);
        }
        while let Some(at) = self.reviving.iter().position(|(due, _)| *due <= Instant::now()) {
            let (_, number) = self.reviving.remove(at);
            self.revive(number);
            let name = node_name(number);
            self.report(usize::MAX, Deed::Fenced, &name, &name, false, Ok(String::new()));
        }
    }

    /// Whether a command was given a moment ago, and has not ended: one that waits for the answer
    /// of a controller that was killed waits much longer.
    #[must_use]
    pub fn is_ordering(&self) -> bool {
        let recent = Instant::now() + PATIENCE - RECENT;
        self.orders.iter().any(|(deadline, _)| *deadline > recent)
    }

    /// Whether a machine is still to boot.
    #[must_use]
    pub fn is_reviving(&self) -> bool {
        !self.reviving.is_empty()
    }

    fn cut(&mut self, number: usize) {
        if self.cluster.node(number).is_up() {
            self.witness.remove(&node_name(number));
            self.strangers[number - 1] = None;
            self.cluster.kill(number);
        }
    }

    fn revive(&mut self, number: usize) {
        if self.cluster.node(number).is_up() {
            return;
        }
        self.cluster.power(number);
        scene::power_on(self.cluster.node(number));
        self.settle(number);
        self.cluster.boot(number);
    }

    fn report(
        &self,
        step: usize,
        deed: Deed,
        target: &str,
        node: &str,
        begins: bool,
        done: Result<String, String>,
    ) {
        let idle = done.is_err();
        self.recorder.note(Event::Deed {
            episode: self.episode,
            step,
            deed,
            target: target.to_owned(),
            node: node.to_owned(),
            begins,
            note: done.unwrap_or_else(|why| why),
            idle,
        });
    }

    /// Does a step. Whether it has an end that must come.
    pub fn begin(&mut self, index: usize, step: &Step) -> bool {
        let service = service_of(&step.target);
        let address = address_of(&step.target).or(service.map(|it| it.addresses[0].1));
        let node = match address {
            Some(address) => self.owner(address),
            None if step.target == UNIT.0 => self.owner_of_unit(),
            None => Ok(step.target.clone()),
        };
        // Noted first: its consequences may come before it is done.
        let place = node.as_deref().unwrap_or_default().to_owned();
        self.report(index, step.deed, &step.target, &place, true, Ok(String::new()));
        if step.deed.parts() {
            self.apart.push(step.target.clone());
        }
        let done = node.and_then(|node| self.inflict(step, &node, service));
        let lasts = matches!(done, Ok(true));
        if !lasts {
            self.report(index, step.deed, &step.target, &place, false, done.map(|_| String::new()));
        }
        lasts
    }
}

/// Sends a signal to a process of a node, if it is still there.
fn signal(pid: i32, number: libc::c_int) {
    assert!(pid > 1, "refusing to signal process {pid}");
    // SAFETY: plain system call.
    unsafe { libc::kill(pid, number) };
}
