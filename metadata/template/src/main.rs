//! Runs the agent.
#![no_main]

ocf::main!(@CRATE@::@TYPE@);
