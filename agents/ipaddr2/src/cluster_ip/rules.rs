//! A cluster IP's rules on this node: reads and changes the firewall with its own tools, and the
//! interface's multicast list.
//!
//! This is the one thing that the agent starts programs for: nft, or iptables where nft is not
//! installed.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Command;

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use ocf::agent::Context;
use ocf::failure::{Failure, OrFail};
use ocf::sys::command::{Output, find_in_path, run};

use crate::cluster_ip::share::{self, Rule, Share};
use crate::config::parse::Firewall;
use crate::config::settings::ClusterIp;
use crate::kernel::ifreq;

/// Where to look when the environment has no PATH.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The tool that is there.
enum Tool {
    Nft(PathBuf),
    /// The tool of the address's family, and arptables where it is needed.
    Iptables(PathBuf, Option<PathBuf>),
}

/// The firewall of this node, seen as the rules of one cluster IP.
pub struct Rules<'a> {
    context: &'a Context<'a>,
    share: &'a Share,
    config: &'a ClusterIp,
    tool: Tool,
}

impl<'a> Rules<'a> {
    /// Finds the tool.
    ///
    /// # Errors
    /// When none is installed: code 5.
    pub fn new(
        context: &'a Context<'a>,
        share: &'a Share,
        config: &'a ClusterIp,
    ) -> Result<Self, Failure> {
        let path = context.invocation.variable("PATH").unwrap_or(PATH);
        let nft = || find_in_path("nft", path).map(Tool::Nft);
        let iptables = || {
            let arptables = find_in_path("arptables", path);
            if share.mangle && arptables.is_none() {
                return None;
            }
            find_in_path(if share.ip.is_ipv4() { "iptables" } else { "ip6tables" }, path)
                .map(|program| Tool::Iptables(program, arptables))
        };
        let (tool, names) = match config.firewall {
            Firewall::Auto => (nft().or_else(iptables), "nft or iptables"),
            Firewall::Nft => (nft(), "nft"),
            Firewall::Iptables => {
                (iptables(), "iptables (with arptables for clusterip_mac_mangle)")
            }
        };
        let tool = tool.ok_or_else(|| {
            Failure::installed(format!("a cluster IP needs {names}, which is not installed"))
        })?;
        Ok(Self { context, share, config, tool })
    }

    /// The name of the tool.
    #[must_use]
    pub fn tool(&self) -> &'static str {
        match self.tool {
            Tool::Nft(_) => "nft",
            Tool::Iptables(..) => "iptables",
        }
    }

    /// The shares that this node serves now.
    ///
    /// # Errors
    /// When the firewall does not answer.
    pub fn shares(&self) -> Result<BTreeSet<u32>, Failure> {
        match &self.tool {
            Tool::Nft(_) => {
                let table = share::table(self.share.ip);
                let output =
                    self.nft(&["list", "table", share::family(self.share.ip), &table], None)?;
                let error = String::from_utf8_lossy(&output.stderr);
                if error.contains("No such file or directory") {
                    return Ok(BTreeSet::new());
                }
                let found = share::shares_in(&String::from_utf8_lossy(&output.stdout));
                succeeded(output, "nft").map(|()| found)
            }
            Tool::Iptables(..) => {
                let mut found = BTreeSet::new();
                for node in 1..=self.share.nodes {
                    if self.has(&share::share_rule(self.share, self.config, node))? {
                        found.insert(node);
                    }
                }
                Ok(found)
            }
        }
    }

    /// The rules for these shares, as the tool has them.
    #[must_use]
    pub fn in_words(&self, shares: &BTreeSet<u32>) -> Vec<String> {
        match &self.tool {
            Tool::Nft(_) => {
                let script = share::transaction(self.share, shares);
                script
                    .lines()
                    .filter_map(|line| line.strip_prefix("add rule "))
                    .map(str::to_owned)
                    .collect()
            }
            Tool::Iptables(..) => {
                let own =
                    shares.iter().map(|node| share::share_rule(self.share, self.config, *node));
                let common = share::common_rules(self.share, self.config);
                own.chain(common.into_iter().rev()).map(|rule| rule.join(" ")).collect()
            }
        }
    }

    /// Whether requests that are another node's are dropped here.
    ///
    /// # Errors
    /// When the firewall does not answer.
    pub fn drops_the_rest(&self) -> Result<bool, Failure> {
        match &self.tool {
            // The rules of a table come and go together, in one transaction.
            Tool::Nft(_) => Ok(!self.shares()?.is_empty()),
            Tool::Iptables(..) => {
                for rule in share::common_rules(self.share, self.config) {
                    if !self.has(&rule)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Makes the rules exactly those for these shares; without shares, none are left.
    ///
    /// # Errors
    /// When the firewall refuses.
    pub fn make(&self, shares: &BTreeSet<u32>) -> Result<(), Failure> {
        self.context.log.trace(format_args!("rules of {} for shares {shares:?}", self.share.ip));
        match &self.tool {
            Tool::Nft(_) => {
                let script = share::transaction(self.share, shares);
                succeeded(self.nft(&["-f", "-"], Some(script.as_bytes()))?, "nft")?;
            }
            Tool::Iptables(..) => self.make_by_iptables(shares)?,
        }
        let joined = if shares.is_empty() { libc::SIOCDELMULTI } else { libc::SIOCADDMULTI };
        multicast(&self.share.nic, self.share.mac, joined)
            .or_fail(format!("multicast list of {}", self.share.nic))
    }

    fn make_by_iptables(&self, shares: &BTreeSet<u32>) -> Result<(), Failure> {
        for rule in share::common_rules(self.share, self.config) {
            self.set(&rule, !shares.is_empty())?;
        }
        for node in 1..=self.share.nodes {
            self.set(&share::share_rule(self.share, self.config, node), shares.contains(&node))?;
        }
        if let (Tool::Iptables(_, Some(arptables)), true) = (&self.tool, self.share.mangle) {
            let (ip, mac) = (self.share.ip.to_string(), self.share.mac_text());
            let rule = ["OUTPUT", "-s", &ip, "-j", "mangle", "--mangle-mac-s", &mac];
            let change = |command: &str| {
                let mut program = Command::new(arptables);
                program.arg(command).args(rule);
                self.execute(program, None)
            };
            // arptables has no -C: take the rule away first, so that it is there once.
            change("-D")?;
            if !shares.is_empty() {
                succeeded(change("-A")?, "arptables")?;
            }
        }
        Ok(())
    }

    /// Whether a rule is there. iptables says 1 where it is not, and 2 where it does not know what
    /// the rule consists of. Another code, as that of a lock that others hold (4), does not say.
    fn has(&self, rule: &Rule) -> Result<bool, Failure> {
        let output = self.iptables("-C", rule)?;
        match output.code {
            Some(1 | 2) => Ok(false),
            _ => succeeded(output, "iptables").map(|()| true),
        }
    }

    fn set(&self, rule: &Rule, there: bool) -> Result<(), Failure> {
        if self.has(rule)? == there {
            return Ok(());
        }
        succeeded(self.iptables(if there { "-I" } else { "-D" }, rule)?, "iptables")
    }

    fn iptables(&self, command: &str, rule: &Rule) -> Result<Output, Failure> {
        let Tool::Iptables(program, _) = &self.tool else {
            return Err(Failure::generic("iptables is not in use"));
        };
        let mut program = Command::new(program);
        // -w: wait for others that change rules at the same moment.
        program.args(["-w", "5", command]).args(rule);
        self.execute(program, None)
    }

    fn nft(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Output, Failure> {
        let Tool::Nft(program) = &self.tool else {
            return Err(Failure::generic("nft is not in use"));
        };
        let mut program = Command::new(program);
        program.args(arguments);
        self.execute(program, input)
    }

    fn execute(&self, mut program: Command, input: Option<&[u8]>) -> Result<Output, Failure> {
        program.env_clear().env("PATH", PATH).env("LC_ALL", "C");
        let name = program.get_program().to_string_lossy().into_owned();
        self.context.log.trace(format_args!("run {program:?}"));
        run(program, input, self.context.budget.work())
            .map_err(|error| Failure::generic(format!("{name}: {error}")))
    }
}

fn succeeded(output: Output, name: &str) -> Result<(), Failure> {
    match output.code {
        Some(0) => Ok(()),
        code => {
            let said = String::from_utf8_lossy(&output.stderr);
            let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
            Err(Failure::generic(format!("{name} ended with {code}: {}", said.trim())))
        }
    }
}

/// Puts a MAC address on the list of those that an interface receives, or takes it off. Already so
/// is well.
fn multicast(nic: &str, mac: [u8; 6], number: libc::c_ulong) -> io::Result<()> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut request =
        ifreq::ifreq(nic).ok_or_else(|| io::Error::other("the interface's name is too long"))?;
    ifreq::put_hardware(&mut request, mac);
    // SAFETY: both numbers read a struct ifreq, which `request` is, and keep no pointer to it.
    if unsafe { libc::ioctl(fd.as_raw_fd(), number as _, std::ptr::from_ref(&request)) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EEXIST | libc::ENOENT | libc::EADDRNOTAVAIL | libc::ENODEV) => Ok(()),
        _ => Err(error),
    }
}
