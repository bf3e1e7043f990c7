//! The packages of `make deb` and `make rpm`, installed on a machine of their own: an overlay of this one, or an empty root.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use harness::Host;
use harness::cluster::installed;
use harness::process::Finished;
use harness::skip::skip;

use crate::{agents, sources, text};

/// A package that `make package-test` has built.
fn built(start: &str, end: &str) -> PathBuf {
    let manifest = text("Cargo.toml");
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("version = ")).unwrap().trim_matches('"').to_owned();
    let directory = sources().join("target/package");
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let wanted = |name: &String| name.starts_with(&format!("{start}{version}-")) && name.ends_with(end);
    let found: Vec<String> = names.filter(wanted).collect();
    assert_eq!(found.len(), 1, "{start}*{end} in {}: run make package-test", directory.display());
    directory.join(&found[0])
}

fn debs() -> [PathBuf; 2] {
    [built("ocf-agents_", ".deb"), built("ocf-agents-tester_", ".deb")]
}

fn rpms() -> [PathBuf; 2] {
    [built("ocf-agents-", ".rpm"), built("ocf-agents-tester-", ".rpm")]
}

/// False, and a loud skip, when something is missing.
fn possible(programs: &[&str]) -> bool {
    let absent =
        programs.iter().find(|program| !installed(program)).map(|program| format!("{program} is not installed"));
    match harness::root::available().err().or(absent) {
        Some(reason) => {
            skip(&reason);
            false
        }
        None => true,
    }
}

fn tell(program: &str, args: &[&str]) -> String {
    let done = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Every path of a machine but those of a package system itself, and of the kernel.
fn paths(host: &Host) -> BTreeSet<String> {
    let listed = host.sh(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp \
         -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /root -o -path /work \\) -prune -o -print",
    );
    listed.lines().map(str::to_owned).collect()
}

fn expect(done: &Finished, what: &str) {
    assert!(done.code == Some(0), "{what}: {done:#?}");
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn lintian_finds_nothing_that_is_not_accounted_for() {
    if !possible(&["lintian"]) {
        return;
    }
    for package in debs() {
        let done = Command::new("lintian")
            .args(["--no-cfg", "--allow-root", "--fail-on", "error,warning"])
            .arg(&package)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        let faults: Vec<&str> = told.lines().filter(|line| line.starts_with("E:") || line.starts_with("W:")).collect();
        assert!(done.status.success() && faults.is_empty(), "{}: {told}", package.display());
    }
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn the_debian_packages_depend_on_the_c_library_alone() {
    if !possible(&["dpkg-deb"]) {
        return;
    }
    for package in debs() {
        let package = package.to_str().unwrap();
        let depends = tell("dpkg-deb", &["-f", package, "Depends"]);
        assert!(depends.starts_with("libc6 (>= ") && !depends.contains(','), "{package}: {depends}");
        assert_eq!(tell("dpkg-deb", &["-f", package, "Suggests"]).trim(), "pacemaker");
    }
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn the_debian_packages_live_through_installation_use_and_purge() {
    if !possible(&["dpkg", "pcs", "crm"]) {
        return;
    }
    let mut builder = Host::builder("fresh").overlay();
    let places = ["/srv/agents.deb", "/srv/tester.deb"];
    for (package, place) in debs().iter().zip(places) {
        builder = builder.bind(package, &format!("/run{place}"));
    }
    let host = builder.start();
    let before = paths(&host);
    expect(&host.run("dpkg", &["-i", "/run/srv/agents.deb", "/run/srv/tester.deb"]), "dpkg -i");
    let listed = host.sh("HOME=/root crm ra list ocf native");
    for agent in agents() {
        assert!(listed.split_whitespace().any(|word| word == agent), "{agent} is not in {listed}");
        expect(&host.run("/bin/sh", &["-c", &format!("man ocf_native_{agent} >/dev/null")]), "man");
    }
    let described = host.sh("HOME=/root pcs resource describe ocf:native:IPaddr2");
    assert!(described.contains("cidr_netmask"), "{described}");
    // One life, by the script of a person.
    host.sh("mkdir -p /run/resource-agents; ip link set lo up");
    let agent = "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=vip OCF_RESKEY_ip=192.0.2.10 OCF_RESKEY_nic=lo \
         OCF_RESKEY_cidr_netmask=32 /usr/lib/ocf/resource.d/native/IPaddr2";
    for (action, code) in [("monitor", 7), ("start", 0), ("monitor", 0), ("stop", 0), ("monitor", 7)] {
        let done = host.run("/bin/sh", &["-c", &format!("{agent} {action}")]);
        assert_eq!(done.code, Some(code), "{action}: {done:#?}");
        assert_eq!(host.seen("192.0.2.10").len(), usize::from(code == 0 && action != "stop"), "{action}");
    }
    // In the PATH of root the shell agents' tester comes first, where it is installed.
    let judged =
        host.run("/usr/bin/ocf-tester", &["--strict", "--only", "well-formed,start-running", "ocf:native:Dummy"]);
    expect(&judged, "ocf-tester");
    expect(&host.run("dpkg", &["--purge", "ocf-agents", "ocf-agents-tester"]), "purge");
    let left: Vec<String> = paths(&host).difference(&before).cloned().collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn a_debian_package_and_the_shell_agents_do_not_claim_the_same_file() {
    if !possible(&["dpkg-deb", "dpkg-query"]) {
        return;
    }
    let theirs = tell("dpkg-query", &["-L", "resource-agents"]);
    let theirs: BTreeSet<&str> = theirs.lines().collect();
    for package in debs() {
        let listed = tell("dpkg-deb", &["-c", package.to_str().unwrap()]);
        for line in listed.lines().filter(|line| !line.starts_with('d')) {
            let path = line.split_whitespace().nth(5).unwrap().trim_start_matches('.');
            assert!(!theirs.contains(path), "{path} is in both");
        }
    }
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn the_rpm_packages_go_into_an_empty_root_and_leave_it() {
    if !possible(&["rpm"]) {
        return;
    }
    let host = Host::builder("fresh").tmpfs("/srv").start();
    let root = "/srv/root";
    host.sh(&format!("mkdir {root}; rpm --root {root} --initdb"));
    for package in rpms() {
        let package = package.to_str().unwrap();
        let needs = tell("rpm", &["-qp", "--requires", package]);
        let foreign = |line: &&str| {
            !["libc.so.6", "libm.so.6", "ld-linux", "rpmlib(", "rtld("].iter().any(|known| line.starts_with(known))
        };
        let foreign: Vec<&str> = needs.lines().filter(foreign).collect();
        assert!(foreign.is_empty(), "{package} needs {foreign:?}");
        assert_eq!(tell("rpm", &["-qp", "--suggests", package]).trim(), "pacemaker");
        // There is no C library in this root, as far as rpm knows.
        expect(&host.run("rpm", &["--root", root, "--nodeps", "-i", package]), "rpm -i");
        for path in tell("rpm", &["-qpl", package]).lines() {
            host.sh(&format!("test -e '{root}{path}'"));
        }
    }
    for agent in agents() {
        let mode = host.sh(&format!("stat -c %a {root}/usr/lib/ocf/resource.d/native/{agent}"));
        assert_eq!(mode.trim(), "755", "{agent}");
    }
    let verified = host.run("rpm", &["--root", root, "-V", "--nodeps", "ocf-agents", "ocf-agents-tester"]);
    expect(&verified, "rpm -V");
    expect(&host.run("rpm", &["--root", root, "--nodeps", "-e", "ocf-agents", "ocf-agents-tester"]), "rpm -e");
    let left = host.sh(&format!("cd {root}; find usr ! -type d"));
    let left: Vec<&str> = left.lines().filter(|path| !path.contains("lib/sysimage/rpm")).collect();
    assert!(left.is_empty(), "{left:#?}");
}
