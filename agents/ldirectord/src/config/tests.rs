//! Files that people have, each rule of the daemon's reader, and long lines.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::resolve::{Names, resolve};
use super::*;

/// The pair of directors of a tutorial (heartbeat's `lvs01 VIP ldirectord`).
pub const TUTORIAL: &str = include_str!("../../tests/fixtures/tutorial.cf");
/// One of every form: ranges, names, IPv6, marks, thresholds, pairs.
pub const FORMS: &str = include_str!("../../tests/fixtures/forms.cf");

/// Knows a few names, and that `http` is no service of UDP, as on most machines.
pub struct Few;

impl Names for Few {
    fn address(&self, name: &str, family: Family) -> Option<IpAddr> {
        let name = match name {
            "www1" => "10.0.0.1",
            "www9" => "10.0.0.9",
            "localhost" if family == Family::V6 => "::1",
            "localhost" => "127.0.0.1",
            other => other,
        };
        name.parse().ok().filter(|address: &IpAddr| address.is_ipv4() == (family == Family::V4))
    }

    fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        match (name, protocol) {
            ("http", "tcp" | "") => Some(80),
            ("domain", _) => Some(53),
            _ => None,
        }
    }
}

fn good(text: &str) -> Config {
    let config = read(text);
    assert_eq!(config.faults, [], "{text}");
    config
}

fn ids(config: &Config) -> Vec<String> {
    resolve(config, &Few).unwrap().iter().map(|wanted| wanted.id.to_string()).collect()
}

#[test]
fn the_tutorials_directors_are_read() {
    let config = good(&TUTORIAL.replace("VIP", "10.240.255.1"));
    assert!(config.autoreload && config.cleanstop && config.supervised.is_none());
    let [section] = config.virtuals.as_slice() else { panic!("{config:?}") };
    assert_eq!((section.line, section.end, section.protocol), (5, 17, Protocol::Tcp));
    let reals: Vec<&str> = section.reals.iter().map(|real| real.first.as_str()).collect();
    assert_eq!(reals, ["10.240.0.20", "10.240.0.21", "10.240.1.20", "10.240.1.21"]);
    assert!(section.reals.iter().all(|real| (
        real.port.as_str(),
        real.method.as_str(),
        real.weight
    ) == ("80", "masq", 1)));
    let (line, fallback) = section.fallback.as_ref().unwrap();
    assert_eq!(
        (*line, fallback.host.as_str(), fallback.port.as_deref(), fallback.method.as_str()),
        (10, "127.0.0.1", Some("80"), "gate")
    );
    assert_eq!(ids(&config), ["tcp 10.240.255.1:80"]);
}

#[test]
fn a_place_holder_is_no_address() {
    let config = good(TUTORIAL);
    let faults = resolve(&config, &Few).unwrap_err();
    assert_eq!(faults, [Note { line: 5, text: "VIP has no IPv4 address".into() }]);
}

#[test]
fn every_form_of_the_manual_is_read() {
    let config = good(FORMS);
    assert_eq!(
        ids(&config),
        [
            "tcp 10.1.0.1:80",
            "mark 1",
            "mark 2 of IPv6",
            "udp 10.1.0.1:53",
            "tcp [2001:db8::5]:119",
            "tcp 10.0.0.1:80"
        ]
    );
    let first = &config.virtuals[0];
    let of = |index: usize| {
        (
            first.reals[index].first.as_str(),
            first.reals[index].last.as_deref(),
            first.reals[index].weight,
        )
    };
    assert_eq!(of(0), ("192.168.6.2", Some("192.168.6.5"), 1));
    assert_eq!(of(1), ("www1", Some("www9"), 10));
    assert_eq!((of(2), first.reals[2].port.as_str()), (("192.168.6.32", None, 5), "http"));
    assert_eq!(first.cleanstop, Some(false));
    assert!(config.virtuals[1].off);
    let kept: Vec<bool> =
        resolve(&config, &Few).unwrap().iter().map(|wanted| wanted.kept).collect();
    assert_eq!(kept, [true, false, false, false, false, false]);
    assert_eq!(config.executes, ["other.cf"]);
}

#[test]
fn mistakes_have_lines() {
    for (text, line, part) in [
        ("bogus=1\n", 1, "unknown directive \"bogus=1\""),
        ("\n# x\nautoreload = maybe\n", 3, "autoreload must be yes or no"),
        ("quiescent=yes # why\n", 1, "quiescent must be yes or no, with nothing after it"),
        ("checkinterval=0\n", 1, "above 0"),
        ("logfile=/var/log/x\n", 1, "between quotes"),
        ("timeout=3\n", 1, "checktimeout"),
        ("virtual=0.0.0.0:\n", 1, "firewall mark"),
        ("virtual=:80\n", 1, "no address:port"),
        ("virtual=[2001:db8::1]:80\n", 1, "virtual6"),
        ("virtual6=[2001:zz::1]:80\n", 1, "no address:port"),
        ("virtual=1.2.3.4:80\n    real=1.2.3.5:80\n", 2, "gate, masq or ipip"),
        ("virtual=1.2.3.4:80\n\treal=1.2.3.5:80 nat\n", 2, "gate, masq or ipip"),
        ("virtual=1.2.3.4:80\n\treal=1.2.3.5:80 gate 3 fast\n", 2, "\"fast\" does not belong"),
        ("virtual=1.2.3.4:80\n\treal6=[::1]:80 gate\n", 2, "use real"),
        ("virtual=1.2.3.4:80\n  real=1.2.3.5:80 gate\n", 2, "four spaces or a tab"),
        (
            "virtual=1.2.3.4:80\n\treal=1.2.3.5:80 gate\n\n\tservice=http\n",
            4,
            "four spaces or a tab",
        ),
        ("virtual=1.2.3.4:80\n\trequest=index.html\n", 2, "between quotes"),
        ("virtual=1.2.3.4:80\n\trequest=\"a#b\"\n", 2, "between quotes"),
        ("virtual=1.2.3.4:80\n\tservice=gopher\n", 2, "service must be one of dns"),
        ("virtual=1.2.3.4:80\n\tchecktype=sometimes\n", 2, "checktype must be"),
        ("virtual=7\n\tprotocol=tcp\n", 2, "fwm"),
        ("virtual=1.2.3.4:80\n\tprotocol=fwm\n", 2, "tcp or udp"),
        ("virtual=1.2.3.4:80\n\tnetmask=24\n", 2, "four numbers"),
        ("virtual=1.2.3.4:80\n\tcheckport=99999\n", 2, "1 to 65535"),
        ("virtual=1.2.3.4:80\n     \n", 2, "unknown directive"),
        ("emailalertstatus=all, none\n", 1, "exclude"),
    ] {
        let faults = read(text).faults;
        assert!(
            faults.iter().any(|fault| fault.line == line && fault.text.contains(part)),
            "{text:?}: {faults:?}"
        );
    }
}

#[test]
fn names_that_lead_nowhere_have_lines() {
    for (text, line, part) in [
        ("fallback=127.0.0.1:http\n", 1, "http is no port"),
        ("virtual=1.2.3.4:gopher\n\treal=1.2.3.5:80 gate\n", 1, "gopher is no port"),
        ("virtual=1.2.3.4:80\n\treal=nobody:80 gate\n", 2, "nobody has no IPv4 address"),
        ("virtual=1.2.3.4:80\n\treal=1.2.3.9->1.2.3.5:80 gate\n", 2, "backwards"),
        ("virtual6=[::1]:80\n\treal6=[::2]->[::5]:80 gate\n", 2, "no ranges"),
        ("virtual=1.2.3.4:80\nvirtual=1.2.3.4:http\n", 2, "there twice"),
        ("virtual=1.2.3.4:99999\n", 1, "99999 is no port"),
    ] {
        let faults = resolve(&good(text), &Few).unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.line == line && fault.text.contains(part)),
            "{text:?}: {faults:?}"
        );
    }
}

#[test]
fn what_the_daemon_puts_up_with_is_no_mistake() {
    for text in [
        "",
        "   # indented\n\n\t\n",
        "checktimeout = about 5 seconds\n",
        "fallback = 127.0.0.1:80 gate\n",
        "fallback=some words 127.0.0.1:80 gate  \n",
        "supervised\n",
        "maintenancedir=/no/such\n",
        "virtual = 1.2.3.4:80 and so on\n\treal = 1.2.3.5 gate\n# not indented\n\
         \tservice = http or so\n",
        "virtual=1.2.3.4:80\n\treal=1.2.3.5:80 gate 5 \"a\", \"b\" l:1 u:9\n",
        "virtual=1.2.3.4:80\n\treal=1.2.3.5:80 masq \"http://x/y\" \"b, c\"\n\tchecktype=3\n\
         \tvirtualhost=\n",
        "virtual=1.2.3.4:80\n        # deep\n    quiescent=no\nautoreload=no",
        "virtual=1.2.3.4:80\n\treal=192.168.6.2::5060 gate\n",
    ] {
        good(text);
    }
    // Without a port it is a mark, whatever was meant.
    let config = good("virtual=10.0.0.1\n");
    assert_eq!(config.virtuals[0].address, Address::Mark(10));
    assert_eq!(config.remarks[0].line, 1);
}

#[test]
fn the_time_grows_with_the_length_alone() {
    let began = Instant::now();
    // What is quadratic where it could be: one long line of everything.
    for piece in [" ", "\"", "\", ", "1 ", "a->", "l: ", "é"] {
        let long = piece.repeat(200_000);
        let _ = read(&format!(
            "virtual=1.2.3.4:80\n\treal={long}\n\treal=1.2.3.4:80 gate{long}\n\tfallback={long}\n"
        ));
        let _ = read(&format!("virtual=1.2.3.4:80\n\treal=1.2.3.4:80 gate {long}x\n"));
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
