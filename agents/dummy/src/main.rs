//! Runs the agent.
fn main() -> std::process::ExitCode {
    ocf::run::run::<ocf_dummy::Dummy>()
}
