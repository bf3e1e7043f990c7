//! STUB, to be replaced by the one that makes random calls.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicBool;

use crate::stand::Setup;
use crate::verdict::Report;

/// Runs nothing.
///
/// # Errors
/// Never.
pub fn stress(
    setup: &Setup,
    _seconds: u64,
    _seed: u64,
    _force: bool,
    _interrupted: &AtomicBool,
) -> Result<Report, String> {
    Ok(Report { agent: setup.agent.display().to_string(), ..Report::default() })
}
