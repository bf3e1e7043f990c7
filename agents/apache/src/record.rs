//! What is known of the running server, kept in a file: monitors need no configuration then, and a
//! stop works when configuration and program are gone.
//!
//! A server that runs has read its configuration in the past; what a file says by now may be news
//! to it. So what was found at its start, or at its last reload, counts until it proves wrong.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::prelude::*;
use ocf::state::Pairs;

use crate::config::StatusPage;
use crate::listen::Listen;

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The parameters that it is about, as [`crate::settings::Identity::key`] has them.
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
    /// The parameter `config_serial` when it read its configuration; `None` when another started
    /// it.
    pub serial: Option<String>,
}

impl StateFile for Record {
    const AGENT: &'static str = "apache";

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let shown = |path: &Path| path.display().to_string();
        let mut all = vec![("key", self.key.clone()), ("config", shown(&self.config))];
        all.extend(self.programs.iter().map(|program| ("program", shown(program))));
        all.push(("pid_file", shown(&self.pid_file)));
        for listen in &self.listens {
            let tls = if listen.tls { "https" } else { "http" };
            all.push((
                "listen",
                format!("{tls} {} {}", listen.port, listen.host.as_deref().unwrap_or("*")),
            ));
        }
        all.extend(
            self.status_pages
                .iter()
                .map(|page| ("status", format!("{} {}", page.port.unwrap_or(0), page.path))),
        );
        all.extend(self.serial.iter().map(|serial| ("serial", serial.clone())));
        all
    }

    fn from_pairs(pairs: Pairs) -> Option<Self> {
        let (mut key, mut config, mut pid_file, mut serial) = (None, None, None, None);
        let (mut programs, mut listens, mut status_pages) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in pairs {
            match name.as_str() {
                "key" => key = Some(value),
                "config" => config = Some(PathBuf::from(value)),
                "program" => programs.push(PathBuf::from(value)),
                "pid_file" => pid_file = Some(PathBuf::from(value)),
                "listen" => {
                    let [tls, port, host] =
                        value.splitn(3, ' ').collect::<Vec<_>>().try_into().ok()?;
                    let host = (host != "*").then(|| host.to_owned());
                    listens.push(Listen { host, port: port.parse().ok()?, tls: tls == "https" });
                }
                "status" => {
                    let (port, path) = value.split_once(' ')?;
                    let port: u16 = port.parse().ok()?;
                    status_pages.push(StatusPage {
                        path: path.to_owned(),
                        port: (port > 0).then_some(port),
                    });
                }
                "serial" => serial = Some(value),
                _ => return None,
            }
        }
        Some(Self {
            key: key?,
            config: config?,
            programs,
            pid_file: pid_file?,
            listens,
            status_pages,
            serial,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let known = Record {
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
        let through = |known: &Record| {
            Record::from_pairs(
                known
                    .to_pairs()
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        };
        assert_eq!(through(&known), Some(known.clone()));
        let bare = Record {
            serial: None,
            listens: vec![],
            status_pages: vec![],
            programs: vec![],
            ..known
        };
        assert_eq!(through(&bare), Some(bare));
    }

    #[test]
    fn anything_else_is_nothing_known() {
        let pairs = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), String::new())).collect::<Pairs>()
        };
        for bad in [
            &[][..],
            &["key"],
            &["key", "config", "pid_file", "new"],
            &["key", "config", "pid_file", "listen"],
        ] {
            assert_eq!(Record::from_pairs(pairs(bad)), None, "{bad:?}");
        }
        assert!(Record::from_pairs(pairs(&["key", "config", "pid_file"])).is_some());
    }
}
