//! Waits for the kernel's verdict on an IPv6 address: duplicate address detection (RFC 4862,
//! section 5.4).
#![forbid(unsafe_code)]

use std::net::Ipv6Addr;
use std::time::Duration;

use ocf::failure::Failure;
use ocf::sys::clock::Deadline;

use super::AddressFlags;
use super::questions::{AddressEvents, Questions};

/// How long an event that was lost may go unnoticed.
const LOST_EVENT: Duration = Duration::from_millis(250);

/// What the kernel has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DadResult {
    /// No other host has the address.
    Unique,
    /// Another host has it.
    Duplicate,
    /// It was removed while we waited.
    Gone,
    /// No verdict in time.
    Pending,
}

/// The verdict that the flags tell, once there is one. An optimistic address is usable without.
pub fn verdict(flags: AddressFlags) -> DadResult {
    if flags.dadfailed {
        DadResult::Duplicate
    } else if flags.tentative && !flags.optimistic {
        DadResult::Pending
    } else {
        DadResult::Unique
    }
}

/// Waits for the verdict by the kernel's own word. `events` must have listened since before the
/// address was added.
///
/// # Errors
/// When the kernel does not answer.
pub fn wait(
    questions: &Questions,
    events: &AddressEvents,
    ip: Ipv6Addr,
    index: u32,
    deadline: Deadline,
) -> Result<DadResult, Failure> {
    loop {
        let now = look(questions, ip, index)?;
        if now != DadResult::Pending || deadline.expired() {
            return Ok(now);
        }
        // Any event about this address is a reason to look again. One may be lost when hundreds
        // come at once (ENOBUFS), so there is a look now and then without one.
        events.wait_for(ip, index, deadline.min(Deadline::after(LOST_EVENT)));
    }
}

/// Waits for the verdict by looking now and then, for an address that was there before.
///
/// # Errors
/// When the kernel does not answer.
pub fn poll(
    questions: &Questions,
    ip: Ipv6Addr,
    index: u32,
    deadline: Deadline,
) -> Result<DadResult, Failure> {
    deadline
        .poll(|| match look(questions, ip, index) {
            Ok(DadResult::Pending) => None,
            answer => Some(answer),
        })
        .unwrap_or(Ok(DadResult::Pending))
}

fn look(questions: &Questions, ip: Ipv6Addr, index: u32) -> Result<DadResult, Failure> {
    Ok(questions.address_v6(ip, index)?.map_or(DadResult::Gone, |address| verdict(address.flags)))
}
