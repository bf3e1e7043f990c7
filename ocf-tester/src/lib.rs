//! Tests whether a resource agent keeps the OCF resource agent API, as Pacemaker relies on it.

pub mod ask;
pub mod call;
pub mod check;
pub mod checks;
pub mod environment;
pub mod metadata;
pub mod place;
pub mod process;
pub mod run;
pub mod stand;
pub mod stress;
pub mod surroundings;
pub mod verdict;
