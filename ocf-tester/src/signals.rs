//! Signals that this process gets: the user's, which ask for an end, and those that an agent has
//! sent.
//!
//! An agent that looks for processes by a pattern (`pkill -f NAME`) finds the tester, whose command
//! line has the agent's path; it would find an administrator's editor as well. Such a signal is a
//! finding, and the run goes on.
#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SignalFd, siginfo};
use ocf::sys::process::{Process, parent_of};

use crate::process::{began_in_a_call, name_of};

/// A signal so long after the first is a wish of its own: timeout(1), for one, sends each signal
/// twice.
const INSISTENCE: Duration = Duration::from_millis(500);

/// How often to look at the parents of a sender: one of them may end meanwhile, seldom two.
const ATTEMPTS: usize = 20;

/// Set by the user's Ctrl-C.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What agents have sent, with the number of the process that did, since it was last taken.
static SENT: Mutex<Vec<(i32, String)>> = Mutex::new(Vec::new());

/// Who wants an end, where that is not plain.
static SENDER: Mutex<Option<String>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signals that processes of agents have sent to this one, since the last time: the sender's
/// number, and in words.
#[must_use]
pub fn sent() -> Vec<(i32, String)> {
    std::mem::take(&mut *locked(&SENT))
}

/// Why the run ends before its time.
#[must_use]
pub fn interruption() -> String {
    locked(&SENDER).clone().unwrap_or_else(|| "interrupted".to_owned())
}

/// Makes the signals that end a program ask for an end instead, in which the resource is stopped. A
/// second one insists.
///
/// They are blocked here, so in every later thread, and one thread takes them; agents start with
/// none blocked ([`crate::place::Place::enter`]).
///
/// # Errors
/// The kernel's.
pub fn watch() -> io::Result<()> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let taken = SignalFd::new(&signals)?;
    let watch = move || {
        let mut first = None;
        while let Ok(Some(info)) = taken.read_signal() {
            let Ok(signal) = Signal::try_from(info.ssi_signo as i32) else { continue };
            match origin(&info) {
                Origin::Agent(name) => {
                    let text =
                        format!("{name} sent {signal} to the process that had called the agent");
                    locked(&SENT).push((info.ssi_pid as i32, text));
                    continue;
                }
                Origin::Gone(pid) => {
                    locked(&SENDER).get_or_insert(format!(
                        "interrupted by {signal} of process {pid}, which has ended: if no user \
                         sent it, the agent did, as with pkill -f"
                    ));
                }
                Origin::Other => {}
            }
            INTERRUPTED.store(true, Ordering::Relaxed);
            if first.get_or_insert_with(Instant::now).elapsed() > INSISTENCE {
                let _ = signals.thread_unblock();
                let _ = raise(signal);
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(watch).map(drop)
}

/// Where a signal came from.
enum Origin {
    /// From a process that an agent has started, in words.
    Agent(String),
    /// From a process that has ended since.
    Gone(i32),
    /// From a terminal, the kernel, or a process that is none of ours.
    Other,
}

fn origin(info: &siginfo) -> Origin {
    // Zero: the kernel, for a terminal, or a process in another process id namespace.
    let pid = match i32::try_from(info.ssi_pid) {
        Ok(pid) if pid > 0 && info.ssi_code <= 0 => pid,
        _ => return Origin::Other,
    };
    let own = std::process::id() as i32;
    match begun_by(own, pid) {
        Some(true) => Origin::Agent(name_of(&Process { pid, start_time: 0 })),
        Some(false) => Origin::Other,
        None if began_in_a_call(pid) => {
            Origin::Agent(format!("process {pid}, which has ended since,"))
        }
        None => Origin::Gone(pid),
    }
}

/// Whether a process is one that `own` or a child of it has begun, a zombie included; `None` when
/// it has ended.
fn begun_by(own: i32, pid: i32) -> Option<bool> {
    for _ in 0..ATTEMPTS {
        let mut parent = parent_of(pid).ok()?;
        while let Some(number) = parent.filter(|number| *number > 1 && *number != own) {
            parent = parent_of(number).ok()?;
        }
        match (parent, parent_of(pid).ok()?) {
            (Some(number), _) => return Some(number == own),
            (None, None) => return None,
            // A parent ended meanwhile, and its children have another one now.
            (None, Some(_)) => {}
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::{Pid, getppid};

    use super::*;

    #[test]
    fn a_sender_is_ours_until_nothing_is_left_of_it() {
        let own = std::process::id() as i32;
        let mut child = Command::new("true").spawn().expect("true");
        let pid = child.id() as i32;
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(Pid::from_raw(pid)), ended).expect("a child");
        assert_eq!(begun_by(own, pid), Some(true), "a zombie");
        assert!(name_of(&Process { pid, start_time: 0 }).contains(&format!("{pid}")));
        child.wait().expect("a child");
        assert_eq!(begun_by(own, pid), None);
        assert_eq!(begun_by(own, getppid().as_raw()), Some(false));
    }
}
