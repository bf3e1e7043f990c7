//! `ocf-bench-floor-web PORT PATH PIDFILE`: what a web server's monitor cannot do without. It looks
//! whether the process of a pid file lives, and asks for one page on the loopback address. Exit 0:
//! both well; 7: no process; 1: no good answer.
//!
//! `ocf-bench-floor-web SOCKET QUESTION PIDFILE`: the same of haproxy, with a question on the local
//! socket of its master.
//!
//! `ocf-bench-floor-web PIDFILE`: the look at the process alone.
//!
//! `ocf-bench` measures the agents against it. It shares no code with them, and has no other
//! dependency than libc.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (port, path, file) = match (words.next(), words.next(), words.next()) {
        (Some(port), Some(path), Some(file)) => (port, path, file),
        (Some(file), None, None) => return ExitCode::from(if lives(&file) { 0 } else { 7 }),
        _ => return ExitCode::from(2),
    };
    if !lives(&file) {
        return ExitCode::from(7);
    }
    if port.starts_with('/') {
        return if says(&port, &path).unwrap_or(false) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    match port.parse().map(|port| answers(port, &path)) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

#[expect(clippy::disallowed_methods, reason = "what the least program would call")]
fn lives(file: &str) -> bool {
    let pid = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<i32>().ok());
    // SAFETY: a plain call; signal 0 is not delivered.
    pid.is_some_and(|pid| pid > 1 && unsafe { libc::kill(pid, 0) } == 0)
}

fn says(socket: &str, question: &str) -> std::io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"#<PID>") && answer.windows(6).any(|part| part == b"\nPid: "))
}

#[expect(clippy::disallowed_methods, reason = "an address, and no name")]
fn answers(port: u16, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
