//! The man pages, by the programs that show them; their examples, by the programs that they are
//! for.

use std::path::PathBuf;
use std::process::Command;

use harness::Host;
use harness::call::executable;
use harness::cluster::installed;
use harness::process::Finished;
use harness::skip::skip;

use crate::{agents, sources, text};

fn pages() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(sources().join("metadata/man")).unwrap();
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    pages
}

#[test]
fn mandoc_finds_no_fault() {
    if !installed("mandoc") {
        return skip("mandoc is not installed");
    }
    for page in pages() {
        let done =
            Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(&page).output().unwrap();
        let printed = String::from_utf8_lossy(&done.stdout).into_owned();
        // A date would make a page differ from build to build, and says less than the version.
        let faults: Vec<&str> =
            printed.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn man_shows_every_page_without_a_warning() {
    if !installed("man") {
        return skip("man is not installed");
    }
    for page in pages() {
        let done = Command::new("man")
            .args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&page)
            .envs([("LC_ALL", "C.UTF-8"), ("MANROFFSEQ", ""), ("MANWIDTH", "80")])
            .env_remove("MAN_KEEP_FORMATTING")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success() && complaint.is_empty(), "{}: {complaint}", page.display());
        let shown = String::from_utf8_lossy(&done.stdout).into_owned();
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO", "AUTHOR"] {
            assert!(
                shown.lines().any(|line| line.trim() == heading),
                "{}: no {heading}",
                page.display()
            );
        }
        let code =
            |line: &str| line.starts_with(' ') && line.contains("ocf:native:") && line.len() > 80;
        assert!(!shown.lines().any(code), "{}: an example is too wide:\n{shown}", page.display());
    }
}

/// The literal lines of a section, as a reader sees them, with lines that go on joined.
fn example(agent: &str, section: &str) -> String {
    let page = text(&format!("metadata/man/ocf_native_{agent}.7"));
    let section = page
        .split(&format!(".SH \"{section}\"\n"))
        .nth(1)
        .unwrap_or_else(|| panic!("{agent}: {section}"));
    let literal = section
        .split(".nf\n")
        .nth(1)
        .and_then(|rest| rest.split(".fi\n").next())
        .expect("an example");
    let lines = literal.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\");
    lines.replace("\\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A machine with the agents in their place and no cluster; or nothing and a loud skip.
pub fn administered(program: &str) -> Option<Host> {
    if let Err(reason) = harness::root::available() {
        skip(&reason);
        return None;
    }
    if !["cibadmin", "crm_verify", program].iter().all(|program| installed(program)) {
        skip(&format!("cibadmin, crm_verify or {program} is not installed"));
        return None;
    }
    let empty = ["/tmp", "/var/log", "/usr/lib/ocf/resource.d"];
    let mut host = empty.into_iter().fold(Host::builder("admin"), harness::host::Builder::tmpfs);
    host = host.dir("/var/log/crmsh").dir("/usr/lib/ocf/resource.d/native");
    for agent in agents() {
        host = host.bind(&executable(&agent), &format!("/usr/lib/ocf/resource.d/native/{agent}"));
    }
    let host = host.start();
    host.sh("cibadmin --empty >/run/empty.xml");
    Some(host)
}

fn is_quiet(done: &Finished) -> bool {
    done.code == Some(0)
        && !done.stderr.to_lowercase().contains("error")
        && !done.stderr.contains("arning")
}

#[test]
fn pcs_takes_the_examples_as_they_are() {
    let Some(host) = administered("pcs") else { return };
    // A file an agent, all at once: pcs takes its time.
    std::thread::scope(|scope| {
        for agent in agents() {
            let host = &host;
            scope.spawn(move || {
                let example = example(&agent, "EXAMPLE PCS");
                let rest =
                    example.strip_prefix("pcs ").unwrap_or_else(|| panic!("{agent}: {example}"));
                host.sh(&format!("cp /run/empty.xml /run/{agent}.xml"));
                let script = format!("HOME=/root exec pcs -f /run/{agent}.xml {rest}");
                let done = host.run("/bin/sh", &["-c", &script]);
                assert!(is_quiet(&done), "{example}: {done:#?}");
                verify(host, &agent);
            });
        }
    });
}

#[test]
fn crm_takes_the_examples_as_they_are() {
    let Some(host) = administered("crm") else { return };
    let mut lines = vec!["property stonith-enabled=false no-quorum-policy=ignore".to_owned()];
    lines.extend(agents().iter().map(|agent| example(agent, "EXAMPLE CRM SHELL")));
    host.sh(&format!(
        "cp /run/empty.xml /run/all.xml; cat >/run/all.crm <<'END'\n{}\nEND",
        lines.join("\n")
    ));
    let script = "HOME=/root CIB_file=/run/all.xml exec crm configure load update /run/all.crm";
    let done = host.run("/bin/sh", &["-c", script]);
    assert!(
        done.code == Some(0) && !done.stderr.contains("ERROR") && !done.stdout.contains("ERROR"),
        "{done:#?}"
    );
    let xml = host.sh("cat /run/all.xml");
    for agent in agents() {
        assert!(
            xml.contains(&format!("provider=\"native\" type=\"{agent}\"")),
            "{agent} is not in {xml}"
        );
    }
}

/// What Pacemaker itself says of the configuration.
fn verify(host: &Host, agent: &str) {
    let file = format!("/run/{agent}.xml");
    host.sh(&format!(
        "CIB_file={file} crm_attribute --type crm_config --name stonith-enabled --update false; \
         CIB_file={file} crm_attribute --type crm_config --name no-quorum-policy --update ignore"
    ));
    let done = host.run("crm_verify", &["-V", "-x", &file]);
    assert!(is_quiet(&done), "{agent}: {done:#?}");
    let xml = host.sh(&format!("cat {file}"));
    assert!(xml.contains("provider=\"native\"") && xml.contains("name=\"monitor\""), "{xml}");
}
