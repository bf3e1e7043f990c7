//! The recurring monitor that waits: a failure is known the moment it happens, and not at the next
//! interval.
//!
//! With the parameter `watch`, a recurring monitor that has found the resource well does not exit.
//! It sleeps on events of the kernel and returns its own verdict when one of them leads to a
//! failure. It is the executor's own child, so no daemon and no call to the cluster is needed, and
//! the executor kills it before it changes the resource.
//!
//! 1. The event sources are opened first ([`crate::agent::Agent::watch`]), then the ordinary check
//!    is made: nothing that happens between the two is missed.
//! 2. Only a run that the executor's timer has started may wait ([`stamp`]). A first run is an
//!    action of the cluster's transition, and while it waits the whole cluster does (Pacemaker,
//!    `lib/pacemaker/pcmk_graph_consumer.c`).
//! 3. An event leads to the ordinary check. If that finds the resource well, the sources are opened
//!    anew, on the processes and files that there are now.
//! 4. The wait ends with 0 after `watch`, or after half of the action's time-out; sooner where the
//!    executor may have tried to end it in vain ([`Appointments::patience`]).
//!
//! Whatever fails in these steps makes it a plain monitor, with a debug message.

use std::time::{Duration, Instant};

use crate::action::Action;
use crate::agent::{Agent, Context};
use crate::failure::Failure;
use crate::log::Level;
use crate::outcome::Status;
use crate::param::Param;
use crate::refused;
use crate::spec::Spec;
use crate::sys::clock::Deadline;

mod disguise;
mod sources;
pub mod stamp;
mod wait;

use disguise::Disguise;
pub use sources::{Source, Sources};
use stamp::{Appointments, Now};
use wait::{Pace, Woken};

/// How long a recurring monitor may wait for events.
pub const WATCH: Param<Duration> = Param::new(
    "watch",
    seconds,
    "How long a monitor waits for events",
    "How long a recurring monitor of level 0 that has found all well stays and waits for events of \
     the kernel, so that a failure is known at once: 30s, say, with op monitor interval=1s \
     timeout=60s. The wait is at most half of the monitor's time-out, and the part of the time \
     that is covered is wait/(wait+interval). 0 means that monitors do not wait.",
)
.or("0")
.reloadable();

/// How long to wait between an event and the verdict.
pub const WATCH_GRACE: Param<Duration> = Param::new(
    "watch_grace",
    seconds,
    "Time between an event and the check",
    "How long a waiting monitor leaves between an event and its check, for services that people \
     restart by hand.",
)
.or("0")
.reloadable();

fn seconds(text: &str) -> Result<Duration, String> {
    crate::param::time(text, Duration::from_secs(1))
}

/// A waiting monitor makes the ordinary check this often even when there is no event.
const CHECK: Duration = Duration::from_secs(10);

/// Below this share of covered time, in percent, there is a warning.
const COVERAGE: u128 = 90;

/// What a recurring monitor that may wait goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    /// How long it may wait.
    wait: Duration,
    /// The time between an event and the check.
    grace: Duration,
    /// The time between the end of a run and the next.
    interval: Duration,
}

impl Rule {
    /// The rule for a call; `None` when this call is one that never waits.
    fn of(spec: &Spec, context: &Context<'_>) -> Option<Self> {
        let invocation = context.invocation;
        let is_known =
            spec.parameters.iter().any(|parameter| parameter.info().name == WATCH.info.name);
        let watch = invocation.values.get(&WATCH).filter(|watch| is_known && !watch.is_zero())?;
        // The executor runs one operation of a resource at a time, so notifications would have to
        // wait.
        if invocation.depth() > 0
            || invocation.meta("notify").is_some_and(|text| crate::param::boolean(text) == Ok(true))
        {
            return None;
        }
        let advertised = spec.find(Action::Monitor).map_or(20, |entry| entry.timeout);
        let timeout = invocation.timeout().unwrap_or(Duration::from_secs(advertised.into()));
        Some(Self {
            wait: watch.min(timeout / 2),
            grace: invocation.values.get(&WATCH_GRACE).unwrap_or_default(),
            interval: invocation.interval()?,
        })
    }

    /// The part of the time in which an event is noticed at once, in percent.
    fn coverage(&self) -> u128 {
        self.wait.as_millis() * 100 / (self.wait + self.interval).as_millis().max(1)
    }
}

/// Makes the stamp of former monitors invalid, for an action after which the next monitor is a
/// first run.
pub(crate) fn forget(spec: &Spec, context: &Context<'_>) {
    if let Err(failure) = stamp::forget(context.invocation, spec.name) {
        context.log.debug(format_args!("watch: {failure}"));
    }
}

/// A monitor, which waits if it may.
///
/// # Errors
/// As [`Agent::monitor`].
pub(crate) fn monitor<A: Agent>(
    context: &Context<'_>,
    params: &A::Params,
) -> Result<Status, Failure> {
    let invocation = context.invocation;
    let Some(interval) = invocation.interval() else {
        forget(A::SPEC, context);
        return refused::monitor::<A>(context, params);
    };
    let is_wanted = invocation.values.get(&WATCH).is_some_and(|watch| !watch.is_zero());
    let Some(now) = is_wanted.then(Now::look).flatten() else {
        return refused::monitor::<A>(context, params);
    };
    let rule = Rule::of(A::SPEC, context);
    let mut known = stamp::load(invocation, A::SPEC.name, &now);
    let mut patience = known.patience(interval, &now);
    // A run that is killed must leave nothing by which the next one takes itself for a rerun.
    if known.remove(interval) && !save(context, A::SPEC, &known) {
        patience = None;
    }
    let longest = patience.unwrap_or_default().min(known.free(&now));
    let status = match rule.map(|rule| Rule { wait: rule.wait.min(longest), ..rule }) {
        Some(rule) if !rule.wait.is_zero() => {
            let watcher =
                Watcher::<A> { context, params, rule, pace: Pace::default(), disguise: None };
            match watcher.run()? {
                Some(status) => status,
                // The executor has ended: the result goes nowhere, and the next run is a first one.
                None => return Ok(Status::Running),
            }
        }
        _ => refused::monitor::<A>(context, params)?,
    };
    if let Some(rule) = rule.filter(|rule| patience.is_none() && rule.coverage() < COVERAGE) {
        warn_of_coverage(context, rule);
    }
    // After any other result of a run that may wait, the next one must report at once what has
    // changed.
    if status == Status::Running || rule.is_none() {
        if let Some(now) = Now::look() {
            known.add(interval, &now);
        }
        save(context, A::SPEC, &known);
    }
    Ok(status)
}

/// Writes the entries; `false` when they cannot be written.
fn save(context: &Context<'_>, spec: &Spec, known: &Appointments) -> bool {
    let saved = stamp::save(context.invocation, spec.name, known);
    saved.map_err(|failure| context.log.debug(format_args!("watch: {failure}"))).is_ok()
}

/// Not to stderr: the executor would log it a second time, and a healthy monitor prints nothing.
fn warn_of_coverage(context: &Context<'_>, rule: Rule) {
    let text = format_args!(
        "watch={}s with interval={}s notices {} % of all failures at once: set op monitor \
         interval=1s timeout=60s",
        rule.wait.as_secs_f32(),
        rule.interval.as_secs_f32(),
        rule.coverage()
    );
    context.log.aside(Level::Warn, text);
}

/// What woke a waiting monitor, as the verdict names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    what: String,
    at: Instant,
}

impl Event {
    fn text(&self) -> String {
        let age = self.at.elapsed();
        if age < Duration::from_secs(1) {
            format!("{} {} ms ago", self.what, age.as_millis())
        } else {
            format!("{} {:.1} s ago", self.what, age.as_secs_f32())
        }
    }

    /// The verdict of the check that the event has led to.
    fn explain(&self, result: Result<Status, Failure>) -> Result<Status, Failure> {
        let said = self.text();
        match result {
            Ok(Status::NotRunning(None)) => Ok(Status::NotRunning(Some(said))),
            Ok(Status::NotRunning(Some(why))) => {
                Ok(Status::NotRunning(Some(format!("{said}: {why}"))))
            }
            Ok(Status::Degraded(why)) => Ok(Status::Degraded(format!("{said}: {why}"))),
            Ok(Status::Running) => Ok(Status::Running),
            Err(failure) => Err(failure.wrap(said)),
        }
    }
}

/// A monitor that may wait.
struct Watcher<'a, A: Agent> {
    context: &'a Context<'a>,
    params: &'a A::Params,
    rule: Rule,
    pace: Pace,
    disguise: Option<Disguise>,
}

impl<A: Agent> Watcher<'_, A> {
    /// Checks and waits in turns; `None` when the executor has gone and the result goes nowhere.
    fn run(mut self) -> Result<Option<Status>, Failure> {
        let until = Deadline::after(self.rule.wait);
        let mut event: Option<Event> = None;
        loop {
            let mut sources = self.sources();
            let result = refused::monitor::<A>(self.context, self.params);
            if !matches!(result, Ok(Status::Running)) {
                return event.map_or(result.clone(), |event| event.explain(result)).map(Some);
            }
            if let Some(event) = event.take() {
                self.context.log.debug(format_args!("watch: {}, and all is well", event.text()));
            }
            if sources.is_empty() || until.expired() {
                return result.map(Some);
            }
            let mut pause = Duration::ZERO;
            match self.wait(&mut sources, until) {
                Woken::Time => {}
                Woken::Event(what, settling) => {
                    event = Some(Event { what, at: Instant::now() });
                    pause = self.rule.grace.max(settling);
                }
                Woken::ReaderGone => return Ok(None),
                Woken::Failed(error) => {
                    self.context.log.debug(format_args!("watch: poll: {error}"));
                    return result.map(Some);
                }
            }
            if !pause.is_zero()
                && wait::pause(Deadline::after(pause).min(self.context.budget.work()))
            {
                return Ok(None);
            }
            if event.is_none() && until.expired() {
                return result.map(Some);
            }
        }
    }

    fn sources(&self) -> Sources {
        match A::watch(self.context, self.params) {
            Ok(sources) => sources,
            Err(failure) => {
                self.context.log.debug(format_args!("watch: {failure}"));
                Sources::default()
            }
        }
    }

    fn wait(&mut self, sources: &mut Sources, until: Deadline) -> Woken {
        let instance = self.context.invocation.instance();
        let disguise = self.disguise.get_or_insert_with(|| Disguise::put_on(instance));
        disguise.begin_waiting();
        let woken = wait::wait(sources, until.min(Deadline::after(CHECK)), &mut self.pace);
        disguise.end_waiting();
        woken
    }
}

#[cfg(test)]
mod tests;
