//! One member: a machine with a disk, its cables, and the cluster's daemons.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::call::{executable, is_there};
use crate::enter::Entry;
use crate::host::{Host, Resident};
use crate::process::{self, Finished, Victim, wait_until};
use crate::rig::Lan;
use crate::systemd_box::SystemdBox;

use super::config::{self, Totem};
use super::{PROVIDER, Status, census, remote};

/// Limit of a single command: the cluster's tools wait for the cluster.
const TOOL: Duration = Duration::from_secs(120);

/// Until the daemons must have ended after a SIGTERM: they stop the resources first.
const SHUTDOWN: Duration = Duration::from_secs(90);

/// What a node's processes live in.
#[derive(Debug)]
enum Machine {
    /// One that starts nothing by itself; and the daemons that were started: Corosync, then
    /// Pacemaker.
    // Dropped in this order: a cut of power ends all at once, where a daemon that lost another one
    // would wait for it.
    Plain(Host, Vec<Resident>),
    /// One whose process 1 is systemd; and whether its units of the daemons were started.
    Systemd(SystemdBox, bool),
}

/// One member of a cluster; also a [`Host`].
#[derive(Debug)]
pub struct Node {
    pub(super) number: usize,
    pub(super) disk: PathBuf,
    /// Of Pacemaker's daemons, where they are no units.
    pub(super) environment: Vec<String>,
    machine: Machine,
}

impl Deref for Node {
    type Target = Host;
    fn deref(&self) -> &Host {
        match &self.machine {
            Machine::Plain(host, _) => host,
            Machine::Systemd(machine, _) => machine,
        }
    }
}

impl Machine {
    fn plain(name: &str, disk: &Path) -> Machine {
        let builder = Host::builder(name).disk(disk).tmpfs("/tmp");
        let remoted = remote::unpacked().map(|from| (from, remote::INSIDE.to_owned()));
        let binds = agents().chain(remoted);
        let host = binds.fold(builder, |builder, (from, to)| builder.bind(&from, &to)).start();
        // What tmpfiles.d makes on a real machine.
        host.sh("chmod 1777 /tmp; mkdir -p -m 1755 /run/resource-agents; mkdir -p /run/apache2 \
            /run/haproxy");
        Machine::Plain(host, Vec::new())
    }

    fn systemd(name: &str, disk: &Path) -> Machine {
        let builder = SystemdBox::builder(name).disk(disk);
        Machine::Systemd(
            agents().fold(builder, |builder, (from, to)| builder.bind(&from, &to)).start(),
            false,
        )
    }
}

/// The agents that are built, and where they appear in a node.
fn agents() -> impl Iterator<Item = (PathBuf, String)> {
    let built = crate::call::names().filter(|kind| is_there(kind));
    built.map(|kind| (executable(kind), format!("/usr/lib/ocf/resource.d/{PROVIDER}/{kind}")))
}

impl Node {
    /// A machine with its disk and its cables, and no daemons running.
    pub(super) fn power_on(number: usize, disk: PathBuf, lans: &[Lan], units: bool) -> Node {
        let make = if units { Machine::systemd } else { Machine::plain };
        let node = Node {
            number,
            environment: Vec::new(),
            machine: make(&format!("node{number}"), &disk),
            disk,
        };
        lans.iter().for_each(|lan| lan.wire(number, &node));
        node
    }

    /// A disk that is used for the first time.
    pub(super) fn format(&self, totem: &Totem, properties: &[(String, String)]) {
        self.sh("rm -rf /var/lib/corosync/* /var/log/corosync/* /var/log/pacemaker/*
             mkdir -p /var/lib/corosync /var/log/corosync /var/log/pacemaker
             for each in cib pengine cores blackbox; do rm -rf /var/lib/pacemaker/$each/*; done
             : > /etc/resolv.conf");
        self.write("/etc/hostname", &format!("{}\n", self.name()));
        self.write("/etc/hosts", &totem.hosts());
        if let Machine::Systemd(..) = self.machine {
            self.write("/etc/default/pacemaker", &(self.environment.join("\n") + "\n"));
        }
        self.write("/etc/corosync/corosync.conf", &totem.corosync_conf());
        let empty = self.expect("cibadmin", &["--empty"]);
        self.write("/var/lib/pacemaker/cib/cib.xml", &config::first_cib(&empty, properties));
        self.sh("chown hacluster:haclient /var/lib/pacemaker/cib/cib.xml; chmod 600 \
            /var/lib/pacemaker/cib/cib.xml");
    }

    /// Writes a file inside.
    pub fn write(&self, path: &str, text: &str) {
        // An argument has at most 128 KiB.
        let mut rest = text;
        let mut into = ">";
        loop {
            let fits = |end: &usize| rest.is_char_boundary(*end);
            let end = (0..=rest.len().min(60_000)).rev().find(fits).unwrap_or_default();
            self.expect(
                "/bin/sh",
                &["-euc", &format!("printf %s \"$2\" {into} \"$1\""), "sh", path, &rest[..end]],
            );
            (rest, into) = (&rest[end..], ">>");
            if rest.is_empty() {
                break;
            }
        }
    }

    /// Starts Corosync, and Pacemaker once that answers.
    pub(super) fn boot(&mut self) {
        if let Machine::Systemd(_, started) = &mut self.machine {
            *started = true;
            // Corosync's unit says when it is ready, and Pacemaker's comes after it.
            self.expect("systemctl", &["start", "corosync", "pacemaker"]);
            return;
        }
        self.launch(&["corosync", "-f"]);
        let answers = wait_until(Duration::from_secs(30), || {
            let answer = self.tool("corosync-cmapctl", &["-g", "runtime.votequorum.this_node_id"]);
            (answer.code == Some(0)).then_some(())
        });
        assert!(answers.is_some(), "corosync does not answer on {}: {}", self.name(), self.logs());
        self.launch(&["pacemakerd", "-f"]);
    }

    pub(super) fn launch(&mut self, command: &[&str]) {
        if let Machine::Plain(host, daemons) = &mut self.machine {
            // env becomes the program.
            let environment = self.environment.iter().map(String::as_str);
            let words: Vec<&str> = environment.chain(command.iter().copied()).collect();
            daemons.push(host.spawn("env", &words));
        }
    }

    /// Ends Pacemaker, which stops or moves its resources, then Corosync, as
    /// `systemctl stop corosync` does.
    pub(super) fn shut_down(&mut self) {
        let ended = match &mut self.machine {
            Machine::Plain(_, daemons) => {
                let ended = daemons.iter_mut().rev().all(|daemon| daemon.end(SHUTDOWN));
                daemons.clear();
                ended
            }
            Machine::Systemd(_, started) => {
                *started = false;
                self.tool("systemctl", &["stop", "pacemaker", "corosync"]).code == Some(0)
            }
        };
        assert!(ended, "the daemons of {} do not end: {}", self.name(), self.logs());
    }

    /// Whether its daemons were started, and not ended since.
    #[must_use]
    pub fn has_daemons(&self) -> bool {
        match &self.machine {
            Machine::Plain(_, daemons) => !daemons.is_empty(),
            Machine::Systemd(_, started) => *started,
        }
    }

    /// Everything inside dies at once.
    pub(super) fn cut_power(&mut self) {
        match &mut self.machine {
            Machine::Plain(host, daemons) => {
                host.cut_power();
                daemons.clear();
            }
            Machine::Systemd(machine, started) => {
                machine.cut_power();
                *started = false;
            }
        }
    }

    /// Shuts down as an administrator does: process 1 ends everything in good order.
    pub(super) fn halt(&mut self) {
        match &mut self.machine {
            Machine::Plain(..) => {
                self.shut_down();
                self.cut_power();
            }
            Machine::Systemd(machine, started) => {
                machine.halt("/etc/hostname");
                *started = false;
            }
        }
    }

    /// The processes inside with this name, by their numbers outside.
    #[must_use]
    pub fn processes(&self, name: &str) -> Vec<i32> {
        census::named(&[census::network_of(self.pid())], name)
    }

    /// SIGKILL to all processes inside that have this name; panics when there is none.
    pub fn kill_all(&self, name: &str) {
        let found = self.processes(name);
        assert!(!found.is_empty(), "{}: no process is called {name}", self.name());
        found.into_iter().for_each(|pid| process::kill(pid, Victim::Process));
    }

    /// What the executor's children, the agents, have used of the processor until now; and the
    /// executor itself.
    #[must_use]
    pub fn agents_cpu(&self) -> (Duration, Duration) {
        // Its forks have its name until they are agents, and have not waited.
        let all = self.processes("pacemaker-execd").into_iter().map(census::cpu);
        let (own, children) = all.max_by_key(|(_, children)| *children).unwrap_or_default();
        (children, own)
    }

    /// The number that the next process or thread inside gets; it goes to the process that reports
    /// it.
    #[must_use]
    pub fn next_process(&self) -> u64 {
        let said = self.sh("echo $$");
        said.trim().parse().expect("a number")
    }

    /// How many processes and threads begin inside while `time` passes. The numbers of processes
    /// come round again.
    #[must_use]
    pub fn begun_in(&self, time: Duration) -> u64 {
        /// The first ones are left out then (kernel/pid.c, RESERVED_PIDS).
        const RESERVED: u64 = 300;
        let largest =
            self.sh("cat /proc/sys/kernel/pid_max").trim().parse::<u64>().expect("a number");
        let until = Instant::now() + time;
        let (mut begun, mut last) = (0, self.next_process());
        while Instant::now() < until {
            std::thread::sleep(
                until.saturating_duration_since(Instant::now()).min(Duration::from_secs(2)),
            );
            let now = self.next_process();
            let further = if now > last { now } else { now + largest - RESERVED };
            // Our own shell is none of them.
            begun += (further - last).saturating_sub(1);
            last = now;
        }
        begun
    }

    /// Runs one of the cluster's tools inside. A failure is an answer; no end within two minutes is
    /// a panic.
    pub fn tool(&self, program: &str, args: &[&str]) -> Finished {
        let (mut command, pid) = self.command_as(program, Entry::default());
        command.args(args).env("HOME", "/root");
        let done = process::run(&mut command, pid, TOOL, Victim::Process)
            .unwrap_or_else(|error| panic!("{}: {program} {args:?}: {error}", self.name()));
        assert!(!done.timed_out, "{}: {program} {args:?} did not end: {done:#?}", self.name());
        done
    }

    /// As [`Node::tool`], but a failure is a panic with all that it said. Returns its standard
    /// output.
    pub fn expect(&self, program: &str, args: &[&str]) -> String {
        let done = self.tool(program, args);
        assert!(done.code == Some(0), "{}: {program} {args:?} failed: {done:#?}", self.name());
        done.stdout
    }

    /// `pcs` with words split at white space; panics when it fails.
    pub fn pcs(&self, words: &str) -> String {
        self.expect("pcs", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// `crm` with words split at white space; panics when it fails.
    pub fn crm(&self, words: &str) -> String {
        self.expect("crm", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// What the cluster says here about itself; `None` while Pacemaker does not answer.
    #[must_use]
    pub fn try_status(&self) -> Option<Status> {
        let said = self.tool("crm_mon", &["-1", "--output-as=xml", "--inactive", "--include=all"]);
        (said.code == Some(0)).then(|| Status::parse(&said.stdout).expect("crm_mon prints XML"))
    }

    /// Pacemaker's detail log of this node.
    #[must_use]
    pub fn log(&self) -> String {
        self.tool("cat", &["/var/log/pacemaker/pacemaker.log"]).stdout
    }

    /// What the agents were called for on this node, in order, and what it came to: such as
    /// `start: ok`, as Pacemaker logs it.
    #[must_use]
    pub fn results(&self, resource: &str) -> Vec<String> {
        let of = format!(" operation for {resource} on ");
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.split_once("Result of "));
        let results = lines.filter_map(|(_, result)| {
            let (task, rest) = result.split_once(&of)?;
            let (_, outcome) = rest.split(" | ").next()?.split_once(": ")?;
            // Pacemaker 3 writes OK, 2.1 writes ok.
            let outcome = if outcome.eq_ignore_ascii_case("ok") { "ok" } else { outcome };
            Some(format!("{task}: {outcome}"))
        });
        results.collect()
    }

    /// The ends of all logs, for a panic.
    pub(super) fn logs(&self) -> String {
        let script = "for f in /var/log/corosync/*.log /var/log/pacemaker/*.log; do echo \"$f:\"; \
            tail -n 40 \"$f\"; done";
        self.tool("/bin/sh", &["-c", script]).stdout
    }
}
