//! The help for people: `usage`, `--help`, and what an unknown action is answered with.
#![forbid(unsafe_code)]

use clap::{Arg, Command};

use crate::action::Action;
use crate::spec::Spec;

/// The help text of an agent.
#[must_use]
pub fn text(spec: &Spec) -> String {
    let mut words: Vec<&str> = Vec::new();
    for entry in spec.actions {
        if !words.contains(&entry.action.word()) {
            words.push(entry.action.word());
        }
    }
    words.push(Action::Usage.word());
    let parameters: String = spec
        .parameters
        .iter()
        .map(|p| {
            let default = p.info().default.map_or(String::new(), |d| format!(" [default: {d}]"));
            let required = if p.info().required { " [required]" } else { "" };
            format!("  {:<26} {}{required}{default}\n", p.info().name, p.info().short)
        })
        .collect();
    let mut command = Command::new(spec.name)
        .version(spec.version)
        .about(spec.short)
        .disable_help_flag(true)
        .arg(
            Arg::new("action")
                .required(true)
                .value_name("ACTION")
                .help("What to do")
                .value_parser(words),
        )
        .after_help(format!(
            "--explain shows what a start would do here and why, and what a monitor sees. It \
             changes nothing.\n\n\
             Parameters (each in the environment as OCF_RESKEY_<name>):\n{parameters}\n\
             Exit codes: 0 done or running, 1 failed, 2 value wrong here, 3 no such action, 4 not \
             allowed, \
             5 not installed, 6 value wrong everywhere, 7 not running, 190 running but degraded.\n\
             Every other exit than 0 and 7 comes with one reason line on stderr."
        ));
    command.render_help().to_string()
}
