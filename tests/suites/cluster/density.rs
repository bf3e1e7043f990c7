//! Five hundred addresses on one node, each watched every second.

use std::fmt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::Cluster;
use harness::cluster::Node;
use harness::stage::Whose;

use crate::{addresses, tell, turn};

/// How many.
const COUNT: usize = 500;

/// When all must be there; on two processors the shell agent's monitors take more than there is
/// before that.
const LIMIT: Duration = Duration::from_secs(300);

/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(30);

/// What became of it.
struct Found {
    /// Monitors in a second.
    rate: f64,
    /// Processors that the agents used.
    agents: f64,
    /// Processors that Pacemaker's executor used, which starts them.
    executor: f64,
    failures: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |processors: f64| processors / self.rate * 1e3;
        write!(
            out,
            "{:.0} monitors a second; for each {:.2} ms of the agent and {:.2} ms of the executor \
             (processors: {:.2} and {:.2}); failed operations {}",
            self.rate,
            each(self.agents),
            each(self.executor),
            self.agents,
            self.executor,
            self.failures
        )
    }
}

/// The provider of a program that says its meta-data, whatever it is called for, and exits.
const NOTHING: &str = "nothing";
const DESCRIPTION: &str = r#"<?xml version="1.0"?>
<resource-agent name="IPaddr2"><version>1.1</version><parameters/><actions>
<action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s"/><action name="meta-data" timeout="5s"/>
</actions></resource-agent>
"#;

#[test]
#[ignore = "takes five minutes: make cluster-test"]
fn five_hundred_addresses_are_watched_every_second_as_far_as_the_processors_go() {
    let Some(_turn) = turn(&["cibadmin"]) else { return };
    let [ours, theirs] = [Whose::Native, Whose::Shell].map(|whose| {
        let found = watch(whose.provider());
        let said = match &found {
            Ok(found) => found.to_string(),
            Err(came) => format!(
                "{came} of them were there after {LIMIT:?}; their monitors leave no time for more"
            ),
        };
        tell(&format!("{COUNT} addresses, a monitor each second, {whose}: {said}"));
        found
    });
    let ours = ours.unwrap_or_else(|came| panic!("{came} of {COUNT} addresses came"));
    assert_eq!(ours.failures, 0);
    // Pacemaker counts the second from the end of the last one, and waits for its turn: a tenth is
    // its own. Where all processors are at work, it is they that decide.
    let all = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    let at_work = (ours.agents + ours.executor) / all;
    assert!(
        ours.rate > COUNT as f64 * 0.9 || at_work > 0.8,
        "{:.0} monitors a second instead of {COUNT}, with {:.0} % of the processors",
        ours.rate,
        at_work * 100.0
    );
    // For each monitor that was made, where there is anything to compare with.
    assert!(
        theirs.is_err()
            || theirs.is_ok_and(|theirs| ours.agents / ours.rate < theirs.agents / theirs.rate)
    );
}

/// What Pacemaker and the kernel take for a monitor that does nothing: the agent is a program that
/// only exits. The rest of what a monitor takes is the agent's.
#[test]
#[ignore = "takes minutes: make cluster-test"]
fn what_five_hundred_monitors_take_that_only_exit() {
    let Some(_turn) = turn(&["cibadmin"]) else { return };
    let found = watch(NOTHING).unwrap_or_else(|came| panic!("{came} of {COUNT} came"));
    tell(&format!("{COUNT} resources, a monitor each second that only exits: {found}"));
    assert_eq!(found.failures, 0);
}

/// Watches the addresses; how many there are at the end of the time, where not all come.
fn watch(provider: &str) -> Result<Found, usize> {
    // Pacemaker holds back when the machine's load is high, whatever makes it: here it would start
    // one address in ten seconds.
    let cluster = Cluster::builder(1).property("load-threshold", "10000%").start();
    let node = cluster.node(1);
    // Alone with what it is to do: nothing else starts a process inside.
    let file = "/root/many.xml";
    let nothing = provider == NOTHING;
    if nothing {
        node.sh(&format!("mkdir /usr/lib/ocf/resource.d/{NOTHING}"));
        let program = format!("usr/lib/ocf/resource.d/{NOTHING}/IPaddr2");
        let path = Path::new("/proc").join(node.pid().to_string()).join("root").join(program);
        harness::nothing::write(&path, DESCRIPTION).expect("the program");
    }
    node.write(file, &format!("<resources>{}</resources>", addresses(provider, COUNT, 1)));
    node.expect("cibadmin", &["--replace", "--scope", "resources", "--xml-file", file]);
    // Looking at it with crm_mon would cost more than the agents.
    let there = || if nothing { recorded(node) } else { present(node) };
    let limit = Instant::now() + LIMIT;
    while there() < COUNT {
        if Instant::now() >= limit {
            return Err(there());
        }
        sleep(Duration::from_millis(500));
    }
    // The last ones have begun to be watched too.
    sleep(Duration::from_secs(15));
    let began = Instant::now();
    let (agents, executor) = node.agents_cpu();
    let begun = node.begun_in(WATCHED);
    let took = began.elapsed().as_secs_f64();
    let (agents_after, executor_after) = node.agents_cpu();
    let status = cluster.status();
    // A native monitor is one process; of the shell agent's there are many.
    let each = if provider == "heartbeat" { processes_of_a_monitor() } else { 1.0 };
    let found = Found {
        rate: begun as f64 / each / took,
        agents: (agents_after - agents).as_secs_f64() / took,
        executor: (executor_after - executor).as_secs_f64() / took,
        failures: status.failures.len(),
    };
    cluster.down();
    Ok(found)
}

/// How many of the addresses the node has.
fn present(node: &Node) -> usize {
    let all = node.ip("-4 -o address show dev eth0");
    let ours = |line: &&str| (1..=3).any(|net| line.contains(&format!("inet 10.9.{net}.")));
    all.lines().filter(ours).count()
}

/// How many recurring monitors the cluster has on record.
fn recorded(node: &Node) -> usize {
    let status = node.expect("cibadmin", &["--query", "--scope", "status"]);
    status.matches("_monitor_1000\" operation=\"monitor\"").count()
}

/// The processes that a monitor of the shell agent takes, Pacemaker's own fork included: counted
/// with one address alone, which is watched a little less often than once a second, so that it is a
/// few percent too low.
fn processes_of_a_monitor() -> f64 {
    let cluster = Cluster::up(1);
    let node = cluster.node(1);
    let file = "/root/one.xml";
    node.write(file, &format!("<resources>{}</resources>", addresses("heartbeat", 1, 1)));
    node.expect("cibadmin", &["--replace", "--scope", "resources", "--xml-file", file]);
    cluster.wait_for("the address", crate::SOON, |status| status.are_well(&["V1"]));
    cluster.wait_idle();
    sleep(Duration::from_secs(5));
    let began = Instant::now();
    let begun = node.begun_in(Duration::from_secs(20));
    let took = began.elapsed().as_secs_f64();
    cluster.down();
    // A monitor each second and its own time, which is some hundredths.
    begun as f64 / took
}
