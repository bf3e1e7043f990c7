//! `listen`, in all its forms.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use ocf::sys::listen::Place;

/// Where a server accepts connections, as a client on this machine gets there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Socket {
    /// An address or a name, without brackets, and a port.
    Inet(String, u16),
    /// A path.
    Unix(PathBuf),
}

/// One `listen` of a server that answers HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// Where.
    pub socket: Socket,
    /// Whether it speaks TLS.
    pub ssl: bool,
    /// Whether it expects a line of the PROXY protocol first.
    pub proxied: bool,
    /// Whether it understands HTTP/2 only, as versions before 1.25.1 do with `http2` and without
    /// `ssl`.
    pub h2_only: bool,
}

impl Listen {
    /// The `listen` that a server without one has.
    pub fn usual() -> Self {
        Self::plain(Socket::Inet("127.0.0.1".into(), 80))
    }

    /// A socket without anything special.
    pub fn plain(socket: Socket) -> Self {
        Self { socket, ssl: false, proxied: false, h2_only: false }
    }

    /// Reads the arguments; `None` for what no TCP or local client can talk to.
    pub fn read(arguments: &[String]) -> Option<Self> {
        let (place, rest) = arguments.split_first()?;
        let has = |word: &str| rest.iter().any(|given| given == word);
        if has("quic") || has("http3") || has("udp") {
            return None;
        }
        let (ssl, proxied) = (has("ssl"), has("proxy_protocol"));
        let h2_only = has("http2") && !ssl;
        let socket = match socket(place)? {
            Socket::Inet(host, port) => {
                Socket::Inet(as_client(&host, has("ipv6only=off")).to_owned(), port)
            }
            local => local,
        };
        Some(Self { socket, ssl, proxied, h2_only })
    }

    /// How little a client has to know to be answered; less is better.
    pub fn demands(&self) -> u8 {
        u8::from(self.proxied) + 2 * u8::from(self.h2_only)
    }

    /// The scheme and the place of URLs, without a path. A local socket has no place in one.
    pub fn base_url(&self) -> String {
        let scheme = if self.ssl { "https" } else { "http" };
        match &self.socket {
            Socket::Inet(host, port) if host.contains(':') => format!("{scheme}://[{host}]:{port}"),
            Socket::Inet(host, port) => format!("{scheme}://{host}:{port}"),
            Socket::Unix(_) => format!("{scheme}://localhost"),
        }
    }

    /// As a line of a record.
    pub fn render(&self) -> String {
        let flags =
            [(self.ssl, " ssl"), (self.proxied, " proxy_protocol"), (self.h2_only, " http2")];
        let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
        // The place comes last, for a path may hold spaces.
        match &self.socket {
            Socket::Inet(host, port) if host.contains(':') => format!("{flags} [{host}]:{port}"),
            Socket::Inet(host, port) => format!("{flags} {host}:{port}"),
            Socket::Unix(path) => format!("{flags} unix:{}", path.display()),
        }
        .trim_start()
        .to_owned()
    }

    /// Reads what [`Self::render`] wrote.
    pub fn parse(line: &str) -> Option<Self> {
        let mut listen = Self::plain(Socket::Unix(PathBuf::new()));
        let mut rest = line;
        loop {
            if let Some(after) = rest.strip_prefix("ssl ") {
                (listen.ssl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("proxy_protocol ") {
                (listen.proxied, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("http2 ") {
                (listen.h2_only, rest) = (true, after);
            } else {
                listen.socket = socket(rest)?;
                return Some(listen);
            }
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Inet(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where nginx binds a socket for TCP.
pub fn place(arguments: &[String]) -> Option<Place> {
    let (place, rest) = arguments.split_first()?;
    let has = |word: &str| rest.iter().any(|given| given == word);
    if has("quic") || has("http3") || has("udp") {
        return None;
    }
    match socket(place)? {
        Socket::Inet(host, port) => {
            Some(Place { host: Some(host), port, only_ipv6: !has("ipv6only=off") })
        }
        Socket::Unix(_) => None,
    }
}

/// Where a client on this machine finds a server that listens at a host. One for all addresses of
/// both families may be on a machine that has one of them only.
fn as_client(host: &str, has_both: bool) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" if has_both => "localhost",
        "::" => "::1",
        other => other,
    }
}

/// Reads the first argument. Of a range of ports the first one counts.
fn socket(place: &str) -> Option<Socket> {
    let scheme = place.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("unix:"));
    if scheme.is_some() {
        return Some(Socket::Unix(PathBuf::from(&place[5..]))).filter(|_| place.len() > 5);
    }
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let number = rest.strip_prefix(':').map_or(Some(80), port)?;
        let host = if host.parse() == Ok(Ipv6Addr::UNSPECIFIED) { "::" } else { host };
        return Some(Socket::Inet(host.to_owned(), number));
    }
    let (host, number) = match place.rsplit_once(':') {
        Some((host, text)) => (host, port(text)?),
        None => match port(place) {
            Some(number) => ("*", number),
            None if place.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            None => (place, 80),
        },
    };
    let host = if matches!(host, "*" | "") { "0.0.0.0" } else { host };
    Some(Socket::Inet(host.to_owned(), number))
}

fn port(text: &str) -> Option<u16> {
    let first = text.split_once('-').map_or(text, |(first, _)| first);
    first.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Listen> {
        Listen::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn ng_05_every_form_leads_to_its_socket() {
        for (line, expected) in [
            ("80", "127.0.0.1:80"),
            ("8083 default_server", "127.0.0.1:8083"),
            ("*:81 backlog=5 reuseport", "127.0.0.1:81"),
            ("0.0.0.0:81", "127.0.0.1:81"),
            ("192.0.2.1", "192.0.2.1:80"),
            ("192.0.2.1:8080 bind", "192.0.2.1:8080"),
            ("localhost", "localhost:80"),
            ("localhost:82", "localhost:82"),
            ("[::1]:8082", "[::1]:8082"),
            ("[::]:80 ipv6only=on", "[::1]:80"),
            ("[::]:80 ipv6only=off", "localhost:80"),
            ("[::1]:80 ipv6only=off", "[::1]:80"),
            ("[2001:db8::1]", "[2001:db8::1]:80"),
            ("unix:/run/n.sock", "unix:/run/n.sock"),
            ("12345-12399", "127.0.0.1:12345"),
        ] {
            let listen = read(line).unwrap();
            assert_eq!(listen.socket.to_string(), expected, "{line}");
            assert_eq!(listen.demands(), 0, "{line}");
        }
        for line in ["443 quic reuseport", "53 udp", "0", "70000", "[::1", "unix:", "a:b"] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_bound_is_what_is_written() {
        let place = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let Place { host, port, only_ipv6 } = place(&words)?;
            Some((format!("{} {port}", host?), only_ipv6))
        };
        for (line, expected) in [
            ("80", "0.0.0.0 80"),
            ("*:80", "0.0.0.0 80"),
            ("127.0.0.1:80 ssl", "127.0.0.1 80"),
            ("[::]:80", ":: 80"),
            ("[::1]:80", "::1 80"),
            ("name", "name 80"),
        ] {
            assert_eq!(place(line), Some((expected.to_owned(), true)), "{line}");
        }
        assert_eq!(place("[::]:80 ipv6only=off"), Some((":: 80".to_owned(), false)));
        for line in ["unix:/s", "443 quic", "53 udp"] {
            assert_eq!(place(line), None, "{line}");
        }
    }

    #[test]
    fn what_a_client_must_know_is_reported() {
        let listen = read("443 ssl http2 default_server").unwrap();
        assert!(listen.ssl && !listen.h2_only && !listen.proxied);
        assert_eq!(listen.base_url(), "https://127.0.0.1:443");
        assert!(read("80 http2").unwrap().h2_only);
        assert!(read("80 proxy_protocol").unwrap().proxied);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for line in
            ["443 ssl", "[::1]:80 http2 proxy_protocol", "unix:/a b/c ssl", "[fe80::1]:1", "name:5"]
        {
            let listen = read(line).unwrap();
            assert_eq!(
                Listen::parse(&listen.render()),
                Some(listen.clone()),
                "{line}: {}",
                listen.render()
            );
        }
        assert_eq!(Listen::parse("unix:/a b/c").unwrap().socket, Socket::Unix("/a b/c".into()));
        assert_eq!(Listen::parse(""), None);
    }
}
