//! One line on a terminal that says what goes on, and leaves no trace.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::observer::Event;

/// What removes the line.
pub const ERASE: &str = "\r\x1b[K";

/// What goes on.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    now: Mutex<Now>,
}

#[derive(Clone, Copy, Debug)]
struct Now {
    check: &'static str,
    calls: usize,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            now: Mutex::new(Now { check: "before the checks", calls: 0 }),
        }
    }
}

impl Progress {
    /// What to send to the terminal after an event.
    #[must_use]
    pub fn after(&self, event: Event<'_>) -> String {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Began(check) => now.check = check.id,
            Event::Done(_) => now.calls += 1,
        }
        line(*now, self.began.elapsed())
    }
}

/// With the terminal's line wrap off meanwhile: of a line that is two lines on a narrow terminal,
/// one would stay.
fn line(now: Now, elapsed: Duration) -> String {
    format!("\r\x1b[?7l{}: call {}, {} s\x1b[K\x1b[?7h", now.check, now.calls, elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Done;

    #[test]
    fn the_line_replaces_itself_and_says_what_goes_on() {
        let progress = Progress::default();
        let check = crate::report::tests::CHECK;
        let _ = progress.after(Event::Began(&check));
        let line = progress.after(Event::Done(&Done::default()));
        assert!(
            line.starts_with('\r') && line.contains("starts: call 1, 0 s") && !line.contains('\n'),
            "{line:?}"
        );
    }
}
