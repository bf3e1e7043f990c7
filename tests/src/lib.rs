//! The harness: simulated machines made of kernel namespaces, a caller that behaves as Pacemaker
//! does, and eyes at the far end of the wire.
//!
//! What it is for: every suite runs the built binaries against a real kernel, and judges them by a
//! second opinion (`ip -j`, a packet capture in another namespace), never by asking the agent
//! itself. Nothing here touches the machine it runs on:
//!
//! * [`host::Host`] is one machine: its own network, mount, UTS, IPC and PID namespaces, a private
//!   `/run`, and a process 1 that reaps. Dropping it is a power cut: process 1 dies and everything
//!   in it with it.
//! * [`impostor`] makes processes that look like a server's and are of another user or another
//!   world.
//! * [`rig`] wires hosts together: [`rig::L2`] is A and B joined by a cable, [`rig::Lan`] any
//!   number of them on a switch.
//! * [`call`] runs an OCF agent with Pacemaker's environment, process group, pipes and SIGKILL, and
//!   checks on every call what holds for all agents (legal exit code, one reason line).
//! * [`adoption`] starts servers by other means than their agent.
//! * [`faults`] tries configurations with one fault each on a server.
//! * [`meanwhile`] calls monitors while something else happens to a server.
//! * [`capture`] hears ARP and neighbour advertisements at the far end, with the kernel's time
//!   stamps.
//! * [`probe`] asks an address for answers at a steady rate, so that an outage shows in full.
//! * [`visitor`] asks a web site for its page at a steady rate, and knows who answered.
//! * [`onlooker`] is a visitor of a cluster's site, with ears for announcements.
//! * [`cluster`] is a real Corosync and Pacemaker on such hosts.
//! * [`soak`] is the long run: a cluster under random faults, with witnesses and rules.
//! * [`keeper`] clears up after a program of minutes, whatever happens to it.
//! * [`systemd_box`] is a machine with a real systemd as its process 1.
//! * [`user_systemd`] is `systemd --user` on a bus of its own.
//! * [`uml`] runs a test in a kernel of its own, where this one lacks what it needs.
//! * [`shell_tester`] knows what the shell agents' tester may say.
//! * [`skip`] leaves a test out loudly, and not at all in an official run (`OCF_OFFICIAL=1`).
//!
//! The caller's environment chooses: `OCF_AGENTS_DIR` (other agents, to compare; the checks that
//! hold for ours on every call are left out), `OCF_PORTABLE` (a directory with our agents as the
//! packages have them), `OCF_OFFICIAL=1` (nothing may be left out), `OCF_SLOW` (more rounds where
//! chance plays).
//!
//! What is deliberately absent: mocks, fixed sleeps, anything that ends processes by name, any way
//! out of a namespace.
//!
//! Without root the test process makes itself root of a user namespace before `main` ([`root`]).
#![allow(
    clippy::disallowed_methods,
    reason = "the harness is the caller: it owns the environment, waits and processes of what it \
        tests"
)]

pub mod adoption;
pub mod call;
pub mod capture;
pub mod cluster;
pub mod enter;
pub mod faults;
pub mod figures;
pub mod frame;
pub mod host;
pub mod impostor;
pub mod keeper;
pub mod meanwhile;
pub mod nothing;
pub mod onlooker;
pub mod outcome;
pub mod probe;
pub mod process;
pub mod rig;
pub mod root;
pub mod shell_tester;
pub mod silence;
pub mod skip;
pub mod soak;
pub mod stage;
pub mod systemd_box;
pub mod tell;
pub mod uml;
pub mod user_systemd;
pub mod visitor;
pub mod watch;

pub use call::{Agent, agent};
pub use cluster::Cluster;
pub use host::Host;
pub use outcome::Outcome;
pub use rig::{L2, Lan};
pub use systemd_box::SystemdBox;
pub use user_systemd::UserSystemd;
