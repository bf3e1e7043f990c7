//! A cluster IP: the share of the clients that this node answers, and the firewall's rules for it.

pub mod rules;
pub mod share;
