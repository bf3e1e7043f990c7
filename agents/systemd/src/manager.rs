//! systemd's manager: the questions and orders that the agent has for it.
#![forbid(unsafe_code)]

use std::pin::Pin;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use zbus::export::futures_core::Stream;
use zbus::export::serde::Serialize;
use zbus::export::serde::de::DeserializeOwned;
use zbus::message::{Message, Type};
use zbus::zvariant::{OwnedObjectPath, OwnedValue};
use zbus::{Connection, MatchRule, MessageStream};

use crate::bus::{Bus, BusError, ORDER, SYSTEMD, read, within};
use crate::facts;
use crate::name::{Kind as UnitKind, UnitName};
use crate::settings::Identity;
use crate::state::{Facts, Job, Unit};

const OBJECT: &str = "/org/freedesktop/systemd1";
/// The interface of the manager.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";
/// The interface of properties.
pub const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How often a job is looked for while its end is waited for: a signal can be lost with a
/// connection.
const LOOKING: Duration = Duration::from_secs(1);

/// What a wait leaves of the time for the questions that its reason needs, and these for the
/// journal.
const LEAVE: Duration = Duration::from_millis(500);

/// Signals that wait for us. Only those of one unit's jobs come.
const QUEUE: usize = 64;

/// What is said of a job that is over.
const GONE: [&str; 2] =
    ["org.freedesktop.DBus.Error.UnknownObject", "org.freedesktop.systemd1.NoSuchJob"];

/// A unit in an answer: name, description, load, active and sub state, the unit that it follows,
/// its object, then its job: number, type, object.
type Listed =
    (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// What to do with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Make it read its configuration again.
    Reload,
}

impl Verb {
    fn method(self) -> &'static str {
        match self {
            Self::Start => "StartUnit",
            Self::Stop => "StopUnit",
            Self::Reload => "ReloadUnit",
        }
    }
}

/// When a wait has to end, so that there is time left to say what was seen.
#[must_use]
pub fn early(deadline: Deadline) -> Deadline {
    deadline.minus(LEAVE)
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a result in systemd's word.
    With(String),
    /// It is over, and its result is not known: the unit's state decides.
    Unheard,
    /// It is not over; the job's object.
    Late(String),
}

/// systemd.
pub struct Manager {
    /// The way to it.
    pub bus: Bus,
    /// Until when answers are waited for, unless a call says otherwise; a reason takes its time,
    /// too.
    deadline: Deadline,
}

impl Manager {
    /// systemd on the bus that was chosen; no connection is made yet.
    ///
    /// # Errors
    /// When the operating system lacks resources.
    pub fn new(context: &Context<'_>, identity: &Identity) -> Result<Self, Failure> {
        Ok(Self {
            bus: Bus::new(context, identity.bus_address.as_deref())?,
            deadline: early(context.budget.rollback()),
        })
    }

    fn ask<B, T>(&mut self, method: &str, body: &B) -> Result<T, BusError>
    where
        B: Serialize + zbus::zvariant::DynamicType,
        T: DeserializeOwned + zbus::zvariant::Type,
    {
        self.bus.call(OBJECT, (MANAGER, method), body, self.deadline)
    }

    /// Looks at units: one question for all of them, with all that a healthy monitor needs. Aliases
    /// lead to the unit itself.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn look(&mut self, names: &[&UnitName]) -> Result<Vec<Unit>, Failure> {
        let texts: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let what = texts.first().copied().unwrap_or_default();
        let answer: Result<Vec<Listed>, BusError> = self.ask("ListUnitsByNames", &(texts,));
        let listed = answer.map_err(|error| error.into_failure(what))?;
        if listed.len() != names.len() {
            let why = format!("{} units where {} were requested", listed.len(), names.len());
            return Err(BusError::Garbled(why).into_failure(what));
        }
        Ok(listed.into_iter().map(unit).collect())
    }

    /// Looks at one unit.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub fn look_at(&mut self, name: &UnitName) -> Result<Unit, Failure> {
        let mut units = self.look(&[name])?;
        units
            .pop()
            .ok_or_else(|| Failure::generic(format!("{name}: systemd says nothing about it")))
    }

    /// More about a unit. What cannot be had is empty: this is for reasons, and no decision may
    /// hang on a lack.
    pub fn facts(&mut self, unit: &Unit, name: &UnitName) -> Facts {
        let mut all = |interface: &str| {
            let member = (PROPERTIES, "GetAll");
            let answer = self.bus.call(&unit.path, member, &(interface,), self.deadline);
            answer.unwrap_or_default()
        };
        let common = all("org.freedesktop.systemd1.Unit");
        let special = all(name.kind.interface());
        facts::read(&common, &special)
    }

    /// The main process of a service, for a twentieth of what [`Self::facts`] costs. As there,
    /// what cannot be had is none.
    pub fn main_pid(&mut self, unit: &Unit, name: &UnitName) -> Option<u32> {
        if name.kind != UnitKind::Service {
            return None;
        }
        let value = self.property(&unit.path, name.kind.interface(), "MainPID").ok()?;
        u32::try_from(value).ok().filter(|pid| *pid != 0)
    }

    /// Where unit files are looked for, the strongest first.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn unit_path(&mut self) -> Result<Vec<String>, Failure> {
        self.own("UnitPath")
    }

    /// The version of systemd.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn version(&mut self) -> Result<String, Failure> {
        self.own("Version")
    }

    /// A property of the manager itself.
    fn own<T: TryFrom<OwnedValue, Error: std::fmt::Display>>(
        &mut self,
        name: &str,
    ) -> Result<T, Failure> {
        let value = self.property(OBJECT, MANAGER, name);
        let value = value.map_err(|error| error.into_failure(name))?;
        T::try_from(value).map_err(|error| BusError::Garbled(error.to_string()).into_failure(name))
    }

    fn property(
        &mut self,
        object: &str,
        interface: &str,
        name: &str,
    ) -> Result<OwnedValue, BusError> {
        self.bus.call(object, (PROPERTIES, "Get"), &(interface, name), self.deadline)
    }

    /// Makes systemd read all unit files again.
    ///
    /// # Errors
    /// When it does not.
    pub fn daemon_reload(&mut self) -> Result<(), Failure> {
        // The answer comes when all is read, which may take long: it is waited for, and not
        // requested again.
        let reloaded = self.bus.with(self.deadline, ORDER, async |connection: &Connection| {
            connection.call_method(Some(SYSTEMD), OBJECT, Some(MANAGER), "Reload", &()).await
        });
        reloaded.map(drop).map_err(|error| error.into_failure("daemon-reload"))
    }

    /// Keeps a unit in systemd's memory as long as this connection lasts: one that nothing needs is
    /// forgotten as soon as it has ended, with what there was to say about it.
    pub fn hold(&mut self, unit: &Unit) {
        let _: Result<(), BusError> = self.ask("RefUnit", &(unit.id.as_str(),));
    }

    /// Makes systemd forget failures and how often it was started lately: the cluster decides about
    /// that. A unit that is not loaded has nothing to forget.
    pub fn reset_failed(&mut self, unit: &Unit) {
        let _: Result<(), BusError> = self.ask("ResetFailedUnit", &(unit.id.as_str(),));
    }

    /// The processes of a unit: number and command line.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn processes(&mut self, unit: &Unit) -> Result<Vec<(u32, String)>, Failure> {
        let answer: Result<Vec<(String, u32, String)>, BusError> =
            self.ask("GetUnitProcesses", &(unit.id.as_str(),));
        match answer {
            Ok(all) => Ok(all.into_iter().map(|(_, pid, line)| (pid, line)).collect()),
            Err(error) if error.is("NoSuchUnit") => Ok(Vec::new()),
            Err(error) => Err(error.into_failure(&unit.id)),
        }
    }

    /// Sends SIGKILL to all processes of a unit.
    ///
    /// # Errors
    /// When systemd does not answer.
    pub fn kill(&mut self, unit: &Unit) -> Result<(), Failure> {
        let body = (unit.id.as_str(), "all", nix::libc::SIGKILL);
        self.ask("KillUnit", &body).map_err(|error| error.into_failure(&unit.id))
    }

    /// Takes a job back. One that is over needs no more.
    pub fn cancel(&mut self, job: &str) -> bool {
        let member = ("org.freedesktop.systemd1.Job", "Cancel");
        let answer: Result<(), BusError> = self.bus.call(job, member, &(), self.deadline);
        answer.is_ok()
    }

    /// Gives an order and waits for the end of this job, and no other one, until the limit. A
    /// connection that breaks is made anew; the order is repeated only if it was not confirmed, and
    /// systemd makes one job of two alike.
    ///
    /// # Errors
    /// When systemd refuses it, or does not answer.
    pub fn order(
        &mut self,
        verb: Verb,
        unit: &Unit,
        mode: &str,
        limit: Deadline,
    ) -> Result<Ended, BusError> {
        let order = Order { verb, id: &unit.id, mode };
        let mut job = None;
        let ended = self.bus.with(limit, ORDER, async |connection: &Connection| {
            order.follow(connection, &mut job).await
        });
        match (ended, job) {
            // What was waited for in vain is the job's end.
            (Err(BusError::Away(_)), Some(job)) => Ok(Ended::Late(job)),
            (ended, _) => ended?,
        }
    }
}

/// What is to be done with which unit.
struct Order<'a> {
    verb: Verb,
    id: &'a str,
    mode: &'a str,
}

impl Order<'_> {
    /// Gives the order, unless there is a job already, and waits for the job's end. A caller that
    /// subscribes only afterwards misses the end of a fast one: first it subscribes to the signal,
    /// then it orders the job.
    async fn follow(
        &self,
        connection: &Connection,
        job: &mut Option<String>,
    ) -> zbus::Result<Result<Ended, BusError>> {
        let mut signals = self.listen(connection).await?;
        if job.is_some() && !is_there(connection, job).await? {
            return Ok(Ok(Ended::Unheard));
        }
        if job.is_none() {
            let body = (self.id, self.mode);
            let answer = connection
                .call_method(Some(SYSTEMD), OBJECT, Some(MANAGER), self.verb.method(), &body)
                .await?;
            match read::<OwnedObjectPath>(&answer) {
                Ok(path) => *job = Some(path.as_str().to_owned()),
                Err(error) => return Ok(Err(error)),
            }
        }
        loop {
            match within(LOOKING, next(&mut signals)).await {
                Some(Some(signal)) => {
                    // Number, object, unit, result.
                    let removed = read::<(u32, OwnedObjectPath, String, String)>(&signal?);
                    match removed {
                        Ok((_, path, _, result)) if Some(path.as_str()) == job.as_deref() => {
                            return Ok(Ok(Ended::With(result)));
                        }
                        _ => {}
                    }
                }
                Some(None) => {
                    return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
                }
                None if is_there(connection, job).await? => {}
                None => return Ok(Ok(Ended::Unheard)),
            }
        }
    }

    /// Asks for the signals about the end of this unit's jobs.
    async fn listen(&self, connection: &Connection) -> zbus::Result<MessageStream> {
        let rule =
            MatchRule::builder().msg_type(Type::Signal).sender(SYSTEMD)?.interface(MANAGER)?;
        let rule = rule.member("JobRemoved")?.arg(2, self.id)?.build();
        let signals = MessageStream::for_match_rule(rule, connection, Some(QUEUE)).await?;
        subscribe(connection).await.map(|()| signals)
    }
}

/// Asks for signals: without this, systemd keeps them to itself.
///
/// # Errors
/// When systemd refuses.
pub async fn subscribe(connection: &Connection) -> zbus::Result<()> {
    match connection.call_method(Some(SYSTEMD), OBJECT, Some(MANAGER), "Subscribe", &()).await {
        Err(zbus::Error::MethodError(name, ..))
            if name.as_str().ends_with(".AlreadySubscribed") =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// The next message; `None` when the connection has ended.
pub async fn next(signals: &mut MessageStream) -> Option<zbus::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *signals).poll_next(context)).await
}

/// Whether a job is not over yet.
async fn is_there(connection: &Connection, job: &Option<String>) -> zbus::Result<bool> {
    let Some(job) = job else { return Ok(false) };
    let question = ("org.freedesktop.systemd1.Job", "State");
    match connection
        .call_method(Some(SYSTEMD), job.as_str(), Some(PROPERTIES), "Get", &question)
        .await
    {
        Ok(_) => Ok(true),
        Err(zbus::Error::MethodError(name, ..)) if GONE.contains(&name.as_str()) => Ok(false),
        Err(error) => Err(error),
    }
}

fn unit(listed: Listed) -> Unit {
    let (id, _, load, active, sub, _, path, number, verb, job) = listed;
    let job = (number != 0).then(|| Job { verb, path: job.as_str().to_owned() });
    Unit { id, load, active, sub, job, path: path.as_str().to_owned() }
}
