//! What packagers and `make` call: pages and completions anew, and the licences and the list of
//! what is linked.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the rules for agents; this runs in the source tree")]

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: ocf-agents-docs pages DIRECTORY
       cargo metadata --format-version 1 | ocf-agents-docs notices PACKAGE...
       cargo tree --prefix none --format '{p}' -e normal -p PACKAGE | ocf-agents-docs sbom BILL WORKSPACE";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["pages", directory] => pages(Path::new(directory)),
        ["notices", _, ..] => notices(&words[1..]),
        ["sbom", bill, workspace] => sbom(Path::new(bill), workspace),
        _ => {
            let _ = writeln!(io::stderr(), "{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done
        .and_then(|text| io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Writes what is stale, and prints which files those were.
fn pages(directory: &Path) -> Result<String, String> {
    let touched = ocf_agents_docs::update(directory)?;
    Ok(touched.iter().map(|path| format!("{}\n", path.display())).collect())
}

fn notices(packages: &[String]) -> Result<String, String> {
    ocf_agents_docs::notices::notices(&input()?, packages)
}

fn sbom(bill: &Path, workspace: &str) -> Result<String, String> {
    let text =
        std::fs::read_to_string(bill).map_err(|error| format!("{}: {error}", bill.display()))?;
    ocf_agents_docs::sbom::linked(&text, &input()?, workspace)
}

fn input() -> Result<String, String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}
