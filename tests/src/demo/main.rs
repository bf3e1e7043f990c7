//! `ocf-demo`: watch three nodes keep a web site up while one fault after another befalls them.
//!
//! Everything happens on simulated machines that have no way out; nothing of the machine it runs on
//! is touched.
#![allow(
    clippy::disallowed_methods,
    reason = "the harness is the caller: it owns the environment, waits and processes of what it \
        tests"
)]

mod show;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use harness::call::is_there;
use harness::cluster::{installed, missing};
use harness::keeper;
use harness::stage::{Fault, Whose};

const USAGE: &str = "\
Usage: ocf-demo [--shell] [--no-watch] [FAULT...]

Three nodes with Corosync and Pacemaker and a client, simulated with kernel
namespaces. A virtual address and nginx run on one of the nodes; the client asks
for the page every 20 ms. Then faults befall that node, one after another:

  server   all processes of nginx are killed
  address  an administrator removes the address
  standby  an administrator moves everything away
  power    the node loses its power
  cable    the node's cable is pulled

  --shell     with the shell agents ocf:heartbeat:*, to compare
  --no-watch  with monitors every 2 s that do not wait for events
";

/// The options.
struct Wish {
    whose: Whose,
    faults: Vec<Fault>,
    /// Whether monitors wait for events; only ours can.
    watch: bool,
    /// Set by the keeper for the process that does the work: where the nodes' disks are.
    inside: Option<PathBuf>,
}

fn main() -> ExitCode {
    let wish = match wish(std::env::args().skip(1)) {
        Ok(Some(wish)) => wish,
        Ok(None) => return say(&mut io::stdout(), USAGE, ExitCode::SUCCESS),
        Err(why) => {
            return say(
                &mut io::stderr(),
                &format!("ocf-demo: {why}\n\n{USAGE}"),
                ExitCode::from(2),
            );
        }
    };
    if let Some(directory) = &wish.inside {
        return perform(&wish, directory);
    }
    if let Some(why) = obstacle() {
        return say(
            &mut io::stderr(),
            &format!("The demo cannot run here: {why}\n"),
            ExitCode::from(2),
        );
    }
    match keeper::keep("ocf-demo-") {
        Ok(code) => code,
        Err(error) => say(&mut io::stderr(), &format!("ocf-demo: {error}\n"), ExitCode::from(2)),
    }
}

fn say(out: &mut impl Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = out.write_all(text.as_bytes());
    code
}

fn wish(words: impl Iterator<Item = String>) -> Result<Option<Wish>, String> {
    let mut wish = Wish { whose: Whose::Native, faults: Vec::new(), watch: true, inside: None };
    let mut words = words;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--shell" => wish.whose = Whose::Shell,
            "--no-watch" => wish.watch = false,
            "--inside" => wish.inside = words.next().map(PathBuf::from),
            "--help" | "-h" => return Ok(None),
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            fault => wish.faults.push(fault.parse()?),
        }
    }
    wish.watch &= wish.whose == Whose::Native;
    if wish.faults.is_empty() {
        wish.faults = Fault::ALL.to_vec();
    }
    Ok(Some(wish))
}

/// Why it cannot run, if so.
fn obstacle() -> Option<String> {
    let unbuilt =
        ["IPaddr2", "nginx", "ocf-test-init"].into_iter().find(|program| !is_there(program));
    let absent = ["pcs", "crm_standby", "nginx"].into_iter().find(|program| !installed(program));
    missing()
        .map(|why| {
            format!(
                "{why}. It needs root, overlayfs, and network devices of the types veth and bridge."
            )
        })
        .or(absent.map(|program| format!("{program} is not installed: make demo installs it.")))
        .or(unbuilt.map(|program| format!("{program} is not built: make demo builds it.")))
}

/// The programme.
fn perform(wish: &Wish, directory: &std::path::Path) -> ExitCode {
    // The harness panics when something is not as it must be: that is said in plain words.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload().downcast_ref::<String>().map(String::as_str);
        let what = text
            .or(panic.payload().downcast_ref::<&str>().copied())
            .unwrap_or("for an unknown reason");
        let _ = writeln!(io::stderr(), "\nThe demo cannot go on: {what}");
    }));
    let colour = io::stdout().is_terminal();
    match std::panic::catch_unwind(|| {
        show::run(wish.whose, wish.watch, &wish.faults, directory, colour)
    }) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // Nothing reads any more.
        Ok(Err(_)) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_and_all_of_them_come_by_default() {
        let of = |words: &[&str]| wish(words.iter().map(|word| (*word).to_owned()));
        assert!(of(&[]).is_ok_and(|wish| wish.is_some_and(|wish| wish.faults == Fault::ALL)));
        assert!(
            of(&["power", "server"])
                .is_ok_and(|it| it.is_some_and(|it| it.faults == [Fault::Power, Fault::Server]))
        );
        assert!(of(&["--help"]).is_ok_and(|wish| wish.is_none()));
        assert!(of(&["flood"]).is_err_and(|why| why.contains("flood") && why.contains("power")));
        assert!(of(&["--wrong"]).is_err());
    }
}
