//! The programme of a run: episode after episode, until the time is over; then the judgement.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::act::Actor;
use super::calls;
use super::history::{Event, History, Recorder};
use super::judge::{Violation, judge};
use super::plan::{Episode, Plan};
use super::{NODES, node_name};

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(50);

/// Between two looks at the cluster's own view.
const VIEW: Duration = Duration::from_secs(1);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// All that was recorded.
    pub history: History,
    /// The rules that were broken.
    pub violations: Vec<Violation>,
    /// Seconds with faults in them.
    pub seconds: f64,
}

/// Carries a plan out on a cluster of its own; `say` gets a line for each episode.
pub fn run(
    plan: &Plan,
    disks: &Path,
    file: &Path,
    mut say: impl FnMut(&str),
) -> std::io::Result<Outcome> {
    let recorder = Arc::new(Recorder::create(file, plan)?);
    let mut actor = Actor::of(plan, disks, &recorder);
    let mut well = actor.wait_calm(None);
    let began = Instant::now();
    let limit = Duration::from_secs(plan.seconds);
    for (number, episode) in plan.episodes.iter().enumerate() {
        if !well || began.elapsed() >= limit {
            break;
        }
        let deeds: Vec<String> = episode
            .steps
            .iter()
            .map(|step| format!("{} {}", step.deed, step.target).trim().to_owned())
            .collect();
        say(&format!(
            "{:4.0} s  episode {number}: {}",
            began.elapsed().as_secs_f64(),
            deeds.join("; ")
        ));
        well = carry_out(&mut actor, number, episode);
    }
    let seconds = began.elapsed().as_secs_f64();
    actor.finish(file);
    let history = recorder.history();
    let violations = judge(&history);
    Ok(Outcome { history, violations, seconds })
}

/// The beginnings and ends of an episode's steps, in time; then all is mended.
fn carry_out(actor: &mut Actor, number: usize, episode: &Episode) -> bool {
    actor.episode = number;
    actor.recorder.note(Event::Episode { number });
    let began = Instant::now();
    let mut view = Instant::now();
    let mut waiting: Vec<usize> = (0..episode.steps.len()).collect();
    let mut lasting: Vec<usize> = Vec::new();
    while !waiting.is_empty() || !lasting.is_empty() {
        let now = began.elapsed().as_millis() as u64;
        while let Some(at) = waiting.iter().position(|index| episode.steps[*index].at <= now) {
            let index = waiting.remove(at);
            if actor.begin(index, &episode.steps[index]) {
                lasting.push(index);
            }
        }
        let over = |index: &usize| episode.steps[*index].at + episode.steps[*index].hold <= now;
        while let Some(at) = lasting.iter().position(over) {
            let index = lasting.remove(at);
            actor.end(index, &episode.steps[index]);
        }
        actor.tick();
        if view.elapsed() >= VIEW {
            actor.view();
            view = Instant::now();
        }
        std::thread::sleep(TICK);
    }
    actor.mend()
}

impl Actor {
    /// Records the cluster's own view.
    fn view(&self) {
        if let Some(status) = self.admin().and_then(|node| node.try_status()) {
            self.recorder.note(Event::View { view: status.brief() });
        }
    }

    /// Ends the run: reads the logs, and keeps Pacemaker's beside the history; then cuts
    /// everybody's power.
    fn finish(self, file: &Path) {
        // What agents and executor still write.
        std::thread::sleep(Duration::from_millis(500));
        let recorder = Arc::clone(&self.recorder);
        for number in 1..=NODES {
            let node = self.cluster.node(number);
            let text = |path: &str| {
                let bytes = std::fs::read(node.outside(path)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (shim, log) =
                (text("/var/log/soak-calls"), text("/var/log/pacemaker/pacemaker.log"));
            let _ = std::fs::write(file.with_extension(format!("node{number}.log")), &log);
            let name = node_name(number);
            let cuts = recorder.history().cuts(&name);
            for call in calls::read(&name, &shim, &log, recorder.began(), &cuts) {
                recorder.note_at(call.began, Event::Call(call));
            }
        }
    }
}
