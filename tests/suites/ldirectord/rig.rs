//! A director, real servers behind it, and a client.

use std::collections::BTreeMap;

use harness::process::wait_until;
use harness::{Host, Lan};

use crate::{CONF, PATIENCE, machine, write};

/// The address that clients know, on the director.
pub const VIP: &str = "10.9.0.50";

/// Network address translation: the real servers answer by way of the director.
///
/// Machine 1 of the network is the director, the last one the client; real server K, from 0, has 10.240.0.(20+K).
pub struct Nat {
    pub lan: Lan,
    pub reals: usize,
}

impl Nat {
    pub fn new(reals: usize) -> Nat {
        let mut lan = Lan::new(0);
        lan.plug(machine("lvs01"));
        for number in 0..reals {
            lan.plug(machine(&format!("rs{number}")));
        }
        lan.plug(machine("client"));
        let rig = Nat { lan, reals };
        let director = rig.director();
        director.sysctl("net/ipv4/ip_forward", "1");
        director.sysctl("net/ipv4/conf/all/send_redirects", "0");
        director.sysctl("net/ipv6/conf/all/forwarding", "1");
        director.ip("address add 10.240.0.1/24 dev eth0");
        director.ip("address add 2001:db8:240::1/64 dev eth0 nodad");
        director.ip(&format!("address add {VIP}/24 dev eth0"));
        director.ip("address add 2001:db8:9::50/64 dev eth0 nodad");
        for number in 0..reals {
            let real = rig.real(number);
            real.ip("address flush dev eth0 scope global");
            real.ip(&format!("address add {}/24 dev eth0", address(number)));
            real.ip(&format!("address add 2001:db8:240::{:x}/64 dev eth0 nodad", 0x20 + number));
            real.ip("route add default via 10.240.0.1");
            real.ip("route add default via 2001:db8:240::1");
            serve(real, &format!("rs{number}"));
        }
        rig
    }

    pub fn director(&self) -> &Host {
        &self.lan.hosts[0]
    }

    pub fn real(&self, number: usize) -> &Host {
        &self.lan.hosts[number + 1]
    }

    pub fn client(&self) -> &Host {
        &self.lan.hosts[self.reals + 1]
    }

    /// Writes a configuration of all real servers with these lines in the section and before it.
    pub fn configure(&self, before: &str, section: &str) {
        let reals: String = (0..self.reals).map(|number| format!("\treal={}:80 masq\n", address(number))).collect();
        let section: String = section.lines().map(|line| format!("\t{}\n", line.trim())).collect();
        write(self.director(), CONF, &format!("checktimeout=3\ncheckinterval=1\n{before}\nvirtual={VIP}:80\n{reals}{section}"));
    }

    /// Who answers this many requests of the client, and how often.
    pub fn asked(&self, count: usize) -> BTreeMap<String, usize> {
        let mut all = BTreeMap::new();
        for _ in 0..count {
            *all.entry(page(self.client(), &format!("http://{VIP}/"))).or_default() += 1;
        }
        all
    }
}

/// The address of a real server behind the director.
pub fn address(number: usize) -> String {
    format!("10.240.0.{}", 20 + number)
}

/// The usual check.
pub const CHECK: &str = "service=http\nrequest=\".testpage\"\nreceive=\"test page\"\nscheduler=rr\nprotocol=tcp\nchecktype=negotiate";

/// What `curl` gets.
pub fn page(host: &Host, url: &str) -> String {
    let done = host.run("curl", &["--silent", "--show-error", "--globoff", "--max-time", "5", url]);
    format!("{}{}", done.stdout, done.stderr).trim().to_owned()
}

/// Starts a web server whose page is its name, with a page to test; returns when it answers.
pub fn serve(host: &Host, name: &str) {
    host.sh(&format!("mkdir -p /srv/www && echo {name} > /srv/www/index.html && echo 'this is a test page' > /srv/www/.testpage && chmod 755 /srv /srv/www"));
    let conf = "user root; worker_processes 1; pid /srv/nginx.pid; error_log /srv/error.log; events {}\n\
                http { access_log /srv/access.log; server { listen *:80; listen [::]:80; root /srv/www; } }";
    write(host, "/srv/nginx.conf", conf);
    again(host);
}

/// Starts the web server of a machine where it has ended.
pub fn again(host: &Host) {
    host.sh("nginx -c /srv/nginx.conf");
    let there = || host.run("curl", &["-sf", "http://127.0.0.1/.testpage"]).code == Some(0);
    assert!(wait_until(PATIENCE, || there().then_some(())).is_some(), "no web server");
}

/// Ends the web server of a machine at once.
pub fn kill(host: &Host) {
    host.sh("kill -9 $(cat /srv/nginx.pid) $(pgrep -P $(cat /srv/nginx.pid))");
}
