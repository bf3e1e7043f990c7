//! What the user wants, read from the command line and the environment, with everything found that
//! can be found before a run begins.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use clap::error::ErrorKind;

use crate::check::Check;
use crate::checks;
use crate::compare::{self, Old};
use crate::environment::{Environment, Resource};
use crate::grammar::{command, complaint, modern};
use crate::locate;
use crate::matrix::{self, Parameters, Set};
use crate::report::catalogue::{explain, list};
use crate::report::find;

/// What is wanted.
#[derive(Clone, Debug)]
pub enum Request {
    /// This text.
    Text(String),
    /// Tests.
    Test(Box<Options>),
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// The Test Anything Protocol.
    Tap,
    /// JUnit's XML.
    Junit,
    /// One JSON object a run.
    Json,
    /// A page for people.
    Html,
    /// Annotations of GitHub Actions.
    Github,
}

/// What to test, how, and what to tell.
#[derive(Clone, Debug)]
pub struct Options {
    /// The agents' files, absolute; one, unless only their meta-data are judged.
    pub agents: Vec<PathBuf>,
    /// Only what the agents say of themselves is judged.
    pub meta_data_only: bool,
    /// The resource's name.
    pub name: OsString,
    /// Where the directory of resource agents is.
    pub root: OsString,
    /// This node.
    pub node: String,
    /// The sets of parameters, at least one.
    pub sets: Vec<Set>,
    /// The file where they are from.
    pub matrix: Option<OsString>,
    /// The checks to make, in the table's order.
    pub selected: Vec<&'static Check>,
    /// Instead of the checks: random calls for so many seconds.
    pub stress: Option<u64>,
    /// What makes the random calls the same again.
    pub seed: Option<u64>,
    /// How many times everything is done.
    pub repeat: u64,
    /// A warning is a failure.
    pub strict: bool,
    /// No action gets more time.
    pub timeout: Option<Duration>,
    /// Cluster tools are answered by stubs.
    pub stub_cluster: bool,
    /// Test although the resource seems to be in use.
    pub force: bool,
    /// Variables for debugging and tracing.
    pub extra: Environment,
    /// Tell everything.
    pub verbose: bool,
    /// Tell failures only.
    pub quiet: bool,
    /// Show each call.
    pub trace: bool,
    /// The form of the report.
    pub format: Format,
    /// An earlier report, to say what has changed since.
    pub old: Option<Old>,
    /// With colours; `None` leaves it to the terminal.
    pub colour: Option<bool>,
    /// Parameters in the caller's environment, which are not used.
    pub unused: Vec<String>,
}

impl Options {
    /// The resource of an agent and a set.
    #[must_use]
    pub fn resource(&self, agent: &Path, set: &Set) -> Resource {
        let provider = agent.parent().and_then(|directory| directory.file_name());
        Resource {
            instance: self.name.clone(),
            kind: agent.file_name().unwrap_or_default().to_owned(),
            provider: provider.unwrap_or_default().to_owned(),
            root: self.root.clone(),
            node: self.node.clone(),
            parameters: set.parameters.clone(),
        }
    }
}

/// Reads the command line, without the program's name.
///
/// # Errors
/// In one line, what is wrong with it.
pub fn parse(
    words: Vec<OsString>,
    environment: &Environment,
    table: &[&'static Check],
) -> Result<Request, String> {
    let program = [OsString::from("ocf-tester")];
    let matches = match command().try_get_matches_from(program.into_iter().chain(modern(words))) {
        Ok(matches) => matches,
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            return Ok(Request::Text(error.to_string()));
        }
        Err(error) => return Err(complaint(error)),
    };
    if matches.get_flag("list") {
        return Ok(Request::Text(list(table)));
    }
    if let Some(id) = matches.get_one::<String>("explain") {
        return known(id, table).map(|check| Request::Text(explain(check)));
    }
    let variable =
        |name: &str| environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).cloned();
    let root = variable("OCF_ROOT").unwrap_or_else(|| "/usr/lib/ocf".into());
    let value = |id: &str| matches.get_one::<OsString>(id).cloned();
    let number = |id: &str| matches.get_one::<u64>(id).copied();
    let name = value("name")
        .or_else(|| variable("OCF_RESOURCE_INSTANCE"))
        .unwrap_or_else(|| "test".into());
    if name.is_empty() {
        return Err("-n needs a name".to_owned());
    }
    let mut extra = Environment::new();
    for (flag, variable) in [("debug", "HA_debug"), ("trace-agent", "OCF_TRACE_RA")] {
        if matches.get_flag(flag) {
            extra.insert(variable.into(), "1".into());
        }
    }
    let colourless = variable("NO_COLOR").is_some()
        || variable("TERM").is_none_or(|terminal| terminal == "dumb");
    let colour = match matches.get_one::<String>("color").map(String::as_str) {
        Some("always") => Some(true),
        Some("never") => Some(false),
        _ => colourless.then_some(false),
    };
    let format = match matches.get_one::<String>("format").map(String::as_str) {
        Some("tap") => Format::Tap,
        Some("junit") => Format::Junit,
        Some("json") => Format::Json,
        Some("html") => Format::Html,
        Some("github") => Format::Github,
        _ => Format::Text,
    };
    let host =
        nix::unistd::gethostname().map_err(|error| format!("the name of this host: {error}"))?;
    Ok(Request::Test(Box::new(Options {
        selected: selected(&matches, table)?,
        meta_data_only: matches.get_flag("meta-data-only"),
        sets: sets(&matches)?,
        matrix: value("matrix"),
        agents: agents(&matches, &root)?,
        name,
        root,
        node: host.to_string_lossy().into_owned(),
        stress: number("stress"),
        seed: number("seed"),
        repeat: number("repeat").unwrap_or(1),
        strict: matches.get_flag("strict"),
        timeout: number("timeout").map(Duration::from_secs),
        stub_cluster: matches.get_flag("stub-cluster"),
        force: matches.get_flag("force"),
        extra,
        verbose: matches.get_flag("verbose"),
        quiet: matches.get_flag("quiet"),
        trace: matches.get_flag("trace"),
        format,
        old: old(&matches)?,
        colour,
        unused: unused(environment),
    })))
}

/// The agents that are meant: one, or for their meta-data as many as are named or lie in a
/// directory.
fn agents(matches: &ArgMatches, root: &OsStr) -> Result<Vec<PathBuf>, String> {
    if !matches.get_flag("meta-data-only") {
        return Ok(vec![locate::agent(&only_agent(matches)?, root)?]);
    }
    let mut found = Vec::new();
    for given in matches.get_many::<OsString>("agent").into_iter().flatten() {
        if Path::new(given).is_dir() {
            found.extend(locate::in_directory(Path::new(given))?);
        } else {
            found.push(locate::agent(given, root)?);
        }
    }
    if found.is_empty() {
        Err("no agent: give a directory of agents, or some agents".to_owned())
    } else {
        Ok(found)
    }
}

fn only_agent(matches: &ArgMatches) -> Result<OsString, String> {
    let mut agents = matches.get_many::<OsString>("agent").into_iter().flatten();
    match (agents.next(), agents.next()) {
        (None, _) => {
            Err("no agent: give its path, as in ocf-tester -n NAME /path/of/agent".to_owned())
        }
        (Some(agent), None) => Ok(agent.clone()),
        (Some(_), Some(second)) => Err(format!(
            "one agent at a time: {:?} is one too many (parameters need -o)",
            second.display().to_string()
        )),
    }
}

fn sets(matches: &ArgMatches) -> Result<Vec<Set>, String> {
    let given = matches.get_many::<OsString>("parameter").into_iter().flatten();
    let defaults = given.map(|word| parameter(word)).collect::<Result<Parameters, _>>()?;
    let Some(file) = matches.get_one::<OsString>("matrix") else {
        return Ok(vec![Set { parameters: defaults, ..Set::default() }]);
    };
    let text = text_of(Path::new(file))?;
    matrix::parse(&text, &defaults).map_err(|error| format!("{}: {error}", file.display()))
}

/// The report to compare with.
fn old(matches: &ArgMatches) -> Result<Option<Old>, String> {
    let Some(file) = matches.get_one::<OsString>("compare") else { return Ok(None) };
    let text = text_of(Path::new(file))?;
    compare::parse(&text).map(Some).map_err(|error| format!("{}: {error}", file.display()))
}

/// The text of a file that an option names.
#[expect(
    clippy::disallowed_methods,
    reason = "the caller's own file, and perhaps a pipe: --matrix <(command)"
)]
fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Splits at the first `=`; what follows is the value, whatever it holds.
fn parameter(word: &OsStr) -> Result<(OsString, OsString), String> {
    let bytes = word.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at @ 1..) => {
            Ok((OsStr::from_bytes(&bytes[..at]).into(), OsStr::from_bytes(&bytes[at + 1..]).into()))
        }
        _ => Err(format!("-o takes name=value, not {:?}", word.display().to_string())),
    }
}

fn selected(matches: &ArgMatches, table: &[&'static Check]) -> Result<Vec<&'static Check>, String> {
    let named = |id: &str| -> Result<Option<Vec<&'static str>>, String> {
        let Some(ids) = matches.get_many::<String>(id) else { return Ok(None) };
        ids.map(|id| known(id.trim(), table).map(|check| check.id))
            .collect::<Result<_, _>>()
            .map(Some)
    };
    let (only, skip) = (named("only")?, named("skip")?.unwrap_or_default());
    let wanted = |check: &&&'static Check| {
        only.as_ref().is_none_or(|only| only.contains(&check.id)) && !skip.contains(&check.id)
    };
    let all = !matches.get_flag("meta-data-only");
    let possible = |check: &&&'static Check| all || checks::is_of_meta_data(check.id);
    let selected: Vec<_> = table.iter().filter(possible).filter(wanted).copied().collect();
    if selected.is_empty() { Err("no check is left to make".to_owned()) } else { Ok(selected) }
}

/// The check with this id.
fn known(id: &str, table: &[&'static Check]) -> Result<&'static Check, String> {
    find(id, table).ok_or_else(|| {
        let nearness =
            |check: &&&'static Check| (strsim::jaro_winkler(id, check.id) * 1000.0) as u32;
        let nearest = table.iter().max_by_key(nearness);
        let hint = nearest.map_or_else(String::new, |check| format!("; do you mean {}?", check.id));
        format!("there is no check {id:?}{hint} (--list shows all)")
    })
}

/// Parameters in the environment: the shell tester used them, a cluster's node has none.
fn unused(environment: &Environment) -> Vec<String> {
    let names = environment.keys().filter(|name| name.as_bytes().starts_with(b"OCF_RESKEY_"));
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::table;
    use std::os::unix::ffi::OsStringExt as _;

    fn parsed(words: &[&str]) -> Result<Request, String> {
        parse(words.iter().map(OsString::from).collect(), &Environment::new(), &table())
    }

    fn options(words: &[&str], environment: &[(&str, &str)]) -> Options {
        let environment =
            environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let words = [words, &["/bin/true"]].concat().iter().map(OsString::from).collect();
        match parse(words, &environment, &table()) {
            Ok(Request::Test(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_split_at_the_first_equals_sign_and_kept_byte_for_byte() {
        let word = OsString::from_vec(b"p=a=\xff\n".to_vec());
        assert_eq!(parameter(&word), Ok(("p".into(), OsString::from_vec(b"a=\xff\n".to_vec()))));
        assert_eq!(parameter(OsStr::new("p=")), Ok(("p".into(), "".into())));
        for wrong in ["p", "=x", ""] {
            assert_eq!(
                parameter(OsStr::new(wrong)),
                Err(format!("-o takes name=value, not {wrong:?}"))
            );
        }
    }

    #[test]
    fn the_shell_testers_command_line_means_what_it_did() {
        let options = options(
            &["-n", "web", "-L", "-o", "a=1", "-o", "b=", "-oa=2", "-d", "-X", "-v", "-v"],
            &[],
        );
        assert_eq!(options.name, "web");
        assert_eq!(
            options.sets[0].parameters,
            Parameters::from([("a".into(), "2".into()), ("b".into(), "".into())])
        );
        assert!(options.verbose && !options.quiet);
        let extra: Vec<_> = options.extra.keys().collect();
        assert_eq!(extra, ["HA_debug", "OCF_TRACE_RA"]);
        assert_eq!(options.agents, [PathBuf::from("/bin/true")]);
    }

    #[test]
    fn the_environment_gives_name_and_root_and_no_parameter() {
        let given = [
            ("OCF_RESOURCE_INSTANCE", "db"),
            ("OCF_ROOT", "/opt/ocf"),
            ("OCF_RESKEY_ip", "x"),
            ("TERM", "xterm"),
        ];
        let parsed_options = options(&[], &given);
        assert_eq!((parsed_options.name, parsed_options.root), ("db".into(), "/opt/ocf".into()));
        assert_eq!(parsed_options.unused, ["OCF_RESKEY_ip"]);
        assert!(parsed_options.sets[0].parameters.is_empty() && parsed_options.colour.is_none());
        let silent = options(&[], &[("OCF_ROOT", ""), ("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert_eq!(
            (silent.name, silent.root, silent.colour),
            ("test".into(), "/usr/lib/ocf".into(), Some(false))
        );
    }

    #[test]
    fn checks_are_selected_in_the_tables_order() {
        let ids = |words: &[&str]| {
            options(words, &[]).selected.iter().map(|check| check.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&[]), ["starts", "stops"]);
        assert_eq!(ids(&["--only", "stops,starts"]), ["starts", "stops"]);
        assert_eq!(ids(&["--only", "stops", "--only", "starts", "--skip", "starts"]), ["stops"]);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let faults: [(&[&str], &str); 9] = [
            (&[], "no agent: give its path"),
            (&["/bin/true", "x=1"], "one agent at a time: \"x=1\" is one too many"),
            (
                &["--explain", "start"],
                "there is no check \"start\"; do you mean starts? (--list shows all)",
            ),
            (
                &["--only", "stopps", "/bin/true"],
                "there is no check \"stopps\"; do you mean stops?",
            ),
            (&["--skip", "starts,stops", "/bin/true"], "no check is left to make"),
            (&["--matrix", "/nowhere/x", "/bin/true"], "/nowhere/x: No such file"),
            (&["-n", "", "/bin/true"], "-n needs a name"),
            (&["-qX", "/bin/true"], "the argument '-q' cannot be used with '-X'"),
            (
                &["--seed", "1", "/bin/true"],
                "the following required arguments were not provided: --stress <SECONDS>",
            ),
        ];
        for (words, expected) in faults {
            let error = parsed(words).unwrap_err();
            assert!(error.starts_with(expected) && !error.contains('\n'), "{words:?}: {error}");
        }
    }

    #[test]
    fn help_version_and_the_checks_are_texts() {
        for word in ["-h", "--help", "-?", "--version", "--list", "--explain=starts"] {
            assert!(
                matches!(parsed(&[word]), Ok(Request::Text(text)) if !text.is_empty()),
                "{word}"
            );
        }
    }
}
