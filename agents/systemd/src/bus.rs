//! The way to systemd: a D-Bus connection that is made when it is needed, and again when it breaks.
//!
//! Silence is never taken for an answer. systemd drops its connections when it replaces itself
//! (`daemon-reexec`), and a bus that is restarted drops everybody's; Pacemaker took that for "not
//! running" and restarted what ran (pacemaker#3880, #3927). So whatever may pass is tried again
//! until the limit, and what is left then is a doubt.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use zbus::address::transport::{Transport, UnixSocket};
use zbus::export::serde::Serialize;
use zbus::export::serde::de::DeserializeOwned;
use zbus::message::Message;
use zbus::zvariant::DynamicType;
use zbus::{Address, Connection};

/// Where the bus of the system is by default.
pub const SYSTEM_BUS: &str = "unix:path=/run/dbus/system_bus_socket";

/// systemd's name on the bus.
pub const SYSTEMD: &str = "org.freedesktop.systemd1";

/// There whenever systemd is the machine's init (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// The first and the longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// How long the first answer is waited for before it counts as lost: twice as long at each further
/// try, for the manager may also be slow.
pub const QUESTION: Duration = Duration::from_secs(2);

/// What is waited for only once: an answer that comes when the work is done.
pub const ORDER: Duration = Duration::MAX;

/// Errors that mean: the call was not processed.
const AWAY: [&str; 8] = [
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.Disconnected",
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.TimedOut",
    "org.freedesktop.DBus.Error.Timeout",
    "org.freedesktop.DBus.Error.LimitsExceeded",
    "org.freedesktop.DBus.Error.NoServer",
];

/// Why there is no answer to a question.
#[derive(Debug)]
pub enum BusError {
    /// systemd's own error, by its D-Bus name.
    Refused {
        /// Such as `org.freedesktop.systemd1.NoSuchUnit`.
        name: String,
        /// In systemd's words.
        text: String,
    },
    /// No answer until the limit.
    Away(String),
    /// There is an answer, and it cannot be.
    Garbled(String),
}

impl BusError {
    /// Whether systemd's error has this name, given without its common beginning.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name.rsplit('.').next() == Some(wanted))
    }

    /// The failure of an action that met it.
    pub fn into_failure(self, what: &str) -> Failure {
        match self {
            Self::Away(why) => Failure::generic(format!(
                "{what}: systemd does not answer ({why}); look at journalctl -u dbus"
            )),
            Self::Garbled(why) => {
                Failure::generic(format!("{what}: systemd's answer is not understood: {why}"))
            }
            Self::Refused { name, text } => {
                let kind = match name.rsplit('.').next().unwrap_or_default() {
                    "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => {
                        Kind::Permission
                    }
                    "NoSuchUnit" | "UnitMasked" | "BadUnitSetting" | "LoadFailed"
                    | "OnlyByDependency" => Kind::Installed,
                    _ => Kind::Generic,
                };
                Failure::new(kind, format!("{what}: {text}"))
            }
        }
    }
}

/// What a try came to.
enum Try<T> {
    Done(Result<T, BusError>),
    /// It may pass.
    Again(String),
}

/// The connection.
pub struct Bus {
    runtime: Runtime,
    /// Where it is.
    pub address: String,
    /// Whether it is this machine's own bus.
    pub is_own: bool,
    connection: Option<Connection>,
}

impl Bus {
    /// The bus that the parameter or the environment names; no connection is made yet.
    ///
    /// # Errors
    /// When the operating system lacks resources.
    pub fn new(context: &Context<'_>, address: Option<&str>) -> Result<Self, Failure> {
        let runtime =
            Builder::new_current_thread().enable_all().build().or_fail("cannot wait for events")?;
        let named = address
            .or_else(|| context.invocation.variable("DBUS_SYSTEM_BUS_ADDRESS"))
            .unwrap_or(SYSTEM_BUS);
        Ok(Self {
            runtime,
            address: named.to_owned(),
            is_own: named == SYSTEM_BUS,
            connection: None,
        })
    }

    /// Calls a method and reads its answer; tries again until the limit where it was not processed,
    /// so it must be a question, or an order that does no harm when it is given twice.
    ///
    /// # Errors
    /// See [`BusError`].
    pub fn call<B, T>(
        &mut self,
        path: &str,
        member: (&str, &str),
        body: &B,
        limit: Deadline,
    ) -> Result<T, BusError>
    where
        B: Serialize + DynamicType,
        T: DeserializeOwned + zbus::zvariant::Type,
    {
        let (interface, method) = member;
        let answer = self.with(limit, QUESTION, async |connection: &Connection| {
            connection.call_method(Some(SYSTEMD), path, Some(interface), method, body).await
        })?;
        read(&answer)
    }

    /// Does something with a connection, until it leads to a result or the limit comes. The first
    /// try gets `patience`, each further one twice as much: an answer can be lost with the
    /// connection that it was to come over.
    ///
    /// # Errors
    /// See [`BusError`].
    pub fn with<T, F>(
        &mut self,
        limit: Deadline,
        mut patience: Duration,
        mut work: F,
    ) -> Result<T, BusError>
    where
        F: AsyncFnMut(&Connection) -> zbus::Result<T>,
    {
        let mut pause = PAUSES.0;
        let mut known: Option<String> = None;
        loop {
            let part = limit.left().min(patience);
            patience = patience.saturating_mul(2);
            let why = match self.attempt(part, &mut work) {
                Try::Done(result) => return result,
                // A last try that the limit cuts short says less than the one before it.
                Try::Again(why) if part < QUESTION => known.take().unwrap_or(why),
                Try::Again(why) => why,
            };
            self.connection = None;
            if self.is_own && !std::path::Path::new(BOOTED).exists() {
                // No manager that could come back.
                let text = "this machine was not booted with systemd".to_owned();
                return Err(BusError::Refused { name: "NoSuchUnit".to_owned(), text });
            }
            if limit.expired() {
                return Err(BusError::Away(why));
            }
            known = Some(why);
            limit.sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn attempt<T, F>(&mut self, part: Duration, work: &mut F) -> Try<T>
    where
        F: AsyncFnMut(&Connection) -> zbus::Result<T>,
    {
        let Self { runtime, address, connection, .. } = self;
        let tried = runtime.block_on(within(part, async {
            let open = match connection {
                Some(open) => open,
                None => connection.insert(connect(address).await?),
            };
            work(open).await
        }));
        match tried {
            None => Try::Again(format!("no answer within {:.1} s", part.as_secs_f64())),
            Some(Ok(value)) => Try::Done(Ok(value)),
            Some(Err(error)) => classify(error),
        }
    }
}

/// The socket that an address names. Other kinds of addresses lead to other machines, or run
/// programs (`unixexec:`).
pub fn socket(address: &str) -> Option<PathBuf> {
    match Address::try_from(address).ok()?.transport() {
        Transport::Unix(socket) => match socket.path() {
            UnixSocket::File(path) => Some(path.clone()),
            // As the kernel writes it (unix(7)).
            UnixSocket::Abstract(name) => {
                Some(OsStr::from_bytes(&[&[0], name.as_encoded_bytes()].concat()).into())
            }
            _ => None,
        },
        _ => None,
    }
}

/// Connects, without the thread that zbus would start for it.
async fn connect(address: &str) -> zbus::Result<Connection> {
    let socket = socket(address).ok_or_else(|| zbus::Error::Address(address.to_owned()))?;
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => {
            return Err(zbus::Error::Connection(error.into(), Address::try_from(address)?));
        }
    };
    zbus::connection::Builder::unix_stream(stream).build().await
}

/// Waits for something, at most so long.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// Reads the body of an answer.
///
/// # Errors
/// When it has another form.
pub fn read<T>(answer: &Message) -> Result<T, BusError>
where
    T: DeserializeOwned + zbus::zvariant::Type,
{
    answer.body().deserialize().map_err(|error| BusError::Garbled(error.to_string()))
}

fn classify<T>(error: zbus::Error) -> Try<T> {
    match error {
        zbus::Error::MethodError(name, text, _) => {
            let (name, text) = (name.as_str().to_owned(), text.unwrap_or_default());
            // The bus could not bring systemd back by itself, which it cannot: something else does.
            if AWAY.contains(&name.as_str())
                || name.starts_with("org.freedesktop.DBus.Error.Spawn.")
            {
                return Try::Again(if text.is_empty() { name } else { text });
            }
            let text = if text.is_empty() { name.clone() } else { text };
            Try::Done(Err(BusError::Refused { name, text }))
        }
        zbus::Error::Connection(error, _) => Try::Again(format!("no connection: {error}")),
        zbus::Error::InputOutput(error) => Try::Again(format!("the connection broke: {error}")),
        zbus::Error::Handshake(why) => Try::Again(format!("the bus does not let us in: {why}")),
        other => Try::Done(Err(BusError::Garbled(other.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> Failure {
        BusError::Refused { name: name.into(), text: "so".into() }.into_failure("a.service")
    }

    #[test]
    fn what_systemd_refuses_is_said_in_its_words() {
        assert_eq!(refused("org.freedesktop.systemd1.UnitMasked").kind, Kind::Installed);
        assert_eq!(refused("org.freedesktop.DBus.Error.AccessDenied").kind, Kind::Permission);
        assert_eq!(refused("org.freedesktop.systemd1.ShuttingDown").kind, Kind::Generic);
        assert_eq!(refused("x.y").to_string(), "a.service: so");
        assert!(
            BusError::Refused { name: "a.b.NoSuchJob".into(), text: String::new() }.is("NoSuchJob")
        );
    }

    #[test]
    fn only_sockets_of_this_machine_are_addresses() {
        assert_eq!(socket("unix:path=/run/x"), Some("/run/x".into()));
        assert_eq!(socket("unix:abstract=x"), Some("\0x".into()));
        for bad in ["/run/x", "unixexec:path=/bin/sh", "tcp:host=h,port=1", "ibus:", ""] {
            assert_eq!(socket(bad), None, "{bad}");
        }
    }

    #[test]
    fn silence_is_a_doubt_and_never_an_answer() {
        let failure = BusError::Away("no answer within 1.0 s".into()).into_failure("a.service");
        assert_eq!(failure.kind, Kind::Generic);
        assert!(matches!(classify::<()>(zbus::Error::Handshake("x".into())), Try::Again(_)));
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(matches!(classify::<()>(zbus::Error::InputOutput(broken.into())), Try::Again(_)));
        assert!(matches!(
            classify::<()>(zbus::Error::InvalidReply),
            Try::Done(Err(BusError::Garbled(_)))
        ));
    }
}
