//! Many resources against a model: what the kernel has at each quiet moment is what the answers
//! have said.

use std::collections::BTreeMap;

use harness::{Agent, L2};

use crate::others::Numbers;

/// Resources: every second one is IPv6, every second pair on the second interface.
const RESOURCES: usize = 32;
/// How many act at the same time.
const AT_ONCE: usize = 8;

fn nic(number: usize) -> &'static str {
    if (number / 2).is_multiple_of(2) { "ethA" } else { "ethC" }
}

fn address(number: usize) -> String {
    let network = if nic(number) == "ethA" { 8 } else { 7 };
    if number.is_multiple_of(2) {
        format!("10.{network}.0.{}", 100 + number)
    } else {
        format!("2001:db8:{network}::{number:x}")
    }
}

fn resource(rig: &L2, number: usize) -> Agent<'_> {
    let prefix = if number.is_multiple_of(2) { "24" } else { "64" };
    let vip = rig.ipaddr2(&address(number)).param("nic", nic(number)).param("cidr_netmask", prefix);
    let vip = if has_own_metric(number) { vip.param("metric", METRIC) } else { vip };
    vip.param("arp_count", "1").param("arp_bg", "false")
}

/// The metric of some IPv6 addresses, which come with a second route to their network.
const METRIC: &str = "77";

fn has_own_metric(number: usize) -> bool {
    number % 8 == 3 || number % 8 == 5
}

/// On which interfaces there is such a route, and on which an address that has brought it. An
/// address without a metric of its own takes that of the route which is there.
fn own_metrics(rig: &L2) -> [Vec<&'static str>; 2] {
    let routes = rig.a.ip(&format!("-6 route show metric {METRIC}"));
    let on = |is_there: &dyn Fn(&str) -> bool| {
        ["ethA", "ethC"].into_iter().filter(|nic| is_there(nic)).collect()
    };
    let has_address = |nic: &str| {
        let addresses = rig.a.ip(&format!("-6 address show dev {nic}"));
        addresses.lines().any(|line| {
            line.contains(&format!("metric {METRIC} ")) && !line.contains("noprefixroute")
        })
    };
    [on(&|nic| routes.contains(&format!("dev {nic} "))), on(&has_address)]
}

/// Addresses of no resource, in the same networks.
fn strangers() -> [(String, &'static str, &'static str); 6] {
    [
        ("10.8.0.201".into(), "24", "ethA"),
        ("10.8.0.202".into(), "24", "ethA"),
        ("10.7.0.201".into(), "24", "ethC"),
        ("10.7.0.202".into(), "24", "ethC"),
        ("2001:db8:8::201".into(), "64", "ethA"),
        ("2001:db8:7::201".into(), "64", "ethC"),
    ]
}

/// Every address of these networks, with its interface, and whether the kernel has another one of
/// its network before it.
fn present(rig: &L2) -> BTreeMap<String, (String, bool)> {
    let mut found = BTreeMap::new();
    for device in rig.a.ip_json("address show").as_array().into_iter().flatten() {
        for entry in device["addr_info"].as_array().into_iter().flatten() {
            let ip = entry["local"].as_str().unwrap_or_default();
            if ["10.8.", "10.7.", "2001:db8:8:", "2001:db8:7:"]
                .iter()
                .any(|network| ip.starts_with(network))
            {
                let nic = device["ifname"].as_str().unwrap_or_default().to_owned();
                found.insert(ip.to_owned(), (nic, entry["secondary"] == true));
            }
        }
    }
    found
}

/// Acts `actions` times; gives every answer that was wrong.
fn run(promote: &str, seed: u64, actions: usize) -> Vec<String> {
    let rig = L2::new();
    rig.second_cable();
    rig.a.sysctl("net/ipv4/conf/all/promote_secondaries", "0");
    for nic in ["ethA", "ethC"] {
        rig.a.sysctl(&format!("net/ipv4/conf/{nic}/promote_secondaries"), promote);
    }
    let (mut numbers, mut wrong) = (Numbers(seed), Vec::new());
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    for round in 0..actions / AT_ONCE {
        let mut chosen: Vec<(usize, &str)> = Vec::new();
        while chosen.len() < AT_ONCE {
            let number = numbers.below(RESOURCES);
            if !chosen.iter().any(|(other, _)| *other == number) {
                chosen.push((
                    number,
                    ["start", "start", "stop", "stop", "monitor"][numbers.below(5)],
                ));
            }
        }
        // Where the kernel may not promote, it removes other addresses with a stranger's: that is
        // not ours to prevent. There only those go that come after others, and while nothing else
        // happens.
        let (ip, prefix, at) = &strangers()[numbers.below(6)];
        let here = present(&rig);
        let change = match here.get(ip) {
            None => Some("add"),
            Some((_, secondary)) if promote == "1" || *secondary || ip.contains(':') => Some("del"),
            Some(_) => None,
        };
        let quiet = promote == "0" && change == Some("del") && !ip.contains(':');
        let stranger = || {
            let Some(change) = change else { return };
            let nodad = if ip.contains(':') && change == "add" { "nodad" } else { "" };
            rig.a.ip(&format!("address {change} {ip}/{prefix} dev {at} {nodad}"));
        };
        if quiet {
            stranger();
        }
        let answers: Vec<(usize, &str, i32)> = std::thread::scope(|scope| {
            if !quiet {
                scope.spawn(stranger);
            }
            let running: Vec<_> = chosen
                .iter()
                .map(|(number, action)| {
                    let rig = &rig;
                    scope.spawn(move || {
                        let vip = resource(rig, *number);
                        let outcome =
                            if *action == "monitor" { vip.monitor() } else { vip.action(action) };
                        (*number, *action, outcome.code)
                    })
                })
                .collect();
            running.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        match change {
            Some("add") => drop(model.insert(ip.clone(), (*at).to_owned())),
            Some(_) => drop(model.remove(ip)),
            None => {}
        }
        for (number, action, code) in answers {
            let ip = address(number);
            let expected = match action {
                "monitor" if !model.contains_key(&ip) => 7,
                _ => 0,
            };
            if code != expected {
                wrong.push(format!(
                    "round {round}: {action} of {ip} said {code} instead of {expected}"
                ));
            }
            match action {
                "start" => drop(model.insert(ip, nic(number).to_owned())),
                "stop" => drop(model.remove(&ip)),
                _ => {}
            }
        }
        let [routes, expected] = own_metrics(&rig);
        if routes != expected {
            wrong.push(format!(
                "round {round}: routes of metric {METRIC} on {routes:?} instead of {expected:?}"
            ));
        }
        let now: BTreeMap<String, String> =
            present(&rig).into_iter().map(|(ip, (nic, _))| (ip, nic)).collect();
        if now != model {
            wrong.push(format!(
                "round {round}: the kernel has {now:?}\ninstead of {model:?}, after {chosen:?}"
            ));
            model = now;
        }
    }
    for nic in ["ethA", "ethC"] {
        assert_eq!(rig.a.read_sysctl(&format!("net/ipv4/conf/{nic}/promote_secondaries")), promote);
        assert_eq!(rig.a.read_sysctl(&format!("net/ipv6/conf/{nic}/optimistic_dad")), "0");
    }
    wrong
}

/// 240 actions, 20,000 in a long run, half of them with the kernel allowed to promote addresses.
#[test]
fn many_resources_at_once_never_get_a_wrong_answer() {
    let slow = std::env::var_os("OCF_SLOW").is_some();
    for (promote, seed) in [("1", 1_u64), ("0", 2)] {
        let wrong = run(promote, seed, if slow { 10_000 } else { 120 });
        assert!(
            wrong.is_empty(),
            "promote_secondaries={promote}, seed {seed}: {} wrong:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}
