//! A balancer as people build it: two virtual addresses and haproxy on one node, three web servers
//! behind it.

use std::time::{Duration, Instant};

use harness::rig::Lan;
use harness::{Agent, Host, agent};

use crate::{at, balancer, eventually, expect_gone, master, write};

const EXTERNAL: &str = "10.9.0.200";
const INTERNAL: &str = "10.0.100.200";

/// Real nginx, with the machine's name as its page.
fn serve(host: &Host, number: usize) {
    host.ip(&format!("address add 10.0.100.1{number}/24 dev eth0"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path /run/n-{kind}; "))
        .collect();
    write(
        host,
        "/run/n.conf",
        &format!(
            "user root; worker_processes 1; pid /run/n.pid; error_log /run/n.log; events \
             {{}}\nhttp {{ access_log off; {temporary} server {{ listen 10.0.100.1{number}:80; \
             return 200 server{number}; }} }}"
        ),
    );
    host.sh("nginx -e /run/n.log -c /run/n.conf");
}

/// What clients get, so many times.
fn ask(client: &Host, times: usize) -> Vec<String> {
    let page =
        |_| client.run("curl", &["-s", "--max-time", "5", &format!("http://{EXTERNAL}/")]).stdout;
    (0..times).map(page).collect()
}

fn vip<'host>(host: &'host Host, address: &str) -> Agent<'host> {
    let bare = agent(host, "IPaddr2").instance(&format!("vip-{address}"));
    bare.param("ip", address)
        .param("cidr_netmask", "24")
        .param("nic", "eth0")
        .param("arp_count", "1")
}

#[test]
fn servers_die_one_by_one_and_haproxy_is_killed() {
    for program in ["/usr/sbin/haproxy", "/usr/sbin/nginx"] {
        if !std::path::Path::new(program).is_file() {
            return harness::skip::skip(&format!("{program} is not installed"));
        }
    }
    let lan = Lan::new(5);
    let (director, client) = (&lan.hosts[0], &lan.hosts[4]);
    let servers = &lan.hosts[1..4];
    for (number, server) in servers.iter().enumerate() {
        serve(server, number + 2);
    }
    let checked: String = (2..5)
        .map(|number| {
            format!("  server web{number} 10.0.100.1{number}:80 check inter 100 fall 1 rise 1\n")
        })
        .collect();
    write(
        director,
        "/run/503.http",
        "HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/html\r\n\r\nno server is left\r",
    );
    write(
        director,
        "/run/lb.cfg",
        &format!(
            "{}frontend web\n  bind {EXTERNAL}:80\n  errorfile 503 /run/503.http\n  \
             default_backend app\nbackend app\n  balance roundrobin\n  option redispatch\n  \
             retries 2\n  source {INTERNAL}\n{checked}",
            crate::HEAD
        ),
    );
    let (external, internal) = (vip(director, EXTERNAL), vip(director, INTERNAL));
    let haproxy = balancer(director, "/run/lb.cfg");
    // Before its addresses, haproxy says what it waits for.
    haproxy.start().expect_code(1).expect_reason(&[EXTERNAL, "order haproxy after its VIP"]);
    external.start().expect_code(0);
    internal.start().expect_code(0);
    haproxy.start().expect_code(0);
    eventually("all servers get requests", || {
        let pages = ask(client, 6);
        (2..5).all(|number| pages.contains(&format!("server{number}")))
    });
    at(&haproxy, 20).expect_code(0).expect_silent();

    // One by one.
    for (dead, server) in servers.iter().enumerate() {
        server.sh("kill -QUIT $(cat /run/n.pid)");
        let left = 2 - dead;
        let full = haproxy.clone().param("min_up", "100%");
        eventually("the check has seen it", || {
            at(&full, 20)
                .reason
                .as_deref()
                .is_some_and(|why| why.contains(&format!("{left} of 3 servers")))
        });
        let pages = ask(client, 6);
        match left {
            0 => assert!(pages.iter().all(|page| page.contains("no server is left")), "{pages:?}"),
            _ => assert!(pages.iter().all(|page| page.starts_with("server")), "{pages:?}"),
        }
        at(&haproxy, 10).expect_code(0).expect_silent();
        at(&haproxy, 20).expect_code(if left == 0 { 190 } else { 0 });
    }
    at(&haproxy, 20).expect_code(190).expect_reason(&["backend app: 0 of 3 servers are up"]);
    at(&haproxy.clone().param("on_low", "fail"), 20)
        .expect_code(1)
        .expect_reason(&["backend app: 0 of 3"]);
    servers[1].sh("nginx -e /run/n.log -c /run/n.conf");
    eventually("one is back", || at(&haproxy, 20).code == 0 && ask(client, 1) == ["server3"]);

    // haproxy is killed: a monitor reports it, and the cluster recovers.
    director.sh(&format!("kill -9 {}", master(director)));
    eventually("the monitor reports it", || haproxy.monitor().code == 7);
    let began = Instant::now();
    haproxy.stop().expect_code(0);
    haproxy.start().expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    eventually("clients are served again", || ask(client, 1) == ["server3"]);

    haproxy.stop().expect_code(0);
    internal.stop().expect_code(0);
    external.stop().expect_code(0);
    director.sh("rm -rf /run/resource-agents/IPaddr2* /run/resource-agents/vip*");
    expect_gone_but_addresses(director);
}

/// IPaddr2 may keep files of its own.
#[track_caller]
fn expect_gone_but_addresses(host: &Host) {
    host.sh("mkdir -p /run/resource-agents; find /run/resource-agents -mindepth 1 ! -name \
             'haproxy*' -delete");
    expect_gone(host);
}
