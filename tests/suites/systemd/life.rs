//! Whole lives of real services.

use std::time::Duration;

use crate::{READY, SIMPLE, at, machine, state, unit, wait_state};

/// A web server of this machine's packages: start, monitors, crash, start, stop.
fn lives(program: &str, service: &str, prepare: &str) {
    let Some(machine) = machine(&[program]) else { return };
    machine.sh(prepare);
    let agent = unit(&machine, service)
        .param("check_http", "http://127.0.0.1/")
        .param("check_match", "alive");
    agent.probe().expect_code(7).expect_silent();
    agent.start().expect_code(0).expect_silent();
    assert_eq!(state(&machine, service), "active");
    for level in [0, 10, 20] {
        at(&agent, level).expect_code(0).expect_silent();
    }
    // Again: it is there already.
    agent.start().expect_code(0);
    let pid = machine.main_pid(service);
    machine.sh(&format!("kill -9 {pid}"));
    wait_state(&machine, service, "failed");
    agent.monitor().expect_code(7).expect_reason(&[service, "SIGKILL"]);
    agent.start().expect_code(0);
    assert_ne!(machine.main_pid(service), pid);
    agent.monitor().expect_code(0).expect_silent();
    agent.stop().expect_code(0).expect_silent();
    assert_eq!(state(&machine, service), "inactive");
    machine.sh(&format!("! test -e /run/systemd/system/{service}.service.d"));
    agent.probe().expect_code(7);
    agent.stop().expect_code(0).expect_silent();
}

#[test]
fn sd_06_nginx_lives() {
    lives(
        "nginx",
        "nginx",
        "mkdir -p /var/www/html; echo alive >/var/www/html/index.html; rm -f \
         /var/www/html/index.nginx*",
    );
}

#[test]
fn sd_06_apache_lives() {
    lives("apache2", "apache2", "mkdir -p /var/www/html; echo alive >/var/www/html/index.html");
}

#[test]
fn sd_06_haproxy_lives() {
    let config = "global\n  stats socket /run/haproxy/admin.sock\ndefaults\n  mode http\n  timeout \
                  client 5s\n  timeout server 5s\n  timeout connect 5s\nfrontend f\n  bind \
                  127.0.0.1:80\n  http-request return status 200 content-type text/plain string \
                  alive\n";
    lives("haproxy", "haproxy", &format!("cat >/etc/haproxy/haproxy.cfg <<'END'\n{config}END"));
}

/// Pacemaker stops a resource that was renamed after a probe without its parameters, and one whose
/// parameter was changed after a probe with the new one.
#[test]
fn a_stop_ends_the_unit_that_was_started_whatever_the_parameters_say() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("one.service", SIMPLE), ("two.service", SIMPLE)]);
    let agent = unit(&machine, "one");
    let without = harness::agent(&machine, "systemd").instance("tested");
    for other in [without.clone(), unit(&machine, "two")] {
        agent.start().expect_code(0);
        machine.sh("systemctl start two");
        other.stop().expect_code(0);
        assert_eq!(state(&machine, "one"), "inactive");
        machine.sh("! test -e /run/systemd/system/one.service.d");
    }
    // The second stop had that unit as its parameter, too.
    assert_eq!(state(&machine, "two"), "inactive");
    // It is down, and another may start it.
    machine.sh("systemctl start one");
    without.stop().expect_code(0);
    assert_eq!(state(&machine, "one"), "active");
    without.probe().expect_code(7);
    agent.start().expect_code(0);
    without.probe().expect_code(0);
}

#[test]
fn a_reload_is_done_by_the_unit_if_it_can() {
    let Some(machine) = machine(&[]) else { return };
    let slow = format!("{READY}ExecReload=/bin/sh -c 'echo x >>/run/reloaded; sleep 2'\n");
    let faulty = format!("{READY}ExecReload=/bin/sh -c 'echo faulty line 7 >&2; exit 3'\n");
    machine.units(&[
        ("slow.service", &slow),
        ("faulty.service", &faulty),
        ("plain.service", SIMPLE),
    ]);
    let agent = unit(&machine, "slow");
    agent.action("reload").expect_code(1).expect_reason(&["slow.service", "inactive"]);
    agent.start().expect_code(0);
    let before = machine.main_pid("slow");
    agent.action("reload").expect_code(0);
    assert_eq!(
        (machine.sh("cat /run/reloaded").as_str(), machine.main_pid("slow")),
        ("x\n", before)
    );
    // While it reloads, it runs: or what the parameter says.
    machine.sh("systemctl reload --no-block slow");
    wait_state(&machine, "slow", "reloading");
    agent.monitor().expect_code(0).expect_silent();
    agent
        .clone()
        .param("monitor_reload_as", "degraded")
        .monitor()
        .expect_code(190)
        .expect_reason(&["reads its configuration"]);
    agent.clone().param("monitor_reload_as", "changing").monitor().expect_code(0);
    assert_eq!(state(&machine, "slow"), "active", "it was waited for");
    agent.action("reload-agent").expect_code(0);
    agent.stop().expect_code(0);
    agent.action("reload-agent").expect_code(1);

    let agent = unit(&machine, "faulty");
    agent.start().expect_code(0);
    agent
        .action("reload")
        .expect_code(1)
        .expect_reason(&["reload job of faulty.service failed", "faulty line 7"]);
    agent.monitor().expect_code(0);

    let agent = unit(&machine, "plain");
    agent.start().expect_code(0);
    agent.action("reload").expect_code(3).expect_reason(&["plain.service", "ExecReload"]);
    agent.monitor().expect_code(0);
}

#[test]
fn checks_of_all_kinds_count_at_start_and_at_their_levels() {
    let Some(machine) = machine(&["python3"]) else { return };
    // Systemd calls it started at once; it listens a second later.
    machine.write(
        "/srv/late.py",
        "import socket, time, sys\ntime.sleep(1)\nt = socket.create_server(('127.0.0.1', 8085))\n\
         u = socket.socket(socket.AF_UNIX)\nu.bind('/run/late.sock')\nu.listen()\ntime.sleep(1000)",
    );
    machine.units(&[(
        "late.service",
        "[Service]\nExecStartPre=rm -f /run/late.sock\nExecStart=/usr/bin/python3 /srv/late.py\n",
    )]);
    let agent = unit(&machine, "late")
        .param("check_tcp", "127.0.0.1:8085")
        .param("check_unix", "/run/late.sock")
        .param("check_command", "/usr/bin/test -e '/run/good as new'");
    machine.sh("touch '/run/good as new'");
    agent.start().expect_code(0).expect_silent();
    at(&agent, 20).expect_code(0).expect_silent();
    machine.sh("rm '/run/good as new'");
    at(&agent, 10).expect_code(0);
    at(&agent, 20).expect_code(1).expect_reason(&[
        "late.service is active, but does not work",
        "check_command",
        "exit code 1",
    ]);
    machine.sh("rm /run/late.sock");
    at(&agent, 0).expect_code(0);
    at(&agent, 10).expect_code(1).expect_reason(&["check_unix", "/run/late.sock"]);
    let elsewhere = agent.clone().param("check_tcp", "127.0.0.1:9");
    at(&elsewhere, 10).expect_code(1).expect_reason(&["check_tcp", "127.0.0.1:9"]);
    agent.stop().expect_code(0);
    // What never works is stopped again, in time.
    let hopeless = elsewhere.timeout(Duration::from_secs(4));
    hopeless.start().expect_code(1).expect_reason(&[
        "late.service",
        "did not work in time",
        "check_tcp",
        "stopped again",
    ]);
    assert_eq!(state(&machine, "late"), "inactive");
}

#[test]
fn an_application_that_dies_while_it_is_waited_for_is_told_at_once() {
    let Some(machine) = machine(&[]) else { return };
    let dies = "[Service]\nExecStart=/bin/sh -c 'sleep 0.5; echo no database; exit 4'\n";
    machine.units(&[("dies.service", dies)]);
    let agent =
        unit(&machine, "dies").param("check_tcp", "127.0.0.1:9").timeout(Duration::from_secs(60));
    let failed = agent.start();
    failed.expect_code(1).expect_reason(&[
        "dies.service",
        "exit status 4",
        "exit-code",
        "no database",
    ]);
    failed.expect_within(Duration::from_secs(20));
    agent.stop().expect_code(0);
}

#[test]
fn a_start_of_what_runs_already_takes_it_over() {
    let Some(machine) = machine(&[]) else { return };
    machine.units(&[("mine.service", &format!("{READY}Restart=always\n"))]);
    machine.sh("systemctl start mine");
    let pid = machine.main_pid("mine");
    let agent = unit(&machine, "mine");
    agent.start().expect_code(0).expect_silent();
    assert_eq!(machine.main_pid("mine"), pid);
    assert_eq!(machine.property("mine", "Restart"), "no");
    agent.stop().expect_code(0);
}

/// A name in `check_tcp`, and name servers that do not answer.
#[test]
fn wt_2_silent_name_servers_end_a_check_in_time() {
    let Some(machine) = machine(&["ip"]) else { return };
    machine.units(&[("thing.service", "[Service]\nExecStart=/bin/sleep infinity\n")]);
    machine.silent_name_servers();
    let agent = unit(&machine, "thing");
    agent.start().expect_code(0);
    let limit = Duration::from_secs(6);
    let named = agent.clone().param("check_tcp", "web.example:80").timeout(limit);
    at(&named, 10)
        .expect_code(1)
        .expect_reason(&["web.example", "resolv.conf"])
        .expect_within(limit);
    named.stop().expect_code(0);
}

/// A drop-in that cannot be removed any more is no reason to fail a stop that has left nothing.
#[test]
fn an_3_a_read_only_directory_of_units_fails_no_stop() {
    let Some(machine) = machine(&[]) else { return };
    machine
        .units(&[("thing.service", "[Service]\nExecStart=/bin/sleep infinity\nRestart=always\n")]);
    let agent = unit(&machine, "thing");
    agent.start().expect_code(0);
    machine.sh("mount --bind /run/systemd/system /run/systemd/system
                mount -o remount,bind,ro /run/systemd/system");
    agent.stop().expect_code(0);
    assert_eq!(state(&machine, "thing"), "inactive");
}
