//! The reason line: one, last, intact, and there whenever something failed.

use harness::outcome::REASON;
use harness::{L2, Outcome};

use crate::{dummy_on, mistaken, subjects};

/// Per cent signs and quotes in a reason were interpreted (RA#502, RA#503, RA#1672).
#[test]
fn sl_08_a_value_arrives_in_the_reason_intact() {
    let rig = L2::new();
    for value in ["100% of $x", "%s%n%d", "`id` $(id)", "back\\slash", "it's"] {
        rig.ipaddr2(value).validate().expect_code(6).expect_reason(&[value]);
        dummy_on(&rig).param("op_sleep", value).validate().expect_code(6).expect_reason(&[value]);
    }
    rig.ipaddr2("100% of $x \"q\"").validate().expect_code(6).expect_reason(&["100% of $x"]);
}

fn one_line(outcome: &Outcome) {
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.contains(REASON)).count(), 1, "{outcome}");
    assert!(
        lines.last().is_some_and(|line| line.starts_with(REASON)),
        "the reason comes last\n{outcome}"
    );
    assert!(outcome.stderr.ends_with('\n'), "{outcome}");
}

/// Only the text after the last prefix counts, to the end of the line.
#[test]
fn sl_09_a_reason_is_one_line_and_the_last() {
    let rig = L2::new();
    for value in [
        "10.9.0.50\n10.9.0.51",
        "a\r\nb",
        "x\nocf-exit-reason:forged",
        "ocf-exit-reason:forged",
        "\u{1b}[31mred",
    ] {
        let outcome = rig.ipaddr2(value).start();
        let lines = outcome.stderr.lines().filter(|line| line.starts_with(REASON)).count();
        assert_eq!(lines, 1, "{outcome}");
        assert!(!outcome.stderr.contains('\u{1b}') && !outcome.stderr.contains('\r'), "{outcome}");
        outcome.expect_code(6).expect_reason(&["ip"]);
    }
    for (wrong, name) in mistaken(&rig) {
        let outcome = wrong.start();
        one_line(outcome.expect_code(6).expect_reason(&[name, "junk"]));
    }
}

/// Agents that failed without a word (RA#704). The harness checks it on every call of every suite;
/// here are the ways to fail that need no particular state.
#[test]
fn sl_19_every_failure_has_a_reason() {
    let rig = L2::new();
    for subject in subjects(&rig) {
        one_line(subject.action("frobnicate").expect_code(3));
        one_line(subject.call(&[]).expect_code(3));
        one_line(subject.action("promote").expect_code(3));
        one_line(subject.action("").expect_code(3));
    }
    for (wrong, _) in mistaken(&rig) {
        for outcome in [wrong.start(), wrong.validate()] {
            one_line(outcome.expect_code(6));
        }
        // A reloadable parameter has its default in the monitor of a service that may run.
        let watched = wrong.monitor();
        if watched.expect_code_in(&[6, 7]).code == 6 {
            one_line(&watched);
        }
    }
}

/// The prefix is the caller's to choose.
#[test]
fn the_reason_prefix_is_the_one_that_was_asked_for() {
    let rig = L2::new();
    for (wrong, name) in mistaken(&rig) {
        // Through a shell: the harness itself looks for the usual prefix.
        let (mut command, pid) = rig.a.command_as("/bin/sh", harness::enter::Entry::default());
        command
            .args(["-c", "exec \"$0\" start"])
            .arg(harness::call::executable(if name == "op_sleep" { "Dummy" } else { "IPaddr2" }));
        command.env("OCF_EXIT_REASON_PREFIX", "why: ").env("OCF_RESKEY_ip", "10.9.0.50");
        command.env(format!("OCF_RESKEY_{name}"), "junk");
        let limit = std::time::Duration::from_secs(20);
        let done =
            harness::process::run(&mut command, pid, limit, harness::process::Victim::Process)
                .unwrap();
        assert_eq!(done.code, Some(6), "{done:#?}");
        assert!(
            done.stderr.lines().any(|line| line.starts_with("why: ") && line.contains(name)),
            "{done:#?}"
        );
        assert!(!done.stderr.contains(REASON), "{done:#?}");
        drop(wrong);
    }
}
