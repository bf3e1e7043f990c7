//! Monitors while others act: an administrator, a log rotation, an upgrade.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{Agent, Outcome};

/// Between two monitors.
const PAUSE: Duration = Duration::from_millis(100);

/// Calls monitors at these levels in turn until `deed` has returned, and at least once each.
pub fn monitors(agent: &Agent<'_>, levels: &[u32], deed: impl FnOnce()) -> Vec<Outcome> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = Vec::new();
            for level in levels.iter().cycle() {
                seen.push(agent.clone().env("OCF_CHECK_LEVEL", &level.to_string()).monitor());
                if over.load(Ordering::Relaxed) && seen.len() >= levels.len() {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
            seen
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(deed));
        over.store(true, Ordering::Relaxed);
        let seen = watching.join();
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
        seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
