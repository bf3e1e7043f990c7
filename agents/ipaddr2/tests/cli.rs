//! The built binary, called as anybody may call it: without root, without a cluster, without an
//! environment.

use std::process::{Command, Stdio};

use ocf::testing::{Program, Said};

const AGENT: Program = Program(env!("CARGO_BIN_EXE_IPaddr2"));

#[test]
fn meta_data_is_the_committed_file() {
    AGENT.expect_description(include_str!("../../../metadata/IPaddr2.xml"), &["0"]);
}

#[test]
fn unknown_and_missing_actions_are_3_with_the_known_ones_as_the_reason() {
    AGENT.expect_usage();
    let said = AGENT.call("START", &[("OCF_RESKEY_ip", ":::::")]);
    assert!(said.stderr.contains("monitor reload-agent validate-all"), "{said:?}");
}

#[test]
fn people_get_help_and_the_version() {
    for word in ["usage", "help", "--help", "-h"] {
        let said = AGENT.call(word, &[]);
        assert_eq!(said.code, Some(0), "{word}");
        assert!(
            said.stdout.contains("Usage: IPaddr2 <ACTION>") && said.stdout.contains("cidr_netmask"),
            "{said:?}"
        );
    }
    assert!(AGENT.call("--version", &[]).stdout.starts_with("IPaddr2 0."));
}

#[test]
fn validation_at_level_0_needs_no_host_and_names_every_fault() {
    assert_eq!(AGENT.validate(&[("ip", "192.0.2.1"), ("nic", "no-such-nic")]), Said::silently(0));
    let bad = [("ip", "1.2.3"), ("cidr_netmask", "99x"), ("nodad", "maybe")];
    AGENT.expect_every_fault_is_named(&bad);
    let said = AGENT.validate(&bad);
    assert!(
        ["ip=\"1.2.3\"", "cidr_netmask=\"99x\"", "nodad=\"maybe\""]
            .iter()
            .all(|part| said.stderr.contains(part))
    );
}

#[test]
fn a_caller_that_does_not_listen_is_no_reason_to_die() {
    use std::io::Read;
    let mut child =
        Command::new(AGENT.0).arg("meta-data").env_clear().stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 5]).unwrap();
    drop(pipe);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_reason_has_the_prefix_that_the_caller_asks_for() {
    let said = AGENT
        .call("start", &[("OCF_EXIT_REASON_PREFIX", "why: "), ("OCF_RESKEY_ip", "x\ny % \"z\"")]);
    // As root the value is judged; for others the reason is that it takes root.
    assert!(said.stderr.starts_with("why: "), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
}
