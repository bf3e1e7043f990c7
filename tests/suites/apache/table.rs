//! Configurations with one fault each: what a start, a reload, a validation and a monitor say, and what serves.

use crate::site::{ROOT, Site};

/// One fault.
struct Fault {
    name: &'static str,
    /// The lines of the configuration.
    lines: &'static str,
    /// The code of a start.
    start: i32,
    /// The code of validate-all at level 10: another program's port or an absent address may be right when it is needed.
    validate: i32,
    /// What the reasons must say.
    says: &'static [&'static str],
}

const TLS: &str = "Listen 127.0.0.1:8443\n<VirtualHost 127.0.0.1:8443>\nSSLEngine on\nSSLCertificateFile CERT\n\
                   SSLCertificateKeyFile KEY\nMORE\n</VirtualHost>";

const fn fault(
    name: &'static str,
    lines: &'static str,
    start: i32,
    validate: i32,
    says: &'static [&'static str],
) -> Fault {
    Fault { name, lines, start, validate, says }
}

/// `TLS cert key more` stands for a virtual host with them.
const FAULTS: [Fault; 13] = [
    fault("certificate missing", "TLS none.pem key.pem", 5, 5, &["SSLCertificateFile", "none.pem"]),
    fault("key missing", "TLS cert.pem none.pem", 5, 5, &["SSLCertificateKeyFile", "none.pem"]),
    fault("chain missing", "TLS cert.pem key.pem SSLCertificateChainFile", 5, 5, &["ChainFile", "none.pem"]),
    fault("CA missing", "TLS cert.pem key.pem SSLCACertificateFile", 5, 5, &["SSLCACertificateFile", "none.pem"]),
    fault("key of another certificate", "TLS cert.pem other.pem", 5, 5, &["AH02565", "do not match"]),
    fault("encrypted key", "TLS cert.pem secret.pem", 5, 5, &["AH02564", "encrypted"]),
    fault("port taken", "Listen 127.0.0.1:8099", 1, 0, &["127.0.0.1:8099", "ddress already in use"]),
    fault("address absent", "Listen 192.0.2.1:8088", 1, 0, &["192.0.2.1:8088"]),
    fault("module missing", "LoadModule none_module /none.so", 5, 5, &["cannot open shared object"]),
    fault("user missing", "User nosuchuser", 5, 5, &["nosuchuser"]),
    fault("log directory missing", "CustomLog /none/x.log %h", 5, 5, &["/none/"]),
    fault("include missing", "Include /run/web/none.conf", 5, 5, &["none.conf"]),
    fault("unresolvable name", "Listen nosuch.invalid:8087", 1, 1, &["nosuch.invalid"]),
];

impl Fault {
    fn configuration(&self) -> String {
        let modules = "LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so\n\
                       LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\nListen 127.0.0.1:8081\n";
        let path = |name: &str| format!("{ROOT}/{name}");
        let lines = match self.lines.strip_prefix("TLS ").map(|rest| rest.split(' ').collect::<Vec<_>>()) {
            Some(words) => {
                let more =
                    words.get(2).map_or_else(String::new, |directive| format!("{directive} {}", path("none.pem")));
                TLS.replace("CERT", &path(words[0])).replace("KEY", &path(words[1])).replace("MORE", &more)
            }
            None => self.lines.to_owned(),
        };
        format!("{modules}{lines}")
    }
}

/// A reload ended the healthy server: the check skips certificates and keys, and no check binds an address.
#[test]
fn ap_f1_a_faulty_configuration_is_named_and_costs_no_service() {
    let Some(site) = Site::new() else { return };
    site.host.sh(&format!(
        "cd {ROOT}; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web -keyout key.pem -out cert.pem 2>/dev/null; \
         openssl genrsa -out other.pem 2048 2>/dev/null; openssl rsa -aes128 -passout pass:secret -in key.pem -out secret.pem 2>/dev/null"
    ));
    let _other = site.host.spawn("python3", &["-m", "http.server", "8099", "--bind", "127.0.0.1"]);
    let listens = || site.connect("127.0.0.1:8099");
    assert!(harness::process::wait_until(std::time::Duration::from_secs(10), listens).is_some());
    let good = || site.config("a.conf", "Listen 127.0.0.1:8081");
    let agent = site.agent("a.conf");
    for fault in &FAULTS {
        println!("{}", fault.name);
        site.config("a.conf", &fault.configuration());
        agent.start().expect_code(fault.start).expect_reason(fault.says);
        site.expect_nothing("a.conf");
        agent.monitor().expect_code(7);
        let validated = agent.validate_here();
        validated.expect_code(fault.validate);
        if fault.validate != 0 {
            validated.expect_reason(fault.says);
        }
    }
    good();
    agent.start().expect_code(0);
    let master = site.master("a.conf");
    for (number, fault) in FAULTS.iter().enumerate() {
        println!("{} and a server that runs", fault.name);
        site.config("a.conf", &fault.configuration());
        agent.validate_here().expect_code(fault.validate);
        let agent = agent.clone().param("config_serial", &number.to_string());
        agent.action("reload").expect_code(1).expect_reason(&["configuration refused", "old configuration"]);
        agent.action("reload-agent").expect_code(0).expect_stderr(&["190"]).expect_stderr(fault.says);
        agent.monitor().expect_code(190).expect_reason(&["configuration refused"]);
        assert!(site.get("127.0.0.1:8081", "/").is_some_and(|page| page.contains("alive")), "{}", fault.name);
        assert_eq!(site.master("a.conf"), master, "{}", fault.name);
    }
    good();
    agent.clone().param("config_serial", "12").monitor().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// /run is empty after a boot.
#[test]
fn directories_that_a_configuration_needs_are_made_by_a_start() {
    let Some(site) = Site::new() else { return };
    let lines = "PidFile /run/deep/er/a.pid\nDefaultRuntimeDir /run/deep/runtime\nMutex file:/run/deep/locks default\n\
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
