//! Which runs of a monitor may wait: those that the executor's timer has started.
//!
//! Each run that ends well leaves an entry with the moment of its end and its interval, and the
//! executor that it ran under. The executor starts the next run one interval after the end of the
//! last (Pacemaker, `lib/services/services_linux.c`), so a run at that moment under the same
//! executor is a rerun, and so is a later one that an executor without a pause has started. Any
//! other one is a first run. Start, stop, reload and probe remove the entries, and a run removes its
//! own before it waits.
//!
//! The same entries tell when the other monitors of the resource are due. The executor runs one
//! operation of a resource at a time, so a wait ends before that.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::failure::Failure;
use crate::invocation::Invocation;
use crate::state::{self, Pairs};
use crate::sys::process::Process;

/// How much earlier than one interval after the last run a rerun may begin: the clock of the
/// executor counts full ticks.
const EARLY: Duration = Duration::from_millis(50);

/// How much later a rerun may begin in any case, on a machine that is busy.
const LATE: Duration = Duration::from_millis(500);

/// How long before another monitor is due a wait ends.
const LEAVE: Duration = Duration::from_millis(20);

/// From a process' first moment until it looks at the clock, on an idle machine. Only then
/// has it a process group of its own, which is what the executor kills (Pacemaker,
/// `lib/services/services_linux.c` and `lib/common/mainloop.c`): one that is cancelled before lives
/// on, and all that is to be done to its resource has to wait for its end.
const PROMPT: Duration = Duration::from_millis(50);

/// The longest wait of a run that did not begin promptly, or that came late from an executor that
/// had no pause.
const BRIEF: Duration = Duration::from_secs(3);

/// A tick of the clock of `/proc/PID/stat`, in milliseconds: the same for every program on Linux.
const TICK: u64 = 10;

/// The moment and the executor of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time since the boot, with the time that the machine was suspended.
    pub at: Duration,
    /// The parent of this process.
    pub executor: Process,
    /// When this process began, in full ticks.
    pub began: Duration,
    /// How long the executor has run or waited for a processor since it began; `None` where the
    /// kernel does not count that.
    pub busy: Option<Duration>,
}

impl Now {
    /// Looks at the clock and at the parent; `None` when either cannot be known, as that of a
    /// process whose parent is outside of its PID namespace.
    #[must_use]
    pub fn look() -> Option<Self> {
        let at = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?.into();
        let executor = Process::find(nix::unistd::getppid().as_raw()).ok().flatten()?;
        let own = Process::find(nix::unistd::getpid().as_raw()).ok().flatten()?;
        let began = Duration::from_millis(own.start_time.saturating_mul(TICK));
        Some(Self { at, executor, began, busy: executor.busy() })
    }

    fn is_prompt(&self) -> bool {
        self.at.saturating_sub(self.began) < PROMPT + Duration::from_millis(TICK)
    }
}

/// The end of a monitor's last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    interval: Duration,
    end: Duration,
    /// [`Now::busy`] at the end.
    busy: Option<Duration>,
}

impl Entry {
    /// Whether the executor has had at least as much to do as it had pauses since the end of the
    /// run: hundreds of monitors every second are more than it can start.
    fn was_executor_busy(&self, now: &Now) -> bool {
        let (Some(before), Some(after)) = (self.busy, now.busy) else { return false };
        after.saturating_sub(before) >= now.at.saturating_sub(self.end) / 2
    }

    /// How late, at the most, the next run may be.
    fn latest(&self) -> Duration {
        self.end + self.interval + LATE.max(self.interval / 2)
    }
}

/// The last runs of all recurring monitors of a resource; one for each interval, by which Pacemaker
/// distinguishes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointments {
    executor: Process,
    entries: Vec<Entry>,
}

impl Appointments {
    fn none(executor: Process) -> Self {
        Self { executor, entries: Vec::new() }
    }

    /// How long a run of the monitor with this interval that begins now may wait; `None` for a
    /// first run, which may not.
    ///
    /// Only briefly may one that the executor could not kill yet, and one that may be a first run
    /// although the executor's load explains why it is late.
    #[must_use]
    pub fn patience(&self, interval: Duration, now: &Now) -> Option<Duration> {
        let last = self.entries.iter().find(|entry| entry.interval == interval)?;
        if self.executor != now.executor || now.at + EARLY <= last.end + interval {
            return None;
        }
        match now.at < last.latest() {
            true if now.is_prompt() => Some(Duration::MAX),
            true => Some(BRIEF),
            false => last.was_executor_busy(now).then_some(BRIEF),
        }
    }

    /// How long no other monitor is due.
    #[must_use]
    pub fn free(&self, now: &Now) -> Duration {
        let expected = self.entries.iter().filter(|entry| now.at < entry.latest());
        let left =
            expected.map(|entry| (entry.end + entry.interval).saturating_sub(now.at + LEAVE));
        left.min().unwrap_or(Duration::MAX)
    }

    /// Adds the end of a run.
    pub fn add(&mut self, interval: Duration, now: &Now) {
        self.remove(interval);
        self.entries.push(Entry { interval, end: now.at, busy: now.busy });
    }

    /// Removes the last run of a monitor; `false` when there was none.
    pub fn remove(&mut self, interval: Duration) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.interval != interval);
        self.entries.len() < before
    }

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let Process { pid, start_time } = self.executor;
        let mut pairs = vec![("executor", format!("{pid} {start_time}"))];
        let run = |entry: &Entry| {
            let busy = entry.busy.map_or(String::new(), |busy| format!(" {}", busy.as_millis()));
            format!("{} {}{busy}", entry.interval.as_millis(), entry.end.as_millis())
        };
        pairs.extend(self.entries.iter().map(|entry| ("run", run(entry))));
        pairs
    }

    fn from_pairs(pairs: &Pairs) -> Option<Self> {
        let mut pairs = pairs.iter();
        let (pid, start_time) =
            pairs.next().filter(|(key, _)| key == "executor")?.1.split_once(' ')?;
        let executor = Process { pid: pid.parse().ok()?, start_time: start_time.parse().ok()? };
        let entry = |(key, value): &(String, String)| {
            let mut numbers = (key == "run").then(|| value.split(' '))?;
            let ms = |text: &str| text.parse().ok().map(Duration::from_millis);
            let (interval, end) = (ms(numbers.next()?)?, ms(numbers.next()?)?);
            Some(Entry { interval, end, busy: numbers.next().and_then(ms) })
        };
        Some(Self { executor, entries: pairs.map(entry).collect::<Option<_>>()? })
    }
}

fn path(invocation: &Invocation, agent: &str) -> PathBuf {
    state::path(invocation, agent, "watch")
}

/// The entries that runs under the same executor have left.
#[must_use]
pub fn load(invocation: &Invocation, agent: &str, now: &Now) -> Appointments {
    let found =
        state::read(&path(invocation, agent)).and_then(|pairs| Appointments::from_pairs(&pairs));
    found
        .filter(|found| found.executor == now.executor)
        .unwrap_or_else(|| Appointments::none(now.executor))
}

/// Writes the entries, or removes the file when there are none.
///
/// # Errors
/// When it cannot be written.
pub fn save(invocation: &Invocation, agent: &str, all: &Appointments) -> Result<(), Failure> {
    let path = path(invocation, agent);
    if all.entries.is_empty() { state::forget(&path) } else { state::write(&path, &all.to_pairs()) }
}

/// Removes all entries.
///
/// # Errors
/// When they stay.
pub fn forget(invocation: &Invocation, agent: &str) -> Result<(), Failure> {
    state::forget(&path(invocation, agent))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTOR: Process = Process { pid: 7, start_time: 70 };

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn at(count: u64) -> Now {
        Now { at: ms(count), executor: EXECUTOR, began: ms(count), busy: None }
    }

    /// A monitor every second that ended 100 s after the boot.
    fn one() -> Appointments {
        let mut all = Appointments::none(EXECUTOR);
        all.add(ms(1_000), &at(100_000));
        all
    }

    #[test]
    fn a_rerun_begins_one_interval_after_the_last_run_under_the_same_executor() {
        let another = Process { pid: 7, start_time: 71 };
        for (interval, now, expected) in [
            (ms(1_000), at(101_000), true),
            (ms(1_000), at(100_951), true),
            (ms(1_000), at(100_950), false),
            (ms(1_000), at(101_499), true),
            (ms(1_000), at(101_500), false),
            (ms(1_000), at(100_000), false),
            (ms(1_000), at(99_000), false),
            (ms(2_000), at(101_000), false),
            (ms(1_000), Now { executor: another, ..at(101_000) }, false),
        ] {
            let found = one().patience(interval, &now).is_some();
            assert_eq!(found, expected, "{interval:?} {now:?}");
        }
        let mut slow = Appointments::none(EXECUTOR);
        slow.add(ms(10_000), &at(100_000));
        assert_eq!(slow.patience(ms(10_000), &at(114_999)), Some(Duration::MAX));
        assert_eq!(slow.patience(ms(10_000), &at(115_000)), None);
        assert_eq!(Appointments::none(EXECUTOR).patience(ms(1_000), &at(101_000)), None);
    }

    #[test]
    fn a_run_that_the_executor_could_not_kill_yet_waits_briefly() {
        let after = |count: u64| {
            one().patience(ms(1_000), &Now { began: ms(101_000), ..at(101_000 + count) }).unwrap()
        };
        assert_eq!((after(2), after(59), after(60)), (Duration::MAX, Duration::MAX, BRIEF));
        // A clock that cannot be.
        let now = Now { began: ms(200_000), ..at(101_000) };
        assert_eq!(one().patience(ms(1_000), &now), Some(Duration::MAX));
    }

    /// An executor that starts 300 runs a second, with 500 monitors of every second.
    #[test]
    fn a_late_run_waits_briefly_where_the_executor_had_no_pause() {
        let busy = |busy: u64, now: Now| Now { busy: Some(ms(busy)), ..now };
        let mut all = Appointments::none(EXECUTOR);
        all.add(ms(1_000), &busy(5_000, at(100_000)));
        for (now, expected) in [
            (busy(5_000, at(101_000)), Some(Duration::MAX)),
            (busy(5_999, at(102_000)), None),
            (busy(6_000, at(102_000)), Some(BRIEF)),
            (busy(6_600, at(101_600)), Some(BRIEF)),
            (busy(5_900, at(100_900)), None),
            (busy(4_000, at(102_000)), None),
            (at(102_000), None),
        ] {
            assert_eq!(all.patience(ms(1_000), &now), expected, "{now:?}");
        }
        assert_eq!(one().patience(ms(1_000), &busy(9_000, at(102_000))), None);
    }

    #[test]
    fn a_wait_ends_before_another_monitor_is_due() {
        let mut all = one();
        assert!(all.remove(ms(1_000)) && !all.remove(ms(1_000)));
        assert_eq!(all.free(&at(101_000)), Duration::MAX);
        all.add(ms(10_000), &at(100_000));
        all.add(ms(30_000), &at(95_000));
        for (now, expected) in [
            (101_000, ms(8_980)),
            (109_990, Duration::ZERO),
            (114_999, Duration::ZERO),
            // It never came: nothing is known of it any more.
            (115_000, ms(9_980)),
            (140_000, Duration::MAX),
        ] {
            assert_eq!(all.free(&at(now)), expected, "{now}");
        }
    }

    /// Numbers from a file must not overflow a clock.
    #[test]
    fn fuzz_any_entries_are_read_and_compared() {
        let texts = [
            "executor 7 70\nrun 1000 100000 37\nrun 10000 5\n",
            "run 18446744073709551615 18446744073709551615\n",
        ];
        crate::testing::fuzz::survives_text(&texts, |text| {
            let pair = |line: &str| {
                line.split_once(' ').map(|(key, value)| (key.to_owned(), value.to_owned()))
            };
            let Some(mut all) = Appointments::from_pairs(&text.lines().filter_map(pair).collect())
            else {
                return;
            };
            let _ = (all.patience(ms(1_000), &at(101_000)), all.free(&at(101_000)));
            all.add(ms(1_000), &at(u64::MAX));
        });
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let mut all = one();
        all.add(ms(10_000), &Now { busy: Some(ms(37)), ..at(5) });
        let read = |all: &Appointments| -> Pairs {
            all.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
        };
        assert_eq!(Appointments::from_pairs(&read(&all)), Some(all));
        for bad in [
            &[][..],
            &[("executor", "7")],
            &[("run", "1 2")],
            &[("executor", "7 70"), ("run", "1")],
        ] {
            let pairs =
                bad.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            assert_eq!(Appointments::from_pairs(&pairs), None, "{bad:?}");
        }
    }
}
