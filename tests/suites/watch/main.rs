//! Recurring monitors that wait for events, without a cluster: an executor of ours calls them as
//! Pacemaker's does.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod dummy;
mod executor;
mod rules;
mod servers;
mod units;
