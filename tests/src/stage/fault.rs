//! What can befall the node that has the site.

use std::fmt;

use super::{Power, SOON, Stage, VIP};

/// A fault, or an administrator's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// All processes of the web server are killed.
    Server,
    /// An administrator removes the address.
    Address,
    /// An administrator moves everything away.
    Standby,
    /// The node's power is cut.
    Power,
    /// The node's cable is cut: it lives, and has no quorum.
    Cable,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] =
        [Fault::Server, Fault::Address, Fault::Standby, Fault::Power, Fault::Cable];

    /// The word for it on a command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Fault::Server => "server",
            Fault::Address => "address",
            Fault::Standby => "standby",
            Fault::Power => "power",
            Fault::Cable => "cable",
        }
    }

    /// What is done, in a sentence.
    pub(super) fn on(self, node: &str) -> String {
        match self {
            Fault::Server => format!("nginx on {node} gets SIGKILL, master and workers"),
            Fault::Address => format!("`ip address del` on {node}"),
            Fault::Standby => format!("`crm_standby --node {node} --update on`"),
            Fault::Power => format!("{node} loses its power"),
            Fault::Cable => format!("the cable of {node} is pulled"),
        }
    }

    /// Whether the site goes to another node.
    pub(super) fn moves(self) -> bool {
        matches!(self, Fault::Standby | Fault::Power | Fault::Cable)
    }

    /// Whether the node has no processes any more.
    pub(super) fn leaves_dead(self) -> bool {
        self == Fault::Power
    }

    pub(super) fn inflict(self, stage: &mut Stage, number: usize) {
        let node = stage.cluster.node(number);
        match self {
            Fault::Server => node.kill_all("nginx"),
            Fault::Address => {
                node.ip(&format!("address del {VIP}/24 dev eth0"));
            }
            Fault::Standby => {
                stage.eyes.set(number, Power::Standby);
                // What pcs does for it, without the second that Python takes to start.
                stage
                    .cluster
                    .anyone()
                    .expect("crm_standby", &["--node", node.name(), "--update", "on"]);
            }
            Fault::Power => {
                stage.eyes.set(number, Power::Off);
                stage.cluster.kill(number);
            }
            Fault::Cable => {
                stage.eyes.set(number, Power::Alone);
                stage.cluster.cable(number, false);
            }
        }
    }

    pub(super) fn heal(self, stage: &mut Stage, number: usize) {
        match self {
            Fault::Server | Fault::Address => {}
            Fault::Standby => {
                let name = format!("node{number}");
                stage.cluster.anyone().expect("crm_standby", &["--node", &name, "--delete"]);
                stage.eyes.set(number, Power::Up);
            }
            Fault::Power => {
                stage.cluster.revive(number);
                stage.eyes.renew(
                    number,
                    stage.cluster.node(number),
                    VIP.parse().expect("an address"),
                );
            }
            Fault::Cable => {
                stage.cluster.cable(number, true);
                stage.cluster.wait_for("the node returned", SOON, |status| status.online() == 3);
                stage.eyes.set(number, Power::Up);
            }
        }
        if self.moves() {
            stage.eyes.happened(format!("node{number} is back"));
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Fault::Server => "server killed",
            Fault::Address => "address deleted",
            Fault::Standby => "planned move",
            Fault::Power => "power cut",
            Fault::Cable => "cable pulled",
        })
    }
}

impl std::str::FromStr for Fault {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let words = || Fault::ALL.map(Fault::word).join(", ");
        Fault::ALL
            .into_iter()
            .find(|fault| fault.word() == word)
            .ok_or_else(|| format!("{word} is none of {}", words()))
    }
}
