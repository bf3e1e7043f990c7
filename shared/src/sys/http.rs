//! One GET over HTTP or HTTPS: bounded in time and in size, straight to the server.
//!
//! # Invariants
//! - The deadline holds for the whole of it: name, connection, head and body.
//! - No proxy is used, whatever the environment says, and no redirect is followed.
//! - Of a body no more is read than is kept.
//! - The system's certificates are loaded only where they are used: that costs forty times the
//!   request.
#![forbid(unsafe_code)]

mod error;
#[cfg(test)]
mod tests;
mod vouched;

use std::borrow::Cow;
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, Url, header, redirect};
use tokio::runtime::{Builder, Runtime};

use super::clock::Deadline;
use super::resolve::{self, Cause};
pub use error::{HttpError, HttpErrorKind};

/// As much of a body as any check needs.
pub const BODY_LIMIT: usize = 1 << 20;

/// Which certificates of a server are good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// All. The connection is encrypted, and may be with anybody.
    #[default]
    None,
    /// Those that the system trusts.
    System,
    /// Those that the certificates in this PEM file vouch for or that are in it, and no others.
    File(PathBuf),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Get<'a> {
    /// Where to, `http` or `https`. A name and a password in it are sent as [`Get::user`] would be.
    pub url: &'a str,
    /// The name of the site, where it is not the host in the URL.
    pub host_header: Option<&'a str>,
    /// Name and password (basic authentication).
    pub user: Option<(&'a str, &'a str)>,
    /// The socket to connect to, instead of the host and port in the URL.
    pub unix_socket: Option<&'a Path>,
    /// Which certificates are good; means nothing for `http`.
    pub trust: &'a Trust,
    /// When it must be over.
    pub deadline: Deadline,
    /// How much of the body is kept; with 0 none is read.
    pub body_limit: usize,
}

impl<'a> Get<'a> {
    /// A plain request.
    #[must_use]
    pub fn new(url: &'a str, deadline: Deadline) -> Self {
        let (trust, body_limit) = (&Trust::None, BODY_LIMIT);
        Self { url, host_header: None, user: None, unix_socket: None, trust, deadline, body_limit }
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The usual words for it, empty for an unusual one.
    pub phrase: &'static str,
    /// Where a redirect points, as an absolute URL if it is one.
    pub location: Option<String>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether there is more of it; always with a limit of 0, because none of it was read.
    pub truncated: bool,
    /// How long all of it took.
    pub elapsed: Duration,
}

impl Answer {
    /// Code and words: `404 Not Found`.
    #[must_use]
    pub fn status_text(&self) -> String {
        format!("{} {}", self.status, self.phrase).trim_end().to_owned()
    }
}

/// Asks.
///
/// # Errors
/// Why there is no answer. An answer with any status is an answer.
pub fn get(get: &Get<'_>) -> Result<Answer, HttpError> {
    let began = Instant::now();
    let url = parse(get.url)?;
    let peer = || peer(get, &url);
    let client_error =
        |error: reqwest::Error| HttpError::from_client(&error.without_url(), &peer());
    let runtime = runtime()?;
    let addresses = addresses(get, &url)?;
    let client = client(get, &url, &addresses)?;
    let request = prepare(get, &url, &client).build().map_err(client_error)?;
    // Whether the head of the answer has come, and how much of the body.
    let got: Cell<Option<usize>> = Cell::new(None);
    let talk = async {
        let mut response = client.execute(request).await.map_err(client_error)?;
        got.set(Some(0));
        let status = response.status();
        let location = response.headers().get(header::LOCATION).map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            url.join(&text).map_or_else(|_| text.to_string(), String::from)
        });
        let (mut body, mut truncated) = (Vec::new(), get.body_limit == 0);
        while !truncated && let Some(chunk) = response.chunk().await.map_err(client_error)? {
            let room = get.body_limit - body.len();
            truncated = chunk.len() > room;
            body.extend_from_slice(&chunk[..room.min(chunk.len())]);
            got.set(Some(body.len()));
        }
        let phrase = status.canonical_reason().unwrap_or_default();
        Ok(Answer {
            status: status.as_u16(),
            phrase,
            location,
            body,
            truncated,
            elapsed: began.elapsed(),
        })
    };
    let limit = get.deadline.left();
    let outcome = runtime.block_on(async { tokio::time::timeout(limit, talk).await });
    runtime.shutdown_background();
    outcome.unwrap_or_else(|_| {
        let seconds = limit.as_secs_f64();
        let text = match got.get() {
            None => format!("no answer from {} within {seconds:.1} s", peer()),
            Some(bytes) => format!(
                "the answer of {} did not end within {seconds:.1} s ({bytes} bytes came)",
                peer()
            ),
        };
        Err(HttpError::new(HttpErrorKind::Timeout, text))
    })
}

/// Whether a URL asks for TLS.
#[must_use]
pub fn is_tls(url: &str) -> bool {
    begins(url.trim_start(), "https:")
}

/// Whether a text is a whole URL, and not what follows the address of a server: `httpd-status` is a
/// path.
#[must_use]
pub fn is_url(text: &str) -> bool {
    begins(text, "http://") || begins(text, "https://")
}

/// Whether a URL begins so; schemes are the same in large and small letters (RFC 3986, 3.1).
fn begins(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Whether a URL points to this machine or to an address. Servers there rarely have certificates
/// for these names.
#[must_use]
pub fn is_local(url: &str) -> bool {
    let Ok(url) = parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let name = host.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost") || resolve::literal(host).is_some()
}

/// Whether a text is a URL that can be requested; else why not.
///
/// # Errors
/// What is wrong with it.
pub fn parse(url: &str) -> Result<Url, HttpError> {
    let wrong = |why: String| HttpError::new(HttpErrorKind::Request, why);
    let parsed =
        Url::parse(&without_zone(url).0).map_err(|error| wrong(format!("not a URL: {error}")))?;
    match parsed.scheme() {
        "http" | "https" if parsed.has_host() => Ok(parsed),
        other => Err(wrong(format!("not an http or https URL, but {other}"))),
    }
}

/// A URL, and the interface that it names after a link-local address: `http://[fe80::1%eth0]/`.
/// URLs have no place for it (RFC 6874 gave it one, as `%25eth0`), and no server wants to see it.
fn without_zone(url: &str) -> (Cow<'_, str>, Option<&str>) {
    let host = || Some(url.split_once("://[")?.1.split_once(']')?.0);
    let found = if url.contains('%') { host().and_then(|host| host.split_once('%')) } else { None };
    let Some((address, zone)) = found else { return (url.into(), None) };
    let plain = url.replacen(&format!("[{address}%{zone}]"), &format!("[{address}]"), 1);
    (plain.into(), Some(zone.strip_prefix("25").unwrap_or(zone)))
}

/// Whether a URL is one that [`parse`] takes, seen at a glance: of this machine or of an IPv4
/// address, and of plain letters. Most are, and to take one apart costs as much as a twentieth of a
/// monitor.
#[must_use]
pub fn is_plain(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return false;
    };
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = place.split_once(':').unwrap_or((place, "80"));
    let is_host = host == "localhost" || host.parse::<Ipv4Addr>().is_ok();
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_host && is_port && path.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A URL for a log or a reason: without the password that may be in it.
#[must_use]
pub fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            match parsed.set_password(Some("hidden")) {
                Ok(()) => parsed.into(),
                Err(()) => "(hidden)".to_owned(),
            }
        }
        _ => url.to_owned(),
    }
}

/// Whom we talk to, for messages.
fn peer(get: &Get<'_>, url: &Url) -> String {
    match get.unix_socket {
        Some(path) => path.display().to_string(),
        None => format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        ),
    }
}

fn runtime() -> Result<Runtime, HttpError> {
    let built = Builder::new_current_thread().enable_io().enable_time().build();
    built.map_err(|error| HttpError::new(HttpErrorKind::Request, format!("no event loop: {error}")))
}

/// The addresses of the host, looked up by [`resolve`]: the client has no limit of its own for
/// that.
fn addresses(get: &Get<'_>, url: &Url) -> Result<Vec<SocketAddr>, HttpError> {
    let host = url.host_str().unwrap_or_default();
    if get.unix_socket.is_some() || resolve::literal(host).is_some() {
        return Ok(Vec::new());
    }
    let port = url.port_or_known_default().unwrap_or_default();
    resolve::resolve(host, port, get.deadline).map_err(|error| match error.cause {
        Cause::Unknown => HttpError::new(
            HttpErrorKind::Connect,
            format!("no connection to {}: {error}", peer(get, url)),
        ),
        Cause::NotNow => HttpError::new(HttpErrorKind::Name, error.to_string()),
    })
}

/// The client for one request.
fn client(get: &Get<'_>, url: &Url, addresses: &[SocketAddr]) -> Result<Client, HttpError> {
    let request = |why: String| HttpError::new(HttpErrorKind::Request, why);
    // reqwest asks for a provider even where nothing is encrypted. A second installation fails, and
    // changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .resolve_to_addrs(url.host_str().unwrap_or_default(), addresses)
        .user_agent(concat!("ocf-agents/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = get.unix_socket {
        builder = builder.unix_socket(path);
    }
    if let Some(interface) = without_zone(get.url).1 {
        // A socket that is bound to an interface takes link-local addresses for those of its link
        // (net/ipv6/tcp_ipv6.c).
        builder = builder.interface(interface);
    }
    builder = match get.trust {
        Trust::System if url.scheme() == "https" => builder,
        Trust::File(path) if url.scheme() == "https" => {
            builder.tls_backend_preconfigured(vouched::config(path).map_err(request)?)
        }
        // Also for http: the roots would be loaded there too.
        _ => builder.tls_danger_accept_invalid_certs(true),
    };
    builder.build().map_err(|error| HttpError::from_client(&error, ""))
}

fn prepare(get: &Get<'_>, url: &Url, client: &Client) -> RequestBuilder {
    let mut request = client.get(url.clone());
    if let Some(host) = get.host_header {
        request = request.header(header::HOST, host);
    }
    if let Some((user, password)) = get.user {
        request = request.basic_auth(user, Some(password));
    }
    request
}
