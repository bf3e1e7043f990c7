//! A machine with a real systemd as its process 1: a container of systemd-nspawn over an overlay of
//! this one's `/`.
//!
//! It is a [`Host`] like any other, entered through the handle of its process 1, and dropping it is
//! a power cut. It has its own network, process, mount and control group namespaces; what it writes
//! is gone with it, unless it was given a disk. It boots to `basic.target` with the bus and the
//! journal, and none of this machine's services: nothing asks for `multi-user.target`.
//!
//! nspawn mounts in a mount namespace of its own, so that nothing of it is ever seen outside or has
//! to be unmounted; it runs in a control group of its own, or systemd would settle in ours. It is
//! the first process of a process namespace: when the test process dies, the kernel ends that, and
//! with it the container, which would survive nspawn alone.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Deref;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::host::{Host, under_test};
use crate::process::wait_until;
use crate::root::{available, has_other_users};

/// Until systemd must be up, on a busy machine.
const BOOT: Duration = Duration::from_secs(60);

/// Units that reach for the network or the clock, and those that ask a person.
const MASKED: [&str; 7] = [
    "systemd-timesyncd.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "systemd-firstboot.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
];

/// A machine with systemd.
#[derive(Debug)]
pub struct SystemdBox {
    host: Host,
    disk: PathBuf,
    // Dropped after the machine, in this order.
    _groups: Groups,
    _scratch: Option<TempDir>,
}

/// How a machine with systemd is made. See [`SystemdBox::builder`].
#[derive(Debug)]
pub struct Builder {
    name: String,
    disk: Option<PathBuf>,
    binds: Vec<(PathBuf, String)>,
}

impl Builder {
    /// What the machine changes stays in `directory` (not on an overlay itself), as on a disk: a
    /// machine made with the same directory later finds it.
    #[must_use]
    pub fn disk(mut self, directory: impl Into<PathBuf>) -> Self {
        self.disk = Some(directory.into());
        self
    }

    /// The file at `from` outside appears at `to` inside too, to be read.
    #[must_use]
    pub fn bind(mut self, from: &Path, to: &str) -> Self {
        self.binds.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Makes the machine; returns when its systemd has booted.
    #[must_use]
    pub fn start(self) -> SystemdBox {
        let Builder { name, disk, binds } = self;
        let fresh = || TempDir::with_prefix_in("ocf-box-", place()).expect("temporary directory");
        let scratch = disk.is_none().then(fresh);
        let disk =
            disk.or_else(|| scratch.as_ref().map(|it| it.path().to_owned())).expect("a directory");
        prepare(&disk, &name).expect("files of the machine");
        let groups = Groups::make().expect("control groups");
        let mut nspawn = spawn(&disk, &binds, &groups, &name).expect("systemd-nspawn");
        let Some(leader) = wait_until(BOOT, || leader(&mut nspawn)) else {
            let _ = nspawn.kill();
            let _ = nspawn.wait();
            panic!("systemd did not come up in {name}:\n{}", console(&disk));
        };
        let host = Host::adopt(&name, leader, nspawn).expect("handle of process 1");
        let machine = SystemdBox { host, disk, _groups: groups, _scratch: scratch };
        let booted = wait_until(BOOT, || {
            let state = machine.run("systemctl", &["is-system-running"]).stdout;
            // Degraded: booted, with a unit that does not work in a container.
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
        assert!(booted.is_some(), "{name} did not boot:\n{}", console(&machine.disk));
        machine
    }
}

impl Deref for SystemdBox {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

/// Why there can be none on this machine; `None` when there can.
#[must_use]
pub fn missing() -> Option<String> {
    if let Err(reason) = available() {
        return Some(reason);
    }
    if !has_other_users() {
        return Some("a machine with systemd needs root, not a user namespace".into());
    }
    let absent = ["systemd-nspawn", "dbus-daemon", "systemctl"]
        .into_iter()
        .find(|program| !crate::cluster::installed(program));
    absent.map(|program| format!("{program} is not installed"))
}

impl SystemdBox {
    /// Begins a machine called `name`.
    #[must_use]
    pub fn builder(name: &str) -> Builder {
        Builder { name: name.to_owned(), disk: None, binds: Vec::new() }
    }

    /// A machine called `name`; returns when its systemd has booted.
    #[must_use]
    pub fn up(name: &str) -> SystemdBox {
        SystemdBox::builder(name).start()
    }

    /// Every process inside dies at once. Returns when they have.
    pub fn cut_power(&mut self) {
        self.host.cut_power();
    }

    /// Writes a unit file, or any other one; directories are made. Call `systemctl daemon-reload`
    /// for systemd to see it.
    pub fn write(&self, path: &str, text: &str) {
        self.sh(&format!(
            "mkdir -p $(dirname '{path}'); cat > '{path}' <<'END-OF-FILE'\n{text}\nEND-OF-FILE"
        ));
    }

    /// Writes unit files and makes systemd read them.
    pub fn units(&self, units: &[(&str, &str)]) {
        for (name, text) in units {
            self.write(&format!("/etc/systemd/system/{name}"), text);
        }
        self.sh("systemctl daemon-reload");
    }

    /// A property of a unit, as systemctl prints it: the second opinion.
    #[must_use]
    pub fn property(&self, unit: &str, name: &str) -> String {
        // While systemd replaces itself, systemctl gets no answer.
        let value = wait_until(BOOT, || {
            let said = self.run("systemctl", &["show", "--value", "-p", name, unit]);
            (said.code == Some(0)).then(|| said.stdout.trim().to_owned())
        });
        value.unwrap_or_else(|| panic!("{unit}: systemctl does not print {name}"))
    }

    /// The main process of a unit, as seen from inside.
    #[must_use]
    pub fn main_pid(&self, unit: &str) -> i32 {
        let pid = self.property(unit, "MainPID").parse().unwrap_or_default();
        assert!(pid > 1, "{unit} has no main process");
        pid
    }

    /// Goes down as on a person's order; returns the text of a file that was written until the end.
    pub fn halt(&mut self, path: &str) -> String {
        self.sh("systemctl --no-block halt");
        let down = wait_until(BOOT, || (!self.host.is_up()).then_some(()));
        assert!(down.is_some(), "{} does not go down:\n{}", self.host.name(), console(&self.disk));
        fs::read_to_string(self.disk.join("upper").join(path.trim_start_matches('/')))
            .unwrap_or_default()
    }

    /// How often systemd has read all of its files since it came up.
    #[must_use]
    pub fn reloads(&self) -> usize {
        // "Reloading." or "Reloading..."; 257 has a line for the end, too.
        let said = self.sh("journalctl --sync; journalctl --quiet --output=cat _PID=1 | grep -c \
                            '^Reloading\\.' || true");
        said.trim().parse().unwrap_or_default()
    }
}

/// A directory for the upper layer.
fn place() -> PathBuf {
    let temporary = std::env::temp_dir();
    let is_overlay = nix::sys::statfs::statfs(&temporary)
        .is_ok_and(|found| found.filesystem_type() == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC);
    if is_overlay { PathBuf::from("/dev/shm") } else { temporary }
}

/// Makes the layers, and what differs from this machine before systemd comes up.
fn prepare(disk: &Path, name: &str) -> io::Result<()> {
    let upper = disk.join("upper");
    if upper.is_dir() {
        return Ok(());
    }
    // The upper layer's directory is the machine's `/`.
    fs::set_permissions(disk, fs::Permissions::from_mode(0o755))?;
    for part in ["upper/etc/systemd/system", "work", "root"] {
        fs::create_dir_all(disk.join(part))?;
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?.replace('-', "");
    fs::write(upper.join("etc/machine-id"), id)?;
    fs::write(upper.join("etc/hostname"), format!("{name}\n"))?;
    fs::write(upper.join("etc/hosts"), format!("127.0.0.1 localhost {name}\n::1 localhost\n"))?;
    for unit in MASKED {
        std::os::unix::fs::symlink("/dev/null", upper.join("etc/systemd/system").join(unit))?;
    }
    Ok(())
}

fn spawn(
    disk: &Path,
    binds: &[(PathBuf, String)],
    groups: &Groups,
    name: &str,
) -> io::Result<Child> {
    let (root, upper) = (disk.join("root"), disk.join("upper"));
    let console = File::create(disk.join("console.log"))?;
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "systemd-nspawn"]);
    command.args([
        "--quiet",
        "--keep-unit",
        "--register=no",
        "--private-network",
        "--capability=all",
        "--boot",
    ]);
    command.args(["--resolv-conf=off", "--link-journal=no", "--timezone=off", "--console=pipe"]);
    command.arg(format!("--machine={name}")).arg(format!("--directory={}", root.display()));
    // On another file system it would not be in the overlay.
    command.args(under_test().map(|directory| format!("--bind-ro={}", directory.display())));
    command.args(binds.iter().map(|(from, to)| format!("--bind-ro={}:{to}", from.display())));
    command.args(["systemd.unit=basic.target", "systemd.log_target=journal"]);
    command.env_clear().env("PATH", crate::host::PATH);
    command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console);
    let options =
        format!("lowerdir=/,upperdir={},workdir={}", upper.display(), disk.join("work").display());
    let (root, options) = (CString::new(root.display().to_string())?, CString::new(options)?);
    let entries: Vec<i32> = groups.entries.iter().map(|entry| entry.as_raw_fd()).collect();
    // SAFETY: between fork and exec only system calls are made; nothing allocates, no lock is
    // taken.
    unsafe { command.pre_exec(move || settle_in(&entries, &root, &options)) };
    command.spawn()
}

/// Between fork and exec: goes into the control groups and a mount namespace of its own, with the
/// overlay in it.
fn settle_in(entries: &[i32], root: &CString, options: &CString) -> io::Result<()> {
    let check = |result: i32| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: plain system calls on descriptors and strings that the command keeps.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        check(libc::setsid())?;
        for entry in entries {
            check(libc::write(*entry, c"0".as_ptr().cast(), 1) as i32)?;
        }
        check(libc::unshare(libc::CLONE_NEWNS))?;
        let private = libc::MS_REC | libc::MS_PRIVATE;
        check(libc::mount(
            std::ptr::null(),
            c"/".as_ptr(),
            std::ptr::null(),
            private,
            std::ptr::null(),
        ))?;
        // There nspawn keeps what it has of a machine of a name; others may have the same one.
        let tmpfs = c"tmpfs".as_ptr();
        check(libc::mount(tmpfs, c"/run".as_ptr(), tmpfs, 0, c"mode=755".as_ptr().cast()))?;
        let overlay = c"overlay".as_ptr();
        check(libc::mount(overlay, root.as_ptr(), overlay, 0, options.as_ptr().cast()))
    }
}

/// The process 1 that nspawn has started, once it is systemd.
fn leader(nspawn: &mut Child) -> Option<i32> {
    let first = |pid: i32| -> Option<i32> {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    };
    // Between us and it: unshare and nspawn.
    let child = first(first(nspawn.id() as i32)?)?;
    let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
    (name.trim() == "systemd").then_some(child)
}

fn console(disk: &Path) -> String {
    fs::read_to_string(disk.join("console.log")).unwrap_or_default()
}

/// A control group in each hierarchy that systemd uses, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Groups {
    directories: Vec<PathBuf>,
    /// A process that writes a 0 to all of these is in them.
    pub(crate) entries: Vec<File>,
}

impl Groups {
    /// Makes them, with a name of their own.
    pub(crate) fn make() -> io::Result<Groups> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Process numbers are unique in their namespace only.
        let namespace = fs::metadata("/proc/self/ns/pid")?.ino();
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("ocf-box-{namespace}-{process}-{count}");
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut groups = Groups { directories: Vec::new(), entries: Vec::new() };
        for root in hierarchies(&mounts) {
            let directory = root.join(&name);
            // Numbers of processes come again: a test that was killed may have left its groups.
            remove(&directory);
            fs::create_dir(&directory)?;
            groups.directories.push(directory.clone());
            groups.entries.push(File::options().write(true).open(directory.join("cgroup.procs"))?);
        }
        Ok(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let left = || {
            self.directories.iter().for_each(|directory| remove(directory));
            (!self.directories.iter().any(|directory| directory.exists())).then_some(())
        };
        // The kernel counts processes out of a group a moment after their end.
        if wait_until(Duration::from_secs(5), left).is_none() {
            let _ = writeln!(io::stderr(), "control groups are left: {:?}", self.directories);
        }
    }
}

/// Removes a control group with those below it; what is in use stays.
fn remove(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(directory);
}

/// Where control groups are mounted that systemd makes its tree in: version 2, and in version 1
/// systemd's own.
fn hierarchies(mounts: &str) -> Vec<PathBuf> {
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let wanted = fields.filter(|fields| match fields.as_slice() {
        [_, _, "cgroup2", ..] => true,
        [_, _, "cgroup", options, ..] => options.split(',').any(|option| option == "name=systemd"),
        _ => false,
    });
    wanted.map(|fields| PathBuf::from(fields[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_control_groups_are_found() {
        let mounts = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n\
                      cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n";
        assert_eq!(
            hierarchies(mounts),
            [Path::new("/sys/fs/cgroup"), Path::new("/sys/fs/cgroup/systemd")]
        );
    }
}
