//! The OCF resource agent protocol, once for all agents of the suite.
//!
//! # A complete agent
//! An agent is a type that implements [`agent::Agent`]: a description ([`spec::Spec`]) and a few
//! functions. This one manages a file. A new agent of this workspace is made by
//! `cargo run -p ocf-agents-docs -- new NAME`.
//!
//! ```
//! use std::path::{Path, PathBuf};
//!
//! use ocf::prelude::*;
//! use ocf::sys::file;
//!
//! const STATE: Param<PathBuf> =
//!     Param::new("state", absolute_path, "State file", "There while it runs.").required();
//!
//! pub struct Lamp;
//!
//! impl Agent for Lamp {
//!     type Identity = Option<PathBuf>;
//!     type Params = PathBuf;
//!
//!     const SPEC: &'static Spec = &Spec {
//!         name: "Lamp",
//!         version: "1.0.0",
//!         short: "Resource that is a file",
//!         long: "Remembers in a file whether it runs.",
//!         parameters: &[&STATE, &TRACE_RA, &TRACE_FILE],
//!         actions: &[
//!             ActionSpec::new(Action::Start, 20),
//!             ActionSpec::new(Action::Stop, 20),
//!             ActionSpec::new(Action::Monitor, 20).every(10, 0),
//!             ActionSpec::new(Action::ValidateAll, 20).at(0),
//!             ActionSpec::new(Action::MetaData, 5),
//!         ],
//!         needs_root: false,
//!         // Usually include_str!: a test of the description writes that file (`assert_sound`).
//!         metadata: "",
//!     };
//!
//!     // What a stop has: each part from a value that is good.
//!     fn identity(invocation: &Invocation) -> Option<PathBuf> {
//!         invocation.values.get(&STATE)
//!     }
//!
//!     fn params(values: &Values, _: &Invocation, _: &mut Faults) -> Option<PathBuf> {
//!         values.get(&STATE)
//!     }
//!
//!     fn start(_: &Context<'_>, state: &PathBuf) -> Result<(), Failure> {
//!         file::write_atomic(state, b"", 0o600).or_fail(state.display())
//!     }
//!
//!     fn stop(_: &Context<'_>, state: &Option<PathBuf>) -> Result<(), Failure> {
//!         state.as_ref().map_or(Ok(()), |state| file::remove_written(state).or_fail(state.display()))
//!     }
//!
//!     fn monitor(_: &Context<'_>, state: &PathBuf) -> Result<Status, Failure> {
//!         look(state)
//!     }
//!
//!     fn explain(
//!         _: &Context<'_>,
//!         state: &PathBuf,
//!         explanation: &mut Explanation,
//!     ) -> Result<(), Failure> {
//!         explanation.line("state file", state.display());
//!         explanation.monitor(&look(state));
//!         Ok(())
//!     }
//!
//!     // A probe with faulty parameters.
//!     fn probe_without_params(
//!         _: &Context<'_>,
//!         state: &Option<PathBuf>,
//!     ) -> Result<Status, Failure> {
//!         state.as_ref().map_or(Ok(Status::STOPPED), |state| look(state))
//!     }
//! }
//!
//! fn look(state: &Path) -> Result<Status, Failure> {
//!     let is_there = state.try_exists().or_fail(state.display())?;
//!     Ok(if is_there { Status::Running } else { Status::STOPPED })
//! }
//! ```
//!
//! The program itself is two lines, `#![no_main]` and `ocf::main!(lamp::Lamp);`.
//!
//! # Contract
//! The `main` of an agent is [`main!`], which enters [`run::run`]; that
//! - reads arguments and environment, once, into an [`invocation::Invocation`];
//! - answers `meta-data`, `usage`, `--help` and `--version` before any parameter is read, as any
//!   user, and unknown or missing actions with 3;
//! - answers `--explain` by what a start would do here and why ([`explain`]);
//! - judges the parameters ([`param`], [`values`]): every fault at once, each with its name, its
//!   value and what is allowed;
//! - calls the action with a [`budget::Budget`] that ends a little before the caller's time-out;
//! - turns a [`failure::Failure`] into the exit code that the action and the kind ask for
//!   ([`settle`]);
//! - turns a panic into exit 1 with a reason;
//! - writes one log line, and last of all one reason line on stderr (`report`).
//!
//! # Invariants
//! - Every exit code but 0 and 7 comes with exactly one reason line; 7 may have one.
//! - 7 can only come from a status, never from start or stop: the types have no way to say it.
//! - A stop is never gated by parameters, and fails only with what is left or cannot be looked at.
//! - Nothing but [`run`], `report` and [`log`] prints, exits, or reads the process's environment.
//! - A healthy monitor prints nothing.
//!
//! # Layers
//! Pure: [`action`], [`budget`], [`spec`], [`param`], [`values`], [`invocation`], [`failure`],
//! [`outcome`], [`settle`], [`metadata`], [`usage`], [`words`]; with the feature `http` also `ere`.
//! [`glob`] takes its files from an edge. Edges: [`daemon`], [`entry`], [`explain`], [`external`],
//! [`run`], `report`, [`log`], [`lock`], [`state`], [`sys`]; with the feature `http` also `web`,
//! what agents of web servers share. [`testing`] is for the tests of agents.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod action;
pub mod agent;
pub mod budget;
pub mod daemon;
pub mod entry;
#[cfg(feature = "http")]
pub mod ere;
pub mod explain;
pub mod external;
pub mod failure;
pub mod glob;
pub mod invocation;
pub mod lock;
pub mod log;
pub mod message;
pub mod metadata;
pub mod outcome;
pub mod param;
#[cfg(target_env = "musl")]
mod portable;
pub mod prelude;
mod refused;
mod report;
pub mod run;
pub mod settle;
pub mod spec;
pub mod state;
pub mod sys;
pub mod testing;
pub mod usage;
pub mod values;
pub mod watch;
#[cfg(feature = "http")]
pub mod web;
pub mod words;
