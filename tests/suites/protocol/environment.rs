//! The caller's environment: tracing, missing libraries, missing tools, closed pipes, other users.

use std::time::Duration;

use harness::enter::Entry;
use harness::process::{Victim, run};
use harness::rig::VIP4;
use harness::{L2, call};

use crate::{dummy_on, subjects};

/// Tracing recursed for ever with one shell (RA#734).
#[test]
fn sl_10_tracing_does_not_change_a_result() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        for traced in [
            subject.clone().env("OCF_TRACE_RA", "1"),
            subject.clone().env("OCF_TRACE_RA", "1").env("OCF_TRACE_FILE", "/dev/stderr"),
            subject.clone().env("OCF_TRACE_RA", "1").env("OCF_TRACE_FILE", "/run/not/there/trace"),
            subject.clone().param("trace_ra", "1"),
            subject.clone().param("trace_ra", "1").param("trace_file", "/var/log/trace-of-ours"),
        ] {
            traced.probe().expect_code(7);
            traced.start().expect_code(0);
            traced.monitor().expect_code(0);
            traced.stop().expect_code(0);
            traced.monitor().expect_code(7);
        }
    }
}

/// Switching the trace on restarted the resource (RA#2146, RA#2147).
#[test]
fn sl_11_the_trace_can_be_switched_on_without_a_restart() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        subject.start().expect_code(0);
        subject.clone().param("trace_ra", "1").action("reload-agent").expect_code(0);
        subject.monitor().expect_code(0);
        let xml = subject.action("meta-data").expect_code(0).stdout.clone();
        let trace = xml
            .split("name=\"trace_ra\"")
            .nth(1)
            .and_then(|rest| rest.split('>').next())
            .expect("trace_ra");
        assert!(trace.contains("reloadable=\"1\""), "{trace}");
        assert!(xml.contains("<action name=\"reload-agent\""), "{xml}");
        subject.stop().expect_code(0);
    }
    rig.a.expect_absent(VIP4);
}

/// An agent that was newer than the library failed in strange ways (RA#682, RA#1938); there is none
/// to miss here.
#[test]
fn sl_12_no_library_is_needed() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        let lost =
            subject.env("OCF_ROOT", "/not/there").env("OCF_FUNCTIONS_DIR", "/not/there/either");
        lost.start().expect_code(0);
        lost.monitor().expect_code(0).expect_silent();
        lost.stop().expect_code(0);
    }
}

/// Without OCF_ROOT the message was cryptic (RA#1768).
#[test]
fn sl_13_meta_data_needs_no_environment() {
    let rig = L2::new();
    for kind in ["IPaddr2", "Dummy"] {
        let bare = harness::agent(&rig.a, kind).bare();
        let outcome = bare.action("meta-data");
        outcome.expect_code(0);
        assert!(
            outcome.stdout.starts_with("<?xml version=\"1.0\"?>") && outcome.stderr.is_empty(),
            "{outcome}"
        );
        bare.action("usage").expect_code(0);
    }
    let bare = rig.vip4().bare();
    bare.start().expect_code(0);
    bare.stop().expect_code(0);
}

/// Lines of information on stderr frightened users (RA#1485).
#[test]
fn sl_14_nothing_is_said_when_all_is_well() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        for action in
            ["monitor", "start", "start", "monitor", "reload-agent", "stop", "stop", "validate-all"]
        {
            let outcome = subject.action(action);
            outcome.expect_code_in(&[0, 7]);
            assert_eq!(outcome.stderr, "", "{outcome}");
        }
    }
}

/// Old and new names of the clone's meta attributes, and none (RA:bb9e54cda).
#[test]
fn sl_16_both_generations_of_clone_names_are_accepted() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        let subject = subject.meta("clone", "0").meta("clone_max", "2").meta("clone_node_max", "1");
        for other in [
            subject.clone().meta("master_max", "1").meta("master_node_max", "1"),
            subject
                .clone()
                .meta("promoted_max", "1")
                .meta("promoted_node_max", "1")
                .meta("promotable", "true"),
            subject.clone().meta("clone_max", "0"),
            subject.clone().meta("globally_unique", "false").meta("notify", "false"),
        ] {
            other.start().expect_code(0);
            other.monitor().expect_code(0);
            other.stop().expect_code(0);
        }
    }
}

/// Helpers needed one kind of awk; here nothing is needed at all.
#[test]
fn sl_18_no_program_is_needed_for_any_action() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        let alone = subject.env("PATH", "/not/there");
        for (action, code) in [
            ("monitor", 7),
            ("start", 0),
            ("monitor", 0),
            ("validate-all", 0),
            ("meta-data", 0),
            ("stop", 0),
        ] {
            alone.action(action).expect_code(code);
        }
    }
}

/// The directory for state is absent after a restart of the machine (RA:018c46dca).
#[test]
fn sl_20_the_state_directory_is_made_when_it_is_missing() {
    let rig = L2::new();
    let dummy = dummy_on(&rig).without("state");
    for subject in [rig.vip4(), dummy] {
        rig.a.sh("rm -rf /run/resource-agents");
        subject.start().expect_code(0);
        assert_eq!(
            rig.a.sh("stat -c %u:%g /run/resource-agents 2>/dev/null || echo 0:0").trim(),
            "0:0"
        );
        assert_eq!(rig.a.sh("find /run -perm -0002 ! -type l ! -type s ! -perm -1000"), "");
        subject.monitor().expect_code(0);
        subject.stop().expect_code(0);
    }
}

/// Arguments after the action are ignored, as the standard says.
#[test]
fn extra_arguments_are_ignored() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        subject.call(&["start", "and", "more"]).expect_code(0);
        subject.call(&["stop", "--force"]).expect_code(0);
    }
}

/// A reader that went away, a descriptor that was closed, a full disk: no panic, no signal.
#[test]
fn closed_and_full_outputs_do_not_crash() {
    let rig = L2::new();
    for (kind, action) in [
        ("IPaddr2", "meta-data"),
        ("IPaddr2", "start"),
        ("IPaddr2", "usage"),
        ("Dummy", "meta-data"),
    ] {
        for redirection in
            [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| true", "2>&1 | true"]
        {
            let (mut command, pid) = rig.a.command_as("/bin/bash", Entry::default());
            command
                .args(["-c", &format!("\"$0\" {action} {redirection}; exit ${{PIPESTATUS[0]}}")])
                .arg(call::executable(kind));
            let done = run(&mut command, pid, Duration::from_secs(20), Victim::Process).unwrap();
            let expected: &[i32] = if action == "start" { &[6] } else { &[0, 1] };
            assert!(
                done.code.is_some_and(|code| expected.contains(&code)),
                "{kind} {action} {redirection}: {done:#?}"
            );
            assert!(!done.stderr.contains("panicked"), "{done:#?}");
        }
    }
}

/// A variable that is no text at all.
#[test]
fn bytes_that_are_no_text_are_a_configuration_error() {
    use std::os::unix::ffi::OsStrExt as _;
    let rig = L2::new();
    let (mut command, pid) = rig.a.command_as(call::executable("IPaddr2"), Entry::default());
    command.arg("start").env("OCF_RESKEY_ip", std::ffi::OsStr::from_bytes(b"10.9.0.\xff\xfe"));
    let done = run(&mut command, pid, Duration::from_secs(20), Victim::Process).unwrap();
    assert_eq!(done.code, Some(6), "{done:#?}");
}
