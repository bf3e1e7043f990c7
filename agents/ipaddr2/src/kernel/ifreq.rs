//! `struct ifreq`: requests about one interface by its name, for ioctls.

use std::net::Ipv4Addr;

use nix::libc;

/// A request about an interface; `None` for a name that is too long to be one.
pub fn ifreq(name: &str) -> Option<libc::ifreq> {
    // SAFETY: a struct ifreq is plain data, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Some(request)
}

/// Puts an IPv4 address into a request.
pub fn put_address(request: &mut libc::ifreq, ip: Ipv4Addr) {
    let mut data = [0; 14];
    // struct sockaddr_in: two bytes of port, then the address.
    for (to, from) in data[2..6].iter_mut().zip(ip.octets()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_addr =
        libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data };
}

/// The IPv4 address of an answer; `None` when it is of another kind.
pub fn get_address(request: &libc::ifreq) -> Option<Ipv4Addr> {
    // SAFETY: called after an ioctl that has written this member, which is plain data.
    let address = unsafe { request.ifr_ifru.ifru_addr };
    let byte = |i: usize| address.sa_data[i] as u8;
    (i32::from(address.sa_family) == libc::AF_INET)
        .then(|| Ipv4Addr::new(byte(2), byte(3), byte(4), byte(5)))
}

/// Puts a link-layer address into a request.
pub fn put_hardware(request: &mut libc::ifreq, hardware: [u8; 6]) {
    let mut data = [0; 14];
    for (to, from) in data.iter_mut().zip(hardware) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_hwaddr = libc::sockaddr { sa_family: 0, sa_data: data };
}
