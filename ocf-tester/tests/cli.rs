//! The tool as a user meets it: what it refuses, what it prints, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot prepare itself fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests make their own files; the tester ends by itself, and a test runner has its own \
              limit"
)]

use std::ffi::OsStr;
use std::fs::{Permissions, write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PASSED: i32 = 0;
const FAILED: i32 = 1;
const UNTESTED: i32 = 2;

/// A resource that is a file, in a directory of its own, which is the working directory of the
/// tester.
struct Bench {
    directory: tempfile::TempDir,
}

const AGENT: &str = r#"#!/bin/sh
state="$OCF_RESKEY_state"
case "$1" in
meta-data) cat <<END
<?xml version="1.0"?>
<resource-agent name="agent" version="1"><version>1.1</version>
<longdesc lang="en">A file.</longdesc><shortdesc lang="en">A file</shortdesc>
<parameters><parameter name="state" required="1"><longdesc lang="en">The file.</longdesc>
<shortdesc lang="en">File</shortdesc><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions>
</resource-agent>
END
;;
start) [ "$BROKEN" ] && exit 1; touch "$state"
  "${HA_SBIN_DIR:-/nowhere}/crm_master" -v 7 2>/dev/null; exit 0;;
stop) rm -f "$state";;
monitor) [ -e "$state" ] || exit 7;;
validate-all) ;;
*) exit 3;;
esac
"#;

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        bench.file("agent", AGENT, 0o755);
        bench.file("broken", &AGENT.replace("$BROKEN", "yes"), 0o755);
        bench.file("plain", "no program", 0o644);
        bench
    }

    fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        write(&path, content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocf-tester"));
        command
            .args(words)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).env("TMPDIR", self.directory.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        output(&mut self.command(words))
    }

    /// Tests an agent with a state file and some checks.
    fn test(&self, agent: &str, words: &[&str]) -> Output {
        let state = format!("state={}", self.path("state file").display());
        self.run(
            &[&["-n", "x", "-o", &state, "--only", "start,stop,status"], words, &[agent]].concat(),
        )
    }
}

#[derive(Debug)]
struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

fn output(command: &mut Command) -> Output {
    let std::process::Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Output { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

/// Exit code 2, nothing on stdout, and one clean line on stderr that holds this.
fn refuses(output: &Output, what: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (UNTESTED, ""), "{output:?}");
    let line = output.stderr.strip_prefix("ocf-tester: ").and_then(|line| line.strip_suffix('\n'));
    assert!(
        line.is_some_and(|line| line.contains(what) && !line.chars().any(char::is_control)),
        "{what:?}: {output:?}"
    );
}

#[test]
fn every_wrong_use_is_one_line_and_2() {
    let bench = Bench::new();
    let faults: &[(&[&str], &str)] = &[
        (&[], "no agent"),
        (&["--nonsense", "agent"], "'--nonsense'"),
        (&["-Z", "agent"], "'-Z'"),
        (&["--forc", "agent"], "'--force'"),
        (&["-n"], "-n <NAME>"),
        (&["agent", "-o"], "-o <NAME=VALUE>"),
        (&["-o", "novalue", "agent"], "name=value"),
        (&["-o", "=x", "agent"], "name=value"),
        (&["-n", "", "agent"], "-n needs a name"),
        (&["-v", "-q", "agent"], "cannot be used with"),
        (&["--format", "yaml", "agent"], "text, tap, junit, json, html, github"),
        (&["--compare", "missing", "agent"], "missing: No such file"),
        (&["--compare", "plain", "agent"], "plain: line 1: no report"),
        (&["--color", "blue", "agent"], "auto, always, never"),
        (&["--repeat", "0", "agent"], "'0'"),
        (&["--timeout", "soon", "agent"], "'soon'"),
        (&["--seed", "1", "agent"], "--stress"),
        (&["--stress", "1", "--only", "start", "agent"], "--only"),
        (&["--only", "strat", "agent"], "do you mean start?"),
        (&["--skip", "strat", "agent"], "do you mean start?"),
        (&["--explain", "strat"], "do you mean start?"),
        (&["--only", "start", "--skip", "start", "agent"], "no check is left"),
        (&["agent", "broken"], "one agent at a time"),
        (&["missing"], "there is no agent"),
        (&["/a\n\x1b[2Jb"], "there is no agent"),
        (&[""], "empty"),
        (&["."], "is a directory"),
        (&["plain"], "is not executable"),
        (&["/dev/null"], "no regular file"),
        (&["ocf:nobody:nothing"], "resource.d/nobody/nothing"),
        (&["--matrix", "missing", "agent"], "missing: No such file"),
        (&["--matrix", "plain", "agent"], "plain: line 1: "),
    ];
    for (words, what) in faults {
        refuses(&bench.run(words), what);
    }
}

#[test]
fn an_agent_without_its_path_is_looked_for() {
    let bench = Bench::new();
    let installed = bench.path("resource.d/acme");
    std::fs::create_dir_all(&installed).unwrap();
    std::fs::copy(bench.path("agent"), installed.join("web")).unwrap();
    let run = |agent| {
        output(
            bench.command(&["--only", "file-mode", agent]).env("OCF_ROOT", bench.directory.path()),
        )
    };
    refuses(&run("web"), &format!("do you mean {}?", installed.join("web").display()));
    assert_eq!(run("ocf:acme:web").code, PASSED);
}

#[test]
fn texts_are_on_stdout_and_0() {
    let bench = Bench::new();
    for (words, expected) in [
        (["--help"], "Usage: ocf-tester"),
        (["-h"], "Usage: ocf-tester"),
        (["-?"], "Usage: ocf-tester"),
        (["--version"], "ocf-tester "),
        (["--list"], "must"),
        (["--explain=start"], "start\n  start succeeds\n"),
    ] {
        let output = bench.run(&words);
        assert_eq!((output.code, output.stderr.as_str()), (PASSED, ""), "{output:?}");
        assert!(output.stdout.contains(expected), "{output:?}");
    }
}

#[test]
fn every_listed_check_can_be_explained() {
    let bench = Bench::new();
    let list = bench.run(&["--list"]).stdout;
    let ids: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(ids.len(), ocf_tester::checks::all().count());
    for id in [ids[0], ids[ids.len() - 1]] {
        assert!(bench.run(&["--explain", id]).stdout.contains("rule:"), "{id}");
    }
}

#[test]
fn a_good_agent_is_told_in_the_words_of_the_shell_tester() {
    let bench = Bench::new();
    let output = bench.test("./agent", &["-L", "-d"]);
    let agent = bench.path("agent");
    assert_eq!((output.code, output.stderr.as_str()), (PASSED, ""), "{output:?}");
    assert_eq!(
        output.stdout.lines().next(),
        Some(format!("Beginning tests for {}...", agent.display()).as_str())
    );
    assert_eq!(
        output.stdout.lines().last(),
        Some(format!("{} passed all tests", agent.display()).as_str())
    );
    assert!(output.stdout.contains("2 passed, 0 failed, 0 warned, 1 skipped"), "{output:?}");
    assert!(output.stdout.contains("-v shows why"), "{output:?}");
    assert!(bench.test("agent", &["-v"]).stdout.contains("why:  status is not advertised"));
}

#[test]
fn a_bad_agent_is_told_with_rule_and_remedy_and_1() {
    let bench = Bench::new();
    let output = bench.test("broken", &[]);
    assert_eq!(output.code, FAILED, "{output:?}");
    assert!(
        output.stdout.contains("FAIL start: start succeeds\n       what: start gave 1"),
        "{output:?}"
    );
    let broken = bench.path("broken");
    assert_eq!(
        output.stderr,
        format!("Tests failed: {} failed 1 tests\n", broken.display()),
        "{output:?}"
    );
}

#[test]
fn skips_alone_are_no_pass() {
    let bench = Bench::new();
    let output = bench.run(&["--only", "status", "-o", "state=/nowhere/x", "agent"]);
    assert_eq!(output.code, UNTESTED, "{output:?}");
    assert!(
        output.stderr.contains("nothing could be tested") && !output.stdout.contains("passed all"),
        "{output:?}"
    );
}

#[test]
fn every_format_of_several_runs_can_be_read() {
    let bench = Bench::new();
    bench.file("matrix", "[one]\n[two]\n", 0o644);
    let stdout = |format| {
        let output = bench.test("agent", &["--matrix", "matrix", "--format", format]);
        assert_eq!((output.code, output.stderr.as_str()), (PASSED, ""), "{output:?}");
        output.stdout
    };
    assert!(stdout("text").contains("/agent (two)...\n"));
    assert!(stdout("tap").starts_with("TAP version 14\n1..6\n"));
    let xml = stdout("junit");
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().attribute("tests"), Some("6"));
    let sets: Vec<_> = stdout("json")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .collect();
    assert_eq!(
        sets.iter().map(|run| run["set"].as_str().unwrap()).collect::<Vec<_>>(),
        ["one", "two"]
    );
    let page = stdout("html");
    assert!(
        page.starts_with("<!DOCTYPE html>")
            && page.ends_with("</html>\n")
            && page.contains("Timeline"),
        "{page}"
    );
    assert!(stdout("github").ends_with("/agent [two]: 2 pass, 0 fail, 0 warn, 0 info, 1 skip\n"));
}

#[test]
fn what_has_changed_since_an_earlier_report_is_told() {
    let bench = Bench::new();
    let before = bench.test("agent", &["--format", "json"]);
    bench.file("old.json", &before.stdout, 0o644);
    let same = bench.test("agent", &["--compare", "old.json"]);
    assert!(same.code == PASSED && !same.stdout.contains("changed:"), "{same:?}");
    bench.file("agent", &AGENT.replace("$BROKEN", "yes"), 0o755);
    let worse = bench.test("agent", &["--compare", "old.json"]);
    assert!(
        worse.stdout.contains("changed: worse: start: pass before, fail now: start gave 1 (error)"),
        "{worse:?}"
    );
}

#[test]
fn a_finding_comes_with_the_command_that_shows_it() {
    let bench = Bench::new();
    let found = bench.test("broken", &["--only", "start"]);
    let line =
        found.stdout.lines().find_map(|line| line.trim_start().strip_prefix("run:  ")).unwrap();
    assert!(line.starts_with("env -i ") && line.ends_with("/broken start"), "{line}");
    let shown = output(Command::new("/bin/sh").args(["-c", line]));
    assert_eq!(shown.code, 1, "{shown:?}");
}

#[test]
fn ts_4_a_name_that_the_agent_does_not_have_is_told_before_the_run() {
    let bench = Bench::new();
    let output = bench.test("agent", &["-o", "staet=x"]);
    assert_eq!(
        output.stderr,
        "ocf-tester: -o: the agent has no parameter staet; do you mean state?\n"
    );
    bench.file("sets.toml", "[one]\n\nstat = 1\n", 0o644);
    let output = bench.test("agent", &["--matrix", "sets.toml", "--format", "json"]);
    let line = "sets.toml: line 3: the agent has no parameter stat; do you mean state?";
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (PASSED, format!("ocf-tester: {line}\n").as_str())
    );
    let run: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(run["notes"][0], line);
}

#[test]
fn a_message_of_the_system_is_explained() {
    let bench = Bench::new();
    for (first, what) in [
        ("#!/opt/no/ruby", "the interpreter /opt/no/ruby, which is not here"),
        ("#!/bin/sh\r", "CR LF"),
        ("#!@BASH_SHELL@", "a template that was not filled in"),
    ] {
        bench.file("odd", &format!("{first}\nexit 7\n"), 0o755);
        refuses(&bench.run(&["--format", "json", "odd"]), what);
    }
}

#[test]
fn stubs_answer_and_tell_what_was_asked() {
    let bench = Bench::new();
    let output = bench.test("agent", &["--stub-cluster", "-v"]);
    assert_eq!(output.code, PASSED, "{output:?}");
    assert!(output.stdout.contains("times: crm_master -v 7\n"), "{output:?}");
}

#[test]
fn a_trace_goes_to_stderr() {
    let bench = Bench::new();
    let output = bench.test("agent", &["--trace", "-q"]);
    assert_eq!(output.code, PASSED);
    let state = format!("  OCF_RESKEY_state='{}' \\\n", bench.path("state file").display());
    assert!(output.stderr.contains(&state), "{output:?}");
    assert_eq!(output.stdout, format!("{} passed all tests\n", bench.path("agent").display()));
}

#[test]
fn parameters_of_the_environment_are_named_and_not_used() {
    let bench = Bench::new();
    let output =
        output(bench.command(&["--only", "file-mode", "agent"]).env("OCF_RESKEY_state", "/x"));
    assert_eq!(output.code, PASSED);
    assert!(
        output.stderr.starts_with("ocf-tester: OCF_RESKEY_state in the environment: not used"),
        "{output:?}"
    );
}

#[test]
fn values_need_not_be_text() {
    let bench = Bench::new();
    let mut state = b"state=".to_vec();
    state.extend(bench.path("a=\u{1b}b ").as_os_str().as_bytes());
    state.push(0xff);
    let mut command = bench.command(&["--only", "start", "agent", "-o"]);
    assert_eq!(output(command.arg(OsStr::from_bytes(&state))).code, PASSED);
}

#[test]
fn a_reader_that_goes_is_no_failure_and_a_full_disk_is_one() {
    let bench = Bench::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let gone = output(bench.command(&["--list"]).stdout(writer));
    assert_eq!((gone.code, gone.stderr.as_str()), (PASSED, ""));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    refuses(&output(bench.command(&["--list"]).stdout(full)), "No space left");
}

#[test]
fn nothing_is_left_behind() {
    let bench = Bench::new();
    for words in [&["--stub-cluster"][..], &["--format", "tap"], &["--repeat", "2"]] {
        bench.test("agent", words);
    }
    let left = |path: &Path| {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let mut left = left(bench.directory.path());
    left.sort();
    assert_eq!(left, ["agent", "broken", "plain"]);
}

#[test]
fn a_signal_sent_twice_ends_the_run_and_the_resource() {
    let bench = Bench::new();
    let state = format!("state={}", bench.path("state").display());
    let mut command = bench.command(&["--stress", "60", "-o", &state, "agent"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = ocf::sys::clock::Deadline::after(std::time::Duration::from_secs(10));
    assert!(started.poll(|| bench.path("state").exists().then_some(())).is_some());
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    for _ in 0..2 {
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
        (Some(UNTESTED), "ocf-tester: interrupted\n")
    );
    assert!(!bench.path("state").exists());
}
