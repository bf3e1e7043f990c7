//! What is known of the running server, kept in a file: monitors need no configuration then, and a stop works when
//! configuration and program are gone.
//!
//! A server that runs has read its configuration in the past; what a file says by now may be news to it. So what was found
//! at its start, or at its last reload, counts until it proves wrong.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::prelude::*;
use ocf::sys::file;

use crate::config::StatusPage;
use crate::listen::Listen;

/// The cluster's directory for volatile state, unless the environment names another.
const STATE_DIRECTORY: &str = "/run/resource-agents";
/// Some dozens of lines; anything much longer is none of ours.
const LARGEST: u64 = 65_536;

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The parameters that it is about, as [`crate::settings::Place::key`] has them.
    pub key: String,
    /// The configuration that the server was started with.
    pub config: PathBuf,
    /// What its executable may be called.
    pub programs: Vec<PathBuf>,
    /// The file with its master's number.
    pub pid_file: PathBuf,
    /// Where it listens.
    pub listens: Vec<Listen>,
    /// Where mod_status answers.
    pub status_pages: Vec<StatusPage>,
    /// The parameter `config_serial` when it read its configuration; `None` when another started it.
    pub serial: Option<String>,
}

/// The directory for what is known.
pub fn directory(invocation: &Invocation) -> PathBuf {
    PathBuf::from(invocation.variable("HA_RSCTMP").unwrap_or(STATE_DIRECTORY))
}

/// A file that belongs to a resource.
pub fn path(invocation: &Invocation, kind: &str) -> PathBuf {
    directory(invocation).join(format!("apache-{}.{kind}", file_name(invocation.instance())))
}

/// A resource's name as a file name: whatever might lead elsewhere is written as its number.
pub fn file_name(instance: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':');
    instance.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02x}") }).collect()
}

/// Reads it; `None` when there is nothing that can be trusted.
pub fn read(invocation: &Invocation) -> Option<Known> {
    let bytes = file::read_small(&path(invocation, "known"), LARGEST).ok()??;
    parse(std::str::from_utf8(&bytes).ok()?)
}

/// Writes it, at once or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(invocation: &Invocation, known: &Known) -> Result<(), Failure> {
    let directory = directory(invocation);
    file::ensure_dir(&directory, 0o755).or_fail(directory.display())?;
    let path = path(invocation, "known");
    file::write_if_changed(&path, render(known).as_bytes(), 0o600).or_fail(path.display()).map(drop)
}

/// Forgets it.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(invocation: &Invocation) -> Result<(), Failure> {
    let path = path(invocation, "known");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).or_fail(path.display()),
        _ => Ok(()),
    }
}

fn render(known: &Known) -> String {
    // A line break in a value would end its line; escaping keeps every value in one.
    let mut text = String::from("version=1\n");
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("{name}={}\n", value.replace('\\', "\\\\").replace('\n', "\\n")));
    };
    let shown = |path: &Path| path.display().to_string();
    line("key", &known.key);
    line("config", &shown(&known.config));
    known.programs.iter().for_each(|program| line("program", &shown(program)));
    line("pid_file", &shown(&known.pid_file));
    for listen in &known.listens {
        let tls = if listen.tls { "https" } else { "http" };
        line("listen", &format!("{tls} {} {}", listen.port, listen.host.as_deref().unwrap_or("*")));
    }
    for page in &known.status_pages {
        line("status", &format!("{} {}", page.port.unwrap_or(0), page.path));
    }
    known.serial.iter().for_each(|serial| line("serial", serial));
    text
}

/// Reads what [`render`] wrote; `None` for anything else.
fn parse(text: &str) -> Option<Known> {
    let mut lines = text.lines();
    if lines.next()? != "version=1" {
        return None;
    }
    let (mut key, mut config, mut pid_file, mut serial) = (None, None, None, None);
    let (mut programs, mut listens, mut status_pages) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        let (name, value) = line.split_once('=')?;
        let value = unescape(value);
        match name {
            "key" => key = Some(value),
            "config" => config = Some(PathBuf::from(value)),
            "program" => programs.push(PathBuf::from(value)),
            "pid_file" => pid_file = Some(PathBuf::from(value)),
            "listen" => {
                let [tls, port, host] = value.splitn(3, ' ').collect::<Vec<_>>().try_into().ok()?;
                let host = (host != "*").then(|| host.to_owned());
                listens.push(Listen { host, port: port.parse().ok()?, tls: tls == "https" });
            }
            "status" => {
                let (port, path) = value.split_once(' ')?;
                let port: u16 = port.parse().ok()?;
                status_pages.push(StatusPage { path: path.to_owned(), port: (port > 0).then_some(port) });
            }
            "serial" => serial = Some(value),
            _ => return None,
        }
    }
    Some(Known { key: key?, config: config?, programs, pid_file: pid_file?, listens, status_pages, serial })
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next().map(|next| if next == 'n' { '\n' } else { next })),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let known = Known {
            key: "a \"b\\n\" c".into(),
            config: "/etc/x y\nz".into(),
            programs: vec!["/usr/sbin/apache2".into(), "/opt/a=b".into()],
            pid_file: "/run/a.pid".into(),
            listens: vec![
                Listen { host: None, port: 80, tls: false },
                Listen { host: Some("::1".into()), port: 443, tls: true },
            ],
            status_pages: vec![
                StatusPage { path: "/s t".into(), port: None },
                StatusPage { path: "/".into(), port: Some(8099) },
            ],
            serial: Some(String::new()),
        };
        assert_eq!(parse(&render(&known)), Some(known.clone()));
        let bare = Known { serial: None, listens: vec![], status_pages: vec![], programs: vec![], ..known };
        assert_eq!(parse(&render(&bare)), Some(bare));
    }

    #[test]
    fn anything_else_is_nothing_known() {
        for bad in ["", "version=2\n", "version=1\nkey=a\n", "version=1\nkey=a\nconfig=b\npid_file=c\nnew=d\n"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_resource_name_cannot_lead_out_of_the_directory() {
        assert_eq!(file_name("../web:0"), "%2e%2e%2fweb:0");
    }
}
