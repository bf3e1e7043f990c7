//! A call in preparation: what is unusual about it, and then the call itself.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::{Stand, known};
use crate::ask::{Ask, Interval, META_DATA};
use crate::call::{Done, Frame, choice};
use crate::environment::{self, Environment, Operation};
use crate::explain;
use crate::observer::Event;
use crate::place::Place;
use crate::process::{self, Program};
use crate::verdict::Finding;

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
    shell: Frame,
    unusual: bool,
    even_if_interrupted: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(stand: &'a Stand<'a>, ask: Ask) -> Self {
        let place = Place { directory: Some(stand.setup.directory.clone()), ..Place::default() };
        Self {
            stand,
            ask,
            how: String::new(),
            place,
            umask: 0o022,
            changes: Environment::new(),
            bare: false,
            under: Vec::new(),
            parameters: None,
            kill_after: None,
            shell: Frame::default(),
            unusual: false,
            even_if_interrupted: false,
        }
    }

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

    /// Killed after this time, whatever the time-out in its environment.
    #[must_use]
    pub fn kill_after(mut self, delay: Duration) -> Self {
        self.kill_after = Some(delay);
        self
    }

    /// What makes a shell call it under the same circumstances.
    #[must_use]
    pub fn shell(mut self, frame: Frame) -> Self {
        self.shell = frame;
        self
    }

    /// Under circumstances that one check is about: whatever goes wrong is its finding, and no
    /// other check's.
    #[must_use]
    pub fn unusual(mut self) -> Self {
        self.unusual = true;
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
    pub fn expect(self, codes: &[u8]) -> Result<Done, Finding> {
        let unusual = self.unusual;
        let done = self.run()?;
        let done = if unusual { done } else { known(done)? };
        if done.is(codes) && (!unusual || matches!(done.ended.code, Some(0..=9 | 190 | 191))) {
            return Ok(done);
        }
        Err(Finding::broken(format!("{}; expected {}", done.summary(), choice(codes))))
    }

    /// Makes it.
    ///
    /// # Errors
    /// When it could not be made.
    pub fn run(self) -> Result<Done, Finding> {
        let stand = self.stand;
        if stand.is_interrupted() && !self.even_if_interrupted {
            return Err(Finding::unknown("interrupted"));
        }
        let timeout = stand.timeout(self.ask.action());
        let what = self.ask.to_string();
        let cleans = self.even_if_interrupted;
        let allowed =
            stand.shared.hangs().allow(&what, &self.how, timeout, stand.longest(), cleans);
        let timeout = allowed.map_err(Finding::Inconclusive)?;
        let environment = self.environment(timeout);
        let mut words = self.under.clone();
        words.push(stand.setup.agent.clone().into());
        words.extend(self.ask.words.iter().map(OsString::from));
        let limit = self.kill_after.map_or(timeout, |delay| delay.min(timeout));
        let (as_other, frame) = (self.place.user.is_some(), self.frame());
        let program = Program {
            words,
            environment,
            input: Vec::new(),
            place: self.place,
            limit,
            umask: self.umask,
        };
        let stop = if self.even_if_interrupted { None } else { Some(stand.shared.interrupted) };
        let (began, moment) = (stand.age(), Instant::now());
        let ended = process::run(&program, stop)
            .map_err(|error| Finding::unknown(explain::not_run(&stand.setup.agent, &error)))?;
        let done = Done {
            what,
            action: self.ask.action().to_owned(),
            words: self.ask.words.iter().map(|word| (*word).to_owned()).collect(),
            how: self.how,
            environment: program.environment,
            cut_short: ended.killed && ended.elapsed < timeout,
            ended,
            timeout,
            check: stand.check,
            began,
            shell: frame,
            as_other,
            signals: Vec::new(),
            unusual: self.unusual,
        };
        if done.hung() {
            stand.shared.hangs().note(&done, moment, Instant::now());
        }
        stand.setup.observer.report(Event::Done(&done));
        stand.shared.calls().push(done.clone());
        Ok(done)
    }

    /// What makes a shell call it so: what was said, and what can be seen.
    fn frame(&self) -> Frame {
        let mut frame = self.shell.clone();
        if let Some((user, group)) = self.place.user {
            frame.words.push(format!("setpriv --reuid={user} --regid={group} --clear-groups"));
        }
        if let Some(delay) = self.kill_after {
            frame.words.push(format!("timeout -s KILL {:.4}", delay.as_secs_f64()));
        }
        frame.under.extend(self.under.iter().cloned());
        frame
    }

    fn environment(&self, timeout: Duration) -> Vec<(OsString, OsString)> {
        let stand = self.stand;
        let recurring = match self.ask.interval {
            Interval::Recurring => {
                let advertised =
                    stand.metadata.interval("monitor").unwrap_or(Duration::from_secs(10));
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
            environment::of(
                &resource,
                &Operation { action, timeout, interval: recurring.as_deref(), level },
            )
        };
        if !self.bare {
            all.extend(stand.setup.extra.clone());
        }
        all.extend(self.changes.clone());
        all.into_iter().collect()
    }
}
