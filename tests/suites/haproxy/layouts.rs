//! Where a configuration is, and what it says besides.

use crate::{
    HEAD, PLAIN, answers, at, balancer, configure, expect_gone, full_life, machine, master, write,
};

#[test]
fn a_list_a_directory_and_more_in_the_options_are_one_configuration() {
    let Some(host) = machine() else { return };
    host.sh("mkdir -p /etc/haproxy/conf.d '/etc/haproxy/a b'");
    write(&host, "/etc/haproxy/10.cfg", HEAD);
    write(&host, "/etc/haproxy/20.cfg", PLAIN);
    host.sh("cp /etc/haproxy/10.cfg /etc/haproxy/20.cfg /etc/haproxy/conf.d; echo bogus > \
             /etc/haproxy/conf.d/30.off; cp /etc/haproxy/20.cfg '/etc/haproxy/a b/20.cfg'");
    for (configfile, options) in [
        ("/etc/haproxy/10.cfg /etc/haproxy/20.cfg", ""),
        ("/etc/haproxy/conf.d", ""),
        ("/etc/haproxy/20.cfg", "-f /etc/haproxy/10.cfg"),
        ("/etc/haproxy/10.cfg '/etc/haproxy/a b'", "-dr"),
    ] {
        let agent = balancer(&host, configfile).param("options", options);
        agent.start().expect_code(0).expect_silent();
        assert!(answers(&host, 8081), "{configfile}");
        let number = master(&host);
        agent.start().expect_code(0);
        agent.action("reload").expect_code(0);
        assert_eq!(master(&host), number, "{configfile}");
        agent.stop().expect_code(0);
        expect_gone(&host);
        full_life(&host, &agent);
    }
}

#[test]
fn the_usual_configuration_needs_no_parameter() {
    let Some(host) = machine() else { return };
    configure(&host, "haproxy", PLAIN);
    full_life(&host, &balancer(&host, "/x").without("configfile"));
}

/// The one that Debian ships drops its rights and changes its root directory.
#[test]
fn debians_own_configuration_works() {
    let Some(host) = machine() else { return };
    if !harness::root::has_other_users() {
        return harness::skip::skip("without root haproxy cannot become another user");
    }
    let body = "global\n  chroot /srv\n  stats socket /run/haproxy/admin.sock mode 660 level \
                admin\n  user nobody\n  group nogroup\n  daemon\n";
    let agent = balancer(&host, &configure(&host, "a", &format!("{body}{PLAIN}")));
    // After a boot /run is empty: a start makes the directory of the socket.
    host.sh("chmod 755 /run; [ ! -e /run/haproxy ]");
    full_life(&host, &agent);
    for mode in ["master-worker", "daemon"] {
        let agent = agent.clone().param("mode", mode);
        agent.start().expect_code(0);
        agent.action("reload").expect_code(0);
        agent.action("reload").expect_code(0);
        at(&agent, 20).expect_code(0).expect_silent();
        agent.stop().expect_code(0);
        expect_gone(&host);
    }
}

#[test]
fn what_a_configuration_says_of_processes_and_sockets_does_not_matter() {
    let Some(host) = machine() else { return };
    for more in [
        "daemon",
        "master-worker",
        "stats socket /run/admin.sock mode 600 level admin",
        "nbthread 2",
        "hard-stop-after 9s",
    ] {
        let path = configure(&host, "a", PLAIN);
        host.sh(&format!("sed -i 's#^global#global\\n  {more}#' {path}"));
        full_life(&host, &balancer(&host, &path));
        host.sh("rm -f /run/admin.sock");
    }
}

#[test]
fn a_stats_socket_of_the_configuration_serves_the_daemon_mode() {
    let Some(host) = machine() else { return };
    let path = configure(&host, "a", PLAIN);
    host.sh(&format!(
        "sed -i 's#^global#global\\n  stats socket /run/admin.sock mode 600 level admin#' {path}"
    ));
    let agent =
        balancer(&host, &path).param("mode", "daemon").param("stats_socket", "/run/admin.sock");
    full_life(&host, &agent);
    agent.start().expect_code(0);
    agent.action("reload").expect_code(0);
    at(&agent, 20).expect_code(0).expect_silent();
    host.sh("test -S /run/admin.sock; ! ls /run/resource-agents/*.stats 2>/dev/null");
    agent.stop().expect_code(0);
    expect_gone(&host);
}

#[test]
fn sockets_and_files_can_be_where_one_likes() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    let agent = agent
        .param("pidfile", "/run/deep/down/pid")
        .param("master_socket", "/run/deep/master.sock");
    full_life(&host, &agent);
    let long = balancer(&host, "/etc/haproxy/a.cfg").instance(&"long".repeat(30));
    full_life(&host, &long);
    full_life(&host, &long.param("mode", "daemon"));
}

#[test]
fn a_closed_frontend_fails_and_a_full_one_is_shown() {
    let Some(host) = machine() else { return };
    let agent = balancer(&host, &configure(&host, "a", PLAIN));
    agent.start().expect_code(0);
    host.sh("python3 - <<'END'\nimport socket\ns = socket.socket(socket.AF_UNIX)\n\
             s.connect('/run/resource-agents/haproxy-lb.sock')\n\
             s.sendall(b'@1 disable frontend web\\n')\n\
             s.shutdown(socket.SHUT_WR)\nprint(s.recv(9999))\nEND");
    at(&agent, 0).expect_code(0);
    at(&agent, 10).expect_code(1).expect_reason(&["take no connections", "web ("]);
    agent.stop().expect_code(0);
    expect_gone(&host);
}
