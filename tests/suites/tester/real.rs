//! Agents that others wrote, as Debian packages them: nothing crashes the tester, and what it says of them is true.
//!
//! Each finding that is asserted here has been looked at: it is a fault of the agent, not of the tester.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::Host;
use harness::skip::skip;

use crate::said::{Said, tester};
use crate::side_by_side;

const PATIENCE: Duration = Duration::from_secs(900);

/// Checks that read the description and do nothing else.
const READING: &str = "meta-data,well-formed,schema,mandatory-actions,api-version,descriptions,languages,parameter-names,\
                       defaults-fit,required-default,reloadable,time-outs,time-out-units,action-pairs,depths,\
                       promote-and-demote,migrate-pair,name,quiet-meta-data";

/// Every agent that is installed.
fn installed() -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let providers = ["heartbeat", "pacemaker"].map(|provider| Path::new("/usr/lib/ocf/resource.d").join(provider));
    let files = providers.iter().filter_map(|provider| std::fs::read_dir(provider).ok()).flatten().flatten();
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let mut all: Vec<_> = files.map(|entry| entry.path()).filter(runs).collect();
    all.sort();
    all
}

/// A machine where such an agent can do what it likes: what it writes is gone with the machine.
fn machine() -> Host {
    let host = Host::builder("real").overlay().tmpfs("/tmp").tmpfs("/root").start();
    host.sh("mkdir -p -m 1755 /run/resource-agents; ip link add ethA type veth peer ethB; ip link set ethA up; \
             ip link set ethB up; ip addr add 192.0.2.1/24 dev ethA");
    host
}

#[test]
fn the_description_of_every_installed_agent_can_be_judged() {
    let all = installed();
    if all.len() < 100 {
        return skip("the packages resource-agents and pacemaker are not installed");
    }
    let host = machine();
    let said = side_by_side(
        &all,
        |path| path.display().to_string(),
        |path| {
            let path = path.display().to_string();
            let words = ["--format", "json", "--only", READING, &path];
            Said::of(&crate::animal::run(&host, &tester(), &words, PATIENCE))
        },
    );
    let mut findings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, said) in &said {
        assert!(matches!(said.code, Some(0 | 1)), "{path}: {said:?}");
        assert_eq!(said.verdict("well-formed"), "pass", "{path}: {}", said.told());
        for id in said.with(&["fail", "warn"]) {
            findings.entry(id).or_default().push(path.rsplit('/').next().unwrap_or_default());
        }
    }
    let table: Vec<String> = findings.iter().map(|(id, agents)| format!("{id:18} {}", agents.join(" "))).collect();
    println!("{} agents; what was found:\n{}", said.len(), table.join("\n"));
    // Seen in their texts: "5s" is no integer, a required parameter needs no default, shortdesc is a line.
    for (id, agent) in [("defaults-fit", "ping"), ("required-default", "aws-vpc-move-ip"), ("descriptions", "Squid")] {
        assert!(findings.get(id).is_some_and(|agents| agents.contains(&agent)), "{id} of {agent}: {table:#?}");
    }
    // An agent with many parameters and nothing wrong.
    assert_eq!(findings.values().filter(|agents| agents.contains(&"IPaddr2")).count(), 0, "{table:#?}");
}

/// Judges the life of an installed agent; `None`, and a loud skip, when it is not there.
fn judge(host: &Host, agent: &str, options: &[&str]) -> Option<Said> {
    let path = format!("/usr/lib/ocf/resource.d/{agent}");
    if !Path::new(&path).is_file() {
        skip(&format!("{path} is not installed"));
        return None;
    }
    let mut words = vec!["--format", "json"];
    options
        .iter()
        .for_each(|option| words.extend(if option.starts_with("--") { vec![*option] } else { vec!["-o", option] }));
    words.push(&path);
    let said = Said::of(&crate::animal::run(host, &tester(), &words, PATIENCE));
    assert!(said.warnings().is_empty(), "{agent}: {}", said.told());
    Some(said)
}

/// What is found is this and nothing else.
#[track_caller]
fn found(said: &Said, expected: &[&str]) {
    let found: Vec<_> = said.with(&["fail", "warn"]).into_iter().collect();
    assert_eq!(found, expected, "{}", said.told());
}

/// Without an environment the shell library is not found, for OCF_ROOT is part of it.
const BARE: &str = "meta-data-bare";

#[test]
fn the_dummies_claim_to_have_stopped_what_they_may_not_stop() {
    for agent in ["heartbeat/Dummy", "pacemaker/Dummy"] {
        let Some(said) = judge(&machine(), agent, &[]) else { return };
        // A failure; no warning, for what it costs nothing in a cluster is information.
        found(&said, &["not-root-truth"]);
        assert_eq!((said.verdict(BARE), said.verdict("not-root")), ("info", "info"), "{}", said.told());
        assert!(said.text("not-root-truth").contains("stop as nobody gave 0"), "{}", said.told());
    }
}

#[test]
fn stateful_cannot_stop_what_is_promoted_and_is_sound_otherwise() {
    let Some(said) = judge(&machine(), "pacemaker/Stateful", &["--stub-cluster"]) else { return };
    for check in ["promote", "promote-promoted", "demote", "demote-unpromoted", "start-killed", "stop-killed"] {
        assert_eq!(said.verdict(check), "pass", "{check}: {}", said.told());
    }
    assert!(said.text("stop-promoted").starts_with("stop gave 8"), "{}", said.told());
    assert!(said.notes.iter().any(|note| note.contains("crm_attribute")), "{}", said.told());
}

#[test]
fn a_symlink_cannot_be_stopped_without_its_parameters() {
    let Some(said) = judge(&machine(), "heartbeat/symlink", &["link=/run/link", "target=/etc/passwd"]) else { return };
    assert_eq!(said.verdict("stop-without-parameters"), "fail", "{}", said.told());
    for check in ["extra-arguments", BARE, "no-action", "not-root"] {
        assert_eq!(said.verdict(check), "info", "{check}: {}", said.told());
    }
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn the_background_of_the_shell_address_holds_the_output() {
    let Some(said) = judge(&machine(), "heartbeat/IPaddr2", &["ip=192.0.2.9", "nic=ethA"]) else { return };
    assert_eq!(Vec::from_iter(said.with(&["fail"])), ["held-output"], "{}", said.told());
    assert!(said.text("bad-boolean").contains("lvs_support"), "{}", said.told());
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn the_shell_nginx_lives_and_talks_too_much() {
    let host = machine();
    host.sh("mkdir -p /run/web /var/log/nginx; echo well >/run/web/index.html; cat >/run/web/nginx.conf <<'END'
pid /run/web/nginx.pid;
error_log /run/web/error.log;
events {}
http { access_log off; server { listen 127.0.0.1:8080; root /run/web; } }
END");
    let Some(said) = judge(&host, "heartbeat/nginx", &["configfile=/run/web/nginx.conf"]) else { return };
    for check in ["start", "stop", "start-killed", "process-left", "file-left"] {
        assert_eq!(said.verdict(check), "pass", "{check}: {}", said.told());
    }
    assert!(said.text("quiet-monitor").contains("Using"), "{}", said.told());
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn the_shell_apache_lives_and_waits_for_ever() {
    let host = machine();
    host.sh("mkdir -p /run/web; cat >/run/web/apache2.conf <<'END'
ServerRoot /run/web
ServerName localhost
PidFile /run/web/apache2.pid
Mutex file:/run/web default
Listen 127.0.0.1:8080
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule status_module /usr/lib/apache2/modules/mod_status.so
ErrorLog /run/web/error.log
<Location /server-status>
SetHandler server-status
</Location>
END");
    let status = "statusurl=http://127.0.0.1:8080/server-status";
    let options = ["configfile=/run/web/apache2.conf", "httpd=/usr/sbin/apache2", status];
    let Some(said) = judge(&host, "heartbeat/apache", &options) else { return };
    for check in ["start", "stop", "start-killed", "process-left", "file-left"] {
        assert_eq!(said.verdict(check), "pass", "{check}: {}", said.told());
    }
    assert!(said.text("in-time").contains("as nobody"), "{}", said.told());
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn anything_and_delay_live() {
    let sleeper = ["binfile=/bin/sleep", "cmdline_options=100000"];
    let delays = ["startdelay=0", "stopdelay=0", "mondelay=0"];
    for (agent, options) in [("heartbeat/anything", &sleeper[..]), ("heartbeat/Delay", &delays[..])] {
        let Some(said) = judge(&machine(), agent, options) else { return };
        for check in ["start", "stop", "start-running", "stop-stopped", "process-left"] {
            assert_eq!(said.verdict(check), "pass", "{agent} {check}: {}", said.told());
        }
    }
}
