//! What a monitor asks, and how it judges the answer.

use std::time::Duration;

use crate::site::{ROOT, Site};

/// Error pages have `</html>` too.
#[test]
fn ap_11_the_status_code_decides_first() {
    let Some(site) = Site::new() else { return };
    site.config("a.conf", "Listen 127.0.0.1:8081\nRedirect 500 /broken");
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    agent.clone().param("statusurl", "/nothere").monitor().expect_code(1).expect_reason(&["404"]);
    agent
        .clone()
        .param("statusurl", "http://127.0.0.1:8081/broken")
        .monitor()
        .expect_code(1)
        .expect_reason(&["500"]);
    agent.clone().param("statusurl", "/").monitor().expect_code(0);
    agent
        .clone()
        .param("statusurl", "/")
        .param("testregex", "HOME OF (alive|dead)")
        .monitor()
        .expect_code(0);
    agent
        .clone()
        .param("statusurl", "/")
        .param("testregex", "dead")
        .monitor()
        .expect_code(1)
        .expect_reason(&["dead"]);
    agent
        .clone()
        .param("statusurl", "/nothere")
        .param("expect_status", "404")
        .monitor()
        .expect_code(0);
    agent.clone().param("max_latency", "1min").monitor().expect_code(0);
}

#[test]
fn ap_12_no_proxy_is_used() {
    let Some(site) = Site::new() else { return };
    let agent = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .fold(site.usual(), |agent, name| agent.env(name, "http://127.0.0.1:9"));
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
}

#[test]
fn ap_13_no_client_needs_to_be_installed() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().env("PATH", "/nowhere").param("client", "curl");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0).expect_silent();
    agent.stop().expect_code(0);
}

/// RA#1556, RA#275.
#[test]
fn ap_14_https_is_asked_and_a_redirect_is_explained() {
    let Some(site) = Site::new() else { return };
    site.host.sh(&format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web -keyout {ROOT}/key.pem \
         -out {ROOT}/cert.pem 2>/dev/null"
    ));
    site.config(
        "a.conf",
        &format!(
            "LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so\n\
             LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\nListen 127.0.0.1:8081\n\
             Listen 127.0.0.1:8443\n\
             Redirect 301 /old https://127.0.0.1:8443/\n<VirtualHost 127.0.0.1:8443>\n\
             SSLEngine on\n\
             SSLCertificateFile {ROOT}/cert.pem\nSSLCertificateKeyFile {ROOT}/key.pem\n\
             </VirtualHost>"
        ),
    );
    let agent = site.agent("a.conf").param("statusurl", "https://127.0.0.1:8443/");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.clone().param("statusurl", "/").param("port", "8443").monitor().expect_code(0);
    agent.clone().param("verify", "true").monitor().expect_code(1).expect_reason(&["certificate"]);
    agent
        .clone()
        .param("statusurl", "/old")
        .monitor()
        .expect_code(1)
        .expect_reason(&["301 to https"]);
}

/// RA#300.
#[test]
fn ap_15_any_answer_below_500_is_life() {
    let Some(site) = Site::new() else { return };
    site.config("a.conf", "Listen 127.0.0.1:8081\n<Location />\nRequire all denied\n</Location>");
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    assert!(site.get("127.0.0.1:8081", "/").unwrap().contains(" 403 "));
    agent.monitor().expect_code(0);
    agent.clone().param("expect_status", "200").monitor().expect_code(1).expect_reason(&["403"]);
}

/// The application behind the server is down: start and monitor were 1, and the other sites of the
/// server went with it.
#[test]
fn ap_f2_a_server_that_answers_with_errors_lives_and_is_shown_as_degraded() {
    let Some(site) = Site::new() else { return };
    let modules: String = ["proxy", "proxy_http"]
        .map(|module| {
            format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
        })
        .concat();
    for body in [format!("{modules}ProxyPass / http://127.0.0.1:9/"), "Redirect 503 /".into()] {
        site.config("a.conf", &format!("Listen 127.0.0.1:8081\n{body}"));
        let agent = site.agent("a.conf");
        agent.start().expect_code(0);
        agent.start().expect_code(0);
        agent.monitor().expect_code(190).expect_reason(&["503", "error log"]);
        agent.clone().env("OCF_CHECK_LEVEL", "10").monitor().expect_code(190);
        agent.clone().param("config_serial", "2").action("reload-agent").expect_code(0);
        // Who wants more says so.
        agent
            .clone()
            .param("expect_status", "2xx")
            .monitor()
            .expect_code(1)
            .expect_reason(&["503"]);
        agent.stop().expect_code(0);
        agent.clone().param("expect_status", "2xx").start().expect_code(1).expect_reason(&["503"]);
        site.expect_nothing("a.conf");
    }
}

#[test]
fn ap_16_a_server_on_ipv6_alone_is_found() {
    let Some(site) = Site::new() else { return };
    site.config("a.conf", "Listen [::1]:8082");
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    site.config("a.conf", "Listen 8083");
    agent.clone().param("use_ipv6", "true").start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.clone().param("port", "8083").monitor().expect_code(0);
}

#[test]
fn a_server_on_a_link_local_address_is_asked_on_its_link() {
    let Some(site) = Site::new() else { return };
    site.host.ip("link add link0 type veth peer name link1");
    site.host.sh(
        "ip link set link1 up; ip link set link0 up; ip -6 address add fe80::8/64 dev link0 nodad",
    );
    site.config("a.conf", "Listen [fe80::8%link0]:8081");
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    let deep = agent
        .clone()
        .param("testurl", "/")
        .param("testregex10", "alive")
        .env("OCF_CHECK_LEVEL", "10");
    deep.monitor().expect_code(0);
    deep.clone().param("testurl", "http://[fe80::8%25link0]:8081/").monitor().expect_code(0);
    let elsewhere = deep.param("testurl", "http://[fe80::8%link2]:8081/");
    elsewhere.monitor().expect_code(1).expect_reason(&["[fe80::8%link2]", "No such device"]);
}

/// `crm_resource --force-check` looks like a probe (RA#1556).
#[test]
fn ap_18_a_probe_says_what_is_wrong() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    agent
        .clone()
        .param("statusurl", "/nothere")
        .probe()
        .expect_code(1)
        .expect_reason(&["/nothere", "404"]);
}

#[test]
fn the_status_page_is_found_in_the_configuration() {
    let Some(site) = Site::new() else { return };
    site.config(
        "a.conf",
        "Listen 127.0.0.1:8081\n<Location \"/my-status\">\nSetHandler server-status\n\
         Require local\n</Location>",
    );
    let agent = site.agent("a.conf").param("testregex", "Apache Server Status");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
}

#[test]
fn level_10_asks_for_the_test_page() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual().env("OCF_CHECK_LEVEL", "10");
    agent.start().expect_code(0);
    site.host.sh(&format!("echo 'This application is alive' >{ROOT}/htdocs/app"));
    agent.monitor().expect_code(0);
    let app = agent.clone().param("testurl", "/app");
    app.monitor().expect_code(0);
    app.clone().param("testregex10", "is ALIVE").monitor().expect_code(0);
    app.clone()
        .param("testregex10", "is dead")
        .monitor()
        .expect_code(1)
        .expect_reason(&["is dead"]);
    app.clone()
        .param("testregex10", "is dead")
        .env("OCF_CHECK_LEVEL", "0")
        .monitor()
        .expect_code(0);
    agent
        .clone()
        .param("testurl", "http://127.0.0.1:8081/none")
        .monitor()
        .expect_code(1)
        .expect_reason(&["404"]);
}

#[test]
fn level_10_reads_a_file_of_tests() {
    let Some(site) = Site::new() else { return };
    site.host.sh(&format!("echo 'This application is alive' >{ROOT}/htdocs/app"));
    site.write(
        "tests",
        "# two\ntest good\nurl /app\nmatch is alive\nend\n\ntest bad\nurl /app\nmatch is dead\n\
         client curl\nend",
    );
    let agent =
        site.usual().env("OCF_CHECK_LEVEL", "10").param("testconffile", &format!("{ROOT}/tests"));
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.clone().param("testname", "bad").monitor().expect_code(1).expect_reason(&["is dead"]);
    agent
        .clone()
        .param("testname", "none")
        .monitor()
        .expect_code(1)
        .expect_reason(&["no test none"]);
    agent
        .clone()
        .param("testconffile", "/nowhere")
        .instance("new")
        .param("configfile", "/x")
        .start()
        .expect_code(5);
}

#[test]
fn a_late_answer_degrades() {
    let Some(site) = Site::new() else { return };
    let agent = site.usual();
    agent.start().expect_code(0);
    // The master first, which may be making workers.
    site.host.sh(&format!("kill -STOP {}; kill -STOP $(pgrep -x apache2)", site.master("a.conf")));
    let pids = site.host.sh("pgrep -x apache2").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut waker = site
        .host
        .command("/bin/sh")
        .args(["-c", &format!("sleep 2; kill -CONT {pids}")])
        .spawn()
        .unwrap();
    let late = agent.clone().param("max_latency", "100").monitor();
    late.expect_code(190).expect_reason(&["max_latency"]).expect_within(Duration::from_secs(8));
    waker.wait().unwrap();
}

/// Two files that include each other's directory: start, monitor and stop ran until they were
/// killed.
#[test]
fn wt_1_files_that_include_each_other_are_read_to_an_end() {
    let Some(site) = Site::new() else { return };
    let seconds = Duration::from_secs;
    let agent = site.usual();
    agent.start().expect_code(0);
    site.host.sh(&format!(
        "mkdir {ROOT}/loop.d; echo 'Include {ROOT}/loop.d/*.conf' | tee {ROOT}/loop.d/a.conf > \
         {ROOT}/loop.d/b.conf"
    ));
    site.config("a.conf", &format!("Listen 127.0.0.1:8081\nInclude {ROOT}/loop.d/*.conf"));
    agent.monitor().expect_code(0).expect_within(seconds(8));
    agent.stop().expect_code(0).expect_within(seconds(8));
    site.expect_nothing("a.conf");
    agent.probe().expect_code(7).expect_within(seconds(8));
    agent.start().expect_code(5).expect_reason(&["a.conf"]).expect_within(seconds(15));
    agent.stop().expect_code(0).expect_within(seconds(8));
}

/// A passing shortage barred the node: a `-t` that is slow, or is killed, says nothing about the
/// configuration.
#[test]
fn an_2_a_check_that_does_not_end_is_no_lack_of_this_machine() {
    let Some(site) = Site::new() else { return };
    for (name, line, words) in
        [("slow", "exec sleep 60", "did not end in time"), ("killed", "kill -9 $$", "signal 9")]
    {
        let program = format!("{ROOT}/{name}");
        site.host.sh(&format!("printf '#!/bin/sh\\n{line}\\n' > {program}; chmod 755 {program}"));
        let agent = site.usual().param("httpd", &program).timeout(Duration::from_secs(3));
        agent
            .start()
            .expect_code(1)
            .expect_reason(&[&program, words])
            .expect_within(Duration::from_secs(3));
    }
    let absent = site.usual().param("httpd", &format!("{ROOT}/absent"));
    absent.start().expect_code(5);
}

/// A probe with a faulty parameter said "not running" while the server ran.
#[test]
fn an_1_a_probe_with_a_faulty_parameter_looks_for_the_server() {
    let Some(site) = Site::new() else { return };
    let faulty = site.usual().param("stop_grace", "soon");
    faulty.probe().expect_code(7).expect_reason(&["stop_grace"]);
    site.usual().start().expect_code(0);
    faulty.probe().expect_code(0).expect_stderr(&["stop_grace"]);
    // Without a configuration, the record decides.
    site.usual()
        .param("configfile", "no/path")
        .probe()
        .expect_code(0)
        .expect_stderr(&["configfile"]);
    faulty.stop().expect_code(0);
    site.expect_nothing("a.conf");
}

/// On a node without the cluster address the server listens all the same (`ip_nonlocal_bind`). What
/// answers at that address is another node's server.
#[test]
fn a_place_on_another_node_is_not_asked() {
    let Some(site) = Site::new() else { return };
    site.host.sysctl("net/ipv4/ip_nonlocal_bind", "1");
    site.config("a.conf", "Listen 192.0.2.10:80");
    let agent = site.agent("a.conf");
    agent.start().expect_code(0);
    agent.monitor().expect_code(0).expect_silent();
    agent.clone().param("statusurl", "/none").monitor().expect_code(0);
    site.host.sh("ip address add 192.0.2.10/32 dev lo");
    agent.monitor().expect_code(0).expect_silent();
    agent.clone().param("statusurl", "/none").monitor().expect_code(1).expect_reason(&["404"]);
    agent.stop().expect_code(0);
    site.expect_nothing("a.conf");
}
