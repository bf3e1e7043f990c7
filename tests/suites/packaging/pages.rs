//! The man pages, by the programs that show them. Their examples are those of the READMEs, which
//! the programs that they are for take in another test.

use std::path::PathBuf;
use std::process::Command;

use harness::Host;
use harness::call::executable;
use harness::cluster::installed;
use harness::skip::skip;

use crate::{agents, sources};

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
        let wanted =
            if shown.contains("ocf_native_agents") && !page.ends_with("ocf_native_agents.7") {
                &["EXAMPLES", "DIAGNOSTICS"][..]
            } else {
                &[]
            };
        for heading in wanted {
            assert!(shown.lines().any(|line| line == *heading), "{}: no {heading}", page.display());
        }
        let code =
            |line: &str| line.starts_with(' ') && line.contains("ocf:native:") && line.len() > 80;
        assert!(!shown.lines().any(code), "{}: an example is too wide:\n{shown}", page.display());
    }
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
