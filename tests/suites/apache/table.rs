//! Configurations with one fault each, and directories that a start makes.

use harness::faults::{Fault, Server, TLS, fault, make_tls};

use crate::site::Site;

/// `TLS cert key more` stands for a virtual host with them.
const FAULTS: [Fault; 13] = [
    fault("certificate missing", "TLS none.pem key.pem", 5, 5, &["SSLCertificateFile", "none.pem"]),
    fault("key missing", "TLS cert.pem none.pem", 5, 5, &["SSLCertificateKeyFile", "none.pem"]),
    fault(
        "chain missing",
        "TLS cert.pem key.pem SSLCertificateChainFile",
        5,
        5,
        &["ChainFile", "none.pem"],
    ),
    fault(
        "CA missing",
        "TLS cert.pem key.pem SSLCACertificateFile",
        5,
        5,
        &["SSLCACertificateFile", "none.pem"],
    ),
    fault(
        "key of another certificate",
        "TLS cert.pem other.pem",
        5,
        5,
        &["AH02565", "do not match"],
    ),
    fault("encrypted key", "TLS cert.pem secret.pem", 5, 5, &["AH02564", "encrypted"]),
    fault(
        "port taken",
        "Listen 127.0.0.1:8099",
        1,
        0,
        &["127.0.0.1:8099", "ddress already in use"],
    ),
    fault("address absent", "Listen 192.0.2.1:8088", 1, 0, &["192.0.2.1:8088"]),
    fault(
        "module missing",
        "LoadModule none_module /none.so",
        5,
        5,
        &["cannot open shared object"],
    ),
    fault("user missing", "User nosuchuser", 5, 5, &["nosuchuser"]),
    fault("log directory missing", "CustomLog /none/x.log %h", 5, 5, &["/none/"]),
    fault("include missing", "Include /run/web/none.conf", 5, 5, &["none.conf"]),
    fault("unresolvable name", "Listen nosuch.invalid:8087", 1, 1, &["nosuch.invalid"]),
];

const TLS_HOST: &str = "LoadModule socache_shmcb_module \
                        /usr/lib/apache2/modules/mod_socache_shmcb.so\n\
                        LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\n\
                        Listen 127.0.0.1:8443\n\
                        <VirtualHost 127.0.0.1:8443>\nSSLEngine on\nSSLCertificateFile CERT\n\
                        SSLCertificateKeyFile KEY\nMORE\n\
                        </VirtualHost>";

fn lines(text: &str) -> String {
    let Some(rest) = text.strip_prefix("TLS ") else { return text.to_owned() };
    let words: Vec<&str> = rest.split(' ').collect();
    let path = |name: &str| format!("{TLS}/{name}");
    let more = words
        .get(2)
        .map_or_else(String::new, |directive| format!("{directive} {}", path("none.pem")));
    TLS_HOST.replace("CERT", &path(words[0])).replace("KEY", &path(words[1])).replace("MORE", &more)
}

/// A reload ended the healthy server: the check skips certificates and keys, and no check binds an
/// address.
#[test]
fn ap_f1_a_faulty_configuration_is_named_and_costs_no_service() {
    let Some(site) = Site::new() else { return };
    make_tls(&site.host);
    let _other = site.host.spawn("python3", &["-m", "http.server", "8099", "--bind", "127.0.0.1"]);
    let listens = || site.connect("127.0.0.1:8099");
    assert!(harness::process::wait_until(std::time::Duration::from_secs(10), listens).is_some());
    let server = Server {
        agent: site.agent("a.conf"),
        configure: &|more| {
            site.config("a.conf", &format!("Listen 127.0.0.1:8081\n{}", lines(more)))
        },
        serves: &|| site.get("127.0.0.1:8081", "/").is_some_and(|page| page.contains("alive")),
        master: &|| site.master("a.conf").to_string(),
        expect_gone: &|| site.expect_nothing("a.conf"),
    };
    server.expect_faults(&FAULTS);
}

/// /run is empty after a boot.
#[test]
fn directories_that_a_configuration_needs_are_made_by_a_start() {
    let Some(site) = Site::new() else { return };
    let lines = "PidFile /run/deep/er/a.pid\nDefaultRuntimeDir /run/deep/runtime\n\
                 Mutex file:/run/deep/locks default\n\
                 Listen 127.0.0.1:8081";
    site.bare("a.conf", lines);
    let agent = site.agent("a.conf");
    agent.validate_here().expect_code(0);
    agent.start().expect_code(0);
    agent.clone().param("config_serial", "2").action("reload-agent").expect_code(0).expect_silent();
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}
