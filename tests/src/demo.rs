//! A virtual address that moves between two machines, and what a client notices of it.
//!
//! The content of `make demo`, also run by a test. Machine 1 and 2 of a [`Lan`] take turns; number 3 is the client. Both
//! families move at the same time, each on a thread of its own.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::capture::{Capture, announces};
use crate::frame::Mac;
use crate::outcome::Outcome;
use crate::probe::{Outage, Probe, Prober};
use crate::process::wait_until;
use crate::rig::{VIP4, VIP6, mac_of};
use crate::watch::NeighbourWatch;
use crate::{Agent, Host, Lan, agent};

/// Where Debian and others install the shell agents.
pub const SHELL_AGENTS: &str = "/usr/lib/ocf/resource.d/heartbeat";

/// Between two questions of the client.
pub const INTERVAL: Duration = Duration::from_millis(10);

/// Until the client must have noticed a move.
const NOTICE: Duration = Duration::from_secs(5);

/// Whose agent moves the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The built one.
    Native,
    /// The shell agent that is installed here.
    Shell,
}

impl fmt::Display for Whose {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Whose::Native => "native",
            Whose::Shell => "shell",
        })
    }
}

/// What one move of one address came to.
#[derive(Debug, Clone)]
pub struct Move {
    /// Whose agent it was.
    pub whose: Whose,
    /// The address.
    pub address: IpAddr,
    /// Which move, from 1.
    pub number: usize,
    /// From this machine, 1 or 2.
    pub from: usize,
    /// To that one.
    pub to: usize,
    /// How long stop took, on the old machine.
    pub stop: Duration,
    /// How long start took, on the new one.
    pub start: Duration,
    /// From the call of start on the new machine until the client heard the first announcement.
    pub announced: Option<Duration>,
    /// From the same call until the client's neighbour cache named the new machine.
    pub followed: Option<Duration>,
    /// What the client's neighbour cache names at the end.
    pub client_has: Option<Mac>,
    /// What the client saw of the address.
    pub outage: Outage,
    /// Its questions around the move: `!` answered, `.` lost.
    pub strip: String,
    /// What went wrong, if anything.
    pub failure: Option<String>,
}

impl Move {
    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        json!({
            "agent": self.whose.to_string(), "address": self.address.to_string(), "move": self.number,
            "from": format!("node{}", self.from), "to": format!("node{}", self.to),
            "stop_ms": ms(self.stop), "start_ms": ms(self.start), "announced_ms": self.announced.map(ms),
            "client_followed_ms": self.followed.map(ms), "client_has": self.client_has.map(|mac| mac.to_string()),
            "probes": self.outage.sent, "lost": self.outage.lost, "longest_gap_ms": ms(self.outage.longest_gap),
            "failure": self.failure,
        })
    }
}

/// Two machines, a client, and one address of each family.
#[derive(Debug)]
pub struct Stage {
    lan: Lan,
    whose: Whose,
    sides: [Side; 2],
}

/// One address as the client sees it.
#[derive(Debug)]
struct Side {
    address: IpAddr,
    /// Which machine has it.
    owner: usize,
    moves: usize,
    prober: Option<Prober>,
}

impl Stage {
    /// Builds the network and starts both addresses on machine 1.
    pub fn set(whose: Whose) -> Result<Stage, String> {
        let side = |address: &str| address.parse().map(|address| Side { address, owner: 1, moves: 0, prober: None });
        let sides =
            [side(VIP4), side(VIP6)].map(|side| side.map_err(|error: std::net::AddrParseError| error.to_string()));
        let [four, six] = sides;
        let mut stage = Stage { lan: Lan::new(3), whose, sides: [four?, six?] };
        let client = &stage.lan.hosts[2];
        let lan = &stage.lan;
        // As on any machine that has been up for two seconds: a node asks for its neighbours from its link-local address.
        let settled = |host: &Host| host.ip("-6 address show tentative").trim().is_empty();
        wait_until(NOTICE, || lan.hosts.iter().all(settled).then_some(()));
        std::thread::scope(|scope| {
            let start = |side: &Side| succeeded(&mover(lan, whose, side.address, 1).start());
            let threads = stage.sides.each_ref().map(|side| scope.spawn(move || start(side)));
            threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|it| std::panic::resume_unwind(it)))
        })?;
        for side in &mut stage.sides {
            side.prober = Some(Prober::on(client, side.address, INTERVAL));
        }
        // The client must know where both are before they move.
        let began = SystemTime::now();
        let known = wait_until(NOTICE, || stage.sides.iter().all(|side| side.answers_since(began)).then_some(()));
        known.map(|()| stage).ok_or_else(|| "the client gets no answer from the addresses on node1".to_owned())
    }

    /// Moves both addresses to the other machine, and tells of each as soon as the client talks with it there.
    pub fn swap<E>(&mut self, mut told: impl FnMut(Move) -> Result<(), E>) -> Result<(), E> {
        let (lan, whose) = (&self.lan, self.whose);
        let (done, moves) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for side in &mut self.sides {
                let done = done.clone();
                // Nobody listens any more when telling failed.
                scope.spawn(move || done.send(side.go(lan, whose)).is_ok());
            }
            drop(done);
            moves.iter().try_for_each(&mut told)
        })
    }
}

/// The agent that has the address on a machine.
fn mover(lan: &Lan, whose: Whose, address: IpAddr, machine: usize) -> Agent<'_> {
    let instance = if address.is_ipv6() { "vip6" } else { "vip4" };
    let mover = agent(&lan.hosts[machine - 1], "IPaddr2").instance(instance).param("ip", &address.to_string());
    match whose {
        // Serves while the kernel looks for a second owner; the shell agent has no such choice.
        Whose::Native if address.is_ipv6() => mover.param("dad", "optimistic"),
        Whose::Native => mover,
        Whose::Shell => mover.peer(SHELL_AGENTS),
    }
}

fn succeeded(outcome: &Outcome) -> Result<(), String> {
    match (outcome.code, &outcome.reason) {
        (0, _) => Ok(()),
        (code, Some(reason)) => Err(format!("exit code {code}: {reason}")),
        (code, None) => Err(format!("exit code {code}: {}", outcome.stderr.trim())),
    }
}

impl Side {
    fn answers_since(&self, moment: SystemTime) -> bool {
        self.prober.as_ref().is_some_and(|prober| prober.answered_since(moment))
    }

    fn go(&mut self, lan: &Lan, whose: Whose) -> Move {
        let (address, from, to) = (self.address, self.owner, 3 - self.owner);
        let client = &lan.hosts[2];
        let cache = NeighbourWatch::on(client);
        let mut capture = Capture::on(client, "eth0");
        let began = SystemTime::now();
        let stop = mover(lan, whose, address, from).stop();
        let called = SystemTime::now();
        let start = mover(lan, whose, address, to).start();
        let ended = SystemTime::now();
        (self.owner, self.moves) = (to, self.moves + 1);
        let wanted: Option<Mac> = mac_of(to).parse().ok();
        let follows = |cache: &NeighbourWatch| cache.about(address).into_iter().find(|news| news.mac == wanted);
        let noticed = wait_until(NOTICE, || (self.answers_since(ended) && follows(&cache).is_some()).then_some(()));
        // The last questions may have their answers yet to come.
        let window = SystemTime::now();
        wait_until(INTERVAL * 3, || None::<()>);
        let since = |at: SystemTime| Some(at.duration_since(called).unwrap_or_default());
        let announced =
            capture.heard().iter().find(|heard| announces(&heard.frame, address) && Some(heard.from) == wanted);
        let announced = announced.and_then(|heard| since(heard.at));
        let followed = follows(&cache).and_then(|news| since(news.at));
        let probes = self.prober.as_ref().map(Prober::probes).unwrap_or_default();
        let margin = began - INTERVAL * 5;
        let failure = match (succeeded(&stop), succeeded(&start), noticed) {
            (Err(why), _, _) => Some(format!("stop on node{from}: {why}")),
            (_, Err(why), _) => Some(format!("start on node{to}: {why}")),
            (_, _, None) => Some(format!("the client did not follow to node{to}")),
            _ => None,
        };
        Move {
            whose,
            address,
            number: self.moves,
            from,
            to,
            stop: stop.elapsed,
            start: start.elapsed,
            announced,
            followed,
            client_has: cache.about(address).last().and_then(|news| news.mac),
            outage: Outage::between(&probes, margin, window),
            strip: strip(&probes, margin, window),
            failure,
        }
    }
}

/// The questions between two moments, one character each; what is long is shortened.
fn strip(probes: &[Probe], from: SystemTime, to: SystemTime) -> String {
    const LONG: usize = 40;
    let inside = probes.iter().filter(|probe| probe.sent >= from && probe.sent <= to);
    let all: String = inside.map(|probe| if probe.answered.is_some() { '!' } else { '.' }).collect();
    let (Some(first), Some(last)) = (all.find('.'), all.rfind('.')) else {
        return all[..all.len().min(LONG)].to_owned();
    };
    let (before, lost, after) = (&all[..first], &all[first..=last], &all[last + 1..]);
    let before = &before[before.len().saturating_sub(LONG / 2)..];
    let after = &after[..after.len().min(LONG / 4)];
    match lost.len() > LONG {
        true => format!("{before}... {} lost ...{after}", lost.matches('.').count()),
        false => format!("{before}{lost}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_outage_is_shortened() {
        let at = |ms| std::time::UNIX_EPOCH + Duration::from_millis(ms);
        let probe = |n: u64| Probe { sent: at(n * 10), answered: (!(5..100).contains(&n)).then(|| at(n * 10 + 1)) };
        let probes: Vec<Probe> = (0..105).map(probe).collect();
        assert_eq!(strip(&probes, at(0), at(10_000)), "!!!!!... 95 lost ...!!!!!");
        assert_eq!(strip(&probes[..7], at(0), at(10_000)), "!!!!!..");
    }
}
