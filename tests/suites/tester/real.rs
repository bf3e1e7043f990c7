//! Agents that others wrote, as Debian packages them: nothing crashes the tester, and what it says
//! of them is true.
//!
//! Each finding that is asserted here has been looked at: it is a fault of the agent, not of the
//! tester.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::Host;
use harness::skip::skip;
use serde_json::Value;

use crate::said::{Said, tester};

const PATIENCE: Duration = Duration::from_secs(900);

/// Where Debian's agents are, and the packages that they come from.
const PROVIDERS: [&str; 2] =
    ["/usr/lib/ocf/resource.d/heartbeat", "/usr/lib/ocf/resource.d/pacemaker"];
const PACKAGES: [&str; 2] = ["resource-agents", "pacemaker-resource-agents"];

/// Checks whose findings depend on the machine: how fast it is, and which programs it has that an
/// agent calls.
const OF_THE_MACHINE: &str = "meta-data-fast,quiet-meta-data";

/// The table of what was found, beside the sources.
const TABLE: &str = "fixtures/agents-of-debian";

/// Writes the table anew, instead of comparing.
const UPDATE: &str = "UPDATE_FINDINGS";

/// A machine where such an agent can do what it likes: what it writes is gone with the machine.
fn machine() -> Host {
    let host = Host::builder("real").overlay().tmpfs("/tmp").tmpfs("/root").start();
    host.sh(
        "mkdir -p -m 1755 /run/resource-agents; ip link add ethA type veth peer ethB; ip link \
             set ethA up; ip link set ethB up; ip addr add 192.0.2.1/24 dev ethA",
    );
    host
}

/// A line for each package: its name and its version.
fn versions() -> Option<String> {
    let asked = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${Version}\n"])
        .args(PACKAGES)
        .output()
        .ok()?;
    asked.status.success().then(|| String::from_utf8_lossy(&asked.stdout).into_owned())
}

/// The table: the packages, how many agents there are, and for each check in how many it fails,
/// warns and informs.
fn table(versions: &str, reports: &[Value]) -> String {
    let mut found: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for check in reports.iter().flat_map(|report| report["checks"].as_array().into_iter().flatten())
    {
        let column = ["fail", "warn", "info"].iter().position(|word| check["verdict"] == *word);
        if let (Some(column), Some(id)) = (column, check["id"].as_str()) {
            found.entry(id).or_default()[column] += 1;
        }
    }
    let rows = found
        .iter()
        .map(|(id, [fail, warn, info])| format!("{id:20} {fail:>4} {warn:>4} {info:>4}\n"));
    format!(
        "# What ocf-tester --meta-data-only finds in the agents of these packages of Debian: the \
         number of agents for each\n\
         # check. {UPDATE}=1 cargo test -p ocf-agents-tests --test tester -- of_debian writes it \
         anew.\n\
         {versions}agents {}\n\n{:20} fail warn info\n{}",
        reports.len(),
        "check",
        rows.collect::<String>()
    )
}

#[test]
fn the_descriptions_of_debian_s_agents_are_judged_as_the_table_says() {
    let Some(versions) =
        versions().filter(|_| PROVIDERS.iter().all(|provider| Path::new(provider).is_dir()))
    else {
        return skip(
            "the packages resource-agents and pacemaker-resource-agents are not installed",
        );
    };
    if !crate::has(&["xmllint"]) {
        return;
    }
    let words = [
        "--meta-data-only",
        "--format",
        "json",
        "--skip",
        OF_THE_MACHINE,
        PROVIDERS[0],
        PROVIDERS[1],
    ];
    let done = crate::animal::run(&machine(), &tester(), &words, PATIENCE);
    assert_eq!(done.code, Some(1), "some of them fail: {}", done.stderr);
    let reports: Vec<Value> =
        done.stdout.lines().map(|line| serde_json::from_str(line).expect("a report")).collect();
    let found = table(&versions, &reports);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    if kept.contains(&versions) {
        assert_eq!(found, kept, "{}: {UPDATE}=1 writes it anew", path.display());
    } else {
        // Another release of Debian has other agents; that they can be judged must hold there, too.
        println!("The table is of other packages; here:\n{found}");
    }
    assert!(reports.len() > 100, "{found}");
    // Or it has none to read: powervs-subnet of Debian 13 ends with 1 where python3-requests is not
    // installed.
    let is_judged = |report: &&Value| {
        let mut checks = report["checks"].as_array().into_iter().flatten();
        checks.any(|check| is_well_formed(check) || has_none(check))
    };
    assert_eq!(reports.iter().filter(is_judged).count(), reports.len(), "{found}");
}

fn has_none(check: &Value) -> bool {
    check["id"] == "meta-data" && check["verdict"] == "fail"
}

fn is_well_formed(check: &Value) -> bool {
    check["id"] == "well-formed" && check["verdict"] == "pass"
}

/// Judges the life of an installed agent; `None`, and a loud skip, when it is not there.
fn judge(host: &Host, agent: &str, options: &[&str]) -> Option<Said> {
    let path = format!("/usr/lib/ocf/resource.d/{agent}");
    if !Path::new(&path).is_file() {
        skip(&format!("{path} is not installed"));
        return None;
    }
    let mut words = vec!["--format", "json"];
    options.iter().for_each(|option| {
        words.extend(if option.starts_with("--") { vec![*option] } else { vec!["-o", option] })
    });
    words.push(&path);
    let said = Said::of(&crate::animal::run(host, &tester(), &words, PATIENCE));
    assert!(said.warnings().is_empty(), "{agent}: {}", said.report());
    Some(said)
}

/// What is found is this and nothing else: what fails, what warns, what informs.
#[track_caller]
fn found(said: &Said, fail: &[&str], warn: &[&str], info: &[&str]) {
    for (verdict, expected) in [("fail", fail), ("warn", warn), ("info", info)] {
        let found: Vec<_> = said.with(&[verdict]).into_iter().collect();
        assert_eq!(found, expected, "{verdict}: {}", said.report());
    }
}

/// Without an environment the shell library is not found, for OCF_ROOT is part of it.
const BARE: &str = "meta-data-bare";

#[test]
fn the_dummies_claim_to_have_stopped_what_they_may_not_stop() {
    for agent in ["heartbeat/Dummy", "pacemaker/Dummy"] {
        let Some(said) = judge(&machine(), agent, &[]) else { return };
        // A failure; no warning, for what costs nothing in a cluster is information.
        found(&said, &["not-root-truth"], &[], &[BARE, "not-root"]);
        assert!(said.text("not-root-truth").contains("stop as nobody gave 0"), "{}", said.report());
    }
}

#[test]
fn stateful_cannot_stop_what_is_promoted_and_is_sound_otherwise() {
    let Some(said) = judge(&machine(), "pacemaker/Stateful", &["--stub-cluster"]) else { return };
    for check in [
        "promote",
        "promote-promoted",
        "demote",
        "demote-unpromoted",
        "start-killed",
        "stop-killed",
    ] {
        assert_eq!(said.verdict(check), "pass", "{check}: {}", said.report());
    }
    assert!(said.text("stop-promoted").starts_with("stop gave 8"), "{}", said.report());
    assert!(said.with(&["warn"]).is_empty(), "{}", said.report());
    assert!(said.notes.iter().any(|note| note.contains("crm_attribute")), "{}", said.report());
}

#[test]
fn a_symlink_cannot_be_stopped_without_its_parameters() {
    let Some(said) =
        judge(&machine(), "heartbeat/symlink", &["link=/run/link", "target=/etc/passwd"])
    else {
        return;
    };
    found(
        &said,
        &["stop-without-parameters"],
        &["reason"],
        &["extra-arguments", BARE, "no-action", "not-root"],
    );
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn the_background_of_the_shell_address_holds_the_output() {
    let Some(said) = judge(&machine(), "heartbeat/IPaddr2", &["ip=192.0.2.9", "nic=ethA"]) else {
        return;
    };
    assert_eq!(Vec::from_iter(said.with(&["fail"])), ["held-output"], "{}", said.report());
    assert!(said.text("bad-boolean").contains("lvs_support"), "{}", said.report());
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn the_shell_nginx_lives_and_talks_too_much() {
    let host = machine();
    host.sh("mkdir -p /run/web /var/log/nginx; echo well >/run/web/index.html; cat \
        >/run/web/nginx.conf <<'END'
pid /run/web/nginx.pid;
error_log /run/web/error.log;
events {}
http { access_log off; server { listen 127.0.0.1:8080; root /run/web; } }
END");
    let Some(said) = judge(&host, "heartbeat/nginx", &["configfile=/run/web/nginx.conf"]) else {
        return;
    };
    for check in ["start", "stop", "start-killed", "process-left", "file-left"] {
        assert_eq!(said.verdict(check), "pass", "{check}: {}", said.report());
    }
    assert!(said.text("quiet-monitor").contains("Using"), "{}", said.report());
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
        assert_eq!(said.verdict(check), "pass", "{check}: {}", said.report());
    }
    assert!(said.text("in-time").contains("as nobody"), "{}", said.report());
}

#[test]
#[ignore = "takes minutes; make test-slow runs it"]
fn anything_and_delay_live() {
    let sleeper = ["binfile=/bin/sleep", "cmdline_options=100000"];
    let delays = ["startdelay=0", "stopdelay=0", "mondelay=0"];
    for (agent, options) in [("heartbeat/anything", &sleeper[..]), ("heartbeat/Delay", &delays[..])]
    {
        let Some(said) = judge(&machine(), agent, options) else { return };
        for check in ["start", "stop", "start-running", "stop-stopped", "process-left"] {
            assert_eq!(said.verdict(check), "pass", "{agent} {check}: {}", said.report());
        }
    }
}
