//! The test stand: one agent with one set of parameters, called as a cluster would call it, and everything that it answered.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::sys::clock::Deadline;
use ocf::sys::process::{Process, end_all};

use crate::ask::{Ask, DEMOTE, Interval, META_DATA, MONITOR, PROBE, PROMOTE, START, STOP};
use crate::call::{Done, choice};
use crate::check::{PROMOTED, RUNNING, STOPPED, State};
use crate::environment::{self, Environment, Operation, Resource};
use crate::metadata::MetaData;
use crate::observer::{Event, Observer};
use crate::place::Place;
use crate::process::{self, Program};
use crate::verdict::{Judged, Trouble};

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
    /// Variables besides Pacemaker's: what the caller asked for.
    pub extra: Environment,
    /// No action gets more time than this, whatever it advertises.
    pub longest: Option<Duration>,
    /// An empty directory, where agents run.
    pub directory: PathBuf,
    /// Told what happens.
    pub observer: Observer,
}

/// An agent under test.
#[derive(Debug)]
pub struct Stand<'a> {
    /// What the run is about.
    pub setup: &'a Setup,
    /// What the agent says about itself; empty when that cannot be read.
    pub metadata: MetaData,
    /// What it printed for `meta-data`.
    pub described: Done,
    /// Set by the user's Ctrl-C: nothing new begins.
    interrupted: &'a AtomicBool,
    /// Processes that a plain life leaves behind: then no other check finds the same again.
    leaky: AtomicBool,
    calls: Mutex<Vec<Done>>,
}

impl<'a> Stand<'a> {
    /// An agent that has not been called yet.
    #[must_use]
    pub fn new(setup: &'a Setup, interrupted: &'a AtomicBool) -> Self {
        Self {
            setup,
            metadata: MetaData::default(),
            described: Done::default(),
            interrupted,
            leaky: AtomicBool::new(false),
            calls: Mutex::default(),
        }
    }

    /// Every call until now.
    #[must_use]
    pub fn calls(&self) -> Vec<Done> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the user wants an end.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether a plain life leaves processes behind.
    pub fn is_leaky(&self) -> bool {
        self.leaky.load(Ordering::Relaxed)
    }

    /// Remembers that it does.
    pub fn note_leak(&self) {
        self.leaky.store(true, Ordering::Relaxed);
    }

    /// Prepares a call.
    #[must_use]
    pub fn call(&self, ask: Ask) -> Call<'_> {
        let place = Place { directory: Some(self.setup.directory.clone()), ..Place::default() };
        Call {
            stand: self,
            ask,
            how: String::new(),
            place,
            umask: 0o022,
            changes: BTreeMap::new(),
            bare: false,
            under: Vec::new(),
            parameters: None,
            kill_after: None,
            even_if_interrupted: false,
        }
    }

    /// Makes a plain call.
    ///
    /// # Errors
    /// When it could not be made.
    pub fn ask(&self, ask: Ask) -> Result<Done, Trouble> {
        self.call(ask).run()
    }

    /// Makes a plain call whose code must be one of these.
    ///
    /// # Errors
    /// When it is not, or the call could not be made.
    pub fn expect(&self, ask: Ask, codes: &[u8]) -> Result<Done, Trouble> {
        self.call(ask).expect(codes)
    }

    /// Makes a plain call that must succeed for what comes next; that it does is the finding of another check.
    ///
    /// # Errors
    /// [`Trouble::Unknown`] when it does not.
    pub fn presume(&self, ask: Ask, codes: &[u8]) -> Result<Done, Trouble> {
        self.expect(ask, codes).map_err(|trouble| match trouble {
            Trouble::Broken(what) => Trouble::unknown(format!("{what} is needed first")),
            unknown => unknown,
        })
    }

    /// What a probe says; `None` when it is neither of the states.
    ///
    /// # Errors
    /// When it could not be asked, or did not end in time.
    pub fn state(&self) -> Result<Option<State>, Trouble> {
        let done = known(self.ask(PROBE)?)?;
        Ok(state_of(&done))
    }

    /// Brings the resource to a state.
    ///
    /// # Errors
    /// [`Trouble::Unknown`] when it does not get there: that is another check's finding.
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
            State::Running if now == Some(State::Stopped) => self.clear().and_then(|()| self.bring(START, wanted)),
            State::Running => self.given(State::Stopped).and_then(|()| self.bring(START, wanted)),
            State::Promoted if now == Some(State::Running) => self.bring(PROMOTE, wanted),
            State::Promoted => self.given(State::Running).and_then(|()| self.bring(PROMOTE, wanted)),
        }
    }

    fn bring(&self, ask: Ask, wanted: State) -> Judged {
        let blocked =
            |done: &Done| Trouble::unknown(format!("{} is needed first, but {}", phrase(wanted), done.told()));
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
        self.given(State::Running)?;
        self.presume(MONITOR, RUNNING)?;
        self.given(State::Stopped)
    }

    /// Ends what a stopped resource has left, so that one check's finding does not become the next one's.
    fn clear(&self) -> Judged {
        let left = process::orphans()?;
        end_all(&left, &[Signal::SIGKILL], Deadline::after(VANISHING))?;
        Ok(())
    }

    /// The processes that are left of a resource that has been stopped, after a moment to vanish.
    ///
    /// # Errors
    /// When they cannot be counted.
    pub fn left_over(&self) -> Result<Vec<Process>, Trouble> {
        let deadline = Deadline::after(VANISHING);
        loop {
            let left = process::orphans()?;
            if left.is_empty() || deadline.expired() {
                return Ok(left);
            }
            deadline.sleep(Duration::from_millis(5));
        }
    }

    /// The time-out of an action.
    #[must_use]
    pub fn timeout(&self, action: &str) -> Duration {
        let advertised = self.metadata.timeout(action).filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT);
        self.setup.longest.map_or(advertised, |longest| advertised.min(longest))
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

/// A call whose code means something. Time-outs and codes that do not exist are the findings of their own checks.
///
/// # Errors
/// For those.
pub fn known(done: Done) -> Result<Done, Trouble> {
    if done.ended.killed && !done.cut_short {
        return Err(Trouble::unknown(format!("{} (see the check in-time)", done.told())));
    }
    if !done.cut_short && !matches!(done.ended.code, Some(0..=9 | 190 | 191)) {
        return Err(Trouble::unknown(format!("{} (see the check codes)", done.told())));
    }
    Ok(done)
}

/// A call in preparation.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    stand: &'a Stand<'a>,
    ask: Ask,
    how: String,
    place: Place,
    umask: u32,
    changes: Environment,
    bare: bool,
    under: Vec<OsString>,
    parameters: Option<BTreeMap<OsString, OsString>>,
    kill_after: Option<Duration>,
    even_if_interrupted: bool,
}

impl Call<'_> {
    /// In words, what is special about it.
    #[must_use]
    pub fn how(mut self, how: impl Into<String>) -> Self {
        self.how = how.into();
        self
    }

    /// Changes where it runs.
    #[must_use]
    pub fn place(mut self, change: impl FnOnce(&mut Place)) -> Self {
        change(&mut self.place);
        self
    }

    /// With this file mode creation mask.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = umask;
        self
    }

    /// With one variable set.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.changes.insert(name.into(), value.into());
        self
    }

    /// With no environment at all but what [`Self::env`] sets.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// As an argument of another program, such as a shell.
    #[must_use]
    pub fn under(mut self, words: &[OsString]) -> Self {
        self.under = words.to_vec();
        self
    }

    /// With these parameters instead of the configured ones.
    #[must_use]
    pub fn parameters(mut self, parameters: BTreeMap<OsString, OsString>) -> Self {
        self.parameters = Some(parameters);
        self
    }

    /// Killed after this time, whatever the time-out that it is told.
    #[must_use]
    pub fn kill_after(mut self, delay: Duration) -> Self {
        self.kill_after = Some(delay);
        self
    }

    /// Although the user wants an end: it cleans up.
    #[must_use]
    pub fn even_if_interrupted(mut self) -> Self {
        self.even_if_interrupted = true;
        self
    }

    /// Makes it; its code must be one of these.
    ///
    /// # Errors
    /// When it is not, or the call could not be made.
    pub fn expect(self, codes: &[u8]) -> Result<Done, Trouble> {
        let done = known(self.run()?)?;
        if done.is(codes) {
            return Ok(done);
        }
        Err(Trouble::broken(format!("{}; expected {}", done.told(), choice(codes))))
    }

    /// Makes it.
    ///
    /// # Errors
    /// When it could not be made.
    pub fn run(self) -> Result<Done, Trouble> {
        let stand = self.stand;
        if stand.is_interrupted() && !self.even_if_interrupted {
            return Err(Trouble::unknown("interrupted"));
        }
        let timeout = stand.timeout(self.ask.action());
        let environment = self.environment(timeout);
        let mut words = self.under.clone();
        words.push(stand.setup.agent.clone().into());
        words.extend(self.ask.words.iter().map(OsString::from));
        let limit = self.kill_after.map_or(timeout, |delay| delay.min(timeout));
        let program = Program { words, environment, input: Vec::new(), place: self.place, limit, umask: self.umask };
        let stop = if self.even_if_interrupted { None } else { Some(stand.interrupted) };
        let ended = process::run(&program, stop)
            .map_err(|error| Trouble::unknown(format!("{} could not be run: {error}", stand.setup.agent.display())))?;
        let done = Done {
            what: self.ask.to_string(),
            action: self.ask.action().to_owned(),
            how: self.how,
            environment: program.environment,
            cut_short: ended.killed && ended.elapsed < timeout,
            ended,
            timeout,
        };
        stand.setup.observer.tell(Event::Done(&done));
        stand.calls.lock().unwrap_or_else(PoisonError::into_inner).push(done.clone());
        Ok(done)
    }

    fn environment(&self, timeout: Duration) -> Vec<(OsString, OsString)> {
        let stand = self.stand;
        let recurring = match self.ask.interval {
            Interval::Recurring => {
                let advertised = stand.metadata.interval("monitor").unwrap_or(Duration::from_secs(10));
                Some(advertised.as_millis().to_string())
            }
            Interval::Text(text) => Some(text.to_owned()),
            Interval::Unset => None,
        };
        let mut resource = stand.setup.resource.clone();
        if let Some(parameters) = &self.parameters {
            resource.parameters.clone_from(parameters);
        }
        let mut all = if self.bare {
            Environment::new()
        } else if self.ask.action() == META_DATA.action() {
            environment::described(&resource)
        } else {
            let (action, level) = (self.ask.action(), self.ask.level);
            environment::of(&resource, &Operation { action, timeout, interval: recurring.as_deref(), level })
        };
        if !self.bare {
            all.extend(stand.setup.extra.clone());
        }
        all.extend(self.changes.clone());
        all.into_iter().collect()
    }
}
