//! What README says to put into the CI of another project works as it stands there.

use std::path::Path;

use harness::Host;

use crate::rows::file_agent;
use crate::said::tester;

/// The blocks of the section "In your CI", as people copy them.
fn blocks() -> [String; 2] {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ocf-tester/README.md");
    let text = std::fs::read_to_string(path).expect("the README of the tester");
    let section = text.split("\n## In your CI\n").nth(1).expect("a section for CI");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut found = vec![String::new()];
    for line in section.lines() {
        match (line.strip_prefix("    "), found.last_mut()) {
            (Some(line), Some(block)) => block.push_str(&format!("{line}\n")),
            (None, Some(block)) if !line.is_empty() && !block.is_empty() => {
                found.push(String::new())
            }
            _ => {}
        }
    }
    found.retain(|block| !block.is_empty());
    found.try_into().expect("a workflow and a rule for make")
}

/// A machine where the tester is installed, a user may become root, and a project has this agent.
fn project(agent: &str) -> Host {
    let host = Host::builder("project")
        .overlay()
        .tmpfs("/media")
        .tmpfs("/tmp")
        .bind(Path::new(&tester()), "/media/tester");
    let host = host.start();
    host.sh(&format!(
        "install -m 755 /media/tester /usr/bin/ocf-tester; mkdir /media/my-project
        cat >/media/my-project/my-agent <<'END OF AGENT'\n{agent}\nEND OF AGENT
        printf '#!/bin/sh\\nexec \"$@\"\\n' >/usr/bin/sudo; chmod 755 /usr/bin/sudo \
        /media/my-project/my-agent"
    ));
    host
}

/// The agent of the example, and one whose second start fails.
fn agents() -> [String; 2] {
    let refuse = "case $1 in start|stop) [ \"$(id -u)\" = 0 ] || \
                  { echo ocf-exit-reason:not root >&2; exit 4; } ;; esac";
    let named = |first| {
        file_agent(&format!("{refuse}\n{first}")).replace("name=\"agent\"", "name=\"my-agent\"")
    };
    [named(""), named("[ \"$1\" != start ] || [ ! -e /run/agent.state ] || exit 1")]
}

#[test]
fn the_workflow_for_ci_runs_as_it_is_written() {
    if !crate::has(&["python3", "xmllint"]) {
        return;
    }
    let [workflow, _] = blocks();
    // As a runner reads it: the commands of the job, in their order.
    let steps: Vec<&str> =
        workflow.lines().filter_map(|line| line.trim_start().strip_prefix("- run: ")).collect();
    let (test, prepare) = steps.split_last().expect("steps");
    // What these install is here already: the suites need the same, and packages have tests of
    // their own.
    assert!(prepare.iter().all(|step| step.starts_with("sudo apt-get ")), "{prepare:?}");
    let needed: Vec<&str> =
        prepare[0].rsplit(" -y ").next().unwrap_or_default().split(' ').collect();
    let list = include_str!("../../packages");
    assert!(needed.iter().all(|package| list.contains(package)), "{needed:?}");
    for (agent, code) in agents().iter().zip([0, 1]) {
        let host = project(agent);
        let done = host.run("/bin/sh", &["-euc", &format!("cd /media/my-project && {test}")]);
        assert_eq!(done.code, Some(code), "{done:#?}");
        assert_eq!(done.stdout.contains("::error file=my-agent"), code == 1, "{done:#?}");
    }
}

#[test]
fn the_rule_for_make_runs_as_it_is_written() {
    if !crate::has(&["make", "xmllint"]) {
        return;
    }
    let [_, rule] = blocks();
    for (agent, code) in agents().iter().zip([0, 2]) {
        let host = project(agent);
        host.sh(&format!("cat >/media/my-project/Makefile <<'END OF FILE'\n{rule}END OF FILE"));
        let done = host.run("/bin/sh", &["-euc", "cd /media/my-project && make ocf-test"]);
        assert_eq!(done.code, Some(code), "{done:#?}");
        let page = host.sh("cat /media/my-project/ocf-test.html");
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{page}");
        assert_eq!(page.contains("<article class=\"fail\""), code != 0, "{page}");
    }
}
