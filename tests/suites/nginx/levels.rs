//! Monitors at levels 10, 20 and 30.

use std::time::Duration;

use crate::{PLAIN, at, configure, machine, web, write};

#[test]
fn level_20_reads_a_page_or_a_test_from_a_file() {
    let Some(host) = machine() else { return };
    let http = "server { listen 8081; location /name { return 200 \"site $host\\n\"; } location \
        /auth { auth_basic x; \
                auth_basic_user_file /etc/nginx/users; } location /old \
                { return 301 https://other.example/new; } }";
    let agent = web(&host, &configure(&host, "a", http));
    host.sh(
        "echo \"me:$(openssl passwd -1 secret)\" > /etc/nginx/users; mkdir /srv/www/auth; echo \
             'come IN' > /srv/www/auth/index.html",
    );
    let tests = "# tests\ntest wrong\nurl /index.html\nmatch dead\nend\n\ntest site\nurl /name\n\
                 match ^site www\\\\.a$\n\
                 client curl\nclient_opts --header 'Host: www.a'\nend\n\ntest login\nurl /auth/\n\
                 user me\npassword secret\n\
                 match come in\nend";
    write(&host, "/etc/nginx/tests", tests);
    agent.start().expect_code(0);
    let page = |url: &str, regex: &str| {
        at(&agent.clone().param("test20url", url).param("test20regex", regex), 20)
    };
    page("/index.html", "IT IS (alive|well)").expect_code(0).expect_silent();
    page("http://127.0.0.1:8081/index.html", "alive").expect_code(0);
    page("/index.html", "dead").expect_code(1).expect_reason(&["dead"]);
    page("/old", "x").expect_code(1).expect_reason(&["301 to https://other.example/new"]);
    at(&agent.clone().param("test20url", "/index.html"), 20).expect_code(0).expect_silent();
    at(&agent.clone().param("test20url", "/none"), 20).expect_code(1).expect_reason(&["404"]);
    let file = agent.clone().param("test20conffile", "/etc/nginx/tests");
    at(&file, 20).expect_code(1).expect_reason(&["dead"]);
    at(&file.clone().param("test20name", "site"), 20).expect_code(0).expect_silent();
    at(&file.clone().param("test20name", "login"), 20).expect_code(0);
    at(&agent.clone().param("test20conffile", "/no/file"), 20)
        .expect_code(1)
        .expect_reason(&["/no/file"]);
    agent.stop().expect_code(0);
}

/// pcs adds a monitor for each level; level 30 without a command was 6 and barred the resource from
/// every node.
#[test]
fn al_2_a_level_that_is_not_configured_is_the_next_lower_one() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", "server { listen 127.0.0.1:8081; }"));
    agent.start().expect_code(0);
    for level in [0, 10, 20, 30] {
        at(&agent, level).expect_code(0).expect_silent();
        agent.clone().env("OCF_CHECK_LEVEL", &level.to_string()).probe().expect_code(0);
    }
    let page = agent.clone().param("status10url", "/none");
    at(&page, 0).expect_code(0);
    for level in [10, 20, 30] {
        at(&page, level).expect_code(1).expect_reason(&["/none", "404"]);
    }
    let command = page.param("external_monitor30_cmd", "/bin/true");
    at(&command, 20).expect_code(1);
    at(&command, 30).expect_code(0);
    agent.stop().expect_code(0);
}

#[test]
fn an_encrypted_server_is_asked_like_any_other() {
    let Some(host) = machine() else { return };
    host.sh(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=a -keyout /etc/nginx/key -out \
         /etc/nginx/crt 2>&1",
    );
    let http = "ssl_certificate /etc/nginx/crt; ssl_certificate_key /etc/nginx/key;\n\
                server { listen 127.0.0.1:8443 ssl http2; location /nginx_status { stub_status; } \
                }";
    let agent = web(&host, &configure(&host, "a", http));
    crate::full_life(&host, &agent);
    agent.start().expect_code(0);
    at(&agent.clone().param("verify", "true"), 10).expect_code(1).expect_reason(&["certificate"]);
    agent.stop().expect_code(0);
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN)).env("http_proxy", "http://127.0.0.1:9");
    crate::full_life(&host, &agent);
}

#[test]
fn a_slow_page_is_degraded_and_the_port_can_be_chosen() {
    let Some(host) = machine() else { return };
    let http = "server { listen 8081; limit_rate 4000; location / { } }\n\
                server { listen 8082; location /nginx_status { stub_status; } }";
    let agent = web(&host, &configure(&host, "a", http));
    host.sh("head -c 4500 /dev/zero | tr '\\0' x > /srv/www/big");
    agent.start().expect_code(0);
    let slow = agent
        .clone()
        .param("test20url", "/big")
        .param("test20regex", "x")
        .param("max_latency", "100");
    at(&slow, 20).expect_code(190).expect_reason(&["max_latency"]);
    at(&agent, 10).expect_code(0);
    at(&agent.clone().param("port", "8082"), 10).expect_code(0);
    at(&agent.clone().param("port", "8081"), 10).expect_code(0);
    let named = agent.clone().param("port", "8081").param("status10url", "/nginx_status");
    at(&named, 10).expect_code(1).expect_reason(&["404"]);
    agent.clone().param("port", "8099").monitor().expect_code(1).expect_reason(&["8099"]);
    agent.stop().expect_code(0);
}

#[test]
fn wt_5_expressions_that_took_for_ever_harm_neither_a_stop_nor_a_monitor() {
    let Some(host) = machine() else { return };
    let agent = web(&host, &configure(&host, "a", PLAIN));
    let plusses = format!("(.*{}(\\w+))", "+".repeat(2_000));
    for good in [".*{10,}{10,}{10,}{10,}{10,}", &plusses, "(a*)*(a*)*"] {
        agent.start().expect_code(0);
        let given = agent.clone().param("status10regex", good);
        at(&given, 10).expect_code(0).expect_silent();
        given.stop().expect_code(0);
    }
    for refused in ["((a{1,100}){1,100}){1,100}b", "(a)\\1", "(", "[[:space:]-z]"] {
        agent.start().expect_code(0);
        let given = agent.clone().param("status10regex", refused);
        given.validate().expect_code(6).expect_reason(&["status10regex", "regular expression"]);
        // A stop needs none, and compiles none.
        given.stop().expect_code(0);
        agent.probe().expect_code(7);
    }
}

#[test]
fn ng_f1_a_page_whose_name_begins_like_a_url_is_a_path() {
    let Some(host) = machine() else { return };
    let http = "server { listen 8081; location /httpstatus { stub_status; } }";
    let agent = web(&host, &configure(&host, "a", http)).param("status10url", "httpstatus");
    agent.start().expect_code(0);
    at(&agent, 10).expect_code(0).expect_silent();
    agent.stop().expect_code(0);
}

/// On a node without the cluster address the server listens all the same (`ip_nonlocal_bind`).
/// Level 0 connected to that address: a start failed where no node had it, and where the peer did,
/// the peer answered for a server that was frozen here.
#[test]
fn a_place_on_another_node_is_not_asked() {
    let Some(host) = machine() else { return };
    host.sysctl("net/ipv4/ip_nonlocal_bind", "1");
    let http = "server { listen 192.0.2.10:80; location /nginx_status { stub_status; } }";
    let path = configure(&host, "a", http);
    let agent = web(&host, &path);
    agent.start().expect_code(0);
    for level in [0, 10, 20] {
        at(&agent, level).expect_code(0).expect_silent();
    }
    at(&agent.clone().param("status10url", "/none"), 10).expect_code(0);
    let passed_over = "not asked: 192.0.2.10:80 (it is not on this machine)";
    agent.explain().expect_code(0).expect_lines(&[passed_over]);
    host.sh("ip address add 192.0.2.10/32 dev lo");
    at(&agent, 10).expect_code(0);
    at(&agent.clone().param("status10url", "/none"), 10).expect_code(1);
    host.sh("kill -STOP $(pgrep -x nginx)");
    agent.clone().timeout(Duration::from_secs(12)).monitor().expect_code(1);
    host.sh("kill -CONT $(pgrep -x nginx)");
    agent.stop().expect_code(0);
}

/// A server of both families where there is no IPv6: the loopback address of IPv4 answers.
#[test]
fn a_server_of_both_families_is_asked_by_both() {
    let Some(host) = machine() else { return };
    host.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
    host.sysctl("net/ipv6/conf/lo/disable_ipv6", "1");
    let http = "server { listen [::]:8081 ipv6only=off; location /nginx_status { stub_status; } }";
    let agent = web(&host, &configure(&host, "a", http));
    agent.start().expect_code(0);
    at(&agent, 10).expect_code(0).expect_silent();
    agent.stop().expect_code(0);
}

/// pcs adds a monitor at level 10 by itself. It restarted a server that works when the page was of
/// a server by name, or for other clients.
#[test]
fn a_status_page_that_is_not_shown_is_no_failure_unless_it_was_named() {
    let Some(host) = machine() else { return };
    host.sh("touch /etc/nginx/users");
    let page = |more: &str| {
        format!(
            "server {{ listen 8081 default_server; return 200 hello; }}\nserver {{ listen 8081; \
             {more} location = /nginx_status {{ stub_status; }} }}"
        )
    };
    for (more, is_shown) in [
        ("server_name status.example.com;", true),
        ("server_name ~^status;", false),
        ("server_name status; allow 192.0.2.77; deny all;", false),
        ("server_name status; auth_basic x; auth_basic_user_file /etc/nginx/users;", false),
        ("server_name status; return 301 https://other.example/;", false),
    ] {
        let agent = web(&host, &configure(&host, "a", &page(more)));
        agent.start().expect_code(0);
        let debug = agent.clone().env("HA_debug", "1").env("HA_DEBUGLOG", "/var/log/agent.log");
        at(&debug, 10).expect_code(0);
        let log = "touch /var/log/agent.log; grep -c 'level 10 is level 0' /var/log/agent.log || :";
        let fallen = host.sh(&format!("{log}; rm /var/log/agent.log"));
        assert_eq!(fallen.trim() == "0", is_shown, "{more}: {fallen}");
        at(&agent, 20).expect_code(0).expect_silent();
        at(&agent.clone().param("status10url", "/nginx_status"), 10).expect_code(1);
        let regex = agent.clone().param("status10regex", "Reading");
        at(&regex, 10).expect_code(if is_shown { 0 } else { 1 });
        agent.stop().expect_code(0);
    }
    // An error of the server's side, and no answer.
    let agent = web(&host, &configure(&host, "a", &page("server_name a; return 503;")));
    agent.start().expect_code(0);
    at(&agent, 10).expect_code(1).expect_reason(&["503"]);
    agent.stop().expect_code(0);
}
