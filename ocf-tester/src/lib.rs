//! Tests whether a resource agent keeps the OCF resource agent API, as Pacemaker relies on it.
//!
//! # How it goes
//! [`cli`] reads the command line ([`options`]), and for each set of parameters ([`matrix`]) makes
//! a [`stand::Stand`]: one agent, called as a cluster calls it. [`run::run`] asks for its
//! meta-data, looks whether the resource is in use, and makes the [`checks`]: first those that
//! leave the resource alone, side by side, then its life, one check at a time, and at last the
//! rules for each call that was made. The result is a [`verdict::Report`], printed by [`report`].
//!
//! # Invariants
//! - A check finds its own rule broken or says nothing: where another one has the cause, the
//!   verdict is a skip that names it. So one fault is one finding.
//! - An agent gets Pacemaker's [`environment`] and nothing more; values are bytes from the command
//!   line to the agent.
//! - Whatever an agent leaves running is ours ([`process`] adopts it), so that "nothing is left" is
//!   known, not guessed.
//! - What a check changes of the machine's view ([`place`]) is in namespaces of its own.
//! - A run ends with the resource stopped, also when it is interrupted, or says that it could not.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make their own files"))]

pub mod ask;
pub mod call;
pub mod check;
pub mod checks;
pub mod cli;
pub mod compare;
pub mod environment;
pub mod explain;
pub mod grammar;
pub mod locate;
pub mod matrix;
pub mod metadata;
pub mod names;
pub mod observer;
pub mod options;
pub mod place;
pub mod process;
pub mod progress;
pub mod report;
pub mod run;
pub mod signals;
pub mod stand;
pub mod stream;
pub mod stress;
pub mod stubs;
pub mod surroundings;
pub mod trace;
pub mod verdict;
