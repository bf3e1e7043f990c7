//! Tests whether a resource agent keeps the OCF resource agent API, as Pacemaker relies on it.

pub mod ask;
pub mod call;
pub mod check;
pub mod checks;
pub mod cli;
pub mod environment;
pub mod grammar;
pub mod locate;
pub mod matrix;
pub mod metadata;
pub mod observer;
pub mod options;
pub mod place;
pub mod process;
pub mod progress;
pub mod report;
pub mod run;
pub mod stand;
pub mod stress;
pub mod stubs;
pub mod surroundings;
pub mod trace;
pub mod verdict;
