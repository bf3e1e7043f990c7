//! Clients and servers of a balancer, as sockets inside its machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::Host;

/// A connection that stays.
pub struct Session(TcpStream);

impl Session {
    pub fn open(host: &Host, port: u16) -> Session {
        Session::at(host, "127.0.0.1", port)
    }

    pub fn at(host: &Host, address: &str, port: u16) -> Session {
        let stream = host.in_network(|| TcpStream::connect((address, port))).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
        Session(stream)
    }

    /// Asks for a page and keeps the connection; whether it was answered well.
    pub fn ask(&mut self) -> bool {
        let question = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        self.0.write_all(question).is_ok() && self.heard("alive")
    }

    /// Says something to an echo, and waits for it.
    pub fn echo(&mut self, word: &str) -> bool {
        self.0.write_all(word.as_bytes()).is_ok() && self.heard(word)
    }

    fn heard(&mut self, end: &str) -> bool {
        let mut all = Vec::new();
        let mut bytes = [0; 1024];
        while !all.ends_with(end.as_bytes()) {
            match self.0.read(&mut bytes) {
                Ok(count) if count > 0 => all.extend_from_slice(&bytes[..count]),
                _ => return false,
            }
        }
        true
    }
}

/// A server that says again what it hears, for ever.
pub fn echo(host: &Host, port: u16) {
    let listener = host.in_network(|| TcpListener::bind(("127.0.0.1", port))).expect("a server");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut bytes = [0; 1024];
                while let Ok(count) = stream.read(&mut bytes) {
                    if count == 0 || stream.write_all(&bytes[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// What became of a client's connections.
#[derive(Debug, Default)]
pub struct Score {
    pub good: usize,
    pub refused: usize,
    /// Other failures, with what they were.
    pub broken: Vec<String>,
}

/// A client that comes two hundred times a second, each time anew, until `over`.
pub fn steady(host: &Host, port: u16, over: &AtomicBool) -> Score {
    host.in_network(|| {
        let mut score = Score::default();
        while !over.load(Ordering::Relaxed) {
            match once(port) {
                Ok(true) => score.good += 1,
                Ok(false) => score.broken.push("another answer".into()),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    score.refused += 1
                }
                Err(error) => score.broken.push(error.to_string()),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        score
    })
}

fn once(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.ends_with(b"alive"))
}
