//! What apache starts besides its workers: programs that logs are piped to, the daemon for CGI
//! scripts, and the scripts.

use std::time::Duration;

use harness::process::wait_until;

use crate::site::{ROOT, Site};

/// Programs of the server that neither hear the end of their input nor that of their parent.
fn helpers(site: &Site) -> Vec<String> {
    let found = site.host.run("pgrep", &["-x", "sleep", "-a"]).stdout;
    found.lines().filter(|line| !line.contains("<defunct>")).map(str::to_owned).collect()
}

/// A site with a log that is piped to a program, and a CGI script that does not end.
fn with_children() -> Option<Site> {
    let site = Site::new()?;
    site.write("log", "#!/bin/sh\nexec /bin/sleep 611");
    site.write("cgi/never", "#!/bin/sh\nexec /bin/sleep 612");
    site.host.sh(&format!("chmod 755 {ROOT} {ROOT}/cgi {ROOT}/log {ROOT}/cgi/never"));
    let module = "/usr/lib/apache2/modules/mod_cgid.so";
    site.config(
        "a.conf",
        &format!(
            "Listen 127.0.0.1:8081\nLoadModule cgid_module {module}\nScriptSock {ROOT}/cgi.sock\n\
             CustomLog \"|{ROOT}/log\" %h\nScriptAlias /cgi/ {ROOT}/cgi/"
        ),
    );
    Some(site)
}

#[test]
fn a_stop_leaves_no_program_of_a_log_and_no_cgi_script() {
    let Some(site) = with_children() else { return };
    let agent = site.agent("a.conf");
    let mut bystander = site.host.spawn("sleep", &["613"]);
    for is_crashed in [false, true] {
        agent.start().expect_code(0);
        let _client = site.host.spawn("curl", &["-s", "http://127.0.0.1:8081/cgi/never"]);
        let all = || (helpers(&site).len() >= 3).then_some(());
        assert!(wait_until(Duration::from_secs(10), all).is_some(), "{:?}", helpers(&site));
        agent.monitor().expect_code(0).expect_silent();
        if is_crashed {
            site.kill_master("a.conf");
            agent.monitor().expect_code(1).expect_reason(&["has died"]);
        }
        agent.stop().expect_code(0);
        site.expect_nothing("a.conf");
        assert_eq!(helpers(&site).len(), 1, "{:?}", helpers(&site));
        agent.monitor().expect_code(7);
    }
    // Only they are left: the workers have ended, too.
    agent.start().expect_code(0);
    site.host.crash(&site.master("a.conf").to_string());
    site.host.sh("pkill -KILL -x apache2; while pgrep -x apache2 >/dev/null; do sleep 0.01; done");
    agent.monitor().expect_code(1).expect_reason(&["has died", "left"]);
    agent.start().expect_code(0);
    // That of the new one, whose shell may be on its way yet, and the bystander.
    let both = || (helpers(&site).len() == 2).then_some(());
    assert!(wait_until(Duration::from_secs(10), both).is_some(), "{:?}", helpers(&site));
    agent.stop().expect_code(0);
    assert_eq!(helpers(&site).len(), 1);
    assert!(bystander.is_alive());
}
