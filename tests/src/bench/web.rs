//! The agents of web servers and of haproxy: a healthy monitor at each depth, start, stop, and the
//! way back after a crash.

use std::path::PathBuf;
use std::time::Duration;

use harness::host::{Host, built_directory};
use ocf_tester::environment::{self, Operation};

use crate::Bench;
use crate::agents::{Program, Who};
use crate::monitor;
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, median};

/// At most this part of the shell agent's instructions.
const OF_SHELL: f64 = 1.0 / 15.0;
/// Nanoseconds on top of what the server itself takes.
const ON_TOP: f64 = 20e6;
/// Nanoseconds from the crash of nginx or haproxy to its service.
const BACK: f64 = 300e6;

/// A kind of server, and how it is configured.
struct Kind {
    agent: &'static str,
    /// Its configuration, with `@` for its directory and `#` for its port.
    config: &'static str,
    /// The parameters besides the configuration, with the same marks.
    parameters: &'static [(&'static str, &'static str)],
    /// How it is started without an agent, with the same marks; the configuration comes last.
    plain: &'static [&'static str],
    /// The check of the configuration before a start, which no agent should leave out; the
    /// configuration comes last.
    check: &'static str,
    /// At most so many times the floor's instructions.
    most: f64,
    /// Whether the floor asks on the socket of a master instead of for a page.
    has_socket: bool,
    /// The signal that asks it to end.
    polite: &'static str,
}

const NGINX: Kind = Kind {
    agent: "nginx",
    config: "pid @/pid; error_log @/error.log; worker_processes 1; events {} http { access_log \
             off; server { listen 127.0.0.1:#; root @; location /nginx_status { stub_status on; } \
             } }",
    parameters: &[("status10url", "http://127.0.0.1:#/nginx_status")],
    plain: &["/usr/sbin/nginx", "-c"],
    check: "",
    most: 1.6,
    has_socket: false,
    polite: "QUIT",
};

const APACHE: Kind = Kind {
    agent: "apache",
    config: "ServerRoot @\nServerName localhost\nPidFile @/pid\nMutex file:@ default\n\
             Listen 127.0.0.1:#\n\
             LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
             LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
             LoadModule status_module /usr/lib/apache2/modules/mod_status.so\n\
             ErrorLog @/error.log\n\
             DocumentRoot @\n<Location /server-status>\nSetHandler server-status\n</Location>",
    parameters: &[
        ("httpd", "/usr/sbin/apache2"),
        ("statusurl", "http://127.0.0.1:#/server-status"),
        ("testurl", "http://127.0.0.1:#/page"),
        ("testregex10", "well"),
    ],
    plain: &["/usr/sbin/apache2", "-k", "start", "-f"],
    check: "",
    most: 1.6,
    has_socket: false,
    polite: "TERM",
};

const HAPROXY: Kind = Kind {
    agent: "haproxy",
    config: "defaults\nmode http\ntimeout connect 1s\ntimeout client 9s\ntimeout server 9s\n\
             frontend web\nbind 127.0.0.1:#\n\
             http-request return status 200 content-type text/plain string well",
    parameters: &[("pidfile", "@/pid"), ("master_socket", "@/socket")],
    plain: &["/usr/sbin/haproxy", "-W", "-D", "-p", "@/pid", "-S", "@/socket", "-f"],
    check: "/usr/sbin/haproxy -q -c -f",
    most: 2.0,
    has_socket: true,
    polite: "USR1",
};

impl Kind {
    /// The page that a monitor asks for. Level 0 of nginx asks for none: there the floor has the
    /// smallest one.
    fn page(&self, depth: Option<&str>) -> &'static str {
        match (self.agent, depth) {
            ("nginx", Some("10")) => "/nginx_status",
            ("apache", None | Some("0")) => "/server-status",
            _ => "/page",
        }
    }
}

/// One server of a kind, for one of the three to manage.
struct Server<'a> {
    kind: &'a Kind,
    who: Who,
    port: u16,
}

impl Server<'_> {
    fn directory(&self) -> String {
        format!("/run/web-{}", self.port)
    }

    fn filled(&self, text: &str) -> String {
        text.replace('@', &self.directory()).replace('#', &self.port.to_string())
    }

    /// Writes its files.
    fn prepare(&self, host: &Host) {
        let directory = self.directory();
        let config = self.filled(self.kind.config);
        host.sh(&format!(
            "mkdir -p {directory}; echo well >{directory}/page; cat >{directory}/conf <<'END'\n\
             {config}\nEND"
        ));
    }

    fn agent(&self) -> Option<PathBuf> {
        let path = match self.who {
            Who::Ours => built_directory().join(self.kind.agent),
            Who::Shell => PathBuf::from("/usr/lib/ocf/resource.d/heartbeat").join(self.kind.agent),
            Who::Floor => return Some(built_directory().join("ocf-bench-floor-web")),
        };
        path.is_file().then_some(path)
    }

    /// An action on it; of the floor, one request for the page that the depth asks for.
    fn action(&self, host: &Host, action: &str, depth: Option<&str>) -> Option<Program> {
        let path = self.agent()?;
        let configfile = ("configfile", "@/conf");
        let parameters = self.kind.parameters.iter().chain([&configfile]);
        let resource = environment::Resource {
            instance: format!("web-{}", self.port).into(),
            kind: self.kind.agent.into(),
            provider: "bench".into(),
            root: "/usr/lib/ocf".into(),
            node: host.name().to_owned(),
            parameters: parameters
                .map(|(name, value)| ((*name).into(), self.filled(value).into()))
                .collect(),
        };
        let interval = (action == "monitor").then_some("10000");
        let timeout = Duration::from_secs(40);
        let all =
            environment::of(&resource, &Operation { action, timeout, interval, level: depth });
        let text = |value: &std::ffi::OsString| value.to_string_lossy().into_owned();
        let env = all.iter().map(|(name, value)| (text(name), text(value))).collect();
        let args = match self.who {
            Who::Floor if self.kind.has_socket => {
                let table = if depth == Some("10") { ";@1 show stat -1 1 -1" } else { "" };
                let question = format!("show proc;@1 show info{table}");
                vec![
                    format!("{}/socket", self.directory()),
                    question,
                    format!("{}/pid", self.directory()),
                ]
            }
            Who::Floor => {
                vec![
                    self.port.to_string(),
                    self.kind.page(depth).to_owned(),
                    format!("{}/pid", self.directory()),
                ]
            }
            Who::Ours | Who::Shell => vec![action.to_owned()],
        };
        Some(Program { who: self.who, path, args, env })
    }
}

/// All kinds.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    for kind in [&NGINX, &APACHE, &HAPROXY] {
        if !std::path::Path::new(kind.plain[0]).is_file() {
            bench
                .not_measured(&format!("{}: install the package of {}", kind.agent, kind.plain[0]));
            continue;
        }
        monitors(bench, kind)?;
        starts(bench, kind)?;
    }
    Ok(())
}

/// A machine where ours and the shell's each watch an nginx that they started, and their monitors
/// at a depth.
pub fn nginx(bench: &mut Bench, depth: &str) -> Result<(Host, Vec<Program>), String> {
    let host = machine(bench);
    let servers = [(Who::Ours, 8081), (Who::Shell, 8082)].map(|(who, port)| Server {
        kind: &NGINX,
        who,
        port,
    });
    let mut monitors = Vec::new();
    for server in &servers {
        server.prepare(&host);
        let actions =
            (server.action(&host, "start", None), server.action(&host, "monitor", Some(depth)));
        if let (Some(start), Some(monitor)) = actions {
            spawn::once(&host, start)?;
            monitors.push(monitor);
        }
    }
    Ok((host, monitors))
}

fn machine(bench: &Bench) -> Host {
    let host = ["/var/log", "/var/lib/nginx"]
        .into_iter()
        .fold(Host::builder("web"), harness::host::Builder::tmpfs)
        .dir("/var/log/nginx")
        .dir("/var/log/apache2")
        .start();
    bench.prepare(&host);
    host
}

/// Ours and the shell's each watch a server that they started; the floor asks ours.
fn monitors(bench: &mut Bench, kind: &Kind) -> Result<(), String> {
    bench.say(&format!("healthy monitor, {}", kind.agent));
    let host = machine(bench);
    let servers = [(Who::Ours, 8081), (Who::Shell, 8082), (Who::Floor, 8081)]
        .map(|(who, port)| Server { kind, who, port });
    for server in servers.iter().filter(|server| server.who != Who::Floor) {
        server.prepare(&host);
        if let Some(start) = server.action(&host, "start", None) {
            spawn::once(&host, start)?;
        }
    }
    for depth in ["0", "10"] {
        let programs: Vec<Program> = servers
            .iter()
            .filter_map(|server| server.action(&host, "monitor", Some(depth)))
            .collect();
        let mut rows = Vec::new();
        rows.extend(monitor::instructions(bench, &host, &programs, (kind.most, OF_SHELL)));
        rows.extend(monitor::calls(bench, &host, &programs));
        rows.extend(monitor::times(&host, &programs, bench.rounds(100, 10))?);
        rows.push(monitor::memory(&host, &programs, bench.rounds(10, 3), None)?);
        let title = format!("Healthy monitor, {}, depth {depth}", kind.agent);
        bench.add(Section { name: "web", title, rows });
    }
    Ok(())
}

/// A shell's line as a program, for what needs no more.
fn line(script: String) -> Program {
    let path = PathBuf::from("/bin/sh");
    Program { who: Who::Floor, path, args: vec!["-c".to_owned(), script], env: Vec::new() }
}

/// Start and stop beside the server's own, and ours after a crash.
fn starts(bench: &mut Bench, kind: &Kind) -> Result<(), String> {
    bench.say(&format!("start and stop, {}", kind.agent));
    let mut start = Row::new("start, wall time, median", Unit::Time);
    let mut stop = Row::new("stop, wall time, median", Unit::Time);
    let mut back = Row::new("after kill -9 of the master: stop and start, median", Unit::Time);
    let mut least = (0.0, 0.0);
    for (who, rounds) in [(Who::Floor, 20), (Who::Ours, 20), (Who::Shell, 5)] {
        let host = machine(bench);
        let server = Server { kind, who, port: 8081 };
        server.prepare(&host);
        let pid = format!("{}/pid", server.directory());
        let (up, down) = if who == Who::Floor {
            // A start is over when the server answers.
            let asks = built_directory().join("ocf-bench-floor-web");
            let answers =
                format!("until {} {} /page {pid}; do :; done", asks.display(), server.port);
            let plain = server.filled(&kind.plain.join(" "));
            let conf = format!("{}/conf", server.directory());
            let check = if kind.check.is_empty() {
                String::new()
            } else {
                format!("{} {conf} && ", kind.check)
            };
            let words = format!("{check}{plain} {conf} && {answers}");
            // All this is built into the shell: it looks without pause. A signal that meets a
            // server which has just begun may be lost (seen of haproxy's master): after some 100 ms
            // it is sent again.
            let wait = format!(
                "read p <{pid}; i=0; while [ -e /proc/$p ]; do [ $((i % 20000)) != 0 ] || kill -{} \
                 $p; i=$((i + 1)); done",
                kind.polite
            );
            (Some(line(words)), Some(line(wait)))
        } else {
            (server.action(&host, "start", None), server.action(&host, "stop", None))
        };
        let (Some(up), Some(down)) = (up, down) else { continue };
        let (mut starts, mut stops, mut backs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.rounds(rounds, 2) {
            starts.push(spawn::once(&host, up.clone())?.wall);
            host.sh(&format!("until [ -s {pid} ]; do :; done"));
            stops.push(spawn::once(&host, down.clone())?.wall);
            if who == Who::Ours {
                spawn::once(&host, up.clone())?;
                host.sh(&format!("kill -9 $(cat {pid})"));
                backs.push(
                    spawn::once(&host, down.clone())?.wall + spawn::once(&host, up.clone())?.wall,
                );
                spawn::once(&host, down.clone())?;
            }
        }
        start.set(who, median(starts));
        stop.set(who, median(stops));
        back.set(who, median(backs));
        if who == Who::Floor {
            least = (start.get(who).unwrap_or_default(), stop.get(who).unwrap_or_default());
        }
    }
    let mut rows = vec![
        start
            .at_most(least.0 + ON_TOP)
            .compare(Who::Shell, None)
            .note("the floor is the server alone"),
        stop.at_most(least.1 + ON_TOP).compare(Who::Shell, None),
    ];
    rows.push(if kind.agent == "apache" { back } else { back.at_most(BACK) });
    bench.add(Section { name: "web", title: format!("Start and stop, {}", kind.agent), rows });
    Ok(())
}
