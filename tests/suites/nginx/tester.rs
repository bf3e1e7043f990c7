//! The tester's judgement.

use std::time::Duration;

use harness::call::executable;
use harness::enter::Entry;
use harness::host::built_directory;
use harness::process::{self, Victim};

use crate::{PLAIN, configure, machine};

#[test]
fn the_tester_finds_nothing() {
    let Some(host) = machine() else { return };
    // Where every user can get at it.
    host.sh(&format!("cp {} /srv/nginx; chmod 755 /srv/nginx", executable("nginx").display()));
    let path = configure(&host, "a", PLAIN);
    let (mut command, pid) = host.command_as(built_directory().join("ocf-tester"), Entry::default());
    command.args(["--strict", "-n", "tested", "-o", &format!("configfile={path}"), "/srv/nginx"]);
    let done = process::run(&mut command, pid, Duration::from_secs(500), Victim::Process).unwrap();
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    let bad = done.stdout.lines().any(|line| ["fail", "warn"].iter().any(|word| line.trim_start().starts_with(word)));
    assert!(!bad, "{}", done.stdout);
    crate::expect_gone(&host);
}
