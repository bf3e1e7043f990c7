//! Configurations of a server with one fault each: what a start, a validation, a reload and a
//! monitor say, and what serves.

use crate::{Agent, Host};

/// One fault.
pub struct Fault {
    /// What it is, for people.
    pub name: &'static str,
    /// The lines of the configuration that have it.
    pub lines: &'static str,
    /// The code of a start.
    pub start: i32,
    /// The code of validate-all at level 10: another program's port or an absent address may be
    /// right when it is needed.
    pub validate: i32,
    /// What the reasons of a start and a reload must say.
    pub says: &'static [&'static str],
}

/// One fault, in the order of its fields.
#[must_use]
pub const fn fault(
    name: &'static str,
    lines: &'static str,
    start: i32,
    validate: i32,
    says: &'static [&'static str],
) -> Fault {
    Fault { name, lines, start, validate, says }
}

/// Where TLS material is.
pub const TLS: &str = "/run/tls";

/// Makes TLS material in [`TLS`]: cert.pem with key.pem, other.pem, the key of another certificate,
/// and secret.pem, which is key.pem encrypted.
pub fn make_tls(host: &Host) {
    host.sh(&format!(
        "mkdir {TLS}; cd {TLS}; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web \
         -keyout key.pem -out cert.pem 2>/dev/null; openssl genrsa -out other.pem 2048 \
         2>/dev/null; openssl rsa -aes128 -passout pass:secret -in key.pem -out secret.pem \
         2>/dev/null; cat cert.pem key.pem > both.pem; cat cert.pem other.pem > mixed.pem; cat \
         cert.pem secret.pem > hidden.pem"
    ));
}

/// Says which fault it was when an expectation is not met.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            crate::tell::tell(&format!("the fault was: {}", self.0));
        }
    }
}

/// A server and how to look at it.
pub struct Server<'a> {
    /// Its agent.
    pub agent: Agent<'a>,
    /// Writes a configuration that serves, with these lines more.
    pub configure: &'a dyn Fn(&str),
    /// Whether clients are served.
    pub serves: &'a dyn Fn() -> bool,
    /// The number of its master.
    pub master: &'a dyn Fn() -> String,
    /// Panics unless nothing is left of it.
    pub expect_gone: &'a dyn Fn(),
}

impl Server<'_> {
    /// Tries every fault on a machine where nothing runs, and then under a server that runs: that
    /// one serves on, with its master, until the configuration is mended.
    #[track_caller]
    pub fn expect_faults(&self, faults: &[Fault]) {
        let Self { agent, configure, serves, master, expect_gone } = self;
        for fault in faults {
            let _named = Named(fault.name);
            configure(fault.lines);
            agent.start().expect_code(fault.start).expect_reason(fault.says);
            expect_gone();
            agent.monitor().expect_code(7);
            let validated = agent.validate_here();
            validated.expect_code(fault.validate);
            if fault.validate != 0 {
                validated.expect_reason(fault.says);
            }
        }
        configure("");
        agent.start().expect_code(0);
        let before = master();
        for (number, fault) in faults.iter().enumerate() {
            let _named = Named(fault.name);
            configure(fault.lines);
            agent.validate_here().expect_code(fault.validate);
            let agent = agent.clone().param("config_serial", &number.to_string());
            agent
                .action("reload")
                .expect_code(1)
                .expect_reason(&["configuration refused", "old configuration"]);
            agent.action("reload-agent").expect_code(0).expect_stderr(&["190"]);
            agent.monitor().expect_code(190).expect_reason(&["configuration refused"]);
            assert!(serves(), "{}", fault.name);
            assert_eq!(master(), before, "{}", fault.name);
        }
        configure("");
        let last = (faults.len() - 1).to_string();
        agent.clone().param("config_serial", &last).monitor().expect_code(0);
        assert!(serves());
        agent.stop().expect_code(0);
        expect_gone();
    }
}

/// A probe with a faulty parameter looks for the server all the same, by the record where there is
/// no configuration; and a stop ends it. `expect_gone` panics unless nothing is left.
#[track_caller]
pub fn expect_probes_look(agent: &Agent<'_>, expect_gone: impl Fn()) {
    let faulty = agent.clone().param("stop_grace", "soon");
    faulty.probe().expect_code(7).expect_reason(&["stop_grace"]);
    agent.start().expect_code(0);
    faulty.probe().expect_code(0).expect_stderr(&["stop_grace"]);
    agent
        .clone()
        .param("configfile", "no/path")
        .probe()
        .expect_code(0)
        .expect_stderr(&["configfile"]);
    faulty.stop().expect_code(0);
    expect_gone();
}
