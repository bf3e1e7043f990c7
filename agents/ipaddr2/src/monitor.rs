//! Is the address here, and does it work? Healthy addresses are answered by a few questions in
//! constant time; everything else by a look at all addresses.
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::time::Duration;

use ocf::agent::Context;
use ocf::failure::{Failure, OrFail};
use ocf::outcome::Status;
use ocf::state::StateFile as _;
use ocf::sys::clock::Deadline;

use crate::address::judge::{Seen, belongs, judge};
use crate::address::{link, observe};
use crate::announce::conflict;
use crate::announce::{self, Subject};
use crate::cluster_ip::rules::Rules;
use crate::cluster_ip::share::Share;
use crate::config::settings::Settings;
use crate::kernel::dad::{self, DadResult};
use crate::kernel::labels::Asker;
use crate::kernel::place::Place;
use crate::kernel::questions::Questions;
use crate::kernel::{Address, Link, Snapshot, namespace};
use crate::record::{Added, Record};
use crate::{plan, turns};

/// How long to wait for duplicate address detection that runs again, as it does after a link came
/// back.
const DAD_AGAIN: Duration = Duration::from_secs(3);

/// Gives the state.
///
/// # Errors
/// When the address is there and not as it should be, or cannot be looked for.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let record = Record::load(context.invocation).unwrap_or_default();
    let former = record.added.as_ref().filter(|added| !added.is_about(settings));
    if let Some(former) = former.filter(|former| former.namespace.is_none()) {
        no_longer(former, settings, context.budget.work())?;
    }
    if let Some(name) = &settings.network_namespace
        && !namespace::enter(name)?
    {
        return Ok(Status::STOPPED);
    }
    let known = record.added.as_ref().filter(|added| added.is_about(settings));
    let outdated = outdated_rules(&record, settings);
    if outdated.is_none()
        && let Some(added) = known
        && let Some(subject) = quick(settings, added, context.budget.work())?
    {
        refresh(context, settings, &subject);
        return Ok(Status::Running);
    }
    let (mut status, mut found) = thorough(context, settings, known)?;
    if found.is_none()
        && known.is_some()
        && settings.ip.is_ipv4()
        && matches!(status, Status::NotRunning(_))
    {
        // While a stop puts back what the kernel has removed with another address, this one is gone
        // for a moment only.
        let _turn = turns::addresses(context, context.budget.work());
        (status, found) = thorough(context, settings, known)?;
    }
    if let Some((address, link)) = found {
        if let Some(failure) = outdated {
            return Err(failure);
        }
        if known.is_none_or(|added| added.place.index != link.index) {
            adopt(context, settings, &address, &link, record);
        }
        if !link.is_lost() {
            refresh(context, settings, &observe::subject(&address, &link));
        }
    }
    Ok(status)
}

/// The address that was started with other parameters has to be off before the resource is anything
/// but failed: a stop removes it, and one after "not running" would never come.
///
/// # Errors
/// Where it still is.
fn no_longer(former: &Added, settings: &Settings, deadline: Deadline) -> Result<(), Failure> {
    let questions = Questions::open(deadline)?;
    let place = &former.place;
    let addresses = questions.addresses(former.ip)?;
    let is_here = addresses.iter().any(|address| {
        (address.ip, address.index, address.prefix) == (former.ip, place.index, place.prefix)
    });
    if !is_here || is_same(former, settings, &questions.links()?) {
        return Ok(());
    }
    Err(Failure::generic(format!(
        "{}/{} of earlier parameters is still on {}; stop the resource",
        former.ip, place.prefix, place.name
    )))
}

/// The rules of a cluster IP are made once. After a change of the clone they leave clients without
/// an answer.
fn outdated_rules(record: &Record, settings: &Settings) -> Option<Failure> {
    let made = record.rules.as_ref()?.config.as_ref()?.nodes;
    let now = settings.cluster_ip.as_ref().map_or(1, |config| config.nodes);
    (made != now).then(|| {
        Failure::generic(format!(
            "{} has firewall rules for {made} instances instead of {now}; restart the resource",
            settings.ip
        ))
    })
}

/// Whether what was started with other parameters is what these mean, too: the interface that was
/// found is named now, say.
pub fn is_same(former: &Added, settings: &Settings, links: &[Link]) -> bool {
    let link = links.iter().find(|link| link.index == former.place.index);
    (former.ip, &former.namespace) == (settings.ip, &settings.network_namespace)
        && link.is_some_and(|link| belongs(&observe::wanted(settings, None), link))
}

/// The answer "running, and nothing is wrong", or none: `added` says where to look.
fn quick(
    settings: &Settings,
    added: &Added,
    deadline: Deadline,
) -> Result<Option<Subject>, Failure> {
    if settings.cluster_ip.is_some() {
        return Ok(None);
    }
    let context = || format!("looking for {}", settings.ip);
    let prefix = settings.prefix.unwrap_or(added.place.prefix);
    let label = settings.label.as_ref().map(|label| format!("{}:{label}", added.place.name));
    let place = Place { label, ..added.place.clone() };
    let asker = Asker::open().or_fail(context())?;
    let found = match settings.ip {
        IpAddr::V4(ip) => asker.prefix_of(place.stands_under(), ip).or_fail(context())?,
        IpAddr::V6(ip) => Questions::open(deadline)?
            .address_v6(ip, place.index)?
            .filter(|found| dad::verdict(found.flags) == DadResult::Unique)
            .map(|found| found.prefix),
    };
    // The rare link that is not running may still be one that counts (dormant, or not looked at):
    // the whole look decides.
    let flags = asker.flags(&place.name).or_fail(context())?.filter(|flags| flags.is_running());
    let (Some(found), Some(flags)) = (found, flags) else { return Ok(None) };
    let subject = Subject {
        ip: settings.ip,
        place,
        hardware: None,
        direct: Vec::new(),
        has_neighbours: flags.has_neighbours(),
    };
    Ok((found == prefix).then_some(subject))
}

/// The whole answer, with the address and its interface where they are found as they should be.
/// `known` is what is on record of the resource. Changes nothing.
///
/// # Errors
/// As [`monitor`].
pub fn thorough(
    context: &Context<'_>,
    settings: &Settings,
    known: Option<&Added>,
) -> Result<(Status, Option<(Address, Link)>), Failure> {
    let questions = Questions::open(context.budget.work())?;
    let links = questions.links()?;
    let addresses = questions.addresses(settings.ip)?;
    if addresses.iter().all(|address| address.ip != settings.ip) {
        return Ok((Status::STOPPED, None));
    }
    let home = home(settings, known, &questions, &links, &addresses)?;
    let (address, link) = match judge(&observe::wanted(settings, home), &addresses, &links) {
        Seen::Absent => return Ok((Status::STOPPED, None)),
        Seen::Different(how) => return Err(Failure::generic(how)),
        Seen::Present(address, link) => (address, link),
    };
    if let IpAddr::V6(ip) = settings.ip {
        match dad::poll(
            &questions,
            ip,
            link.index,
            context.budget.work().min(Deadline::after(DAD_AGAIN)),
        )? {
            DadResult::Unique => {}
            DadResult::Gone => return Ok((Status::STOPPED, None)),
            DadResult::Duplicate => {
                return Err(conflict::duplicate(ip, link, context.budget.work()));
            }
            // Without a link there is no verdict; the link has its own say below.
            DadResult::Pending if link.is_lost() => {}
            DadResult::Pending => {
                let text = format!(
                    "{ip} on {} is not usable: duplicate address detection does not end",
                    link.name
                );
                return Err(Failure::generic(text));
            }
        }
    }
    if let Some(config) = &settings.cluster_ip {
        let share = Share::new(settings.ip, &Place::of(address, link), config);
        let rules =
            Rules::new(context, &share, config).map_err(|f| Failure::generic(f.to_string()))?;
        if !rules.drops_the_rest()? {
            return Err(Failure::generic(format!(
                "{} is here without the rules of its cluster IP",
                settings.ip
            )));
        }
        if !rules.shares()?.contains(&config.node) {
            return not_this_share(settings, config.node);
        }
    }
    let status = link::status(link, settings.link_check, context.invocation.is_probe())?;
    Ok((status, Some((address.clone(), link.clone()))))
}

/// As [`plan::home`]; asks for routes only where nothing is on record.
///
/// # Errors
/// When the kernel does not answer.
pub fn home(
    settings: &Settings,
    known: Option<&Added>,
    questions: &Questions,
    links: &[Link],
    addresses: &[Address],
) -> Result<Option<u32>, Failure> {
    let is_known = settings.nic.is_some() || observe::recorded_home(known, links).is_some();
    let routes = match is_known {
        true => Vec::new(),
        false => plan::routes(questions, settings, links)?,
    };
    let snapshot = Snapshot { links: links.to_vec(), addresses: addresses.to_vec(), routes };
    Ok(plan::home(settings, known, &snapshot))
}

/// Another instance of the clone serves here, and this one does not: cleanly stopped.
fn not_this_share(
    settings: &Settings,
    node: u32,
) -> Result<(Status, Option<(Address, Link)>), Failure> {
    let why = format!("{} is here for another instance; share {node} is not served", settings.ip);
    Ok((Status::NotRunning(Some(why)), None))
}

/// An address that another agent put here for this resource (the peer, before a change of agents)
/// becomes ours, so that a stop knows it. Without the right to write it goes on as before.
fn adopt(
    context: &Context<'_>,
    settings: &Settings,
    address: &Address,
    link: &Link,
    record: Record,
) {
    let place = Place::of(address, link);
    let record = Record { added: Some(observe::added(settings, &place)), ..record };
    if let Err(failure) = record.save(context.invocation) {
        context.log.debug(format_args!("no record of {}: {failure}", settings.ip));
    }
}

/// Announces again, where that is configured. A failure is worth a line in the log, not a failed
/// resource.
fn refresh(context: &Context<'_>, settings: &Settings, subject: &Subject) {
    if settings.announce.refresh == 0 || settings.cluster_ip.is_some() || !subject.has_neighbours {
        return;
    }
    let files = observe::lock_files(context.invocation, subject.place.index);
    let direct =
        observe::direct(settings, subject.place.index, context.budget.work()).unwrap_or_default();
    let subject = Subject { direct, ..subject.clone() };
    if let Err(failure) =
        announce::refresh(&subject, &settings.announce, &files, context.budget.work())
    {
        context.log.warn(format_args!("{failure}"));
    }
}
