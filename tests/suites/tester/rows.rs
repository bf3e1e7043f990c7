//! What users of other testers met (`ot_NN`), and what a tester must not do to a machine.

use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use harness::Host;
use harness::process::Finished;

use crate::said::{Said, tester};

const PATIENCE: Duration = Duration::from_secs(120);

/// A machine with one agent on it, made of this text; and its path.
pub fn with_agent(text: &str) -> (Host, &'static str) {
    let host = ["/media", "/tmp"]
        .into_iter()
        .fold(Host::builder("solo"), harness::host::Builder::tmpfs)
        .start();
    host.sh(&format!(
        "cat >/media/agent <<'END OF AGENT'\n{text}\nEND OF AGENT\nchmod 755 /media/agent"
    ));
    (host, "/media/agent")
}

/// An agent that is a file, and does this before everything else.
pub fn file_agent(first: &str) -> String {
    format!(
        r#"#!/bin/sh
{first}
state=/run/agent.state
case $1 in
start) : >$state ;;
stop) rm -f $state ;;
monitor) [ -e $state ] || exit 7 ;;
meta-data) cat <<'END'
<resource-agent name="agent"><version>1.1</version><longdesc lang="en">x</longdesc>
<shortdesc lang="en">x</shortdesc>
<parameters><parameter name="p"><longdesc lang="en">x</longdesc><shortdesc lang="en">x</shortdesc>
<content type="string"/></parameter></parameters>
<actions><action name="start" timeout="5s"/><action name="stop" timeout="5s"/>
<action name="monitor" timeout="5s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions>
</resource-agent>
END
;;
*) exit 3 ;;
esac
exit 0"#
    )
}

pub fn run(host: &Host, words: &[&str]) -> Finished {
    crate::animal::run(host, &tester(), words, PATIENCE)
}

#[test]
fn ot_02_without_xmllint_the_structure_is_judged_and_the_schema_is_skipped() {
    let (host, agent) = with_agent(&file_agent(""));
    // Nothing is installed on a machine whose programs are elsewhere.
    host.sh(
        "mkdir /media/bin; for p in sh cat rm; do cp -L /bin/$p /media/bin/; done; mount --bind \
         /media/bin /usr/bin",
    );
    let said = Said::of(&run(&host, &["--format", "json", "--only", "schema,well-formed", agent]));
    assert_eq!(said.verdict("schema"), "skip", "{said:?}");
    assert!(said.text("schema").contains("xmllint"), "{said:?}");
    assert_eq!(said.verdict("well-formed"), "pass", "{said:?}");
}

#[test]
fn ot_05_values_and_names_arrive_byte_for_byte() {
    let (host, agent) = with_agent(&file_agent(
        "[ -z \"$OCF_RESKEY_p\" ] || printf '%s|%s|' \"$OCF_RESKEY_p\" \"$OCF_RESOURCE_INSTANCE\" \
         >/media/seen",
    ));
    let value = "a'b \"c\" $d `e` \\ \n ü *=;&";
    let done = run(&host, &["-n", "it's", "-o", &format!("p={value}"), "--only", "start", agent]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    let seen = std::fs::read(format!("/proc/{}/root/media/seen", host.pid())).unwrap();
    assert_eq!(std::ffi::OsStr::from_bytes(&seen), format!("{value}|it's|").as_str());
}

#[test]
fn ot_06_an_agent_sees_what_pacemaker_sets_and_nothing_more() {
    let (host, agent) = with_agent(&file_agent("[ \"$1\" != start ] || env >/media/seen"));
    let done = run(&host, &["-n", "web", "-o", "p=1", "--only", "start", agent]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    let seen = host.sh("cut -d= -f1 /media/seen | sort");
    // PWD is the shell's own.
    let names: Vec<_> =
        seen.lines().filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD")).collect();
    let expected = [
        "LC_ALL",
        "OCF_EXIT_REASON_PREFIX",
        "OCF_RA_VERSION_MAJOR",
        "OCF_RA_VERSION_MINOR",
        "OCF_RESKEY_CRM_meta_name",
        "OCF_RESKEY_CRM_meta_on_node",
        "OCF_RESKEY_CRM_meta_on_node_uuid",
        "OCF_RESKEY_CRM_meta_timeout",
        "OCF_RESKEY_crm_feature_set",
        "OCF_RESKEY_p",
        "OCF_RESOURCE_INSTANCE",
        "OCF_RESOURCE_PROVIDER",
        "OCF_RESOURCE_TYPE",
        "OCF_ROOT",
        "PATH",
        "TZ",
    ];
    assert_eq!(names, expected);
}

#[test]
fn ot_08_an_agent_that_needs_a_cluster_can_be_tested() {
    let calls = "[ \"$1\" != start ] || crm_attribute -N \"$(crm_node -n)\" -n zoo -v 7 || exit 1
[ \"$1\" != stop ] || ${HA_SBIN_DIR:-/usr/sbin}/crm_attribute -N x -n zoo -D || exit 1";
    let (host, agent) = with_agent(&file_agent(calls));
    let words = ["--stub-cluster", "--format", "json", "--only", "start,stop", agent];
    let said = Said::of(&run(&host, &words));
    assert_eq!((said.verdict("start"), said.verdict("stop")), ("pass", "pass"), "{said:?}");
    assert!(said.notes.iter().any(|note| note.contains("crm_attribute")), "{said:?}");
}

#[test]
fn ot_09_a_running_resource_is_left_alone() {
    let (host, agent) = with_agent(&file_agent("echo \"$1\" >>/media/asked"));
    host.sh("echo mine >/run/agent.state");
    let done = run(&host, &[agent]);
    assert_eq!(done.code, Some(2), "{done:#?}");
    assert!(done.stderr.contains("running") && done.stderr.contains("--force"), "{done:#?}");
    assert_eq!(host.sh("cat /run/agent.state"), "mine\n");
    let asked = host.sh("sort -u /media/asked");
    assert_eq!(asked, "meta-data\nmonitor\n", "only looked at");
    let forced = run(&host, &["--force", "--only", "stop", agent]);
    assert_eq!(forced.code, Some(0), "{forced:#?}");
}

#[test]
fn ot_10_an_agent_that_hangs_is_killed_with_its_group_at_its_time_out() {
    let (host, agent) = with_agent(&file_agent("[ \"$1\" != start ] || { sleep 1000; }"));
    let began = Instant::now();
    let said = Said::of(&run(&host, &["--format", "json", "--only", "start,in-time", agent]));
    assert!(began.elapsed() > Duration::from_secs(5), "not before its time-out");
    assert_eq!((said.verdict("in-time"), said.code), ("fail", Some(1)), "{said:?}");
    assert_eq!(
        said.verdict("start"),
        "skip",
        "it is not known whether it would have come up: {said:?}"
    );
    let left = host.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 1000' || true");
    assert_eq!(left.trim(), "0");
}

#[test]
fn ot_14_every_failure_shows_in_the_exit_code() {
    let (host, agent) =
        with_agent(&file_agent("[ \"$1\" != stop ] || { rm -f /run/agent.state; exit 1; }"));
    for format in ["text", "tap", "junit", "json"] {
        let done = run(&host, &["--format", format, "--only", "stop-stopped", agent]);
        assert_eq!(done.code, Some(1), "{format}: {done:#?}");
    }
    let done = run(&host, &["--only", "probe-stopped", agent]);
    assert_eq!(done.code, Some(0), "{done:#?}");
}

#[test]
fn nothing_of_a_run_stays_on_the_machine() {
    let (host, agent) = with_agent(&file_agent(
        "[ \"$1\" != start ] || setsid sleep 1000 </dev/null >/dev/null 2>&1 &",
    ));
    let before = host.sh("ls -A /tmp /run");
    let said = Said::of(&run(&host, &["--format", "json", agent]));
    assert_eq!(said.verdict("process-left"), "fail", "{said:?}");
    assert_eq!(host.sh("ls -A /tmp /run"), before, "files are left");
    let left = host.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 1000' || true");
    assert_eq!(left.trim(), "0");
}

#[test]
fn an_interrupted_run_stops_the_resource() {
    let (host, agent) = with_agent(&file_agent("[ \"$1\" != monitor ] || sleep 0.05"));
    let script = format!(
        "{} -v {agent} >/dev/null 2>/media/said & p=$!; i=0; while [ ! -e /run/agent.state ] && [ \
         $i -lt 400 ]; do sleep 0.02; i=$((i+1)); done; kill -INT $p; wait $p || echo $?",
        tester()
    );
    assert_eq!(host.sh(&script).trim(), "2", "{}", host.sh("cat /media/said"));
    assert_eq!(host.sh("ls -A /run").trim(), "lock");
}

#[test]
fn random_actions_find_a_stop_that_forgets() {
    let forgets = "n=$(cat /media/n 2>/dev/null || echo 0); [ \"$1\" != stop ] || \
                   { n=$((n+1)); echo $n >/media/n; \
                   [ $((n%5)) != 0 ] || exit 0; }";
    let (host, agent) = with_agent(&file_agent(forgets));
    let said = Said::of(&run(&host, &["--format", "json", "--stress", "20", "--seed", "7", agent]));
    assert_eq!((said.verdict("stress"), said.code), ("fail", Some(1)), "{said:?}");
    let (host, agent) = with_agent(&file_agent(""));
    let said = Said::of(&run(&host, &["--format", "json", "--stress", "3", agent]));
    assert_eq!((said.verdict("stress"), said.code), ("pass", Some(0)), "{said:?}");
}

/// It said that it left the resource alone, and stopped it all the same.
#[test]
fn random_actions_leave_alone_what_may_be_in_use() {
    let (host, agent) =
        with_agent(&file_agent("echo $1 >>/media/calls; [ \"$1\" != monitor ] || exit 1"));
    let said = Said::of(&run(&host, &["--format", "json", "--stress", "1", agent]));
    assert_eq!(said.verdict("stress"), "skip", "{said:?}");
    assert!(said.report().contains("left alone"), "{}", said.report());
    let calls = host.sh("cat /media/calls");
    assert!(calls.contains("monitor") && !calls.contains("stop"), "{calls}");
}

#[test]
fn a_life_takes_a_bounded_number_of_calls() {
    let (host, agent) = with_agent(&file_agent(""));
    let done = run(&host, &["--format", "json", agent]);
    let calls = Said::of(&done).calls;
    // A call of an agent that does nothing costs a few milliseconds: with these, a whole run stays
    // below two seconds.
    assert!((200..600).contains(&calls), "{calls}");
}
