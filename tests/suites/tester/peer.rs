//! The shell tester that every agent's author knows, as it is packaged, run over the same agents.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use harness::skip::skip;

use crate::animal::{Animal, run};
use crate::{has, side_by_side};

const TESTER: &str = "/usr/sbin/ocf-tester";

/// It has no limit of its own for an agent that does not end. Far more than it takes for one that
/// does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Agents that it passes, and that lose data, fence nodes or frighten users.
const PASSED: &[&str] = &[
    "unknown-action",
    "validate-all--ocf-action",
    "process-left",
    "start-killed",
    "stop-killed",
    "monitor-killed",
    "stop-stopped",
    "stop-twice",
    "stop-promoted",
    "two-starts",
    "restart",
    "status",
    "reload-agent--stops",
    "migrate",
    "notify",
    "monitor-depths",
    "meta-data-pure",
    "meta-data-fast",
    "held-output",
    "file-left",
    "file-mode",
    "not-root",
    "working-directory",
    "umask",
    "missing-required",
    "stop-without-parameters",
    "reason",
    "quiet-monitor",
];

/// What it says of an agent.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// That it passed all tests.
    Passed,
    /// What it complains about first.
    Complained(String),
    /// Nothing: it waits for the agent.
    Hung,
}

impl std::fmt::Display for Said {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed => out.write_str("passed"),
            Self::Complained(about) => out.write_str(about),
            Self::Hung => out.write_str("(did not end)"),
        }
    }
}

/// False, and a loud skip, when it cannot be run.
fn is_there() -> bool {
    if !Path::new(TESTER).is_file() {
        skip(&format!("{TESTER} is not installed"));
        return false;
    }
    has(&["xmllint", "su"])
}

/// Asks it about an agent. It knows nothing of a cluster's tools that are not there.
fn ask(animal: &Animal) -> Said {
    let path = animal.path();
    let mut words: Vec<_> =
        animal.options().into_iter().filter(|word| !word.starts_with("--")).collect();
    words.push(&path);
    let machine = animal.machine();
    machine.sh("mkdir -p -m 1755 /run/resource-agents");
    // The machine has the outside's root directory: what an agent leaves in the current one must be
    // elsewhere.
    words.splice(0..0, ["-c", "cd /tmp && exec \"$0\" \"$@\"", TESTER]);
    let done = run(&machine, "/bin/sh", &words, PATIENCE);
    if done.timed_out {
        return Said::Hung;
    }
    if done.code == Some(0) && done.stdout.contains("passed all tests") {
        return Said::Passed;
    }
    // It complains in lines that begin with a star; what an agent may leave out is no complaint.
    let complaint =
        done.stdout.lines().find(|line| line.starts_with("* ") && !line.ends_with("(optional)"));
    Said::Complained(
        complaint
            .map_or_else(|| format!("{done:?}"), |line| line.trim_start_matches("* ").to_owned()),
    )
}

/// What it says of all agents in a folder, and a table of that beside what ours says
/// ([`crate::zoo`]).
fn ask_about(folder: &'static str) -> (BTreeMap<String, Said>, String) {
    let all = Animal::all(folder);
    let said = side_by_side(&all, Animal::name, ask);
    let row = |animal: &Animal| {
        let ours = if folder == "sound" { "passed" } else { animal.check() };
        format!("{:44} {ours:24} {}\n", animal.name(), said[&animal.name()])
    };
    let table = all.iter().map(row).collect();
    (said, table)
}

#[test]
fn the_shell_tester_passes_agents_that_a_cluster_cannot_rely_on() {
    if !is_there() {
        return;
    }
    let (said, table) = ask_about("broken");
    let passed: Vec<&str> = said
        .iter()
        .filter(|(_, said)| **said == Said::Passed)
        .filter_map(|(name, _)| name.split('/').nth(1))
        .collect();
    let missed: Vec<_> = PASSED.iter().filter(|name| !passed.contains(name)).collect();
    assert!(missed.is_empty(), "it is better than we say: {missed:?}");
    // Ours finds all of them. This one is given every complaint, whatever it is about.
    let found = said.len() - passed.len();
    println!("{table}the shell tester finds {found} of {}", said.len());
    assert!(found * 2 < said.len(), "it finds {found} of {}", said.len());
    assert_eq!(said["broken/in-time--start"], Said::Hung);
}

#[test]
fn the_shell_tester_complains_about_agents_of_the_api_of_today() {
    if !is_there() {
        return;
    }
    let (said, table) = ask_about("sound");
    println!("{table}");
    // It uses a type that came with OCF 1.1, and has no DOCTYPE: the schema of that version is
    // none.
    assert!(
        matches!(&said["sound/ocf-1.1"], Said::Complained(about) if about.contains("conform")),
        "{said:#?}"
    );
    assert_eq!(said["sound/ocf-1.0"], Said::Passed);
}
