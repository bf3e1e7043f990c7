//! `ocf-agents-docs DIRECTORY`: writes the man pages and completions below it anew, from the meta-data in it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(directory), None) = (words.next(), words.next()) else {
        let _ = writeln!(std::io::stderr(), "usage: ocf-agents-docs DIRECTORY");
        return ExitCode::from(2);
    };
    match ocf_agents_docs::update(Path::new(&directory)) {
        Ok(touched) => {
            for path in touched {
                let _ = writeln!(std::io::stdout(), "{}", path.display());
            }
            ExitCode::SUCCESS
        }
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}
