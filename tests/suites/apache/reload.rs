//! A configuration that is read again by a server that runs on.

use std::time::Duration;

use crate::site::{ROOT, Site};

#[test]
fn a_changed_serial_loads_the_configuration_and_keeps_the_master() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().param("config_serial", "1");
    agent.start().expect_code(0);
    let master = site.master("a.conf");
    site.config(
        "a.conf",
        "Listen 127.0.0.1:8081\nListen 127.0.0.1:8082\nAlias /new /run/web/htdocs",
    );
    agent.action("reload-agent").expect_code(0);
    assert!(site.connect("127.0.0.1:8082").is_none(), "the same serial is no news");
    let changed = agent.clone().param("config_serial", "2");
    changed.action("reload-agent").expect_code(0).expect_within(Duration::from_secs(5));
    assert!(site.get("127.0.0.1:8082", "/").unwrap().contains("alive"));
    assert_eq!(site.master("a.conf"), master);
    changed.monitor().expect_code(0);
    changed.action("reload").expect_code(0);
    assert_eq!(site.master("a.conf"), master);
    changed.stop().expect_code(0);
    changed.action("reload").expect_code(1).expect_reason(&["does not run"]);
}

/// Loaded into a server, it delays the end of a process with the number 1.
const LINGER: &str = "#include <unistd.h>\n__attribute__((destructor)) static void linger(void) { \
                      if (getpid() == 1) sleep(1); }\n";

/// The trial of a new configuration went on behind its detaching for as long as its first process
/// took to end: it wrote its number over that of the server, and took its socket for CGI scripts.
#[test]
fn ap_f1_the_trial_of_a_configuration_touches_nothing_of_the_server_that_runs() {
    let Some(site) = Site::new() else { return };
    site.write("linger.c", LINGER);
    site.host.sh(&format!("cd {ROOT}; TMPDIR=. cc -shared -fPIC -o linger.so linger.c"));
    site.write("variables", &format!("export LD_PRELOAD={ROOT}/linger.so"));
    site.host.sh(&format!("chmod 644 {ROOT}/variables; chmod 755 {ROOT}"));
    site.config(
        "a.conf",
        &format!(
            "Listen 127.0.0.1:8081\nLoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so\n\
             ScriptSock {ROOT}/cgi.sock"
        ),
    );
    let agent = site.agent("a.conf").param("envfiles", &format!("{ROOT}/variables"));
    agent.start().expect_code(0);
    let state = || site.host.sh(&format!("cat {ROOT}/a.conf.pid; stat -c %i {ROOT}/cgi.sock*"));
    let before = state();
    for _ in 0..3 {
        let checked = agent.validate_here();
        checked.expect_code(0);
        assert!(checked.elapsed > Duration::from_secs(1), "the trial was delayed: {checked}");
        assert_eq!(state(), before);
    }
    agent.monitor().expect_code(0).expect_silent();
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// In most containers root may make no namespace (CAP_SYS_ADMIN): the trial is left out, and what
/// the server's own check finds is still refused.
#[test]
fn without_namespaces_the_trial_is_left_out() {
    let Some(site) = Site::new() else { return };
    let log = format!("{ROOT}/agent.log");
    let agent = site.usual().without_capability(21);
    let agent = agent.env("HA_debug", "1").env("HA_DEBUGLOG", &log);
    let left_out = || site.host.sh(&format!("grep -c 'was not tried out' {log}; : >{log}"));
    agent.start().expect_code(0);
    agent.validate_here().expect_code(0);
    assert_eq!(left_out(), "1\n");
    let master = site.master("a.conf");
    site.config("a.conf", "Listen 127.0.0.1:8081\nListen 127.0.0.1:8082");
    let changed = agent.clone().param("config_serial", "2");
    changed.action("reload-agent").expect_code(0);
    assert_eq!(left_out(), "1\n");
    assert!(site.get("127.0.0.1:8082", "/").unwrap().contains("alive"));
    site.config("a.conf", "Listen 127.0.0.1:8081\nBogusDirective");
    let changed = agent.clone().param("config_serial", "3");
    changed.action("reload-agent").expect_code(0).expect_stderr(&["BogusDirective", "190"]);
    assert_eq!(site.master("a.conf"), master);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn al_1_a_faulty_configuration_is_reported_until_it_is_mended() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    let before = site.of("a.conf");
    site.config("a.conf", "Listen 127.0.0.1:8081\nBogusDirective");
    let changed = agent.clone().param("config_serial", "2");
    changed.action("reload").expect_code(1).expect_reason(&["BogusDirective", "old configuration"]);
    changed.action("reload-agent").expect_code(0).expect_stderr(&["BogusDirective", "190"]);
    for _ in 0..2 {
        changed.monitor().expect_code(190).expect_reason(&["BogusDirective", "old configuration"]);
    }
    assert_eq!(site.of("a.conf"), before);
    site.config("a.conf", "Listen 127.0.0.1:8081\nListen 127.0.0.1:8086");
    changed.monitor().expect_code(0).expect_silent();
    assert!(site.connect("127.0.0.1:8086").is_some(), "the mended configuration is loaded");
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn a_reload_by_hand_is_noticed() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    site.config("a.conf", "Listen 127.0.0.1:8085");
    let master = site.master("a.conf");
    site.host.sh(&format!("kill -USR1 {master}; test -e {ROOT}/a.conf"));
    let there =
        harness::process::wait_until(Duration::from_secs(5), || site.connect("127.0.0.1:8085"));
    assert!(there.is_some());
    agent.monitor().expect_code(0);
    agent.monitor().expect_code(0);
}

/// Each of these passed all checks, and the graceful restart ended the server.
#[test]
fn what_needs_a_restart_is_refused_and_the_server_runs_on() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    let _other = site.host.in_network(|| std::net::TcpListener::bind("127.0.0.2:8081")).unwrap();
    let changes = [
        ("Listen 127.0.0.1:8081", "Listen 8081", "needs a restart"),
        ("Listen 127.0.0.1:8081", "Listen 0.0.0.0:8081", "needs a restart"),
        (
            "Listen 127.0.0.1:8081",
            "Listen 127.0.0.1:8081\nListen 127.0.0.2:8081",
            "127.0.0.2:8081: another program",
        ),
        ("Listen 8082", "Listen 127.0.0.1:8082", "needs a restart"),
        ("Listen 8082", "Listen 8082\nListen 8083", ""),
    ];
    for (before, after, why) in changes {
        site.config("a.conf", before);
        agent.start().expect_code(0);
        let master = site.master("a.conf");
        site.config("a.conf", after);
        let changed = agent.clone().param("config_serial", "2");
        let done = changed.action("reload-agent");
        done.expect_code(0).expect_stderr(Some(why).filter(|why| !why.is_empty()).as_slice());
        let code = if why.is_empty() { 0 } else { 190 };
        changed.monitor().expect_code(code);
        assert_eq!(site.master("a.conf"), master, "{before} to {after}");
        agent.stop().expect_code(0);
        site.expect_nothing("a.conf");
    }
}

/// The syntax check and the trial pass, for each begins a server of its own.
#[test]
fn another_mpm_needs_a_restart() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    let master = site.master("a.conf");
    let prefork = "s/mpm_event/mpm_prefork/g; s/MinSpareThreads/MinSpareServers/";
    site.host.sh(&format!("sed -i '{prefork}' {ROOT}/a.conf"));
    agent.action("reload").expect_code(1).expect_reason(&["mpm_prefork", "needs a restart"]);
    agent.monitor().expect_code(0);
    assert_eq!(site.master("a.conf"), master);
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    agent.action("reload").expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}
