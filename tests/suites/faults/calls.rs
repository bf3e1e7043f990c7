//! System calls that fail (strace, `-e inject`).

use std::collections::BTreeMap;

use crate::judge::{self, State};
use crate::subject::Subject;
use crate::{Extent, Findings, dice};

/// Calls that cannot fail, or of which strace makes something that no kernel does: it does not
/// carry out the call that it lets fail, so that a `close` would leave the descriptor open and a
/// `futex` would wake no thread. At the begin of a program it lets go. Memory that the C library
/// maps fails with a low limit instead.
const LEFT_OUT: [&str; 36] = [
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "close_range",
    "execve",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "nanosleep",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "umask",
    "uname",
];

/// Where strace writes, inside.
const TRACE: &str = "/run/trace";

/// Actions, each with whether the resource is there before it.
const ACTIONS: [(&str, bool); 9] = [
    ("probe", false),
    ("monitor", false),
    ("validate-all", false),
    ("stop", false),
    ("start", false),
    ("probe", true),
    ("monitor", true),
    ("reload-agent", true),
    ("stop", true),
];

/// A system call that is to fail.
#[derive(Clone, Debug)]
struct Fault {
    call: String,
    occurrence: usize,
    error: &'static str,
}

/// Errors that the kernel has for a call (section 2 of the manual): of those that mean a shortage,
/// a lack of rights, or a device that is broken. Never one that says that a thing is not there: a
/// lie of the kernel's becomes one of the agent's.
fn errors(call: &str) -> &'static [&'static str] {
    match call {
        "open" | "openat" | "openat2" => &["EMFILE", "EACCES", "EIO", "EINTR"],
        "socket" | "socketpair" | "pipe" | "pipe2" | "eventfd2" | "epoll_create1"
        | "pidfd_open" | "dup" | "dup2" | "dup3" | "fcntl" | "timerfd_create" | "inotify_init1"
        | "pidfd_getfd" => &["EMFILE", "ENOMEM"],
        "clone" | "clone3" | "fork" | "vfork" => &["EAGAIN", "ENOMEM"],
        "write" | "writev" | "pwrite64" => &["ENOSPC", "EIO", "EINTR"],
        "fsync" | "fdatasync" | "ftruncate" | "mkdir" | "mkdirat" | "rename" | "renameat"
        | "renameat2" | "symlink" | "symlinkat" | "link" | "linkat" => &["ENOSPC", "EROFS", "EIO"],
        "unlink" | "unlinkat" | "rmdir" | "chmod" | "fchmod" | "fchmodat" | "chown" | "fchown"
        | "fchownat" => &["EROFS", "EPERM", "EIO"],
        "read" | "readv" | "pread64" => &["EINTR", "EIO", "ENOMEM"],
        "recvfrom" | "recvmsg" => &["EINTR", "ENOBUFS", "ENOMEM"],
        "sendto" | "sendmsg" => &["ENOBUFS", "EACCES", "EINTR"],
        "connect" => &["EACCES", "ECONNREFUSED", "EAGAIN"],
        "getdents64" => &["EIO", "ENOMEM"],
        "poll" | "ppoll" | "select" | "pselect6" => &["EINTR", "ENOMEM"],
        "epoll_wait" | "epoll_pwait" | "wait4" | "waitid" => &["EINTR"],
        "epoll_ctl" | "inotify_add_watch" => &["ENOMEM", "ENOSPC"],
        "flock" => &["EINTR", "ENOLCK"],
        "kill" | "tgkill" | "pidfd_send_signal" | "setsid" => &["EPERM"],
        "getrandom" => &["EINTR", "ENOSYS"],
        _ => &["EIO", "ENOMEM", "EACCES"],
    }
}

/// How often each call occurs in a trace, at most in one process.
pub fn occurrences(trace: &str) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let (process, rest) = line.split_once(char::is_whitespace).unwrap_or(("", line));
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            *counts.entry((process, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in counts {
        let entry: &mut usize = most.entry(call.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// Each fault that an action can meet: what it does beyond what the program loader and the printing
/// of meta-data do.
fn all(loader: &str, action: &str) -> Vec<Fault> {
    let before = occurrences(loader);
    let mut faults = Vec::new();
    for (call, count) in occurrences(action) {
        if LEFT_OUT.contains(&call.as_str()) {
            continue;
        }
        let first = before.get(&call).copied().unwrap_or(0);
        for occurrence in first + 1..=count {
            let with = |error: &&'static str| Fault { call: call.clone(), occurrence, error };
            faults.extend(errors(&call).iter().map(with));
        }
    }
    faults
}

/// What strace has written, and no longer there.
pub fn take_trace(subject: &Subject) -> String {
    let path = subject.host().outside(TRACE);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let _ = std::fs::remove_file(&path);
    String::from_utf8_lossy(&text).into_owned()
}

pub fn traced(subject: &Subject, more: &[&str], action: &str) -> harness::Outcome {
    let mut words = vec!["strace", "-f", "-yy", "-b", "execve", "-qq", "-o", TRACE];
    words.extend(more);
    subject.call(&subject.agent().under(&words), action)
}

fn campaign(subject: Option<Subject>, extent: Extent) {
    let Some(subject) = subject else { return };
    subject.learn_clean();
    let mut findings = Findings::default();
    for (action, up) in ACTIONS {
        if up && !subject.starts() {
            continue;
        }
        subject.prepare(up, action);
        let meta_data = traced(&subject, &[], "meta-data");
        assert_eq!(meta_data.code, 0, "strace does not work: {meta_data}");
        let loader = take_trace(&subject);
        let plain = traced(&subject, &[], action);
        let trace = take_trace(&subject);
        if plain.code == 3 {
            // It has no such action.
            continue;
        }
        let expected = if up || action != "start" { subject.starts() } else { false };
        assert!(!expected || matches!(plain.code, 0 | 7), "{action} under strace: {plain}");
        let mut faults = all(&loader, &trace);
        if faults.is_empty() {
            // It needs nothing of the machine, as a check of parameters.
            continue;
        }
        if extent == Extent::Sample {
            let mut dice = dice(&format!("{}{action}{up}", subject.kind));
            let wanted =
                if matches!(subject.kind, "Dummy" | "IPaddr2" | "ldirectord") { 8 } else { 4 };
            faults = (0..wanted).map(|_| faults[dice.below(faults.len())].clone()).collect();
        }
        for fault in faults {
            subject.prepare(up, action);
            meet(&subject, (action, up), &fault, &mut findings);
        }
    }
    findings.expect_none(&format!("calls of {}", subject.kind));
}

/// Whether no kernel lets this call fail so: an eventfd has room and no disk, and what has been
/// sent to a local socket is there.
fn is_impossible(line: &str) -> bool {
    let of_event = line.contains("[eventfd]>");
    let received =
        line.contains(" recvfrom(") && line.contains("<UNIX") && !line.contains(" EINTR ");
    of_event || received
}

/// Lets an action meet a fault, and judges what it says.
fn meet(subject: &Subject, (action, up): (&str, bool), fault: &Fault, findings: &mut Findings) {
    let Fault { call, occurrence, error } = fault;
    let expression = format!("inject={call}:error={error}:when={occurrence}");
    let outcome = traced(subject, &["-e", &expression], action);
    let trace = take_trace(subject);
    let met: Vec<&str> = trace.lines().filter(|line| line.contains("(INJECTED)")).collect();
    // The calls differ a little from run to run.
    if met.is_empty() || met.iter().any(|line| is_impossible(line)) {
        return;
    }
    findings.tries += 1;
    let deaf = met.iter().any(|line| line.contains(" write(2<") || line.contains(" writev(2<"));
    let after = match (action, outcome.code) {
        ("start", 0) => subject.settled(true),
        ("stop", 0) => subject.settled(false),
        ("start" | "stop", _) => State { left: false, whole: false },
        _ => subject.settled(up),
    };
    let mut wrong = judge::faults(action, &outcome, after, deaf);
    if matches!(action, "start" | "stop") && outcome.code != 0 {
        wrong.extend(subject.aftermath());
    }
    let occasion = format!("{} {action} (up: {up}), {expression}", subject.kind);
    findings.add(
        &occasion,
        wrong.into_iter().map(|text| format!("{text}\n{}\n{outcome}", met.join("\n"))),
    );
}

mod some_calls_that_fail_lead_to_honest_answers {
    use super::*;
    crate::for_each_agent!(|subject| campaign(subject, Extent::Sample));
}

mod each_call_that_fails_leads_to_an_honest_answer {
    use super::*;
    crate::for_each_agent!(|subject| campaign(subject, Extent::Whole), #[ignore = "takes minutes: \
        make test-slow"]);
}

/// One fault at a call that an action makes: what it says.
fn with_fault(subject: &Subject, action: &str, expression: &str) -> harness::Outcome {
    let said = traced(subject, &["-e", expression], action);
    let trace = take_trace(subject);
    assert!(trace.contains("(INJECTED)"), "{expression} befell nothing:\n{trace}\n{said}");
    said
}

/// A library panicked over it, and a stop that had left nothing was a failure.
#[test]
fn an_4_a_lock_that_the_kernel_does_not_give_back_is_no_failure() {
    let Some(subject) = Subject::dummy() else { return };
    for (action, up) in [("start", false), ("reload-agent", true), ("stop", true)] {
        subject.prepare(up, action);
        for error in ["EINTR", "ENOLCK"] {
            let said = with_fault(&subject, action, &format!("inject=flock:error={error}:when=2+"));
            said.expect_code(0);
            subject.prepare(up, action);
        }
    }
}

/// It said that it has an error of its own.
#[test]
fn an_4_what_a_library_panics_over_is_named_when_the_machine_is_short_of_it() {
    let Some(subject) = Subject::systemd() else { return };
    let said = with_fault(&subject, "probe", "inject=socketpair:error=EMFILE:when=1");
    said.expect_code(1)
        .expect_reason(&["too many open files", "; free memory, or raise the limits"]);
}

#[test]
fn calls_are_counted_for_each_process_and_beyond_the_loader() {
    let loader = "7 openat(3) = 3\n7 read(3) = 1\n7 exit_group(0) = ?\n";
    let action = "9 openat(3) = 3\n9 read(3) = 1\n9 openat(1) = 4\n10 openat(1) = 4\n\
                  9 clone(x) = 10\n9 exit_group(0) = ?\n";
    assert_eq!(occurrences(action)["openat"], 2);
    let found = all(loader, action);
    let calls: Vec<_> =
        found.iter().map(|fault| (fault.call.as_str(), fault.occurrence, fault.error)).collect();
    let clones = [("clone", 1, "EAGAIN"), ("clone", 1, "ENOMEM")];
    let opens = ["EMFILE", "EACCES", "EIO", "EINTR"].map(|error| ("openat", 2, error));
    assert_eq!(calls, [&clones[..], &opens].concat());
}
