//! What wakes a monitor that waits: systemd's signals about the unit and those that it needs.
//!
//! The bus passes on only what the rules below ask for. A connection that ends is an event, too:
//! the bus was restarted, and the monitor looks and connects anew.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::watch::Source;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use zbus::message::{Message, Type};
use zbus::{Connection, MessageStream};

use crate::bus::{QUESTION, SYSTEMD, socket, within};
use crate::manager::{self, Manager};
use crate::name::UnitName;
use crate::settings::Settings;
use crate::state::Unit;

/// How long nothing more must come before the signals that have come are all read.
const QUIET: Duration = Duration::from_millis(2);

/// How long signals are read at a time, at the most.
const READING: Duration = Duration::from_millis(50);

const BUS: &str = "org.freedesktop.DBus";

/// The event sources of a unit that is well.
///
/// # Errors
/// When there is no connection for them.
pub fn sources(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
    let mut manager = Manager::new(context, &settings.identity)?;
    let names: Vec<&UnitName> =
        std::iter::once(&settings.identity.unit).chain(&settings.required).collect();
    let units = manager.look(&names)?;
    let runtime =
        Builder::new_current_thread().enable_all().build().or_fail("cannot wait for events")?;
    // A manager that replaces itself is away from the bus for a moment.
    let mut last = None;
    let opened = Deadline::after(QUESTION).min(context.budget.work()).poll(|| {
        let opened = runtime.block_on(within(QUESTION, open(&manager.bus.address, &units)))?;
        opened.map_err(|error| last = Some(error)).ok()
    });
    let Some((fd, connection, signals)) = opened else {
        let why = last.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
        return Err(Failure::generic(format!("systemd's signals cannot be had: {why}")));
    };
    let mut sources = Sources::default();
    sources.add(News { runtime, fd, _connection: connection, signals, units });
    Ok(sources)
}

/// Connects, and asks for the signals.
async fn open(address: &str, units: &[Unit]) -> zbus::Result<(OwnedFd, Connection, MessageStream)> {
    let path = socket(address).ok_or_else(|| zbus::Error::Address(address.to_owned()))?;
    let stream = UnixStream::connect(path).await?;
    // The connection's socket a second time: what is readable there is for the connection to read.
    let fd = stream.as_fd().try_clone_to_owned()?;
    let connection = zbus::connection::Builder::unix_stream(stream).build().await?;
    let signals = MessageStream::from(&connection);
    for rule in rules(units) {
        connection
            .call_method(Some(BUS), "/org/freedesktop/DBus", Some(BUS), "AddMatch", &(rule,))
            .await?;
    }
    manager::subscribe(&connection).await?;
    Ok((fd, connection, signals))
}

/// What we subscribe to, as match rules (D-Bus Specification, "Match Rules").
fn rules(units: &[Unit]) -> Vec<String> {
    let from = format!("type='signal',sender='{SYSTEMD}'");
    let manager = format!("{from},interface='{}'", manager::MANAGER);
    let mut rules =
        vec![format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'")];
    for Unit { id, path, .. } in units {
        rules.push(format!("{from},interface='{}',path='{path}'", manager::PROPERTIES));
        rules.push(format!("{manager},member='UnitRemoved',arg0='{id}'"));
        rules.push(format!("{manager},member='JobNew',arg2='{id}'"));
    }
    rules
}

/// The signals.
struct News {
    runtime: Runtime,
    fd: OwnedFd,
    /// Reads from the socket as long as it is there.
    _connection: Connection,
    signals: MessageStream,
    units: Vec<Unit>,
}

impl Source for News {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    fn event(&mut self) -> Option<String> {
        let Self { runtime, signals, units, .. } = self;
        let until = Deadline::after(READING);
        while !until.expired() {
            match runtime.block_on(async { within(QUIET, manager::next(signals)).await }) {
                Some(Some(Ok(signal))) => {
                    if let Some(event) = about(&signal, units) {
                        return Some(event);
                    }
                }
                Some(_) => return Some("the connection to the bus ended".to_owned()),
                None => return None,
            }
        }
        None
    }
}

/// A signal in words; `None` for what is none, as the answers of before.
fn about(signal: &Message, units: &[Unit]) -> Option<String> {
    let header = signal.header();
    if header.message_type() != Type::Signal {
        return None;
    }
    let path = header.path().map(|path| path.as_str());
    let id = units
        .iter()
        .find(|unit| Some(unit.path.as_str()) == path)
        .or(units.first())
        .map(|unit| unit.id.as_str());
    match (header.member()?.as_str(), id?) {
        ("PropertiesChanged", id) => Some(format!("{id} changed")),
        ("UnitRemoved", id) => Some(format!("{id} was unloaded")),
        ("JobNew", id) => Some(format!("a job for {id} began")),
        ("NameOwnerChanged", _) => Some("systemd came to the bus or left it".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        let text = String::new;
        let path = "/org/freedesktop/systemd1/unit/a_2eservice".to_owned();
        Unit {
            id: "a.service".to_owned(),
            load: text(),
            active: text(),
            sub: text(),
            job: None,
            path,
        }
    }

    fn signal(path: &str, interface: &str, member: &str) -> Message {
        Message::signal(path, interface, member).unwrap().build(&()).unwrap()
    }

    #[test]
    fn signals_are_named_and_other_messages_are_none() {
        let units = [unit()];
        let event = |path: &str, interface: &str, member: &str| {
            about(&signal(path, interface, member), &units)
        };
        assert_eq!(
            event(&units[0].path, manager::PROPERTIES, "PropertiesChanged").as_deref(),
            Some("a.service changed")
        );
        let object = "/org/freedesktop/systemd1";
        assert_eq!(
            event(object, manager::MANAGER, "JobNew").as_deref(),
            Some("a job for a.service began")
        );
        assert!(
            event("/org/freedesktop/DBus", BUS, "NameOwnerChanged").unwrap().contains("systemd")
        );
        assert_eq!(event("/org/freedesktop/DBus", BUS, "NameAcquired"), None);
        let call = Message::method_call("/x", "Get").unwrap().build(&()).unwrap();
        assert_eq!(about(&call, &units), None);
    }

    #[test]
    fn each_unit_has_its_rules() {
        let rules = rules(&[unit()]);
        assert_eq!(rules.len(), 4);
        assert!(
            rules
                .iter()
                .any(|rule| rule.ends_with("path='/org/freedesktop/systemd1/unit/a_2eservice'"))
        );
        assert!(rules.iter().any(|rule| rule.ends_with("member='JobNew',arg2='a.service'")));
    }
}
