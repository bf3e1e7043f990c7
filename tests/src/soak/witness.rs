//! What looks at the nodes without asking the agents, ten times a second, and records what changed:
//! processes and ports as `/proc` shows them, the kernel's news of addresses, and the clients'
//! requests.

mod clients;
mod log;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::arp::Asker;
use super::history::{Event, Recorder};
use super::{CLONED, PROGRAMS, SERVICES};
use clients::Reader;
use log::Log;

use crate::cluster::census::{Stat, network_of, stat};
use crate::cluster::{Cluster, Node};
use crate::visitor::{Request, Visitor};
use crate::watch::AddressWatch;

/// Between two looks.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// Between two requests of a client.
const PACE: Duration = Duration::from_millis(50);

/// A look that comes so much later than it should is a stall: the machine does not let us run.
pub(super) const STALL: Duration = Duration::from_millis(400);

/// One node, as it is looked at.
#[derive(Debug)]
struct Eye {
    name: String,
    init: i32,
    network: u64,
    watch: AddressWatch,
    read: usize,
    strangers: BTreeSet<i32>,
    /// All of the strangers' processes, once they are known, with the moments of their beginning.
    company: Option<BTreeSet<(i32, u64)>>,
    seen: BTreeMap<&'static str, (BTreeSet<i32>, usize)>,
    ports: BTreeMap<u16, BTreeSet<u64>>,
    six: BTreeMap<Ipv6Addr, bool>,
    log: Log,
}

/// A process of a server.
#[derive(Debug, Clone)]
pub struct Server {
    /// By its number outside.
    pub pid: i32,
    /// Its parent is no process of the same program.
    pub is_master: bool,
}

/// All that looks. Dropping it ends it.
#[derive(Debug)]
pub struct Witness {
    eyes: Arc<Mutex<Vec<Eye>>>,
    visitors: Vec<(&'static str, &'static str, Arc<Visitor>)>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    recorder: Arc<Recorder>,
    _asker: Asker,
}

impl Witness {
    /// Begins to look at the cluster's client and, once they are added, at its nodes.
    #[must_use]
    pub fn of(cluster: &Cluster, recorder: &Arc<Recorder>) -> Witness {
        let all = SERVICES.iter().flat_map(|it| it.addresses.iter().map(move |one| (it, one.1)));
        let visitors: Vec<_> = all
            .map(|(service, address)| {
                let site = SocketAddr::new(address.parse().expect("an address"), service.port);
                let visitor = Arc::new(Visitor::every(PACE, &cluster.client, site));
                (service.name, address, visitor)
            })
            .collect();
        let eyes: Arc<Mutex<Vec<Eye>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let work = {
            let (eyes, over) = (Arc::clone(&eyes), Arc::clone(&over));
            let (recorder, visitors) = (Arc::clone(recorder), visitors.clone());
            move || look(&eyes, &visitors, &over, &recorder)
        };
        Witness {
            eyes,
            visitors,
            over,
            thread: Some(std::thread::spawn(work)),
            recorder: Arc::clone(recorder),
            _asker: Asker::on(&cluster.client, recorder),
        }
    }

    /// Begins to look at a node that has just begun, with these processes of strangers.
    pub fn add(&self, node: &Node, strangers: BTreeSet<i32>) {
        let eye = Eye {
            name: node.name().to_owned(),
            init: node.pid(),
            network: network_of(node.pid()),
            watch: AddressWatch::on(node),
            read: 0,
            strangers,
            company: None,
            seen: BTreeMap::new(),
            ports: BTreeMap::new(),
            six: BTreeMap::new(),
            log: Log::of(node),
        };
        self.recorder.note(Event::Power { node: eye.name.clone(), on: true });
        self.eyes.lock().unwrap_or_else(PoisonError::into_inner).push(eye);
    }

    /// A node is about to lose its power: whatever goes now is no news.
    pub fn remove(&self, node: &str) {
        let mut eyes = self.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        eyes.retain(|eye| eye.name != node);
        self.recorder.note(Event::Power { node: node.to_owned(), on: false });
    }

    /// The processes of a program on a node, without strangers'.
    #[must_use]
    pub fn servers(&self, node: &str, program: &str) -> Vec<Server> {
        let eyes = self.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(eye) = eyes.iter().find(|eye| eye.name == node) else { return Vec::new() };
        let all = census(&[eye.network]);
        all.iter()
            .filter(|(pid, it)| {
                it.stat.name == program && !is_stranger(&all, **pid, &eye.strangers)
            })
            .map(|(pid, it)| Server {
                pid: *pid,
                is_master: all
                    .get(&it.stat.parent)
                    .is_none_or(|parent| parent.stat.name != program),
            })
            .collect()
    }

    /// How many lines the agents have written into a node's log since its boot.
    #[must_use]
    pub fn log_lines(&self, node: &str) -> u64 {
        let eyes = self.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        eyes.iter().find(|eye| eye.name == node).map_or(0, |eye| eye.log.lines())
    }

    /// Whether each client's requests since a moment went well, and the last one before it.
    #[must_use]
    pub fn is_served(&self, since: SystemTime) -> bool {
        self.visitors.iter().all(|(_, _, visitor)| {
            let from = since - Duration::from_secs(1);
            let over: Vec<Request> =
                visitor.since(from).into_iter().filter(|it| it.ended.is_some()).collect();
            let first = over.partition_point(|it| it.sent < since).saturating_sub(1);
            !over.is_empty() && over[first..].iter().all(|it| it.said.is_ok())
        })
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A process of one of the networks.
struct Process {
    network: u64,
    stat: Stat,
}

/// The processes that matter: those of the servers' programs and their parents.
fn census(networks: &[u64]) -> BTreeMap<i32, Process> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found = BTreeMap::new();
    for pid in pids {
        // The name alone costs a fraction of all the rest, and there are hundreds of processes.
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if !PROGRAMS.contains(&name.trim_end()) {
            continue;
        }
        let Some(stat) = stat(pid).filter(|stat| stat.state != "Z") else { continue };
        let network = network_of(pid);
        if networks.contains(&network) {
            found.insert(pid, Process { network, stat });
        }
    }
    found
}

/// Whether a process is one of these roots, or below one.
fn is_stranger(all: &BTreeMap<i32, Process>, pid: i32, roots: &BTreeSet<i32>) -> bool {
    let mut next = Some(pid);
    while let Some(pid) = next {
        if roots.contains(&pid) {
            return true;
        }
        next = all.get(&pid).map(|it| it.stat.parent);
    }
    false
}

fn look(
    eyes: &Mutex<Vec<Eye>>,
    visitors: &[(&'static str, &'static str, Arc<Visitor>)],
    over: &AtomicBool,
    recorder: &Recorder,
) {
    let mut readers: Vec<Reader> =
        visitors.iter().map(|_| Reader::from(recorder.began())).collect();
    let mut last = (Instant::now(), SystemTime::now());
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(INTERVAL.saturating_sub(last.0.elapsed()));
        let late = last.0.elapsed().saturating_sub(INTERVAL);
        if late >= STALL {
            recorder.note(Event::Stall { seconds: late.as_secs_f64() });
        }
        let before = last.1;
        last = (Instant::now(), SystemTime::now());
        {
            let mut eyes = eyes.lock().unwrap_or_else(PoisonError::into_inner);
            let networks: Vec<u64> = eyes.iter().map(|eye| eye.network).collect();
            let all = census(&networks);
            for eye in eyes.iter_mut() {
                eye.processes(&all, before, recorder);
                eye.ports(before, recorder);
                eye.addresses(recorder);
            }
        }
        for ((service, address, visitor), reader) in visitors.iter().zip(&mut readers) {
            reader.read(service, address, visitor, recorder, false);
        }
    }
    // Those under way are over by then.
    std::thread::sleep(Duration::from_secs(1));
    for ((service, address, visitor), reader) in visitors.iter().zip(&mut readers) {
        reader.read(service, address, visitor, recorder, true);
    }
}

impl Eye {
    fn processes(&mut self, all: &BTreeMap<i32, Process>, before: SystemTime, recorder: &Recorder) {
        let own: BTreeMap<&i32, &Process> =
            all.iter().filter(|(_, it)| it.network == self.network).collect();
        let strange = |pid: i32| is_stranger(all, pid, &self.strangers);
        let company: BTreeSet<(i32, u64)> = own
            .iter()
            .filter(|(pid, _)| strange(***pid))
            .map(|(pid, it)| (**pid, it.stat.began))
            .collect();
        if let Some(known) = &self.company {
            for (pid, _) in known.difference(&company) {
                let what = format!("the process {pid} of a stranger is gone");
                recorder.note(Event::Stranger { node: self.name.clone(), what });
            }
        }
        self.company = Some(company);
        for program in PROGRAMS {
            let of = own.iter().filter(|(pid, it)| it.stat.name == program && !strange(***pid));
            let of: Vec<_> = of.collect();
            let pids: BTreeSet<i32> = of.iter().map(|(pid, _)| ***pid).collect();
            let stopped = of.iter().filter(|(_, it)| it.stat.state == "T").count();
            let known = self.seen.get(program);
            if known.is_some_and(|(seen, frozen)| *seen == pids && *frozen == stopped) {
                continue;
            }
            let event = |count, stopped| Event::Processes {
                node: self.name.clone(),
                program: program.to_owned(),
                count,
                stopped,
            };
            // Others than before: between two looks there was a moment without any.
            let renewed = known.is_some_and(|(seen, _)| {
                !seen.is_empty() && !pids.is_empty() && seen.is_disjoint(&pids)
            });
            if renewed {
                recorder.note_at(recorder.seconds(before) + 0.0005, event(0, 0));
            }
            recorder.note(event(pids.len(), stopped));
            self.seen.insert(program, (pids, stopped));
        }
    }

    fn ports(&mut self, before: SystemTime, recorder: &Recorder) {
        let listening = listening(self.init);
        for port in SERVICES.map(|it| it.port) {
            let sockets = listening.get(&port).cloned().unwrap_or_default();
            let known = self.ports.insert(port, sockets.clone());
            let event = |there| Event::Port { node: self.name.clone(), port, there };
            let (had, has) = (known.as_ref().is_some_and(|it| !it.is_empty()), !sockets.is_empty());
            // Others than before: between two looks there was a moment without any.
            if had && has && known.as_ref().is_some_and(|known| known.is_disjoint(&sockets)) {
                recorder.note_at(recorder.seconds(before) + 0.0005, event(false));
                recorder.note(event(true));
            } else if had != has || known.is_none() {
                recorder.note(event(has));
            }
        }
    }

    fn addresses(&mut self, recorder: &Recorder) {
        let changes = self.watch.changes();
        for change in &changes[self.read..] {
            let address = change.address.to_string();
            let ours = SERVICES.iter().flat_map(|it| it.addresses).chain([&CLONED]);
            if !ours.into_iter().any(|(_, one)| *one == address) {
                continue;
            }
            if let IpAddr::V6(six) = change.address {
                // The kernel announces an IPv6 address only when it has found no other that has it.
                if change.added || self.six.insert(six, false) == Some(false) {
                    continue;
                }
            }
            let event = Event::Address { node: self.name.clone(), address, there: change.added };
            recorder.note_at(recorder.seconds(change.at), event);
        }
        self.read = changes.len();
        let table = format!("/proc/{}/net/if_inet6", self.init);
        let table = std::fs::read_to_string(table).unwrap_or_default();
        let now: BTreeSet<Ipv6Addr> = table.lines().filter_map(six).collect();
        for address in SERVICES.iter().flat_map(|it| it.addresses).map(|(_, address)| *address) {
            let Ok(six) = address.parse::<Ipv6Addr>() else { continue };
            let there = now.contains(&six);
            if self.six.insert(six, there).unwrap_or_default() != there {
                let address = address.to_owned();
                recorder.note(Event::Address { node: self.name.clone(), address, there });
            }
        }
    }
}

/// The address of a line of `/proc/net/if_inet6`.
fn six(line: &str) -> Option<Ipv6Addr> {
    let bits = line.split_whitespace().next()?;
    Some(Ipv6Addr::from_bits(u128::from_str_radix(bits, 16).ok()?))
}

/// The ports at which something listens in the network of a process, and the sockets.
fn listening(pid: i32) -> BTreeMap<u16, BTreeSet<u64>> {
    let mut ports: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
    for table in ["tcp", "tcp6"] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for (port, socket) in text.lines().filter_map(listener) {
            ports.entry(port).or_default().insert(socket);
        }
    }
    ports
}

/// The port and the number of the socket, if a line of `/proc/net/tcp` is about one that listens.
fn listener(line: &str) -> Option<(u16, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = words.get(1)?.rsplit_once(':')?;
    let found = (u16::from_str_radix(port, 16).ok()?, words.get(9)?.parse().ok()?);
    (words[3] == "0A").then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_addresses_are_found_in_the_kernels_tables() {
        let line = "   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
                        0        0 4711 1 0";
        assert_eq!(listener(line), Some((8000, 4711)));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st"), None);
        let line = "20010db8000900000000000000000050 02 40 00 80     eth0";
        assert_eq!(six(line).map(|it| it.to_string()).as_deref(), Some("2001:db8:9::50"));
    }
}
