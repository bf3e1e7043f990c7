//! The shell tester's judgement. That of our own is among those of all agents.

use std::time::Duration;

use harness::Host;
use harness::call::executable;
use harness::cluster::installed;
use harness::enter::Entry;
use harness::process::{self, Finished, Victim};
use harness::shell_tester;
use harness::skip::skip;

use crate::{PLAIN, configure, expect_gone, machine};

/// A machine with the agent where every user can get at it, and parameters for all levels.
fn prepared() -> Option<(Host, Vec<String>)> {
    let host = machine()?;
    host.sh(&format!(
        "cp {} /media/haproxy; chmod 755 /media/haproxy",
        executable("haproxy").display()
    ));
    let path = configure(&host, "a", PLAIN);
    let parameters = [format!("configfile={path}"), "statusurl=http://127.0.0.1:8081/".to_owned()];
    let options = parameters.into_iter().flat_map(|parameter| ["-o".to_owned(), parameter]);
    let mut words = vec!["-n".to_owned(), "tested".to_owned()];
    words.extend(options);
    words.push("/media/haproxy".into());
    Some((host, words))
}

fn judge(host: &Host, program: &str, words: &[String]) -> Finished {
    let (mut command, pid) = host.command_as(program, Entry::default());
    command.args(words);
    let done = process::run(&mut command, pid, Duration::from_secs(500), Victim::Process)
        .expect("it runs");
    expect_gone(host);
    done
}

#[test]
fn the_shell_tester_objects_to_nothing_but_its_dtd() {
    let Some((host, words)) = prepared() else { return };
    if !["ocf-tester", "xmllint", "su"].iter().all(|program| installed(program)) {
        return skip("ocf-tester, xmllint or su is not installed");
    }
    if !harness::root::has_other_users() {
        return skip("the tester needs to change to the user nobody, which takes root");
    }
    host.sh("mkdir -p -m 1755 /run/resource-agents");
    shell_tester::expect_dtd_alone(&judge(&host, shell_tester::PROGRAM, &words));
}
