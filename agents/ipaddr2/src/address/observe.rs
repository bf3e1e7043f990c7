//! What start, stop and monitor share: they read the addresses of this host here, and make of the
//! settings what is looked for, and which lock belongs to it.
#![forbid(unsafe_code)]

use ocf::failure::Failure;
use ocf::invocation::Invocation;
use ocf::state::StateFile as _;
use ocf::sys::clock::Deadline;

use crate::address::judge::Wanted;
use crate::announce::{LockFiles, Neighbour, Subject};
use crate::config::settings::Settings;
use crate::kernel::place::Place;
use crate::kernel::questions::Questions;
use crate::kernel::{Address, Link};
use crate::record::{Added, Record};

/// What the resource should look like; `home` as in [`Wanted`].
pub fn wanted(settings: &Settings, home: Option<u32>) -> Wanted {
    let Settings { ip, nic, prefix, label, .. } = settings;
    Wanted { ip: *ip, nic: nic.clone(), home, prefix: *prefix, label: label.clone() }
}

/// The interface that is on record, if it is still there.
pub fn recorded_home(added: Option<&Added>, links: &[Link]) -> Option<u32> {
    let place = &added?.place;
    links.iter().any(|link| link.index == place.index).then_some(place.index)
}

/// What is announced about an address that is there.
pub fn subject(address: &Address, link: &Link) -> Subject {
    Subject {
        ip: address.ip,
        place: Place::of(address, link),
        hardware: None,
        direct: Vec::new(),
        has_neighbours: link.has_neighbours(),
    }
}

/// The record of an address that is where it should be.
pub fn added(settings: &Settings, place: &Place) -> Added {
    Added {
        ip: settings.ip,
        place: place.clone(),
        asked: settings.nic.clone(),
        namespace: settings.network_namespace.clone(),
        address_label: settings.address_label,
    }
}

/// Where the announcements of this resource keep their locks.
pub fn lock_files(invocation: &Invocation, index: u32) -> LockFiles {
    LockFiles {
        lock: Record::path(invocation, "announce"),
        pacing: ocf::state::directory(invocation).join(format!("IPaddr2-interface-{index}.gate")),
    }
}

/// The neighbours to announce to directly, with the link-layer addresses that are known.
///
/// # Errors
/// When the kernel does not answer.
pub fn direct(
    settings: &Settings,
    index: u32,
    deadline: Deadline,
) -> Result<Vec<Neighbour>, Failure> {
    if settings.announce.to.is_empty() {
        return Ok(Vec::new());
    }
    let questions = Questions::open(deadline)?;
    settings.announce.to.iter().map(|ip| Ok((*ip, questions.neighbour(*ip, index)?))).collect()
}
