//! Runs a program to its end: bounded in time and in what is kept of its output, never through a shell.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::clock::Deadline;

/// What is kept of each stream; the rest is read and dropped, so that the program never waits for us.
const KEPT: usize = 1 << 20;

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
    /// It did not end in time, and was killed with everything that it had started in its process group.
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

/// Runs a program in a process group of its own. Its input is `input`, or empty.
///
/// # Errors
/// When it cannot be started, or does not end by the deadline; it is dead then.
pub fn run(mut command: Command, input: Option<&[u8]>, deadline: Deadline) -> Result<Output, RunError> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(RunError::Start)?;
    let mut output = Output::default();
    let served = serve(&mut child, input.unwrap_or_default(), &mut output, deadline);
    let in_time = match served {
        // All streams are closed, and most programs end with that; a few linger.
        Ok(true) => deadline.poll(|| child.try_wait().ok().flatten()).is_some(),
        _ => false,
    };
    if !in_time {
        // The group has the child's number, which is ours until we have waited for it.
        let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    }
    let status = child.wait().map_err(RunError::Streams)?;
    (output.code, output.signal) = (status.code(), status.signal());
    match served {
        Err(error) => Err(RunError::Streams(error)),
        Ok(_) if !in_time => Err(RunError::TimedOut(output)),
        Ok(_) => Ok(output),
    }
}

/// Feeds the child and keeps what it says until it has closed its streams; `false` at the deadline.
fn serve(child: &mut Child, mut input: &[u8], output: &mut Output, deadline: Deadline) -> io::Result<bool> {
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    if let Some(stdin) = &stdin {
        fcntl(stdin, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    loop {
        if input.is_empty() {
            stdin = None;
        }
        let mut waits = Vec::with_capacity(3);
        waits.extend(stdin.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLOUT)));
        waits.extend(stdout.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)));
        waits.extend(stderr.as_ref().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)));
        if stdout.is_none() && stderr.is_none() {
            return Ok(true);
        }
        let left = deadline.left().as_micros().div_ceil(1000).min(60_000) as u16;
        match poll(&mut waits, PollTimeout::from(left)) {
            Ok(0) if deadline.expired() => return Ok(false),
            Ok(0) | Err(nix::Error::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = waits.iter().map(|wait| wait.any().unwrap_or(true)).collect::<Vec<_>>().into_iter();
        let mut is_ready = |there: bool| there && ready.next().unwrap_or(false);
        let (feed, hear, hear_errors) =
            (is_ready(stdin.is_some()), is_ready(stdout.is_some()), is_ready(stderr.is_some()));
        if feed && let Some(pipe) = &mut stdin {
            match pipe.write(input) {
                Ok(count) => input = &input[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It does not want to hear more.
                Err(_) => input = &[],
            }
        }
        if hear && !keep(&mut stdout, &mut output.stdout)? {
            stdout = None;
        }
        if hear_errors && !keep(&mut stderr, &mut output.stderr)? {
            stderr = None;
        }
    }
}

/// Reads what is there; `false` at the end.
fn keep(pipe: &mut Option<impl Read>, kept: &mut Vec<u8>) -> io::Result<bool> {
    let Some(pipe) = pipe else { return Ok(false) };
    let mut buffer = [0; 8192];
    let count = match pipe.read(&mut buffer) {
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
        Err(error) => return Err(error),
    };
    let room = KEPT.saturating_sub(kept.len()).min(count);
    kept.extend_from_slice(&buffer[..room]);
    Ok(count > 0)
}

/// Looks for a program in a PATH, and where programs for root are when PATH does not say so.
#[must_use]
pub fn find_in_path(name: &str, path: &str) -> Option<PathBuf> {
    let usual = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let folders = path.split(':').chain(usual).map(Path::new).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

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
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"*\n"[..], &b"a  b\n\n"[..]));
        assert_eq!(run(sh("kill -9 $$"), None, soon()).unwrap().signal, Some(9));
    }

    #[test]
    fn input_larger_than_a_pipe_arrives_whole() {
        let input = vec![b'x'; 300_000];
        let output = run(Command::new("/bin/cat"), Some(&input), soon()).unwrap();
        assert_eq!(output.stdout, input);
        assert_eq!(run(sh("exec cat"), None, soon()).unwrap().stdout, b"", "no input is an empty one");
        assert_eq!(run(sh("exit 3"), Some(&input), soon()).unwrap().code, Some(3), "one that does not listen");
    }

    #[test]
    fn endless_output_is_dropped_past_the_limit() {
        let output = run(sh("head -c 3000000 /dev/zero"), None, soon()).unwrap();
        assert_eq!((output.stdout.len(), output.code), (KEPT, Some(0)));
    }

    #[test]
    fn what_does_not_end_is_killed_with_its_children() {
        let began = Instant::now();
        let failed = run(sh("echo begun; sleep 60 & sleep 60"), None, Deadline::after(Duration::from_millis(300)));
        match failed {
            Err(RunError::TimedOut(output)) => assert_eq!(output.stdout, b"begun\n"),
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(matches!(run(Command::new("/no/such/program"), None, soon()), Err(RunError::Start(_))));
    }

    #[test]
    fn programs_are_found_where_they_are() {
        assert_eq!(find_in_path("sh", "/usr/bin:/bin").unwrap().file_name().unwrap(), "sh");
        assert!(find_in_path("sh", "").is_some(), "without PATH");
        assert_eq!(find_in_path("no-such-program", "/usr/bin"), None);
        assert_eq!(find_in_path("passwd", "/etc"), find_in_path("passwd", ""), "a file that is no program");
    }
}
