//! The harness judged: what the other suites rely on.
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod demo;
mod eyes;
mod machine;
mod provide;
