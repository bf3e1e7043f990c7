//! `ocf-bench-floor IP DEVICE INDEX`: what an IPaddr2 monitor cannot do without. It asks the kernel
//! for one address and for the state of one device, with everything given as arguments, and nothing
//! else. Exit 0: there; 7: not; 1: no answer.
//!
//! `ocf-bench` measures the agents against it. It shares no code with them, and has no other
//! dependency than libc.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(ip), Some(device), Some(index)) = (words.next(), words.next(), words.next()) else {
        return ExitCode::from(2);
    };
    let (Ok(ip), Ok(index)) = (ip.parse(), index.parse()) else { return ExitCode::from(2) };
    match is_there(ip, &device, index) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(7),
        Err(_) => ExitCode::FAILURE,
    }
}

fn is_there(ip: IpAddr, device: &str, index: u32) -> io::Result<bool> {
    let ioctls = open(libc::AF_INET, libc::SOCK_DGRAM)?;
    let found = match ip {
        IpAddr::V4(ip) => there_v4(&ioctls, ip, device)?,
        IpAddr::V6(ip) => there_v6(ip, index)?,
    };
    let mut request = named(device);
    ask(&ioctls, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has written this member of the union.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
    let both = libc::IFF_UP | libc::IFF_RUNNING;
    Ok(found && flags & both == both)
}

fn there_v4(ioctls: &OwnedFd, ip: Ipv4Addr, device: &str) -> io::Result<bool> {
    let mut request = named(device);
    let mut data = [0; 14];
    data[2..6].iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from as libc::c_char);
    request.ifr_ifru.ifru_addr =
        libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data };
    ask(ioctls, libc::SIOCGIFADDR, &mut request)?;
    // SAFETY: SIOCGIFADDR has written this member of the union, which is plain data.
    let same = unsafe { request.ifr_ifru.ifru_addr }.sa_data[2..6] == data[2..6];
    ask(ioctls, libc::SIOCGIFNETMASK, &mut request)?;
    Ok(same)
}

/// A header of 16 bytes, `struct ifaddrmsg` of 8, one attribute of 4 + 16.
fn there_v6(ip: Ipv6Addr, index: u32) -> io::Result<bool> {
    const ADDRESS: u16 = 1;
    let mut request = Vec::with_capacity(44);
    request.extend(44_u32.to_ne_bytes());
    request.extend(libc::RTM_GETADDR.to_ne_bytes());
    request.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([libc::AF_INET6 as u8, 0, 0, 0]);
    request.extend(index.to_ne_bytes());
    request.extend(20_u16.to_ne_bytes());
    request.extend(ADDRESS.to_ne_bytes());
    request.extend(ip.octets());
    let socket = open(libc::AF_NETLINK, libc::SOCK_RAW)?;
    let mut answer = [0_u8; 4096];
    // SAFETY: both buffers live through the calls, and the lengths are theirs. A netlink socket
    // talks to the kernel.
    let got = unsafe {
        check(libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) as i32)?;
        check(libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) as i32)?
    };
    Ok(got >= 24 && u16::from_ne_bytes([answer[4], answer[5]]) == libc::RTM_NEWADDR)
}

fn open(family: i32, kind: i32) -> io::Result<OwnedFd> {
    // SAFETY: a plain call; the descriptor that it returns has no other owner.
    unsafe {
        check(libc::socket(family, kind | libc::SOCK_CLOEXEC, 0)).map(|fd| OwnedFd::from_raw_fd(fd))
    }
}

fn named(device: &str) -> libc::ifreq {
    // SAFETY: a struct ifreq is plain data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    request.ifr_name[..15]
        .iter_mut()
        .zip(device.bytes())
        .for_each(|(to, from)| *to = from as libc::c_char);
    request
}

fn ask(socket: &OwnedFd, number: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: these ioctls read and write a struct ifreq, which `request` is, and keep no pointer
    // to it.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), number, std::ptr::from_mut(request)) })
        .map(|_| ())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
