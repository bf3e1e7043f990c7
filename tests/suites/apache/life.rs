//! Start and stop.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use crate::site::{ROOT, Site};

const SECONDS_2: Duration = Duration::from_secs(2);

#[test]
fn a_whole_life_is_quick_and_silent() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.probe().expect_code(7).expect_silent();
    agent.start().expect_code(0).expect_silent().expect_within(SECONDS_2);
    assert!(site.get("127.0.0.1:8081", "/").unwrap().contains("home of alive"));
    agent.start().expect_code(0).expect_silent();
    agent.monitor().expect_code(0).expect_silent();
    agent.action("status").expect_code(0);
    agent.stop().expect_code(0).expect_silent().expect_within(Duration::from_millis(800));
    site.expect_nothing("a.conf");
    assert!(site.connect("127.0.0.1:8081").is_none());
    agent.stop().expect_code(0).expect_silent();
    agent.monitor().expect_code(7);
}

/// The shell agent loops until it is killed (RA#753).
#[test]
fn ap_01_a_broken_configuration_is_told_at_once() {
    let Some(site) = Site::new() else { return };
    site.config("a.conf", "Listen 127.0.0.1:8081\nInclude extra.conf");
    site.write("extra.conf", "# fine\nBogusDirective on");
    let agent = site.agent("a.conf");
    let line = format!("line 2 of {ROOT}/extra.conf");
    agent.start().expect_code(5).expect_reason(&["BogusDirective", &line]).expect_within(SECONDS_2);
    agent.validate_here().expect_code(5).expect_reason(&["BogusDirective"]);
    agent.validate().expect_code(0);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

#[test]
fn ap_01_missing_directories_are_made() {
    let Some(site) = Site::new() else { return };
    site.bare(
        "a.conf",
        &format!(
            "PidFile run/deep/x.pid\nDefaultRuntimeDir {ROOT}/rt\n\
                                  Mutex file:{ROOT}/locks/web default\nListen 127.0.0.1:8081"
        ),
    );
    site.agent("a.conf").start().expect_code(0);
    site.host.sh(&format!("test -s {ROOT}/run/deep/x.pid"));
    site.agent("a.conf").stop().expect_code(0);
}

/// 6 would stop the resource on all nodes (RA#978).
#[test]
fn ap_02_a_fault_of_this_machine_is_never_6() {
    let Some(site) = Site::new() else { return };
    for fault in [
        "Include /nowhere.conf",
        "LoadModule x_module /nowhere.so",
        "User nobody-at-all",
        "Listen x",
    ] {
        site.config("a.conf", &format!("Listen 127.0.0.1:8081\n{fault}"));
        site.agent("a.conf").start().expect_code(5).expect_within(SECONDS_2);
        site.expect_nothing("a.conf");
    }
}

#[test]
fn ap_03_without_configuration_or_program_there_is_nothing_to_stop() {
    let Some(site) = Site::new() else { return };
    let gone = site.agent("gone.conf");
    gone.start().expect_code(5).expect_reason(&["gone.conf", "no such file"]);
    gone.probe().expect_code(7);
    gone.monitor().expect_code(7);
    gone.stop().expect_code(0);
    let program = site.usual().param("httpd", "/nowhere/httpd");
    program.start().expect_code(5).expect_reason(&["/nowhere/httpd"]);
    program.probe().expect_code(7);
    program.stop().expect_code(0);
}

#[test]
fn ap_03_a_server_is_stopped_after_its_configuration_is_gone() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    site.host.sh(&format!("rm {ROOT}/a.conf"));
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// Graceful stops ate the whole time-out (RA:14ccf7134, 18a10636a).
#[test]
fn ap_09_a_download_that_never_ends_does_not_keep_a_stop() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    site.host.sh(&format!("truncate -s 300M {ROOT}/htdocs/big"));
    agent.start().expect_code(0);
    let mut stream = site.connect("127.0.0.1:8081").unwrap();
    stream.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    agent
        .clone()
        .timeout(Duration::from_secs(10))
        .stop()
        .expect_code(0)
        .expect_within(Duration::from_secs(10));
    site.expect_nothing("a.conf");
    assert!(site.connect("127.0.0.1:8081").is_none());
}

/// A browser connects in advance: apache itself would wait for its first line.
#[test]
fn a_silent_client_does_not_keep_a_stop() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().timeout(Duration::from_secs(60)).param("stop_grace", "10min");
    agent.start().expect_code(0);
    let silent = site.connect("127.0.0.1:8081");
    assert!(silent.is_some());
    agent.stop().expect_code(0).expect_within(Duration::from_secs(20));
    site.expect_nothing("a.conf");
}

#[test]
fn a_request_that_ends_in_time_is_answered_in_full() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    site.host.sh(&format!("truncate -s 40M {ROOT}/htdocs/big"));
    agent.start().expect_code(0);
    let mut stream = site.connect("127.0.0.1:8081").unwrap();
    stream.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            let mut all = Vec::new();
            stream.read_to_end(&mut all).map(|_| all.len())
        });
        std::thread::sleep(Duration::from_millis(200));
        agent.stop().expect_code(0).expect_within(Duration::from_secs(8));
        assert!(reader.join().unwrap().unwrap() > 40 << 20, "the whole file");
    });
    site.expect_nothing("a.conf");
}

#[test]
fn ap_19_a_start_that_does_not_serve_leaves_nothing() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().param("statusurl", "/nothere");
    agent
        .start()
        .expect_code(1)
        .expect_reason(&["/nothere", "404"])
        .expect_within(Duration::from_secs(5));
    site.expect_nothing("a.conf");
    agent.probe().expect_code(7);
}

#[test]
fn an_address_in_use_is_named() {
    let Some(site) = Site::new() else { return };
    site.usual().start().expect_code(0);
    site.config("b.conf", "Listen 127.0.0.1:8081");
    let second = site.agent("b.conf").instance("second");
    second.start().expect_code(1).expect_reason(&["could not bind to address 127.0.0.1:8081"]);
    site.expect_nothing("b.conf");
    site.usual().monitor().expect_code(0);
}

#[test]
fn a_start_that_is_killed_anywhere_is_cleaned_up_by_a_stop() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    for delay in [5, 15, 25, 35, 45, 60, 90] {
        agent.clone().kill_after(Duration::from_millis(delay)).start();
        agent.stop().expect_code(0);
        site.expect_nothing("a.conf");
        agent.probe().expect_code(7);
    }
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
}

#[test]
fn options_and_variables_reach_the_server() {
    let Some(site) = Site::new() else { return };
    site.config("a.conf", "<IfDefine WITH>\nListen 127.0.0.1:${SITE_PORT}\n</IfDefine>");
    site.write("data.env", "BASE=80\nexport SITE_PORT=${BASE}81");
    site.write("shell.env", "export SITE_PORT=$(echo 8082)");
    for (file, address) in [("data.env", "127.0.0.1:8081"), ("shell.env", "127.0.0.1:8082")] {
        let agent = site.agent("a.conf").param("options", "-D WITH -c 'ServerAdmin a@b'");
        let agent = agent.param("envfiles", &format!("{ROOT}/{file}"));
        agent.start().expect_code(0);
        agent.monitor().expect_code(0);
        assert!(site.get(address, "/").is_some());
        agent.stop().expect_code(0);
    }
}
