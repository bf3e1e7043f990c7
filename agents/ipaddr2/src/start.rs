//! Puts the address on the host: look, decide, change, look again, announce.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ocf::agent::Context;
use ocf::failure::{Failure, OrFail};
use ocf::state::StateFile as _;
use ocf::sys::clock::Deadline;

use crate::address::{link, observe, prefix_route};
use crate::announce::conflict;
use crate::announce::wire::ArpSocket;
use crate::announce::{self, Announcer};
use crate::cluster_ip::rules::Rules;
use crate::cluster_ip::share::Share;
use crate::config::parse::{Dad, LinkCheck};
use crate::config::settings::{ClusterIp, Settings};
use crate::kernel::changes::Changes;
use crate::kernel::dad::{self, DadResult};
use crate::kernel::place::{Place, prefix_table};
use crate::kernel::questions::{AddressEvents, Questions};
use crate::kernel::{Link, Snapshot, labels, sysctl};
use crate::plan::{Next, Plan, add_flags, copy_on_loopback, next, optimistic_dad, plan, subject};
use crate::record::{self, Added, Record};
use crate::{monitor, stop, turns};

/// How long an interface that start has switched on may take to find its link.
const LINK_WAIT: Duration = Duration::from_secs(2);

/// The smallest MTU of an interface with IPv6 (RFC 8200, section 5).
const SMALLEST_V6_MTU: u32 = 1280;

/// Makes the address available.
///
/// # Errors
/// Why not; nothing of the attempt is left.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    clear_former(context, settings)?;
    let plan = plan(context, settings)?;
    let former = Record::load(context.invocation).unwrap_or_default();
    // What a start that was killed has left is this resource's, too.
    let had_label = former.added.as_ref().is_some_and(|added| added.address_label.is_some());
    let known = former.added.as_ref().filter(|added| added.is_about(settings));
    match next(context, settings, known, &plan.snapshot)? {
        Next::Keep(place) => {
            note(context, &Record { added: Some(observe::added(settings, &place)), ..former });
            return Ok(());
        }
        // Left by an earlier start that was killed before it could see the verdict.
        Next::Renew(address) => drop(Changes::open(context.budget.work())?.remove(&address)?),
        Next::Add => {}
    }
    let record = Record { added: Some(observe::added(settings, &plan.place)), ..former };
    // A start after a start that was killed: what that one announced must not outlive the decision
    // made now.
    announce::end(
        &observe::lock_files(context.invocation, plan.place.index).lock,
        context.budget.work(),
    )?;
    note(context, &record);
    bring_up(context, settings, plan, had_label).map_err(|failure| {
        context.log.debug(format_args!("undoing a failed start"));
        match stop::undo(context) {
            Ok(()) => failure,
            Err(left) => {
                Failure::new(failure.kind, format!("{failure}; and undoing it failed: {left}"))
            }
        }
    })
}

/// Removes what was started with other parameters: the record has room for one address, and a stop
/// goes by it.
fn clear_former(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let Some(record) = Record::load(context.invocation) else { return Ok(()) };
    let Some(former) = record.added.as_ref().filter(|added| !added.is_about(settings)) else {
        return Ok(());
    };
    if let Some(name) = &former.namespace {
        // This process could not come back from there.
        context.log.warn(format_args!(
            "{} of earlier parameters may still be in network namespace {name}",
            former.ip
        ));
        return Ok(());
    }
    let links = Questions::open(context.budget.work())?.links()?;
    if monitor::is_same(former, settings, &links) {
        return Ok(());
    }
    let (ip, name) = (former.ip, &former.place.name);
    context.log.info(format_args!("removing {ip} of earlier parameters from {name} first"));
    stop::clear_recorded(context, record)
}

/// Records what is about to be there. A service is worth more than a record: without one, stop goes
/// by the address.
fn note(context: &Context<'_>, record: &Record) {
    if let Err(failure) = record.save(context.invocation) {
        context.log.warn(format_args!("no record is kept: {failure}"));
    }
}

fn bring_up(
    context: &Context<'_>,
    settings: &Settings,
    plan: Plan,
    had_label: bool,
) -> Result<(), Failure> {
    let Plan { questions, snapshot, place } = plan;
    let changes = Changes::open(context.budget.work())?;
    let link = usable_link(context, settings, &questions, &changes, &snapshot, &place)?;
    let arp_socket = look_for_conflict(context, settings, &snapshot, &link)?;
    if settings.lvs_support {
        set_aside(context, &changes, &snapshot, settings)?;
    }
    let shared = settings
        .cluster_ip
        .as_ref()
        .map(|config| (Share::new(settings.ip, &place, config), config));
    if let Some((share, config)) = &shared {
        let _turn = turns::cluster(context, settings.ip, context.budget.work())?;
        let rules = Rules::new(context, share, config)?;
        let mut shares: BTreeSet<u32> = rules.shares()?;
        shares.insert(config.node);
        // Noted first: a stop must know that there may be rules, also when the tool is gone by
        // then.
        let record = Record::load(context.invocation).unwrap_or_default();
        let noted =
            record::Rules { tool: rules.tool().to_owned(), config: Some(ClusterIp::clone(config)) };
        note(context, &Record { rules: Some(noted), ..record });
        rules.make(&shares)?;
    }
    if let Some(label) = settings.address_label {
        context.log.trace(format_args!("add address label {label} for {}", settings.ip));
        match changes.label_address(settings.ip, label, true) {
            Ok(true) => {}
            Ok(false) if had_label => {}
            // Another program has given the address a label. It stays, also when the address goes.
            Ok(false) => {
                let record = Record::load(context.invocation).unwrap_or_default();
                let added = record.added.map(|added| Added { address_label: None, ..added });
                note(context, &Record { added, ..record });
            }
            // The peer, too, goes on without: it matters for outgoing traffic only.
            Err(failure) => context.log.warn(format_args!("{failure}")),
        }
    }
    // Opened first, so that nothing but the kernel's own work lies between the address and its
    // announcement.
    let subject = subject(settings, &place, &link, shared.as_ref().map(|(share, _)| share));
    let arp = match (settings.ip, arp_socket) {
        (IpAddr::V4(ip), Some(socket)) => Some(Ok(Announcer::V4(socket, ip))),
        (IpAddr::V4(_), None) if subject.has_neighbours => Some(Announcer::open(&subject)),
        _ => None,
    };
    add(context, settings, &questions, &changes, &snapshot, &place, &link)?;
    // The background begins with a copy of this process, in which no runtime may be.
    drop(changes);
    context.log.info(format_args!("{}/{} is on {}", settings.ip, place.prefix, place.name));
    if !subject.has_neighbours {
        return Ok(());
    }
    let announcer = arp.unwrap_or_else(|| Announcer::open(&subject));
    context.log.trace(format_args!("announce {subject:?} with {:?}", link.hardware));
    let announced =
        announcer.or_fail(format!("announcing {}", settings.ip)).and_then(|announcer| {
            let files = observe::lock_files(context.invocation, place.index);
            announce::after_start(
                announcer,
                &subject,
                &link,
                &settings.announce,
                &files,
                context.budget.work(),
            )
        });
    if let Err(failure) = announced {
        // Neighbours find the address by ARP or neighbour discovery: no reason to remove it again.
        context.log.warn(format_args!("{failure}"));
    }
    Ok(())
}

/// The interface, switched on and with a link, unless links do not matter.
fn usable_link(
    context: &Context<'_>,
    settings: &Settings,
    questions: &Questions,
    changes: &Changes,
    snapshot: &Snapshot,
    place: &Place,
) -> Result<Link, Failure> {
    let gone = || Failure::installed(format!("interface {} is gone", place.name));
    let mut link = snapshot.link(place.index).cloned().ok_or_else(gone)?;
    let was_off = !link.up;
    if was_off {
        context.log.info(format_args!("switching interface {} on", link.name));
        changes.set_up(link.index, true)?;
        let limit = context.budget.work().min(Deadline::after(LINK_WAIT));
        let look = || match questions.link(place.index) {
            Ok(Some(now)) if !now.is_lost() => Some(Some(now)),
            Ok(Some(_)) | Err(_) => None,
            Ok(None) => Some(None),
        };
        match limit.poll(look) {
            Some(Some(now)) => link = now,
            Some(None) => return Err(gone()),
            None => link = questions.link(place.index)?.ok_or_else(gone)?,
        }
    }
    if link.is_lost() && link::check(settings.link_check) == LinkCheck::Fail {
        if was_off {
            context.log.info(format_args!("switching interface {} off again", link.name));
            changes.set_up(link.index, false)?;
        }
        return Err(Failure::generic(link::lost(&link)));
    }
    Ok(link)
}

fn look_for_conflict(
    context: &Context<'_>,
    settings: &Settings,
    snapshot: &Snapshot,
    link: &Link,
) -> Result<Option<ArpSocket>, Failure> {
    let IpAddr::V4(ip) = settings.ip else { return Ok(None) };
    if !settings.detect_conflict
        || settings.cluster_ip.is_some()
        || !link.has_neighbours()
        || link.is_lost()
    {
        return Ok(None);
    }
    let own: Vec<Vec<u8>> =
        snapshot.links.iter().map(|link| link.hardware.address.clone()).collect();
    let (rival, socket) = conflict::look(ip, link, &own, context.budget.work())?;
    match rival {
        None => Ok(Some(socket)),
        Some(hw) => Err(conflict::in_use(settings.ip, link, &hw)),
    }
}

/// Takes the copy of the address off the loopback interface, for as long as this node has the real
/// one.
fn set_aside(
    context: &Context<'_>,
    changes: &Changes,
    snapshot: &Snapshot,
    settings: &Settings,
) -> Result<(), Failure> {
    let Some(copy) = copy_on_loopback(settings, snapshot) else { return Ok(()) };
    let record = Record::load(context.invocation).unwrap_or_default();
    // Without a record nothing would put it back.
    Record { set_aside: Some(copy.clone()), ..record }.save(context.invocation)?;
    context.log.info(format_args!("setting {} aside on the loopback interface", settings.ip));
    changes.remove(copy).map(drop)
}

fn add(
    context: &Context<'_>,
    settings: &Settings,
    questions: &Questions,
    changes: &Changes,
    snapshot: &Snapshot,
    place: &Place,
    link: &Link,
) -> Result<(), Failure> {
    let here = snapshot.having(settings.ip).any(|address| address.index == place.index);
    if here && settings.cluster_ip.is_some() {
        // Another instance of the clone has put it there.
        return Ok(());
    }
    let turn = || turns::addresses(context, context.budget.work());
    let IpAddr::V6(ip) = settings.ip else {
        let _turn = turn();
        changes.add(settings.ip, place, add_flags(settings, place))?;
        return confirm(questions, settings, place);
    };
    if (1..SMALLEST_V6_MTU).contains(&link.mtu) {
        // The kernel says no more than that something is invalid.
        return Err(Failure::generic(format!(
            "interface {} has an MTU of {}, and IPv6 needs {SMALLEST_V6_MTU}; raise it",
            link.name, link.mtu
        )));
    }
    let events = AddressEvents::listen()?;
    let alone = turn();
    let place = &with_prefix_route(context, settings, questions, snapshot, place, link)?;
    let flags = add_flags(settings, place);
    context.log.trace(format_args!("add {} to {} with {flags:?}", settings.ip, place.name));
    if flags.optimistic {
        // The kernel takes the flag only where the interface allows it
        // (`ipv6_allow_optimistic_dad`).
        let (added, allowed) =
            sysctl::with(&optimistic_dad(place), "1", || changes.add(settings.ip, place, flags));
        added?;
        if !allowed && settings.dad == Dad::Optimistic {
            context.log.warn(format_args!(
                "this kernel has no optimistic duplicate address detection; waiting instead"
            ));
        }
    } else {
        changes.add(settings.ip, place, flags)?;
    }
    drop(alone);
    match dad::wait(questions, &events, ip, place.index, verdict_by(context, link))? {
        DadResult::Unique => confirm(questions, settings, place),
        DadResult::Duplicate => Err(conflict::duplicate(ip, link, context.budget.work())),
        DadResult::Gone => {
            Err(Failure::generic(format!("{ip} was removed from {} while it started", place.name)))
        }
        DadResult::Pending if link.is_lost() => {
            context.log.warn(format_args!("{ip} is not usable before {} has a link", place.name));
            confirm(questions, settings, place)
        }
        DadResult::Pending => Err(Failure::generic(format!(
            "duplicate address detection for {ip} on {} does not end",
            place.name
        ))),
    }
}

/// The place, with a prefix route if it was only for a moment that the route to the network seemed
/// to be another's: a stop had removed the address that had brought it, and not yet the route.
fn with_prefix_route(
    context: &Context<'_>,
    settings: &Settings,
    questions: &Questions,
    snapshot: &Snapshot,
    place: &Place,
    link: &Link,
) -> Result<Place, Failure> {
    if settings.noprefixroute || !place.noprefixroute {
        return Ok(place.clone());
    }
    let now = Snapshot {
        links: snapshot.links.clone(),
        addresses: questions.addresses(settings.ip)?,
        routes: questions.routes(settings.ip, prefix_table(link, &snapshot.links))?,
    };
    let place = Place {
        noprefixroute: prefix_route::is_foreign(settings.ip, place, link, &now),
        ..place.clone()
    };
    if !place.noprefixroute {
        let record = Record::load(context.invocation).unwrap_or_default();
        note(context, &Record { added: Some(observe::added(settings, &place)), ..record });
    }
    Ok(place)
}

/// Until when to wait for the verdict: without a link there will be none.
fn verdict_by(context: &Context<'_>, link: &Link) -> Deadline {
    if link.is_lost() { Deadline::after(Duration::ZERO) } else { context.budget.work() }
}

/// Looks at what has been done.
fn confirm(questions: &Questions, settings: &Settings, place: &Place) -> Result<(), Failure> {
    let context = || format!("looking for {}", settings.ip);
    let found = match settings.ip {
        IpAddr::V4(ip) => labels::Asker::open()
            .and_then(|asker| asker.prefix_of(place.stands_under(), ip))
            .or_fail(context())?,
        IpAddr::V6(ip) => questions.address_v6(ip, place.index)?.map(|address| address.prefix),
    };
    match found {
        Some(prefix) if prefix == place.prefix => Ok(()),
        Some(prefix) => Err(Failure::generic(format!(
            "{} came up with prefix length {prefix} instead of {}",
            settings.ip, place.prefix
        ))),
        None => Err(Failure::generic(format!(
            "{} was added to {} and is not there",
            settings.ip, place.name
        ))),
    }
}
