//! What the configuration says that matters here, read as the server reads it: with all that it
//! includes.
//!
//! The server itself knows best, and a start and a reload ask it ([`crate::server`]). This reading
//! is for all other actions, which start no program, and for what the server does not tell: where
//! it listens, and where the status page is.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ocf::glob::{self, Files};
use ocf::sys::clock::Deadline;

use crate::directives::{Directive, directive, directives};
use crate::listen::{self, Listen};

/// How deep files may include each other, as in the server: one that includes itself is refused
/// there, too.
const DEEPEST: usize = 128;

/// How deep directories are looked through, for a link may lead back.
const DEEPEST_DIRECTORY: usize = 16;

/// Modules that are part of every server.
const BUILT_IN: [&str; 4] = ["core.c", "http_core.c", "mod_so.c", "so_module"];

/// What surrounds the configuration: the command line's part in it, and the variables.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `-D` of the command line.
    pub defines: Vec<String>,
    /// `-d` of the command line.
    pub server_root: Option<PathBuf>,
    /// `-C` of the command line: read before the file.
    pub before: Vec<String>,
    /// `-c` of the command line: read after it.
    pub after: Vec<String>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

/// A page of mod_status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPage {
    /// Its path.
    pub path: String,
    /// The port of the virtual host that has it; `None` for one that all have.
    pub port: Option<u16>,
}

/// What the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The directory that relative names begin at.
    pub server_root: PathBuf,
    /// The file with the master's number, if it is set.
    pub pid_file: Option<PathBuf>,
    /// The directory for what the server needs at run time, and those for its locks.
    pub directories: Vec<PathBuf>,
    /// The files that errors are written to, those of virtual hosts, too.
    pub error_logs: Vec<PathBuf>,
    /// Who owns what the server makes.
    pub user: Option<String>,
    /// Where it listens.
    pub listens: Vec<Listen>,
    /// Where mod_status answers.
    pub status_pages: Vec<StatusPage>,
    /// The identifiers of loaded modules.
    pub modules: Vec<String>,
    /// The files that were read, and includes as they were written, for what distributions put
    /// there.
    pub includes: Vec<PathBuf>,
}

/// Reads a configuration, until the deadline at most. Files that include each other are read to the
/// depth at which the server refuses them, and nothing after that.
pub fn read(
    file: &Path,
    surroundings: &Surroundings,
    files: &dyn Files,
    deadline: Deadline,
) -> Facts {
    let root = surroundings
        .server_root
        .clone()
        .or_else(|| file.parent().map(Path::to_owned))
        .unwrap_or_default();
    let defined = surroundings.defines.iter().map(|name| (name.clone(), String::new())).collect();
    let facts = Facts { server_root: root, ..Facts::default() };
    let (sections, tls) = (Vec::new(), Vec::new());
    let mut reader = Reader {
        files,
        surroundings,
        defined,
        facts,
        sections,
        dead: 0,
        tls,
        deadline,
        read: 0,
        is_over: false,
    };
    reader.lines(surroundings.before.iter().map(String::as_str), 0);
    reader.file(file, 0);
    reader.lines(surroundings.after.iter().map(String::as_str), 0);
    reader.finish()
}

/// A section that is open.
enum Section {
    /// One whose content counts only if its condition holds.
    If(bool),
    /// A part of the URL space.
    Location(String),
    /// A virtual host, with its ports.
    Host(Vec<u16>),
    /// Any other; its content is about something that does not matter here.
    Other,
}

struct Reader<'a> {
    files: &'a dyn Files,
    surroundings: &'a Surroundings,
    defined: BTreeMap<String, String>,
    facts: Facts,
    sections: Vec<Section>,
    /// How many of them have a condition that does not hold: nothing counts then.
    dead: usize,
    /// Ports that virtual hosts speak TLS on.
    tls: Vec<u16>,
    deadline: Deadline,
    /// How many files were read.
    read: usize,
    /// Whether a limit was met: nothing more is read.
    is_over: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) {
        self.is_over |= depth > DEEPEST || self.read >= glob::MOST || self.deadline.expired();
        if self.is_over {
            return;
        }
        self.read += 1;
        let Some(text) = self.files.text(path) else { return };
        let lines: Vec<String> = directives(&text).collect();
        self.lines(lines.iter().map(String::as_str), depth);
    }

    /// The file at a path, or all below a directory, in the order of their names.
    fn all_below(&self, path: &Path, depth: usize, files: &mut Vec<PathBuf>) {
        match self.files.names(path) {
            None => files.push(path.to_owned()),
            Some(names) if depth < DEEPEST_DIRECTORY && files.len() < glob::MOST => {
                names.iter().for_each(|name| self.all_below(&path.join(name), depth + 1, files));
            }
            Some(_) => {}
        }
    }

    fn lines<'l>(&mut self, lines: impl Iterator<Item = &'l str>, depth: usize) {
        for line in lines {
            self.is_over |= self.deadline.expired();
            if self.is_over {
                return;
            }
            let value = |name: &str| {
                self.defined
                    .get(name)
                    .cloned()
                    .or_else(|| self.surroundings.environment.get(name).cloned())
            };
            if let Some(directive) = directive(line, value) {
                self.take(&directive, depth);
            }
        }
    }

    /// Whether what is read now counts.
    fn is_live(&self) -> bool {
        self.dead == 0
    }

    fn take(&mut self, directive: &Directive, depth: usize) {
        if let Some(name) = directive.name.strip_prefix("</") {
            // The server refuses what is nested wrongly; a mere slip must not hide the rest from
            // us.
            if !name.is_empty() {
                let closed = self.sections.pop();
                self.dead -= usize::from(matches!(closed, Some(Section::If(false))));
            }
            return;
        }
        if let Some(name) = directive.name.strip_prefix('<') {
            let section = self.section(name, directive);
            self.dead += usize::from(matches!(section, Section::If(false)));
            self.sections.push(section);
            return;
        }
        if self.is_live() {
            self.plain(directive, depth);
        }
    }

    fn section(&self, name: &str, directive: &Directive) -> Section {
        let (text, wanted) = match directive.first() {
            Some(text) => text.strip_prefix('!').map_or((text, true), |rest| (rest, false)),
            None => ("", true),
        };
        match name {
            "ifmodule" => Section::If(self.is_loaded(text) == wanted),
            "ifdefine" => Section::If(self.defined.contains_key(text) == wanted),
            "iffile" => {
                Section::If(self.files.exists(&self.facts.server_root.join(text)) == wanted)
            }
            "location" => match &directive.words[..] {
                [path] => Section::Location(path.clone()),
                _ => Section::Other,
            },
            "virtualhost" => {
                let ports =
                    directive.words.iter().filter_map(|word| word.rsplit_once(':')?.1.parse().ok());
                Section::Host(ports.collect())
            }
            // Of these two the server alone knows; most are written to hold.
            "ifversion" | "ifdirective" | "ifsection" => Section::If(true),
            _ => Section::Other,
        }
    }

    fn is_loaded(&self, module: &str) -> bool {
        // mod_status.c and status_module are two names of one thing.
        let bare = module.strip_prefix("mod_").and_then(|rest| rest.strip_suffix(".c"));
        let by_file = bare.map(|bare| format!("{bare}_module"));
        let known = |name: &str| self.facts.modules.iter().any(|loaded| loaded == name);
        BUILT_IN.contains(&module) || known(module) || by_file.is_some_and(|name| known(&name))
    }

    fn plain(&mut self, directive: &Directive, depth: usize) {
        let Some(first) = directive.first() else { return };
        let path = || self.facts.server_root.join(first);
        match directive.name.as_str() {
            "include" | "includeoptional" => {
                let wanted = path();
                self.facts.includes.push(wanted.clone());
                let mut files = Vec::new();
                if !self.is_over {
                    glob::expand(self.files, &wanted)
                        .iter()
                        .for_each(|path| self.all_below(path, 0, &mut files));
                }
                for file in files {
                    self.file(&file, depth + 1);
                }
            }
            "serverroot" => self.facts.server_root = PathBuf::from(first),
            "define" => {
                let value = directive.words.get(1).cloned().unwrap_or_default();
                self.defined.insert(first.to_owned(), value);
            }
            "undefine" => drop(self.defined.remove(first)),
            "loadmodule" => self.facts.modules.push(first.to_owned()),
            "pidfile" => self.facts.pid_file = Some(PathBuf::from(first)),
            "defaultruntimedir" => self.facts.directories.push(PathBuf::from(first)),
            // Others go to a program or to the system's log.
            "errorlog" if !first.starts_with('|') && !first.starts_with("syslog") => {
                self.facts.error_logs.push(PathBuf::from(first));
            }
            "user" => self.facts.user = Some(first.to_owned()),
            // `Mutex file:/run/lock/x default`: of the mechanisms only those with a colon have a
            // directory.
            "mutex" => {
                if let Some((_, directory)) = first.split_once(':') {
                    self.facts.directories.push(PathBuf::from(directory));
                }
            }
            // `Port` is from the server's first version.
            "listen" | "port" => self.facts.listens.extend(listen::parse(&directive.words)),
            "sslengine" if first.eq_ignore_ascii_case("on") => {
                let hosts = self.sections.iter().filter_map(|section| match section {
                    Section::Host(ports) => Some(ports.clone()),
                    _ => None,
                });
                self.tls.extend(hosts.flatten());
            }
            "sethandler" if first == "server-status" => self.status_page(),
            _ => {}
        }
    }

    fn status_page(&mut self) {
        let path = self.sections.iter().rev().find_map(|section| match section {
            Section::Location(path) => Some(path.clone()),
            _ => None,
        });
        let host = self.sections.iter().find_map(|section| match section {
            Section::Host(ports) => Some(ports.first().copied()),
            _ => None,
        });
        if let Some(path) = path.filter(|path| path.starts_with('/')) {
            self.facts.status_pages.push(StatusPage { path, port: host.flatten() });
        }
    }

    /// What could be said only at the end: relative names begin at the root that was set last.
    fn finish(self) -> Facts {
        let mut facts = self.facts;
        let root = facts.server_root.clone();
        facts.pid_file = facts.pid_file.map(|file| root.join(file));
        if facts.error_logs.is_empty() {
            facts.error_logs.push(PathBuf::from("logs/error_log"));
        }
        facts.error_logs.sort();
        facts.error_logs.dedup();
        let logs = facts.error_logs.iter_mut();
        facts.directories.iter_mut().chain(logs).for_each(|path| *path = root.join(&*path));
        for listen in &mut facts.listens {
            listen.tls |= self.tls.contains(&listen.port);
        }
        facts
    }
}

#[cfg(test)]
mod tests;
