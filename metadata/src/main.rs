//! What contributors, packagers and `make` call: a new agent, pages and completions anew, and the
//! licences and the list of what is linked.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the rules for agents; this runs in the source tree")]

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: ocf-agents-docs new NAME
       ocf-agents-docs pages DIRECTORY
       ocf-agents-docs pictures DIRECTORY
       cargo metadata --format-version 1 | ocf-agents-docs notices PACKAGE...
       cargo tree --prefix none --format '{p}' -e normal -p PACKAGE | ocf-agents-docs sbom BILL \
       WORKSPACE";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["new", name] => ocf_agents_docs::new::make(Path::new("."), name),
        ["pages", directory] => pages(Path::new(directory)),
        ["pictures", directory] => pictures(Path::new(directory)),
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

/// Draws the values of a directory, and prints which files were written.
fn pictures(directory: &Path) -> Result<String, String> {
    let mut written = String::new();
    for (path, svg) in ocf_agents_docs::pictures(directory)? {
        let path = directory.join(path);
        std::fs::write(&path, svg).map_err(|error| format!("{}: {error}", path.display()))?;
        written.push_str(&format!("{}\n", path.display()));
    }
    Ok(written)
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
