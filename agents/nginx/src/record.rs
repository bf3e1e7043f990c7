//! What this resource was started with, kept in a file of its own: a stop needs no configuration,
//! and a monitor reads one only when something is wrong.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::prelude::*;
use ocf::state::Pairs;

use crate::config::listen::Listen;
use crate::settings::Identity;

/// What a running instance was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The parameters at the time.
    pub identity: Identity,
    /// The program, without symbolic links.
    pub program: PathBuf,
    /// Its configuration file.
    pub conf: PathBuf,
    /// Whether that is the one that nginx takes when none is named.
    pub usual: bool,
    /// Its pid file.
    pub pid_file: PathBuf,
    /// The places where it answers, in the order of preference.
    pub listens: Vec<Listen>,
    /// Its status page.
    pub status: Option<(Listen, String)>,
    /// The name of the server that has it.
    pub status_host: Option<String>,
    /// Its local sockets.
    pub locals: Vec<PathBuf>,
    /// The parameter `config_serial` when it last read its configuration.
    pub serial: Option<String>,
}

impl StateFile for Record {
    const AGENT: &'static str = "nginx";

    fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        let mut add = |key, value: &str| pairs.push((key, value.to_owned()));
        let mut path = |key, value: &Path| add(key, &value.to_string_lossy());
        if let Some(httpd) = &self.identity.httpd {
            path("httpd", httpd);
        }
        if let Some(configfile) = &self.identity.configfile {
            path("configfile", configfile);
        }
        path("program", &self.program);
        path("conf", &self.conf);
        path("pid_file", &self.pid_file);
        self.locals.iter().for_each(|local| path("local", local));
        self.identity.options.iter().for_each(|option| add("option", option));
        self.listens.iter().for_each(|listen| add("listen", &listen.render()));
        if let Some((listen, page)) = &self.status {
            add("status", &listen.render());
            add("page", page);
        }
        if let Some(host) = &self.status_host {
            add("host", host);
        }
        if let Some(serial) = &self.serial {
            add("serial", serial);
        }
        if self.usual {
            add("usual", "1");
        }
        pairs
    }

    fn from_pairs(pairs: Pairs) -> Option<Self> {
        let mut record = Record::default();
        let mut status = None;
        for (key, value) in pairs {
            match key.as_str() {
                "httpd" => record.identity.httpd = Some(value.into()),
                "configfile" => record.identity.configfile = Some(value.into()),
                "option" => record.identity.options.push(value),
                "program" => record.program = value.into(),
                "conf" => record.conf = value.into(),
                "pid_file" => record.pid_file = value.into(),
                "local" => record.locals.push(value.into()),
                "listen" => record.listens.push(Listen::parse(&value)?),
                "status" => status = Some(Listen::parse(&value)?),
                "page" => record.status = status.take().map(|listen| (listen, value)),
                "host" => record.status_host = Some(value),
                "serial" => record.serial = Some(value),
                "usual" => record.usual = true,
                _ => return None,
            }
        }
        (!record.pid_file.as_os_str().is_empty()).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let listen = Listen::parse("ssl [::1]:443").unwrap();
        let full = Record {
            identity: Identity {
                httpd: Some("/usr/sbin/nginx".into()),
                configfile: Some("/e/a b=c.conf".into()),
                options: vec!["-g".into(), "pid /x;\n# ü \\".into()],
            },
            program: "/usr/sbin/nginx".into(),
            conf: "/e/a b=c.conf".into(),
            usual: true,
            pid_file: "/run/x.pid".into(),
            listens: vec![listen.clone(), Listen::parse("unix:/run/s").unwrap()],
            status: Some((listen, "/s".into())),
            status_host: Some("status.example.com".into()),
            locals: vec!["/run/s".into()],
            serial: Some("7".into()),
        };
        let least = Record { pid_file: "/run/x.pid".into(), ..Record::default() };
        for record in [full, least] {
            let read =
                record.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            assert_eq!(Record::from_pairs(read), Some(record.clone()), "{record:?}");
        }
    }

    #[test]
    fn anything_else_is_no_record() {
        let read = |pairs: &[(&str, &str)]| {
            Record::from_pairs(
                pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            )
        };
        for bad in [
            &[][..],
            &[("pid_file", "")],
            &[("pid_file", "/x"), ("new", "")],
            &[("pid_file", "/x"), ("listen", "")],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert!(read(&[("pid_file", "/x")]).is_some());
    }
}
