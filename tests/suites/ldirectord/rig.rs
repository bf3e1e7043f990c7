//! A director, real servers behind it, and a client. A process costs much in a kernel of our own:
//! few calls, each does much.

use std::collections::BTreeMap;

use harness::Host;
use harness::process::wait_until;

use crate::{CONF, PATIENCE, machine, write};

/// The address that clients know, on the director.
pub const VIP: &str = "10.9.0.50";

/// Machines on a switch.
pub struct Net {
    hosts: Vec<Host>,
    _switch: Host,
}

impl Net {
    /// Machines with these names, each with a device `eth0` that is up.
    pub fn new(names: &[&str]) -> Net {
        let switch = Host::new("switch");
        let hosts: Vec<Host> = names.iter().map(|name| machine(name)).collect();
        let port = |(number, host): (usize, &Host)| {
            format!(
                "link add p{number} type veth peer name eth0 netns {}\n\
                 link set p{number} master br0 up\n",
                host.pid()
            )
        };
        let ports: String = hosts.iter().enumerate().map(port).collect();
        write(
            &switch,
            "/run/batch",
            &format!("link add br0 type bridge forward_delay 0\nlink set br0 up\n{ports}"),
        );
        let batch =
            std::path::Path::new("/proc").join(switch.pid().to_string()).join("root/run/batch");
        switch.ip(&format!("-batch {}", batch.display()));
        Net { hosts, _switch: switch }
    }

    /// The machines, in the order of the names.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }
}

/// Carries out lines of `ip` on a machine, after these settings of its kernel.
pub fn set_up(host: &Host, sysctls: &[&str], lines: &str) {
    let settings: String =
        sysctls.iter().map(|setting| format!("sysctl -qw {setting}\n")).collect();
    host.sh(&format!("{settings}ip -batch - <<'END'\nlink set eth0 up\n{lines}\nEND"));
}

/// Network address translation: the real servers answer by way of the director. Real server K, from
/// 0, has 10.240.0.(20+K).
pub struct Nat {
    net: Net,
    reals: usize,
}

impl Nat {
    pub fn new(reals: usize) -> Nat {
        let names: Vec<String> = (0..reals).map(|number| format!("rs{number}")).collect();
        let all: Vec<&str> =
            ["lvs01", "client"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let nat = Nat { net: Net::new(&all), reals };
        let forward = [
            "net.ipv4.ip_forward=1",
            // Only both together switch it off.
            "net.ipv4.conf.all.send_redirects=0",
            "net.ipv4.conf.eth0.send_redirects=0",
            "net.ipv6.conf.all.forwarding=1",
        ];
        let own = format!(
            "address add 10.9.0.1/24 dev eth0\naddress add {VIP}/32 dev eth0\n\
             address add 10.240.0.1/24 dev eth0\n\
             address add 2001:db8:9::50/64 dev eth0 nodad\n\
             address add 2001:db8:240::1/64 dev eth0 nodad"
        );
        set_up(nat.director(), &forward, &own);
        set_up(
            nat.client(),
            &[],
            "address add 10.9.0.9/24 dev eth0\naddress add 2001:db8:9::9/64 dev eth0 nodad",
        );
        for number in 0..reals {
            let lines = format!(
                "address add {}/24 dev eth0\naddress add 2001:db8:240::{:x}/64 dev eth0 nodad\n\
                 route add default via 10.240.0.1\nroute add ::/0 via 2001:db8:240::1",
                address(number),
                0x20 + number
            );
            // Redirected by the director to a shorter way, it would answer clients behind the
            // director's back, for minutes.
            let settings = [
                "net.ipv6.conf.eth0.accept_redirects=0",
                "net.ipv4.conf.all.accept_redirects=0",
                "net.ipv4.conf.eth0.accept_redirects=0",
            ];
            set_up(nat.real(number), &settings, &lines);
            serve(nat.real(number), &format!("rs{number}"));
        }
        nat
    }

    pub fn director(&self) -> &Host {
        &self.net.hosts[0]
    }

    pub fn real(&self, number: usize) -> &Host {
        &self.net.hosts[number + 2]
    }

    pub fn client(&self) -> &Host {
        &self.net.hosts[1]
    }

    /// Writes a configuration of all real servers with these lines in the section and before it.
    pub fn configure(&self, before: &str, section: &str) {
        let reals: String =
            (0..self.reals).map(|number| format!("\treal={}:80 masq\n", address(number))).collect();
        let section: String = section.lines().map(|line| format!("\t{}\n", line.trim())).collect();
        write(
            self.director(),
            CONF,
            &format!(
                "checktimeout=20\ncheckinterval=1\n{before}\nvirtual={VIP}:80\n{reals}{section}"
            ),
        );
    }

    /// Who answers this many requests of the client, and how often.
    pub fn asked(&self, count: usize) -> BTreeMap<String, usize> {
        let url = format!("http://{VIP}/");
        let urls: Vec<&str> = std::iter::repeat_n(url.as_str(), count).collect();
        let mut all = BTreeMap::new();
        for line in page(self.client(), &urls).lines() {
            *all.entry(line.to_owned()).or_default() += 1;
        }
        all
    }
}

/// The address of a real server behind the director.
pub fn address(number: usize) -> String {
    format!("10.240.0.{}", 20 + number)
}

/// The usual check.
pub const CHECK: &str = "service=http\nrequest=\".testpage\"\nreceive=\"test page\"\nscheduler=rr\n\
                         protocol=tcp\nchecktype=negotiate";

/// What `curl` gets, each by a connection of its own.
pub fn page(host: &Host, urls: &[&str]) -> String {
    let mut words = vec![
        "--silent",
        "--show-error",
        "--globoff",
        "--insecure",
        "--max-time",
        "20",
        "-H",
        "Connection: close",
    ];
    words.extend(urls);
    let done = host.run("curl", &words);
    format!("{}{}", done.stdout, done.stderr).trim().to_owned()
}

/// Starts a web server whose page is its name, with a page to test; returns when it answers.
pub fn serve(host: &Host, name: &str) {
    host.sh(&format!(
        "mkdir -p /srv/www && echo {name} > /srv/www/index.html && echo 'this is a \
                      test page' > /srv/www/.testpage && chmod 755 /srv /srv/www"
    ));
    let conf = "user root; worker_processes 1; pid /srv/nginx.pid; error_log /srv/error.log; \
                events {}\n\
                http { access_log /srv/access.log; server { listen *:80; listen [::]:80; root \
                /srv/www; } }";
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
