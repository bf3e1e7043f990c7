//! The three great layouts, and what the peer's reader stumbled over.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ocf::testing::Tree;

use super::*;

fn with(pairs: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        defines: vec!["STATUS".into()],
        environment: pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        ..Surroundings::default()
    }
}

fn plain(port: u16) -> Listen {
    Listen { host: None, port, tls: false }
}

fn read_now(file: &Path, surroundings: &Surroundings, files: &dyn Files) -> Facts {
    read(file, surroundings, files, Deadline::after(Duration::from_secs(60)))
}

fn one(text: &'static str) -> Facts {
    read_now(Path::new("/c"), &with(&[]), &Tree(&[("/c", text)]))
}

#[test]
fn debians_layout() {
    let files = Tree(&[
        (
            "/etc/apache2/apache2.conf",
            "DefaultRuntimeDir ${APACHE_RUN_DIR}\nPidFile ${APACHE_PID_FILE}\n\
             User ${APACHE_RUN_USER}\n\
             IncludeOptional mods-enabled/*.load\nIncludeOptional mods-enabled/*.conf\n\
             Include ports.conf\n\
             IncludeOptional sites-enabled/*.conf\n",
        ),
        (
            "/etc/apache2/mods-enabled/status.load",
            "LoadModule status_module /usr/lib/apache2/modules/mod_status.so\n",
        ),
        (
            "/etc/apache2/mods-enabled/status.conf",
            "<Location /server-status>\n\tSetHandler server-status\n\tRequire local\n</Location>\n",
        ),
        (
            "/etc/apache2/ports.conf",
            "Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n<IfModule mod_status.c>\n\
             Listen 81\n</IfModule>\n",
        ),
        (
            "/etc/apache2/sites-enabled/000-default.conf",
            "<VirtualHost *:80>\nDocumentRoot /var/www\n</VirtualHost>\n",
        ),
        ("/etc/apache2/sites-enabled/old.conf~", "Listen 99\n"),
    ]);
    let variables = [
        ("APACHE_RUN_DIR", "/run/apache2"),
        ("APACHE_PID_FILE", "/run/apache2/a.pid"),
        ("APACHE_RUN_USER", "www-data"),
    ];
    let facts = read_now(Path::new("/etc/apache2/apache2.conf"), &with(&variables), &files);
    assert_eq!(facts.server_root, Path::new("/etc/apache2"));
    assert_eq!(facts.pid_file.as_deref(), Some(Path::new("/run/apache2/a.pid")));
    assert_eq!(facts.directories, [Path::new("/run/apache2")]);
    assert_eq!(facts.user.as_deref(), Some("www-data"));
    assert_eq!(facts.listens, [plain(80), plain(81)]);
    assert_eq!(facts.status_pages, [StatusPage { path: "/server-status".into(), port: None }]);
}

#[test]
fn red_hats_layout() {
    let files = Tree(&[
        (
            "/etc/httpd/conf/httpd.conf",
            "ServerRoot \"/etc/httpd\"\nListen 80\nInclude conf.modules.d/*.conf\nUser apache\n\
             <Directory />\n  AllowOverride none\n</Directory>\nIncludeOptional conf.d/*.conf\n",
        ),
        (
            "/etc/httpd/conf.modules.d/00-base.conf",
            "LoadModule status_module modules/mod_status.so\n",
        ),
        (
            "/etc/httpd/conf.d/status.conf",
            "<Location \"/server-status\">\nSetHandler server-status\n</Location>\n",
        ),
        (
            "/etc/httpd/conf.d/ssl.conf",
            "Listen 443 https\nListen 8443\n<VirtualHost _default_:8443>\nSSLEngine on\n\
             </VirtualHost>\n",
        ),
    ]);
    let facts = read_now(Path::new("/etc/httpd/conf/httpd.conf"), &with(&[]), &files);
    assert_eq!((facts.server_root.as_path(), facts.pid_file), (Path::new("/etc/httpd"), None));
    let tls = |port| Listen { host: None, port, tls: true };
    assert_eq!(facts.listens, [plain(80), tls(443), tls(8443)]);
    assert_eq!(facts.status_pages, [StatusPage { path: "/server-status".into(), port: None }]);
}

#[test]
fn suses_layout() {
    let files = Tree(&[
        (
            "/etc/apache2/httpd.conf",
            "Include /etc/apache2/uid.conf\nInclude /etc/apache2/listen.conf\n\
             Include /etc/apache2/sysconfig.d/loadmodule.conf\n\
             Include /etc/apache2/mod_status.conf\n\
             Include /etc/apache2/sysconfig.d/include.conf\n\
             IncludeOptional /etc/apache2/vhosts.d/*.conf\n",
        ),
        ("/etc/apache2/uid.conf", "User wwwrun\nGroup www\n"),
        (
            "/etc/apache2/listen.conf",
            "Listen 80\n<IfDefine SSL>\n  <IfDefine !NOSSL>\n<IfModule mod_ssl.c>\nListen 443\n\
             </IfModule>\n  </IfDefine>\n\
             </IfDefine>\n",
        ),
        (
            "/etc/apache2/sysconfig.d/loadmodule.conf",
            "LoadModule status_module /usr/lib64/apache2-prefork/mod_status.so\n",
        ),
        (
            "/etc/apache2/mod_status.conf",
            "<IfModule mod_status.c>\n    <Location \"/server-status\">\n        SetHandler \
             server-status\n\
             </Location>\n</IfModule>\n",
        ),
    ]);
    let facts = read_now(Path::new("/etc/apache2/httpd.conf"), &with(&[]), &files);
    assert_eq!((facts.pid_file, facts.listens), (None, vec![plain(80)]));
    assert_eq!(facts.user.as_deref(), Some("wwwrun"));
    assert_eq!(facts.status_pages.len(), 1);
    assert!(facts.includes.contains(&PathBuf::from("/etc/apache2/sysconfig.d/include.conf")));
}

#[test]
fn ap_08_includes_are_found_however_they_are_written() {
    let files = Tree(&[
        ("/srv/c", "serverroot '/srv'\ninclude \"conf.d/*.conf\"\n"),
        ("/srv/conf.d/a.conf", "INCLUDE \\\n  deeper\n"),
        ("/srv/deeper/one/x", "PIDFILE run/x.pid\n"),
        ("/srv/deeper/two", "listen 8081\n"),
    ]);
    let facts = read_now(Path::new("/srv/c"), &with(&[]), &files);
    assert_eq!(facts.pid_file.as_deref(), Some(Path::new("/srv/run/x.pid")));
    assert_eq!(facts.listens, [plain(8081)]);
}

#[test]
fn wt_1_files_that_include_each_other_are_read_as_often_as_the_server_would() {
    let both = "Listen 1\nInclude /d/*\nListen 2\n";
    let files = Tree(&[("/c", "Include /d/*\nListen 3\n"), ("/d/a", both), ("/d/b", both)]);
    let began = Instant::now();
    let facts = read_now(Path::new("/c"), &with(&[]), &files);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(facts.listens.len() <= 3 * (DEEPEST + 1), "{}", facts.listens.len());
    let none = read(Path::new("/c"), &with(&[]), &files, Deadline::after(Duration::ZERO));
    assert_eq!(none.listens, []);
}

#[test]
fn a_file_that_includes_itself_comes_to_an_end() {
    let files = Tree(&[("/c", "Listen 1\nInclude /c\n")]);
    assert_eq!(read_now(Path::new("/c"), &with(&[]), &files).listens.len(), DEEPEST + 1);
}

#[test]
fn definitions_and_conditions_decide() {
    let facts =
        one("Define PORT 8085\n<IfDefine STATUS>\nListen ${PORT}\n<IfDefine PORT>\n</IfDefine>\n\
         </IfDefine>\n\
                     <IfDefine !STATUS>\nListen 2\n</IfDefine>\n<IfFile /c>\nListen 3\n</IfFile>\n\
                     <IfFile /d>\nListen 4\n\
                     </IfFile>\n<IfModule !mod_ssl.c>\nListen 5\n</IfModule>\nUnDefine PORT\n\
                     Listen ${PORT}\n");
    assert_eq!(facts.listens, [plain(8085), plain(3), plain(5)]);
}

#[test]
fn a_status_page_belongs_to_its_virtual_host() {
    let facts = one(
        "<VirtualHost 127.0.0.1:8099>\n<Location /s>\nSetHandler \"server-status\"\n</Location>\n\
                     </VirtualHost>\n<Directory /x>\nSetHandler server-status\n</Directory>\n\
                     <LocationMatch ^/y>\n\
                     SetHandler server-status\n</LocationMatch>\n",
    );
    assert_eq!(facts.status_pages, [StatusPage { path: "/s".into(), port: Some(8099) }]);
}

#[test]
fn the_command_line_has_its_part() {
    let surroundings = Surroundings {
        server_root: Some("/opt".into()),
        before: vec!["Listen 7".into()],
        after: vec!["PidFile last.pid".into()],
        ..with(&[])
    };
    let facts = read_now(Path::new("/c"), &surroundings, &Tree(&[("/c", "PidFile first.pid\n")]));
    assert_eq!(facts.pid_file.as_deref(), Some(Path::new("/opt/last.pid")));
    assert_eq!(facts.listens, [plain(7)]);
}

#[test]
fn locks_and_run_time_files_have_directories() {
    let facts =
        one("ServerRoot /srv\nMutex file:/run/lock/x default\nMutex sem\nDefaultRuntimeDir run\n");
    assert_eq!(facts.directories, [Path::new("/run/lock/x"), Path::new("/srv/run")]);
}

#[test]
fn wt_1_files_that_include_each_other_end() {
    let files = Tree(&[
        ("/e/c", "Include d/*"),
        ("/e/d/1", "Listen 1\nInclude d/*"),
        ("/e/d/2", "Include d/*\nListen 2"),
    ]);
    let facts = read_now(Path::new("/e/c"), &with(&[]), &files);
    assert!(facts.listens.contains(&plain(1)) && facts.listens.len() < 20_000);
}

#[test]
fn a_directory_stands_for_all_files_below_it() {
    let files = Tree(&[
        ("/e/c", "Include d"),
        ("/e/d/b/x", "Listen 3"),
        ("/e/d/a", "Listen 2"),
        ("/e/c.d", "Listen 4"),
    ]);
    assert_eq!(read_now(Path::new("/e/c"), &with(&[]), &files).listens, [plain(2), plain(3)]);
}
