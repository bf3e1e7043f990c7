//! Talks to the kernel's IPVS by generic netlink.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

use crate::ipvs::Message;
use crate::table::{Change, Id, Service};

/// The kernel fills at most this much at a time.
const CHUNK: usize = 32 * 1024;

/// A connection with IPVS.
pub struct Kernel {
    fd: OwnedFd,
    family: u16,
}

impl Kernel {
    /// Connects; `None` when this kernel has no IPVS. To ask loads its module, where the kernel can (6.1 does).
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> io::Result<Option<Self>> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkGeneric)?;
        let name = GenlCtrlAttrs::FamilyName("IPVS".to_owned());
        let question = GenlMessage::from_payload(GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] });
        let answers = match ask(&fd, question, NLM_F_REQUEST | NLM_F_ACK) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            answers => answers?,
        };
        let number = answers.into_iter().flat_map(|answer| answer.payload.nlas).find_map(|attribute| match attribute {
            GenlCtrlAttrs::FamilyId(number) => Some(number),
            _ => None,
        });
        Ok(number.map(|family| Self { fd, family }))
    }

    /// The whole table.
    ///
    /// # Errors
    /// The kernel's; EPERM without CAP_NET_ADMIN.
    pub fn table(&self) -> io::Result<Vec<Service>> {
        let answers = self.dump(Message::services())?;
        let mut services: Vec<Service> = answers.iter().filter_map(Message::service).collect();
        for service in &mut services {
            match self.dump(Message::servers(&service.id)) {
                Ok(answers) => service.servers = answers.iter().filter_map(Message::server).collect(),
                // Taken away since.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(services)
    }

    /// Carries out a change.
    ///
    /// # Errors
    /// The kernel's.
    pub fn apply(&self, change: &Change<'_>) -> io::Result<()> {
        match change {
            Change::Delete(id) => self.delete(id),
            Change::Add(service) => Message::add(service).into_iter().try_for_each(|message| self.tell(message)),
        }
    }

    fn delete(&self, id: &Id) -> io::Result<()> {
        match self.tell(Message::delete(id)) {
            // Gone already.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            told => told,
        }
    }

    fn tell(&self, message: Message) -> io::Result<()> {
        ask(&self.fd, self.addressed(message), NLM_F_REQUEST | NLM_F_ACK).map(drop)
    }

    fn dump(&self, message: Message) -> io::Result<Vec<Message>> {
        let answers = ask(&self.fd, self.addressed(message), NLM_F_REQUEST | NLM_F_DUMP)?;
        Ok(answers.into_iter().map(|answer| answer.payload).collect())
    }

    fn addressed(&self, message: Message) -> GenlMessage<Message> {
        let mut message = GenlMessage::from_payload(message);
        message.set_resolved_family_id(self.family);
        message
    }
}

/// Asks, and collects the answers to the last one. The kernel answers while it is being told and while it is being read, so
/// nothing is ever waited for.
fn ask<T>(fd: &OwnedFd, message: T, flags: u16) -> io::Result<Vec<T>>
where
    T: NetlinkSerializable + NetlinkDeserializable + Into<NetlinkPayload<T>>,
{
    let mut message = NetlinkMessage::new(Default::default(), message.into());
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    sendto(fd.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut answers = Vec::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT)?;
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let answer = NetlinkMessage::<T>::deserialize(rest).map_err(io::Error::other)?;
            let size = (answer.header.length as usize).next_multiple_of(4).max(16);
            rest = rest.get(size..).unwrap_or(&[]);
            match answer.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Done(_) => return Ok(answers),
                NetlinkPayload::Error(error) if error.raw_code() == 0 => return Ok(answers),
                NetlinkPayload::Error(error) => return Err(io::Error::from_raw_os_error(-error.raw_code())),
                _ => {}
            }
        }
    }
}
