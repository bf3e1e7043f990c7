//! The address: where it belongs, what a look at the node means for it, and what a lost link means.

pub mod judge;
pub mod link;
pub mod observe;
pub mod prefix_route;
pub mod select;
