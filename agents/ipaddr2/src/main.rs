//! Runs the agent.
#![no_main]

ocf::main!(ocf_ipaddr2::IPaddr2);
