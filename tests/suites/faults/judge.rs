//! What an answer may be, by what is there.

use harness::Outcome;
use harness::outcome::{LEGAL, REASON};

/// The resource as it looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Something of it is there.
    pub left: bool,
    /// All of it is there, and works.
    pub whole: bool,
}

/// Pacemaker cuts reasons at 128 bytes.
const LONGEST: usize = 127;

/// What is wrong with an answer. `deaf`: the fault befell its standard error, so a reason may be
/// missing.
pub fn faults(action: &str, outcome: &Outcome, after: State, deaf: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut wrong = |text: &str| found.push(text.to_owned());
    let (code, stderr) = (outcome.code, outcome.stderr.as_str());
    // The allocator of a program without memory: Pacemaker takes the signal for a failure.
    let out_of_memory = code == 134 && stderr.contains("memory allocation of");
    if outcome.timed_out {
        wrong("it did not end before its time-out");
        return found;
    }
    if stderr.contains("panicked") || stderr.contains("internal error") {
        wrong("an error of its own");
    }
    if !LEGAL.contains(&code) && !out_of_memory {
        wrong("a code that does not exist");
    }
    match (action, code) {
        ("monitor" | "probe", 7) if after.left => wrong("7 while something of it is there"),
        ("monitor" | "probe", 0 | 190) if !after.whole => wrong("0 while it is not whole"),
        ("start", 0) if !after.whole => wrong("started and not whole"),
        ("stop", 0) if after.left => wrong("stopped and something is left"),
        ("reload-agent", _) if !after.whole => wrong("a reload that has cost the service"),
        ("start" | "stop" | "reload-agent" | "validate-all", 7) => {
            wrong("7 is an answer of monitor alone")
        }
        _ => {}
    }
    let reasons: Vec<&str> = stderr.lines().filter_map(|line| line.strip_prefix(REASON)).collect();
    if !deaf && !out_of_memory && !matches!(code, 0 | 7) && reasons.len() != 1 {
        wrong("a failure has exactly one reason");
    }
    if reasons.iter().any(|reason| reason.len() > LONGEST) {
        wrong("a reason of more than 127 bytes");
    }
    if outcome.held_output {
        wrong("its output is held after its end");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::{Host, agent};

    const GONE: State = State { left: false, whole: false };
    const HALF: State = State { left: true, whole: false };
    const WHOLE: State = State { left: true, whole: true };

    /// An answer of a program that says what it is given.
    fn said(code: i32, stderr: &str) -> Outcome {
        let host = Host::new("liar");
        let script = format!("printf '%b' '{stderr}' >&2; exit {code}");
        agent(&host, "Dummy")
            .under(&["/bin/sh", "-c", &script])
            .kill_after(std::time::Duration::from_secs(20))
            .action("x")
    }

    #[test]
    fn lies_are_found_and_honest_answers_are_not() {
        let bad = "ocf-exit-reason:it broke\\n";
        let table = [
            ("monitor", 7, "", GONE, 0),
            ("monitor", 7, "", HALF, 1),
            ("monitor", 0, "", WHOLE, 0),
            ("monitor", 0, "", HALF, 1),
            ("monitor", 0, "", GONE, 1),
            ("monitor", 1, bad, HALF, 0),
            ("start", 0, "", HALF, 1),
            ("stop", 0, "", HALF, 1),
            ("stop", 0, "", GONE, 0),
            ("stop", 7, "", GONE, 1),
            ("probe", 7, "", WHOLE, 1),
            ("reload-agent", 1, bad, WHOLE, 0),
            ("reload-agent", 1, bad, HALF, 1),
            ("stop", 1, "", GONE, 1),
            ("start", 1, &bad.repeat(2), GONE, 1),
            ("start", 101, bad, GONE, 1),
            ("start", 1, "thread main panicked\\nocf-exit-reason:internal error\\n", GONE, 1),
            ("start", 134, "memory allocation of 10 bytes failed\\n", GONE, 0),
            ("start", 1, &format!("ocf-exit-reason:{}\\n", "x".repeat(128)), GONE, 1),
        ];
        for (action, code, stderr, state, count) in table {
            let found = faults(action, &said(code, stderr), state, false);
            assert_eq!(found.len(), count, "{action} {code} {stderr} {state:?}: {found:?}");
        }
        assert!(faults("stop", &said(1, ""), GONE, true).is_empty());
    }
}
