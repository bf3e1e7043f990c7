//! What is known of the running server, kept in a file: monitors need no configuration then, and a stop works when
//! configuration and program are gone.
//!
//! A server that runs has read its configuration in the past; what a file says by now may be news to it. So what was found
//! at its start, or at its last reload, counts until it proves wrong.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::prelude::*;
use ocf::state::{self, Pairs};

use crate::config::StatusPage;
use crate::listen::Listen;

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

/// A file that belongs to a resource.
pub fn path(invocation: &Invocation, kind: &str) -> PathBuf {
    state::path(invocation, "apache", kind)
}

/// Reads it; `None` when there is nothing that can be trusted.
pub fn read(invocation: &Invocation) -> Option<Known> {
    from_pairs(state::read(&path(invocation, "known"))?)
}

/// Writes it, at once or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(invocation: &Invocation, known: &Known) -> Result<(), Failure> {
    state::write(&path(invocation, "known"), &pairs(known))
}

/// Forgets it.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(invocation: &Invocation) -> Result<(), Failure> {
    state::forget(&path(invocation, "known"))
}

fn pairs(known: &Known) -> Vec<(&'static str, String)> {
    let shown = |path: &Path| path.display().to_string();
    let mut all = vec![("key", known.key.clone()), ("config", shown(&known.config))];
    all.extend(known.programs.iter().map(|program| ("program", shown(program))));
    all.push(("pid_file", shown(&known.pid_file)));
    for listen in &known.listens {
        let tls = if listen.tls { "https" } else { "http" };
        all.push(("listen", format!("{tls} {} {}", listen.port, listen.host.as_deref().unwrap_or("*"))));
    }
    all.extend(known.status_pages.iter().map(|page| ("status", format!("{} {}", page.port.unwrap_or(0), page.path))));
    all.extend(known.serial.iter().map(|serial| ("serial", serial.clone())));
    all
}

/// Reads what [`pairs`] made; `None` for anything else.
fn from_pairs(pairs: Pairs) -> Option<Known> {
    let (mut key, mut config, mut pid_file, mut serial) = (None, None, None, None);
    let (mut programs, mut listens, mut status_pages) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in pairs {
        match name.as_str() {
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
        let through = |known: &Known| {
            from_pairs(pairs(known).into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        assert_eq!(through(&known), Some(known.clone()));
        let bare = Known { serial: None, listens: vec![], status_pages: vec![], programs: vec![], ..known };
        assert_eq!(through(&bare), Some(bare));
    }

    #[test]
    fn anything_else_is_nothing_known() {
        let pairs = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), String::new())).collect::<Pairs>();
        for bad in [&[][..], &["key"], &["key", "config", "pid_file", "new"], &["key", "config", "pid_file", "listen"]]
        {
            assert_eq!(from_pairs(pairs(bad)), None, "{bad:?}");
        }
        assert!(from_pairs(pairs(&["key", "config", "pid_file"])).is_some());
    }
}
