//! What agents of web servers share: the parameters of a check, the check, and files of tests.
#![forbid(unsafe_code)]

mod params;
mod status;
pub mod testfile;

use std::path::PathBuf;
use std::time::Duration;

use crate::ere::Ere;
use crate::failure::Failure;
use crate::outcome::Status;
use crate::sys::clock::Deadline;
use crate::sys::http::{self, Answer, Get, HttpError, HttpErrorKind, Trust};

pub use params::{
    CA, EXPECT_STATUS, HOST_HEADER, MAX_LATENCY, Rules, VERIFY, expression, page, url,
};
pub use status::Statuses;

/// One check: the request, and the answer that is expected.
#[derive(Debug, PartialEq)]
pub struct Test {
    /// An `http` or `https` URL.
    pub url: String,
    /// The socket to connect to, instead of the URL's host and port.
    pub unix_socket: Option<PathBuf>,
    /// Name and password.
    pub login: Option<(String, String)>,
    /// What a line of the body must match.
    pub regex: Option<Ere>,
    /// The rest.
    pub rules: Rules,
}

impl Test {
    /// A test of a URL's status alone.
    #[must_use]
    pub fn new(url: impl Into<String>, rules: Rules) -> Self {
        Self { url: url.into(), unix_socket: None, login: None, regex: None, rules }
    }
}

/// Asks and judges. The status code decides first, then the expression: error pages have `</html>`
/// too.
///
/// # Errors
/// One line that names the URL, what was wrong, and what to do about it; always an ordinary
/// failure.
pub fn check(test: &Test, deadline: Deadline) -> Result<Status, Failure> {
    guess(test, deadline)?
}

/// As [`check`], for a page that nobody has named. The inner failure is an answer that is another
/// one than the page's and no error of the server's side (500 and above): the guess was wrong, or
/// the page is not for this machine.
///
/// # Errors
/// That there is no answer, or an error.
pub fn guess(test: &Test, deadline: Deadline) -> Result<Result<Status, Failure>, Failure> {
    let trust = trust(test);
    let get = Get {
        url: &test.url,
        host_header: test.rules.host_header.as_deref(),
        user: test.login.as_ref().map(|(user, password)| (user.as_str(), password.as_str())),
        unix_socket: test.unix_socket.as_deref(),
        trust: &trust,
        deadline,
        body_limit: if test.regex.is_some() { http::BODY_LIMIT } else { 0 },
    };
    let failure = |why: String| Failure::generic(format!("{}: {why}", http::shown(&test.url)));
    let answer = http::get(&get).map_err(|error| failure(advise(&error)))?;
    let judged = judge(test, &answer, deadline).map_err(failure);
    if answer.status < 500 { Ok(judged) } else { judged.map(Ok) }
}

/// An address that a test names: whole, or what follows the server's own address
/// (`http://127.0.0.1:8080`).
#[must_use]
pub fn absolute(base: &str, url: &str) -> String {
    if http::is_url(url) {
        return url.to_owned();
    }
    format!("{}/{}", base.trim_end_matches('/'), url.trim_start_matches('/'))
}

/// Which certificates are accepted. No authority issues any for this machine's own addresses: those
/// are verified only on demand.
fn trust(test: &Test) -> Trust {
    match (&test.rules.ca, test.rules.verify) {
        (_, Some(false)) => Trust::None,
        (Some(file), _) => Trust::File(file.clone()),
        (None, Some(true)) => Trust::System,
        // Without TLS it means nothing, and to take a URL apart costs as much as a tenth of the
        // request.
        (None, None) if !http::is_tls(&test.url) => Trust::None,
        (None, None) if test.unix_socket.is_some() || http::is_local(&test.url) => Trust::None,
        (None, None) => Trust::System,
    }
}

fn judge(test: &Test, answer: &Answer, deadline: Deadline) -> Result<Status, String> {
    let expected = &test.rules.expect_status;
    if !expected.contains(answer.status) {
        let status = answer.status;
        return Err(match &answer.location {
            Some(location) if (300..400).contains(&status) => {
                format!(
                    "{status} to {}: give that URL, or expect_status={status}",
                    http::shown(location)
                )
            }
            _ if status == 401 => {
                "401 Unauthorized: give a user and a password, or expect_status=401".to_owned()
            }
            _ => format!(
                "{}, expected {expected}: look at the server's error log, give another URL, or \
                 expect_status={status}",
                answer.status_text()
            ),
        });
    }
    if let Some(regex) = &test.regex {
        let status = answer.status_text();
        match regex.is_match(&answer.body, deadline) {
            Some(true) => {}
            Some(false) => {
                let first = if answer.truncated { "first " } else { "" };
                return Err(format!(
                    "{status}, but none of the {first}{} bytes of the page match \"{}\": look at \
                     the page, or give another \
                     expression",
                    answer.body.len(),
                    regex.text()
                ));
            }
            None => {
                return Err(format!(
                    "{status}, but looking for \"{}\" in the page takes too long: give a simpler \
                     expression",
                    regex.text()
                ));
            }
        }
    }
    Ok(match test.rules.max_latency.filter(|limit| answer.elapsed > *limit) {
        Some(limit) => Status::Degraded(format!(
            "{}: answered after {}, later than max_latency={}",
            http::shown(&test.url),
            milliseconds(answer.elapsed),
            milliseconds(limit)
        )),
        None => Status::Running,
    })
}

/// The error, and what can be done about it where that is not plain.
fn advise(error: &HttpError) -> String {
    match error.kind {
        HttpErrorKind::Tls => format!("{error}; correct that, give ca, or verify=false"),
        HttpErrorKind::Timeout => format!("{error}: the server hangs or is overloaded"),
        HttpErrorKind::Connect => format!("{error}: look at where the server listens"),
        HttpErrorKind::Name | HttpErrorKind::Request | HttpErrorKind::Answer => error.to_string(),
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests;
