//! The first half of a start, which decides and changes nothing; `--explain` uses it, too.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::agent::Context;
use ocf::failure::Failure;
use ocf::outcome::Status;
use ocf::sys::clock::Deadline;

use crate::address::judge::{Seen, judge};
use crate::address::{link, observe, select};
use crate::announce::Subject;
use crate::cluster_ip::rules::Rules;
use crate::cluster_ip::share::Share;
use crate::config::parse::{Dad, LinkCheck};
use crate::config::settings::Settings;
use crate::kernel::decode::AddFlags;
use crate::kernel::place::Place;
use crate::kernel::questions::Questions;
use crate::kernel::{Address, Link, Route, Snapshot, TABLE_MAIN, namespace, sysctl};
use crate::monitor;
use crate::record::Added;

/// What a start is going to do, and what it is based on.
pub struct Plan {
    /// For more questions.
    pub questions: Questions,
    /// What is there.
    pub snapshot: Snapshot,
    /// Where the address goes.
    pub place: Place,
}

/// Looks and decides; changes nothing.
///
/// # Errors
/// What this host lacks, and what to set or do about it.
pub fn plan(context: &Context<'_>, settings: &Settings) -> Result<Plan, Failure> {
    let (questions, snapshot) = look(context, settings)?;
    let (place, _) = select::place(settings, &snapshot)?;
    context.log.trace(format_args!("decided: {place:?}"));
    if let Some(config) = &settings.cluster_ip {
        Rules::new(context, &Share::new(settings.ip, &place, config), config)?;
    }
    Ok(Plan { questions, snapshot, place })
}

/// Looks at all that a start goes by, in the network namespace of the resource, which this process
/// is in from now on.
///
/// # Errors
/// When there is no such namespace, or the kernel does not answer.
pub fn look(context: &Context<'_>, settings: &Settings) -> Result<(Questions, Snapshot), Failure> {
    if let Some(name) = &settings.network_namespace
        && !namespace::enter(name)?
    {
        return Err(namespace::missing(name));
    }
    let questions = Questions::open(context.budget.work())?;
    let links = questions.links()?;
    let addresses = questions.addresses(settings.ip)?;
    let routes = routes(&questions, settings, &links)?;
    Ok((questions, Snapshot { links, addresses, routes }))
}

/// Where the address belongs when no interface is given: where it is on record, else where the
/// routes lead; `None` where neither says so. A copy elsewhere, such as that of a real server on a
/// tunnel, is not the resource.
pub fn home(settings: &Settings, known: Option<&Added>, snapshot: &Snapshot) -> Option<u32> {
    if settings.nic.is_some() {
        return None;
    }
    let by_routes = || select::place(settings, snapshot).ok().map(|(place, _)| place.index);
    observe::recorded_home(known, &snapshot.links).or_else(by_routes)
}

/// The routes that tell where the address belongs. With interface and prefix length given they
/// matter for the broadcast address and the metric only, and one question is enough, whose answer
/// is the best of all: a router's hundred thousand routes are read when there is no other way.
///
/// # Errors
/// When the kernel does not answer.
pub fn routes(
    questions: &Questions,
    settings: &Settings,
    links: &[Link],
) -> Result<Vec<Route>, Failure> {
    let mut tables = select::tables(settings, links);
    let nic = settings.nic.as_ref().and_then(|name| links.iter().find(|link| link.is_called(name)));
    let any = settings.route_table.is_none() && settings.route_protocol.is_none();
    if let (Some(link), Some(prefix), true) = (nic, settings.prefix, any) {
        match questions.route_over(settings.ip, link.index) {
            None => return Ok(Vec::new()),
            Some(route)
                if select::is_the_answer(&route, prefix, &tables)
                    && !hides(&route, settings, prefix) =>
            {
                return Ok(vec![route]);
            }
            // A more specific one hides the network's own.
            Some(_) => {}
        }
    }
    if settings.ip.is_ipv6() && settings.route_table.is_some() {
        // The prefix route of the address does not go to that table.
        tables.push(TABLE_MAIN);
        tables.extend(links.iter().filter_map(|link| link.vrf_table));
        tables.sort_unstable();
        tables.dedup();
    }
    let all: Vec<Vec<Route>> = tables
        .iter()
        .map(|table| questions.routes(settings.ip, *table))
        .collect::<Result<_, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// Whether there may be another IPv6 route to the network, of the very metric that is configured:
/// the kernel takes the lower.
fn hides(route: &Route, settings: &Settings, prefix: u8) -> bool {
    settings.ip.is_ipv6()
        && route.prefix == prefix
        && settings.metric.is_some_and(|metric| metric > route.metric)
}

/// What a start has to do.
pub enum Next {
    /// Nothing: the address is here.
    Keep(Place),
    /// Remove the address, of which duplicate address detection has found another owner, and add it
    /// again.
    Renew(Address),
    /// Add the address.
    Add,
}

/// Decides what a start has to do. Changes nothing.
///
/// # Errors
/// When the address is here and not as it should be.
pub fn next(
    context: &Context<'_>,
    settings: &Settings,
    known: Option<&Added>,
    snapshot: &Snapshot,
) -> Result<Next, Failure> {
    let wanted = observe::wanted(settings, home(settings, known, snapshot));
    match judge(&wanted, &snapshot.addresses, &snapshot.links) {
        Seen::Absent => Ok(Next::Add),
        Seen::Different(how) => {
            Err(Failure::generic(format!("{how}; stop the resource or remove the address first")))
        }
        Seen::Present(address, link) if settings.cluster_ip.is_some() => {
            let runs =
                monitor::monitor(context, settings).is_ok_and(|status| status == Status::Running);
            Ok(if runs { Next::Keep(Place::of(address, link)) } else { Next::Add })
        }
        Seen::Present(address, _) if address.flags.dadfailed => Ok(Next::Renew(address.clone())),
        Seen::Present(_, link)
            if link.is_lost() && link::check(settings.link_check) == LinkCheck::Fail =>
        {
            Err(Failure::generic(link::lost(link)))
        }
        Seen::Present(address, link) => Ok(Next::Keep(Place::of(address, link))),
    }
}

/// The copy of the address on the loopback interface.
pub fn copy_on_loopback<'a>(settings: &Settings, snapshot: &'a Snapshot) -> Option<&'a Address> {
    let on_loopback = |address: &&Address| {
        address.prefix == 32 && snapshot.link(address.index).is_some_and(|link| link.loopback)
    };
    snapshot.having(settings.ip).find(on_loopback)
}

/// The setting that allows optimistic addresses on an interface.
pub fn optimistic_dad(place: &Place) -> String {
    format!("ipv6/conf/{}/optimistic_dad", place.name)
}

/// The options of the new address, besides its place.
pub fn add_flags(settings: &Settings, place: &Place) -> AddFlags {
    let v6 = settings.ip.is_ipv6();
    let optimistic = match settings.dad {
        Dad::Auto => v6 && sysctl::get(&optimistic_dad(place)).is_ok(),
        Dad::Optimistic => v6,
        Dad::Wait | Dad::Off => false,
    };
    AddFlags {
        nodad: v6 && settings.dad == Dad::Off,
        optimistic,
        noprefixroute: place.noprefixroute,
        preferred_lft: (v6 && settings.preferred_lft != u32::MAX).then_some(settings.preferred_lft),
    }
}

/// What is announced after a start, and to whom. Of a cluster IP neighbours may only ever learn the
/// shared address.
pub fn subject(settings: &Settings, place: &Place, link: &Link, share: Option<&Share>) -> Subject {
    Subject {
        ip: settings.ip,
        place: place.clone(),
        hardware: share.map(|share| share.mac.to_vec()),
        has_neighbours: link.has_neighbours()
            && !link.is_lost()
            && share.is_none_or(|share| share.mangle),
        direct: observe::direct(settings, place.index, Deadline::after(Duration::from_secs(5)))
            .unwrap_or_default(),
    }
}
