//! The built binary, called as anybody may call it: without root, without a cluster, without an environment.

use std::process::{Command, Output};

const AGENT: &str = env!("CARGO_BIN_EXE_IPaddr2");

#[expect(clippy::disallowed_methods, reason = "a test waits for what it calls")]
fn call(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(AGENT).args(arguments).env_clear().envs(environment.iter().copied()).output().expect("the agent runs")
}

fn reason(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(stderr.matches("ocf-exit-reason:").count(), 1, "{stderr}");
    let line = stderr.lines().last().expect("a line");
    line.strip_prefix("ocf-exit-reason:").unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

#[test]
fn meta_data_is_the_committed_file() {
    let output = call(&["meta-data"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("../../../metadata/IPaddr2.xml"));
    assert!(output.stderr.is_empty());
}

#[test]
fn unknown_and_missing_actions_are_3_with_the_known_ones_as_the_reason() {
    for arguments in [&["frobnicate"][..], &[], &["START"], &["migrate_to"]] {
        let output = call(arguments, &[("OCF_RESKEY_ip", ":::::")]);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(reason(&output).contains("monitor reload-agent validate-all"), "{arguments:?}");
    }
}

#[test]
fn people_get_help_and_the_version() {
    for word in ["usage", "help", "--help", "-h"] {
        let output = call(&[word], &[]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{word}");
        assert!(text.contains("Usage: IPaddr2 <ACTION>") && text.contains("cidr_netmask"), "{text}");
    }
    assert!(String::from_utf8_lossy(&call(&["--version"], &[]).stdout).starts_with("IPaddr2 0."));
}

#[test]
fn validation_at_level_0_needs_no_host_and_names_every_fault() {
    let good = [("OCF_RESKEY_ip", "192.0.2.1"), ("OCF_RESKEY_nic", "no-such-nic")];
    assert_eq!(call(&["validate-all"], &good).status.code(), Some(0));
    let bad = [("OCF_RESKEY_ip", "1.2.3"), ("OCF_RESKEY_cidr_netmask", "99x"), ("OCF_RESKEY_nodad", "maybe")];
    let output = call(&["validate-all"], &bad);
    assert_eq!(output.status.code(), Some(6));
    for part in ["ip=\"1.2.3\"", "cidr_netmask=\"99x\"", "nodad=\"maybe\""] {
        assert!(reason(&output).contains(part), "{part}: {}", reason(&output));
    }
}

#[test]
fn a_caller_that_does_not_listen_is_no_reason_to_die() {
    use std::io::Read;
    let mut child =
        Command::new(AGENT).arg("meta-data").env_clear().stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 5]).unwrap();
    drop(pipe);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_reason_has_the_prefix_that_the_caller_asks_for() {
    let output = call(&["start"], &[("OCF_EXIT_REASON_PREFIX", "why: "), ("OCF_RESKEY_ip", "x\ny % \"z\"")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // As root the value is judged; anybody else is told that it takes root.
    assert!(stderr.starts_with("why: "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}
