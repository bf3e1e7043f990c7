//! The agents of the zoo, and a machine with all of them.

use std::path::PathBuf;
use std::time::Duration;

use harness::Host;
use harness::enter::Entry;
use harness::process::{self, Finished, Victim};

/// Where they are on a machine: every user can get there, and no check hides or empties it.
const PLACE: &str = "/media/zoo";

/// One agent of the zoo.
#[derive(Debug)]
pub struct Animal {
    /// `broken` or `sound`.
    folder: &'static str,
    /// Its file; of a broken one, the check that finds it, and after two dashes which way of
    /// breaking it.
    file: String,
    /// Its text.
    text: String,
}

impl Animal {
    /// All in a folder.
    pub fn all(folder: &'static str) -> Vec<Self> {
        let entries = std::fs::read_dir(source().join(folder)).expect("the zoo");
        let read = entries.map(|entry| {
            let path = entry.expect("the zoo").path();
            let text = std::fs::read_to_string(&path).expect("an agent of the zoo");
            Self {
                folder,
                file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                text,
            }
        });
        let mut all: Vec<_> = read.collect();
        all.sort_by(|one, other| one.file.cmp(&other.file));
        assert!(all.len() > 5, "the folder {folder} has only {all:?}");
        all
    }

    /// The check that finds it and no other.
    pub fn check(&self) -> &str {
        self.file.split("--").next().unwrap_or_default()
    }

    /// As people name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.folder, self.file)
    }

    /// Its path on a machine.
    pub fn path(&self) -> String {
        format!("{PLACE}/{}", self.name())
    }

    /// What a comment in it says about how to test it, after a word such as `options`.
    fn says(&self, word: &str) -> Option<&str> {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix("# ")?.strip_prefix(word)?.strip_prefix(": "))
    }

    /// The options of a tester that it needs, with the name of the resource.
    pub fn options(&self) -> Vec<&str> {
        let mut options: Vec<_> =
            self.says("options").unwrap_or_default().split_whitespace().collect();
        if !options.contains(&"-n") {
            options.extend(["-n", "tested"]);
        }
        options
    }

    /// A machine where the zoo is, and where nothing that an agent writes stays.
    pub fn machine(&self) -> Host {
        let private = ["/tmp", "/var/tmp", "/dev/shm", "/media"];
        let builder = private.into_iter().fold(Host::builder("zoo"), harness::host::Builder::tmpfs);
        let host = builder.bind(&source(), "/media/source").start();
        let mode = self.says("mode").unwrap_or("755");
        // Only whether a file can be run is kept with it: the rest of its mode is the developer's
        // umask.
        host.sh(&format!(
            "cp -R /media/source {PLACE}; chmod -R u=rwX,go=rX {PLACE}; chmod {mode} {}; umount \
             /media/source",
            self.path()
        ));
        if let Some(commands) = self.says("prepare") {
            host.sh(commands);
        }
        host
    }
}

fn source() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/zoo")
}

/// Runs a tester on a machine until it ends, but not longer than this.
pub fn run(host: &Host, program: &str, words: &[&str], limit: Duration) -> Finished {
    let (mut command, pid) = host.command_as(program, Entry::default());
    command.args(words);
    process::run(&mut command, pid, limit, Victim::Process)
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}
