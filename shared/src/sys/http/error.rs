//! Why a server gave no answer, in one line.
#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;

use rustls::{CertificateError, Error as TlsError};

use crate::failure::plain;

/// What went wrong, for those that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// The URL, a header or the certificates that were given cannot be used.
    Request,
    /// No connection: no such address, or nothing listens there.
    Connect,
    /// The name servers have not said what the address of the host is.
    Name,
    /// The time was over.
    Timeout,
    /// No encrypted connection, or not with whom it should be.
    Tls,
    /// The connection broke, or what came is not HTTP.
    Answer,
}

/// A request that was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// What sort of failure it is.
    pub kind: HttpErrorKind,
    text: String,
}

impl HttpError {
    pub(crate) fn new(kind: HttpErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// An error of the operating system while connecting or talking to `peer`.
    pub(crate) fn os(error: &io::Error, peer: &str) -> Self {
        use io::ErrorKind as Os;
        match error.kind() {
            Os::ConnectionRefused => {
                Self::new(HttpErrorKind::Connect, format!("connection refused by {peer}"))
            }
            Os::ConnectionReset | Os::ConnectionAborted | Os::BrokenPipe | Os::UnexpectedEof => {
                Self::new(
                    HttpErrorKind::Answer,
                    format!("{peer} broke off the connection without an answer"),
                )
            }
            Os::TimedOut | Os::WouldBlock => {
                Self::new(HttpErrorKind::Timeout, format!("no answer from {peer} in time"))
            }
            _ => Self::new(
                HttpErrorKind::Connect,
                format!("no connection to {peer}: {}", plain(error)),
            ),
        }
    }

    /// An error of the client library; `peer` is whom it talked to.
    pub(super) fn from_client(error: &reqwest::Error, peer: &str) -> Self {
        if find::<TlsError>(error, |tls| tls.to_string().contains("No CA certificates")).is_some() {
            let text =
                "no certificate authority is trusted on this machine; install ca-certificates";
            return Self::new(HttpErrorKind::Tls, text);
        }
        if error.is_builder() {
            return Self::new(HttpErrorKind::Request, deepest(error));
        }
        if let Some(tls) = find::<TlsError>(error, |_| true) {
            return Self::new(HttpErrorKind::Tls, tls_text(tls, peer));
        }
        if error.is_dns() {
            return Self::new(
                HttpErrorKind::Connect,
                format!("no address for {peer}: {}", deepest(error)),
            );
        }
        if let Some(os) = find::<io::Error>(error, |os| os.raw_os_error().is_some()) {
            return Self::os(os, peer);
        }
        if error.is_connect() {
            return Self::new(
                HttpErrorKind::Connect,
                format!("no connection to {peer}: {}", deepest(error)),
            );
        }
        Self::new(HttpErrorKind::Answer, format!("no HTTP answer from {peer}: {}", deepest(error)))
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for HttpError {}

impl From<HttpError> for crate::failure::IntoFailure {
    fn from(error: HttpError) -> Self {
        crate::failure::Failure::generic(error.text).into()
    }
}

/// The last error of this type in the chain of causes.
fn find<'a, T: Error + 'static>(
    error: &'a (dyn Error + 'static),
    wanted: impl Fn(&T) -> bool,
) -> Option<&'a T> {
    causes(error).filter_map(|cause| cause.downcast_ref()).filter(|cause| wanted(cause)).last()
}

/// An error and what caused it, each after what it caused. An [`io::Error`] leaves the one that it
/// wraps out of the chain of its causes, and that is where all of TLS is.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// What the innermost error says; those around it only say where.
fn deepest(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Whether all that is wrong with a certificate so far is that it is marked as that of an
/// authority.
pub(super) fn is_authority_as_server(why: &CertificateError) -> bool {
    // The error's own type is in a crate that we do not name.
    matches!(why, CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity"))
}

/// What people can do something about, in their words; the rest in the library's.
fn tls_text(error: &TlsError, peer: &str) -> String {
    let why = match error {
        TlsError::InvalidCertificate(certificate) => {
            let why = match certificate {
                CertificateError::UnknownIssuer => {
                    "its issuer is unknown (is it self-signed, or is a CA file needed?)".into()
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "it has expired".to_owned()
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet".into()
                }
                CertificateError::NotValidForName => "it is for another name".into(),
                CertificateError::NotValidForNameContext { presented, .. } => {
                    format!("it is for another name ({})", presented.join(", "))
                }
                other if is_authority_as_server(other) => {
                    "it is marked as that of a CA, and is not in the CA file itself".into()
                }
                other => other.to_string(),
            };
            return format!("the certificate of {peer} is not accepted: {why}");
        }
        TlsError::InvalidMessage(_) => "what came is not TLS (is it a plain http port?)".to_owned(),
        TlsError::AlertReceived(alert) => format!("the server refuses ({alert:?})"),
        other => other.to_string(),
    };
    format!("no TLS connection to {peer}: {why}")
}
