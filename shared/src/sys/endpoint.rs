//! The cheapest request to a server: does it accept connections, and does it answer?
//!
//! A connection alone says little: the kernel accepts for a server that is frozen, until the queue
//! is full. So a few bytes are sent, and any reaction is waited for.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};

use super::clock::Deadline;
use super::http::{HttpError, HttpErrorKind};

/// A request that web servers answer themselves, never from a page, and never from what is behind
/// them: nginx with 400 or 405, Apache with 200. On an encrypted port, either says that it is one.
const QUESTION: &[u8] = b"OPTIONS * HTTP/1.0\r\n\r\n";

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Whether a server listens.
///
/// # Errors
/// Why none does, or that the deadline passed.
pub fn connect(endpoint: &Endpoint, deadline: Deadline) -> Result<(), HttpError> {
    open(endpoint, deadline).map(drop)
}

/// Whether a web server reacts: with a byte, or by closing the connection, as servers do that do
/// not like the question.
///
/// # Errors
/// Why there is no connection, or that nothing came before the deadline.
pub fn answers(endpoint: &Endpoint, deadline: Deadline) -> Result<(), HttpError> {
    let limit = deadline.left();
    let mut stream = open(endpoint, deadline)?;
    let answer = stream.ask(deadline);
    match answer.map_err(|error| (error.kind(), error)) {
        Ok(()) => Ok(()),
        Err((io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, _)) => Ok(()),
        Err((io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut, _)) => {
            Err(late(endpoint, "no answer from", limit))
        }
        Err((_, error)) => Err(HttpError::os(&error, &endpoint.to_string())),
    }
}

/// Asks over a local socket, and gives all that is said until the other end closes the connection.
///
/// # Errors
/// Why there is no connection, that the answer did not end before the deadline, or that it has more
/// than `limit` bytes.
pub fn exchange(
    path: &Path,
    question: &[u8],
    limit: usize,
    deadline: Deadline,
) -> Result<Vec<u8>, HttpError> {
    let endpoint = Endpoint::Unix(path.to_owned());
    let allowed = deadline.left();
    let mut stream = match open(&endpoint, deadline)? {
        Stream::Unix(stream) => stream,
        Stream::Tcp(_) => unreachable!("a local socket was opened"),
    };
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            late(&endpoint, "no answer from", allowed)
        }
        _ => HttpError::os(&error, &endpoint.to_string()),
    };
    stream.set_write_timeout(Some(at_least_some(deadline))).map_err(broken)?;
    stream.write_all(question).map_err(broken)?;
    // Servers with a command line close when they have answered a caller who has said all that he
    // wants to say.
    stream.shutdown(Shutdown::Write).map_err(broken)?;
    let mut answer = Vec::new();
    let mut bytes = [0; 16_384];
    loop {
        if deadline.expired() {
            return Err(late(
                &endpoint,
                if answer.is_empty() { "no answer from" } else { "half an answer from" },
                allowed,
            ));
        }
        match stream
            .set_read_timeout(Some(at_least_some(deadline)))
            .and_then(|()| stream.read(&mut bytes))
        {
            Ok(0) => return Ok(answer),
            Ok(count) if answer.len() + count > limit => {
                let text = format!("{endpoint} says more than {limit} bytes");
                return Err(HttpError::new(HttpErrorKind::Answer, text));
            }
            Ok(count) => answer.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(broken(error)),
        }
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Sends the question and waits for the first bytes or the end. So short a question always fits
    /// into an empty socket. An answer that is left unread would become a reset connection in the
    /// server's log.
    fn ask(&mut self, deadline: Deadline) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(QUESTION)?,
            Self::Unix(stream) => stream.write_all(QUESTION)?,
        }
        loop {
            let left = Some(at_least_some(deadline));
            let mut bytes = [0; 1024];
            let read = match self {
                Self::Tcp(stream) => {
                    stream.set_read_timeout(left).and_then(|()| stream.read(&mut bytes))
                }
                Self::Unix(stream) => {
                    stream.set_read_timeout(left).and_then(|()| stream.read(&mut bytes))
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(drop),
            }
        }
    }
}

fn open(endpoint: &Endpoint, deadline: Deadline) -> Result<Stream, HttpError> {
    let limit = deadline.left();
    let opened = match endpoint {
        Endpoint::Tcp(address) => {
            TcpStream::connect_timeout(address, at_least_some(deadline)).map(Stream::Tcp)
        }
        Endpoint::Unix(path) => open_unix(path, deadline).map(Stream::Unix),
    };
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            late(endpoint, "no connection to", limit)
        }
        _ => HttpError::os(&error, &endpoint.to_string()),
    })
}

/// `connect` on a Unix socket has no time limit of its own, and waits when the server's queue is
/// full.
fn open_unix(path: &PathBuf, deadline: Deadline) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let address = UnixAddr::new(path)?;
    let connected = deadline.poll(|| {
        match socket::connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &address) {
            Err(nix::Error::EAGAIN) => None,
            other => Some(other),
        }
    });
    connected.unwrap_or(Err(nix::Error::ETIMEDOUT))?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// What is left, but never nothing: the standard library takes no limit of zero.
fn at_least_some(deadline: Deadline) -> Duration {
    deadline.left().max(Duration::from_millis(1))
}

fn late(endpoint: &Endpoint, what: &str, limit: Duration) -> HttpError {
    HttpError::new(
        HttpErrorKind::Timeout,
        format!("{what} {endpoint} within {:.1} s", limit.as_secs_f64()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    /// What a question to this server, which is given one connection, leads to.
    fn answered(serve: impl FnOnce(TcpStream) + Send + 'static) -> Result<(), HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || serve(listener.accept().unwrap().0));
        answers(&Endpoint::Tcp(address), soon())
    }

    #[test]
    fn any_reaction_is_an_answer() {
        let question =
            |stream: &mut TcpStream| stream.read_exact(&mut vec![0; QUESTION.len()]).unwrap();
        answered(move |mut stream| {
            question(&mut stream);
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        })
        .unwrap();
        answered(move |mut stream| question(&mut stream)).unwrap();
        // Closing with something unread resets the connection.
        answered(drop).unwrap();
    }

    #[test]
    fn ng_07_a_frozen_server_accepts_and_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let _unix = UnixListener::bind(&path).unwrap();
        for endpoint in [Endpoint::Tcp(tcp.local_addr().unwrap()), Endpoint::Unix(path)] {
            connect(&endpoint, soon()).unwrap();
            let began = Instant::now();
            let failed =
                answers(&endpoint, Deadline::after(Duration::from_millis(200))).unwrap_err();
            assert_eq!(failed.kind, HttpErrorKind::Timeout);
            assert_eq!(failed.to_string(), format!("no answer from {endpoint} within 0.2 s"));
            assert!(began.elapsed() < Duration::from_secs(5));
        }
    }

    #[test]
    fn a_full_queue_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.sock");
        let socket =
            socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
        socket::bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &UnixAddr::new(&path).unwrap())
            .unwrap();
        socket::listen(&socket, socket::Backlog::new(0).unwrap()).unwrap();
        let endpoint = Endpoint::Unix(path);
        let few = || Deadline::after(Duration::from_millis(100));
        let waiting: Vec<_> = std::iter::from_fn(|| open(&endpoint, few()).ok()).take(10).collect();
        assert!(waiting.len() < 10);
        let failed = connect(&endpoint, few()).unwrap_err();
        assert_eq!(failed.to_string(), format!("no connection to {endpoint} within 0.1 s"));
    }

    #[test]
    fn a_conversation_is_bounded_in_time_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cli.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let mut heard = Vec::new();
            let (mut good, _) = listener.accept().unwrap();
            good.read_to_end(&mut heard).unwrap();
            good.write_all(b"an answer").unwrap();
            drop(good);
            let (mut endless, _) = listener.accept().unwrap();
            while endless.write_all(&[b'x'; 4096]).is_ok() {}
            let (mut slow, _) = listener.accept().unwrap();
            while slow.write_all(b"x").is_ok() {
                Deadline::after(Duration::from_secs(1)).sleep(Duration::from_millis(20));
            }
            heard
        });
        assert_eq!(exchange(&path, b"question\n", 100, soon()).unwrap(), b"an answer");
        let failed = exchange(&path, b"q", 100_000, soon()).unwrap_err();
        assert!(failed.to_string().contains("more than 100000 bytes"), "{failed}");
        let failed = exchange(&path, b"q", 100_000, Deadline::after(Duration::from_millis(200)))
            .unwrap_err();
        assert_eq!(failed.kind, HttpErrorKind::Timeout);
        assert!(failed.to_string().starts_with("half an answer from unix:"), "{failed}");
        assert_eq!(server.join().unwrap(), b"question\n");
    }

    #[test]
    fn nobody_there_is_reported() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failed = answers(&Endpoint::Tcp(address), soon()).unwrap_err();
        assert_eq!(
            (failed.kind, failed.to_string()),
            (HttpErrorKind::Connect, format!("connection refused by {address}"))
        );
        let missing = Endpoint::Unix("/no/such/socket".into());
        let failed = connect(&missing, soon()).unwrap_err();
        assert_eq!(
            failed.to_string(),
            "no connection to unix:/no/such/socket: No such file or directory"
        );
    }
}
