//! Full and read-only disks, low limits, root without a capability.

use crate::judge;
use crate::subject::Subject;
use crate::{Extent, Findings, dice};

/// Where agents keep what they know of their resources.
const STATE: &str = "/run/resource-agents";

/// What befalls a machine, and how it is over.
const DISKS: [(&str, &str, &str); 2] = [
    (
        "full",
        "dd if=/dev/zero of=/run/resource-agents/filler bs=4k 2>/dev/null || true",
        "rm -f /run/resource-agents/filler",
    ),
    (
        "read-only",
        "mount -o remount,ro /run/resource-agents",
        "mount -o remount,rw /run/resource-agents",
    ),
];

/// Each action from the state before it, with something done before it and undone after it.
fn each_action(
    subject: &Subject,
    occasion: &str,
    agent: &harness::Agent<'_>,
    (begin, end): (&str, &str),
    findings: &mut Findings,
) {
    for (action, up) in [
        ("probe", false),
        ("stop", false),
        ("start", false),
        ("monitor", true),
        ("reload-agent", true),
        ("stop", true),
    ] {
        if up && !subject.starts() {
            continue;
        }
        subject.prepare(up, occasion);
        subject.host().sh(begin);
        let outcome = subject.call(agent, action);
        findings.tries += 1;
        let after = match (action, outcome.code) {
            ("start", 0) => subject.settled(true),
            ("stop", 0) => subject.settled(false),
            _ => subject.state(),
        };
        let mut wrong = judge::faults(action, &outcome, after, false);
        if !begin.is_empty() && action == "stop" && outcome.code != 0 {
            wrong.push("a stop does not need the disk".to_owned());
        }
        subject.host().sh(end);
        if matches!(action, "start" | "stop") && outcome.code != 0 {
            wrong.extend(subject.aftermath());
        }
        let occasion = format!("{} {action} (up: {up}), {occasion}", subject.kind);
        findings.add(&occasion, wrong.into_iter().map(|text| format!("{text}\n{outcome}")));
    }
    subject.prepare(false, occasion);
}

fn disks(subject: Option<Subject>) {
    let Some(subject) = subject else { return };
    subject
        .host()
        .sh(&format!("mkdir -p {STATE}; mount -t tmpfs -o size=64k,mode=755 tmpfs {STATE}"));
    let mut findings = Findings::default();
    for (name, begin, end) in DISKS {
        let occasion = format!("{STATE} is {name}");
        each_action(&subject, &occasion, &subject.agent(), (begin, end), &mut findings);
    }
    findings.expect_none(&format!("disks of {}", subject.kind));
}

fn low(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
    let files = (6..=16).map(|count| format!("--nofile={count}"));
    let memory = (1..=16).map(|count| format!("--as={}", count * 8 * 1024 * 1024));
    let mut limits: Vec<String> = files.chain(memory).collect();
    if extent == Extent::Sample {
        let mut dice = dice(subject.kind);
        limits = (0..2).map(|_| limits[dice.below(limits.len())].clone()).collect();
    }
    let mut findings = Findings::default();
    for limit in &limits {
        let agent = subject.agent().under(&["prlimit", limit]);
        if subject.call(&agent, "meta-data").code != 0 {
            // Its program cannot even be loaded.
            findings.tries += 1;
            continue;
        }
        each_action(&subject, limit, &agent, ("", ""), &mut findings);
    }
    findings.expect_none(&format!("limits of {}", subject.kind));
}

fn capabilities(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
    let last = subject.host().sh("cat /proc/sys/kernel/cap_last_cap");
    let last: i32 = last.trim().parse().expect("a number");
    let mut all: Vec<i32> = (0..=last).collect();
    if extent == Extent::Sample {
        // CAP_DAC_OVERRIDE, CAP_KILL, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_PTRACE: two of them.
        let mut dice = dice(subject.kind);
        all = vec![1, 5, 12, 13, 19];
        while all.len() > 2 {
            all.remove(dice.below(all.len()));
        }
    }
    let mut findings = Findings::default();
    for number in all {
        let occasion = format!("without capability {number}");
        each_action(
            &subject,
            &occasion,
            &subject.agent().without_capability(number),
            ("", ""),
            &mut findings,
        );
    }
    findings.expect_none(&format!("capabilities of {}", subject.kind));
}

mod on_a_full_or_read_only_disk_answers_are_honest {
    use super::*;
    crate::for_each_agent!(disks);
}

mod under_some_low_limits_answers_are_honest {
    use super::*;
    crate::for_each_agent!(|subject| low(subject, Extent::Sample));
}

mod under_each_low_limit_answers_are_honest {
    use super::*;
    crate::for_each_agent!(|subject| low(subject, Extent::Whole),
        #[ignore = "takes minutes: make \
        test-slow"]);
}

mod without_some_capabilities_answers_are_honest {
    use super::*;
    crate::for_each_agent!(|subject| capabilities(subject, Extent::Sample));
}

mod without_each_capability_answers_are_honest {
    use super::*;
    crate::for_each_agent!(|subject| capabilities(subject, Extent::Whole),
        #[ignore = "takes minutes: make test-slow"]);
}
