//! Our own agents, judged as strictly as it goes.

use std::time::Duration;

use harness::call::executable;
use harness::rig::{VIP4, VIP6};
use harness::{Host, L2};

use crate::has;
use crate::said::{Said, tester};

const PATIENCE: Duration = Duration::from_secs(300);

/// Judges an agent on machine A of a rig. It is where every user can get at it, and no check hides
/// it.
fn passes(kind: &str, options: &[&str]) {
    if !has(&["xmllint"]) {
        return;
    }
    let inside = format!("/media/native/{kind}");
    let machine = ["/media", "/tmp", "/var/tmp", "/dev/shm"]
        .into_iter()
        .fold(Host::builder("nodea"), harness::host::Builder::tmpfs)
        .bind(&executable(kind), &inside);
    let rig = L2::with(machine.start());
    judge(&rig.a, &inside, options);
    for address in [VIP4, VIP6] {
        rig.a.expect_absent(address);
    }
}

/// Judges the agent at `path` on a machine.
fn judge(host: &Host, path: &str, options: &[&str]) {
    let mut words = vec!["--format", "json", "--strict", "-n", "tested"];
    options.iter().for_each(|option| words.extend(["-o", option]));
    words.push(path);
    let said = Said::of(&crate::animal::run(host, &tester(), &words, PATIENCE));
    assert!(said.is_clean(), "{path} {options:?}:\n{}", said.report());
}

#[test]
fn an_ipv4_address_keeps_every_rule() {
    passes("IPaddr2", &[&format!("ip={VIP4}")]);
}

#[test]
fn an_ipv6_address_keeps_every_rule() {
    passes("IPaddr2", &[&format!("ip={VIP6}"), "cidr_netmask=64", "nic=ethA"]);
}

#[test]
fn an_address_with_a_label_keeps_every_rule() {
    passes("IPaddr2", &[&format!("ip={VIP4}"), "nic=ethA", "iflabel=web", "arp_count=1"]);
}

#[test]
fn the_reference_agent_keeps_every_rule() {
    passes("Dummy", &[]);
}

#[test]
fn a_web_server_keeps_every_rule() {
    if !has(&["xmllint", "apache2"]) {
        return;
    }
    let machine = ["/media", "/tmp", "/var/tmp", "/dev/shm", "/srv", "/var/log"]
        .into_iter()
        .fold(Host::builder("nodea"), harness::host::Builder::tmpfs)
        .bind(&executable("apache"), "/media/native/apache")
        .start();
    machine.sh("mkdir /srv/htdocs; echo '<html>alive</html>' >/srv/htdocs/index.html
        cd /usr/lib/apache2/modules
        { echo ServerName web
        for m in mpm_event authz_core dir; do echo \"LoadModule ${m}_module $PWD/mod_$m.so\"; done
        printf '%s\\n' 'User www-data' 'Group www-data' 'ErrorLog /srv/error.log' 'PidFile \
        /run/web/httpd.pid'
        printf '%s\\n' 'Listen 127.0.0.1:8081' 'DocumentRoot /srv/htdocs' 'DirectoryIndex \
        index.html'; } >/srv/httpd.conf");
    judge(
        &machine,
        "/media/native/apache",
        &["configfile=/srv/httpd.conf", "testurl=/", "testregex10=alive"],
    );
}

#[test]
fn a_load_balancer_keeps_every_rule() {
    if !has(&["xmllint", "haproxy"]) {
        return;
    }
    let machine = ["/media", "/tmp", "/var/tmp", "/dev/shm", "/srv"]
        .into_iter()
        .fold(Host::builder("nodea"), harness::host::Builder::tmpfs)
        .bind(&executable("haproxy"), "/media/native/haproxy")
        .start();
    machine.sh(
        "printf '%s\\n' defaults 'mode http' 'timeout client 9s' 'timeout server 9s' 'timeout \
         connect 1s' 'frontend web' \\
        'bind 127.0.0.1:8081' 'http-request return status 200 content-type text/plain string \
        alive' >/srv/haproxy.cfg",
    );
    let options = ["configfile=/srv/haproxy.cfg", "statusurl=http://127.0.0.1:8081/"];
    judge(&machine, "/media/native/haproxy", &options);
}

#[test]
fn a_unit_of_systemd_keeps_every_rule() {
    if !has(&["xmllint"]) {
        return;
    }
    if let Some(reason) = harness::systemd_box::missing() {
        return harness::skip::skip(&reason);
    }
    let machine = harness::SystemdBox::up("nodea");
    machine.units(&[(
        "app.service",
        "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n",
    )]);
    machine.sh(&format!(
        "mkdir -m 755 /srv/native; install -m 755 {} /srv/native/systemd",
        executable("systemd").display()
    ));
    judge(&machine, "/srv/native/systemd", &["unit=app", "check_command=/bin/true"]);
}
