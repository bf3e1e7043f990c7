//! Takes the address off the host, and whatever else this resource has put there; says so only
//! after looking.
//!
//! Parameters do not gate a stop. What is removed is what the record names, and what a monitor
//! would take for the resource: nothing else is looked at.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::path::PathBuf;

use ocf::agent::Context;
use ocf::failure::{Failure, OrFail};
use ocf::outcome::Status;
use ocf::state::StateFile as _;
use ocf::sys::file;
use ocf::values::Faults;

use crate::address::judge::{self, Wanted};
use crate::address::prefix_route;
use crate::config::settings::{ClusterIp, Identity, from_values};
use crate::kernel::changes::Changes;
use crate::kernel::place::{Place, prefix_table};
use crate::kernel::questions::Questions;
use crate::kernel::{Address, Link, connections, namespace, sysctl};
use crate::record::{Added, Record};
use crate::{announce, monitor, turns};

mod cluster;

/// What is known about the address to remove: from the record and from the parameters.
struct Target<'a> {
    wanted: Wanted,
    namespace: Option<String>,
    record: Option<Record>,
    identity: &'a Identity,
    /// Whether the parameters are about this address, and not about another one than the record.
    is_meant: bool,
}

impl Target<'_> {
    /// The cluster IP that rules were made for, whatever the clone looks like by now.
    fn shared(&self) -> Option<&ClusterIp> {
        let made = self.record.as_ref().and_then(|record| record.rules.as_ref());
        let made = made.and_then(|rules| rules.config.as_ref());
        made.or(self.identity.cluster_ip.as_ref())
    }

    fn recorded(&self) -> Option<&Added> {
        self.record.as_ref().and_then(|record| record.added.as_ref())
    }
}

/// Makes sure that nothing is left.
///
/// # Errors
/// What is left, or what could not be looked at.
pub fn stop(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
    clear(context, identity, Record::load(context.invocation))?;
    // The record itself stays, and says "nothing".
    file::remove_unfinished(&Record::path(context.invocation, "record"));
    Ok(())
}

/// Looks for the address when parameters are faulty: for what a stop would remove.
///
/// # Errors
/// What could not be looked at.
pub fn probe_without_params(context: &Context<'_>, identity: &Identity) -> Result<Status, Failure> {
    let Some(target) = target(identity, Record::load(context.invocation)) else {
        return Ok(Status::STOPPED);
    };
    if let Some(name) = &target.namespace
        && !namespace::enter(name)?
    {
        return Ok(Status::STOPPED);
    }
    let questions = Questions::open(context.budget.work())?;
    let links = questions.links()?;
    let addresses = questions.addresses(target.wanted.ip)?;
    let ours = judge::ours(&target.wanted, target.recorded(), &addresses, &links);
    Ok(if ours.is_empty() { Status::STOPPED } else { Status::Running })
}

/// Removes what is on record, whatever the parameters say now. The process must be in the network
/// namespace of the host.
///
/// # Errors
/// As [`stop`].
pub fn clear_recorded(context: &Context<'_>, record: Record) -> Result<(), Failure> {
    let nothing_else = Identity { ip: None, ..Identity::of(context.invocation) };
    clear(context, &nothing_else, Some(record))
}

/// Undoes a start that failed.
///
/// # Errors
/// As [`stop`].
pub fn undo(context: &Context<'_>) -> Result<(), Failure> {
    // The namespace has been entered already, and cannot be entered by name from inside.
    let inside = Identity { network_namespace: None, ..Identity::of(context.invocation) };
    let mut record = Record::load(context.invocation);
    if let Some(added) = record.as_mut().and_then(|record| record.added.as_mut()) {
        added.namespace = None;
    }
    clear(context, &inside, record)
}

fn clear(
    context: &Context<'_>,
    identity: &Identity,
    record: Option<Record>,
) -> Result<(), Failure> {
    // Before the address goes: an announcement after that would take it from its next owner.
    let quiet =
        announce::end(&Record::path(context.invocation, "announce"), context.budget.rollback());
    let Some(target) = target(identity, record) else {
        context
            .log
            .info(format_args!("no usable address is given and none on record: nothing to stop"));
        return quiet;
    };
    let removed = remove(context, target);
    Failure::collect([quiet.err(), removed.err()].into_iter().flatten().collect())
        .map_or(Ok(()), Err)
}

fn target(identity: &Identity, record: Option<Record>) -> Option<Target<'_>> {
    let added = record.as_ref().and_then(|record| record.added.as_ref());
    let is_meant = added.is_none_or(|added| Some(added.ip) == identity.ip);
    let (nic, prefix) = match added.filter(|_| !is_meant) {
        Some(added) => (Some(added.place.name.clone()), Some(added.place.prefix)),
        None => (identity.nic.clone(), identity.prefix),
    };
    let ip = added.map(|added| added.ip).or(identity.ip)?;
    let namespace = match added {
        Some(added) => added.namespace.clone(),
        None => identity.network_namespace.clone(),
    };
    let wanted = Wanted { ip, nic, home: None, prefix, label: None };
    Some(Target { wanted, namespace, record, identity, is_meant })
}

fn remove(context: &Context<'_>, mut target: Target<'_>) -> Result<(), Failure> {
    if let Some(name) = &target.namespace
        && !namespace::enter(name)?
    {
        context.log.info(format_args!(
            "network namespace {name} is gone, and {} with it",
            target.wanted.ip
        ));
        return forget(context, &target, false);
    }
    let questions = Questions::open(context.budget.rollback())?;
    let changes = Changes::open(context.budget.rollback())?;
    let links = questions.links()?;
    target.wanted.home = home(context, &target, &questions, &links)?;
    let target = &target;
    let config = target.shared();
    let kill = target.is_meant && target.identity.kill_connections;
    if config.is_some() || kill {
        // What takes its time is done before others have to wait.
        let addresses = questions.addresses(target.wanted.ip)?;
        let ours = judge::ours(&target.wanted, target.recorded(), &addresses, &links);
        if let Some(config) = config
            && cluster::leave_to_other_instances(context, target, config, &ours, &links)?
        {
            return forget(context, target, true);
        }
        if kill && !ours.is_empty() {
            match connections::reset(target.wanted.ip, context.budget.rollback()) {
                Ok(count) => context
                    .log
                    .info(format_args!("reset {count} TCP connections of {}", target.wanted.ip)),
                Err(error) => context.log.warn(format_args!(
                    "resetting the TCP connections of {}: {error}",
                    target.wanted.ip
                )),
            }
        }
    }
    let (found, mut failures) = take_off(context, target, &questions, &changes, &links)?;
    failures.extend(tidy(context, target, &changes, &links, found));
    for failure in &failures {
        context.log.warn(format_args!("{failure}"));
    }
    if found {
        context.log.info(format_args!("{} is off this node", target.wanted.ip));
    }
    forget(context, target, found)
}

/// Without a record and an interface: where a monitor would look for the address.
fn home(
    context: &Context<'_>,
    target: &Target<'_>,
    questions: &Questions,
    links: &[Link],
) -> Result<Option<u32>, Failure> {
    if target.wanted.nic.is_some() || target.recorded().is_some() {
        return Ok(None);
    }
    let call = context.invocation;
    let Some(settings) = from_values(&call.values, call, &mut Faults::default()) else {
        return Ok(None);
    };
    let addresses = questions.addresses(target.wanted.ip)?;
    monitor::home(&settings, None, questions, links, &addresses)
}

/// Removes the addresses that are the resource's, and looks again: what counts is what is there,
/// not what was requested. Gives whether there were any, and what went wrong on the way although
/// they are gone.
///
/// All of it under one lock, the looks too: while another stop puts back what the kernel has
/// removed with its address, ours could be among that, and would be gone only for the moment; and a
/// start that finds the route to its network without an address would take it for another's.
fn take_off(
    context: &Context<'_>,
    target: &Target<'_>,
    questions: &Questions,
    changes: &Changes,
    links: &[Link],
) -> Result<(bool, Vec<Failure>), Failure> {
    let _turn = turns::addresses(context, context.budget.rollback());
    let addresses = questions.addresses(target.wanted.ip)?;
    let (wanted, recorded) = (&target.wanted, target.recorded());
    let ours = judge::ours(wanted, recorded, &addresses, links);
    let mut failures: Vec<Failure> = Vec::new();
    for address in &ours {
        let name = name_of(links, address.index);
        context.log.trace(format_args!("remove {}/{} from {name}", address.ip, address.prefix));
        failures.extend(remove_one(context, changes, address, name).err());
    }
    let now = questions.addresses(target.wanted.ip)?;
    let removed = |address: &Address| {
        ours.iter().any(|gone| {
            (gone.ip, gone.index, gone.prefix) == (address.ip, address.index, address.prefix)
        })
    };
    let left = now.iter().find(|a| removed(a) || judge::is_ours(wanted, recorded, a, links));
    if let Some(address) = left {
        let name = name_of(links, address.index);
        failures.push(Failure::generic(format!(
            "{}/{} is still on {name}",
            address.ip, address.prefix
        )));
        return Failure::collect(failures).map_or(Ok((true, Vec::new())), Err);
    }
    for other in now.iter().filter(|other| other.ip == target.wanted.ip) {
        let name = name_of(links, other.index);
        context.log.info(format_args!(
            "{}/{} on {name} is not this resource's, and stays",
            other.ip, other.prefix
        ));
    }
    failures.extend(remove_prefix_routes(target, &ours, &now, changes, links).err());
    Ok((!ours.is_empty(), failures))
}

/// Removes the prefix routes that the kernel leaves behind when the addresses are gone; see
/// [`prefix_route`].
fn remove_prefix_routes(
    target: &Target<'_>,
    ours: &[&Address],
    now: &[Address],
    changes: &Changes,
    links: &[Link],
) -> Result<(), Failure> {
    let link_of = |index: u32| links.iter().find(|link| link.index == index);
    let mut places: Vec<Place> = ours
        .iter()
        .filter_map(|address| Some(Place::of(address, link_of(address.index)?)))
        .collect();
    if places.is_empty() {
        // Another program has removed the address.
        places.extend(target.recorded().map(|added| added.place.clone()));
    }
    for place in
        places.iter().filter(|place| prefix_route::may_be_left(target.wanted.ip, place, now))
    {
        if let Some(link) = link_of(place.index) {
            changes.remove_prefix_route(target.wanted.ip, place, prefix_table(link, links))?;
        }
    }
    Ok(())
}

fn name_of(links: &[Link], index: u32) -> &str {
    links.iter().find(|link| link.index == index).map_or("?", |link| link.name.as_str())
}

/// Removes one address and nothing else: the kernel is allowed to promote the next address of the
/// network, and where that cannot be allowed (a read-only /proc/sys) what it removes with this one
/// is put back.
fn remove_one(
    context: &Context<'_>,
    changes: &Changes,
    address: &Address,
    nic: &str,
) -> Result<(), Failure> {
    if address.ip.is_ipv6() {
        return changes.remove(address).map(drop);
    }
    let promote = format!("ipv4/conf/{nic}/promote_secondaries");
    let (removed, _) = sysctl::with(&promote, "1", || changes.remove(address));
    let mut failures = Vec::new();
    for lost in removed? {
        context.log.info(format_args!("putting {}/{} back", lost.ip, lost.prefix));
        failures.extend(changes.restore(&lost).err());
    }
    Failure::collect(failures).map_or(Ok(()), Err)
}

/// What goes with the address. None of it keeps the address on the host, so a failure is not one of
/// the stop.
fn tidy(
    context: &Context<'_>,
    target: &Target<'_>,
    changes: &Changes,
    links: &[Link],
    found: bool,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    let record = target.record.as_ref();
    let note = peers_note(context, target);
    let copy = record.and_then(|record| record.set_aside.clone());
    if let Some(copy) = copy.or_else(|| note.as_ref().map(|_| plain_copy(target.wanted.ip))) {
        context.log.info(format_args!("putting {} back on the loopback interface", copy.ip));
        failures.extend(put_back(copy, changes, links).err());
    }
    if let Some(note) = note {
        failures.extend(file::remove(&note).or_fail(note.display()).err());
    }
    // Without a record it goes with an address that was here.
    let label = match record {
        Some(record) => record.added.as_ref().and_then(|added| added.address_label),
        None => target.identity.address_label.filter(|_| found),
    };
    if let Some(label) = label {
        context.log.trace(format_args!("remove address label {label} of {}", target.wanted.ip));
        failures.extend(changes.label_address(target.wanted.ip, label, false).err());
    }
    if target.is_meant && target.identity.flush_routes {
        context.log.trace(format_args!("flush cached routes"));
        let family = if target.wanted.ip.is_ipv4() { "ipv4" } else { "ipv6" };
        failures.extend(
            sysctl::set(&format!("{family}/route/flush"), "1")
                .or_fail("flushing cached routes")
                .err(),
        );
    }
    failures
}

/// The file in which the peer notes that it has taken a copy off the loopback interface: after a
/// change of agents no other program puts it back. `None` without `lvs_support`, or when there is
/// no such note.
fn peers_note(context: &Context<'_>, target: &Target<'_>) -> Option<PathBuf> {
    const LARGEST: u64 = 256;
    if !(target.is_meant && target.identity.lvs_support) {
        return None;
    }
    let path = ocf::state::directory(context.invocation).join(target.wanted.ip.to_string());
    let text = file::read_small(&path, LARGEST).ok()??;
    text.starts_with(format!("{} 32 ", target.wanted.ip).as_bytes()).then_some(path)
}

fn put_back(copy: Address, changes: &Changes, links: &[Link]) -> Result<(), Failure> {
    let loopback = links
        .iter()
        .find(|link| link.loopback)
        .ok_or_else(|| Failure::generic("there is no loopback interface"))?;
    changes.restore(&Address { index: loopback.index, ..copy })
}

/// The copy that the peer has taken off: it notes nothing but the address.
fn plain_copy(ip: IpAddr) -> Address {
    Address::plain(0, ip, 32)
}

/// Notes that nothing of this resource is left. Where nothing was known or found there is nothing
/// to note.
fn forget(context: &Context<'_>, target: &Target<'_>, found: bool) -> Result<(), Failure> {
    if !found && target.record.is_none() {
        return Ok(());
    }
    if let Err(failure) = Record::default().save(context.invocation) {
        // The address is off: that is what a stop is for.
        context.log.warn(format_args!("the record stays: {failure}"));
    }
    Ok(())
}
