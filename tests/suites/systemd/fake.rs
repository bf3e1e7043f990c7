//! A stand-in for systemd on a private bus, for the answers that the real one rarely gives.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use harness::cluster::installed;
use harness::host::Resident;
use harness::process::wait_until;
use harness::skip::skip;
use harness::{Agent, Host, agent};
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::zvariant::{ObjectPath, Value};
use zbus::{Connection, MessageStream};

const OBJECT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "/org/freedesktop/systemd1/unit/app_2eservice";
const JOB: &str = "/org/freedesktop/systemd1/job/7";

/// How the stand-in behaves.
#[derive(Clone, Debug)]
struct Manner {
    /// The state before an order, and after the end of its job.
    states: (&'static str, &'static str),
    /// How the job ends; without a word, it never does.
    result: Option<&'static str>,
    /// Whether the end is signalled.
    told: bool,
    /// D-Bus errors for the first questions about the state.
    errors: Vec<&'static str>,
    /// The D-Bus error for an order.
    refuses: Option<&'static str>,
    /// What is wrong with its answers.
    odd: Odd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    Nothing,
    /// Another form of answer.
    Form,
    /// Fewer units than requested.
    Empty,
    /// Properties of other types than they should be.
    Properties,
    /// No answer to an order.
    Mute,
}

impl Default for Manner {
    fn default() -> Self {
        let states = ("inactive", "active");
        Manner {
            states,
            result: Some("done"),
            told: true,
            errors: Vec::new(),
            refuses: None,
            odd: Odd::Nothing,
        }
    }
}

/// The stand-in, on its bus.
struct Fake<'host> {
    host: &'host Host,
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    bus: Option<Resident>,
    thread: Option<JoinHandle<()>>,
}

/// Where the bus is; or nothing, and a loud skip.
fn place() -> Option<Host> {
    if !installed("dbus-daemon") {
        skip("dbus-daemon is not installed");
        return None;
    }
    Some(Host::new("bus"))
}

impl<'host> Fake<'host> {
    /// Comes up with a manner.
    fn with(host: &'host Host, manner: Manner) -> Fake<'host> {
        let socket = format!("{}/bus", host.sh("mktemp -d /run/bus-XXXXXX").trim());
        let address = format!("unix:path={socket}");
        let outside = host.outside(&socket);
        let bus = host.spawn(
            "dbus-daemon",
            &["--session", "--nofork", "--nopidfile", &format!("--address={address}")],
        );
        let there = wait_until(crate::SOON, || UnixStream::connect(&outside).ok());
        assert!(there.is_some(), "the bus does not come up");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (ready, wait) = std::sync::mpsc::channel();
        let thread = {
            let (address, asked) = (format!("unix:path={}", outside.display()), Arc::clone(&asked));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("runtime");
                // It ends with the bus.
                let _ = runtime.block_on(serve(&address, manner, &asked, || {
                    ready.send(()).expect("the test waits")
                }));
            })
        };
        wait.recv_timeout(crate::SOON).expect("the stand-in comes up");
        Fake { host, address, asked, bus: Some(bus), thread: Some(thread) }
    }

    fn agent(&self) -> Agent<'_> {
        let agent =
            agent(self.host, "systemd").param("unit", "app").param("bus_address", &self.address);
        agent.param("drop_in", "no").timeout(Duration::from_secs(5))
    }

    fn was_asked(&self, method: &str) -> usize {
        self.asked.lock().expect("no panic").iter().filter(|asked| *asked == method).count()
    }
}

impl Drop for Fake<'_> {
    fn drop(&mut self) {
        drop(self.bus.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    address: &str,
    mut manner: Manner,
    asked: &Mutex<Vec<String>>,
    ready: impl FnOnce(),
) -> zbus::Result<()> {
    let connection = zbus::connection::Builder::address(address)?.build().await?;
    let mut stream = MessageStream::from(&connection);
    connection.request_name("org.freedesktop.systemd1").await?;
    ready();
    let mut over = false;
    while let Some(message) =
        std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await
    {
        let message = message?;
        if message.message_type() != Type::MethodCall {
            continue;
        }
        let member = message.header().member().map(ToString::to_string).unwrap_or_default();
        asked.lock().expect("no panic").push(member.clone());
        answer(&connection, &message, &member, &mut manner, &mut over).await?;
    }
    Ok(())
}

/// A unit as systemd lists it.
type Listed<'a> = (
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    ObjectPath<'a>,
    u32,
    &'a str,
    ObjectPath<'a>,
);

async fn answer(
    connection: &Connection,
    message: &Message,
    member: &str,
    manner: &mut Manner,
    over: &mut bool,
) -> zbus::Result<()> {
    let header = message.header();
    let path = |text: &'static str| ObjectPath::from_static_str_unchecked(text);
    match member {
        "ListUnitsByNames" if !manner.errors.is_empty() => {
            connection.reply_error(&header, manner.errors.remove(0), &"so it is").await
        }
        "ListUnitsByNames" if manner.odd == Odd::Form => {
            connection.reply(&header, &(7_u32, "what?")).await
        }
        "ListUnitsByNames" => {
            let state = if *over { manner.states.1 } else { manner.states.0 };
            let unit: Listed<'_> =
                ("app.service", "", "loaded", state, "sub", "", path(UNIT), 0, "", path("/"));
            let units = if manner.odd == Odd::Empty { vec![] } else { vec![unit] };
            connection.reply(&header, &units).await
        }
        "GetAll" => {
            let mut properties: HashMap<&str, Value<'_>> = HashMap::new();
            if manner.odd == Odd::Properties {
                for name in [
                    "Result",
                    "DropInPaths",
                    "LoadError",
                    "CanReload",
                    "Conditions",
                    "Before",
                    "ConditionTimestamp",
                ] {
                    properties.insert(name, Value::from(7_u8));
                }
                properties.insert("MainPID", Value::from("one"));
                properties.insert("ExecMainCode", Value::from(vec!["x"]));
            }
            connection.reply(&header, &properties).await
        }
        "GetUnitProcesses" => connection.reply(&header, &Vec::<(String, u32, String)>::new()).await,
        "StartUnit" | "StopUnit" => {
            if let Some(name) = manner.refuses {
                return connection.reply_error(&header, name, &"not now").await;
            }
            if manner.odd == Odd::Mute {
                return Ok(());
            }
            connection.reply(&header, &path(JOB)).await?;
            let Some(result) = manner.result else { return Ok(()) };
            *over = true;
            if manner.told {
                // Others come first: of another unit, and of an older job of this one.
                for (number, job, unit, result) in [
                    (5_u32, "/org/freedesktop/systemd1/job/5", "other.service", "failed"),
                    (6, "/org/freedesktop/systemd1/job/6", "app.service", "canceled"),
                    (7, JOB, "app.service", result),
                ] {
                    let body = (number, path(job), unit, result);
                    connection
                        .emit_signal(None::<&str>, OBJECT, MANAGER, "JobRemoved", &body)
                        .await?;
                }
            }
            Ok(())
        }
        "Get" if header.path().is_some_and(|asked| asked.as_str() == OBJECT) => {
            connection.reply(&header, &Value::from(Vec::<String>::new())).await
        }
        "Get" if *over => {
            connection
                .reply_error(&header, "org.freedesktop.DBus.Error.UnknownObject", &"no such job")
                .await
        }
        "Get" => connection.reply(&header, &Value::from("running")).await,
        _ => connection.reply(&header, &()).await,
    }
}

#[test]
fn each_end_of_a_job_has_its_own_reason() {
    let Some(host) = place() else { return };
    for (result, words) in [
        ("skipped", "skipped"),
        ("canceled", "cancelled"),
        ("timeout", "JobTimeoutSec"),
        ("dependency", "depends on"),
        ("failed", "failed"),
        ("assert", "assertion"),
        ("unsupported", "not possible here"),
        ("collected", "\"collected\""),
    ] {
        let fake = Fake::with(
            &host,
            Manner { result: Some(result), states: ("inactive", "failed"), ..Manner::default() },
        );
        fake.agent().start().expect_code(1).expect_reason(&["start job of app.service", words]);
    }
}

#[test]
fn only_the_end_of_our_own_job_counts() {
    let Some(host) = place() else { return };
    let fake = Fake::with(&host, Manner::default());
    fake.agent().start().expect_code(0).expect_silent();
    assert_eq!(fake.was_asked("StartUnit"), 1);
}

#[test]
fn a_job_without_an_end_is_cancelled_in_time() {
    let Some(host) = place() else { return };
    let fake = Fake::with(&host, Manner { result: None, ..Manner::default() });
    fake.agent()
        .start()
        .expect_code(1)
        .expect_reason(&["not active in time", "our job was cancelled"]);
    assert_eq!((fake.was_asked("StartUnit"), fake.was_asked("Cancel")), (1, 1));
    // A stop goes on without us.
    let fake = Fake::with(
        &host,
        Manner { result: None, states: ("active", "active"), ..Manner::default() },
    );
    fake.agent().stop().expect_code(1).expect_reason(&["app.service is active"]);
    assert_eq!(fake.was_asked("Cancel"), 0);
}

#[test]
fn an_end_that_nobody_has_heard_of_is_found() {
    let Some(host) = place() else { return };
    let fake = Fake::with(&host, Manner { told: false, ..Manner::default() });
    fake.agent().start().expect_code(0).expect_silent();
    let fake = Fake::with(
        &host,
        Manner { told: false, states: ("active", "inactive"), ..Manner::default() },
    );
    fake.agent().stop().expect_code(0).expect_silent();
}

#[test]
fn an_order_that_is_not_confirmed_is_a_doubt() {
    let Some(host) = place() else { return };
    let fake = Fake::with(&host, Manner { odd: Odd::Mute, ..Manner::default() });
    fake.agent().start().expect_code(1).expect_reason(&["start of app.service", "does not answer"]);
    let fake = Fake::with(
        &host,
        Manner { odd: Odd::Mute, states: ("active", "active"), ..Manner::default() },
    );
    fake.agent().stop().expect_code(1).expect_reason(&["stop of app.service", "does not answer"]);
}

#[test]
fn errors_that_pass_are_waited_for() {
    let Some(host) = place() else { return };
    let errors = [
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.Disconnected",
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.TimedOut",
        "org.freedesktop.DBus.Error.LimitsExceeded",
        "org.freedesktop.DBus.Error.Spawn.ChildExited",
    ];
    let manner =
        Manner { errors: errors.to_vec(), states: ("active", "active"), ..Manner::default() };
    let fake = Fake::with(&host, manner);
    fake.agent().monitor().expect_code(0).expect_silent();
    assert_eq!(fake.was_asked("ListUnitsByNames"), errors.len() + 1);
}

#[test]
fn a_manager_that_never_comes_to_its_bus_is_named_whatever_the_last_try_had_time_for() {
    let Some(host) = place() else { return };
    let errors = vec!["org.freedesktop.DBus.Error.ServiceUnknown"; 10_000];
    let fake = Fake::with(&host, Manner { errors, ..Manner::default() });
    fake.agent().start().expect_code(1).expect_reason(&["does not answer", "so it is"]);
}

#[test]
fn errors_that_stay_are_reported() {
    let Some(host) = place() else { return };
    for (error, code) in [
        ("org.freedesktop.DBus.Error.AccessDenied", 4),
        ("org.freedesktop.systemd1.ShuttingDown", 1),
        ("org.freedesktop.systemd1.TransactionIsDestructive", 1),
        ("org.freedesktop.systemd1.UnitMasked", 5),
    ] {
        let fake = Fake::with(&host, Manner { refuses: Some(error), ..Manner::default() });
        fake.agent().start().expect_code(code).expect_reason(&["start of app.service", "not now"]);
    }
}

#[test]
fn an_answer_that_cannot_be_is_a_doubt() {
    let Some(host) = place() else { return };
    for odd in [Odd::Form, Odd::Empty] {
        let fake = Fake::with(&host, Manner { odd, ..Manner::default() });
        for outcome in [
            fake.agent().monitor(),
            fake.agent().probe(),
            fake.agent().start(),
            fake.agent().stop(),
        ] {
            outcome.expect_code(1).expect_reason(&["app.service", "not understood"]);
        }
    }
    for state in ["maintenance", "", "activ"] {
        let fake = Fake::with(&host, Manner { states: (state, state), ..Manner::default() });
        fake.agent().monitor().expect_code(1).expect_reason(&["app.service", "not known"]);
    }
}

#[test]
fn properties_of_another_form_change_no_state() {
    let Some(host) = place() else { return };
    for (state, code) in [("inactive", 7), ("failed", 7), ("active", 0)] {
        let fake = Fake::with(
            &host,
            Manner { odd: Odd::Properties, states: (state, state), ..Manner::default() },
        );
        fake.agent().monitor().expect_code(code);
        fake.agent().env("OCF_CHECK_LEVEL", "10").monitor().expect_code(code);
    }
}
