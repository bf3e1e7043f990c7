//! Announces to neighbours where the address is: ARP for IPv4, neighbour advertisements for IPv6.

pub mod background;
pub mod conflict;
pub mod frame;
pub mod pacing;
pub mod schedule;
pub mod wire;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ocf::failure::{Failure, OrFail};
use ocf::lock;
use ocf::sys::clock::Deadline;
use ocf::sys::file;

use crate::announce::frame::{Arp, Operation, advertisement};
use crate::announce::wire::{AdvertisementSocket, ArpSocket};
use crate::config::settings::Announce;
use crate::kernel::labels::Asker;
use crate::kernel::place::Place;
use crate::kernel::questions::Questions;
use crate::kernel::{Hardware, Link};

/// All nodes on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// A pause that is worth closing and opening a socket.
const LONG_PAUSE: Duration = Duration::from_millis(50);

/// What is announced, and where.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The address.
    pub ip: IpAddr,
    /// Where it is.
    pub place: Place,
    /// A link-layer address to announce instead of the interface's own, for a cluster IP.
    pub hardware: Option<Vec<u8>>,
    /// Whether there are neighbours to announce to.
    pub has_neighbours: bool,
    /// Neighbours to announce to directly.
    pub direct: Vec<Neighbour>,
}

/// A neighbour with its link-layer address, if that is known.
pub type Neighbour = (IpAddr, Option<Vec<u8>>);

/// A socket for announcements of one address.
pub enum Announcer {
    /// By ARP.
    V4(ArpSocket, Ipv4Addr),
    /// By neighbour advertisements.
    V6(AdvertisementSocket, Ipv6Addr),
}

impl AsRawFd for Announcer {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::V4(socket, _) => socket.as_raw_fd(),
            Self::V6(socket, _) => socket.as_raw_fd(),
        }
    }
}

impl Announcer {
    /// Opens a socket. That of an IPv6 address needs the address to be there already.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(subject: &Subject) -> io::Result<Self> {
        match subject.ip {
            IpAddr::V4(ip) => Ok(Self::V4(ArpSocket::sending(subject.place.index)?, ip)),
            IpAddr::V6(ip) => Ok(Self::V6(AdvertisementSocket::open(ip, subject.place.index)?, ip)),
        }
    }

    /// Announces once.
    ///
    /// # Errors
    /// The first of the kernel's; the other packets are sent all the same.
    pub fn announce(&self, subject: &Subject, hardware: &Hardware) -> io::Result<()> {
        let own = subject.hardware.as_ref().unwrap_or(&hardware.address);
        let mut sent = Vec::new();
        match self {
            Self::V4(socket, ip) => {
                for operation in [Operation::Request, Operation::Reply] {
                    let packet = Arp::announcement(hardware.kind, own, *ip, operation);
                    sent.push(socket.send(&packet, &hardware.broadcast));
                }
                for (neighbour, known) in &subject.direct {
                    let IpAddr::V4(neighbour) = neighbour else { continue };
                    let to = known.as_ref().unwrap_or(&hardware.broadcast);
                    sent.push(socket.send(&Arp::question(hardware.kind, own, *ip, *neighbour), to));
                    if let Some(to) = known {
                        let reply = Arp {
                            target_hw: to.clone(),
                            target_ip: *neighbour,
                            ..Arp::announcement(hardware.kind, own, *ip, Operation::Reply)
                        };
                        sent.push(socket.send(&reply, to));
                    }
                }
            }
            Self::V6(socket, ip) => {
                let packet = advertisement(*ip, own, forwards(&subject.place.name));
                sent.push(socket.send(&packet, ALL_NODES));
                for (neighbour, _) in &subject.direct {
                    if let IpAddr::V6(neighbour) = neighbour {
                        sent.push(socket.send(&packet, *neighbour));
                    }
                }
            }
        }
        sent.into_iter().collect()
    }
}

/// Whether the node is a router on an interface. Unknown is no: hosts are many, routers few.
fn forwards(name: &str) -> bool {
    let path = Path::new("/proc/sys/net/ipv6/conf").join(name).join("forwarding");
    file::read_kernel_text(&path).is_ok_and(|text| text != "0")
}

/// Where the locks of the background process and of the pacing on the interface are.
#[derive(Clone, Debug)]
pub struct LockFiles {
    /// Held by the process that announces this resource's address.
    pub lock: PathBuf,
    /// Where those who announce on this interface take turns.
    pub pacing: PathBuf,
}

/// Announces after a start: once before this returns, the other times in the background or, if so
/// configured, before this returns.
///
/// # Errors
/// When the first announcement could not be sent, or the rest not be left to the background.
pub fn after_start(
    announcer: Announcer,
    subject: &Subject,
    link: &Link,
    how: &Announce,
    files: &LockFiles,
    deadline: Deadline,
) -> Result<(), Failure> {
    let began = Instant::now();
    let first = announcer.announce(subject, &link.hardware);
    let later = schedule::later(how.count, how.interval);
    if how.background {
        // Even without later announcements: the background closes the socket, which takes its time.
        // This process's copy goes with the closure, long before it ends and the work there begins.
        let fd = announcer.as_raw_fd();
        let rest = move || repeat(Some(announcer), subject, later, began, &files.pacing, None);
        background::run(&files.lock, Some(fd), rest).or_fail("announcing in the background")?;
    } else {
        repeat(Some(announcer), subject, later, began, &files.pacing, Some(deadline));
    }
    first.or_fail(format!("announcing {} on {}", subject.ip, link.name))
}

/// Announces again during a monitor. While an earlier announcement still goes on, that is enough.
///
/// # Errors
/// When it could not begin.
pub fn refresh(
    subject: &Subject,
    how: &Announce,
    files: &LockFiles,
    deadline: Deadline,
) -> Result<(), Failure> {
    let moments =
        || std::iter::once(Duration::ZERO).chain(schedule::later(how.refresh, how.interval));
    if !how.background {
        repeat(None, subject, moments(), Instant::now(), &files.pacing, Some(deadline));
        return Ok(());
    }
    if lock::holder(&files.lock).or_fail(files.lock.display())?.is_some() {
        return Ok(());
    }
    background::run(&files.lock, None, || {
        repeat(None, subject, moments(), Instant::now(), &files.pacing, None)
    })
    .or_fail("announcing in the background")
}

/// Ends a background announcement, and returns when it has ended.
///
/// # Errors
/// When it did not end in time, or could not be looked for.
pub fn end(lock: &Path, deadline: Deadline) -> Result<(), Failure> {
    match lock::end_holder(lock, deadline).or_fail("ending the announcements")? {
        true => Ok(()),
        false => Err(Failure::generic("the announcements in the background do not end")),
    }
}

/// The later announcements. Each one first looks whether the address is still there, and reads the
/// link-layer address anew: a bond may have changed it.
///
/// No socket is held through a longer pause: a stop that ends this process waits until it is
/// closed. The last one is given back, to be closed when no stop waits any more.
fn repeat(
    mut announcer: Option<Announcer>,
    subject: &Subject,
    moments: impl Iterator<Item = Duration>,
    began: Instant,
    pacing: &Path,
    deadline: Option<Deadline>,
) -> Option<Announcer> {
    for moment in moments {
        let due = Deadline::at(began + moment);
        if let Some(deadline) = deadline
            && deadline.min(due).left() < due.left()
        {
            break;
        }
        if due.left() > LONG_PAUSE {
            announcer = None;
        }
        due.sleep(Duration::MAX);
        pacing::wait(pacing);
        let Ok(Some(link)) =
            Questions::open(soon()).and_then(|questions| questions.link(subject.place.index))
        else {
            break;
        };
        if !is_here(subject) {
            break;
        }
        if announcer.is_none() {
            announcer = Announcer::open(subject).ok();
        }
        if let Some(announcer) = &announcer {
            // An announcement that cannot be sent (the link is down) may be followed by one that
            // can.
            let _ = announcer.announce(subject, &link.hardware);
        }
    }
    announcer
}

/// The time for an answer of the kernel, which comes at once.
fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// Whether the address is still on its interface. Doubt is no: an announcement too few is repaired
/// by the next, one too many takes the address from its owner.
fn is_here(subject: &Subject) -> bool {
    match subject.ip {
        IpAddr::V4(ip) => Asker::open()
            .and_then(|asker| asker.prefix_of(subject.place.stands_under(), ip))
            .is_ok_and(|prefix| prefix.is_some()),
        IpAddr::V6(ip) => {
            let found = Questions::open(soon())
                .and_then(|questions| questions.address_v6(ip, subject.place.index));
            found.is_ok_and(|found| found.is_some_and(|address| !address.flags.dadfailed))
        }
    }
}
