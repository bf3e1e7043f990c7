//! Who is connected to a process, and whether they have said anything.
//!
//! The kernel counts what it has received on a TCP connection (tcp(7), `TCP_INFO`), and reports it
//! to the owner of the socket. So each socket of the process is borrowed for as long as the
//! question takes (pidfd_getfd(2), Linux 5.6).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::sockopt::{AcceptConn, BindToDevice, IpTransparent, SockType};
use nix::sys::socket::{
    AddressFamily, SockaddrLike, SockaddrStorage, UnixAddr, getsockname, getsockopt,
};

use super::clock::Deadline;
use super::file;
use super::process::{Handle, Process};

/// What the clients of a process are about, or those of several: the most that one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clients {
    /// There are none.
    None,
    /// They have connected and not sent a byte, or cannot go on: their address is gone.
    Silent,
    /// One has sent something, or that cannot be determined.
    Talking,
}

/// The longest that a look at a server's ports may hold up its stop: some ten thousand sockets.
const LOOK: Duration = Duration::from_millis(50);

/// Which connections of a server are those of its clients.
#[derive(Clone, Debug)]
pub struct Ports {
    listening: Vec<u16>,
    /// Those that the kernel gives to connections that a program opens.
    ephemeral: RangeInclusive<u16>,
}

impl Ports {
    /// For a server whose ports are not known: each connection counts as a client's.
    #[must_use]
    pub fn any() -> Self {
        Self { listening: Vec::new(), ephemeral: 0..=0 }
    }

    /// The ports of these processes, while they still listen.
    ///
    /// # Errors
    /// As [`of_all`]; and where they have so many sockets that it takes long.
    pub fn of(processes: &[Process]) -> io::Result<Self> {
        let mut listening = Vec::new();
        let limit = Deadline::after(LOOK);
        for process in processes {
            each_socket(process, |socket| {
                listening.extend(listening_at(socket)?.map(|local| local.port()));
                if limit.expired() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
            })?;
        }
        let text = file::read_kernel_text(Path::new("/proc/sys/net/ipv4/ip_local_port_range"))?;
        let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
        let (Some(first), Some(last)) = (numbers.next(), numbers.next()) else {
            return Err(io::Error::other("ip_local_port_range is in no known form"));
        };
        Ok(Self { listening, ephemeral: first..=last })
    }

    /// Whether a connection to this port of the server is a client's. Those that the server opens
    /// itself (to the servers behind it, for names and logs) have a port that the kernel chose.
    fn are_for_clients(&self, port: u16) -> bool {
        self.listening.contains(&port) || !self.ephemeral.contains(&port)
    }
}

/// What the clients of these processes are about. One that has just ended has none.
///
/// # Errors
/// When they cannot be looked at: before Linux 5.6, and where tracing is forbidden.
pub fn of_all(processes: &[Process], ports: &Ports) -> io::Result<Clients> {
    let mut all = Clients::None;
    for process in processes {
        each_socket(process, |socket| {
            all = all.max(of_socket(socket, ports)?);
            Ok(())
        })?;
    }
    Ok(all)
}

/// The TCP addresses that a process listens on.
///
/// # Errors
/// As [`of_all`].
pub fn listening(process: &Process) -> io::Result<Vec<SocketAddr>> {
    let mut all = Vec::new();
    each_socket(process, |socket| {
        all.extend(listening_at(socket)?);
        Ok(())
    })?;
    Ok(all)
}

fn listening_at(socket: &OwnedFd) -> io::Result<Option<SocketAddr>> {
    // A socket of a kind that knows no such state does not listen.
    if !getsockopt(socket, AcceptConn).unwrap_or(false) {
        return Ok(None);
    }
    let local: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    Ok(internet(&local))
}

/// Borrows each socket of a process for a look.
fn each_socket(
    process: &Process,
    mut look: impl FnMut(&OwnedFd) -> io::Result<()>,
) -> io::Result<()> {
    let Some(handle) = process.open()? else { return Ok(()) };
    for entry in std::fs::read_dir(format!("/proc/{}/fd", process.pid))? {
        let entry = entry?;
        let is_socket = || {
            std::fs::read_link(entry.path())
                .is_ok_and(|to| to.as_os_str().as_bytes().starts_with(b"socket:"))
        };
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(number) = number.filter(|_| is_socket()) else { continue };
        match borrow(&handle, number) {
            Ok(socket) => look(&socket)?,
            // Closed in the meantime.
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn borrow(handle: &Handle, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: a descriptor of ours, a number, no flags; the answer is a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, handle.fd.as_raw_fd(), number, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn of_socket(socket: &OwnedFd, ports: &Ports) -> io::Result<Clients> {
    if getsockopt(socket, AcceptConn)? {
        return Ok(Clients::None);
    }
    let local: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    if let Some(local) = internet(&local) {
        return Ok(if !ports.are_for_clients(local.port()) {
            Clients::None
        } else if getsockopt(socket, SockType)? == nix::sys::socket::SockType::Stream {
            of_connection(socket, local)?
        } else {
            // What a server makes of datagrams (QUIC) only the server knows.
            Clients::Talking
        });
    }
    Ok(match local.family() {
        // A connection that was accepted has the name of the socket that it came to; others have
        // none (unix(7)).
        Some(AddressFamily::Unix) if local.as_unix_addr().is_some_and(has_name) => Clients::Talking,
        _ => Clients::None,
    })
}

fn internet(address: &SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    four.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
}

/// Whether it is certain that packets to the local address of this socket do not come to it.
fn is_cut_off(socket: &OwnedFd, local: SocketAddr) -> io::Result<bool> {
    // Proxies may have addresses of others, and virtual routers (VRF) and namespaces their own.
    let is_bound = !getsockopt(socket, BindToDevice)?.is_empty();
    if is_bound || getsockopt(socket, IpTransparent).unwrap_or(true) {
        return Ok(false);
    }
    let any: IpAddr = match local.ip().to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let ours = UdpSocket::bind((any, 0))?;
    if namespace(socket)? != namespace(&ours)? {
        return Ok(false);
    }
    Ok(!is_here(&ours, local))
}

/// Whether a connection to an address stays on this machine. Where the kernel does not say, it
/// counts as one that does.
#[must_use]
pub fn is_on_this_machine(address: SocketAddr) -> bool {
    let any: IpAddr = match address.ip().to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).map_or(true, |ours| is_here(&ours, address))
}

/// Whether an address is this machine's: what it would send there does not leave it. The kernel
/// takes the address as the source (net/ipv4/route.c, `ip_route_output_key_hash_rcu`; RFC 6724,
/// rule 1), or the packets' limit is that of the loopback device, where the address is one by a
/// route alone. Nothing is sent.
fn is_here(ours: &UdpSocket, mut local: SocketAddr) -> bool {
    /// 64 KiB (drivers/net/loopback.c), of which IPv4 can use so much (include/net/ip.h).
    const LOOPBACK: i32 = 0xffff;
    if let Some(ip) = Some(local.ip().to_canonical()).filter(IpAddr::is_ipv4) {
        local.set_ip(ip);
    }
    if let Err(error) = ours.connect(local) {
        let absent = [io::ErrorKind::NetworkUnreachable, io::ErrorKind::HostUnreachable];
        return !absent.contains(&error.kind());
    }
    let (level, name) = match local.is_ipv4() {
        true => (libc::IPPROTO_IP, libc::IP_MTU),
        false => (libc::IPPROTO_IPV6, libc::IPV6_MTU),
    };
    let mut limit = 0_i32;
    ours.local_addr().is_ok_and(|source| source.ip() == local.ip())
        || option(ours, level, name, &mut limit).is_err()
        || limit >= LOOPBACK
}

/// The network namespace of a socket (`SO_NETNS_COOKIE`, Linux 5.14).
fn namespace(socket: &impl AsRawFd) -> io::Result<u64> {
    /// From asm-generic/socket.h.
    const COOKIE: i32 = 71;
    let mut cookie = 0_u64;
    option(socket, libc::SOL_SOCKET, COOKIE, &mut cookie)?;
    Ok(cookie)
}

/// Reads an option of a socket into a place for numbers; returns the length of what was read.
fn option<T>(socket: &impl AsRawFd, level: i32, name: i32, place: &mut T) -> io::Result<usize> {
    let mut length = size_of::<T>() as libc::socklen_t;
    let target = std::ptr::from_mut(place).cast();
    // SAFETY: `target` is `length` bytes that are ours and hold numbers, of which all values are
    // valid; the kernel writes at most so many.
    let read = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, target, &mut length) };
    if read == 0 { Ok(length as usize) } else { Err(io::Error::last_os_error()) }
}

/// A path, or a name without a file (haproxy's `abns@`).
fn has_name(address: &UnixAddr) -> bool {
    address.path().is_some() || address.as_abstract().is_some()
}

fn of_connection(socket: &OwnedFd, local: SocketAddr) -> io::Result<Clients> {
    // SAFETY: a struct of numbers, for which zeros are valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let length = option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info)?;
    if length < std::mem::offset_of!(libc::tcp_info, tcpi_bytes_received) + size_of::<u64>() {
        // A kernel before 4.1 does not count.
        return Ok(Clients::Talking);
    }
    Ok(match (info.tcpi_state, info.tcpi_bytes_received) {
        // Not connected: TCP_CLOSE (include/net/tcp_states.h).
        (7, _) => Clients::None,
        (_, 0) => Clients::Silent,
        // Where the kernel does not say, it can go on.
        _ if is_cut_off(socket, local).unwrap_or(false) => Clients::Silent,
        _ => Clients::Talking,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    fn examined(socket: impl Into<OwnedFd>) -> Clients {
        of_socket(&socket.into(), &Ports::any()).unwrap()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an address, and no name")]
    fn a_client_is_silent_until_its_first_byte() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(examined(server.try_clone().unwrap()), Clients::Silent);
        client.write_all(b"G").unwrap();
        server.read_exact(&mut [0]).unwrap();
        assert_eq!(examined(server), Clients::Talking);
        assert_eq!(examined(listener), Clients::None);
    }

    #[test]
    fn what_is_not_known_counts_as_talking() {
        assert_eq!(examined(UdpSocket::bind("127.0.0.1:0").unwrap()), Clients::Talking);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let without_file = SocketAddr::from_abstract_name(path.as_os_str().as_bytes()).unwrap();
        for address in [SocketAddr::from_pathname(&path).unwrap(), without_file] {
            let listener = UnixListener::bind_addr(&address).unwrap();
            let client = UnixStream::connect_addr(&address).unwrap();
            let (server, _) = listener.accept().unwrap();
            assert_eq!(
                (examined(server), examined(client), examined(listener)),
                (Clients::Talking, Clients::None, Clients::None)
            );
        }
    }

    #[test]
    fn the_places_of_a_process_are_those_that_it_listens_on() {
        let listeners = ["127.0.0.1:0", "[::]:0"].map(|place| TcpListener::bind(place).unwrap());
        let places = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let [first, second] = listeners.map(OwnedFd::from);
        let sleep =
            std::process::Command::new("/bin/sleep").arg("60").stdin(first).stdout(second).spawn();
        let mut sleep = sleep.unwrap();
        let process = Process::find(sleep.id() as i32).unwrap().unwrap();
        let found = listening(&process).unwrap();
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(places.iter().all(|place| found.contains(place)), "{found:?}");
    }

    /// Its address is deleted while it waits for an answer; and an address by a route alone counts
    /// as one of this machine.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "addresses, and no names")]
    fn who_cannot_be_reached_does_not_count_as_talking() {
        let ours = |any: &str| UdpSocket::bind(any).unwrap();
        for (any, address, expected) in [
            ("0.0.0.0:0", "127.0.0.1:80", true),
            ("0.0.0.0:0", "127.7.7.7:80", true),
            ("0.0.0.0:0", "192.0.2.7:80", false),
            ("[::]:0", "[::1]:80", true),
            ("[::]:0", "[2001:db8::7]:80", false),
            ("0.0.0.0:0", "[::ffff:127.0.0.1]:80", true),
        ] {
            assert_eq!(is_here(&ours(any), address.parse().unwrap()), expected, "{address}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let client = OwnedFd::from(client);
        let cut = |place: &str| is_cut_off(&client, place.parse().unwrap());
        if namespace(&client).is_ok() {
            assert!(!cut("127.0.0.1:80").unwrap());
            assert!(cut("192.0.2.7:80").unwrap());
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "addresses, and no names")]
    fn what_a_server_has_opened_itself_is_no_client() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut opened = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.write_all(b"a").unwrap();
        opened.write_all(b"q").unwrap();
        opened.read_exact(&mut [0]).unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        let all = Ports { listening: vec![port], ephemeral: 1..=65_535 };
        let examined = |socket: OwnedFd| of_socket(&socket, &all).unwrap();
        assert_eq!(examined(opened.into()), Clients::None);
        assert_eq!(examined(accepted.into()), Clients::Talking);
        // The socket of a log.
        assert_eq!(examined(UdpSocket::bind("127.0.0.1:0").unwrap().into()), Clients::None);
    }

    #[test]
    fn talking_is_more_than_silent() {
        assert!(Clients::None < Clients::Silent && Clients::Silent < Clients::Talking);
    }
}
