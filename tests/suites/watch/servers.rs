//! Servers: the end of their processes wakes the monitor, and what is no failure does not end it.

use std::path::Path;
use std::time::{Duration, Instant};

use harness::process::wait_until;
use harness::{Agent, Host, agent};

use crate::executor::{Ended, Executor, Run, watched};

/// How long a verdict may take, on a machine where other suites run.
const SOON: Duration = Duration::from_millis(400);

/// A machine with these programs and none of their files.
fn machine(program: &str) -> Option<Host> {
    if !Path::new(program).is_file() {
        harness::skip::skip(&format!("{program} is not installed"));
        return None;
    }
    let empty = ["/tmp", "/etc/nginx", "/etc/haproxy", "/var/log", "/var/lib/nginx", "/srv"];
    let host =
        empty.into_iter().fold(Host::builder("nodea"), harness::host::Builder::tmpfs).start();
    host.sh(
        "mkdir -p /var/log/nginx /var/log/apache2 /srv/www; echo alive >/srv/www/index.html; chmod \
         755 /srv /srv/www",
    );
    Some(host)
}

fn write(host: &Host, path: &str, text: &str) {
    host.sh(&format!("cat > {path} <<'END'\n{text}\nEND"));
}

fn nginx(host: &Host) -> Agent<'_> {
    let text = "user root;\nworker_processes 1;\npid /run/nginx.pid;\n\
                error_log /var/log/nginx/error.log;\nevents {}\n\
                http { access_log off; root /srv/www; server { listen 127.0.0.1:8081; } }";
    write(host, "/etc/nginx/web.conf", text);
    // Resources are often called like the server.
    watched(
        agent(host, "nginx").instance("nginx").param("configfile", "/etc/nginx/web.conf"),
        "30s",
    )
}

fn haproxy(host: &Host) -> Agent<'_> {
    configure(host, "alive");
    watched(agent(host, "haproxy").instance("lb").param("configfile", "/etc/haproxy/lb.cfg"), "30s")
}

fn configure(host: &Host, answer: &str) {
    let text = format!(
        "defaults\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server \
         5s\nfrontend web\n  bind 127.0.0.1:8081\n  http-request return status 200 content-type \
         text/plain string {answer}"
    );
    // As an editor does: all of it, in another file first.
    write(host, "/etc/haproxy/new", &text);
    host.sh("mv /etc/haproxy/new /etc/haproxy/lb.cfg");
}

fn apache(host: &Host) -> Agent<'_> {
    let modules = "/usr/lib/apache2/modules";
    let text = format!(
        "ServerName localhost\nListen 127.0.0.1:8081\nPidFile /run/apache.pid\n\
         DocumentRoot /srv/www\nErrorLog /var/log/apache2/e\n\
         LoadModule mpm_event_module {modules}/mod_mpm_event.so\n\
         LoadModule authz_core_module {modules}/mod_authz_core.so\n\
         LoadModule status_module {modules}/mod_status.so\n<Location /server-status>\n\
         SetHandler server-status\n</Location>"
    );
    write(host, "/srv/apache.conf", &text);
    watched(agent(host, "apache").instance("site").param("configfile", "/srv/apache.conf"), "30s")
}

/// The numbers of processes by name, oldest first.
fn numbers(host: &Host, name: &str) -> Vec<String> {
    host.run("pgrep", &["-x", name]).stdout.lines().map(str::to_owned).collect()
}

/// What a monitor that waits says within moments of something that is done to its machine.
#[track_caller]
fn verdict(host: &Host, run: Run<'_>, deed: &str) -> Ended {
    host.sh(deed);
    let done = Instant::now();
    let ended = run.end();
    assert!(done.elapsed() < SOON, "{:?}: {ended:?}", done.elapsed());
    assert!([1, 7].contains(&ended.code), "{ended:?}");
    assert!(
        ended.stderr.contains("ocf-exit-reason:the ") && ended.stderr.contains(" ms ago"),
        "{ended:?}"
    );
    ended
}

/// A run goes on to wait after something that was done, once it has had the time to notice.
#[track_caller]
fn waits_on(run: &Run<'_>) {
    std::thread::sleep(Duration::from_millis(700));
    run.waits();
}

#[test]
fn watch_1_and_7_a_killed_nginx_is_reported_at_once_and_the_killer_spares_the_monitor() {
    let Some(host) = machine("/usr/sbin/nginx") else { return };
    let (executor, agent) = (Executor::new(&host), nginx(&host));
    for killer in ["pkill -9 -x nginx", "pkill -9 nginx", "kill -9 $(cat /run/nginx.pid)"] {
        assert_eq!(executor.run(&agent, "start").code, 0);
        let ended = verdict(&host, executor.waiting(&agent), killer);
        assert!(ended.stderr.contains("the master process "), "{ended:?}");
        assert_eq!(executor.run(&agent, "stop").code, 0);
    }
}

#[test]
fn watch_6_reloads_dead_workers_and_a_new_binary_of_nginx_are_no_failures() {
    let Some(host) = machine("/usr/sbin/nginx") else { return };
    let (executor, agent) = (Executor::new(&host), nginx(&host));
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    let master = host.sh("cat /run/nginx.pid").trim().to_owned();
    host.sh(&format!("kill -HUP {master}"));
    waits_on(&run);
    host.sh(&format!("pkill -9 -x nginx -P {master}"));
    waits_on(&run);
    // A new master, which the old one starts and then leaves alone.
    host.sh(&format!("kill -USR2 {master}"));
    let renewed = || {
        Some(host.sh("cat /run/nginx.pid || :").trim().to_owned())
            .filter(|pid| *pid != master && !pid.is_empty())
    };
    let new = wait_until(Duration::from_secs(10), renewed).unwrap();
    host.sh(&format!("kill -QUIT {master}"));
    let gone = || (!numbers(&host, "nginx").contains(&master)).then_some(());
    assert!(wait_until(Duration::from_secs(10), gone).is_some());
    waits_on(&run);
    let ended = verdict(&host, run, &format!("kill -9 {new}"));
    assert!(ended.stderr.contains(&format!("the master process {new} ended")), "{ended:?}");
    executor.run(&agent, "stop");
}

#[test]
fn watch_1_and_6_haproxy_is_reported_when_it_is_killed_and_not_when_it_is_reloaded() {
    let Some(host) = machine("/usr/sbin/haproxy") else { return };
    let (executor, agent) = (Executor::new(&host), haproxy(&host));
    for victim in ["head -1", "tail -1"] {
        assert_eq!(executor.run(&agent, "start").code, 0);
        let run = executor.waiting(&agent);
        let master = host.sh("cat /run/resource-agents/haproxy-lb.pid").trim().to_owned();
        host.sh(&format!("kill -USR2 {master}"));
        waits_on(&run);
        // The master, and then the worker, whose end a master follows.
        verdict(&host, run, &format!("kill -9 $(pgrep -x haproxy | {victim})"));
        assert_eq!(executor.run(&agent, "stop").code, 0);
    }
}

#[test]
fn watch_6_a_changed_configuration_of_haproxy_is_read_again_at_once_where_that_is_wanted() {
    let Some(host) = machine("/usr/sbin/haproxy") else { return };
    let (executor, agent) = (Executor::new(&host), haproxy(&host).param("reload_on", "change"));
    assert_eq!(executor.run(&agent, "start").code, 0);
    let run = executor.waiting(&agent);
    configure(&host, "renewed");
    let page = || host.run("curl", &["-s", "--max-time", "5", "http://127.0.0.1:8081/"]).stdout;
    let renewed = wait_until(Duration::from_secs(8), || page().contains("renewed").then_some(()));
    assert!(renewed.is_some(), "{}", page());
    run.waits();
    verdict(&host, run, "pkill -9 -x haproxy");
    executor.run(&agent, "stop");
}

#[test]
fn watch_1_and_6_apache_is_reported_when_it_is_killed_and_not_when_it_is_reloaded() {
    let Some(host) = machine("/usr/sbin/apache2") else { return };
    let (executor, agent) = (Executor::new(&host), apache(&host));
    let started = executor.run(&agent, "start");
    assert_eq!(started.code, 0, "{started:?}");
    let run = executor.waiting(&agent);
    host.sh("kill -USR1 $(cat /run/apache.pid)");
    waits_on(&run);
    verdict(&host, run, "kill -9 $(cat /run/apache.pid)");
    assert_eq!(executor.run(&agent, "stop").code, 0);
}
