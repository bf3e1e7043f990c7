//! Tests with damaged configurations, answers of `nginx -V`, records of sockets, and command lines.

use std::path::Path;

use ocf::testing::Tree;
use ocf::testing::fuzz::{survives, survives_text};

use crate::config::{self, compiled::Compiled, include, listen::Listen};
use crate::title;

const CONFIGURATIONS: [&str; 2] = [
    "user www-data;\npid /run/nginx.pid;\nevents { worker_connections 64; }\nhttp {\n  include \
     /etc/nginx/*.conf;\n  server {\n    listen [::1]:8082 ssl http2;\n    listen \
     unix:/run/a.sock;\n    location = /status { stub_status; }\n  }\n}\n",
    "# \"a comment\nhttp \
     { server { listen 80 default_server; server_name 'a b' \\\"c; set $x \"${y}\"; } }\n\
     stream { server { listen 1; } }",
];

const BUILT: &str = "nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2' \
                     --prefix=/usr/share/nginx --pid-path=/run/nginx.pid \
                     --http-log-path=/var/log/nginx/access.log\n";

#[test]
fn any_configuration_is_read_with_what_it_includes() {
    let compiled = Compiled::read(BUILT, None);
    survives_text(&CONFIGURATIONS, |text| {
        let files = [("/etc/nginx/nginx.conf", text), ("/etc/nginx/a.conf", "listen 81;")];
        let directives = include::load(
            &Tree(&files),
            Path::new("/etc/nginx/nginx.conf"),
            Path::new("/etc/nginx"),
        );
        drop(config::read(&directives.unwrap(), "pid x;", &compiled));
    });
}

#[test]
fn any_answer_and_any_record_is_read() {
    survives_text(&[BUILT, "ssl proxy_protocol [::1]:8082", "unix:/run/a b.sock"], |text| {
        drop(Compiled::read(text, None));
        drop(Listen::parse(text));
    });
}

#[test]
fn any_command_line_is_read() {
    survives(
        &[b"nginx: master process /usr/sbin/nginx -c /etc/nginx/nginx.conf -g daemon on;\0"],
        |bytes| {
            let arguments: Vec<Vec<u8>> =
                bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
            let _ = title::is_instance(&arguments, Path::new("/etc/nginx/nginx.conf"), || true);
        },
    );
}
