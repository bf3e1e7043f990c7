//! `systemd --user` on a private bus, in the place of the system's manager: no container is needed
//! for it.
//!
//! What it is not: it runs no units of the system, and reads settings elsewhere. Good for what must
//! not depend on where the manager keeps its files.

use std::ops::Deref;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::enter::Entry;
use crate::host::Host;
use crate::process::wait_until;
use crate::systemd_box::Groups;

/// Where it keeps what it runs with, inside.
const RUNTIME: &str = "/run/user-systemd";

/// The address of its bus, inside.
pub const BUS: &str = "unix:path=/run/user-systemd/bus";

/// Where its unit files are, inside.
pub const UNITS: &str = "/run/user-systemd/home/.config/systemd/user";

/// The units of its bus. A manager of a user comes to the bus when both of these run, and not
/// before, whatever its environment says. Debian has them in dbus-user-session, which replaces a
/// machine's init where that is not systemd.
const BUS_UNITS: [(&str, &str); 2] = [
    ("dbus.socket", "[Socket]\nListenStream=%t/bus\n"),
    (
        "dbus.service",
        "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\n\
         ExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile \
         --systemd-activation\n",
    ),
];

/// A machine with such a manager.
#[derive(Debug)]
pub struct UserSystemd {
    manager: Child,
    host: Host,
    // Dropped after the machine.
    _groups: Groups,
}

impl Deref for UserSystemd {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl UserSystemd {
    /// Comes up with these units, each a name and a text.
    #[must_use]
    pub fn up(units: &[(&str, &str)]) -> UserSystemd {
        let groups = Groups::make().expect("control groups");
        let groups_place = Path::new("/sys/fs/cgroup");
        // It refuses to run where systemd is not the machine's init, and knows that by this
        // directory.
        let host = Host::builder("user")
            .bind(groups_place, "/sys/fs/cgroup")
            .dir("/run/systemd/system")
            .start();
        host.sh(&format!("mkdir -p -m 700 {RUNTIME}; mkdir -p {UNITS}"));
        for (name, text) in BUS_UNITS.iter().chain(units) {
            host.sh(&format!("cat >{UNITS}/{name} <<'END'\n{text}\nEND"));
        }
        host.sh(&format!(
            "mkdir {UNITS}/basic.target.wants; ln -s ../dbus.service {UNITS}/basic.target.wants/"
        ));
        let (mut command, _pid) = host.command_as("/lib/systemd/systemd", Entry::default());
        command.args(["--user", "--unit=basic.target"]).stdout(Stdio::null()).stderr(Stdio::null());
        command
            .env("HOME", format!("{RUNTIME}/home"))
            .env("XDG_RUNTIME_DIR", RUNTIME)
            .env("DBUS_SESSION_BUS_ADDRESS", BUS);
        let entries: Vec<i32> = groups.entries.iter().map(|entry| entry.as_raw_fd()).collect();
        // SAFETY: between fork and exec only system calls are made, on descriptors that live as
        // long as the machine.
        unsafe {
            command.pre_exec(move || {
                let all =
                    entries.iter().all(|entry| libc::write(*entry, c"0".as_ptr().cast(), 1) == 1);
                if all { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let manager = command.spawn().expect("systemd --user");
        let machine = UserSystemd { manager, host, _groups: groups };
        let up = wait_until(Duration::from_secs(30), || {
            matches!(machine.systemctl("is-system-running").trim(), "running" | "degraded")
                .then_some(())
        });
        assert!(up.is_some(), "systemd --user does not come up");
        machine
    }

    /// What `systemctl --user` says.
    pub fn systemctl(&self, words: &str) -> String {
        let environment = format!("XDG_RUNTIME_DIR={RUNTIME} DBUS_SESSION_BUS_ADDRESS={BUS}");
        self.host.sh(&format!("{environment} systemctl --user {words} || true"))
    }
}

impl Drop for UserSystemd {
    fn drop(&mut self) {
        let _ = self.manager.kill();
        self.host.cut_power();
        let _ = self.manager.wait();
    }
}
