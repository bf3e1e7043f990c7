//! A remote node: a machine without Corosync, on which the cluster runs resources through
//! `pacemaker-remoted`.

use std::path::{Path, PathBuf};

use super::{Cluster, Node, installed};

/// The daemon.
const PROGRAM: &str = "pacemaker-remoted";

/// Where it appears in every node.
pub(super) const INSIDE: &str = "/usr/sbin/pacemaker-remoted";

/// The key that remote nodes and the cluster share.
const KEY: &str = "/etc/pacemaker/authkey";

/// Its package cannot be installed beside Pacemaker's, so `tests/provide` only unpacks it.
pub(super) fn unpacked() -> Option<PathBuf> {
    let program =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/unpacked").join(&INSIDE[1..]);
    program.canonicalize().ok().filter(|_| !installed(PROGRAM))
}

/// What this machine lacks for a remote node, if anything.
#[must_use]
pub fn missing() -> Option<String> {
    (unpacked().is_none() && !installed(PROGRAM)).then(|| format!("{PROGRAM} is not there"))
}

impl Cluster {
    /// A remote node with a number that no member has: `node9`, say, with 10.9.0.9. The cluster
    /// knows nothing of it before it has a resource `ocf:pacemaker:remote` of that name.
    #[must_use]
    pub fn remote(&self, number: usize) -> Node {
        let disk = self.disks.path().join(format!("node{number}"));
        std::fs::create_dir(&disk).expect("directory of a node's disk");
        let mut remote = Node::power_on(number, disk, &self.lans, false);
        for node in self.alive().chain([&remote]) {
            node.write(KEY, "one key for all of them, as long as it is not very short");
            node.sh(&format!("chown hacluster:haclient {KEY}; chmod 640 {KEY}"));
        }
        let hosts = self.anyone().sh("cat /etc/hosts");
        remote.sh("rm -rf /var/log/pacemaker/*; mkdir -p /var/log/pacemaker; : > /etc/resolv.conf");
        remote.write("/etc/hosts", &hosts);
        remote.launch(&[PROGRAM]);
        remote
    }
}
