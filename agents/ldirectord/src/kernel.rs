//! Talks to the kernel's IPVS by generic netlink.
#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use nix::Error;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::SockProtocol;
use ocf::sys::clock::Deadline;
use ocf::sys::netlink::{Fault, Netlink};

use crate::ipvs::Message;
use crate::table::{Change, Id, Service};

/// How long an answer may take. The kernel gives it at once; this is for one that never comes.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection with IPVS.
pub struct Kernel {
    netlink: Netlink,
    family: u16,
}

impl Kernel {
    /// Connects; `None` when this kernel has no IPVS. To ask loads its module, where the kernel can
    /// (6.1 does).
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> Result<Option<Self>, Fault> {
        let netlink = Netlink::open(SockProtocol::NetlinkGeneric).map_err(Fault::Broken)?;
        let name = GenlCtrlAttrs::FamilyName("IPVS".to_owned());
        let question =
            GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] });
        let answer = match netlink.ask(question, Deadline::after(ANSWER)) {
            Err(Fault::Refused(Error::ENOENT, _)) => return Ok(None),
            answer => answer?,
        };
        let number = answer.payload.nlas.into_iter().find_map(|attribute| match attribute {
            GenlCtrlAttrs::FamilyId(number) => Some(number),
            _ => None,
        });
        Ok(number.map(|family| Self { netlink, family }))
    }

    /// The whole table.
    ///
    /// # Errors
    /// The kernel's; EPERM without CAP_NET_ADMIN.
    pub fn table(&self) -> Result<Vec<Service>, Fault> {
        let answers = self.dump(Message::services())?;
        let mut services: Vec<Service> = answers.iter().filter_map(Message::service).collect();
        for service in &mut services {
            match self.dump(Message::servers(&service.id)) {
                Ok(answers) => {
                    service.servers = answers.iter().filter_map(Message::server).collect()
                }
                // Taken away since.
                Err(Fault::Refused(Error::ESRCH, _)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(services)
    }

    /// The first of some schedulers that this kernel does not have, nor a module of. It is asked in
    /// a network namespace of its own, whose table serves no client and ends with this call; where
    /// that cannot be made, as in most containers, none is known to be missing.
    pub fn first_unknown_of<'name>(schedulers: &[&'name str]) -> Option<&'name str> {
        if schedulers.is_empty() {
            return None;
        }
        let ask = || {
            unshare(CloneFlags::CLONE_NEWNET).ok()?;
            let apart = Self::open().ok()??;
            schedulers.iter().copied().find(|name| !apart.takes(name))
        };
        thread::scope(|scope| {
            // Where no thread can be had, nothing is known either.
            thread::Builder::new().spawn_scoped(scope, ask).ok()?.join().ok().flatten()
        })
    }

    /// Whether a virtual service with a scheduler is not refused for it.
    fn takes(&self, scheduler: &str) -> bool {
        let id = Id::Mark { six: false, mark: 1 };
        match self.send(Message::with_scheduler(&id, scheduler)) {
            // ERANGE: the name is longer than any.
            Err(Fault::Refused(Error::ENOENT | Error::ERANGE, _)) => false,
            // The next one may have the mark.
            Ok(()) => self.delete(&id).is_ok(),
            Err(_) => true,
        }
    }

    /// Carries out a change.
    ///
    /// # Errors
    /// The kernel's.
    pub fn apply(&self, change: &Change<'_>) -> Result<(), Fault> {
        match change {
            Change::Delete(id) => self.delete(id),
            Change::Add(service) => {
                Message::add(service).into_iter().try_for_each(|message| self.send(message))
            }
        }
    }

    fn delete(&self, id: &Id) -> Result<(), Fault> {
        match self.send(Message::delete(id)) {
            // Gone already.
            Err(Fault::Refused(Error::ESRCH, _)) => Ok(()),
            answer => answer,
        }
    }

    fn send(&self, message: Message) -> Result<(), Fault> {
        self.netlink.change(self.addressed(message), 0, None, Deadline::after(ANSWER)).map(drop)
    }

    fn dump(&self, message: Message) -> Result<Vec<Message>, Fault> {
        let answers = self.netlink.dump(&self.addressed(message), Deadline::after(ANSWER))?;
        Ok(answers.into_iter().map(|answer| answer.payload).collect())
    }

    fn addressed(&self, message: Message) -> GenlMessage<Message> {
        let mut message = GenlMessage::from_payload(message);
        message.set_resolved_family_id(self.family);
        message
    }
}
