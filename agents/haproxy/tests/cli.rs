//! The built binary's command line, without root and without a server.

use std::process::Command;

const AGENT: &str = env!("CARGO_BIN_EXE_haproxy");

#[expect(clippy::disallowed_methods, reason = "a test waits for what it calls")]
fn call(action: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(AGENT);
    command.args((!action.is_empty()).then_some(action)).env_clear().envs(environment.iter().copied());
    let output = command.output().expect("the agent runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn no_action_and_an_unknown_one_are_3() {
    for action in ["", "frobnicate", "promote"] {
        let (code, stdout, stderr) = call(action, &[]);
        assert_eq!((code, stdout.as_str()), (Some(3), ""), "{action}");
        assert!(stderr.contains("reload-agent"), "{stderr}");
    }
}

#[test]
fn the_meta_data_has_another_interval_for_each_depth() {
    let (code, stdout, stderr) = call("meta-data", &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let value = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let monitors: Vec<&str> = stdout.lines().filter(|line| line.contains("name=\"monitor\"")).collect();
    let depths: Vec<String> = monitors.iter().filter_map(|line| value(line, "depth")).collect();
    assert_eq!(depths, ["0", "10", "20"]);
    let mut intervals: Vec<String> = monitors.iter().filter_map(|line| value(line, "interval")).collect();
    intervals.dedup();
    assert_eq!(intervals.len(), 3, "{intervals:?}");
}

#[test]
fn every_fault_is_named() {
    let environment = [
        ("OCF_RESKEY_config", "haproxy.cfg"),
        ("OCF_RESKEY_binpath", "haproxy"),
        ("OCF_RESKEY_options", "-L 'x"),
        ("OCF_RESKEY_mode", "master"),
        ("OCF_RESKEY_statusurl", "ftp://x/"),
        ("OCF_RESKEY_min_up", "most"),
        ("OCF_RESKEY_on_low", "stop"),
        ("OCF_RESKEY_reload_on", "monday"),
        ("OCF_RESKEY_hard_stop_after", "soon"),
        ("OCF_RESKEY_max_old_workers", "-1"),
    ];
    let (code, _, stderr) = call("validate-all", &environment);
    assert_eq!(code, Some(6));
    for (name, _) in environment {
        let name = name.trim_start_matches("OCF_RESKEY_");
        assert!(stderr.contains(&format!("{name}=")), "{name}: {stderr}");
    }
}

#[test]
fn every_known_name_is_taken_without_a_word() {
    for (name, value) in [
        ("binpath", "/usr/sbin/haproxy"),
        ("haproxy", "/usr/sbin/haproxy"),
        ("conffile", "/etc/haproxy/haproxy.cfg"),
        ("config", "/etc/haproxy/haproxy.cfg"),
        ("extraconf", "-f /etc/haproxy/more.cfg"),
        ("pid", "/run/haproxy.pid"),
        ("monitor_url", "http://127.0.0.1:6000/"),
    ] {
        let variable = format!("OCF_RESKEY_{name}");
        assert_eq!(call("validate-all", &[(&variable, value)]), (Some(0), String::new(), String::new()), "{name}");
    }
}

#[test]
fn a_resource_whose_configuration_is_elsewhere_does_not_run_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("haproxy.cfg");
    let environment =
        [("OCF_RESKEY_configfile", conf.to_str().unwrap()), ("HA_RSCTMP", folder.path().to_str().unwrap())];
    assert_eq!(call("monitor", &environment).0, Some(7));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a probe writes nothing");
}
