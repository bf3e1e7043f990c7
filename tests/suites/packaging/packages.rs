//! The packages of `make deb` and `make rpm`, installed on a machine of their own: an overlay of
//! this one, or a fresh root ([`fresh`]).

mod aarch64;
mod fresh;
mod source;
mod tarball;
mod upgrade;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use harness::Host;
use harness::cluster::installed;
use harness::enter::Entry;
use harness::process::{self, Finished, Victim};
use harness::skip::skip;

use crate::{agents, sources, text};

/// A package that `make package-test` has built.
fn built(start: &str, end: &str) -> PathBuf {
    let manifest = text("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    let directory = sources().join("target/package");
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let wanted =
        |name: &String| name.starts_with(&format!("{start}{version}-")) && name.ends_with(end);
    let found: Vec<String> = names.filter(wanted).collect();
    assert_eq!(found.len(), 1, "{start}*{end} in {}: run make package-test", directory.display());
    directory.join(&found[0])
}

fn debs() -> [PathBuf; 2] {
    [built("ocf-agents_", "_amd64.deb"), built("ocf-agents-tester_", "_amd64.deb")]
}

fn rpms() -> [PathBuf; 2] {
    [built("ocf-agents-", ".x86_64.rpm"), built("ocf-agents-tester-", ".x86_64.rpm")]
}

/// False, and a loud skip, when something is missing.
fn possible(programs: &[&str]) -> bool {
    let absent = programs
        .iter()
        .find(|program| !installed(program))
        .map(|program| format!("{program} is not installed"));
    match harness::root::available().err().or(absent) {
        Some(reason) => {
            skip(&reason);
            false
        }
        None => true,
    }
}

fn tell(program: &str, args: &[&str]) -> String {
    let done = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Of a command: package systems and the shells of clusters take their time, on a busy machine much
/// of it.
const LIMIT: Duration = Duration::from_secs(300);

/// A machine that packages are installed on: a simulated one, or a system of its own in a directory
/// of it.
struct Machine {
    host: Host,
    root: Option<&'static str>,
}

impl Machine {
    fn run(&self, script: &str) -> Finished {
        let (mut command, pid) = match self.root {
            Some(_) => self.host.command_as("chroot", Entry::default()),
            None => self.host.command_as("/bin/sh", Entry::default()),
        };
        if let Some(root) = self.root {
            command.args([root, "/bin/sh"]);
        }
        let done =
            process::run(command.args(["-euc", script]), pid, LIMIT, Victim::Process).unwrap();
        assert!(!done.timed_out, "{script} did not end: {done:#?}");
        done
    }

    fn sh(&self, script: &str) -> String {
        let done = self.run(script);
        assert_eq!(done.code, Some(0), "{script}: {done:#?}");
        done.stdout
    }

    /// Lists every path but those of a package system itself, and of the kernel, into a file.
    fn list(&self, file: &str) {
        self.sh(&format!(
            "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \
             -o -path /var/tmp -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o \
             -path /root -o -path /work \\) -prune -o -print | LC_ALL=C sort >{file}"
        ));
    }

    /// Remembers which paths there are.
    fn remember(&self) {
        self.list("/run/before");
    }

    /// The paths that there were not at the last [`Machine::remember`]. Compared there: all paths
    /// of a machine are many.
    fn added(&self) -> Vec<String> {
        self.list("/run/after");
        self.sh("LC_ALL=C comm -13 /run/before /run/after").lines().map(str::to_owned).collect()
    }
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
        let printed = String::from_utf8_lossy(&done.stdout).into_owned();
        let faults: Vec<&str> = printed
            .lines()
            .filter(|line| line.starts_with("E:") || line.starts_with("W:"))
            .collect();
        assert!(done.status.success() && faults.is_empty(), "{}: {printed}", package.display());
    }
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn rpmlint_finds_nothing_that_is_not_accounted_for() {
    if !possible(&["rpmlint"]) {
        return;
    }
    let known = sources().join("metadata/packaging/rpmlint.toml");
    let done = Command::new("rpmlint").arg("--config").arg(known).args(rpms()).output().unwrap();
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    let faults: Vec<&str> =
        printed.lines().filter(|line| line.contains(" E: ") || line.contains(" W: ")).collect();
    assert!(
        printed.contains("2 packages and 0 specfiles checked") && faults.is_empty(),
        "{printed}"
    );
}

#[test]
#[ignore = "needs the packages: make package-test"]
fn the_debian_packages_depend_on_nothing() {
    if !possible(&["dpkg-deb"]) {
        return;
    }
    for package in debs() {
        let package = package.to_str().unwrap();
        assert_eq!(tell("dpkg-deb", &["-f", package, "Depends"]).trim(), "", "{package}");
        assert_eq!(tell("dpkg-deb", &["-f", package, "Suggests"]).trim(), "pacemaker");
    }
}

/// Two packages are installed on a machine, used, and purged; nothing is left.
fn live_and_die(machine: &Machine, packages: [&str; 2]) {
    // Where there are many pages, an index of all of them takes man-db longer than the rest.
    machine.sh("rm -f /var/lib/man-db/auto-update");
    machine.remember();
    machine.sh(&format!("dpkg -i {} {}", packages[0], packages[1]));
    let listed = machine.sh("HOME=/root crm ra list ocf native");
    for agent in agents() {
        assert!(listed.split_whitespace().any(|word| word == agent), "{agent} is not in {listed}");
        if machine.root.is_none() {
            machine.sh(&format!("man ocf_native_{agent} >/dev/null"));
        }
    }
    let described = machine.sh("HOME=/root pcs resource describe ocf:native:IPaddr2");
    assert!(described.contains("cidr_netmask"), "{described}");
    // One life, by the script of a person.
    machine.sh("mkdir -p /run/resource-agents; ip link set lo up");
    let agent = "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=vip OCF_RESKEY_ip=192.0.2.10 \
         OCF_RESKEY_nic=lo OCF_RESKEY_cidr_netmask=32 exec \
         /usr/lib/ocf/resource.d/native/IPaddr2";
    for (action, code) in
        [("monitor", 7), ("start", 0), ("monitor", 0), ("stop", 0), ("monitor", 7)]
    {
        let done = machine.run(&format!("{agent} {action}"));
        assert_eq!(done.code, Some(code), "{action}: {done:#?}");
        assert_eq!(
            machine.host.seen("192.0.2.10").len(),
            usize::from(code == 0 && action != "stop"),
            "{action}"
        );
    }
    // In the PATH of root the shell agents' tester comes first, where it is installed.
    machine.sh("/usr/bin/ocf-tester --strict --only well-formed,start-running ocf:native:Dummy");
    machine.sh("dpkg --purge ocf-agents ocf-agents-tester");
    let left = machine.added();
    assert!(left.is_empty(), "{left:#?}");
}

const PLACES: [&str; 2] = ["/run/agents.deb", "/run/tester.deb"];

#[test]
#[ignore = "needs the packages: make package-test"]
fn the_debian_packages_live_through_installation_use_and_purge() {
    if !possible(&["dpkg", "pcs", "crm", "man"]) {
        return;
    }
    let mut builder = Host::builder("fresh").overlay();
    for (package, place) in debs().iter().zip(PLACES) {
        builder = builder.bind(package, place);
    }
    live_and_die(&Machine { host: builder.start(), root: None }, PLACES);
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
fn the_rpm_packages_need_a_shell_to_go_and_nothing_else() {
    if !possible(&["rpm"]) {
        return;
    }
    for package in rpms() {
        let package = package.to_str().unwrap();
        let needs = tell("rpm", &["-qp", "--requires", package]);
        let foreign = |line: &&str| *line != "/bin/sh" && !line.starts_with("rpmlib(");
        let foreign: Vec<&str> = needs.lines().filter(foreign).collect();
        assert!(foreign.is_empty(), "{package} needs {foreign:?}");
        assert_eq!(tell("rpm", &["-qp", "--suggests", package]).trim(), "pacemaker");
    }
}

/// On an overlay of this machine, where other providers of agents are; rpm's records are in a
/// directory of their own, and know of no C library.
#[test]
#[ignore = "needs the packages: make package-test"]
fn the_rpm_packages_are_installed_upgraded_and_gone() {
    if !possible(&["rpm"]) {
        return;
    }
    let places = ["/run/agents.rpm", "/run/tester.rpm"];
    let mut builder = Host::builder("fresh").overlay();
    for (package, place) in rpms().iter().zip(places) {
        builder = builder.bind(package, place);
    }
    let machine = Machine { host: builder.start(), root: None };
    let rpm = |words: &str| machine.sh(&format!("rpm --dbpath /run/records {words}"));
    rpm("--initdb");
    machine.remember();
    for words in ["-i --nodeps --force-debian", "-U --nodeps --force-debian --replacepkgs"] {
        rpm(&format!("{words} {}", places.join(" ")));
        rpm("-V --nodeps ocf-agents ocf-agents-tester");
        for agent in agents() {
            let mode = machine.sh(&format!("stat -c %a /usr/lib/ocf/resource.d/native/{agent}"));
            assert_eq!(mode.trim(), "755", "{agent}");
        }
    }
    rpm("-e ocf-agents ocf-agents-tester");
    let left = machine.added();
    // Directories of completions are those of other packages, which may be missing here.
    let left: Vec<_> =
        left.iter().filter(|path| !path.contains("/zsh") && !path.contains("/fish")).collect();
    assert!(left.is_empty(), "{left:#?}");
}
