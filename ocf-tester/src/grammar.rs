//! The command line's grammar. What the shell tester understands means here what it means there.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use clap::builder::{ArgPredicate, PossibleValuesParser, ValueParser};
use clap::error::ContextKind;
use clap::{Arg, ArgAction, Command, value_parser};

use crate::report::folded;

const USAGE: &str = "ocf-tester [-vqdX] [-n NAME] [-o NAME=VALUE]... AGENT
       ocf-tester --meta-data-only AGENT|DIRECTORY...
       ocf-tester --list | --explain ID";

const ABOUT: &str =
    "Tests whether a resource agent keeps the OCF resource agent API, as Pacemaker relies on it.";

const AFTER: &str = "\
AGENT is a path, or ocf:PROVIDER:TYPE for an installed agent. The agent is called as Pacemaker \
calls it: with a fresh
environment, the parameters of -o and no other. It starts and stops the real resource: do not \
test on a node in service.

Exit status: 0 all passed, 1 a check failed, 2 wrong usage or not testable.

Examples:
  ocf-tester -n web -o configfile=/etc/nginx/nginx.conf /usr/lib/ocf/resource.d/heartbeat/nginx
  ocf-tester -v --only well-formed,start-running ocf:heartbeat:Dummy
  ocf-tester --matrix sets.toml --format junit --strict ./my-agent >report.xml
  ocf-tester --meta-data-only /usr/lib/ocf/resource.d/heartbeat
  ocf-tester --stress 60 --seed 7 --stub-cluster ./my-agent";

/// What `-?` means in the shell tester. clap's short options can be any character.
const QUESTION: char = '?';

/// The whole grammar.
#[must_use]
pub fn command() -> Command {
    let flag = |id: &'static str| Arg::new(id).long(id).action(ArgAction::SetTrue);
    let short =
        |id: &'static str, letter: char| Arg::new(id).short(letter).action(ArgAction::SetTrue);
    let with = |id: &'static str, value: &'static str| Arg::new(id).long(id).value_name(value);
    let many =
        |id: &'static str| with(id, "ID[,ID]").action(ArgAction::Append).value_delimiter(',');
    let number = |id: &'static str, value: &'static str| {
        with(id, value).value_parser(value_parser!(u64).range(1..))
    };
    let words =
        |words: &'static [&'static str]| ValueParser::from(PossibleValuesParser::new(words));
    let text = value_parser!(OsString);

    let resource = [
        Arg::new("name")
            .short('n')
            .value_name("NAME")
            .value_parser(text.clone())
            .help("The resource's name [default: test]"),
        Arg::new("parameter")
            .short('o')
            .value_name("NAME=VALUE")
            .value_parser(text.clone())
            .action(ArgAction::Append)
            .help("A parameter; may be repeated"),
        with("matrix", "FILE")
            .value_parser(text.clone())
            .help("Run once for each set of parameters in a TOML file"),
    ];
    let what = [
        flag("meta-data-only")
            .conflicts_with_all(["stress", "matrix", "parameter"])
            .help("Only what they say of themselves; AGENT may be several, or a directory"),
        many("only").help("Only these checks"),
        many("skip").help("All checks but these"),
        number("stress", "SECONDS")
            .conflicts_with_all(["only", "skip"])
            .help("Instead of the checks: calls in random order, for so long"),
        with("seed", "NUMBER")
            .value_parser(value_parser!(u64))
            .requires("stress")
            .help("Repeat a random order"),
        number("repeat", "TIMES").help("Everything so many times"),
        flag("strict").help("A warning is a failure"),
    ];
    let how = [
        number("timeout", "SECONDS").help("No action gets more time, whatever it advertises"),
        flag("stub-cluster").help("Answer crm_attribute and the like, where no cluster runs"),
        flag("force").help("Test although the resource seems to be in use"),
        short("debug", 'd').help("Let the agent log for debugging (HA_debug)"),
        short("trace-agent", 'X').help("Let the agent trace itself (OCF_TRACE_RA), and -v"),
    ];
    let shown = [
        // A default, so that -X is -v in conflicts, too.
        short("verbose", 'v').default_value_if(
            "trace-agent",
            ArgPredicate::Equals("true".into()),
            "true",
        ),
        short("quiet", 'q').conflicts_with_all(["verbose", "trace-agent"]).help("Only failures"),
        flag("trace").help("Each call with its environment and output, on stderr"),
        with("format", "FORMAT")
            .value_parser(words(&["text", "tap", "junit", "json", "html", "github"]))
            .default_value("text"),
        with("compare", "FILE")
            .value_parser(text.clone())
            .help("What has changed since this report of --format json"),
        with("color", "WHEN")
            .alias("colour")
            .value_parser(words(&["auto", "always", "never"]))
            .default_value("auto"),
    ];
    let other = [
        flag("list").help("The checks, one a line"),
        with("explain", "ID").help("A check: the rule, where it is from, how to keep it"),
        Arg::new("help")
            .short('h')
            .short_alias(QUESTION)
            .long("help")
            .action(ArgAction::Help)
            .help("This text"),
        Arg::new("version").long("version").action(ArgAction::Version).help("The version"),
    ];
    let agent = Arg::new("agent").value_name("AGENT").num_args(0..).value_parser(text).hide(true);
    Command::new("ocf-tester")
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage(USAGE)
        .after_help(AFTER)
        .disable_help_flag(true)
        .disable_version_flag(true)
        // As in the shell tester, the last one counts.
        .args_override_self(true)
        .arg(agent)
        .next_help_heading("The resource")
        .args(resource)
        .next_help_heading("What is tested")
        .args(what)
        .next_help_heading("How")
        .args(how)
        .next_help_heading("What is shown")
        .args(shown.map(|arg| match arg.get_id().as_str() {
            "verbose" => arg.help("Every check, with the reasons of skips"),
            "format" => {
                arg.help("text, tap, junit, json, html or github").hide_possible_values(true)
            }
            "color" => arg.help("auto, always or never").hide_possible_values(true),
            _ => arg,
        }))
        .next_help_heading("Instead of testing")
        .args(other)
}

/// The arguments without `-L`, with or without text: a switch of a daemon that is long gone, which
/// scripts still give.
#[must_use]
pub fn modern(words: Vec<OsString>) -> Vec<OsString> {
    let mut options = true;
    let keep = |word: &OsString| {
        options &= word != "--";
        !(options && word.as_bytes().starts_with(b"-L"))
    };
    words.into_iter().filter(keep).collect()
}

/// A complaint of clap's in one line: what is wrong, and what it suggests.
#[must_use]
pub fn complaint(mut error: clap::Error) -> String {
    // How to name a file that begins with a dash is not what a wrong option is about.
    error.remove(ContextKind::Suggested);
    let text = error.to_string();
    let mut parts = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        match line.strip_prefix("tip: ") {
            Some(tip) => parts.push(format!("({tip})")),
            None => parts.push(line.trim_start_matches("error: ").to_owned()),
        }
    }
    folded(&parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_of(words: &[&str]) -> String {
        complaint(command().try_get_matches_from([&["ocf-tester"], words].concat()).unwrap_err())
    }

    #[test]
    fn the_grammar_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn complaints_are_one_line_with_the_suggestion() {
        let faults: [(&[&str], &str); 7] = [
            (
                &["--foce"],
                "unexpected argument '--foce' found (a similar argument exists: '--force')",
            ),
            (&["-Z", "a"], "unexpected argument '-Z' found"),
            (
                &["--format", "yaml"],
                "invalid value 'yaml' for '--format <FORMAT>' [possible values: text, tap, junit, \
                 json, html, github]",
            ),
            (&["-n"], "a value is required for '-n <NAME>' but none was supplied"),
            (&["-q", "-v"], "the argument '-q' cannot be used with '-v'"),
            (
                &["--repeat", "0"],
                "invalid value '0' for '--repeat <TIMES>': 0 is not in 1..18446744073709551615",
            ),
            (&["--a\nb\x1b"], "unexpected argument '--a b\\u{1b}' found"),
        ];
        for (words, expected) in faults {
            assert_eq!(complaint_of(words), expected);
        }
    }

    #[test]
    fn an_old_switch_is_dropped() {
        let words = ["-L", "-v", "-Lx", "a", "--", "-L"].map(OsString::from).to_vec();
        assert_eq!(modern(words), ["-v", "a", "--", "-L"]);
    }

    #[test]
    fn the_example_names_checks_that_there_are() {
        let ids = AFTER.split("--only ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        assert!(ids.split(',').all(|id| crate::checks::all().any(|check| check.id == id)), "{ids}");
    }

    #[test]
    fn help_fits_a_wide_terminal() {
        let help = command().render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}
