//! The agent of ldirectord: a healthy monitor at level 0, beside the shell agent, and beside a look
//! at the pid file's process.
//!
//! The daemon is started by itself. Without IP_VS in the kernel its table is not filled, and it
//! says so in its log; it runs, and runs its checks, all the same, and neither agent looks at more
//! than that.

use std::path::Path;
use std::time::Duration;

use harness::host::{Host, built_directory};
use ocf_tester::environment::{self, Operation};

use crate::Bench;
use crate::agents::{Program, Who};
use crate::monitor;
use crate::report::Section;

/// At most so many times the floor's instructions, and at most this part of the shell agent's.
const INSTRUCTIONS: (f64, f64) = (2.5, 1.0 / 15.0);

const DAEMON: &str = "/usr/sbin/ldirectord";
const CONF: &str = "/etc/ha.d/ldirectord.cf";
const PID_FILE: &str = "/run/ldirectord.ldirectord.cf.pid";

/// The agents find the same daemon.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    if !Path::new(DAEMON).is_file() || !Path::new("/etc/ha.d").is_dir() {
        bench.not_measured("ldirectord: install the package ldirectord");
        return Ok(());
    }
    bench.say("healthy monitor, ldirectord");
    let host = Host::builder("lvs").tmpfs("/etc/ha.d").tmpfs("/var/log").start();
    bench.prepare(&host);
    host.sh(&format!(
        "printf 'virtual=10.9.0.50:80\\n\\treal=10.240.0.20:80 masq\\n\\tchecktype=on\\n' >{CONF}
         {DAEMON} {CONF} start; until [ -s {PID_FILE} ]; do :; done"
    ));
    let programs: Vec<Program> = Who::ALL.into_iter().filter_map(|who| watch(who, &host)).collect();
    let mut rows = Vec::new();
    rows.extend(monitor::instructions(bench, &host, &programs, INSTRUCTIONS));
    rows.extend(monitor::calls(bench, &host, &programs));
    rows.extend(monitor::times(&host, &programs, bench.rounds(50, 5))?);
    rows.push(monitor::memory(&host, &programs, bench.rounds(10, 3), None)?);
    bench.add(Section {
        name: "director",
        title: "Healthy monitor, ldirectord, depth 0".to_owned(),
        rows,
    });
    bench.not_measured("ldirectord, depth 20: it reads the table of a kernel with IP_VS");
    Ok(())
}

/// A recurring monitor of one of the three.
fn watch(who: Who, host: &Host) -> Option<Program> {
    let path = match who {
        Who::Ours => built_directory().join("ldirectord"),
        Who::Shell => "/usr/lib/ocf/resource.d/heartbeat/ldirectord".into(),
        Who::Floor => built_directory().join("ocf-bench-floor-web"),
    };
    let resource = environment::Resource {
        instance: "director".into(),
        kind: "ldirectord".into(),
        provider: "bench".into(),
        root: "/usr/lib/ocf".into(),
        node: host.name().to_owned(),
        parameters: [("configfile".into(), CONF.into())].into(),
    };
    let operation = Operation {
        action: "monitor",
        timeout: Duration::from_secs(40),
        interval: Some("10000"),
        level: Some("0"),
    };
    let text = |value: &std::ffi::OsString| value.to_string_lossy().into_owned();
    let env = environment::of(&resource, &operation)
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    let args = vec![if who == Who::Floor { PID_FILE.to_owned() } else { "monitor".to_owned() }];
    path.is_file().then_some(Program { who, path, args, env })
}
