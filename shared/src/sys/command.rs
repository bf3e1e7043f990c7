//! Runs a program to its end: bounded in time and in what is kept of its output, never through a
//! shell.
//!
//! The end is the program's own, not that of its streams: a daemon that it started may keep them
//! open for ever.

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getppid};

use super::apart;
use super::clock::Deadline;
use super::process::Handle;
use crate::failure::{Failure, Kind};

/// What is kept of each stream; the rest is read and dropped, so that the program never waits for
/// us.
const KEPT: usize = 1 << 20;

/// How much is read at once.
const CHUNK: usize = 8192;

/// How long to wait for the end of what was killed. One that the kernel keeps asleep (a lost disk)
/// may never end.
const DYING: Duration = Duration::from_millis(500);

/// What a program left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// What it wrote, byte for byte.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
}

/// Why there is no result.
#[derive(Debug)]
pub enum RunError {
    /// It could not be started.
    Start(io::Error),
    /// It did not end in time, and was killed with everything that it had started in its process
    /// group.
    TimedOut(Output),
    /// Its streams could not be served.
    Streams(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "cannot be started: {error}"),
            Self::TimedOut(_) => f.write_str("did not end in time and was killed"),
            Self::Streams(error) => write!(f, "cannot be talked to: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl RunError {
    /// The failure of an action that needed the program, which `what` names. This machine lacks the
    /// program when it is not there or cannot be executed (ENOENT, ENOEXEC, EACCES: exit code 5).
    /// Everything else may pass: no memory, too many processes or open files, a slow disk (exit
    /// code 1).
    #[must_use]
    pub fn into_failure(self, what: impl fmt::Display) -> Failure {
        let lacking = [nix::libc::ENOENT, nix::libc::ENOEXEC, nix::libc::EACCES];
        let kind = match &self {
            Self::Start(error)
                if error.raw_os_error().is_some_and(|number| lacking.contains(&number)) =>
            {
                Kind::Installed
            }
            _ => Kind::Generic,
        };
        Failure::new(kind, format!("{what} {self}"))
    }
}

impl Output {
    /// A program that a signal has ended has given no answer: the kernel may have lacked memory for
    /// it.
    ///
    /// # Errors
    /// That it was killed; `what` names it.
    pub fn unless_killed(self, what: impl fmt::Display) -> Result<Self, Failure> {
        match self.signal {
            Some(signal) => Err(Failure::generic(format!("{what} was killed by signal {signal}"))),
            None => Ok(self),
        }
    }
}

/// Keeps the cluster's variables (`OCF_*`: the parameters, and with them passwords) from a program:
/// a server hands its environment on to whatever it starts, and shows it to any process that may
/// look.
#[expect(
    clippy::disallowed_methods,
    reason = "names of variables, which the program must not inherit"
)]
pub fn hide_parameters(command: &mut Command) {
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"OCF_"))
    {
        command.env_remove(name);
    }
}

/// Runs a program in a process group of its own; it does not outlive us, for the cluster kills an
/// agent that is late, and what that agent was just starting must not come up afterwards. Its input
/// is `input`, or empty. What it leaves running when it ends in time lives on; that needs streams
/// of its own, for no process reads these any more.
///
/// # Errors
/// When it cannot be started or served, or does not end by the deadline; it is killed then, with
/// its process group.
pub fn run(command: Command, input: Option<&[u8]>, deadline: Deadline) -> Result<Output, RunError> {
    run_in(command, input, deadline, || Ok(()))
}

/// As [`run`], for a program that is tried out beside a server that it must not disturb: with a
/// network, IPC and PID namespace of its own, where it may bind any address, and without anything
/// that outlives it.
///
/// # Errors
/// As [`run`]; `Start` also where this caller may make no namespaces.
pub fn run_apart(command: Command, deadline: Deadline) -> Result<Output, RunError> {
    run_in(command, None, deadline, apart::leave)
}

/// `enter` is called between fork and exec: it may make system calls, and nothing else.
fn run_in(
    mut command: Command,
    input: Option<&[u8]>,
    deadline: Deadline,
    enter: fn() -> io::Result<()>,
) -> Result<Output, RunError> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let own = Pid::this();
    // SAFETY: between fork and exec only system calls are made; nothing allocates, no lock is
    // taken.
    unsafe { command.pre_exec(move || end_with(own).and_then(|()| enter())) };
    let mut child = command.spawn().map_err(RunError::Start)?;
    let mut output = Output::default();
    let served = serve(&mut child, input.unwrap_or_default(), &mut output, deadline);
    if !matches!(served, Ok(true)) {
        // The group has the child's number, which is ours until we have waited for it.
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
        let ended = Handle::of_child(&child).and_then(|handle| handle.wait(Deadline::after(DYING)));
        if !matches!(ended, Ok(true)) {
            return Err(served.map_or_else(RunError::Streams, |_| RunError::TimedOut(output)));
        }
    }
    let status = child.wait().map_err(RunError::Streams)?;
    (output.code, output.signal) = (status.code(), status.signal());
    match served {
        Err(error) => Err(RunError::Streams(error)),
        Ok(false) => Err(RunError::TimedOut(output)),
        Ok(true) => Ok(output),
    }
}

/// Ends this process when its parent does (PR_SET_PDEATHSIG, prctl(2)), which may have happened
/// already.
fn end_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(nix::libc::ESRCH)) }
}

/// Feeds the child and keeps what it says until it ends; `false` at the deadline.
fn serve(
    child: &mut Child,
    mut input: &[u8],
    output: &mut Output,
    deadline: Deadline,
) -> io::Result<bool> {
    let handle = Handle::of_child(child)?;
    // Left in the child, so that they stay open until it is killed: it must not die of a closed
    // pipe before.
    let Child { stdin, stdout, stderr, .. } = child;
    let streams = [
        stdin.as_ref().map(AsFd::as_fd),
        stdout.as_ref().map(AsFd::as_fd),
        stderr.as_ref().map(AsFd::as_fd),
    ];
    for stream in streams.into_iter().flatten() {
        fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    loop {
        if input.is_empty() {
            *stdin = None;
        }
        let mut waits = Vec::with_capacity(4);
        waits.push(PollFd::new(handle.fd.as_fd(), PollFlags::POLLIN));
        waits.extend(stdin.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLOUT)));
        waits.extend(stdout.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)));
        waits.extend(stderr.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)));
        let left = deadline.left().as_micros().div_ceil(1000).min(60_000) as u16;
        match poll(&mut waits, PollTimeout::from(left)) {
            Ok(0) if deadline.expired() => return Ok(false),
            Ok(0) | Err(nix::Error::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = waits[0].any().unwrap_or(true);
        // None of the streams blocks, so it does not matter which of them is ready.
        if let Some(pipe) = stdin {
            match pipe.write(input) {
                Ok(count) => input = &input[count..],
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                // It does not want to hear more.
                Err(_) => input = &[],
            }
        }
        // Of a child that has ended, all that is still in the pipes: at most their size, whichever
        // process writes to them.
        let mut rounds = if ended { KEPT / CHUNK } else { 1 };
        while rounds > 0 && keep(stdout, &mut output.stdout)? | keep(stderr, &mut output.stderr)? {
            rounds -= 1;
        }
        if ended {
            return Ok(true);
        }
        if deadline.expired() {
            // One that never stops talking must not keep us.
            return Ok(false);
        }
    }
}

/// Reads what is there, up to a chunk; `false` when there is nothing more now. At its end, the
/// stream is closed.
fn keep(stream: &mut Option<impl Read>, kept: &mut Vec<u8>) -> io::Result<bool> {
    let Some(pipe) = stream else { return Ok(false) };
    let mut buffer = [0; CHUNK];
    match pipe.read(&mut buffer) {
        Ok(0) => {
            *stream = None;
            Ok(false)
        }
        Ok(count) => {
            let room = KEPT.saturating_sub(kept.len()).min(count);
            kept.extend_from_slice(&buffer[..room]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

/// Looks for a program in a PATH, and where programs for root are when PATH does not say so.
#[must_use]
pub fn find_in_path(name: &str, path: &str) -> Option<PathBuf> {
    let usual = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let folders = path.split(':').chain(usual).map(Path::new).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// Whether there is a file that may be run.
#[must_use]
pub fn is_program(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::{Process, end_all};
    use std::time::Instant;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[test]
    fn sl_07_code_and_output_are_exact() {
        let output = run(sh("echo '*'; printf 'a  b\\n\\n' >&2; exit 42"), None, soon()).unwrap();
        assert_eq!((output.code, output.signal), (Some(42), None));
        assert_eq!(
            (output.stdout.as_slice(), output.stderr.as_slice()),
            (&b"*\n"[..], &b"a  b\n\n"[..])
        );
        assert_eq!(run(sh("kill -9 $$"), None, soon()).unwrap().signal, Some(9));
    }

    #[test]
    fn an_2_only_a_program_that_cannot_be_executed_is_lacking() {
        let kind =
            |number| RunError::Start(io::Error::from_raw_os_error(number)).into_failure("x").kind;
        for number in [nix::libc::ENOENT, nix::libc::ENOEXEC, nix::libc::EACCES] {
            assert_eq!(kind(number), Kind::Installed, "{number}");
        }
        for number in [
            nix::libc::EAGAIN,
            nix::libc::EMFILE,
            nix::libc::ENFILE,
            nix::libc::EIO,
            nix::libc::ENOMEM,
        ] {
            assert_eq!(kind(number), Kind::Generic, "{number}");
        }
        let late = RunError::TimedOut(Output::default()).into_failure("httpd -t");
        assert_eq!(
            (late.kind, late.to_string()),
            (Kind::Generic, "httpd -t did not end in time and was killed".into())
        );
        let killed =
            run(sh("kill -9 $$"), None, soon()).unwrap().unless_killed("httpd -t").unwrap_err();
        assert_eq!(
            (killed.kind, killed.to_string()),
            (Kind::Generic, "httpd -t was killed by signal 9".into())
        );
    }

    #[test]
    fn input_larger_than_a_pipe_arrives_whole() {
        let input = vec![b'x'; 300_000];
        let output = run(Command::new("/bin/cat"), Some(&input), soon()).unwrap();
        assert_eq!(output.stdout, input);
        assert_eq!(
            run(sh("exec cat"), None, soon()).unwrap().stdout,
            b"",
            "no input is an empty one"
        );
        assert_eq!(
            run(sh("exit 3"), Some(&input), soon()).unwrap().code,
            Some(3),
            "one that does not listen"
        );
    }

    #[test]
    fn endless_output_is_dropped_past_the_limit() {
        let output = run(sh("head -c 3000000 /dev/zero"), None, soon()).unwrap();
        assert_eq!((output.stdout.len(), output.code), (KEPT, Some(0)));
    }

    #[test]
    fn what_does_not_end_is_killed_with_its_children() {
        let began = Instant::now();
        let failed = run(
            sh("echo begun; sleep 60 & sleep 60"),
            None,
            Deadline::after(Duration::from_millis(300)),
        );
        match failed {
            Err(RunError::TimedOut(output)) => assert_eq!(output.stdout, b"begun\n"),
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(matches!(
            run(Command::new("/no/such/program"), None, soon()),
            Err(RunError::Start(_))
        ));
    }

    #[test]
    fn a_daemon_that_keeps_the_streams_open_is_neither_waited_for_nor_killed() {
        let began = Instant::now();
        let output = run(sh("echo said; /bin/sleep 60 & echo $!; exit 7"), None, soon()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(output.code, Some(7));
        let text = String::from_utf8(output.stdout).unwrap();
        let pid = text.strip_prefix("said\n").unwrap().trim().parse().unwrap();
        let daemon = Process::find(pid).unwrap().unwrap();
        assert_eq!(end_all(&[daemon], &[Signal::SIGKILL], soon()).unwrap(), []);
    }

    #[test]
    fn what_is_tried_out_apart_sees_no_process_and_leaves_none() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let script = "echo $$; cat /proc/sys/net/ipv4/ip_nonlocal_bind; /bin/sleep 61.25 \
                      >/dev/null 2>&1 & exit 3";
        let output = match run_apart(sh(script), soon()) {
            Err(RunError::Start(error)) if error.raw_os_error() == Some(nix::libc::EPERM) => return,
            other => other.unwrap(),
        };
        assert_eq!((output.code, output.stdout.as_slice()), (Some(3), &b"1\n1\n"[..]));
        let is_left = |pid: i32| {
            let words =
                Process::find(pid).ok().flatten().and_then(|process| process.arguments().ok());
            words.is_some_and(|words| words.iter().any(|word| word == b"61.25"))
        };
        assert!(!crate::sys::process::numbers().unwrap().into_iter().any(is_left));
        let failed = run_apart(Command::new("/no/such/program"), soon());
        assert!(
            matches!(failed, Err(RunError::Start(error)) if error.kind() == io::ErrorKind::NotFound)
        );
    }

    #[test]
    fn one_that_closes_its_streams_is_waited_for() {
        let output = run(sh("exec >&- 2>&-; /bin/sleep 0.2; exit 9"), None, soon()).unwrap();
        assert_eq!(output.code, Some(9));
    }

    #[test]
    fn one_that_never_stops_talking_is_killed_in_time() {
        let began = Instant::now();
        let failed =
            run(sh("exec cat /dev/zero"), None, Deadline::after(Duration::from_millis(200)));
        assert!(matches!(failed, Err(RunError::TimedOut(output)) if output.signal == Some(9)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn programs_are_found_where_they_are() {
        assert_eq!(find_in_path("sh", "/usr/bin:/bin").unwrap().file_name().unwrap(), "sh");
        assert!(find_in_path("sh", "").is_some(), "without PATH");
        assert_eq!(find_in_path("no-such-program", "/usr/bin"), None);
        assert_eq!(
            find_in_path("passwd", "/etc"),
            find_in_path("passwd", ""),
            "a file that is no program"
        );
    }
}
