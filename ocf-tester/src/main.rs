//! `ocf-tester`: not written yet. It says so and fails, so that nobody takes its silence for a passed test.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let text = "ocf-tester: no checks are implemented yet; until they are, use the shell tester of the package resource-agents\n";
    // Nothing can be said to a closed stderr; the exit code says it too.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(2)
}
