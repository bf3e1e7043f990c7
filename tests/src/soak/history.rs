//! What was recorded: one JSON object a line, the plan first.
//!
//! Times are seconds since the run's beginning. Each line is written when it is known, so that a
//! run that was interrupted has its history, too.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::deed::Deed;
use super::plan::Plan;

/// One call of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Where.
    pub node: String,
    /// The resource, without a clone's number.
    pub resource: String,
    /// Such as `start`.
    pub action: String,
    /// Milliseconds between two runs; 0 for all but recurring monitors.
    pub interval: u64,
    /// The process.
    pub pid: i32,
    /// When it began.
    pub began: f64,
    /// When Pacemaker noticed its end; nothing when it never did, as after a cut of power.
    pub ended: Option<f64>,
    /// Exit code; nothing after a signal.
    pub code: Option<i32>,
    /// The reason that Pacemaker kept, or empty.
    pub reason: String,
    /// All of its standard error that Pacemaker logged.
    pub said: String,
    /// Pacemaker ended it, because its time was over.
    pub timed_out: bool,
    /// When Pacemaker killed it, because it was not wanted any more.
    #[serde(default)]
    pub cancelled: Option<f64>,
}

/// A process that sleeps as a waiting monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiter {
    /// The process.
    pub pid: i32,
    /// Its open file descriptors.
    pub descriptors: usize,
    /// Its memory in KiB.
    pub memory: u64,
}

/// Something that was seen or done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The first line.
    Plan {
        /// What is to be done.
        plan: Plan,
    },
    /// An episode begins; its number counts from 0.
    Episode {
        /// Its number.
        number: usize,
    },
    /// A deed began or ended.
    Deed {
        /// The episode.
        episode: usize,
        /// The step in it; a fence has the number of steps.
        step: usize,
        /// What.
        deed: Deed,
        /// The service, resource or node, as planned.
        target: String,
        /// Where it was done, or empty.
        node: String,
        /// It began, or ended.
        begins: bool,
        /// What was done in words; why not, if it could not be done.
        note: String,
        /// At its end: it could not be done at all.
        idle: bool,
    },
    /// All deeds are over and undone.
    Mended {
        /// The episode.
        number: usize,
    },
    /// Everything that can run runs, and clients are served.
    Calm {
        /// The episode; nothing at the beginning of the run.
        number: Option<usize>,
    },
    /// It did not get so in time.
    Restless {
        /// The episode.
        number: usize,
        /// How the cluster is.
        view: String,
    },
    /// The kernel says that an address came or went.
    Address {
        /// Where.
        node: String,
        /// Which.
        address: String,
        /// It came.
        there: bool,
    },
    /// The processes of a program on a node, strangers' left out: how many run, how many of them
    /// are stopped by a signal.
    Processes {
        /// Where.
        node: String,
        /// Such as `nginx`.
        program: String,
        /// How many.
        count: usize,
        /// How many of them are stopped.
        stopped: usize,
    },
    /// Whether something on a node listens at a port.
    Port {
        /// Where.
        node: String,
        /// Which.
        port: u16,
        /// It does.
        there: bool,
    },
    /// Who answered a question for the Ethernet address of an address; several are several nodes.
    Answer {
        /// Which address.
        address: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// Requests of a client that ended alike, one after the other.
    Requests {
        /// The service.
        service: String,
        /// The address.
        address: String,
        /// When the last one of them was sent; the first one was sent at the event's time.
        until: f64,
        /// How many.
        count: usize,
        /// The page, or nothing.
        page: Option<String>,
        /// Why there was none, or empty.
        error: String,
    },
    /// A call of an agent.
    Call(Call),
    /// The cluster's own view has changed: where each resource is.
    View {
        /// In a line.
        view: String,
    },
    /// A node lost its power, or has it again.
    Power {
        /// Where.
        node: String,
        /// It has power.
        on: bool,
    },
    /// Something of others was changed.
    Stranger {
        /// Where.
        node: String,
        /// What.
        what: String,
    },
    /// The machine did not let the run go on for so many seconds, which end now.
    Stall {
        /// How long.
        seconds: f64,
    },
    /// What there is on a node when all is calm.
    Sample {
        /// Where.
        node: String,
        /// The files in the agents' state directory.
        files: Vec<String>,
        /// The monitors that wait.
        waiters: Vec<Waiter>,
        /// Lines in the agents' own log.
        lines: u64,
    },
    /// Something to know.
    Note {
        /// What.
        text: String,
    },
}

/// An event and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since the beginning.
    pub t: f64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Where a run writes. Shared by the witnesses.
#[derive(Debug)]
pub struct Recorder {
    began: SystemTime,
    file: Mutex<std::fs::File>,
    all: Mutex<Vec<Entry>>,
}

impl Recorder {
    /// Makes the file, with the plan in it.
    pub fn create(path: &Path, plan: &Plan) -> std::io::Result<Recorder> {
        let file = std::fs::File::create(path)?;
        let recorder = Recorder {
            began: SystemTime::now(),
            file: Mutex::new(file),
            all: Mutex::new(Vec::new()),
        };
        recorder.note(Event::Plan { plan: plan.clone() });
        Ok(recorder)
    }

    /// A moment as seconds since the beginning.
    #[must_use]
    pub fn seconds(&self, at: SystemTime) -> f64 {
        match at.duration_since(self.began) {
            Ok(after) => after.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        }
    }

    /// When the run began.
    #[must_use]
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// Records what happens now.
    pub fn note(&self, event: Event) {
        self.note_at(self.seconds(SystemTime::now()), event);
    }

    /// Records what happened at a time. A full disk is no reason to end the run: what is in memory
    /// is judged.
    pub fn note_at(&self, t: f64, event: Event) {
        let entry = Entry { t: (t * 1e4).round() / 1e4, event };
        if let Ok(mut line) = serde_json::to_string(&entry) {
            line.push('\n');
            let _ =
                self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
        }
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// All until now, in the order of their times.
    #[must_use]
    pub fn history(&self) -> History {
        History::of(self.all.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// A record, in the order of its times.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// All of it.
    pub entries: Vec<Entry>,
}

impl History {
    /// A record made of entries in any order.
    #[must_use]
    pub fn of(mut entries: Vec<Entry>) -> History {
        entries.sort_by(|a, b| a.t.total_cmp(&b.t));
        History { entries }
    }

    /// Reads a file; a last line that was not finished is left out.
    pub fn read(path: &Path) -> std::io::Result<History> {
        let lines = BufReader::new(std::fs::File::open(path)?).lines();
        let mut entries = Vec::new();
        for line in lines {
            entries.extend(serde_json::from_str(&line?).ok());
        }
        Ok(History::of(entries))
    }

    /// The plan, if it has its first line.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.entries.iter().find_map(|entry| match &entry.event {
            Event::Plan { plan } => Some(plan),
            _ => None,
        })
    }

    /// The plan with the episodes that were begun: what a replay does.
    #[must_use]
    pub fn done(&self) -> Option<Plan> {
        let mut plan = self.plan()?.clone();
        let begun =
            self.entries.iter().filter(|it| matches!(it.event, Event::Episode { .. })).count();
        plan.episodes.truncate(begun);
        Some(plan)
    }

    /// The calls, in the order of their beginnings.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Call(call) => Some(call),
            _ => None,
        })
    }

    /// From the moment at which Pacemaker killed a call in vain until that ended by itself: a
    /// process that has just begun has no process group yet. Whatever is to be done to the resource
    /// waits for it, and all that comes after that.
    pub fn outlived(&self) -> impl Iterator<Item = (f64, f64)> {
        self.calls()
            .filter(|it| it.code.is_some())
            .filter_map(|it| Some((it.cancelled?, it.ended?)))
    }

    /// When a node lost its power.
    #[must_use]
    pub fn cuts(&self, name: &str) -> Vec<f64> {
        let cut = self.entries.iter().filter(
            |entry| matches!(&entry.event, Event::Power { node, on: false } if node == name),
        );
        cut.map(|entry| entry.t).collect()
    }

    /// The time of the last entry.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.entries.last().map_or(0.0, |entry| entry.t)
    }

    /// The episode that a moment is in; between two, the one before.
    #[must_use]
    pub fn episode_at(&self, t: f64) -> Option<usize> {
        let begun = self.entries.iter().take_while(|entry| entry.t <= t);
        begun
            .filter_map(|entry| match entry.event {
                Event::Episode { number } => Some(number),
                _ => None,
            })
            .last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_as_it_was_written_but_for_half_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.jsonl");
        let plan = Plan::of(5, 60, "native");
        let recorder = Recorder::create(&path, &plan).unwrap();
        recorder.note_at(2.0, Event::Episode { number: 0 });
        let address = Event::Address { node: "node1".into(), address: "a".into(), there: true };
        recorder.note_at(1.0, address);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"t\":3.0,\"ki")
            .unwrap();
        let read = History::read(&path).unwrap();
        assert_eq!(read.entries, recorder.history().entries);
        assert_eq!(read.plan(), Some(&plan));
        assert_eq!(read.done().unwrap().episodes, plan.episodes[..1]);
        assert_eq!((read.episode_at(1.5), read.episode_at(2.5)), (None, Some(0)));
    }
}
