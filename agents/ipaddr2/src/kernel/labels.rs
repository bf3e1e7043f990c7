//! "Does this IPv4 address stand under this interface name or label?", answered by the kernel in
//! constant time.
//!
//! A yes is a yes. A no only means that the address is not there under this name, for a labelled
//! address has only its label: the caller looks further.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::ifreq::{get_address, ifreq, put_address};

/// What an interface says about itself in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceFlags(i32);

impl InterfaceFlags {
    /// Switched on, with a link or of a kind that has none: what `ip` calls UP or UNKNOWN
    /// (`dev_get_flags`).
    #[must_use]
    pub fn is_running(self) -> bool {
        let both = libc::IFF_UP | libc::IFF_RUNNING;
        self.0 & both == both
    }

    /// Whether an address on it can be announced to neighbours.
    #[must_use]
    pub fn has_neighbours(self) -> bool {
        self.0 & (libc::IFF_NOARP | libc::IFF_LOOPBACK) == 0
    }
}

/// A socket to ask about interfaces.
pub struct Asker(OwnedFd);

impl Asker {
    /// Opens it, in the network namespace that this thread is in.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open() -> io::Result<Self> {
        Ok(Self(socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?))
    }

    /// The prefix length of an IPv4 address that stands under this interface name or label; `None`
    /// when it does not.
    ///
    /// # Errors
    /// The kernel's; no such interface is a `None`.
    pub fn prefix_of(&self, label: &str, ip: Ipv4Addr) -> io::Result<Option<u8>> {
        let Some(mut request) = ifreq(label) else { return Ok(None) };
        put_address(&mut request, ip);
        // With an address in the request the kernel looks for exactly that one under the label. If
        // it is not there it falls back to the first address of the label, so what came back is
        // compared (net/ipv4/devinet.c).
        if !self.ask(libc::SIOCGIFADDR, &mut request)? || get_address(&request) != Some(ip) {
            return Ok(None);
        }
        if !self.ask(libc::SIOCGIFNETMASK, &mut request)? {
            return Ok(None);
        }
        Ok(get_address(&request).map(|netmask| netmask.to_bits().leading_ones() as u8))
    }

    /// The flags of an interface; `None` when there is none of this name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn flags(&self, name: &str) -> io::Result<Option<InterfaceFlags>> {
        let Some(mut request) = ifreq(name) else { return Ok(None) };
        if !self.ask(libc::SIOCGIFFLAGS, &mut request)? {
            return Ok(None);
        }
        // SAFETY: SIOCGIFFLAGS succeeded, so the kernel has written this member of the union.
        Ok(Some(InterfaceFlags(i32::from(unsafe { request.ifr_ifru.ifru_flags }))))
    }

    /// One ioctl; `false` when there is no such interface or address.
    fn ask(&self, number: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<bool> {
        // SAFETY: the three numbers above read and write a struct ifreq, which `request` is, and
        // keep no pointer to it.
        let answer =
            unsafe { libc::ioctl(self.0.as_raw_fd(), number as _, std::ptr::from_mut(request)) };
        if answer == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENODEV | libc::EADDRNOTAVAIL | libc::ENXIO) => Ok(false),
            _ => Err(error),
        }
    }
}
