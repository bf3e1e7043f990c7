//! Runs the agent.
#![no_main]

ocf::main!(ocf_systemd::Systemd);
