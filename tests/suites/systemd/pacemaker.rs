//! Under a real Pacemaker, in a machine with a real systemd: the agent beside Pacemaker's own class
//! `systemd:`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use harness::SystemdBox;
use harness::call::executable;
use harness::process::{Finished, wait_until};

use crate::machine_called;

/// Until the cluster must have done something, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// One node on the loopback device; nothing is encrypted, for nothing leaves the machine.
const COROSYNC: &str = "totem {\n  version: 2\n  cluster_name: box\n  crypto_cipher: none\n  \
    crypto_hash: none\n}\n\
                        system {\n  sched_rr: no\n  move_to_root_cgroup: no\n}\n\
                        quorum {\n  provider: corosync_votequorum\n}\n\
                        logging {\n  to_stderr: no\n  to_syslog: yes\n}\n\
                        nodelist {\n  node {\n    name: node1\n    nodeid: 1\n    ring0_addr: \
                        127.0.0.1\n  }\n}";

/// A lone node waits for others for `dc-deadtime` before it decides anything, unless it is in the
/// CIB before the start.
const FIRST_CIB: &str = "cd /var/lib/pacemaker/cib; rm -f cib.*; cibadmin --empty >cib.xml; export \
                         CIB_file=$PWD/cib.xml\n\
                         for p in dc-deadtime=2s stonith-enabled=false no-quorum-policy=ignore; \
                         do\n\
                         crm_attribute -t crm_config -n ${p%%=*} -v ${p#*=}; done\n\
                         rm -f cib.xml.sig; chown hacluster:haclient cib.xml; chmod 600 cib.xml";

/// A unit and its resource.
struct Pair {
    resource: &'static str,
    unit: &'static str,
    definition: &'static str,
}

const CLASS: Pair = Pair { resource: "CLASS", unit: "web-a.service", definition: "systemd:web-a" };
const OURS: Pair = Pair {
    resource: "OURS",
    unit: "web-b.service",
    definition: "ocf:native:systemd params unit=web-b",
};

/// A cluster of one node, with two haproxy alike.
fn cluster() -> Option<SystemdBox> {
    let machine = machine_called(
        "node1",
        &["pacemakerd", "corosync", "crm", "haproxy", "cibadmin", "crm_mon"],
    )?;
    let here = "/usr/lib/ocf/resource.d/native";
    machine.sh(&format!(
        "mkdir -p {here}; install -m 755 {} {here}/systemd",
        executable("systemd").display()
    ));
    machine.write("/etc/corosync/corosync.conf", COROSYNC);
    for (name, port) in [("web-a", 8081), ("web-b", 8082)] {
        machine.write(
            &format!("/etc/haproxy/{name}.cfg"),
            &format!(
                "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout \
                 connect 5s\nfrontend f\n  bind 127.0.0.1:{port}\n  http-request return status 200 \
                 content-type text/plain string alive"
            ),
        );
        let text = format!(
            "[Service]\nType=notify\nExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/{name}.cfg -p \
             /run/{name}.pid\n\
             KillMode=mixed\nRestart=always\nSuccessExitStatus=143\n"
        );
        machine.write(&format!("/etc/systemd/system/{name}.service"), &text);
    }
    machine.sh(&format!("systemctl daemon-reload\n{FIRST_CIB}"));
    machine.sh("systemctl start --no-block pacemaker");
    let online = wait_until(PATIENCE, || {
        machine.run("crm_mon", &["-1"]).stdout.contains("Online: [ node1 ]").then_some(())
    });
    assert!(
        online.is_some(),
        "{}",
        machine.run("journalctl", &["-q", "-n", "50", "-u", "pacemaker", "-u", "corosync"]).stdout
    );
    Some(machine)
}

/// Defines a resource, and waits until its recurring monitor has said that all is well.
fn create(machine: &SystemdBox, pair: &Pair, more: &str) {
    let Pair { resource, definition, .. } = pair;
    machine.sh(&format!(
        "crm configure primitive {resource} {definition} {more} op start \
                         timeout=60 interval=0 op stop timeout=60 interval=0 op monitor \
                         interval=1s timeout=30s"
    ));
    well(machine, pair);
}

/// Waits until the recurring monitor says that all is well, and the cluster has nothing to do.
#[track_caller]
fn well(machine: &SystemdBox, pair: &Pair) {
    let monitored = wait_until(PATIENCE, || {
        operations(machine, pair)
            .iter()
            .any(|(task, rc, _)| task == "monitor" && rc == "0")
            .then_some(())
    });
    assert!(
        monitored.is_some(),
        "{}: {}",
        pair.resource,
        machine.run("crm_mon", &["-1", "-r", "-o", "-f"]).stdout
    );
    machine.run("crm_resource", &["--wait", "--timeout=25"]);
}

/// The recurring monitor and the other actions on record: name, exit code, duration in
/// milliseconds.
fn operations(machine: &SystemdBox, pair: &Pair) -> Vec<(String, String, u64)> {
    let said: Finished = machine.run("crm_mon", &["-1", "-o", "--output-as=xml"]);
    let Ok(tree) = roxmltree::Document::parse(&said.stdout) else { return Vec::new() };
    let histories = tree.descendants().filter(|node| {
        node.has_tag_name("resource_history") && node.attribute("id") == Some(pair.resource)
    });
    let operations = histories
        .flat_map(|node| node.descendants())
        .filter(|node| node.has_tag_name("operation_history"));
    operations
        .filter(|node| {
            node.attribute("task") != Some("monitor") || node.attribute("interval").is_some()
        })
        .map(|node| {
            let text = |name| node.attribute(name).unwrap_or_default().to_owned();
            (
                text("task"),
                text("rc"),
                text("exec-time").trim_end_matches("ms").parse().unwrap_or_default(),
            )
        })
        .collect()
}

/// How long an action took, by Pacemaker's own record.
fn took(machine: &SystemdBox, pair: &Pair, task: &str) -> u64 {
    operations(machine, pair)
        .iter()
        .rfind(|(name, ..)| name == task)
        .map(|(.., time)| *time)
        .unwrap_or_default()
}

fn failures(machine: &SystemdBox, pair: &Pair) -> String {
    let said = machine.run("crm_failcount", &["-G", "-r", pair.resource, "-N", "node1"]).stdout;
    said.rsplit('=').next().unwrap_or_default().trim().to_owned()
}

/// From a disturbance until the unit runs again, with another main process.
fn recovery(machine: &SystemdBox, pair: &Pair, disturb: &str) -> Duration {
    let before = machine.main_pid(pair.unit).to_string();
    let began = Instant::now();
    machine.sh(&disturb.replace("PID", &before).replace("UNIT", pair.unit));
    let back = wait_until(PATIENCE, || {
        let pid = machine.property(pair.unit, "MainPID");
        (pid != "0" && pid != before && machine.property(pair.unit, "ActiveState") == "active")
            .then_some(())
    });
    assert!(
        back.is_some(),
        "{}: {}",
        pair.resource,
        machine.run("crm_mon", &["-1", "-r", "-o", "-f"]).stdout
    );
    let time = began.elapsed();
    well(machine, pair);
    time
}

fn median(mut times: Vec<Duration>) -> u128 {
    times.sort();
    times.get(times.len() / 2).map(Duration::as_millis).unwrap_or_default()
}

#[test]
fn a_unit_that_is_killed_or_stopped_comes_back() {
    let Some(machine) = cluster() else { return };
    create(&machine, &OURS, "check_http=http://127.0.0.1:8082/");
    assert_eq!(machine.property(OURS.unit, "Restart"), "no");
    recovery(&machine, &OURS, "kill -KILL PID");
    assert_eq!(failures(&machine, &OURS), "1");
    let said = machine.run("crm_mon", &["-1"]).stdout;
    assert!(said.contains("web-b.service is failed") && said.contains("SIGKILL"), "{said}");
    machine.sh("crm_resource -r OURS -m -p target-role -v Stopped >/dev/null; crm_resource --wait");
    assert_eq!(machine.property(OURS.unit, "ActiveState"), "inactive");
    assert_eq!(failures(&machine, &OURS), "1");
}

/// How many monitors the agent advertises.
fn advertised(machine: &SystemdBox) -> usize {
    let xml = machine.sh("crm_resource --show-metadata ocf:native:systemd");
    xml.matches("<action name=\"monitor\"").count()
}

/// pcs adds a monitor for each level that is advertised, crm none: with nothing but the unit of the
/// distribution's own package, all of them find it well.
#[test]
fn al_2_a_unit_that_is_created_with_defaults_runs() {
    let Some(machine) = cluster() else { return };
    let missing =
        ["pcs", "nginx", "apache2"].into_iter().find(|it| !harness::cluster::installed(it));
    if let Some(missing) = missing {
        return harness::skip::skip(&format!("{missing} is not installed"));
    }
    let monitors = advertised(&machine);
    assert_eq!(monitors, 3);
    for unit in ["nginx.service", "apache2.service", "web-b.service"] {
        let name = unit.trim_end_matches(".service");
        for (tool, count) in [
            (format!("pcs resource create X ocf:native:systemd unit={name}"), monitors),
            (format!("crm configure primitive X ocf:native:systemd params unit={name}"), 0),
        ] {
            machine.sh(&tool);
            let pair = Pair { resource: "X", unit: "", definition: "" };
            let all = || {
                let done = operations(&machine, &pair);
                let good = |task: &str| {
                    done.iter().filter(|(it, code, _)| it == task && code == "0").count()
                };
                (good("start") == 1 && good("monitor") >= count).then_some(())
            };
            let status = || machine.run("crm_mon", &["-1", "-r", "-o", "-f"]).stdout;
            assert!(wait_until(PATIENCE, all).is_some(), "{tool}: {}", status());
            assert_eq!(machine.property(unit, "ActiveState"), "active", "{tool}");
            assert!(!status().contains("Failed Resource Actions"), "{tool}: {}", status());
            machine.sh("pcs resource delete X --force; crm_resource --wait --timeout=60");
            assert_eq!(machine.property(unit, "ActiveState"), "inactive", "{tool}");
        }
    }
}

#[test]
#[ignore = "takes minutes: a comparison with Pacemaker's own class, printed side by side"]
fn beside_pacemakers_own_class() {
    let Some(machine) = cluster() else { return };
    let pairs = [&CLASS, &OURS];
    pairs.iter().for_each(|pair| create(&machine, pair, ""));
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let mut row = |what: &str, values: Vec<String>| rows.push((what.to_owned(), values));
    let each = |question: &dyn Fn(&Pair) -> String| {
        pairs.iter().map(|pair| question(pair)).collect::<Vec<_>>()
    };
    row("start, ms by Pacemaker's record", each(&|pair| took(&machine, pair, "start").to_string()));
    for (what, disturb) in [
        ("kill -9 of the main process: back after, ms (median of 5)", "kill -KILL PID"),
        ("systemctl stop behind its back: back after, ms (median of 5)", "systemctl stop UNIT"),
    ] {
        let times = |pair: &Pair| {
            median((0..5).map(|_| recovery(&machine, pair, disturb)).collect()).to_string()
        };
        row(what, each(&times));
    }
    pairs.iter().for_each(|pair| {
        drop(machine.sh(&format!("crm_failcount -D -r {} -N node1 >/dev/null", pair.resource)))
    });
    let before = pairs.map(|pair| machine.main_pid(pair.unit));
    let wrong = |pair: &Pair| {
        let pattern = format!("Result of [a-z]* operation for {} on node1: [^o]", pair.resource);
        let count = machine.sh(&format!("journalctl -q -o cat | grep -c '{pattern}' || true"));
        count.trim().parse::<i32>().unwrap_or_default()
    };
    let known = pairs.map(wrong);
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < Duration::from_secs(40) {
        machine.sh("systemctl daemon-reexec");
        count += 1;
    }
    machine.run("crm_resource", &["--wait", "--timeout=25"]);
    let restarted = |number: usize| {
        (machine.property(pairs[number].unit, "MainPID") != before[number].to_string()).to_string()
    };
    row(
        &format!("{count} daemon-reexec in 40 s: failures counted"),
        each(&|pair| failures(&machine, pair)),
    );
    row("restarted by that", (0..2).map(restarted).collect());
    row(
        "wrong results of actions in that time",
        (0..2).map(|n| (wrong(pairs[n]) - known[n]).to_string()).collect(),
    );
    row("state at the end", each(&|pair| machine.property(pair.unit, "ActiveState")));
    let mut told = format!("\n{:<64} {:>10} {:>10}\n", "", "systemd:", "native");
    rows.iter().for_each(|(what, values)| {
        told.push_str(&format!("{what:<64} {:>10} {:>10}\n", values[0], values[1]))
    });
    let _ = std::io::stderr().write_all(told.as_bytes());
    // The class may fail; ours must not.
    assert_eq!(failures(&machine, &OURS), "0", "{told}");
    assert_eq!(machine.main_pid(OURS.unit), before[1], "{told}");
}
