use super::*;
use std::io::Read;
use std::process::Command;
use std::time::Instant;

fn sleeper() -> (Child, Process) {
    let child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let process = Process::find(child.id() as i32).unwrap().unwrap();
    (child, process)
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Ignores SIGTERM and says when it does.
fn stubborn() -> (Child, Process) {
    let mut child = Command::new("/bin/sh")
        .args(["-c", "trap '' TERM INT QUIT; echo ready; while :; do /bin/sleep 1; done"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 5]).unwrap();
    let process = Process::find(child.id() as i32).unwrap().unwrap();
    (child, process)
}

#[test]
fn fuzz_any_line_of_the_kernel_and_any_command_line_is_read() {
    let stat = b"4711 (a) S 9 (b) S 1 4711 4711 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 1\n";
    crate::testing::fuzz::survives(&[stat, b"nginx: master process\0-c\0"], |bytes| {
        let _ = (parse_stat(bytes), entry::split(bytes));
    });
}

#[test]
fn names_with_parentheses_spaces_and_line_ends_do_not_mislead() {
    let numbers = &b"S 7 1 2 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1"[..];
    for name in [&b"sleep"[..], b"a) S 1 2", b"((", b"x\n) y", b"", b"\xff)"] {
        let parsed = parse_stat(&[b"42 (", name, b") ", numbers].concat()).unwrap();
        assert_eq!(
            parsed,
            Stat { state: 'S', parent: 7, session: 2, threads: 1, start_time: 4711 },
            "{name:?}"
        );
    }
    assert_eq!(parse_stat(b"42 (x"), None);
    assert_eq!(parse_stat(b"42 (x) S 7"), None);
}

#[test]
fn a_process_whose_main_thread_has_left_still_runs() {
    let zombie = Stat { state: 'Z', parent: 7, session: 2, threads: 1, start_time: 4711 };
    assert!(zombie.has_ended());
    assert!(!Stat { threads: 2, ..zombie }.has_ended());
    assert!(!Stat { state: 'S', ..zombie }.has_ended());
}

#[test]
fn a_program_keeps_its_name_when_an_update_replaces_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().canonicalize().unwrap().join("server");
    std::fs::copy("/bin/sleep", &program).unwrap();
    // Another test may fork while the copy is open for writing, and hold it open until it executes
    // (ETXTBSY).
    let spawn = || Command::new(&program).arg("60").spawn().ok();
    let child = Deadline::after(Duration::from_secs(5)).poll(spawn).unwrap();
    let process = Process::find(child.id() as i32).unwrap().unwrap();
    assert_eq!(process.exe().unwrap(), program);
    std::fs::remove_file(&program).unwrap();
    assert_eq!(process.exe().unwrap(), program);
    end(child);
}

#[test]
fn sl_06_a_number_with_another_start_time_is_another_process() {
    let (mut child, process) = sleeper();
    let impostor = Process { start_time: process.start_time - 1, ..process };
    assert!(!impostor.lives().unwrap());
    assert!(impostor.open().unwrap().is_none());
    assert!(process.lives().unwrap());
    assert!(process.age().unwrap() < Duration::from_secs(60));
    assert_eq!(
        end_all(&[impostor], &[Signal::SIGKILL], Deadline::after(Duration::from_secs(5))).unwrap(),
        []
    );
    assert!(process.lives().unwrap(), "the process with that number must live");
    child.kill().unwrap();
    // Not yet reaped: a zombie does nothing any more.
    assert!(
        Deadline::after(Duration::from_secs(5))
            .poll(|| (!process.lives().unwrap()).then_some(()))
            .is_some()
    );
    child.wait().unwrap();
}

#[test]
fn numbers_that_are_never_somebody_elses_are_refused() {
    for pid in [-1, 0, 1, std::process::id() as i32] {
        assert!(Process { pid, start_time: 0 }.open().is_err(), "{pid}");
    }
}

#[test]
fn sl_01_all_are_gone_only_when_each_of_them_is() {
    let (dead, dead_process) = sleeper();
    end(dead);
    for first_dead in [true, false] {
        let (mut child, process) = stubborn();
        let both = if first_dead { [dead_process, process] } else { [process, dead_process] };
        let soon = Deadline::after(Duration::from_millis(300));
        assert_eq!(end_all(&both, &[Signal::SIGTERM], soon).unwrap(), [process]);
        assert_eq!(
            end_all(
                &both,
                &[Signal::SIGTERM, Signal::SIGKILL],
                Deadline::after(Duration::from_secs(1))
            )
            .unwrap(),
            []
        );
        child.wait().unwrap();
    }
}

#[test]
fn sl_01_one_that_cannot_be_signalled_does_not_save_the_others() {
    let (mut child, process) = sleeper();
    let own = Process { pid: std::process::id() as i32, start_time: 0 };
    let soon = Deadline::after(Duration::from_secs(5));
    let error = end_all(&[own, process], &[Signal::SIGKILL], soon).unwrap_err();
    assert!(error.to_string().contains(&own.pid.to_string()), "{error}");
    assert!(!process.lives().unwrap());
    child.wait().unwrap();
}

#[test]
fn sl_02_little_time_is_shared_among_all_signals() {
    let (mut child, process) = stubborn();
    let began = Instant::now();
    let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL];
    assert_eq!(end_all(&[process], &signals, Deadline::after(Duration::from_secs(2))).unwrap(), []);
    assert!(began.elapsed() >= Duration::from_secs(1), "the gentle signals had their time");
    child.wait().unwrap();
}

#[test]
fn a_process_is_busy_while_it_runs_and_not_while_it_sleeps() {
    let (idle, asleep) = sleeper();
    let turning = Command::new("/bin/sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
    let awake = Process::find(turning.id() as i32).unwrap().unwrap();
    let growth = |process: Process, before: Duration| process.busy().unwrap() - before;
    std::thread::sleep(Duration::from_millis(300));
    let before = [asleep, awake].map(|process| process.busy().unwrap());
    std::thread::sleep(Duration::from_millis(500));
    assert!(growth(asleep, before[0]) < Duration::from_millis(100), "{asleep:?}");
    assert!(growth(awake, before[1]) > Duration::from_millis(300), "{awake:?}");
    end(idle);
    end(turning);
    assert_eq!(awake.busy(), None);
}

#[test]
fn descendants_are_found_by_parentage() {
    let (mut child, process) = stubborn();
    let soon = Deadline::after(Duration::from_secs(5));
    let found = soon.poll(|| {
        let all = process.descendants().unwrap();
        all.iter().any(|p| p.exe().is_ok_and(|exe| exe.ends_with("sleep"))).then_some(all)
    });
    let all: Vec<Process> = found.unwrap().into_iter().chain([process]).collect();
    end_all(&all, &[Signal::SIGKILL], soon).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_program_is_known_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().canonicalize().unwrap().join("server");
    std::fs::copy("/bin/sleep", &program).unwrap();
    // Another test may fork while the copy is open for writing, and hold it open until it executes
    // (ETXTBSY).
    let spawn = || Command::new(&program).arg("60").spawn().ok();
    let child = Deadline::after(Duration::from_secs(5)).poll(spawn).unwrap();
    let process = Process::find(child.id() as i32).unwrap().unwrap();
    let entry = process.entry().unwrap().unwrap();
    let found = entry.executable().unwrap();
    let file = FileId::of(&program).unwrap();
    assert_eq!(found, Executable { path: program.clone(), removed: false, file });
    std::fs::copy("/bin/sleep", folder.path().join("new")).unwrap();
    std::fs::rename(folder.path().join("new"), &program).unwrap();
    assert_eq!(
        entry.executable().unwrap(),
        Executable { path: program.clone(), removed: true, file }
    );
    assert_ne!(FileId::of(&program).unwrap(), file);
    assert_eq!(entry.name().unwrap(), b"server");
    assert_eq!(entry.owner().unwrap(), nix::unistd::geteuid().as_raw());
    assert!(entry.shares_numbers().unwrap() && entry.shares_root().unwrap());
    end(child);
    assert!(
        entry.arguments().is_err(),
        "the descriptor does not lead to a later process of this number"
    );
    assert!(process.entry().unwrap().is_none());
}

#[test]
fn id_6_no_command_line_is_read_beyond_its_limit() {
    let long = "x".repeat(100_000);
    let spawn = |words: &[&str]| {
        Command::new("/bin/sh")
            .args(["-c", "echo; read wait"])
            .args(words)
            .stdin(piped())
            .stdout(piped())
            .spawn()
    };
    for (words, expected) in
        [(&[long.as_str()][..], Some(4)), (&[long.as_str(), long.as_str()], None)]
    {
        let mut child = spawn(words).unwrap();
        // It has become the shell once it says something.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let process = Process::find(child.id() as i32).unwrap().unwrap();
        let entry = process.entry().unwrap().unwrap();
        let (words, is_whole) = entry.arguments().unwrap();
        assert_eq!(
            (words.len(), is_whole),
            (4, expected.is_some()),
            "the last one is left out when it is cut"
        );
        assert_eq!(process.arguments().is_ok(), expected.is_some());
        end(child);
    }
}

/// A shell that executes itself again and again, with the same words.
#[test]
fn arguments_are_whole_while_a_process_executes_itself() {
    const AGAIN: &str = "exec /bin/sh -c \"$0\" \"$0\"";
    let child = Command::new("/bin/sh").args(["-c", AGAIN, AGAIN]).spawn().unwrap();
    let process = Process::find(child.id() as i32).unwrap().unwrap();
    let end_of_test = Instant::now() + Duration::from_secs(2);
    let expected = ["/bin/sh", "-c", AGAIN, AGAIN].map(|word| word.as_bytes().to_vec());
    let mut wrong = None;
    while wrong.is_none() && Instant::now() < end_of_test {
        let words = process.arguments();
        if !words.as_ref().is_ok_and(|words| *words == expected) {
            wrong = Some(words);
        }
    }
    // Before anything that may fail: it would go on for ever.
    end(child);
    assert!(wrong.is_none(), "{wrong:?}");
}

fn piped() -> std::process::Stdio {
    std::process::Stdio::piped()
}
