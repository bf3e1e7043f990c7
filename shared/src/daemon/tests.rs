use super::identity::Standing;
use super::keep::session;
use super::look::{Session, proven, tell_apart};
use super::*;
use crate::sys::process::Member;

fn member(pid: i32, session: i32) -> Member {
    Member { process: Process { pid, start_time: 1 }, parent: 1, session, held: false }
}

fn numbers(found: &Found) -> (Option<i32>, Vec<i32>) {
    (
        found.master.map(|master| master.pid),
        found.orphans.iter().map(|process| process.pid).collect(),
    )
}

#[test]
fn the_leader_of_the_session_is_the_master() {
    let all = [member(11, 10), member(10, 10)];
    assert_eq!(numbers(&tell_apart(&all, false)), (Some(10), vec![]));
}

#[test]
fn workers_whose_master_has_died_are_orphans() {
    assert_eq!(
        numbers(&tell_apart(&[member(11, 10), member(12, 10)], false)),
        (None, vec![11, 12])
    );
    assert!(tell_apart(&[], false).is_empty());
}

#[test]
fn the_first_process_of_a_session_is_no_master_where_a_second_fork_follows() {
    assert_eq!(numbers(&tell_apart(&[member(10, 10), member(12, 10)], true)), (None, vec![10, 12]));
}

#[test]
fn what_a_rollback_leaves_is_said_once_for_all_agents() {
    let failure = || Failure::installed("no such module");
    assert_eq!(rolled_back(failure(), Ok(())), failure());
    let both = rolled_back(failure(), Err(Failure::generic("process 12 (nginx) survived SIGKILL")));
    assert_eq!(both.to_string(), "no such module; rollback: process 12 (nginx) survived SIGKILL");
    assert_eq!(both.kind, failure().kind);
}

#[test]
fn a_complaint_is_one_line() {
    assert_eq!(complaint(b"a\nb\n\nc\nd\n", b""), "b / c / d");
    assert_eq!(complaint(b" \n", b"from stdout"), "from stdout");
    assert_eq!(complaint(b"", b""), "it failed without a word");
}

/// The kernel gives the number of a session to another program when all of the session has ended: a
/// stop killed the foreign daemon that had got it.
#[test]
fn a_session_without_its_first_process_needs_another_proof() {
    let session = |number, is_proven| Session { number, standing: Standing::Recorded, is_proven };
    assert_eq!(proven(&[session(10, true), session(20, false)], &[]), [10]);
    assert_eq!(proven(&[session(20, false)], &[member(21, 20)]), [20], "the server's own process");
    assert_eq!(proven(&[session(20, false)], &[member(31, 30)]), [0; 0]);
}

/// A server whose master is one program, and whose worker is another.
struct Fake {
    programs: Vec<PathBuf>,
    folder: tempfile::TempDir,
    note: PathBuf,
    forks_twice: bool,
    has_ended: std::cell::Cell<bool>,
}

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = ["/usr/bin/python3", "/usr/bin/sleep"].map(|path| {
            Path::new(path).canonicalize().unwrap_or_else(|error| panic!("{path}: {error}"))
        });
        let note = folder.path().join("master");
        let has_ended = std::cell::Cell::new(false);
        Self { programs: programs.into(), folder, note, forks_twice: false, has_ended }
    }
}

impl Daemon for Fake {
    fn about(&self) -> About<'_> {
        About {
            name: "fake",
            pid_file: self.folder.path(),
            note: &self.note,
            programs: &self.programs,
        }
    }

    fn claims(&self, arguments: &[Vec<u8>]) -> Option<bool> {
        let is_worker = arguments.first().is_some_and(|name| name == b"worker");
        (!is_worker).then(|| arguments.iter().any(|word| word == self.folder_name().as_bytes()))
    }

    fn polite(&self, _invocation: &Invocation) -> Polite {
        Polite::until_it_ends(Signal::SIGTERM)
    }

    fn forks_twice(&self) -> bool {
        self.forks_twice
    }

    fn seen_to_end(&self) {
        self.has_ended.set(true);
    }

    fn save(&self, _invocation: &Invocation) -> Result<(), Failure> {
        Ok(())
    }

    fn forget(&self, _invocation: &Invocation) -> Result<(), Failure> {
        Ok(())
    }
}

impl Fake {
    fn folder_name(&self) -> String {
        self.folder.path().display().to_string()
    }
}

/// Begins a session with one worker in it. Its main thread ends after a line of input, and another
/// one stays: the kernel shows it then as it shows each process that is ending, without program
/// and arguments, and for as long as a test needs.
const MASTER: &str = "import ctypes, os, sys, threading, time\n\
                      os.setsid()\n\
                      if os.fork() == 0: os.execv('/usr/bin/sleep', ['worker', '60'])\n\
                      threading.Thread(target=time.sleep, args=(60,)).start()\n\
                      print('up', flush=True)\n\
                      sys.stdin.readline()\n\
                      ctypes.CDLL(None).syscall(int(sys.argv[1]), 0)\n";

/// A monitor in the moment after a kill said "not running" while the workers ran, and a session was
/// noted wrong when its first process was just ending.
#[test]
fn a_master_that_is_ending_hides_no_worker_and_is_waited_for() {
    use std::io::{Read as _, Write as _};
    use std::process::Stdio;
    let mut server = Fake::new();
    let exit = nix::libc::SYS_exit.to_string();
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", MASTER, &exit, &server.folder_name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
    let soon = || Deadline::after(Duration::from_secs(10));
    let master = Process::find(child.id() as i32).unwrap().unwrap();
    server.remember(&master).unwrap();
    assert_eq!(server.observe(soon()).unwrap(), Found::master(master));
    let is_worker =
        |process: &Process| process.arguments().is_ok_and(|words| words[0] == b"worker");
    let worker = soon().poll(|| master.descendants().unwrap().into_iter().find(is_worker)).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let is_ending = || master.exe().is_err().then_some(());
    assert!(soon().poll(is_ending).is_some() && master.lives().unwrap());
    let found = server.observe(soon()).unwrap();
    assert_eq!(found, Found { master: None, orphans: vec![worker] });
    server.forks_twice = true;
    assert_eq!(session(&server, &worker).unwrap(), master.pid, "the session is its own");
    server.forks_twice = false;
    server.end(None, soon()).unwrap();
    assert!(!worker.lives().unwrap());
    assert!(!master.lives().unwrap(), "it has its addresses until then");
    child.wait().unwrap();
}

/// Does with SIGTERM what the first word says.
const ASKED: &str = "import os, signal, sys, time\n\
                     os.setsid()\n\
                     signal.signal(signal.SIGTERM, getattr(signal, sys.argv[1]))\n\
                     print('up', flush=True)\n\
                     time.sleep(60)\n";

#[test]
fn a_master_that_ends_when_it_is_asked_is_told_from_one_that_is_killed() {
    use std::io::Read as _;
    for (does, expected) in [("SIG_DFL", true), ("SIG_IGN", false)] {
        let server = Fake::new();
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", ASKED, does, &server.folder_name()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        server.remember(&Process::find(child.id() as i32).unwrap().unwrap()).unwrap();
        let polite = Polite::until_it_ends(Signal::SIGTERM);
        server.end(Some(polite), Deadline::after(Duration::from_secs(3))).unwrap();
        assert_eq!(server.has_ended.get(), expected, "{does}");
        child.wait().unwrap();
    }
}
