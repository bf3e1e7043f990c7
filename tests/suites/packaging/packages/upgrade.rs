//! Another version of the package on nodes of a running cluster: there, back and there again, while
//! a client asks for a page.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use harness::process::wait_until;
use harness::stage::{RESOURCES, SOON, Stage, Wish};
use harness::visitor::outage;

use super::{debs, possible, tell};
use crate::agents;

/// A package of an earlier version, of the programs that the suites run: they are not static, and
/// so other files.
fn earlier(package: &Path, directory: &Path) -> PathBuf {
    let (root, made) = (directory.join("earlier"), directory.join("earlier.deb"));
    tell("dpkg-deb", &["--raw-extract", package.to_str().unwrap(), root.to_str().unwrap()]);
    for agent in agents() {
        std::fs::copy(
            harness::call::executable(&agent),
            root.join("usr/lib/ocf/resource.d/native").join(&agent),
        )
        .unwrap();
    }
    let control = root.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let lines = text
        .lines()
        .map(|line| if line.starts_with("Version: ") { "Version: 0.0.1-1" } else { line });
    std::fs::write(&control, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    tell(
        "dpkg-deb",
        &[
            "--root-owner-group",
            "-Znone",
            "--build",
            root.to_str().unwrap(),
            made.to_str().unwrap(),
        ],
    );
    made
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn a_running_cluster_is_upgraded_and_downgraded_without_losing_a_request() {
    if !possible(&["dpkg", "dpkg-deb", "pcs", "nginx", "corosync", "pacemakerd"]) {
        return;
    }
    let [new, _] = debs();
    let directory = tempfile::tempdir().unwrap();
    let packages = [("old", earlier(&new, directory.path())), ("new", new)];
    let stage = Stage::set(Wish { address_interval: 1, server_interval: 1, ..Wish::default() });
    for name in ["node1", "node2", "node3"] {
        let node = stage.cluster.named(name);
        for (version, package) in &packages {
            std::fs::copy(package, format!("/proc/{}/root/root/{version}.deb", node.pid()))
                .unwrap();
        }
        // Each agent is a mount of its own there, which no package can replace: the same files as a
        // directory lie over them.
        node.sh("mkdir /root/native; cp /usr/lib/ocf/resource.d/native/* /root/native/
            mount --bind /root/native /usr/lib/ocf/resource.d/native; dpkg -i /root/old.deb");
    }
    let owner = stage.owner();
    let node = stage.cluster.named(&owner);
    let master = || node.sh("cat /run/nginx.pid");
    let (before, began) = (master(), SystemTime::now());
    for version in ["new", "old", "new"] {
        let changed = SystemTime::now();
        for name in ["node1", "node2", "node3"] {
            stage.cluster.named(name).sh(&format!("dpkg -i --force-downgrade /root/{version}.deb"));
        }
        // Monitors come every second; some of them are of this version alone.
        wait_until(Duration::from_secs(6), || {
            (changed.elapsed().unwrap_or_default().as_secs() >= 5).then_some(())
        });
        let status = stage.cluster.wait_for("all well", SOON, |status| status.are_well(&RESOURCES));
        assert!(status.failures.is_empty(), "{version}: {status}");
        assert_eq!(
            (stage.owner(), master()),
            (owner.clone(), before.clone()),
            "{version}: something was moved"
        );
    }
    let requests = stage.eyes.visitor.since(began);
    let now = SystemTime::now() - Duration::from_secs(1);
    let seen = outage(&requests, began, now);
    let failed: Vec<_> = requests.iter().filter(|it| it.sent < now && it.said.is_err()).collect();
    println!(
        "{} of {} requests failed while the package changed three times",
        seen.lost, seen.sent
    );
    assert!(failed.is_empty() && seen.sent > 500, "{failed:?}");
    stage.strike();
}
