//! What needs no IP Virtual Server: machines without the software, faulty files, and processes of
//! others.

use std::path::Path;
use std::time::Duration;

use harness::Host;
use harness::process::wait_until;

use crate::{CONF, PATIENCE, director, has, machine, write};

/// LD-01: the shell agent looked for file and program before every action, and answered 5 to stop
/// and probe (RA:5a96426cd did better for meta-data only).
#[test]
fn ld_01_without_file_or_program_a_stop_succeeds_and_a_probe_finds_nothing() {
    let host = machine("nodea");
    let agent = director(&host);
    let elsewhere = agent.clone().param("ldirectord", "/srv/no/ldirectord");
    for agent in [&agent, &elsewhere] {
        agent.stop().expect_code(0).expect_silent();
        agent.probe().expect_code(7);
        agent.monitor().expect_code(7);
        agent.validate().expect_code(0);
    }
    elsewhere.start().expect_code(5).expect_reason(&["/srv/no/ldirectord", "not installed"]);
    if has(&["/usr/sbin/ldirectord"]) {
        agent.start().expect_code(5).expect_reason(&["configuration file", CONF, "No such file"]);
        agent.validate_here().expect_code(5).expect_reason(&[CONF]);
    }
}

/// LD-03: agent and meta-data disagreed on where the configuration lies (RA:7335cc7f2, f9139460b,
/// 4f207c3c1).
#[test]
fn ld_03_the_defaults_are_those_of_the_meta_data() {
    let host = machine("nodea");
    let told = director(&host).action("meta-data").stdout.clone();
    for default in ["/etc/ha.d/ldirectord.cf", "/usr/sbin/ldirectord"] {
        assert!(told.contains(&format!("default=\"{default}\"")), "{told}");
    }
    if has(&["/usr/sbin/ldirectord"]) {
        write(&host, CONF, "bogus");
        director(&host).start().expect_code(5).expect_reason(&["/etc/ha.d/ldirectord.cf:1: "]);
    }
}

/// LD-02: a mistake in the file was an ordinary failure, tried again and again.
#[test]
fn ld_02_mistakes_are_named_with_their_lines_before_anything_is_started() {
    if !has(&["/usr/sbin/ldirectord"]) {
        return;
    }
    let host = machine("nodea");
    let agent = director(&host);
    let text = "checkinterval=1\nvirtual=10.9.0.50:80\n\treal=10.240.0.20:80 nat\n\
                \tservice=gopher\n\tbogus=1\n";
    write(&host, CONF, text);
    let lines = [3, 4, 5].map(|line| format!("{CONF}:{line}: "));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    agent.validate().expect_code(0);
    // The reason begins with the first one; the message before it has all of all.
    for refused in [agent.validate_here(), agent.start()] {
        refused.expect_code(5).expect_reason(&[lines[0]]).expect_stderr(&lines);
    }
    agent.probe().expect_code(7);
    agent.stop().expect_code(0).expect_silent();
    write(&host, CONF, "supervised=yes\n");
    agent.start().expect_code(5).expect_reason(&[":1: ", "supervised=yes", "never detaches"]);
    assert_eq!(host.sh("ls /var/log"), "", "the daemon's program has not been run");
}

#[test]
fn a_kernel_without_ip_virtual_server_is_named() {
    if Path::new("/proc/net/ip_vs").exists() || !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm"])
    {
        return;
    }
    let host = machine("nodea");
    write(&host, CONF, "virtual=10.9.0.50:80\n\treal=10.240.0.20:80 masq\n");
    let agent = director(&host);
    agent.validate_here().expect_code(0);
    agent.start().expect_code(5).expect_reason(&["this kernel has no IP Virtual Server"]);
    agent.probe().expect_code(7);
    agent.stop().expect_code(0).expect_silent();
    host.sh("! ls /run/resource-agents/*.record");
}

/// The record of a daemon that has ended cannot be removed any more.
#[test]
fn a_state_directory_that_is_read_only_fails_no_stop() {
    let host = machine("nodea");
    let record = format!("version=1\nconfigfile={CONF}\nprogram=/usr/sbin/ldirectord\nconf={CONF}");
    host.sh("mkdir -p /run/resource-agents; mount -t tmpfs -o mode=755 state /run/resource-agents");
    write(&host, "/run/resource-agents/ldirectord-director.record", &record);
    let agent = director(&host);
    agent.stop().expect_code(0).expect_silent();
    host.sh("! ls /run/resource-agents/*.record");
    write(&host, "/run/resource-agents/ldirectord-director.record", &record);
    host.sh("mount -o remount,ro /run/resource-agents");
    agent.stop().expect_code(0).expect_stderr(&["nothing runs any more, but", "Read-only"]);
    agent.probe().expect_code(7);
}

#[test]
fn a_process_that_only_looks_like_it_is_left_alone() {
    let host = machine("nodea");
    write(&host, CONF, "virtual=10.9.0.50:80\n");
    // A program that reads the file, a program of the same interpreter, and a call of the daemon's
    // program that will end.
    let words = ["60", CONF, "start", "/usr/sbin/ldirectord"];
    let mut others = [
        host.spawn("/usr/bin/tail", &["-f", CONF]),
        host.spawn("/usr/bin/perl", &[&["-e", "sleep shift"][..], &words].concat()),
        host.spawn("/usr/bin/perl", &["-e", "sleep 60", "/usr/sbin/ldirectord", CONF, "status"]),
    ];
    let agent = director(&host);
    for other in &mut others {
        let number = other.pid_inside();
        let there = || {
            host.run("cat", &[&format!("/proc/{number}/cmdline")])
                .stdout
                .contains("ldirectord")
                .then_some(())
        };
        assert!(wait_until(PATIENCE, there).is_some());
        host.sh(&format!("echo {number} > /run/ldirectord.ldirectord.cf.pid"));
        agent.probe().expect_code(7);
        agent.monitor().expect_code(7);
        agent.stop().expect_code(0);
        assert!(other.is_alive(), "a stop must not touch it");
    }
}

/// Name servers that are silent cost the start its time only, with a reason, and a stop nothing: it
/// asks none.
#[test]
fn wt_2_silent_name_servers_end_a_start_in_time_and_a_stop_asks_none() {
    if !has(&["/usr/sbin/ldirectord", "/usr/sbin/ipvsadm"]) {
        return;
    }
    let host = Host::builder("nodea").overlay().tmpfs("/etc/ha.d").start();
    host.silent_name_servers();
    write(
        &host,
        CONF,
        "virtual=www.example.test:80\n\treal=rs1.example.test:80 masq\n\treal=10.240.0.20:80 \
         masq\n",
    );
    let agent = director(&host).timeout(Duration::from_secs(3));
    for outcome in [agent.start(), agent.validate_here()] {
        outcome
            .expect_code(1)
            .expect_reason(&[CONF, "no answer from the name servers for www.example.test"]);
        outcome.expect_within(Duration::from_secs(3));
    }
    let stop = agent.timeout(Duration::from_secs(20)).stop();
    stop.expect_code(0).expect_silent().expect_within(Duration::from_secs(1));
}
