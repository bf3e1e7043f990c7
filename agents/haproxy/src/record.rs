//! What this resource was started with, kept in a file of its own: a stop needs no configuration,
//! and a monitor reads one only when something is wrong.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::prelude::*;
use ocf::state::Pairs;

use crate::settings::{Identity, Mode};

/// What a running instance was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The parameters at the time.
    pub identity: Identity,
    /// The program, without symbolic links.
    pub program: PathBuf,
    /// All of its configuration: that of the parameter, that of the options, and ours.
    pub configs: Vec<PathBuf>,
    /// Its pid file.
    pub pid_file: PathBuf,
    /// The master's socket; none if it was started by other means without one.
    pub master_socket: Option<PathBuf>,
    /// The stats socket to ask where there is no master.
    pub stats_socket: Option<PathBuf>,
    /// The parameter `config_serial` when it last read its configuration.
    pub serial: Option<String>,
    /// The sum over its configuration at that time.
    pub sum: String,
}

impl StateFile for Record {
    const AGENT: &'static str = "haproxy";

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let identity = &self.identity;
        let mut pairs = vec![
            ("mode", identity.mode.word().to_owned()),
            ("program", text(&self.program)),
            ("pid_file", text(&self.pid_file)),
            ("sum", self.sum.clone()),
        ];
        let single = [
            ("binary", &identity.binary),
            ("pidfile", &identity.pid_file),
            ("given_master_socket", &identity.master_socket),
            ("given_stats_socket", &identity.stats_socket),
            ("master_socket", &self.master_socket),
            ("stats_socket", &self.stats_socket),
        ];
        pairs.extend(
            single.into_iter().filter_map(|(key, path)| Some((key, text(path.as_deref()?)))),
        );
        pairs.extend(identity.configs.iter().map(|path| ("configfile", text(path))));
        pairs.extend(identity.options.iter().map(|option| ("option", option.clone())));
        pairs.extend(self.configs.iter().map(|path| ("config", text(path))));
        pairs.extend(self.serial.iter().map(|serial| ("serial", serial.clone())));
        pairs
    }

    fn from_pairs(pairs: Pairs) -> Option<Self> {
        let mut record = Self::default();
        for (key, value) in pairs {
            let identity = &mut record.identity;
            match key.as_str() {
                "binary" => identity.binary = Some(value.into()),
                "configfile" => identity.configs.push(value.into()),
                "option" => identity.options.push(value),
                "pidfile" => identity.pid_file = Some(value.into()),
                "mode" => identity.mode = Mode::parse(&value).ok()?,
                "given_master_socket" => identity.master_socket = Some(value.into()),
                "given_stats_socket" => identity.stats_socket = Some(value.into()),
                "program" => record.program = value.into(),
                "config" => record.configs.push(value.into()),
                "pid_file" => record.pid_file = value.into(),
                "master_socket" => record.master_socket = Some(value.into()),
                "stats_socket" => record.stats_socket = Some(value.into()),
                "serial" => record.serial = Some(value),
                "sum" => record.sum = value,
                _ => return None,
            }
        }
        (!record.pid_file.as_os_str().is_empty()).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let environment = [(OsString::from("HA_RSCTMP"), folder.path().as_os_str().to_owned())];
        let invocation =
            Invocation::new([OsString::from("haproxy"), OsString::from("start")], environment);
        let full = Record {
            identity: Identity {
                binary: Some("/usr/sbin/haproxy".into()),
                configs: vec!["/e/a b=c.cfg".into(), "/e/d".into()],
                options: vec!["-L".into(), "x\n# ü \\".into()],
                pid_file: Some("/run/x.pid".into()),
                mode: Mode::Daemon,
                master_socket: Some("/run/m".into()),
                stats_socket: Some("/run/s".into()),
            },
            program: "/usr/sbin/haproxy".into(),
            configs: vec!["/e/a b=c.cfg".into()],
            pid_file: "/run/x.pid".into(),
            master_socket: Some("/run/m2".into()),
            stats_socket: Some("/run/s2".into()),
            serial: Some("7".into()),
            sum: "0123".into(),
        };
        let least = Record { pid_file: "/run/x.pid".into(), ..Record::default() };
        for record in [full, least] {
            record.save(&invocation).unwrap();
            assert_eq!(Record::load(&invocation), Some(record));
        }
        Record::default().save(&invocation).unwrap();
        assert_eq!(Record::load(&invocation), None, "one without a pid file");
    }
}
