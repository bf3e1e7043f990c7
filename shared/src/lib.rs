//! The OCF resource agent protocol, once for all agents of the suite.
//!
//! # Contract
//! An agent is a type that implements [`agent::Agent`]: a description ([`spec::Spec`]) and a few
//! functions. Its `main` is [`main!`], which enters [`run::run`]; that
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
