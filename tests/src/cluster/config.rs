//! The files that make a machine a member.

use std::fmt::Write as _;

use crate::rig::Net;

/// What `corosync.conf` depends on.
#[derive(Debug, Clone)]
pub(super) struct Totem {
    pub(super) nodes: usize,
    pub(super) net: Net,
    pub(super) token_ms: u64,
    pub(super) realtime: bool,
}

impl Totem {
    /// `corosync.conf`. Nothing is encrypted: no key is needed, and the wire is in memory.
    pub(super) fn corosync_conf(&self) -> String {
        let Totem { nodes, token_ms, .. } = self;
        let realtime = if self.realtime { "yes" } else { "no" };
        // A lone survivor of two may go on, and may also begin alone.
        let two = if *nodes == 2 { "    two_node: 1\n    wait_for_all: 0\n" } else { "" };
        let mut text = format!(
            "totem {{\n    version: 2\n    cluster_name: simulated\n    transport: knet\n    \
             crypto_cipher: none\n    crypto_hash: none\n    token: {token_ms}\n    \
             token_coefficient: 0\n}}\n\
             system {{\n    sched_rr: {realtime}\n    move_to_root_cgroup: no\n}}\n\
             quorum {{\n    provider: corosync_votequorum\n{two}}}\n\
             logging {{\n    to_stderr: no\n    to_syslog: no\n    to_logfile: yes\n    \
             logfile: /var/log/corosync/corosync.log\n    timestamp: hires\n}}\n\
             nodelist {{\n"
        );
        for number in 1..=*nodes {
            let address = self.net.address_of(number);
            let _ = writeln!(
                text,
                "    node {{\n        name: node{number}\n        nodeid: {number}\n        \
                 ring0_addr: {address}\n    }}"
            );
        }
        text.push_str("}\n");
        text
    }

    /// `/etc/hosts` of every node.
    pub(super) fn hosts(&self) -> String {
        let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        for number in 1..=self.nodes {
            let _ = writeln!(text, "{} node{number}", self.net.address_of(number));
        }
        text
    }
}

/// The first CIB, made of the empty one that this Pacemaker prints.
///
/// A lone node waits `dc-deadtime` for others before it decides anything: 20 s unless it is in the
/// CIB before the start.
pub(super) fn first_cib(empty: &str, properties: &[(String, String)]) -> String {
    let mut set = String::from("<crm_config><cluster_property_set id=\"cib-bootstrap-options\">");
    for (name, value) in properties {
        let _ = write!(
            set,
            "<nvpair id=\"cib-bootstrap-options-{name}\" name=\"{name}\" value=\"{value}\"/>"
        );
    }
    set.push_str("</cluster_property_set></crm_config>");
    empty.replacen("<crm_config/>", &set, 1)
}

/// Whether this machine lets corosync have its real-time priority.
pub(super) fn realtime_possible() -> bool {
    let thread = std::thread::spawn(|| {
        let parameter = libc::sched_param { sched_priority: 1 };
        // SAFETY: plain system call on the calling thread alone, which ends at once.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameter) == 0 }
    });
    thread.join().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nodes_may_lose_one() {
        let two =
            Totem { nodes: 2, net: Net::plain(), token_ms: 1000, realtime: false }.corosync_conf();
        assert!(two.contains("two_node: 1") && two.contains("ring0_addr: 10.9.0.2"), "{two}");
        let three =
            Totem { nodes: 3, net: Net::plain(), token_ms: 1000, realtime: true }.corosync_conf();
        assert!(!three.contains("two_node") && three.contains("sched_rr: yes"), "{three}");
    }

    #[test]
    fn properties_go_into_an_empty_cib() {
        let cib = first_cib(
            "<cib><configuration><crm_config/></configuration></cib>",
            &[("a".into(), "2s".into())],
        );
        assert!(
            cib.contains(
                r#"name="a" value="2s"/></cluster_property_set></crm_config></configuration>"#
            ),
            "{cib}"
        );
    }
}
