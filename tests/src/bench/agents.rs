//! What is compared: our agent, the shell agent, and the floor under both.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use harness::host::{Host, built_directory};
use ocf_tester::environment::{self, Operation};

/// Where Debian's package resource-agents puts the agent that ours is compared with.
const SHELL: &str = "/usr/lib/ocf/resource.d/heartbeat/IPaddr2";

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The agent of this workspace.
    Ours,
    /// The shell agent.
    Shell,
    /// A program that only asks the kernel.
    Floor,
}

impl Who {
    /// All three, in the order of the table's columns.
    pub const ALL: [Who; 3] = [Who::Ours, Who::Shell, Who::Floor];

    /// Its column.
    pub fn column(self) -> usize {
        self as usize
    }

    /// The executable; `None` when it is not installed.
    pub fn path(self) -> Option<PathBuf> {
        static SHELL_IS_THERE: LazyLock<bool> = LazyLock::new(|| Path::new(SHELL).is_file());
        match self {
            Who::Ours => Some(built_directory().join("IPaddr2")),
            Who::Shell => SHELL_IS_THERE.then(|| PathBuf::from(SHELL)),
            Who::Floor => Some(built_directory().join("ocf-bench-floor")),
        }
    }
}

/// A program with everything it is started with.
#[derive(Clone, Debug)]
pub struct Program {
    /// Whose it is.
    pub who: Who,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
}

/// An address to manage, as both agents are configured with it.
#[derive(Clone, Debug)]
pub struct Resource {
    ip: String,
    prefix: u8,
    instance: String,
    parameters: Vec<(String, String)>,
}

/// The device of every bench.
pub const NIC: &str = "ethA";

impl Resource {
    /// The address on [`NIC`]: the usual three parameters.
    pub fn new(ip: &str, prefix: u8) -> Resource {
        let name: String =
            ip.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Resource {
            ip: ip.to_owned(),
            prefix,
            instance: format!("vip-{name}"),
            parameters: Vec::new(),
        }
    }

    /// One more parameter.
    pub fn param(mut self, name: &str, value: &str) -> Resource {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another name of the resource.
    pub fn instance(mut self, name: &str) -> Resource {
        name.clone_into(&mut self.instance);
        self
    }

    /// The address.
    pub fn ip(&self) -> &str {
        &self.ip
    }

    /// An action of one of the three on it, as Pacemaker starts it; `None` when that one is not
    /// installed. The floor has one action only, and gets the same environment, for that has a
    /// price too.
    pub fn action(&self, who: Who, host: &Host, action: &str) -> Option<Program> {
        let path = who.path()?;
        let args = match who {
            Who::Floor => vec![self.ip.clone(), NIC.to_owned(), index(host).to_string()],
            Who::Ours | Who::Shell => vec![action.to_owned()],
        };
        Some(Program { who, path, args, env: self.environment(host, action) })
    }

    /// A recurring monitor.
    pub fn monitor(&self, who: Who, host: &Host) -> Option<Program> {
        self.action(who, host, "monitor")
    }

    fn environment(&self, host: &Host, action: &str) -> Vec<(String, String)> {
        let own = [
            ("ip", self.ip.clone()),
            ("nic", NIC.to_owned()),
            ("cidr_netmask", self.prefix.to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        let parameters = own.into_iter().chain(self.parameters.clone());
        let resource = environment::Resource {
            instance: self.instance.clone().into(),
            kind: "IPaddr2".into(),
            provider: "bench".into(),
            root: "/usr/lib/ocf".into(),
            node: host.name().to_owned(),
            parameters: parameters.map(|(name, value)| (name.into(), value.into())).collect(),
        };
        let interval = (action == "monitor").then_some("10000");
        let timeout = Duration::from_secs(60);
        let all = environment::of(&resource, &Operation { action, timeout, interval, level: None });
        let text = |value: &std::ffi::OsString| value.to_string_lossy().into_owned();
        all.iter().map(|(name, value)| (text(name), text(value))).collect()
    }
}

/// The number of [`NIC`].
fn index(host: &Host) -> u64 {
    host.ip_json(&format!("link show {NIC}"))[0]["ifindex"].as_u64().unwrap_or_default()
}
