//! Who is connected to a process, and whether they have said anything.
//!
//! The kernel counts what it has received on a TCP connection (tcp(7), `TCP_INFO`), and reports it
//! to the owner of the socket. So each socket of the process is borrowed for as long as the
//! question takes (pidfd_getfd(2), Linux 5.6).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::libc;
use nix::sys::socket::sockopt::{AcceptConn, SockType};
use nix::sys::socket::{
    AddressFamily, SockaddrLike, SockaddrStorage, UnixAddr, getsockname, getsockopt,
};

use super::process::{Handle, Process};

/// What the clients of a process are about, or those of several: the most that one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clients {
    /// There are none.
    None,
    /// They have connected, and not sent a byte.
    Silent,
    /// One has sent something, or that cannot be determined.
    Talking,
}

/// What the clients of these processes are about. One that has just ended has none.
///
/// # Errors
/// When they cannot be looked at: before Linux 5.6, and where tracing is forbidden.
pub fn of_all(processes: &[Process]) -> io::Result<Clients> {
    let mut all = Clients::None;
    for process in processes {
        all = all.max(of(process)?);
    }
    Ok(all)
}

fn of(process: &Process) -> io::Result<Clients> {
    let mut all = Clients::None;
    each_socket(process, |socket| {
        all = all.max(of_socket(socket)?);
        Ok(())
    })?;
    Ok(all)
}

/// The TCP ports that a process listens on, whatever the address.
///
/// # Errors
/// As [`of_all`].
pub fn listening_ports(process: &Process) -> io::Result<Vec<u16>> {
    let mut all = Vec::new();
    each_socket(process, |socket| {
        // A socket of a kind that knows no such state does not listen.
        if getsockopt(socket, AcceptConn).unwrap_or(false) {
            let local: SockaddrStorage = getsockname(socket.as_raw_fd())?;
            all.extend(local.as_sockaddr_in().map(|address| address.port()));
            all.extend(local.as_sockaddr_in6().map(|address| address.port()));
        }
        Ok(())
    })?;
    Ok(all)
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

fn of_socket(socket: &OwnedFd) -> io::Result<Clients> {
    if getsockopt(socket, AcceptConn)? {
        return Ok(Clients::None);
    }
    let local: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let is_stream = getsockopt(socket, SockType)? == nix::sys::socket::SockType::Stream;
    Ok(match local.family() {
        Some(AddressFamily::Inet | AddressFamily::Inet6) if is_stream => of_connection(socket)?,
        // What a server makes of datagrams (QUIC) only the server knows.
        Some(AddressFamily::Inet | AddressFamily::Inet6) => Clients::Talking,
        // A connection that was accepted has the name of the socket that it came to; others have
        // none (unix(7)).
        Some(AddressFamily::Unix) if local.as_unix_addr().is_some_and(has_name) => Clients::Talking,
        _ => Clients::None,
    })
}

/// A path, or a name without a file (haproxy's `abns@`).
fn has_name(address: &UnixAddr) -> bool {
    address.path().is_some() || address.as_abstract().is_some()
}

fn of_connection(socket: &OwnedFd) -> io::Result<Clients> {
    // SAFETY: a struct of numbers, for which zeros are valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let place = std::ptr::from_mut(&mut info).cast();
    // SAFETY: `place` is `length` bytes that are ours; the kernel writes at most so many.
    let examined = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, place, &mut length)
    };
    if examined != 0 {
        return Err(io::Error::last_os_error());
    }
    if (length as usize)
        < std::mem::offset_of!(libc::tcp_info, tcpi_bytes_received) + size_of::<u64>()
    {
        // A kernel before 4.1 does not count.
        return Ok(Clients::Talking);
    }
    Ok(match (info.tcpi_state, info.tcpi_bytes_received) {
        // Not connected: TCP_CLOSE (include/net/tcp_states.h).
        (7, _) => Clients::None,
        (_, 0) => Clients::Silent,
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
        of_socket(&socket.into()).unwrap()
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
    fn the_ports_of_a_process_are_those_that_it_listens_on() {
        let listeners = ["127.0.0.1:0", "[::]:0"].map(|place| TcpListener::bind(place).unwrap());
        let ports = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port());
        let [first, second] = listeners.map(OwnedFd::from);
        let sleep =
            std::process::Command::new("/bin/sleep").arg("60").stdin(first).stdout(second).spawn();
        let mut sleep = sleep.unwrap();
        let process = Process::find(sleep.id() as i32).unwrap().unwrap();
        let mut found = listening_ports(&process).unwrap();
        found.sort_unstable();
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        assert!(ports.iter().all(|port| found.contains(port)), "{found:?}");
    }

    #[test]
    fn talking_is_more_than_silent() {
        assert!(Clients::None < Clients::Silent && Clients::Silent < Clients::Talking);
    }
}
