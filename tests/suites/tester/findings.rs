//! What agents of others have shown (`ts_N`): what a tester must not make of them.

use std::time::{Duration, Instant};

use crate::rows::{file_agent, run, with_agent};
use crate::said::Said;
use crate::side_by_side;

/// The time-out that the agents here advertise for each action.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What is said of an agent that does this before everything else, and the time that it took.
fn judged(first: &str) -> (Said, Duration) {
    let text = file_agent(first).replace("timeout=\"5s\"", "timeout=\"2s\"");
    let (host, agent) = with_agent(
        &text.replace("</actions>", "<action name=\"validate-all\" timeout=\"2s\"/></actions>"),
    );
    let began = Instant::now();
    (Said::of(&run(&host, &["--format", "json", agent])), began.elapsed())
}

#[test]
fn ts_1_an_agent_that_hangs_anywhere_costs_three_time_outs_and_a_minute_at_most() {
    let sometimes = "n=$(cat /media/n 2>/dev/null || echo 0); echo $((n+1)) >/media/n; [ $((n%9)) \
                     != 8 ] || sleep 1000";
    let hangs = [
        ("start", "[ \"$1\" != start ] || sleep 1000"),
        ("stop", "[ \"$1\" != stop ] || sleep 1000"),
        (
            "a recurring monitor",
            "[ \"$1$OCF_RESKEY_CRM_meta_interval\" != monitor10000 ] || sleep 1000",
        ),
        ("a probe", "[ \"$1$OCF_RESKEY_CRM_meta_interval\" != monitor ] || sleep 1000"),
        ("meta-data", "[ \"$1\" != meta-data ] || sleep 1000"),
        ("validate-all", "[ \"$1\" != validate-all ] || sleep 1000"),
        (
            "everything unknown",
            "case $1 in start|stop|monitor|meta-data|validate-all) ;; *) sleep 1000 ;; esac",
        ),
        ("everything", "sleep 1000"),
        ("now and then", sometimes),
    ];
    let all = side_by_side(&hangs, |(name, _)| (*name).to_owned(), |(_, first)| judged(first));
    for (name, (said, took)) in &all {
        assert!(*took < 3 * TIMEOUT + Duration::from_secs(60), "{name}: {took:?}");
        // A time-out of the tester's own where there is none to read.
        let waited = if matches!(name.as_str(), "meta-data" | "everything") { 20 } else { 2 };
        let checks = Duration::from_secs(3 * waited + 25);
        assert!(
            *took < checks,
            "{name}: {took:?} is more than three time-outs and what a whole run takes"
        );
        assert_eq!(said.verdict("in-time"), "fail", "{name}: {}", said.report());
        assert!(
            said.notes.iter().any(|note| note.starts_with("not tested, ")),
            "{name}: {}",
            said.report()
        );
    }
    let start = &all["start"].0;
    assert!(
        !start.text("in-time").contains("more calls"),
        "it was called again: {}",
        start.report()
    );
    assert!(start.text("restart").contains("not called again"), "{}", start.report());
    let unknown = &all["everything unknown"].0;
    assert_eq!(
        (unknown.verdict("start-killed"), unknown.verdict("umask")),
        ("pass", "pass"),
        "{}",
        unknown.report()
    );
}

#[test]
fn ts_2_a_directory_that_was_there_is_not_left_behind() {
    let touches = "[ \"$1\" != start ] || { : >/tmp/deep/a/b/f && rm /tmp/deep/a/b/f; }";
    let (host, agent) = with_agent(&file_agent(touches));
    host.sh("mkdir -p /tmp/deep/a/b; echo old >/tmp/deep/a/old");
    let left = |first: &str| {
        host.sh(&format!("cat >{agent} <<'END OF AGENT'\n{}\nEND OF AGENT", file_agent(first)));
        let said = Said::of(&run(&host, &["--format", "json", "--only", "file-left", agent]));
        format!("{} {}", said.verdict("file-left"), said.text("file-left"))
    };
    assert_eq!(left(touches), "pass ");
    // What is removed is not left behind; what is made is.
    assert_eq!(left("[ \"$1\" != start ] || rm -f /tmp/deep/a/old"), "pass ");
    let made = left("[ \"$1\" != start ] || { mkdir -p /tmp/deep/new/x; : >/tmp/deep/new/x/f$$; }");
    assert!(made.starts_with("warn left behind: /tmp/deep/new"), "{made}");
}

#[test]
fn ts_5_an_agent_that_signals_by_pattern_is_found_and_the_run_goes_on() {
    let kills = "[ \"$1\" != stop ] || pkill -TERM -f 'media/[a]gent'";
    let (host, agent) = with_agent(&file_agent(kills));
    let said = Said::of(&run(
        &host,
        &["--format", "json", "--only", "foreign-signal,validate-all", agent],
    ));
    assert_eq!((said.verdict("foreign-signal"), said.code), ("fail", Some(1)), "{}", said.report());
    let text = said.text("foreign-signal");
    assert!(text.starts_with("stop: ") && text.contains("sent SIGTERM"), "{text}");
}

/// What is said of an agent whose one parameter is an integer and that validates it like this.
fn with_integer(validate: &str) -> Said {
    let text =
        file_agent(validate).replace("<content type=\"string\"/>", "<content type=\"integer\"/>");
    let (host, agent) = with_agent(
        &text.replace("</actions>", "<action name=\"validate-all\" timeout=\"5s\"/></actions>"),
    );
    let checks = "bad-integer,large-integer";
    Said::of(&run(&host, &["--format", "json", "-n", "x", "-o", "p=1", "--only", checks, agent]))
}

#[test]
fn ts_3_an_integer_that_is_too_large_is_information_and_no_bad_integer() {
    let refuse = "echo \"ocf-exit-reason:p=$OCF_RESKEY_p is no number\" >&2; exit 6";
    let digits = format!(
        "case $1 in start|validate-all) case ${{OCF_RESKEY_p#-}} in *[!0-9]*|'') {refuse} ;; esac \
         ;; esac"
    );
    let said = with_integer(&digits);
    assert_eq!(
        (said.verdict("bad-integer"), said.verdict("large-integer")),
        ("pass", "info"),
        "{}",
        said.report()
    );
    assert_eq!(said.code, Some(0), "{}", said.report());
    // Where any text is taken, that is the one finding.
    let said = with_integer("[ \"$1\" != validate-all ] || exit 0");
    assert_eq!(
        (said.verdict("bad-integer"), said.verdict("large-integer")),
        ("warn", "skip"),
        "{}",
        said.report()
    );
    // One that refuses both has no finding.
    let short = format!(
        "case $1 in start|validate-all) [ ${{#OCF_RESKEY_p}} -lt 19 ] || {{ {refuse}; }} ;; esac\n\
         {digits}"
    );
    let said = with_integer(&short);
    assert_eq!(
        (said.verdict("bad-integer"), said.verdict("large-integer")),
        ("pass", "pass"),
        "{}",
        said.report()
    );
}

#[test]
fn ts_6_a_wrong_answer_to_everything_unknown_is_one_finding() {
    for code in [0, 1, 2, 5, 6] {
        let first = format!("case $1 in start|stop|monitor|meta-data) ;; *) exit {code} ;; esac");
        let (host, agent) = with_agent(&file_agent(&first));
        let checks =
            "unknown-action,no-action,unadvertised-actions,status,validate-all,advertised-actions";
        let said = Said::of(&run(&host, &["--format", "json", "-n", "x", "--only", checks, agent]));
        let found: Vec<_> = said.with(&["fail", "warn", "info"]).into_iter().collect();
        assert_eq!(found, ["unknown-action"], "{code}: {}", said.report());
    }
}

#[test]
fn ts_7_a_reload_that_is_not_possible_with_these_parameters_is_no_fault() {
    let judged = |answer: &str| {
        let text = file_agent(&format!("[ \"$1\" != reload ] || {{ {answer}; }}"));
        let (host, agent) = with_agent(
            &text.replace("</actions>", "<action name=\"reload\" timeout=\"5s\"/></actions>"),
        );
        Said::of(&run(
            &host,
            &["--format", "json", "-n", "x", "--only", "reload,advertised-actions", agent],
        ))
    };
    let said = judged("echo 'ocf-exit-reason:the unit has no ExecReload' >&2; exit 3");
    assert_eq!(
        (said.verdict("reload"), said.verdict("advertised-actions")),
        ("skip", "pass"),
        "{}",
        said.report()
    );
    assert!(said.text("reload").contains("the unit has no ExecReload"), "{}", said.report());
    // Without a reason it is not implemented, and other codes are failures.
    assert_eq!(judged("exit 3").verdict("advertised-actions"), "fail");
    assert_eq!(judged("echo 'ocf-exit-reason:it failed' >&2; exit 1").verdict("reload"), "fail");
}

#[test]
fn an_agent_on_a_file_system_that_runs_nothing_is_explained() {
    let (host, agent) = with_agent(&file_agent(""));
    host.sh("mount -o remount,noexec /media");
    for words in [&[agent][..], &["--meta-data-only", agent]] {
        let done = run(&host, words);
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(
            said.contains("mounted with noexec: put the agent elsewhere"),
            "{words:?}: {done:#?}"
        );
        assert_ne!(done.code, Some(0), "{words:?}: {done:#?}");
    }
    // A directory of agents there: each is named, none is left out.
    let done = run(&host, &["--meta-data-only", "/media"]);
    assert!(
        done.code != Some(0) && format!("{}{}", done.stdout, done.stderr).contains("noexec"),
        "{done:#?}"
    );
}
