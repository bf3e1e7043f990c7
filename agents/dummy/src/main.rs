//! Runs the agent.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    ocf::run::run::<ocf_dummy::Dummy>()
}
