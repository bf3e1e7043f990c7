//! What each deed is.

use super::{Actor, BUSY, signal};
use crate::host::Resident;
use crate::process::{self, Victim};
use crate::soak::deed::Deed;
use crate::soak::plan::Step;
use crate::soak::scene::{self, configuration};
use crate::soak::{NODES, RENAMED, Service, UNIT, address_of, node_name, node_number};

impl Actor {
    /// The processes of a service that a deed is done to.
    fn victims(&self, deed: Deed, node: &str, service: &Service) -> Result<Vec<i32>, String> {
        let mut found = self.servers(node, service)?;
        match deed {
            Deed::KillMaster | Deed::FreezeMaster => found.retain(|it| it.is_master),
            Deed::FreezeWorkers => found.retain(|it| !it.is_master),
            Deed::KillWorker => {
                found.retain(|it| !it.is_master);
                found.truncate(1);
            }
            _ => {}
        }
        Ok(found.into_iter().map(|it| it.pid).collect())
    }

    /// Whether it lasts.
    pub(super) fn inflict(
        &mut self,
        step: &Step,
        node: &str,
        service: Option<&'static Service>,
    ) -> Result<bool, String> {
        use Deed as D;
        let target = step.target.as_str();
        let service = || service.ok_or("no service");
        match step.deed {
            D::Kill | D::KillMaster | D::KillWorker => {
                let victims = self.victims(step.deed, node, service()?)?;
                victims.into_iter().for_each(|pid| process::kill(pid, Victim::Process));
                Ok(false)
            }
            D::Freeze | D::FreezeMaster | D::FreezeWorkers => {
                let victims = self.victims(step.deed, node, service()?)?;
                victims.iter().for_each(|pid| signal(*pid, libc::SIGSTOP));
                self.frozen.extend(victims);
                Ok(true)
            }
            D::KillAgent => {
                let wish = format!("{target} {}", step.number * 250);
                self.node(node)?.write("/etc/soak/kill", &wish);
                Ok(true)
            }
            D::KillExecutor | D::KillController => {
                // The kernel keeps fifteen letters.
                let name = if step.deed == D::KillExecutor {
                    "pacemaker-execd"
                } else {
                    "pacemaker-contr"
                };
                let found = self.node(node)?.processes(name);
                found.iter().for_each(|pid| process::kill(*pid, Victim::Process));
                if found.is_empty() { Err(format!("no {name} runs")) } else { Ok(false) }
            }
            D::DeleteAddress => {
                let address = address_of(target).ok_or("no address")?;
                let host = self.node(node)?;
                let seen = host.seen(address);
                let seen = seen.first().ok_or("it is not there")?;
                host.try_ip(&format!("address del {address}/{} dev {}", seen.prefix, seen.nic));
                Ok(false)
            }
            D::DeleteRoute => {
                self.node(node)?.try_ip("route del 10.9.0.0/24 dev eth0");
                Ok(true)
            }
            D::LinkDown => {
                self.node(node)?.try_ip("link set eth0 down");
                Ok(true)
            }
            D::RenameLink => {
                let host = self.node(node)?;
                for words in ["link set eth0 down", "link set eth0 name eth9", "link set eth9 up"] {
                    host.try_ip(words);
                }
                Ok(true)
            }
            D::Cable => {
                self.node(node)?;
                self.cluster.cable(node_number(node).ok_or("no node")?, false);
                Ok(true)
            }
            D::OneWay => self.one_way(node_number(node).ok_or("no node")?).map(|()| true),
            D::Power => {
                self.node(node)?;
                self.cut(node_number(node).ok_or("no node")?);
                Ok(true)
            }
            D::Move => {
                let others: Vec<String> =
                    (1..=NODES).map(node_name).filter(|it| it != node).collect();
                let to = &others[step.number as usize % others.len()];
                self.order("crm_resource", &["--move", "--resource", target, "--node", to])?;
                Ok(true)
            }
            D::Ban => {
                self.order("crm_resource", &["--ban", "--resource", target, "--node", node])?;
                Ok(true)
            }
            D::Standby => {
                self.order("crm_standby", &["--node", node, "--update", "on"])?;
                Ok(true)
            }
            D::Maintenance => {
                self.order("crm_attribute", &["--name", "maintenance-mode", "--update", "true"])?;
                Ok(true)
            }
            D::Unmanage => {
                let words = ["--resource", target, "--meta", "--set-parameter", "is-managed"];
                self.order(
                    "crm_resource",
                    &[&words[..], &["--parameter-value", "false"]].concat(),
                )?;
                Ok(true)
            }
            D::Cleanup => {
                self.order("crm_resource", &["--cleanup", "--resource", target]).map(|()| false)
            }
            D::Refresh => {
                self.order("crm_resource", &["--refresh", "--resource", target]).map(|()| false)
            }
            D::ForceCheck | D::ForceStop => {
                let how = if step.deed == D::ForceCheck { "--force-check" } else { "--force-stop" };
                self.order_at(node, "crm_resource", &[how, "--resource", target]).map(|()| false)
            }
            D::Rename => {
                self.rename(target, &format!("{target}{RENAMED}"))?;
                Ok(true)
            }
            D::Reloadable => {
                self.serial += 1;
                let value = self.serial.to_string();
                let is_address = address_of(target).is_some();
                let value = if is_address { (3 + self.serial % 5).to_string() } else { value };
                let name = if is_address { "arp_count" } else { "config_serial" };
                self.set(target, name, &value).map(|()| false)
            }
            D::Restarting => {
                self.serial += 1;
                self.set(target, "iflabel", &format!("s{}", self.serial)).map(|()| false)
            }
            D::BadConfig => {
                let (path, bad) = configuration(service()?);
                let text = format!("{}\n{bad}\n", scene::text_of(service()?));
                self.push(service()?, path, &text).map(|()| true)
            }
            D::Reload => {
                let found = self.servers(node, service()?)?;
                let master = found.iter().find(|it| it.is_master).ok_or("no master runs")?;
                let number = match service()?.agent {
                    "nginx" => libc::SIGHUP,
                    "haproxy" => libc::SIGUSR2,
                    _ => libc::SIGUSR1,
                };
                signal(master.pid, number);
                Ok(false)
            }
            D::StateFull => {
                let script =
                    format!("dd if=/dev/zero of={}/filler bs=4k 2>/dev/null || true", scene::STATE);
                self.script(node, &script)?;
                Ok(true)
            }
            D::StateReadOnly => {
                // Not while an agent has a file open there.
                self.script(node, &format!("mount -o remount,ro {}", scene::STATE))?;
                Ok(true)
            }
            D::Starve => {
                let host = self.node(node)?;
                let busy: Vec<Resident> = (0..BUSY)
                    .map(|_| host.spawn("/bin/sh", &["-c", "while :; do :; done"]))
                    .collect();
                self.busy.extend(busy);
                Ok(true)
            }
            D::SilentNames => {
                // An address that no machine has.
                self.node(node)?.write("/etc/resolv.conf", "nameserver 10.9.0.250\n");
                Ok(true)
            }
            D::SwapAgents => {
                let provider = &self.plan.provider;
                self.script(
                    node,
                    &format!(
                        "mkdir -p /opt/soak/{provider}; for kind in IPaddr2 nginx apache; do
                     cp /usr/lib/ocf/resource.d/{provider}/$kind /opt/soak/{provider}/.new; mv \
                     /opt/soak/{provider}/.new /opt/soak/{provider}/$kind; done"
                    ),
                )?;
                Ok(false)
            }
            D::KillUnit => {
                let found = self.witness.servers(node, UNIT.1);
                found.iter().for_each(|it| process::kill(it.pid, Victim::Process));
                if found.is_empty() { Err("the unit does not run".into()) } else { Ok(false) }
            }
            D::Reexec => self.order_at(node, "systemctl", &["daemon-reexec"]).map(|()| false),
            D::Fenced => Err("the cluster does it".into()),
        }
    }

    /// Writes a configuration on all nodes that have power, and lets the cluster know.
    pub(super) fn push(&mut self, service: &Service, path: &str, text: &str) -> Result<(), String> {
        self.cluster.alive().for_each(|node| node.write(path, text));
        self.serial += 1;
        self.set(service.server, "config_serial", &self.serial.to_string())
    }
}
