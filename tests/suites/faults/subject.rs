//! The resources that faults befall, and how to see from outside whether they are there.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::Deref as _;
use std::time::Duration;

use harness::cluster::installed;
use harness::process::wait_until;
use harness::rig::VIP4;
use harness::skip::skip;
use harness::{Agent, Host, L2, Outcome, SystemdBox, agent, systemd_box};

use crate::judge::{self, State};

/// The time-out that the agent is called with. It has to end before that.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The same where nothing fails, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A resource on a machine of its own.
pub struct Subject {
    machine: Machine,
    pub kind: &'static str,
    parameters: Vec<(&'static str, String)>,
    look: Look,
    /// The files of a clean stop.
    clean: OnceCell<BTreeSet<String>>,
}

enum Machine {
    Alone(Host),
    Wired(Box<L2>),
    Booted(Box<SystemdBox>),
}

/// How it is seen.
enum Look {
    File(&'static str),
    Address(&'static str),
    /// Processes of this name, and a page on port 8081.
    Site(&'static str),
    /// Processes of this name, which cannot work on this kernel.
    Processes(&'static str),
    Unit(&'static str),
}

const PAGE: &str = "http://127.0.0.1:8081/";

impl Subject {
    pub fn dummy() -> Option<Subject> {
        let host = Host::builder("node").tmpfs("/srv").start();
        let path = "/srv/dummy.state";
        Subject::new(
            "Dummy",
            Machine::Alone(host),
            vec![("state", path.to_owned())],
            Look::File(path),
        )
    }

    pub fn ipaddr2() -> Option<Subject> {
        // One announcement: under strace an action ends when its background work does.
        let parameters = vec![("ip", VIP4.to_owned()), ("arp_count", "1".to_owned())];
        Subject::new(
            "IPaddr2",
            Machine::Wired(Box::new(L2::new())),
            parameters,
            Look::Address(VIP4),
        )
    }

    pub fn nginx() -> Option<Subject> {
        let text = "user root;\nworker_processes 1;\npid /run/web.pid;\nerror_log /srv/error.log;\n\
                    events { worker_connections 64; }\n\
                    http { access_log off; root /srv; server { listen 127.0.0.1:8081; } }";
        Subject::server("nginx", "nginx", "/srv/web.conf", text, Look::Site("nginx"))
    }

    pub fn haproxy() -> Option<Subject> {
        let text = "global\n  maxconn 50\ndefaults\n  mode http\n  timeout connect 1s\n  timeout \
                    client 9s\n  timeout server 9s\n\
                    frontend web\n  bind 127.0.0.1:8081\n\
                    \x20 http-request return status 200 content-type text/plain string alive";
        Subject::server("haproxy", "haproxy", "/srv/web.cfg", text, Look::Site("haproxy"))
    }

    pub fn apache() -> Option<Subject> {
        let modules = ["mpm_event", "authz_core", "dir"]
            .map(|module| {
                format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
            })
            .concat();
        let text = format!(
            "ServerName web\nServerRoot /srv\nPidFile /run/web.pid\n{modules}User www-data\n\
             Group www-data\nStartServers 1\n\
             ErrorLog /srv/error.log\nDocumentRoot /srv\nDirectoryIndex index.html\n\
             Listen 127.0.0.1:8081"
        );
        Subject::server("apache", "apache2", "/srv/web.conf", &text, Look::Site("apache2"))
    }

    /// It cannot start without IP Virtual Server: all but a start that succeeds is tried.
    pub fn ldirectord() -> Option<Subject> {
        let text = "checkinterval=1\nvirtual=10.9.0.50:80\n\treal=127.0.0.1:8081 gate\n\
                    \tservice=http\n\tprotocol=tcp";
        Subject::server(
            "ldirectord",
            "ldirectord",
            "/srv/director.cf",
            text,
            Look::Processes("ldirectord"),
        )
    }

    pub fn systemd() -> Option<Subject> {
        if let Some(reason) = systemd_box::missing() {
            skip(&reason);
            return None;
        }
        let machine = SystemdBox::up("box");
        machine.sh("printf '[Service]\\nExecStart=/bin/sleep infinity\\n' \
            >/etc/systemd/system/thing.service
             systemctl daemon-reload");
        let parameters = vec![("unit", "thing.service".to_owned())];
        Subject::new(
            "systemd",
            Machine::Booted(Box::new(machine)),
            parameters,
            Look::Unit("thing.service"),
        )
    }

    fn server(
        kind: &'static str,
        program: &str,
        path: &str,
        text: &str,
        look: Look,
    ) -> Option<Subject> {
        if !harness::root::has_other_users() || !installed(program) {
            skip(&format!("{program} is not installed, or there is no user for its workers"));
            return None;
        }
        // A server makes directories for its own where it was built to.
        let own: &[&str] = if kind == "nginx" { &["/var/lib/nginx"] } else { &[] };
        let empty = ["/srv", "/var/log"].iter().chain(own);
        let host = empty.fold(Host::builder("node"), |builder, path| builder.tmpfs(path)).start();
        host.sh(&format!(
            "echo alive >/srv/index.html; mkdir /var/log/nginx; cat >{path} <<'END'\n{text}\nEND"
        ));
        Subject::new(kind, Machine::Alone(host), vec![("configfile", path.to_owned())], look)
    }

    fn new(
        kind: &'static str,
        machine: Machine,
        parameters: Vec<(&'static str, String)>,
        look: Look,
    ) -> Option<Subject> {
        if !["strace", "prlimit", "pgrep", "curl"].into_iter().all(installed) {
            skip("strace, prlimit, pgrep or curl is not installed");
            return None;
        }
        Some(Subject { machine, kind, parameters, look, clean: OnceCell::new() })
    }

    pub fn host(&self) -> &Host {
        match &self.machine {
            Machine::Alone(host) => host,
            Machine::Wired(rig) => &rig.a,
            Machine::Booted(machine) => machine.deref(),
        }
    }

    /// Whether it can be started at all.
    pub fn starts(&self) -> bool {
        !matches!(self.look, Look::Processes(_))
    }

    /// The agent, with nothing expected of it.
    pub fn agent(&self) -> Agent<'_> {
        let agent =
            agent(self.host(), self.kind).instance("thing").timeout(TIMEOUT).kill_after(TIMEOUT);
        self.parameters.iter().fold(agent, |agent, (name, value)| agent.param(name, value))
    }

    fn unhurried(&self) -> Agent<'_> {
        self.agent().timeout(PATIENCE).kill_after(PATIENCE)
    }

    /// An action, or a recurring monitor (`monitor`), a `probe`, `validate-all` with a look at the
    /// machine.
    pub fn call(&self, agent: &Agent<'_>, action: &str) -> Outcome {
        match action {
            "monitor" => agent.monitor(),
            "probe" => agent.probe(),
            "validate-all" => agent.validate_here(),
            action => agent.action(action),
        }
    }

    /// Brings it into this state without a fault, which has to succeed.
    #[track_caller]
    pub fn prepare(&self, up: bool, occasion: &str) {
        let state = self.state();
        let action = match up {
            true if !state.whole => "start",
            false if state.left => "stop",
            _ => return,
        };
        let outcome = self.call(&self.unhurried(), action);
        let wrong = judge::faults(action, &outcome, self.settled(up), false);
        assert!(outcome.code == 0 && wrong.is_empty(), "{occasion}: {wrong:?}\n{outcome}");
    }

    /// Stops it without a fault, and learns which files may be there after a stop: some are made
    /// once and stay.
    pub fn learn_clean(&self) {
        if self.starts() {
            self.prepare(true, "first");
        }
        self.unhurried().stop().expect_code(0);
        self.clean.get_or_init(|| self.files());
    }

    /// What is in the places where agents keep something of their own. But for the lock that starts
    /// with one configuration take turns by: only a start takes it away.
    fn files(&self) -> BTreeSet<String> {
        let listed =
            self.host().sh("find /run/resource-agents /run/systemd/system /srv -mindepth 1 \
             ! -name '*.common' 2>&1 || true");
        listed.lines().map(str::to_owned).collect()
    }

    /// What a probe and a stop without a fault come to after one, as far as that is wrong.
    pub fn aftermath(&self) -> Vec<String> {
        let (probe, mut wrong) = self.look(&self.unhurried(), "probe");
        let stop = self.call(&self.unhurried(), "stop");
        let left = self.settled(false).left;
        if stop.code != 0 || left {
            wrong.push(format!("the stop after it; left: {left}\n{stop}"));
        }
        if let Some(clean) = self.clean.get() {
            let more = self.files();
            let more: Vec<&str> = more.difference(clean).map(String::as_str).collect();
            if !more.is_empty() {
                wrong.push(format!("the stop after it left {}\n{stop}", more.join(", ")));
            }
        }
        wrong.iter().map(|text| format!("{text}\n{probe}")).collect()
    }

    /// What a monitor or a probe says, and what is wrong with it. Something that is on its way to
    /// its end or to its begin may be seen as there and as not there at once: it is looked at
    /// again.
    pub fn look(&self, agent: &Agent<'_>, action: &str) -> (Outcome, Vec<String>) {
        let mut tries = 0;
        loop {
            let before = self.state();
            let said = self.call(agent, action);
            let after = self.state();
            let wrong = judge::faults(action, &said, after, false);
            if before == after && wrong.is_empty() || tries == 20 {
                return (said, wrong);
            }
            tries += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What is there.
    pub fn state(&self) -> State {
        let host = self.host();
        let same = |there| State { left: there, whole: there };
        match self.look {
            Look::File(path) => same(host.run("test", &["-e", path]).code == Some(0)),
            Look::Address(address) => same(!host.seen(address).is_empty()),
            Look::Site(program) => {
                let left = self.processes(program);
                let page =
                    || host.run("curl", &["-s", "-o", "/dev/null", "--max-time", "3", PAGE]).code;
                State { left, whole: left && page() == Some(0) }
            }
            Look::Processes(program) => State { left: self.processes(program), whole: false },
            Look::Unit(unit) => {
                let said =
                    host.run("systemctl", &["show", "--value", "-p", "ActiveState", unit]).stdout;
                State {
                    left: !matches!(said.trim(), "inactive" | "failed"),
                    whole: said.trim() == "active",
                }
            }
        }
    }

    /// As [`Subject::state`], but what ends or begins gets a moment for it: a killed process is
    /// there until its processor comes round to it.
    pub fn settled(&self, there: bool) -> State {
        let wanted =
            || Some(self.state()).filter(|state| if there { state.whole } else { !state.left });
        wait_until(Duration::from_secs(2), wanted).unwrap_or_else(|| self.state())
    }

    fn processes(&self, program: &str) -> bool {
        // All but zombies.
        let found = self.host().run("pgrep", &["-x", program, "--runstates", "DRSTI"]).stdout;
        !found.trim().is_empty()
    }
}
