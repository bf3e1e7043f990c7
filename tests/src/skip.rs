//! Leaving a test out: loudly, and never in an official run.

use std::io::Write as _;

/// True when the run must not leave anything out.
#[must_use]
pub fn official() -> bool {
    std::env::var_os("OCF_OFFICIAL").is_some_and(|value| value == "1")
}

/// Says on stderr (past libtest's capture) that a test was left out, and why. Panics when
/// `OCF_OFFICIAL=1`.
///
/// The caller returns after it: `return skip("this kernel has no …")`.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    assert!(!official(), "{name} cannot run here, and this run is official: {reason}");
    // A write to the handle is not captured by libtest, unlike eprintln!. A closed stderr is no
    // failure. In one piece: other tests write too.
    let _ = std::io::stderr().write_all(format!("SKIPPED {name}: {reason}\n").as_bytes());
}
