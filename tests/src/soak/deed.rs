//! What can be done to the cluster, and how long a service may be away for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::Plan;

/// A fault, or an administrator's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// SIGKILL to all processes of a server.
    Kill,
    /// SIGKILL to its master alone.
    KillMaster,
    /// SIGKILL to one of its workers.
    KillWorker,
    /// SIGSTOP to all processes of a server, SIGCONT at the end.
    Freeze,
    /// SIGSTOP to its master alone.
    FreezeMaster,
    /// SIGSTOP to its workers.
    FreezeWorkers,
    /// The next call of a resource's agent is killed on its way.
    KillAgent,
    /// SIGKILL to Pacemaker's executor.
    KillExecutor,
    /// SIGKILL to Pacemaker's controller.
    KillController,
    /// `ip address del`.
    DeleteAddress,
    /// `ip route del` of the nodes' network; put back at the end.
    DeleteRoute,
    /// `ip link set down`; up at the end, with the node's own addresses.
    LinkDown,
    /// The device has another name for a while.
    RenameLink,
    /// The cable is pulled; back at the end.
    Cable,
    /// What the node sends is lost; what others send arrives.
    OneWay,
    /// The power is cut; back at the end.
    Power,
    /// `crm_resource --move`, `--clear` at the end.
    Move,
    /// `crm_resource --ban`, `--clear` at the end.
    Ban,
    /// `crm_standby`, off at the end.
    Standby,
    /// maintenance-mode, off at the end.
    Maintenance,
    /// `is-managed=false` for a group, true at the end.
    Unmanage,
    /// `crm_resource --cleanup`.
    Cleanup,
    /// `crm_resource --refresh`.
    Refresh,
    /// `crm_resource --force-check` where it runs, which is `pcs resource debug-monitor`: the agent
    /// is called behind Pacemaker's back.
    ForceCheck,
    /// `crm_resource --force-stop` where it runs, which is `pcs resource debug-stop`.
    ForceStop,
    /// A resource has another name for a while: what has the old one is removed, while the new one
    /// finds that it runs already.
    Rename,
    /// A parameter changes that can be reloaded.
    Reloadable,
    /// A parameter changes that needs a restart.
    Restarting,
    /// A faulty configuration is pushed, with a new `config_serial`; mended at the end in the same
    /// way.
    BadConfig,
    /// A graceful reload by hand.
    Reload,
    /// The state directory has no room.
    StateFull,
    /// The state directory can only be read.
    StateReadOnly,
    /// Programs that use the processor.
    Starve,
    /// The name server is silent.
    SilentNames,
    /// The agents' files are replaced.
    SwapAgents,
    /// SIGKILL to the processes of the unit, where nodes have systemd.
    KillUnit,
    /// `systemctl daemon-reexec` there.
    Reexec,
    /// The cluster's own: a node is fenced. No plan has it.
    Fenced,
}

/// What a deed is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A service, on the node that has it.
    Service,
    /// A resource, on the node that has it.
    Resource,
    /// A node.
    Node,
    /// The cluster.
    Everything,
}

/// As long as clients may miss a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Not a single request.
    Nothing,
    /// From the beginning of the deed, for so long.
    Within(Duration),
    /// From the beginning of the deed, with this after its end.
    After(Duration),
    /// Until all is mended, and this.
    Mended(Duration),
}

impl Deed {
    /// All that a plan may have, with how often it comes.
    pub const PLANNED: [(Deed, u64); 35] = [
        (Deed::Kill, 5),
        (Deed::KillMaster, 4),
        (Deed::KillWorker, 3),
        (Deed::Freeze, 3),
        (Deed::FreezeMaster, 2),
        (Deed::FreezeWorkers, 2),
        (Deed::KillAgent, 5),
        (Deed::KillExecutor, 2),
        (Deed::KillController, 2),
        (Deed::DeleteAddress, 5),
        (Deed::DeleteRoute, 2),
        (Deed::LinkDown, 2),
        (Deed::RenameLink, 1),
        (Deed::Cable, 3),
        (Deed::OneWay, 2),
        (Deed::Power, 3),
        (Deed::Move, 5),
        (Deed::Ban, 3),
        (Deed::Standby, 3),
        (Deed::Maintenance, 2),
        (Deed::Unmanage, 2),
        (Deed::Cleanup, 3),
        (Deed::Refresh, 3),
        (Deed::ForceCheck, 2),
        (Deed::ForceStop, 2),
        (Deed::Rename, 2),
        (Deed::Reloadable, 5),
        (Deed::Restarting, 2),
        (Deed::BadConfig, 4),
        (Deed::Reload, 4),
        (Deed::StateFull, 2),
        (Deed::StateReadOnly, 2),
        (Deed::Starve, 1),
        (Deed::SilentNames, 1),
        (Deed::SwapAgents, 2),
    ];

    /// What a plan may have besides, where nodes have systemd.
    pub const OF_SYSTEMD: [Deed; 2] = [Deed::KillUnit, Deed::Reexec];

    /// What it is done to.
    #[must_use]
    pub fn scope(self) -> Scope {
        use Deed as D;
        match self {
            D::Kill | D::KillMaster | D::KillWorker | D::Freeze | D::FreezeMaster => Scope::Service,
            D::FreezeWorkers | D::Move | D::Ban | D::Unmanage | D::BadConfig | D::Reload => {
                Scope::Service
            }
            D::KillAgent | D::DeleteAddress | D::Cleanup | D::Refresh => Scope::Resource,
            D::ForceCheck | D::ForceStop | D::Rename => Scope::Resource,
            D::Reloadable | D::Restarting | D::KillUnit => Scope::Resource,
            D::Maintenance => Scope::Everything,
            _ => Scope::Node,
        }
    }

    /// The cluster loses the node: two at once, and there is no quorum.
    #[must_use]
    pub fn loses(self) -> bool {
        use Deed as D;
        matches!(
            self,
            D::DeleteRoute
                | D::LinkDown
                | D::RenameLink
                | D::Cable
                | D::OneWay
                | D::Power
                | D::Fenced
        )
    }

    /// It parts a node from the others, or ends what the cluster needs there: only an episode that
    /// is about the loss of two nodes has more than one such deed.
    #[must_use]
    pub fn parts(self) -> bool {
        self.loses() || matches!(self, Deed::KillExecutor | Deed::KillController | Deed::Standby)
    }

    /// The cluster does nothing while it lasts, as its administrator wishes.
    #[must_use]
    pub fn rests(self) -> bool {
        matches!(self, Deed::Maintenance | Deed::Unmanage)
    }

    /// How long a service that it is done to may be away. What others do at the same time comes on
    /// top.
    #[must_use]
    pub fn bound(self, plan: &Plan) -> Bound {
        use Deed as D;
        let seconds = |count| Bound::After(Duration::from_secs(count));
        // The next monitor, and a restart.
        let noticed = if plan.watch { 4 } else { 6 };
        match self {
            // Every client is served all the while.
            D::Cleanup | D::Refresh | D::Reloadable | D::BadConfig | D::Reload => Bound::Nothing,
            D::Maintenance | D::Unmanage | D::StateFull | D::StateReadOnly => Bound::Nothing,
            D::SilentNames | D::SwapAgents | D::ForceCheck | D::Reexec => Bound::Nothing,
            // No client asks for it.
            D::KillUnit => Bound::Nothing,
            D::Kill | D::KillMaster | D::KillWorker => seconds(noticed),
            // The server is stopped first, which leaves three seconds (`stop_grace`) to those who
            // have sent something, even where they cannot go on without the address.
            D::DeleteAddress | D::ForceStop => seconds(noticed + 3),
            // A monitor has ten seconds for the answer of a server; none stands still for so long.
            D::Freeze | D::FreezeMaster | D::FreezeWorkers => seconds(noticed),
            // What has moved stays there when the wish is taken back.
            D::Move | D::Ban | D::Standby | D::Restarting => Bound::Within(Duration::from_secs(6)),
            // The old name is stopped while the new one counts as running: its next monitor finds
            // out.
            D::Rename => seconds(noticed + 2),
            // A failed stop without fencing is for the administrator.
            D::KillAgent if !plan.fencing => Bound::Mended(Duration::from_secs(10)),
            D::KillAgent => seconds(15),
            // Token, membership, election, fencing; then the start elsewhere.
            D::Cable | D::OneWay | D::Power | D::LinkDown | D::RenameLink | D::DeleteRoute => {
                seconds(10)
            }
            D::KillExecutor | D::KillController | D::Fenced => seconds(10),
            // The visitor's patience is 0.9 s.
            D::Starve => seconds(2),
        }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Deed::Kill => "server killed",
            Deed::KillMaster => "master killed",
            Deed::KillWorker => "worker killed",
            Deed::Freeze => "server stopped by SIGSTOP",
            Deed::FreezeMaster => "master stopped by SIGSTOP",
            Deed::FreezeWorkers => "workers stopped by SIGSTOP",
            Deed::KillAgent => "agent killed in an action",
            Deed::KillExecutor => "executor killed",
            Deed::KillController => "controller killed",
            Deed::DeleteAddress => "address deleted",
            Deed::DeleteRoute => "route deleted",
            Deed::LinkDown => "link set down",
            Deed::RenameLink => "link renamed",
            Deed::Cable => "cable pulled",
            Deed::OneWay => "one-way loss",
            Deed::Power => "power cut",
            Deed::Move => "move",
            Deed::Ban => "ban",
            Deed::Standby => "standby",
            Deed::Maintenance => "maintenance",
            Deed::Unmanage => "unmanaged",
            Deed::Cleanup => "cleanup",
            Deed::Refresh => "refresh",
            Deed::ForceCheck => "agent called by hand for a check",
            Deed::ForceStop => "stopped by hand behind the cluster's back",
            Deed::Rename => "resource renamed",
            Deed::Reloadable => "reloadable parameter changed",
            Deed::Restarting => "parameter changed that needs a restart",
            Deed::BadConfig => "faulty configuration pushed",
            Deed::Reload => "graceful reload by hand",
            Deed::StateFull => "state directory full",
            Deed::StateReadOnly => "state directory read-only",
            Deed::Starve => "processor starved",
            Deed::SilentNames => "name server silent",
            Deed::SwapAgents => "agents' files replaced",
            Deed::KillUnit => "unit killed",
            Deed::Reexec => "systemd executed again",
            Deed::Fenced => "fenced",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_but_the_clusters_own_may_be_planned() {
        let words: std::collections::HashSet<String> =
            Deed::PLANNED.iter().map(|(deed, _)| deed.to_string()).collect();
        assert_eq!(words.len(), Deed::PLANNED.len());
        assert!(Deed::PLANNED.iter().all(|(deed, weight)| *weight > 0 && *deed != Deed::Fenced));
    }
}
