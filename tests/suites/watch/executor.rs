//! An executor: one process on a machine that stays, and starts the agent again and again.

use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use harness::process::wait_until;
use harness::{Agent, Host};

/// A shell that gets commands. Monitors know it by its number and start time, as they know
/// Pacemaker's executor.
pub struct Executor<'host> {
    pub host: &'host Host,
    child: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    runs: Cell<u32>,
}

/// A monitor that has been started.
pub struct Run<'a> {
    executor: &'a Executor<'a>,
    /// Its number inside.
    pub pid: String,
    err: String,
    began: Instant,
}

/// What became of it.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; 128 and the signal's number after a signal.
    pub code: i32,
    pub stderr: String,
    pub elapsed: Duration,
}

impl<'host> Executor<'host> {
    pub fn new(host: &'host Host) -> Self {
        let mut child =
            host.command("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        host.sh("mkdir -p /run/runs");
        Self {
            host,
            child,
            pipes: RefCell::new((stdin, BufReader::new(stdout))),
            runs: Cell::new(0),
        }
    }

    /// Has the shell do something that answers with one line.
    fn tell(&self, line: &str) -> String {
        let mut pipes = self.pipes.borrow_mut();
        writeln!(pipes.0, "{line}").unwrap();
        let mut answer = String::new();
        pipes.1.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Keeps it running for two to three seconds.
    pub fn stay_busy(&self) {
        self.tell(
            "read -r up _ </proc/uptime; end=$((${up%.*} + 3)); \
             while [ ${up%.*} -lt $end ]; do read -r up _ </proc/uptime; done; echo done",
        );
    }

    /// Starts an action with its stdout in `out`.
    pub fn begin_into(&self, agent: &Agent<'_>, action: &str, out: &str) -> Run<'_> {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let variables: Vec<String> = agent
            .variables(action)
            .iter()
            .map(|(name, value)| quoted(&format!("{name}={value}")))
            .collect();
        let program = quoted(&agent.program().to_string_lossy());
        let began = Instant::now();
        let number = self.runs.get() + 1;
        self.runs.set(number);
        let err = format!("/run/runs/{number}");
        let variables = variables.join(" ");
        let pid = self.tell(&format!(
            "env -i {variables} {program} {action} </dev/null >{out} 2>{err} & echo $!"
        ));
        Run { executor: self, pid, err, began }
    }

    pub fn begin(&self, agent: &Agent<'_>, action: &str) -> Run<'_> {
        self.begin_into(agent, action, "/dev/null")
    }

    pub fn run(&self, agent: &Agent<'_>, action: &str) -> Ended {
        self.begin(agent, action).end()
    }

    /// A first run and, one interval later, a run that waits: returns once it does.
    pub fn waiting(&self, agent: &Agent<'_>) -> Run<'_> {
        let first = self.run(agent, "monitor");
        assert_eq!(first.code, 0, "{first:?}");
        std::thread::sleep(INTERVAL);
        let run = self.begin(agent, "monitor");
        run.waits();
        run
    }
}

impl Drop for Executor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interval of [`watched`] monitors.
pub const INTERVAL: Duration = Duration::from_millis(300);

/// A recurring monitor of an agent that may wait for so long.
pub fn watched<'a>(agent: Agent<'a>, watch: &str) -> Agent<'a> {
    agent.param("watch", watch).meta("interval", "300")
}

impl Run<'_> {
    /// Returns as soon as it sleeps as one that waits.
    pub fn waits(&self) {
        let sleeps = || self.is_waiting().then_some(());
        let waits = wait_until(Duration::from_secs(10), sleeps).is_some();
        let said = self.executor.host.sh(&format!("cat {}", self.err));
        assert!(
            waits,
            "does not wait: {} in {}, said {said:?}",
            self.file("comm"),
            self.file("wchan")
        );
    }

    pub fn is_waiting(&self) -> bool {
        let name = self.file("comm");
        name == "ocf-wait" && self.file("wchan").contains("poll")
    }

    /// A file of its own in /proc; empty when it has ended.
    pub fn file(&self, name: &str) -> String {
        self.executor
            .host
            .sh(&format!("cat /proc/{}/{name} 2>/dev/null || :", self.pid))
            .trim()
            .to_owned()
    }

    pub fn signal(&self, name: &str) {
        self.executor.host.sh(&format!("kill -{name} {}", self.pid));
    }

    /// Waits for its end.
    pub fn end(self) -> Ended {
        let code = self.executor.tell(&format!("wait {}; echo $?", self.pid)).parse().unwrap();
        let elapsed = self.began.elapsed();
        let stderr = self.executor.host.sh(&format!("cat {}", self.err));
        Ended { code, stderr, elapsed }
    }
}
