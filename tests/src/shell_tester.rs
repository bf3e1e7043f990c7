//! What the shell agents' tester may say of ours.

use crate::process::Finished;

/// The tester.
pub const PROGRAM: &str = "/usr/sbin/ocf-tester";

/// Panics unless it complains of its DTD and of nothing else: that is of OCF 1.0, and 1.1 has none.
#[track_caller]
pub fn expect_dtd_alone(done: &Finished) {
    let said = format!("{}{}", done.stdout, done.stderr);
    // It complains in lines that begin with a star and the code.
    let complaints: Vec<_> = said.lines().filter(|line| line.starts_with("* rc=")).collect();
    let known = "Your agent produces meta-data which does not conform to ra-api-1.dtd";
    assert!(matches!(complaints[..], [one] if one.ends_with(known)), "{complaints:#?} {done:#?}");
    assert!(done.code == Some(1) && said.contains("failed 1 tests"), "{done:#?}");
}
