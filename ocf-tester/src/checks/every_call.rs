//! Rules for each call. They judge all calls of the run, and so find what happens only once in a
//! while.
#![forbid(unsafe_code)]

use crate::ask::UNKNOWN_ACTION;
use crate::call::{Done, REASON};
use crate::check::{Check, Proof, RUNNING, Weight};
use crate::metadata::MetaData;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "in-time",
        says: "every action ends by itself within its advertised time-out",
        clause: "Pacemaker kills an action at its time-out with its process group; the result is a \
                 failure without a reason",
        fix: "wait with a deadline below OCF_RESKEY_CRM_meta_timeout, then fail with a reason; or \
              advertise more time",
        costs: "Pacemaker kills it: a stop that is killed fences the node, and no failure has a \
                reason",
        weight: Weight::Must,
        proof: Proof::Calls(|done, _| done.hung().then(|| done.summary())),
    },
    Check {
        id: "codes",
        says: "every call ends by an exit with a code of the specification",
        clause: "OCF 1.1, Exit Status Codes: 0 to 9, 190 and 191; Pacemaker makes all others 1 \
                 (services_ocf.c)",
        fix: "map the codes of programs that the agent calls; catch what makes it crash",
        costs: "Pacemaker takes the result for an error that the agent did not mean",
        weight: Weight::Must,
        proof: Proof::Calls(codes),
    },
    Check {
        id: "held-output",
        says: "nothing keeps the output open after the agent's end",
        clause: "Pacemaker closes its ends then (services_linux.c): the next write of a process \
                 that holds them is a SIGPIPE",
        fix: "start background processes with stdin, stdout and stderr of their own, in a session \
              of their own",
        costs: "a background process dies at its next line of output, or keeps older clusters \
                waiting",
        weight: Weight::Must,
        proof: Proof::Calls(|done, _| {
            (!done.ended.holders.is_empty())
                .then(|| format!("{}: held by {}", done.what, done.ended.holders.join(", ")))
        }),
    },
    Check {
        id: "foreign-signal",
        says: "an agent sends no signal to the process that has called it",
        clause: "OCF 1.1, stop: ends the resource; every other process on the node, such as an \
                 editor or a log reader, is none of it",
        fix: "find processes by a pid file and what /proc says of them, never by a pattern of \
              their command line (pkill -f)",
        costs: "the agent ends what is not its own: a cluster's tool, another resource, an editor",
        weight: Weight::Must,
        proof: Proof::Calls(|done, _| {
            (!done.signals.is_empty())
                .then(|| format!("{}: {}", done.what, done.signals.join(", ")))
        }),
    },
    Check {
        id: "reason",
        says: "every failure has a reason",
        clause: "Pacemaker Administration, Resource Agents: OCF_EXIT_REASON_PREFIX; crm_mon shows \
                 what follows it",
        fix: "print one line on stderr that begins with ocf-exit-reason: and says what failed and \
              what to do",
        costs: "crm_mon shows a failure and no reason",
        weight: Weight::Should,
        proof: Proof::Calls(reason),
    },
    Check {
        id: "one-reason",
        says: "a call gives one reason at most",
        clause: "Pacemaker shows what follows the last prefix, to the end of its line \
                 (services_linux.c)",
        fix: "fold the reason into one line; print it once, at the end",
        costs: "crm_mon shows the last reason, and not the first, which has caused it",
        weight: Weight::Should,
        proof: Proof::Calls(|done, _| {
            let count = reasons(done);
            (count > 1).then(|| format!("{} gave {count} reasons", done.what))
        }),
    },
    Check {
        id: "streams",
        says: "the reason of a failure is printed on stderr, not on stdout",
        clause: "Pacemaker looks for the reason on stderr only, and shows stderr of what failed \
                 (services_linux.c)",
        fix: "print it to stderr",
        costs: "crm_mon shows a failure and no reason",
        weight: Weight::Should,
        proof: Proof::Calls(|done, _| {
            misplaced(done).then(|| format!("{}, on stdout", done.summary()))
        }),
    },
    Check {
        id: "quiet-monitor",
        says: "a healthy monitor prints nothing on stderr",
        clause: "Pacemaker logs it, every few seconds on every node (services_linux.c)",
        fix: "print only when something is wrong; debug messages only on demand",
        costs: "the log of every node gets the same lines every few seconds",
        weight: Weight::Should,
        proof: Proof::Calls(quiet),
    },
];

fn codes(done: &Done, _: &MetaData) -> Option<String> {
    let legal = matches!(done.ended.code, Some(0..=9 | 190 | 191)) || done.ended.killed;
    (!legal).then(|| done.summary())
}

/// Whether the agent itself calls it a failure. Bad use is none: it is answered with 3, or with a
/// usage text.
fn failed(done: &Done) -> bool {
    let misused = matches!(done.action.as_str(), "" | UNKNOWN_ACTION);
    !done.ended.killed && !misused && matches!(done.ended.code, Some(1 | 2 | 4 | 5 | 6 | 9))
}

fn reason(done: &Done, _: &MetaData) -> Option<String> {
    // Without the environment there is no prefix to print either.
    let told_how = done.environment.iter().any(|(name, _)| name == "OCF_EXIT_REASON_PREFIX");
    // A cluster's calls are root's: the results for others are judged by the checks of not-root.
    (told_how && !done.as_other && failed(done) && reasons(done) == 0 && !misplaced(done))
        .then(|| done.summary())
}

/// How many lines on stderr give a reason.
fn reasons(done: &Done) -> usize {
    done.stderr().matches(REASON).count()
}

/// Whether what belongs on stderr is on stdout: a reason, or all that a failure has to say.
fn misplaced(done: &Done) -> bool {
    let (stdout, stderr) = (&done.ended.stdout, &done.ended.stderr);
    done.action != "meta-data"
        && (done.stdout().lines().any(|line| line.starts_with(REASON))
            || failed(done) && stderr.is_empty() && !stdout.is_empty())
}

fn quiet(done: &Done, _: &MetaData) -> Option<String> {
    // Unusual surroundings may make a program complain; ordinary calls count.
    let healthy =
        done.action == "monitor" && done.how.is_empty() && done.is(RUNNING) && done.is(&[0]);
    let line = done.stderr().lines().next().map(str::to_owned)?;
    (healthy).then(|| format!("{}: {line}", done.what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Ended;

    fn found(action: &str, code: i32, stdout: &str, stderr: &str) -> Vec<&'static str> {
        let ended = Ended {
            code: Some(code),
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Ended::default()
        };
        let environment = vec![("OCF_EXIT_REASON_PREFIX".into(), REASON.into())];
        let done = Done {
            what: action.into(),
            action: action.into(),
            environment,
            ended,
            ..Done::default()
        };
        let meta = MetaData::default();
        let broken = CHECKS.iter().filter(|check| match check.proof {
            Proof::Calls(judge) => judge(&done, &meta).is_some(),
            _ => false,
        });
        broken.map(|check| check.id).collect()
    }

    #[test]
    fn each_rule_finds_what_it_is_for_and_nothing_else() {
        let none: [&str; 0] = [];
        assert_eq!(found("monitor", 0, "", ""), none);
        assert_eq!(found("monitor", 7, "", "gone"), none);
        assert_eq!(found("start", 1, "", "ocf-exit-reason:full"), none);
        assert_eq!(found("start", 42, "", ""), ["codes"]);
        assert_eq!(found("start", 1, "", "no idea"), ["reason"]);
        assert_eq!(found("start", 1, "", "ocf-exit-reason:a\nocf-exit-reason:b"), ["one-reason"]);
        assert_eq!(found("start", 1, "ocf-exit-reason:a", ""), ["streams"]);
        assert_eq!(found("stop", 1, "cannot stop", ""), ["streams"]);
        assert_eq!(found("monitor", 0, "", "all is well"), ["quiet-monitor"]);
        assert_eq!(found("frobnicate", 3, "", "usage"), none);
    }
}
