//! The tools of a cluster where no cluster runs (`--stub-cluster`): agents that keep a promotion
//! score or ask for the node's name can be tested, and their calls are recorded.
//!
//! Each tool is a file whose first line makes the kernel run this very program (`execve(2)`,
//! "Interpreter scripts"). What was called and kept is a log that is only ever appended to, so
//! calls at the same time need no lock: the last line about an attribute is its value.
//!
//! Agents may run as any user, so any user may append to the log. It is a plain file in a directory
//! of ours, which lives as long as the run: a stranger could make up answers for the agent under
//! test, and reach nothing else.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "all of it is in a directory or namespace that the tester has made"
)]

pub mod answer;

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::environment::{Environment, PATH};
use answer::{Call, Reply, Values, reply};

/// The argument that the kernel gives this program for a stub.
pub const CALL: &str = "--stub-call";

/// The tools that have a stub.
const TOOLS: [&str; 11] = [
    "attrd_updater",
    "cibadmin",
    "crm_attribute",
    "crm_failcount",
    "crm_master",
    "crm_mon",
    "crm_node",
    "crm_resource",
    "crm_standby",
    "crm_ticket",
    "stonith_admin",
];

/// Where the other tools are, which agents call by the same variable.
const SBIN: &str = "/usr/sbin";

/// The longest first line of a script that every kernel since 2.6 reads.
const SHEBANG: usize = 127;

/// Makes a directory with stubs, which must not be there yet. The result is what makes agents find
/// them: first in `PATH` are the stubs alone, and `HA_SBIN_DIR` has them among the rest of
/// /usr/sbin.
///
/// # Errors
/// The system's, and for a path that a script's first line cannot hold.
pub fn prepare(directory: &Path, node: &str) -> io::Result<Environment> {
    let program = directory.join("ocf-tester");
    let line = [b"#!", program.as_os_str().as_bytes(), b" ", CALL.as_bytes(), b"\n"].concat();
    if line.len() > SHEBANG || program.as_os_str().as_bytes().iter().any(u8::is_ascii_whitespace) {
        let why = format!(
            "{} is too long, or has spaces: set TMPDIR to another directory",
            directory.display()
        );
        return Err(io::Error::other(why));
    }
    let (bin, sbin) = (directory.join("bin"), directory.join("sbin"));
    for directory in [directory, &bin, &sbin] {
        make_directory(directory)?;
    }
    // A copy: our own file may be where other users cannot go.
    std::fs::copy(std::env::current_exe()?, &program)?;
    std::fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    make_file(&directory.join("node"), node.as_bytes(), 0o644)?;
    make_file(&log_of(directory), b"", 0o666)?;
    for tool in TOOLS {
        make_file(&bin.join(tool), &line, 0o755)?;
        symlink(bin.join(tool), sbin.join(tool))?;
    }
    for entry in std::fs::read_dir(SBIN).into_iter().flatten().flatten() {
        if !TOOLS.iter().any(|tool| entry.file_name() == *tool) {
            symlink(entry.path(), sbin.join(entry.file_name()))?;
        }
    }
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(PATH);
    Ok(Environment::from([("PATH".into(), path), ("HA_SBIN_DIR".into(), sbin.into())]))
}

/// Makes a directory that every user may enter, whatever our umask.
///
/// # Errors
/// The system's.
pub fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)?;
    open_to_all(path)
}

/// Lets every user enter a directory.
///
/// # Errors
/// The system's.
pub fn open_to_all(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o755))
}

fn make_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

fn log_of(directory: &Path) -> PathBuf {
    directory.join("calls.log")
}

/// Each call that was made of a stub, as a command line.
#[must_use]
pub fn calls(directory: &Path) -> Vec<String> {
    let log = std::fs::read(log_of(directory)).unwrap_or_default();
    entries(&log).iter().map(command_line).collect()
}

/// Answers a call as a stub: the arguments are the stub's path and the tool's own arguments. The
/// result is the exit code.
#[must_use]
pub fn call(arguments: &[OsString], environment: &Environment) -> u8 {
    match answered(arguments, environment) {
        Ok(reply) => {
            // An agent that has closed its streams still gets the code.
            let _ = io::stdout().write_all(reply.stdout.as_bytes());
            let _ = io::stderr().write_all(reply.stderr.as_bytes());
            reply.code
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "ocf-tester: the stub of a cluster's tool: {error}");
            1
        }
    }
}

fn answered(arguments: &[OsString], environment: &Environment) -> io::Result<Reply> {
    let unnamed = || io::Error::other("it was not called by its name");
    let (stub, words) = arguments.split_first().ok_or_else(unnamed)?;
    let stub = Path::new(stub);
    let tool = stub.file_name().ok_or_else(unnamed)?.to_string_lossy();
    // DIRECTORY/bin/TOOL or DIRECTORY/sbin/TOOL.
    let directory = stub.parent().and_then(Path::parent).ok_or_else(unnamed)?;
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let instance =
        environment.get(OsStr::new("OCF_RESOURCE_INSTANCE")).map(|name| name.to_string_lossy());
    let instance = instance.as_deref().unwrap_or_default();
    let node = std::fs::read_to_string(directory.join("node"))?;
    let log = std::fs::read(log_of(directory))?;
    let reply =
        reply(Call { tool: &tool, words: &words, node: &node, instance }, &kept(&entries(&log)));
    let entry =
        json!({ "tool": tool, "args": words, "instance": instance, "change": reply.change });
    File::options()
        .append(true)
        .open(log_of(directory))?
        .write_all(format!("{entry}\n").as_bytes())?;
    Ok(reply)
}

/// The log's lines; one that is no entry is none of ours.
fn entries(log: &[u8]) -> Vec<Value> {
    log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The values of attributes after all that was logged.
fn kept(entries: &[Value]) -> Values {
    let mut values = Values::new();
    for entry in entries {
        match (entry["change"][0].as_str(), entry["change"][1].as_str()) {
            (Some(key), Some(value)) => drop(values.insert(key.to_owned(), value.to_owned())),
            (Some(key), None) => drop(values.remove(key)),
            (None, _) => {}
        }
    }
    values
}

fn command_line(entry: &Value) -> String {
    let words = entry["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let tool = entry["tool"].as_str().unwrap_or_default();
    std::iter::once(tool).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls a stub as the kernel would: the code.
    fn call_in(environment: &Environment, words: &[&str]) -> u8 {
        let directory = Path::new(&environment[OsStr::new("HA_SBIN_DIR")]);
        let mut arguments = vec![directory.join(words[0]).into_os_string()];
        arguments.extend(words[1..].iter().map(OsString::from));
        answered(&arguments, &Environment::from([("OCF_RESOURCE_INSTANCE".into(), "web".into())]))
            .unwrap()
            .code
    }

    #[test]
    fn stubs_remember_from_call_to_call_and_tell_what_was_asked() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("stubs");
        let environment = prepare(&directory, "alpha").unwrap();
        assert_eq!(call_in(&environment, &["crm_master", "-G"]), 105);
        assert_eq!(call_in(&environment, &["crm_master", "-v", "1 0"]), 0);
        assert_eq!(call_in(&environment, &["crm_master", "-G"]), 0);
        assert_eq!(calls(&directory), ["crm_master -G", "crm_master -v 1 0", "crm_master -G"]);
        let values = kept(&entries(&std::fs::read(log_of(&directory)).unwrap()));
        assert_eq!(values, Values::from([("nodes alpha master-web".to_owned(), "1 0".to_owned())]));
    }

    #[test]
    fn the_stubs_come_first_and_the_rest_of_sbin_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("stubs");
        let environment = prepare(&directory, "alpha").unwrap();
        let path = environment[OsStr::new("PATH")].to_string_lossy().into_owned();
        assert!(
            path.starts_with(&format!("{}/bin:/usr/local/sbin:", directory.display())),
            "{path}"
        );
        let sbin = directory.join("sbin");
        let count = |path: &Path| std::fs::read_dir(path).unwrap().count();
        assert!(count(&sbin) >= count(Path::new(SBIN)));
        assert!(
            TOOLS.iter().all(|tool| std::fs::read(sbin.join(tool)).unwrap().starts_with(b"#!/"))
        );
    }

    #[test]
    fn a_path_that_no_script_can_name_is_refused() {
        let error = |path: &str| prepare(Path::new(path), "alpha").unwrap_err().to_string();
        assert!(error("/tmp/a b").contains("set TMPDIR"));
        assert!(error(&format!("/tmp/{}", "x".repeat(120))).contains("set TMPDIR"));
    }

    #[test]
    fn foreign_lines_in_the_log_count_for_nothing() {
        let log = b"\xff\n{}\n[1]\n{\"change\":[\"k\",\"v\"]}\n{\"change\":5}\n{\"tool\":7}";
        assert_eq!(kept(&entries(log)), Values::from([("k".to_owned(), "v".to_owned())]));
    }
}
