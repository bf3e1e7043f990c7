//! One client of netlink, for all that agents ask the kernel: lists, single questions, changes, and
//! events.
//!
//! What is easily overlooked is done here once: a wait ends at the deadline; a list may end with an
//! error in its last message (NLMSG_DONE); a list that a change has interrupted (NLM_F_DUMP_INTR)
//! is requested again; the kernel's own words about a refusal (extended acknowledgements) belong to
//! the error.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, sendto,
    socket,
};

use crate::failure::{Failure, IntoFailure, Kind};
use crate::sys::clock::Deadline;

/// Of a list the kernel fills at most this much at a time.
const CHUNK: usize = 32 * 1024;

/// More than any single answer: the kernel makes these in at most 8 KiB (NLMSG_GOODSIZE). Less
/// memory is touched than for a list, and its pages are a part of what a monitor costs.
const ANSWER: usize = 8 * 1024;

/// How often an interrupted list is requested before it is taken as it is. What does not change is
/// on each of them.
const TRIES: u32 = 8;

/// The attribute of an extended acknowledgement that carries its text (NLMSGERR_ATTR_MSG).
const MESSAGE: u16 = 1;

/// Messages of one kind of netlink.
pub trait Message:
    NetlinkSerializable + NetlinkDeserializable + Into<NetlinkPayload<Self>> + Sized
{
}

impl<T: NetlinkSerializable + NetlinkDeserializable + Into<NetlinkPayload<T>>> Message for T {}

/// Why there is no answer.
#[derive(Debug)]
pub enum Fault {
    /// The kernel refuses: the error, and what it says about it.
    Refused(nix::Error, Option<String>),
    /// No answer before the deadline.
    Late,
    /// The socket cannot be used, or the answer is not understood.
    Broken(io::Error),
}

impl Fault {
    /// The kernel's error, if it is one.
    #[must_use]
    pub fn errno(&self) -> Option<nix::Error> {
        match self {
            Self::Refused(errno, _) => Some(*errno),
            Self::Late | Self::Broken(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno, None) => f.write_str(errno.desc()),
            Self::Refused(errno, Some(said)) => {
                write!(f, "{} ({})", errno.desc(), said.trim_end_matches('.'))
            }
            Self::Late => f.write_str("no answer from the kernel in time"),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<nix::Error> for Fault {
    fn from(error: nix::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<Fault> for IntoFailure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Broken(error) => error.into(),
            Fault::Refused(nix::Error::EPERM, _) => {
                Failure::new(Kind::Permission, fault.to_string()).into()
            }
            fault => Failure::generic(fault.to_string()).into(),
        }
    }
}

/// What a socket that listens has heard.
#[derive(Debug)]
pub enum Events<T> {
    /// These.
    Some(Vec<T>),
    /// Nothing in time.
    None,
    /// More than the socket had room for: some are missing.
    Lost,
}

/// A socket, in the network namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    /// Whom to talk to: the kernel is 0.
    peer: u32,
    sequence: Cell<u32>,
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Netlink {
    /// Opens one for questions and changes.
    ///
    /// # Errors
    /// The kernel's; it may lack the protocol.
    pub fn open(protocol: SockProtocol) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        // Kernels before 4.12 and 4.20 know neither; nothing but their words and their strictness
        // is missing then.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_GET_STRICT_CHK] {
            set(&fd, option);
        }
        Ok(Self { fd, peer: 0, sequence: Cell::new(1) })
    }

    /// Opens one that hears of changes, by the bits of the old multicast groups (`RTMGRP_*`).
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen(protocol: SockProtocol, groups: u32) -> io::Result<Self> {
        let socket = Self::open(protocol)?;
        bind(socket.fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(socket)
    }

    /// Asks for a list.
    ///
    /// # Errors
    /// See [`Fault`]; a list that ended with an error is one.
    pub fn dump<T: Message + Clone>(
        &self,
        message: &T,
        deadline: Deadline,
    ) -> Result<Vec<T>, Fault> {
        let mut answers = Vec::new();
        for _ in 0..TRIES {
            let mut interrupted = false;
            answers.clear();
            let sequence = self.send(message.clone(), NLM_F_REQUEST | NLM_F_DUMP, None)?;
            self.receive(sequence, CHUNK, deadline, |header, answer| {
                interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
                match answer {
                    NetlinkPayload::InnerMessage(inner) => {
                        answers.push(inner);
                        false
                    }
                    NetlinkPayload::Done(_) => true,
                    _ => false,
                }
            })?;
            if !interrupted {
                break;
            }
        }
        Ok(answers)
    }

    /// Asks a question that has one answer.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn ask<T: Message>(&self, message: T, deadline: Deadline) -> Result<T, Fault> {
        let sequence = self.send(message, NLM_F_REQUEST, None)?;
        let mut found = None;
        self.receive(sequence, ANSWER, deadline, |_, answer| {
            if let NetlinkPayload::InnerMessage(inner) = answer {
                found = Some(inner);
            }
            true
        })?;
        found.ok_or_else(|| Fault::Broken(io::Error::other("the kernel gave no answer")))
    }

    /// Asks for a change, and gives what the kernel sends before it acknowledges it. `flags` go
    /// beside NLM_F_REQUEST and NLM_F_ACK; `kind` is the number of the message where its crate
    /// knows only another one.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn change<T: Message>(
        &self,
        message: T,
        flags: u16,
        kind: Option<u16>,
        deadline: Deadline,
    ) -> Result<Vec<T>, Fault> {
        let sequence = self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags, kind)?;
        let mut answers = Vec::new();
        self.receive(sequence, CHUNK, deadline, |_, answer| match answer {
            NetlinkPayload::InnerMessage(inner) => {
                answers.push(inner);
                false
            }
            // Errors never come here: this is the acknowledgement.
            NetlinkPayload::Error(_) => true,
            _ => false,
        })?;
        Ok(answers)
    }

    /// The next events; none when there are none before the deadline.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn events<T: Message>(&self, deadline: Deadline) -> Result<Events<T>, Fault> {
        let mut buffer = vec![0; CHUNK];
        match self.datagram(&mut buffer, deadline) {
            Ok(length) => events(&buffer[..length]).map(Events::Some),
            Err(Fault::Late) => Ok(Events::None),
            Err(Fault::Broken(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                Ok(Events::Lost)
            }
            Err(fault) => Err(fault),
        }
    }

    fn send<T: Message>(&self, message: T, flags: u16, kind: Option<u16>) -> Result<u32, Fault> {
        let mut message = NetlinkMessage::from(message);
        let sequence = self.sequence.get();
        self.sequence.set(sequence.wrapping_add(1));
        message.header.flags = flags;
        message.header.sequence_number = sequence;
        message.finalize();
        message.header.message_type = kind.unwrap_or(message.header.message_type);
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        sendto(self.fd.as_raw_fd(), &bytes, &NetlinkAddr::new(self.peer, 0), MsgFlags::empty())?;
        Ok(sequence)
    }

    /// Receives the answers to one request, of at most `room` bytes at a time, until `take` has the
    /// last one.
    fn receive<T: Message>(
        &self,
        sequence: u32,
        room: usize,
        deadline: Deadline,
        mut take: impl FnMut(&NetlinkHeader, NetlinkPayload<T>) -> bool,
    ) -> Result<(), Fault> {
        let mut buffer = vec![0; room];
        loop {
            let length = self.datagram(&mut buffer, deadline)?;
            let ended = each::<T>(&buffer[..length], |header, payload| {
                // Answers to an earlier request that nothing waits for any more.
                if header.sequence_number != sequence {
                    return Ok(false);
                }
                match payload {
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        // The request follows, whole, and what the kernel says about it.
                        let request = error
                            .header
                            .first_chunk::<4>()
                            .map_or(0, |length| u32::from_ne_bytes(*length));
                        let said = error
                            .header
                            .get((request as usize).next_multiple_of(4)..)
                            .and_then(text);
                        Err(Fault::Refused(nix::Error::from_raw(-error.raw_code()), said))
                    }
                    NetlinkPayload::Done(done) if done.code < 0 => Err(Fault::Refused(
                        nix::Error::from_raw(-done.code),
                        text(&done.extended_ack),
                    )),
                    payload => Ok(take(header, payload)),
                }
            })?;
            if ended {
                return Ok(());
            }
        }
    }

    /// Receives one datagram of the peer's.
    fn datagram(&self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, Fault> {
        loop {
            match recvfrom::<NetlinkAddr>(self.fd.as_raw_fd(), buffer) {
                // Any process may send to a socket of netlink; the kernel's number is 0.
                Ok((length, from)) if from.is_none_or(|from| from.pid() == self.peer) => {
                    return Ok(length);
                }
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => {
                    let milliseconds =
                        deadline.left().as_micros().div_ceil(1000).min(60_000) as u16;
                    let mut wait = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
                    match poll(&mut wait, PollTimeout::from(milliseconds)) {
                        Ok(0) | Err(nix::Error::EINTR) if deadline.expired() => {
                            return Err(Fault::Late);
                        }
                        Ok(_) | Err(nix::Error::EINTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The events in a datagram.
///
/// # Errors
/// When one of them is not understood.
pub fn events<T: Message>(datagram: &[u8]) -> Result<Vec<T>, Fault> {
    let mut events = Vec::new();
    each::<T>(datagram, |_, payload| {
        if let NetlinkPayload::InnerMessage(inner) = payload {
            events.push(inner);
        }
        Ok(false)
    })?;
    Ok(events)
}

/// Switches an option of netlink sockets on, where the kernel has it.
fn set(fd: &OwnedFd, option: libc::c_int) {
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: reads a C int, whose own size is passed.
    unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            std::ptr::from_ref(&on).cast(),
            size,
        )
    };
}

/// Hands each message of a datagram over, until `take` has the last one; whether it had.
fn each<T: Message>(
    mut rest: &[u8],
    mut take: impl FnMut(&NetlinkHeader, NetlinkPayload<T>) -> Result<bool, Fault>,
) -> Result<bool, Fault> {
    while !rest.is_empty() {
        let message = NetlinkMessage::<T>::deserialize(rest)
            .map_err(|error| Fault::Broken(io::Error::other(error)))?;
        let size = (message.header.length as usize).next_multiple_of(4).max(16);
        rest = rest.get(size..).unwrap_or(&[]);
        if take(&message.header, message.payload)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The text in the attributes of an extended acknowledgement.
#[must_use]
pub fn text(mut attributes: &[u8]) -> Option<String> {
    while let Some((header, _)) = attributes.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let value = attributes.get(4..length)?;
        if kind == MESSAGE {
            let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            return Some(String::from_utf8_lossy(&value[..end]).into_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests;
