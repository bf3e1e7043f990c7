//! Tests: the layouts of the distributions, and what users have met.

use ocf::testing::Tree;

use super::*;

const DEBIAN: Tree<'static> = Tree(&[
    ("/etc/nginx/nginx.conf", include_str!("../../tests/fixtures/debian/nginx.conf")),
    ("/etc/nginx/sites-enabled/default", include_str!("../../tests/fixtures/debian/default")),
]);
const RHEL: Tree<'static> = Tree(&[
    ("/etc/nginx/nginx.conf", include_str!("../../tests/fixtures/rhel/nginx.conf")),
    ("/etc/nginx/conf.d/app.conf", include_str!("../../tests/fixtures/rhel/app.conf")),
]);
const SUSE: Tree<'static> = Tree(&[
    ("/etc/nginx/nginx.conf", include_str!("../../tests/fixtures/suse/nginx.conf")),
    ("/etc/nginx/vhosts.d/shop.conf", include_str!("../../tests/fixtures/suse/shop.conf")),
]);

fn of(files: &Tree<'_>) -> Config {
    let main = Path::new("/etc/nginx/nginx.conf");
    read(&include::load(files, main, Path::new("/etc/nginx")).unwrap(), "", &Compiled::usual())
}

fn text(text: &str) -> Config {
    read(&grammar::parse(text), "", &Compiled::usual())
}

fn places(config: &Config) -> Vec<String> {
    config.listens.iter().map(|listen| listen.socket.to_string()).collect()
}

#[test]
fn a_place_that_servers_share_is_one() {
    let server =
        |name: &str| format!("server {{ listen 8081; listen 8443 ssl; server_name {name}; }}");
    let config =
        text(&format!("http {{ {} {} server {{ listen 8082; }} }}", server("a"), server("b")));
    assert_eq!(places(&config), ["127.0.0.1:8081", "127.0.0.1:8443", "127.0.0.1:8082"]);
}

#[test]
fn debians_layout_is_read() {
    let config = of(&DEBIAN);
    assert_eq!(config.pid, Path::new("/run/nginx.pid"));
    assert!(config.daemon);
    assert_eq!(places(&config), ["127.0.0.1:80", "[::1]:80"]);
    assert_eq!(config.status, None);
    assert!(config.made.contains(&"/var/log/nginx/error.log".into()));
    assert!(config.made.contains(&"/run/nginx.pid".into()));
}

#[test]
fn rhels_layout_is_read() {
    let config = of(&RHEL);
    assert_eq!(config.pid, Path::new("/run/nginx.pid"));
    assert_eq!(
        places(&config),
        ["127.0.0.1:8080", "unix:/run/nginx/app.sock", "127.0.0.1:80", "[::1]:80"]
    );
    let (listen, path) = config.status.unwrap();
    assert_eq!(
        (listen.base_url().as_str(), path.as_str()),
        ("http://127.0.0.1:8080", "/nginx_status")
    );
    assert_eq!(config.locals, [PathBuf::from("/run/nginx/app.sock")]);
}

#[test]
fn suses_layout_is_read() {
    let config = of(&SUSE);
    assert_eq!(config.pid, Path::new("/run/nginx.pid"), "no pid directive: the built-in path");
    assert_eq!(places(&config), ["127.0.0.1:443", "localhost:80"]);
    assert!(config.listens[0].ssl);
    assert_eq!(config.status.unwrap().1, "/status");
}

#[test]
fn the_last_word_counts_and_options_add_theirs() {
    let config =
        read(&grammar::parse("events {}"), "pid run/x.pid; daemon off;", &Compiled::usual());
    assert_eq!(config.pid, Path::new("/usr/share/nginx/run/x.pid"));
    assert!(!config.daemon);
}

#[test]
fn only_servers_of_http_are_asked() {
    let config = text(
        "stream { server { listen 5000; listen unix:/run/s; } } mail { server { listen 25; } }",
    );
    assert_eq!(places(&config), [""; 0]);
    assert_eq!(config.locals, [PathBuf::from("/run/s")]);
    assert_eq!(places(&text("http { server { } }")), ["127.0.0.1:80"]);
    assert_eq!(places(&text("http { server { listen 443 quic; } }")), [""; 0]);
}

#[test]
fn a_socket_that_asks_less_of_a_client_comes_first() {
    let config = text(
        "http \
         { server { listen 1 proxy_protocol; listen 2 http2; } server { listen 3; listen 4; } }",
    );
    assert_eq!(places(&config), ["127.0.0.1:3", "127.0.0.1:4", "127.0.0.1:1", "127.0.0.1:2"]);
}

#[test]
fn the_status_page_is_found_where_it_is() {
    for (location, expected) in [
        ("location /s { stub_status; }", Some("/s")),
        ("location = /s { stub_status on; }", Some("/s")),
        ("location ~ ^/s$ { stub_status on; }", Some("/s")),
        ("location /a { location /a/s { stub_status; } }", Some("/a/s")),
        ("stub_status;", Some("/")),
        ("location /s { stub_status off; }", None),
        ("location /s { return 200; }", None),
    ] {
        let config = text(&format!(
            "http {{ server {{ listen 1; }} server {{ listen [::1]:2; {location} }} }}"
        ));
        let expected = expected.map(|path| ("[::1]:2".to_owned(), path.to_owned()));
        assert_eq!(
            config.status.map(|(listen, path)| (listen.socket.to_string(), path)),
            expected,
            "{location}"
        );
    }
}

#[test]
fn what_a_check_would_make_is_known() {
    let config = text(
        "error_log /var/log/e.log warn; http { access_log off; access_log syslog:server=x; \
         access_log /l/$host.log; proxy_temp_path tmp/p 1 2; proxy_cache_path /c levels=1; server \
         { access_log /l/a.log; } }",
    );
    for path in ["/var/log/e.log", "/usr/share/nginx/tmp/p", "/c", "/l/a.log", "/run/nginx.pid"] {
        assert!(config.made.contains(&path.into()), "{path}: {:?}", config.made);
    }
    assert_eq!(config.made.len(), 5);
}

#[test]
fn servers_share_the_socket_for_all_addresses() {
    let bound = |http: &str| -> Vec<String> {
        let all = text(http).places.into_iter();
        all.map(|place| format!("{} {}", place.host.unwrap(), place.port)).collect()
    };
    let servers = "http { server { listen 80; listen [::1]:81; } server { listen 127.0.0.1:80; \
                   listen 127.0.0.1:82; } }";
    assert_eq!(bound(servers), ["0.0.0.0 80", "127.0.0.1 82", "::1 81"]);
    assert_eq!(bound("http { server { } }"), ["0.0.0.0 80"]);
    let reused =
        "http { server { listen 80 reuseport; listen 81; } server { listen 127.0.0.1:80; } }";
    assert_eq!(bound(reused), ["0.0.0.0 81"]);
    assert_eq!(bound("stream { server { listen 5000; } }"), ["0.0.0.0 5000"]);
}

#[test]
fn the_server_of_the_status_page_is_known_by_a_plain_name() {
    for (names, expected) in [
        (
            "server_name ~^s *.example.com .example.com _ status.example.com b;",
            Some("status.example.com"),
        ),
        ("server_name _;", None),
        ("server_name \"\" $hostname;", None),
        ("", None),
    ] {
        let config = text(&format!(
            "http {{ server {{ server_name first; }} server {{ {names} location /s \
             {{ stub_status; }} }} }}"
        ));
        assert_eq!(config.status_host.as_deref(), expected, "{names}");
    }
}
