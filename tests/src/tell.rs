//! What a run of minutes prints while it goes on.

use std::io::Write as _;

use crate::uml;

/// Says lines on stderr, past libtest's capture; those of a test in a kernel of its own come out of
/// it.
pub fn tell(text: &str) {
    let mark = if uml::inside() { uml::TOLD } else { "" };
    let lines: String = text.lines().map(|line| format!("{mark}{line}\n")).collect();
    // In one piece: other tests write too. A closed stderr is no failure.
    let _ = std::io::stderr().write_all(lines.as_bytes());
}
