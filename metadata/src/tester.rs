//! The tester's man page and completions, from its command line.
//!
//! The page is in section 1: the program is in /usr/bin, and section 8 has the page of the shell
//! tester (of the package resource-agents, in /usr/sbin), whose file a package of ours must not
//! claim.
#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use clap::{Command, ValueHint};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use crate::Output;

const NAME: &str = "ocf-tester";

/// The page, and a completion for each shell.
///
/// # Errors
/// None in practice: writing to memory does not fail.
pub fn outputs() -> io::Result<Vec<Output>> {
    let shells = [
        (Shell::Bash, "ocf-tester"),
        (Shell::Zsh, "_ocf-tester"),
        (Shell::Fish, "ocf-tester.fish"),
    ];
    let mut made = vec![(PathBuf::from("man/ocf-tester.1"), page()?)];
    for (shell, name) in shells {
        let mut text = Vec::new();
        generate(shell, &mut command(), NAME, &mut text);
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        made.push((PathBuf::from("completions").join(name), text));
    }
    Ok(made)
}

/// The command line, with what completions want to know: the agent and the matrix are files.
fn command() -> Command {
    let shown = ocf_tester::grammar::command();
    shown
        .mut_arg("agent", |agent| {
            agent.hide(false).value_hint(ValueHint::FilePath).help("The agent's file")
        })
        .mut_arg("matrix", |matrix| matrix.value_hint(ValueHint::FilePath))
}

fn page() -> io::Result<String> {
    // The agent is described in its own words, below the options.
    let command = command().mut_arg("agent", |agent| agent.hide(true));
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command);
    let mut head = Roff::new();
    let package = format!("ocf-agents {}", env!("CARGO_PKG_VERSION"));
    head.control("TH", [NAME, "1", "\"\"", package.as_str(), "OCF resource agents"]);
    let mut text = head.render().into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    let mut more = Roff::new();
    let (prose, rest): (Vec<_>, Vec<_>) =
        after.split("\n\n").partition(|part| !part.contains(':') || !is_headed(part));
    for paragraph in prose {
        more.control("PP", []).text([roman(paragraph.replace('\n', " "))]);
    }
    text.extend(more.to_roff().into_bytes());
    man.render_options_section(&mut text)?;
    let mut more = Roff::new();
    for part in rest {
        headed(&mut more, part);
    }
    more.control("SH", ["SEE ALSO"]);
    more.text([bold("crm_resource"), roman("(8), "), bold("ocf_native_IPaddr2"), roman("(7)")]);
    more.control("SH", ["AUTHOR"]).text([roman("The authors of ocf-agents.")]);
    text.extend(more.to_roff().into_bytes());
    String::from_utf8(text).map_err(io::Error::other)
}

/// Whether a part of the help's end begins with a heading and a colon.
fn is_headed(part: &str) -> bool {
    ["Exit status:", "Examples:"].iter().any(|heading| part.starts_with(heading))
}

/// A part of the help's end as a section: lines that are set in stay as they are.
fn headed(page: &mut Roff, part: &str) {
    let Some((heading, body)) = part.split_once(':') else { return };
    let heading = heading.to_uppercase();
    page.control("SH", [heading.as_str()]);
    if body.starts_with('\n') {
        page.control("nf", []);
        for line in body.lines().filter(|line| !line.is_empty()) {
            page.text([roman(line.trim())]);
        }
        page.control("fi", []);
    } else {
        page.text([roman(body.trim().replace('\n', " "))]);
    }
}
