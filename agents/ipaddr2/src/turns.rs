//! Locks among the processes of this agent: for one cluster IP, and for all IPv4 addresses of this
//! node.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::time::Duration;

use ocf::agent::Context;
use ocf::failure::Failure;
use ocf::lock::{Lock, lock_common};
use ocf::state::StateFile as _;
use ocf::sys::clock::Deadline;

use crate::record::Record;

/// How long to wait for other starts and stops to change their addresses: each takes a few
/// milliseconds.
const LONGEST: Duration = Duration::from_secs(5);

/// The lock under which the rules of a cluster IP change: other instances of the clone may be here
/// too.
///
/// # Errors
/// When it is not to be had in time.
pub fn cluster(context: &Context<'_>, ip: IpAddr, deadline: Deadline) -> Result<Lock, Failure> {
    let table = crate::cluster_ip::share::table(ip);
    lock_common(context.invocation, Record::AGENT, &table, deadline)
        .map_err(|error| Failure::generic(format!("lock of the cluster IP {ip}: {error}")))
}

/// The lock under which addresses are added, IPv4 addresses are removed and said to be gone, and
/// settings of the kernel are changed for the moment of such a change. IPv4 addresses of one
/// network depend on each other: the kernel removes all of them with the first one, unless it may
/// promote the next (net.ipv4.conf.*.promote_secondaries), which a stop sees to. Without this lock,
/// one stop would switch that off while another one needs it, and would look at addresses that
/// another one is about to put back. IPv6 addresses of one network share the route to it, which the
/// last one to go takes along.
///
/// Without the lock (a state directory that cannot be written, a holder that does not end) the work
/// goes on: an address that the kernel removes with another one is put back all the same.
pub fn addresses(context: &Context<'_>, deadline: Deadline) -> Option<Lock> {
    let limit = Deadline::after(LONGEST).min(deadline);
    match lock_common(context.invocation, Record::AGENT, "addresses", limit) {
        Ok(lock) => Some(lock),
        Err(error) => {
            context.log.debug(format_args!(
                "the addresses of this node are changed without a lock: {error}"
            ));
            None
        }
    }
}
