//! The server's program: its environment and command line, and what it says about its own
//! configuration.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command::{self, Output, RunError};
use ocf::sys::file::{Disk, Trust, read};

use crate::config::{self, Facts, Surroundings};
use crate::envfile::Variables;
use crate::settings::Identity;

/// Where mod_status is on SUSE.
const SUSE_STATUS: &str = "/usr/lib64/apache2-prefork/mod_status.so";

/// How long a shell may take to read a file of variables.
const SHELL: Duration = Duration::from_secs(10);

/// Where programs are when the caller does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A file of variables has some lines.
const LONGEST: u64 = 1 << 20;

/// One server as the parameters describe it, with its configuration read.
pub struct Server {
    /// The configuration's file.
    pub config: PathBuf,
    /// What its program is given as environment.
    pub variables: Variables,
    /// Why a file of variables has no effect: it is not to be trusted.
    pub envfile: Option<Failure>,
    /// What its configuration says, as far as we can read it.
    pub facts: Facts,
    /// The words of its command line, without the program.
    pub arguments: Vec<String>,
    /// The file with its master's number.
    pub pid_file: PathBuf,
}

impl Server {
    /// Reads environment and configuration. A file that cannot be read counts as empty here: the
    /// server itself will say what it thinks of that.
    pub fn read(context: &Context<'_>, identity: &Identity) -> Self {
        let config = identity.config();
        let (variables, envfile) = variables(context, identity, &config);
        let mut surroundings = surroundings(&identity.options);
        surroundings.environment =
            variables.environment().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let facts = config::read(&config, &surroundings, &Disk, context.budget.work());
        let mut arguments: Vec<String> = Vec::new();
        let suse_status =
            facts.includes.iter().any(|include| include.ends_with("etc/apache2/mod_status.conf"));
        let loaded = facts.modules.iter().any(|module| module == "status_module");
        if suse_status && !loaded && Path::new(SUSE_STATUS).exists() {
            arguments.extend(["-C".into(), format!("LoadModule status_module {SUSE_STATUS}")]);
        }
        arguments.push("-DSTATUS".into());
        arguments.extend(identity.options.iter().cloned());
        arguments.extend(["-f".into(), config.display().to_string()]);
        let pid_file = facts.pid_file.clone().unwrap_or_else(|| {
            let path = default_pid_file(context.invocation, identity);
            arguments.extend(["-c".into(), format!("PidFile {}", path.display())]);
            path
        });
        Self { config, variables, envfile, facts, arguments, pid_file }
    }

    /// The program with its environment, and more words before the others.
    pub fn command(&self, program: &Path, before: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(before)
            .args(&self.arguments)
            .env_clear()
            .envs(self.variables.environment())
            .current_dir("/");
        command
    }

    /// Asks the server how it would run, and takes over where it writes its number.
    ///
    /// # Errors
    /// What it does not like, with file and line: a fault of this machine.
    pub fn ask(&mut self, program: &Path, deadline: Deadline) -> Result<(), Failure> {
        let output = self.answer(program, &["-t", "-D", "DUMP_RUN_CFG"], deadline)?;
        if let Some(path) = stated_pid_file(&String::from_utf8_lossy(&output.stdout)) {
            self.pid_file = self.facts.server_root.join(path);
        }
        Ok(())
    }

    /// As [`Self::ask`], and lets the server check all of its configuration: when it prints how it
    /// would run, it looks at no certificate, key or CA. A start does without, for it does the same
    /// itself.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn check(&mut self, program: &Path, deadline: Deadline) -> Result<(), Failure> {
        self.ask(program, deadline)?;
        self.answer(program, &["-t"], deadline).map(drop)
    }

    fn answer(
        &self,
        program: &Path,
        question: &[&str],
        deadline: Deadline,
    ) -> Result<Output, Failure> {
        let command_line = format!("{} -t", program.display());
        match command::run(self.command(program, question), None, deadline) {
            Ok(output) if output.code == Some(0) => Ok(output),
            Ok(output) => {
                let output = output.unless_killed(command_line)?;
                Err(self.refused(&complaint(&output)))
            }
            Err(error) => Err(error.into_failure(command_line)),
        }
    }

    /// The failure of a configuration that the server has refused with these words: a fault of this
    /// machine, in most cases.
    pub fn refused(&self, said: &str) -> Failure {
        // The server names itself, and in most cases the file.
        let said = ["apache2: ", "httpd: "]
            .iter()
            .find_map(|name| said.strip_prefix(name))
            .unwrap_or(said);
        let config = self.config.to_string_lossy();
        // A name server that is away comes back (EAI: the errors of getaddrinfo); the configuration
        // is as right as before.
        if let Some(line) = said.split(" / ").find(|line| line.contains("(EAI ")) {
            return Failure::generic(line);
        }
        if said.contains(&*config) {
            return Failure::installed(said);
        }
        Failure::installed(format!("{config} is refused: {said}"))
    }

    /// Lets the distribution make what its configuration includes, where that is the way there
    /// (SUSE).
    ///
    /// # Errors
    /// What it said.
    pub fn prepare_distribution(&self, deadline: Deadline) -> Result<(), Failure> {
        let generator = Path::new("/usr/sbin/start_apache2");
        let generated = Path::new("/etc/apache2/sysconfig.d/include.conf");
        let wanted = self.config == Path::new(crate::settings::SUSE)
            && self.facts.includes.iter().any(|include| include == generated);
        if !wanted || !generator.exists() {
            return Ok(());
        }
        match command::run(self.command_of(generator), None, deadline) {
            Ok(output) if output.code == Some(0) => Ok(()),
            Ok(output) => Err(Failure::installed(format!(
                "{} -t: {}",
                generator.display(),
                complaint(&output)
            ))),
            Err(error) => Err(error.into_failure(format!("{} -t", generator.display()))),
        }
    }

    fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("-t").env_clear().envs(self.variables.environment()).current_dir("/");
        command
    }
}

/// Where a server whose configuration does not say it writes its number: one file for each
/// resource.
fn default_pid_file(invocation: &Invocation, identity: &Identity) -> PathBuf {
    let program = identity.program().unwrap_or_else(|_| identity.httpd.clone());
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or("httpd");
    let name = name.split('-').next().unwrap_or(name);
    let directory = Path::new(invocation.variable("HA_VARRUN").unwrap_or("/run"));
    directory.join(format!("{name}-{}.pid", ocf::state::name(invocation.instance())))
}

/// The variables for the server: the caller's own but for the cluster's, and those of the files.
/// Such a file is a program that runs as root: one that another user could have written has no
/// effect.
fn variables(
    context: &Context<'_>,
    identity: &Identity,
    config: &Path,
) -> (Variables, Option<Failure>) {
    let of_the_cluster =
        |name: &str| ["OCF_", "HA_", "PCMK_", "CRM_"].iter().any(|prefix| name.starts_with(prefix));
    let pairs = context
        .invocation
        .environment()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let own = pairs
        .filter(|(name, _)| !of_the_cluster(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut variables = Variables::exported(own);
    if variables.get("PATH").is_none() {
        variables.export("PATH", PATH);
    }
    // As Debian's own tool does: a second server is known by it in the file of variables.
    if let Some(directory) = config.parent().filter(|_| is_debians_second(config)) {
        variables.export("APACHE_CONFDIR", &directory.display().to_string());
    }
    let mut refused = None;
    for file in &identity.envfiles {
        match read(file, LONGEST, Trust::Root) {
            Ok(bytes) => {
                variables = with_file(context, variables, file, &String::from_utf8_lossy(&bytes))
            }
            // Where there is none, none is meant: the default names Debian's.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let file = file.display();
                refused = Some(Failure::installed(format!(
                    "envfiles={file}: {}",
                    ocf::failure::plain(&error)
                )));
            }
        }
    }
    (variables, refused)
}

fn is_debians_second(config: &Path) -> bool {
    let directory = config.parent().and_then(Path::to_str).unwrap_or_default();
    config.ends_with("apache2.conf") && directory.starts_with("/etc/apache2-")
}

fn with_file(context: &Context<'_>, variables: Variables, file: &Path, text: &str) -> Variables {
    let test = |letter: char, path: &str| {
        let path = Path::new(path);
        match letter {
            'f' => path.is_file(),
            'd' => path.is_dir(),
            _ => path.exists(),
        }
    };
    let mut read = variables.clone();
    let Err(strange) = read.read(text, &test) else { return read };
    context.log.debug(format_args!(
        "{}: read by /bin/sh, for it has more than data: {}",
        file.display(),
        strange.0
    ));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", ". \"$1\" >/dev/null 2>&1 </dev/null; exec env -0", "sh"]).arg(file);
    shell.env_clear().envs(variables.environment()).current_dir("/");
    match command::run(shell, None, Deadline::after(SHELL).min(context.budget.work())) {
        Ok(output) if output.code == Some(0) => {
            let all = String::from_utf8_lossy(&output.stdout).into_owned();
            let pairs = all.split('\0').filter_map(|pair| pair.split_once('='));
            Variables::exported(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
        }
        Ok(output) => {
            context.log.warn(format_args!(
                "{} has no effect: {}",
                file.display(),
                complaint(&output)
            ));
            variables
        }
        Err(error) => {
            let said = if let RunError::TimedOut(_) = error {
                "it does not come to an end"
            } else {
                "no shell"
            };
            context.log.warn(format_args!("{} has no effect: {said}", file.display()));
            variables
        }
    }
}

/// What the command line says about the configuration.
fn surroundings(options: &[String]) -> Surroundings {
    let mut found = Surroundings { defines: vec!["STATUS".into()], ..Surroundings::default() };
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let Some(letter @ ('D' | 'd' | 'C' | 'c')) =
            word.strip_prefix('-').and_then(|rest| rest.chars().next())
        else {
            continue;
        };
        // The value is in the same word or the next.
        let value = if word.len() > 2 { word.get(2..) } else { words.next().map(String::as_str) };
        let Some(value) = value.map(str::to_owned) else { break };
        match letter {
            'D' => found.defines.push(value),
            'd' => found.server_root = Some(value.into()),
            'C' => found.before.push(value),
            _ => found.after.push(value),
        }
    }
    found
}

/// The line `PidFile: "/run/apache2/apache2.pid"` of what the server says about itself.
fn stated_pid_file(text: &str) -> Option<PathBuf> {
    let value = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("PidFile:"))?
        .trim()
        .trim_matches('"');
    (!value.is_empty()).then(|| PathBuf::from(value))
}

/// What the server said, in one line, without what it says to everybody.
pub fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    // Its own name is no secret, and no fault either (AH00557, AH00558).
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("AH00558") && !line.contains("AH00557"))
        .collect();
    let lines: Vec<&str> = lines.into_iter().map(without_stamp).collect();
    ocf::daemon::complaint(lines.join("\n").as_bytes(), &output.stdout).replace(": / ", ": ")
}

/// A line without the brackets of a log: date, module and level, process.
fn without_stamp(line: &str) -> &str {
    let mut rest = line;
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once("] ")) {
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_word_is_read() {
        let text = "ServerRoot: \"/etc/apache2\"\nMutex default: dir=\"/run/\"\nPidFile: \
            \"/run/x.pid\"\nDefine: A\n";
        assert_eq!(stated_pid_file(text), Some(PathBuf::from("/run/x.pid")));
        assert_eq!(stated_pid_file("Syntax OK\n"), None);
    }

    #[test]
    fn every_releases_word_is_read() {
        for (place, text) in ocf::testing::recorded("apache-run-config") {
            let expected = Path::new("/var/run/apache2/apache2.pid");
            assert_eq!(stated_pid_file(&text).as_deref(), Some(expected), "{place}");
        }
    }

    #[test]
    fn options_tell_about_the_configuration() {
        let words =
            ["-DSSL", "-D", "X", "-d", "/srv", "-c", "Listen 81", "-k", "start", "-C", "Define A"];
        let found = surroundings(&words.map(str::to_owned));
        assert_eq!(found.defines, ["STATUS", "SSL", "X"]);
        assert_eq!(found.server_root, Some(PathBuf::from("/srv")));
        assert_eq!(
            (&found.before[..], &found.after[..]),
            (&["Define A".to_owned()][..], &["Listen 81".to_owned()][..])
        );
    }

    #[test]
    fn a_complaint_names_the_line_and_not_the_usual() {
        let stderr =
            b"AH00558: apache2: Could not\nAH00526: Syntax error on line 3 of /c:\nInvalid \
              command 'X'\n"
                .to_vec();
        let output = Output { stderr, ..Output::default() };
        assert_eq!(
            complaint(&output),
            "AH00526: Syntax error on line 3 of /c: Invalid command 'X'"
        );
    }

    #[test]
    fn a_line_of_a_log_loses_its_stamp() {
        let line = "[Sat Nov 28 19:57:23.7 2026] [core:crit] [pid 1:tid 1] (EAI 2)Name or service \
            not known: AH00077: x";
        assert_eq!(without_stamp(line), "(EAI 2)Name or service not known: AH00077: x");
        assert_eq!(without_stamp("[no end"), "[no end");
        assert_eq!(without_stamp("AH00526: Syntax error [x] y"), "AH00526: Syntax error [x] y");
    }

    #[test]
    fn only_debians_second_servers_have_a_directory_of_their_own() {
        assert!(is_debians_second(Path::new("/etc/apache2-blue/apache2.conf")));
        assert!(!is_debians_second(Path::new("/etc/apache2/apache2.conf")));
        assert!(!is_debians_second(Path::new("/srv/apache2.conf")));
    }
}
