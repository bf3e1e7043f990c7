//! Configurations with one fault each.

use std::time::Duration;

use harness::faults::{Fault, Server, TLS, fault, make_tls};
use harness::process::wait_until;

use crate::{PLAIN, configure, expect_gone, machine, master, page, web, write};

/// Lines in `http`; behind `main: ` those outside of it; `TLS cert key more` stands for a server
/// with them.
const FAULTS: [Fault; 12] = [
    fault(
        "certificate missing",
        "TLS none.pem key.pem",
        5,
        5,
        &["cannot load certificate", "none.pem"],
    ),
    fault(
        "key missing",
        "TLS cert.pem none.pem",
        5,
        5,
        &["cannot load certificate key", "none.pem"],
    ),
    fault("CA missing", "TLS cert.pem key.pem ssl_trusted_certificate", 5, 5, &["none.pem"]),
    fault("key of another certificate", "TLS cert.pem other.pem", 5, 5, &["key values mismatch"]),
    fault(
        "encrypted key",
        "TLS cert.pem secret.pem",
        5,
        5,
        &["cannot load certificate key", "secret.pem"],
    ),
    fault(
        "port taken",
        "server { listen 127.0.0.1:8099; }",
        1,
        0,
        &["127.0.0.1:8099", "Address already in use"],
    ),
    fault("address absent", "server { listen 192.0.2.1:8088; }", 1, 0, &["192.0.2.1:8088"]),
    fault("module missing", "main: load_module /none.so;", 5, 5, &["/none.so"]),
    fault("user missing", "main: user nosuchuser;", 5, 5, &["nosuchuser"]),
    fault("log directory missing", "access_log /none/x.log;", 5, 5, &["/none/x.log"]),
    fault("include missing", "include /etc/nginx/none.inc;", 5, 5, &["none.inc"]),
    // The same as with haproxy: a name server that is away comes back.
    fault(
        "unresolvable name",
        "upstream app { server nosuch.invalid; }",
        1,
        1,
        &["nosuch.invalid", "a.conf:"],
    ),
];

fn lines(text: &str) -> String {
    let Some(rest) = text.strip_prefix("TLS ") else { return text.to_owned() };
    let words: Vec<&str> = rest.split(' ').collect();
    let more =
        words.get(2).map_or_else(String::new, |directive| format!("{directive} {TLS}/none.pem;"));
    format!(
        "server {{ listen 127.0.0.1:8443 ssl; ssl_certificate {TLS}/{}; ssl_certificate_key \
         {TLS}/{}; {more} }}",
        words[0], words[1]
    )
}

#[test]
fn ng_f2_a_faulty_configuration_is_named_and_costs_no_service() {
    let Some(host) = machine() else { return };
    make_tls(&host);
    let _other = host.spawn("python3", &["-m", "http.server", "8099", "--bind", "127.0.0.1"]);
    let listens = || host.run("ss", &["-Htln"]).stdout.contains(":8099").then_some(());
    assert!(wait_until(Duration::from_secs(10), listens).is_some());
    let path = configure(&host, "a", PLAIN);
    let server = Server {
        agent: web(&host, &path),
        configure: &|more| {
            let (outside, inside) =
                more.strip_prefix("main: ").map_or(("", more), |outside| (outside, ""));
            configure(&host, "a", &format!("{PLAIN}\n{}", lines(inside)));
            if !outside.is_empty() {
                let text = host.sh(&format!("cat {path}"));
                let rest =
                    if outside.starts_with("user") { text.replace("user root;", "") } else { text };
                write(&host, &path, &format!("{outside}\n{rest}"));
            }
        },
        serves: &|| page(&host, &["http://127.0.0.1:8081/"]).contains("alive"),
        master: &|| master(&host, "a"),
        expect_gone: &|| expect_gone(&host),
    };
    server.expect_faults(&FAULTS);
}
