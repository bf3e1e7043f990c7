//! `ocf-tester`: tests whether a resource agent keeps the OCF resource agent API.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    ocf_tester::cli::main()
}
