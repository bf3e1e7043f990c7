//! Turns for later announcements on one interface, of whatever resources: with hundreds of
//! addresses moving at once, switches and neighbours see at most 500 announcements a second. First
//! announcements do not wait.
//!
//! A file holds the next free moment. Who wants one takes it under a lock, puts the following one
//! there, and waits without the lock: no crowd forms, however many come at the same time.
#![forbid(unsafe_code)]

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use ocf::lock::Lock;
use ocf::sys::clock::Deadline;

/// The least time between two announcements.
const SPACING: Duration = Duration::from_millis(2);
/// The longest wait. A moment further away is a mistake in the file, or a crowd that no spacing
/// helps.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits for a turn. Without one (the file cannot be used) there is no wait.
pub fn wait(gate: &Path) {
    if let Ok(pause) = take(gate) {
        Deadline::after(pause).sleep(pause);
    }
}

/// Takes the next free moment: how long it is until then.
fn take(gate: &Path) -> io::Result<Duration> {
    let lock = Lock::take(gate, Deadline::after(LONGEST)).map_err(io::Error::other)?;
    let mut stored = [0; 8];
    let count = lock.file().read_at(&mut stored, 0)?;
    let next = if count == stored.len() {
        Duration::from_nanos(u64::from_le_bytes(stored))
    } else {
        Duration::ZERO
    };
    // The same for all processes, and never set back; it begins anew with the boot, as /run does.
    let now = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
    let mine = free_moment(now, next);
    let following = u64::try_from((mine + SPACING).as_nanos()).map_err(io::Error::other)?;
    lock.file().write_all_at(&following.to_le_bytes(), 0)?;
    Ok(mine.saturating_sub(now))
}

/// The moment to take, when the next free one is `next`.
fn free_moment(now: Duration, next: Duration) -> Duration {
    if next > now + LONGEST { now } else { next.max(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_each_other_and_never_lie_in_the_past() {
        let ms = Duration::from_millis;
        assert_eq!(free_moment(ms(1000), ms(0)), ms(1000));
        assert_eq!(free_moment(ms(1000), ms(1500)), ms(1500));
        assert_eq!(free_moment(ms(1000), ms(3_600_000)), ms(1000), "a mistake in the file");
    }

    #[test]
    fn a_crowd_is_spread_out() {
        let folder = tempfile::tempdir().unwrap();
        let gate = folder.path().join("gate");
        let pauses: Vec<Duration> = std::thread::scope(|scope| {
            let crowd: Vec<_> = (0..50).map(|_| scope.spawn(|| take(&gate).unwrap())).collect();
            crowd.into_iter().map(|one| one.join().unwrap()).collect()
        });
        // The last of fifty waits for all others, less the time that the crowd took to come.
        assert!(pauses.iter().max().unwrap() > &(SPACING * 25), "{pauses:?}");
    }
}
