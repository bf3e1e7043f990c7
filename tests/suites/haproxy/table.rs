//! Configurations with one fault each.

use harness::faults::{Fault, Server, TLS, fault, make_tls};

use crate::{PLAIN, answers, balancer, configure, eventually, expect_gone, machine, master};

/// Lines of a frontend; behind `global: ` those of the global section; `TLS` stands for the
/// directory of certificates.
const FAULTS: [Fault; 12] = [
    fault(
        "certificate missing",
        "bind 127.0.0.1:8443 ssl crt TLS/none.pem",
        5,
        5,
        &["none.pem", "a.cfg:"],
    ),
    fault("key missing", "bind 127.0.0.1:8443 ssl crt TLS/cert.pem", 5, 5, &["cert.pem", "a.cfg:"]),
    fault(
        "CA missing",
        "bind 127.0.0.1:8443 ssl crt TLS/both.pem ca-file TLS/none.pem",
        5,
        5,
        &["none.pem"],
    ),
    fault(
        "key of another certificate",
        "bind 127.0.0.1:8443 ssl crt TLS/mixed.pem",
        5,
        5,
        &["mixed.pem"],
    ),
    fault("encrypted key", "bind 127.0.0.1:8443 ssl crt TLS/hidden.pem", 5, 5, &["hidden.pem"]),
    fault("port taken", "bind 127.0.0.1:8099", 1, 0, &["127.0.0.1:8099", "Address already in use"]),
    fault(
        "address absent",
        "bind 192.0.2.1:8088",
        1,
        0,
        &["192.0.2.1:8088", "order haproxy after"],
    ),
    fault("module missing", "global: lua-load /none.lua", 5, 5, &["none.lua"]),
    fault("user missing", "global: user nosuchuser", 5, 5, &["nosuchuser"]),
    fault("chroot missing", "global: chroot /none", 5, 5, &["/none", "a.cfg:"]),
    fault("error file missing", "errorfile 503 /none.http", 5, 5, &["none.http"]),
    fault(
        "unresolvable name",
        "use_backend app\nbackend app\n  server s nosuch.invalid:80",
        1,
        1,
        &["nosuch.invalid"],
    ),
];

#[test]
fn a_faulty_configuration_is_named_and_costs_no_service() {
    let Some(host) = machine() else { return };
    make_tls(&host);
    let _other = host.spawn("python3", &["-m", "http.server", "8099", "--bind", "127.0.0.1"]);
    eventually("another program listens", || host.run("ss", &["-Htln"]).stdout.contains(":8099"));
    let path = configure(&host, "a", PLAIN);
    let server = Server {
        agent: balancer(&host, &path),
        configure: &|more| match more.strip_prefix("global: ") {
            Some(line) => {
                configure(&host, "a", PLAIN);
                host.sh(&format!("sed -i 's#^global#global\\n  {line}#' {path}"));
            }
            None => {
                configure(&host, "a", &format!("{PLAIN}  {}\n", more.replace("TLS", TLS)));
            }
        },
        serves: &|| answers(&host, 8081),
        master: &|| master(&host),
        expect_gone: &|| expect_gone(&host),
    };
    server.expect_faults(&FAULTS);
}
