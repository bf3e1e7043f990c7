//! The addresses of a host, before a deadline: the only place where names are looked up.
//!
//! The C library's look-up (getaddrinfo(3)) has no time-out that a caller can set, and waits for
//! each silent name server in turn. It runs in a thread of its own; one that comes too late ends
//! with the process.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;

use super::clock::Deadline;

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The name has none: another look-up will not find one either.
    Unknown,
    /// It is not known now: the name servers are silent, or answer that they cannot answer.
    NotNow,
}

/// A name without an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveError {
    /// What that means.
    pub cause: Cause,
    text: String,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ResolveError {}

impl From<ResolveError> for crate::failure::IntoFailure {
    fn from(error: ResolveError) -> Self {
        crate::failure::Failure::generic(error.text).into()
    }
}

/// The address that a text is, without asking anything: also in brackets, as in URLs.
#[must_use]
pub fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// The addresses of a host, at least one, in the order in which they should be tried.
///
/// Addresses are answered at once, and so is `localhost`, which is no question for a name server
/// (RFC 6761, 6.3).
///
/// # Errors
/// That the name has no address, or that the answer did not come before the deadline.
pub fn resolve(host: &str, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Some(address) = literal(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // Four numbers that are no address are no name either (RFC 1123, 2.1): a question would only
    // take time. Fewer of them may be an address in another form (inet_aton(3)).
    let are_numbers = host.split('.').all(|part| part.parse::<u64>().is_ok());
    if are_numbers && host.split('.').count() == 4 {
        return Err(ResolveError { cause: Cause::Unknown, text: format!("{host} has no address") });
    }
    if is_localhost(host) {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    let limit = deadline.left();
    let (sender, answer) = mpsc::channel();
    let question = (host.to_owned(), port);
    let started = std::thread::Builder::new().name("resolve".to_owned()).spawn(move || {
        // The receiver may have given up.
        let _ = sender.send(look_up(&question));
    });
    if let Err(error) = started {
        return Err(ResolveError {
            cause: Cause::NotNow,
            text: format!("cannot look up {host}: {error}"),
        });
    }
    match answer.recv_timeout(limit) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => {
            Err(ResolveError { cause: Cause::Unknown, text: format!("{host} has no address") })
        }
        Ok(Err(error)) => Err(refused(host, &error)),
        Err(_) => Err(ResolveError {
            cause: Cause::NotNow,
            text: format!(
                "no answer from the name servers for {host} within {:.1} s; look at \
                 /etc/resolv.conf",
                limit.as_secs_f64()
            ),
        }),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that looks up names, in a thread that nothing waits for"
)]
fn look_up((host, port): &(String, u16)) -> io::Result<Vec<SocketAddr>> {
    (host.as_str(), *port).to_socket_addrs().map(Iterator::collect)
}

fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// What the C library's refusal means. The standard library hands on only its text, which is the
/// same in all languages, for no agent sets a locale.
fn refused(host: &str, error: &io::Error) -> ResolveError {
    let text = error.to_string();
    // EAI_AGAIN and EAI_SYSTEM in the words of glibc (gai_strerror.c) and musl (gai_strerror.c).
    let passing = ["Temporary failure", "Try again", "System error"];
    let is_passing =
        error.raw_os_error().is_some() || passing.iter().any(|words| text.contains(words));
    match is_passing {
        true => ResolveError {
            cause: Cause::NotNow,
            text: format!(
                "the name servers cannot answer for {host} now; look at /etc/resolv.conf"
            ),
        },
        false => ResolveError { cause: Cause::Unknown, text: format!("{host} has no address") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at_once() -> Deadline {
        Deadline::after(Duration::ZERO)
    }

    #[test]
    fn addresses_and_localhost_need_no_time() {
        let found = |host: &str| {
            resolve(host, 80, at_once()).map(|all| all.iter().map(ToString::to_string).collect())
        };
        assert_eq!(found("192.0.2.1"), Ok(vec!["192.0.2.1:80".to_owned()]));
        for host in ["2001:db8::1", "[2001:db8::1]"] {
            assert_eq!(found(host), Ok(vec!["[2001:db8::1]:80".to_owned()]));
        }
        for host in ["localhost", "LOCALHOST", "localhost."] {
            assert_eq!(found(host), Ok(vec!["127.0.0.1:80".to_owned(), "[::1]:80".to_owned()]));
        }
    }

    #[test]
    fn a_look_up_ends_with_its_deadline() {
        let error = resolve("host.example", 80, at_once()).unwrap_err();
        assert_eq!(error.cause, Cause::NotNow);
        let expected = "no answer from the name servers for host.example within 0.0 s; look at \
            /etc/resolv.conf";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_passing_failure_differs_from_a_name_without_an_address() {
        for (text, cause) in [
            (
                "failed to lookup address information: Temporary failure in name resolution",
                Cause::NotNow,
            ),
            ("failed to lookup address information: Try again", Cause::NotNow),
            ("failed to lookup address information: System error", Cause::NotNow),
            ("failed to lookup address information: Name or service not known", Cause::Unknown),
            ("failed to lookup address information: Name does not resolve", Cause::Unknown),
            (
                "failed to lookup address information: No address associated with hostname",
                Cause::Unknown,
            ),
        ] {
            assert_eq!(refused("h", &io::Error::other(text)).cause, cause, "{text}");
        }
        assert_eq!(
            refused("h", &io::Error::from_raw_os_error(nix::libc::EMFILE)).cause,
            Cause::NotNow
        );
    }
}
