//! `Listen` in all its forms, and how to reach the server from this machine.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ocf::sys::clients::is_on_this_machine;
use ocf::sys::resolve;

/// Where the server waits for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address, or a host's name; `None` for all of them.
    pub host: Option<String>,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken there.
    pub tls: bool,
}

/// Reads the arguments of `Listen`: `80`, `192.0.2.1:80`, `[2001:db8::1]:80`, `*:80`, each with an
/// optional protocol.
pub fn parse(words: &[String]) -> Option<Listen> {
    let place = words.first()?;
    let (host, port) = match place.rsplit_once(':') {
        None => (None, place.as_str()),
        Some((host, port)) => (Some(host.trim_start_matches('[').trim_end_matches(']')), port),
    };
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let host = host.filter(|host| !matches!(*host, "*" | "")).map(str::to_owned);
    // Without a word the server takes port 443 for https (mpm_common documentation of Listen).
    let tls = words.get(1).map_or(port == 443, |protocol| protocol.eq_ignore_ascii_case("https"));
    Some(Listen { host, port, tls })
}

impl Listen {
    /// Whether it is on this machine. A host's name counts as such.
    pub fn is_here(&self) -> bool {
        let address = self.host.as_deref().and_then(resolve::literal);
        address.is_none_or(|ip| is_on_this_machine(SocketAddr::new(ip, self.port)))
    }

    /// A URL of this place, without a path. Where the server listens on every address it is checked
    /// on the loopback one, by the name that everybody uses for it.
    pub fn url(&self, use_ipv6: bool) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = match self.host.as_deref().map(|host| (host, host.parse::<IpAddr>())) {
            None if use_ipv6 => "[::1]".to_owned(),
            None => "localhost".to_owned(),
            Some((_, Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))) => Ipv4Addr::LOCALHOST.to_string(),
            Some((_, Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))) => "[::1]".to_owned(),
            Some((_, Ok(IpAddr::V6(address)))) => format!("[{address}]"),
            Some((text, _)) if text.contains(':') => format!("[{text}]"),
            Some((text, _)) => text.to_owned(),
        };
        format!("{scheme}://{host}:{}", self.port)
    }
}

/// The place to ask: on the wanted port if one is given, else one without TLS, else the first.
pub fn choose(listens: &[Listen], port: Option<u16>) -> Option<Listen> {
    if let Some(port) = port {
        let bare = Listen { host: None, port, tls: port == 443 };
        return Some(listens.iter().find(|listen| listen.port == port).cloned().unwrap_or(bare));
    }
    listens.iter().find(|listen| !listen.tls).or(listens.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Listen> {
        parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_form_leads_to_a_url() {
        let cases = [
            ("80", "http://localhost:80"),
            ("*:8080", "http://localhost:8080"),
            ("192.0.2.1:81", "http://192.0.2.1:81"),
            ("0.0.0.0:81", "http://127.0.0.1:81"),
            ("[::1]:8082", "http://[::1]:8082"),
            ("[2001:db8:0::1]:80", "http://[2001:db8::1]:80"),
            ("[fe80::1%eth0]:80", "http://[fe80::1%eth0]:80"),
            ("[::]:80", "http://[::1]:80"),
            ("www.example.org:80", "http://www.example.org:80"),
            ("443", "https://localhost:443"),
            ("8443 https", "https://localhost:8443"),
            ("443 http", "http://localhost:443"),
            ("127.0.0.1:8443 HTTPS", "https://127.0.0.1:8443"),
        ];
        for (text, url) in cases {
            assert_eq!(read(text).unwrap().url(false), url, "{text}");
        }
        assert_eq!(read("80").unwrap().url(true), "http://[::1]:80");
    }

    #[test]
    fn nonsense_is_no_place() {
        for text in ["", "x", "0", "70000", "a:b", "${PORT}"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_plain_place_is_asked_unless_a_port_is_wanted() {
        let all: Vec<Listen> =
            ["443", "8080", "192.0.2.1:8081"].iter().filter_map(|text| read(text)).collect();
        assert_eq!(choose(&all, None).unwrap().port, 8080);
        assert_eq!(choose(&all, Some(8081)).unwrap().url(false), "http://192.0.2.1:8081");
        assert_eq!(choose(&all, Some(9)).unwrap().url(false), "http://localhost:9");
        assert_eq!(choose(&all[..1], None).unwrap().url(false), "https://localhost:443");
        assert_eq!(choose(&[], None), None);
    }
}
