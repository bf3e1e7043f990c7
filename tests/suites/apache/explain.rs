//! `--explain`: what start and monitor go by.

use crate::site::{ROOT, Site};

#[test]
fn an_explanation_says_what_was_found_and_what_a_start_would_do() {
    let Some(site) = Site::new() else { return };
    site.config(
        "a.conf",
        "Listen 127.0.0.1:8081\n<Location /state>\nSetHandler server-status\n</Location>",
    );
    let agent = site.agent("a.conf");
    let config = format!("configuration: {ROOT}/a.conf (configfile)");
    let expected = [
        "program: /usr/sbin/apache2 (the usual place; httpd is not there)",
        config.as_str(),
        "listens on: http://127.0.0.1:8081",
        "level 0 requests: http://127.0.0.1:8081/state (the page of mod_status)",
    ];
    let stopped = agent.explain();
    stopped.expect_code(0).expect_lines(&expected).expect_lines(&[
        "record: none",
        &format!("pid file: {ROOT}/a.conf.pid (there is none, or it is empty)"),
        "process: none",
        "monitor: not running",
        "configuration check: good",
        &format!("start: /usr/sbin/apache2 -DSTATUS -f {ROOT}/a.conf"),
    ]);
    assert!(stopped.stdout.contains("version: Server version: Apache/"), "{stopped}");
    assert!(site.connect("127.0.0.1:8081").is_none());
    agent.start().expect_code(0);
    let number = site.host.sh(&format!("cat {ROOT}/a.conf.pid"));
    agent.explain().expect_code(0).expect_lines(&expected).expect_lines(&[
        &format!("record: the server of {ROOT}/a.conf (a monitor goes by it)"),
        &format!("pid file: {ROOT}/a.conf.pid (says {})", number.trim()),
        "monitor: running",
        "start: does nothing as long as the server answers (it runs)",
    ]);
    agent.stop().expect_code(0);
    site.config("a.conf", "Bogus 1");
    agent
        .explain()
        .expect_code(5)
        .expect_reason(&["Bogus"])
        .expect_lines(&["monitor: not running"]);
    let absent = agent.param("configfile", "/run/none.conf").explain();
    absent.expect_code(5).expect_reason(&["/run/none.conf"]);
    absent.expect_lines(&["configuration: /run/none.conf (not there)"]);
}
