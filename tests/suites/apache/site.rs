//! A machine with the real server's program, and configurations of our own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use harness::cluster::installed;
use harness::skip::skip;
use harness::{Agent, Host, agent};

/// Where everything of a test is: in the machine's private /run.
pub const ROOT: &str = "/run/web";

/// A machine with the server's program.
pub struct Site {
    pub host: Host,
}

impl Site {
    /// A new machine; `None`, loudly, where the server is not installed or cannot change to its
    /// user.
    pub fn new() -> Option<Self> {
        if !installed("apache2") || !harness::root::has_other_users() {
            skip("apache2 is not installed, or there is no user for its workers");
            return None;
        }
        let host = Host::builder("web").tmpfs("/var/log").dir("/var/log/apache2").start();
        host.sh(&format!(
            "mkdir -p {ROOT}/htdocs; echo '<html>home of alive</html>' >{ROOT}/htdocs/index.html"
        ));
        Some(Self { host })
    }

    /// Writes a file below [`ROOT`].
    pub fn write(&self, name: &str, text: &str) {
        self.host.sh(&format!(
            "mkdir -p \"$(dirname {ROOT}/{name})\"; cat >{ROOT}/{name} <<'END_OF_FILE'\n{text}\n\
             END_OF_FILE"
        ));
    }

    /// A configuration that works, with these lines more; the pid file has the configuration's
    /// name.
    pub fn config(&self, name: &str, more: &str) {
        self.bare(name, &format!("PidFile {ROOT}/{name}.pid\n{more}"));
    }

    /// As [`Site::config`], without a pid file. One worker is enough: else the server starts another
    /// one after a second.
    pub fn bare(&self, name: &str, more: &str) {
        let modules: String =
            ["mpm_event", "authz_core", "authz_host", "dir", "alias", "mime", "status"]
                .map(|module| {
                    format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
                })
                .concat();
        self.write(
            name,
            &format!(
                "ServerName web\nServerRoot {ROOT}\n{modules}User www-data\nGroup www-data\n\
                 StartServers 1\nMinSpareThreads 1\n\
                 ErrorLog {ROOT}/error.log\nTypesConfig /dev/null\nDocumentRoot {ROOT}/htdocs\n\
                 DirectoryIndex index.html\n{more}\n"
            ),
        );
    }

    /// The usual one: a.conf on port 8081.
    pub fn usual(&self) -> Agent<'_> {
        self.config("a.conf", "Listen 127.0.0.1:8081");
        self.agent("a.conf")
    }

    /// The agent for a configuration.
    pub fn agent(&self, name: &str) -> Agent<'_> {
        agent(&self.host, "apache").instance("web").param("configfile", &format!("{ROOT}/{name}"))
    }

    /// The whole answer to a request, by other means than the agent's.
    pub fn get(&self, address: &str, path: &str) -> Option<String> {
        let mut stream = self.connect(address)?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// A connection to the server; `None` when nothing listens.
    pub fn connect(&self, address: &str) -> Option<TcpStream> {
        let stream = self.host.in_network(|| TcpStream::connect(address)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        Some(stream)
    }

    /// The server's processes whose arguments have this word, by their numbers inside.
    pub fn processes(&self, word: &str) -> Vec<i32> {
        let script = format!(
            "for p in $(pgrep -x apache2); do tr '\\0' '\\n' </proc/$p/cmdline 2>/dev/null | grep \
             -qxF '{word}' && echo $p; done; :"
        );
        self.host.sh(&script).lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// The processes of a configuration.
    pub fn of(&self, name: &str) -> Vec<i32> {
        self.processes(&format!("{ROOT}/{name}"))
    }

    /// The number in a pid file.
    pub fn master(&self, name: &str) -> i32 {
        self.host.sh(&format!("cat {ROOT}/{name}.pid")).trim().parse().expect("a number")
    }

    /// Kills the master alone.
    pub fn kill_master(&self, name: &str) {
        self.host.crash(&self.master(name).to_string());
    }

    /// Panics unless nothing of a configuration is left.
    #[track_caller]
    pub fn expect_nothing(&self, name: &str) {
        assert_eq!(self.of(name), [] as [i32; 0], "no process of {name} may be left");
    }
}
