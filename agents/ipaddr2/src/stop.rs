//! Takes the address off the host, and whatever else this resource has put there; says so only after looking.
//!
//! Parameters do not gate a stop. What is removed is what the record names, and what a monitor would take for the
//! resource; where neither is to be found, the address itself tells.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use ocf::agent::Context;
use ocf::failure::{Failure, OrFail};
use ocf::lock::{Lock, LockError};
use ocf::sys::file;
use ocf::values::Faults;

use crate::cluster::Rules;
use crate::judge::{Wanted, belongs};
use crate::netlink::Netlink;
use crate::record::{self, Record};
use crate::settings::{self, Settings};
use crate::share::Share;
use crate::snapshot::{Address, Link, contains};
use crate::{announce, connections, namespace, observe, params, sysctl};

/// What is known about the thing to stop: from the record, from the parameters, or from those of them that are good.
struct Target<'a> {
    ip: IpAddr,
    nic: Option<String>,
    namespace: Option<String>,
    record: Option<Record>,
    settings: Option<&'a Settings>,
}

/// Makes sure that nothing is left.
///
/// # Errors
/// What is left, or what could not be looked at.
pub fn stop(context: &Context<'_>, settings: Option<&Settings>) -> Result<(), Failure> {
    let _alone = alone(context)?;
    clear(context, settings, recorded(context))
}

/// Undoes a start that failed.
///
/// # Errors
/// As [`stop`].
pub fn undo(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    // The namespace has been entered already, and cannot be entered by name from inside.
    let inside = Settings { network_namespace: None, ..settings.clone() };
    let mut record = recorded(context);
    if let Some(added) = record.as_mut().and_then(|record| record.added.as_mut()) {
        added.namespace = None;
    }
    clear(context, Some(&inside), record)
}

/// What is on record. A record that cannot be read is worth a warning; the parameters and the address itself tell, too.
fn recorded(context: &Context<'_>) -> Option<Record> {
    record::read(&record::path(context.invocation, "record")).unwrap_or_else(|failure| {
        context.log.warn(format_args!("the record cannot be read, going by the parameters: {failure}"));
        None
    })
}

fn clear(context: &Context<'_>, settings: Option<&Settings>, record: Option<Record>) -> Result<(), Failure> {
    // Before the address goes: an announcement after that would take it from its next owner.
    let quiet = announce::end(&record::path(context.invocation, "announce"), context.deadline);
    let Some(target) = target(context, settings, record) else {
        context.log.info(format_args!("no address was given and none is on record: nothing to stop"));
        return quiet;
    };
    let removed = remove(context, &target);
    Failure::collect([quiet.err(), removed.err()].into_iter().flatten().collect()).map_or(Ok(()), Err)
}

fn target<'a>(context: &Context<'_>, settings: Option<&'a Settings>, record: Option<Record>) -> Option<Target<'a>> {
    let values = &context.invocation.values;
    let added = record.as_ref().and_then(|record| record.added.as_ref());
    let given = settings
        .map(|settings| settings.ip)
        .or_else(|| settings::effective_address(values, context.invocation, &mut Faults::default()));
    let nic = match settings {
        Some(settings) => settings.nic.clone(),
        None => values.get(&params::NIC).map(|nic| nic.name),
    };
    let namespace = match settings {
        Some(settings) => settings.network_namespace.clone(),
        None => values.get(&params::NETWORK_NAMESPACE),
    };
    Some(Target {
        ip: added.map(|added| added.ip).or(given)?,
        nic: if added.is_some_and(|added| Some(added.ip) != given) {
            added.map(|added| added.name.clone())
        } else {
            nic
        },
        namespace: added.map_or(namespace, |added| added.namespace.clone()),
        settings: settings.filter(|settings| added.is_none_or(|added| added.ip == settings.ip)),
        record,
    })
}

fn remove(context: &Context<'_>, target: &Target<'_>) -> Result<(), Failure> {
    if let Some(name) = &target.namespace
        && !namespace::enter(name)?
    {
        context.log.info(format_args!("network namespace {name} is gone, and {} with it", target.ip));
        return forget(context, target, false);
    }
    let netlink = Netlink::open()?;
    let links = netlink.links()?;
    let addresses = observe::addresses(&netlink, target.ip)?;
    let ours = ours(target, &addresses, &links);
    if leave_to_other_instances(context, target, &ours, &links)? {
        return forget(context, target, true);
    }
    let settings = target.settings;
    if !ours.is_empty() && settings.is_some_and(|settings| settings.kill_connections) {
        match connections::reset(target.ip) {
            Ok(count) => context.log.info(format_args!("reset {count} TCP connections of {}", target.ip)),
            Err(error) => context.log.warn(format_args!("resetting the TCP connections of {}: {error}", target.ip)),
        }
    }
    let mut failures: Vec<Failure> = Vec::new();
    for address in &ours {
        let link = links.iter().find(|link| link.index == address.index);
        let name = link.map_or("?", |link| link.name.as_str());
        context.log.trace(format_args!("remove {}/{} from {name}", address.ip, address.prefix));
        failures.extend(take_off(context, &netlink, address, name, &addresses).err());
    }
    // Look again: what counts is what is there, not what the kernel was asked to do.
    let now = observe::addresses(&netlink, target.ip)?;
    let removed =
        |address: &Address| ours.iter().any(|gone| gone.index == address.index && gone.prefix == address.prefix);
    let left = now.iter().find(|a| a.ip == target.ip && (removed(a) || is_ours(target, a, &links)));
    if let Some(address) = left {
        let name = links.iter().find(|link| link.index == address.index).map_or("?", |link| link.name.as_str());
        failures.push(Failure::generic(format!("{}/{} is still on {name}", address.ip, address.prefix)));
        return Failure::collect(failures).map_or(Ok(()), Err);
    }
    for failure in failures.iter().chain(tidy(context, target, &netlink, &links).iter()) {
        context.log.warn(format_args!("{failure}"));
    }
    if !ours.is_empty() {
        context.log.info(format_args!("{} is off this node", target.ip));
    }
    forget(context, target, !ours.is_empty())
}

/// Which addresses to remove: what the record names, and what a monitor takes for the resource. Where there is neither,
/// and no stop has told before that nothing of this resource is left, the address itself, wherever it is but on the
/// loopback interface: a resource whose `nic` was changed while it ran is still somewhere.
fn ours<'a>(target: &Target<'_>, addresses: &'a [Address], links: &[Link]) -> Vec<&'a Address> {
    let found: Vec<&Address> = addresses.iter().filter(|address| is_ours(target, address, links)).collect();
    if !found.is_empty() || target.record.is_some() {
        return found;
    }
    let on_loopback = |address: &Address| links.iter().any(|link| link.index == address.index && link.loopback);
    addresses.iter().filter(|address| address.ip == target.ip && !on_loopback(address)).collect()
}

/// Whether the record names an address, or a monitor would take it for the resource.
fn is_ours(target: &Target<'_>, address: &Address, links: &[Link]) -> bool {
    let wanted = Wanted { ip: target.ip, nic: target.nic.as_deref(), prefix: None, label: None };
    let added = target.record.as_ref().and_then(|record| record.added.as_ref());
    let recorded = added.is_some_and(|added| added.index == address.index);
    let belongs_here = || links.iter().any(|link| link.index == address.index && belongs(&wanted, link));
    address.ip == target.ip && (recorded || belongs_here())
}

/// For a cluster IP: takes this instance's share out of the rules; `true` when other instances on this node still need
/// the address.
fn leave_to_other_instances(
    context: &Context<'_>,
    target: &Target<'_>,
    ours: &[&Address],
    links: &[Link],
) -> Result<bool, Failure> {
    let config = match target.settings {
        Some(settings) => settings.cluster_ip.clone(),
        // Other parameters are faulty: those of the rules may be good.
        None => settings::cluster_ip(
            &context.invocation.values,
            context.invocation,
            target.nic.as_deref() == Some("lo"),
            target.ip.is_ipv6(),
            &mut Faults::default(),
        ),
    };
    let Some(config) = &config else { return Ok(false) };
    let here = ours.first().and_then(|address| {
        let link = links.iter().find(|link| link.index == address.index)?;
        Some(observe::place(address, link))
    });
    // The rules may be there without the address, when somebody else has removed it.
    let added = target.record.as_ref().and_then(|record| record.added.as_ref());
    let Some(place) = here.or_else(|| added.map(observe::recorded_place)) else { return Ok(false) };
    let _turn = cluster_turn(context, target.ip)?;
    let share = Share::new(target.ip, &place, config);
    let rules = match Rules::new(context, &share, config) {
        Ok(rules) => rules,
        // Without the tool there are no rules.
        Err(_) => return Ok(false),
    };
    let mut shares: BTreeSet<u32> = rules.shares()?;
    shares.remove(&config.node);
    rules.make(&shares)?;
    Ok(!shares.is_empty())
}

/// Keeps the starts and stops of one resource apart. Pacemaker does so by itself; people and other tools may not. Where
/// no lock can be kept, they are on their own.
///
/// # Errors
/// When another one is at work until the deadline.
pub fn alone(context: &Context<'_>) -> Result<Option<Lock>, Failure> {
    match Lock::take(&record::path(context.invocation, "lock"), context.deadline) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Busy) => Err(Failure::generic("another start or stop of this resource does not end")),
        Err(LockError::File(error)) => {
            context.log.debug(format_args!("no lock is kept: {error}"));
            Ok(None)
        }
    }
}

/// The lock under which the rules of a cluster IP change: other instances of the clone may be here too.
///
/// # Errors
/// When it is not to be had in time.
pub fn cluster_turn(context: &Context<'_>, ip: IpAddr) -> Result<Lock, Failure> {
    turn(context, &crate::share::table(ip))
}

fn turn(context: &Context<'_>, name: &str) -> Result<Lock, Failure> {
    let path = ocf::state::directory(context.invocation).join(format!("IPaddr2-{name}.lock"));
    Lock::take(&path, context.deadline).map_err(|error| Failure::generic(format!("{}: {error}", path.display())))
}

/// Removes one address and nothing else. When the first address of a network goes, the kernel removes the others with
/// it unless it may promote one of them (net.ipv4.conf.*.promote_secondaries).
fn take_off(
    context: &Context<'_>,
    netlink: &Netlink,
    address: &Address,
    nic: &str,
    all: &[Address],
) -> Result<(), Failure> {
    let depends = |other: &&Address| {
        address.ip.is_ipv4()
            && !address.flags.secondary
            && other.flags.secondary
            && other.index == address.index
            && other.prefix == address.prefix
            && contains(address.ip, address.prefix, other.ip)
    };
    let dependents: Vec<&Address> = all.iter().filter(depends).collect();
    if dependents.is_empty() {
        return netlink.remove(address);
    }
    let _turn = turn(context, &format!("interface-{}", address.index))?;
    context.log.trace(format_args!("{} addresses depend on {}: they are to be promoted", dependents.len(), address.ip));
    let name = format!("ipv4/conf/{nic}/promote_secondaries");
    let (removed, _) = sysctl::with(&name, "1", || netlink.remove(address));
    removed?;
    let now = netlink.addresses(address.ip, None)?;
    for lost in dependents.iter().filter(|d| !now.iter().any(|a| a.ip == d.ip && a.index == d.index)) {
        // Where the setting could not be changed (a read-only /proc/sys).
        context.log.info(format_args!("putting {}/{} back", lost.ip, lost.prefix));
        netlink.restore(lost)?;
    }
    Ok(())
}

/// What goes with the address. None of it keeps the address on the host, so a failure is not one of the stop.
fn tidy(context: &Context<'_>, target: &Target<'_>, netlink: &Netlink, links: &[Link]) -> Vec<Failure> {
    let mut failures = Vec::new();
    let record = target.record.as_ref();
    let note = peers_note(context, target);
    if record.is_some_and(|record| record.set_aside) || note.is_some() {
        context.log.info(format_args!("putting {} back on the loopback interface", target.ip));
        failures.extend(put_back(target.ip, netlink, links).err());
    }
    if let Some(note) = note {
        failures.extend(std::fs::remove_file(&note).or_fail(note.display()).err());
    }
    let label = record
        .and_then(|record| record.added.as_ref()?.address_label)
        .or_else(|| target.settings.and_then(|settings| settings.address_label));
    if let Some(label) = label {
        context.log.trace(format_args!("remove address label {label} of {}", target.ip));
        failures.extend(netlink.label_address(target.ip, label, false).err());
    }
    if target.settings.is_some_and(|settings| settings.flush_routes) {
        context.log.trace(format_args!("flush cached routes"));
        let family = if target.ip.is_ipv4() { "ipv4" } else { "ipv6" };
        failures.extend(sysctl::set(&format!("{family}/route/flush"), "1").or_fail("flushing cached routes").err());
    }
    failures
}

/// The file in which the peer notes that it has taken a copy off the loopback interface: after a change of agents
/// nobody else puts it back. `None` without `lvs_support`, or when there is no such note.
fn peers_note(context: &Context<'_>, target: &Target<'_>) -> Option<PathBuf> {
    const LARGEST: u64 = 256;
    if !target.settings.is_some_and(|settings| settings.lvs_support) {
        return None;
    }
    let path = ocf::state::directory(context.invocation).join(target.ip.to_string());
    let text = file::read_small(&path, LARGEST).ok()??;
    text.starts_with(format!("{} 32 ", target.ip).as_bytes()).then_some(path)
}

fn put_back(ip: IpAddr, netlink: &Netlink, links: &[Link]) -> Result<(), Failure> {
    let loopback =
        links.iter().find(|link| link.loopback).ok_or_else(|| Failure::generic("there is no loopback interface"))?;
    let copy = Address {
        index: loopback.index,
        ip,
        prefix: 32,
        label: None,
        broadcast: None,
        flags: crate::snapshot::AddressFlags::default(),
        metric: None,
        scope: 0,
        lifetimes: None,
    };
    netlink.restore(&copy)
}

/// Notes that nothing of this resource is left. Where nothing was known or found there is nothing to note.
fn forget(context: &Context<'_>, target: &Target<'_>, found: bool) -> Result<(), Failure> {
    if !found && target.record.is_none() {
        return Ok(());
    }
    let path = record::path(context.invocation, "record");
    if let Err(failure) = record::write(&path, &Record::default()) {
        // The address is off: that is what a stop is for.
        context.log.warn(format_args!("the record stays: {failure}"));
    }
    Ok(())
}
