//! The test stand: one agent with one set of parameters, called as a cluster would call it, and
//! everything that it answered.
#![forbid(unsafe_code)]

mod hangs;
mod prepared;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use ocf::sys::clock::Deadline;
use ocf::sys::process::{Process, end_all};

use crate::ask::{Ask, DEMOTE, MONITOR, PROBE, PROMOTE, START, STOP};
use crate::call::Done;
use crate::check::{PROMOTED, RUNNING, STOPPED, State};
use crate::environment::{Environment, Resource};
use crate::metadata::MetaData;
use crate::observer::Observer;
use crate::process;
use crate::verdict::{Finding, Judged};

use hangs::Hangs;
pub use prepared::Call;

/// The time-out of an action that advertises none: the shell tester's.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long a process of a stopped resource may take to vanish.
const VANISHING: Duration = Duration::from_millis(500);

/// What a run is about.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The agent's file.
    pub agent: PathBuf,
    /// The resource that it manages.
    pub resource: Resource,
    /// Variables besides Pacemaker's: what the caller added.
    pub extra: Environment,
    /// No action gets more time than this, whatever it advertises.
    pub longest: Option<Duration>,
    /// An empty directory, where agents run.
    pub directory: PathBuf,
    /// Gets each event.
    pub observer: Observer,
}

/// An agent under test.
#[derive(Clone, Debug)]
pub struct Stand<'a> {
    /// What the run is about.
    pub setup: &'a Setup,
    /// What the agent says about itself; empty when that cannot be read.
    pub metadata: Arc<MetaData>,
    /// What it printed for `meta-data`.
    pub described: Arc<Done>,
    /// The check that makes calls; empty when none does.
    check: &'static str,
    shared: Arc<Shared<'a>>,
}

/// What the stands of all checks have in common.
#[derive(Debug)]
struct Shared<'a> {
    began: Instant,
    since: SystemTime,
    /// Set by the user's Ctrl-C: nothing new begins.
    interrupted: &'a AtomicBool,
    /// Processes that a plain life leaves behind: then no other check finds the same again.
    leaky: AtomicBool,
    /// A plain life has worked, and nothing has gone wrong since.
    rehearsed: AtomicBool,
    calls: Mutex<Vec<Done>>,
    hangs: Mutex<Hangs>,
}

impl<'a> Stand<'a> {
    /// An agent that has not been called yet.
    #[must_use]
    pub fn new(setup: &'a Setup, interrupted: &'a AtomicBool) -> Self {
        let shared = Shared {
            began: Instant::now(),
            since: SystemTime::now(),
            interrupted,
            leaky: AtomicBool::new(false),
            rehearsed: AtomicBool::new(false),
            calls: Mutex::default(),
            hangs: Mutex::default(),
        };
        Self {
            setup,
            metadata: Arc::default(),
            described: Arc::default(),
            check: "",
            shared: Arc::new(shared),
        }
    }

    /// The same agent, called by this check.
    #[must_use]
    pub fn of(&self, check: &'static str) -> Self {
        Self { check, ..self.clone() }
    }

    /// Every call until now.
    #[must_use]
    pub fn calls(&self) -> Vec<Done> {
        self.shared.calls().clone()
    }

    /// The last call until now.
    #[must_use]
    pub fn last_call(&self) -> Option<Done> {
        self.shared.calls().last().cloned()
    }

    /// When the run began, as files are dated.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.shared.since
    }

    /// Notes signals with the calls in which their senders began: numbers of processes are given in
    /// their order.
    pub fn attribute(&self, signals: Vec<(i32, String)>) {
        let mut calls = self.shared.calls();
        for (sender, text) in signals {
            let before = calls.iter_mut().filter(|done| done.ended.pid <= sender);
            if let Some(call) = before.max_by_key(|done| done.ended.pid) {
                call.signals.push(text);
            }
        }
    }

    /// How long the run has taken until now.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Whether the user wants an end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.shared.interrupted.load(Ordering::Relaxed)
    }

    /// Whether a plain life leaves processes behind.
    pub fn is_leaky(&self) -> bool {
        self.shared.leaky.load(Ordering::Relaxed)
    }

    /// Remembers that it does.
    pub fn note_leak(&self) {
        self.shared.leaky.store(true, Ordering::Relaxed);
    }

    /// Whether a plain call of this kind is known not to end.
    pub fn hangs(&self, ask: &Ask) -> bool {
        self.shared.hangs().knows(&ask.to_string())
    }

    /// Prepares a call.
    #[must_use]
    pub fn call(&self, ask: Ask) -> Call<'_> {
        Call::new(self, ask)
    }

    /// Makes a plain call.
    ///
    /// # Errors
    /// When it could not be made.
    pub fn ask(&self, ask: Ask) -> Result<Done, Finding> {
        self.call(ask).run()
    }

    /// Makes a plain call whose code must be one of these.
    ///
    /// # Errors
    /// When it is not, or the call could not be made.
    pub fn expect(&self, ask: Ask, codes: &[u8]) -> Result<Done, Finding> {
        self.call(ask).expect(codes)
    }

    /// Makes a plain call that must succeed for what comes next; that it does is the finding of
    /// another check.
    ///
    /// # Errors
    /// [`Finding::Inconclusive`] when it does not.
    pub fn presume(&self, ask: Ask, codes: &[u8]) -> Result<Done, Finding> {
        self.expect(ask, codes).map_err(|trouble| match trouble {
            Finding::Violation(what) => Finding::unknown(format!("{what} is needed first")),
            unknown => unknown,
        })
    }

    /// What a probe says; `None` when it is neither of the states.
    ///
    /// # Errors
    /// When it could not be called, or did not end in time.
    pub fn state(&self) -> Result<Option<State>, Finding> {
        let done = known(self.ask(PROBE)?)?;
        Ok(state_of(&done))
    }

    /// Brings the resource to a state.
    ///
    /// # Errors
    /// [`Finding::Inconclusive`] when it does not get there: that is another check's finding.
    pub fn given(&self, wanted: State) -> Judged {
        let now = self.state()?;
        if now == Some(wanted) {
            return if wanted == State::Stopped { self.clear() } else { Ok(()) };
        }
        match wanted {
            // Pacemaker demotes before it stops.
            State::Stopped if now == Some(State::Promoted) => {
                self.bring(DEMOTE, State::Running)?;
                self.given(wanted)
            }
            State::Stopped => self.bring(STOP, wanted).and_then(|()| self.clear()),
            // A failed or unclear state is cleaned as Pacemaker does: stop, then start.
            State::Running if now == Some(State::Stopped) => {
                self.clear().and_then(|()| self.bring(START, wanted))
            }
            State::Running => self.given(State::Stopped).and_then(|()| self.bring(START, wanted)),
            State::Promoted if now == Some(State::Running) => self.bring(PROMOTE, wanted),
            State::Promoted => {
                self.given(State::Running).and_then(|()| self.bring(PROMOTE, wanted))
            }
        }
    }

    fn bring(&self, ask: Ask, wanted: State) -> Judged {
        let blocked = |done: &Done| {
            Finding::unknown(format!("{} is needed first, but {}", phrase(wanted), done.summary()))
        };
        let done = self.ask(ask)?;
        if !done.is(&[0]) {
            return Err(blocked(&done));
        }
        let probe = self.ask(PROBE)?;
        if state_of(&probe) == Some(wanted) { Ok(()) } else { Err(blocked(&probe)) }
    }

    /// A life that works, as a start for checks of what may disturb one; ends stopped.
    ///
    /// # Errors
    /// As [`Self::given`].
    pub fn rehearse(&self) -> Judged {
        if self.shared.rehearsed.load(Ordering::Relaxed) {
            return self.given(State::Stopped);
        }
        self.given(State::Running)?;
        self.presume(MONITOR, RUNNING)?;
        self.given(State::Stopped)?;
        self.shared.rehearsed.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets that a life has worked: something may have broken it since.
    pub fn forget_rehearsal(&self) {
        self.shared.rehearsed.store(false, Ordering::Relaxed);
    }

    /// Ends what a stopped resource has left, so that one check's finding does not become the next
    /// one's.
    fn clear(&self) -> Judged {
        let left = process::orphans()?;
        end_all(&left, &[Signal::SIGKILL], Deadline::after(VANISHING))?;
        Ok(())
    }

    /// The processes that are left of a resource that has been stopped, after a moment to vanish.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub fn left_over(&self) -> Result<Vec<Process>, Finding> {
        let deadline = Deadline::after(VANISHING);
        loop {
            let left = process::orphans()?;
            if left.is_empty() || deadline.expired() {
                return Ok(left);
            }
            deadline.sleep(Duration::from_millis(5));
        }
    }

    /// The longest time-out of any action.
    fn longest(&self) -> Duration {
        let names = self.metadata.actions.iter().map(|action| self.timeout(&action.name));
        names.max().unwrap_or_else(|| self.timeout(""))
    }

    /// The time-out of an action.
    #[must_use]
    pub fn timeout(&self, action: &str) -> Duration {
        let of = |action: &str| self.metadata.timeout(action).filter(|timeout| !timeout.is_zero());
        // One that is not advertised gets no more than any that is.
        let any = || self.metadata.actions.iter().filter_map(|action| of(&action.name)).max();
        let advertised =
            of(action).unwrap_or_else(|| any().map_or(TIMEOUT, |longest| longest.min(TIMEOUT)));
        self.setup.longest.map_or(advertised, |longest| advertised.min(longest))
    }
}

impl Shared<'_> {
    fn calls(&self) -> MutexGuard<'_, Vec<Done>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hangs(&self) -> MutexGuard<'_, Hangs> {
        self.hangs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state that a monitor's code means.
#[must_use]
pub fn state_of(done: &Done) -> Option<State> {
    [(State::Stopped, STOPPED), (State::Running, RUNNING), (State::Promoted, PROMOTED)]
        .into_iter()
        .find_map(|(state, codes)| done.is(codes).then_some(state))
}

/// A state in the words of a report.
fn phrase(state: State) -> &'static str {
    match state {
        State::Stopped => "a stopped resource",
        State::Running => "a running resource",
        State::Promoted => "a promoted resource",
    }
}

/// A call whose code means something. Time-outs and codes that do not exist are the findings of
/// their own checks.
///
/// # Errors
/// For those.
pub fn known(done: Done) -> Result<Done, Finding> {
    if done.hung() {
        return Err(Finding::unknown(format!("{} (see the check in-time)", done.summary())));
    }
    if !done.cut_short && !matches!(done.ended.code, Some(0..=9 | 190 | 191)) {
        return Err(Finding::unknown(format!("{} (see the check codes)", done.summary())));
    }
    Ok(done)
}
