//! What was decided when nginx was built, as `nginx -V` prints it.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::words;

/// Paths that hold where the configuration says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// What relative names begin at.
    pub prefix: PathBuf,
    /// The configuration file.
    pub conf: PathBuf,
    /// The pid file.
    pub pid: PathBuf,
    /// Log files and directories that nginx makes when it looks at a configuration.
    pub made: Vec<PathBuf>,
}

/// The directories for parts of requests and answers, by their option and the place of one that was
/// not chosen.
const TEMPORARY: [(&str, &str); 5] = [
    ("http-client-body-temp-path", "client_body_temp"),
    ("http-proxy-temp-path", "proxy_temp"),
    ("http-fastcgi-temp-path", "fastcgi_temp"),
    ("http-uwsgi-temp-path", "uwsgi_temp"),
    ("http-scgi-temp-path", "scgi_temp"),
];

impl Compiled {
    /// Reads what `nginx -V` says; `prefix` is that of the option `-p`, which takes the place of
    /// the built-in one.
    pub fn read(text: &str, prefix: Option<&Path>) -> Self {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("configure arguments:"))
            .unwrap_or_default();
        let options = words::split(line).unwrap_or_default();
        let option = |name: &str| {
            let value = |word: &String| {
                Some(word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('=')?.to_owned())
            };
            options.iter().rev().find_map(value)
        };
        let prefix = prefix.map(Path::to_owned).or_else(|| option("prefix").map(PathBuf::from));
        let prefix = prefix.unwrap_or_else(|| "/usr/local/nginx".into());
        let path =
            |name: &str, usual: &str| prefix.join(option(name).unwrap_or_else(|| usual.to_owned()));
        let mut made: Vec<PathBuf> =
            TEMPORARY.iter().map(|(name, usual)| path(name, usual)).collect();
        made.push(path("http-log-path", "logs/access.log"));
        made.extend(
            Some(path("error-log-path", "logs/error.log")).filter(|path| !path.ends_with("stderr")),
        );
        Self {
            conf: path("conf-path", "conf/nginx.conf"),
            pid: path("pid-path", "logs/nginx.pid"),
            made,
            prefix: prefix.clone(),
        }
    }

    /// What most distributions chose, for when there is no nginx to ask.
    pub fn usual() -> Self {
        Self {
            prefix: "/usr/share/nginx".into(),
            conf: "/etc/nginx/nginx.conf".into(),
            pid: "/run/nginx.pid".into(),
            made: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.20\n\
                          TLS SNI support enabled\n\
        configure arguments: --with-cc-opt='-g -O2 --pid-path=/no' --prefix=/usr/share/nginx \
        --conf-path=/etc/nginx/nginx.conf --http-log-path=/var/log/nginx/access.log \
        --error-log-path=stderr \
        --pid-path=/run/nginx.pid --http-client-body-temp-path=/var/lib/nginx/body\n";

    #[test]
    fn the_choices_of_the_build_are_read() {
        let compiled = Compiled::read(DEBIAN, None);
        assert_eq!(compiled.conf, Path::new("/etc/nginx/nginx.conf"));
        assert_eq!(compiled.pid, Path::new("/run/nginx.pid"));
        assert!(compiled.made.contains(&"/var/lib/nginx/body".into()));
        assert!(compiled.made.contains(&"/usr/share/nginx/proxy_temp".into()));
        assert!(!compiled.made.iter().any(|path| path.ends_with("stderr")));
    }

    #[test]
    fn every_releases_choices_are_read() {
        for (place, text) in ocf::testing::recorded("nginx-V") {
            let Compiled { prefix, conf, pid, made } = Compiled::read(&text, None);
            assert_eq!(prefix, Path::new("/usr/share/nginx"), "{place}");
            assert_eq!(conf, Path::new("/etc/nginx/nginx.conf"), "{place}");
            assert_eq!(pid, Path::new("/run/nginx.pid"), "{place}");
            assert!(made.contains(&"/var/lib/nginx/body".into()), "{place}: {made:?}");
        }
    }

    #[test]
    fn a_build_without_choices_has_nginxs_own() {
        let compiled = Compiled::read("configure arguments:\n", None);
        assert_eq!(compiled.conf, Path::new("/usr/local/nginx/conf/nginx.conf"));
        assert_eq!(compiled.pid, Path::new("/usr/local/nginx/logs/nginx.pid"));
        let moved =
            Compiled::read("configure arguments: --conf-path=n.conf", Some(Path::new("/srv/x")));
        assert_eq!(
            (moved.conf, moved.pid),
            ("/srv/x/n.conf".into(), "/srv/x/logs/nginx.pid".into())
        );
    }
}
