//! What agents of web servers share: the parameters of a check, the check, and files of tests.
#![forbid(unsafe_code)]

mod params;
mod status;
pub mod testfile;

use std::path::PathBuf;
use std::time::Duration;

use crate::failure::Failure;
use crate::outcome::Status;
use crate::sys::clock::Deadline;
use crate::sys::ere::Ere;
use crate::sys::http::{self, Answer, Get, HttpError, HttpErrorKind, Trust};

pub use params::{CA, EXPECT_STATUS, HOST_HEADER, MAX_LATENCY, Rules, VERIFY, expression, url};
pub use status::Statuses;

/// One check: what is asked, and what must come back.
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

/// Asks and judges. The status code decides first, then the expression: error pages have `</html>` too.
///
/// # Errors
/// One line that names the URL, what was wrong, and what to do about it; always an ordinary failure.
pub fn check(test: &Test, deadline: Deadline) -> Result<Status, Failure> {
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
    let judged = match http::get(&get) {
        Ok(answer) => judge(test, &answer),
        Err(error) => Err(advise(&error)),
    };
    judged.map_err(|why| Failure::generic(format!("{}: {why}", http::shown(&test.url))))
}

/// An address that a test names: whole, or what follows the server's own address (`http://127.0.0.1:8080`).
#[must_use]
pub fn absolute(base: &str, url: &str) -> String {
    if url.starts_with("http") {
        return url.to_owned();
    }
    format!("{}/{}", base.trim_end_matches('/'), url.trim_start_matches('/'))
}

/// Which certificates are good. Nobody issues any for this machine's own addresses: there, only if asked.
fn trust(test: &Test) -> Trust {
    match (&test.rules.ca, test.rules.verify) {
        (_, Some(false)) => Trust::None,
        (Some(file), _) => Trust::File(file.clone()),
        (None, Some(true)) => Trust::System,
        (None, None) if test.unix_socket.is_some() || http::is_local(&test.url) => Trust::None,
        (None, None) => Trust::System,
    }
}

fn judge(test: &Test, answer: &Answer) -> Result<Status, String> {
    let expected = &test.rules.expect_status;
    if !expected.contains(answer.status) {
        let status = answer.status;
        return Err(match &answer.location {
            Some(location) if (300..400).contains(&status) => {
                format!("{status} to {}: give that URL, or expect_status={status}", http::shown(location))
            }
            _ if status == 401 => "401 Unauthorized: give a user and a password, or expect_status=401".to_owned(),
            _ => format!(
                "{}, expected {expected}: look at the server's error log, give another URL, or expect_status={status}",
                answer.status_text()
            ),
        });
    }
    if let Some(regex) = test.regex.as_ref().filter(|regex| !regex.is_match(&answer.body)) {
        let first = if answer.truncated { "first " } else { "" };
        return Err(format!(
            "{}, but none of the {first}{} bytes of the page match \"{}\": look at the page, or give another expression",
            answer.status_text(),
            answer.body.len(),
            regex.text()
        ));
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
        HttpErrorKind::Request | HttpErrorKind::Answer => error.to_string(),
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let elapsed = Duration::from_millis(30);
        Answer { status, phrase: "", location: None, body: body.into(), truncated: false, elapsed }
    }

    fn test(regex: Option<&str>) -> Test {
        let regex = regex.map(|text| Ere::new(text).unwrap());
        Test { regex, ..Test::new("http://127.0.0.1/status", Rules::default()) }
    }

    #[test]
    fn ap_11_the_status_decides_before_the_expression() {
        let page = "<html>sorry</html>";
        assert_eq!(judge(&test(Some("</html>")), &answer(200, page)), Ok(Status::Running));
        let failed = judge(&test(Some("</html>")), &answer(404, page)).unwrap_err();
        assert!(failed.starts_with("404, expected 2xx: "), "{failed}");
        let failed = judge(&test(Some("alive")), &answer(200, page)).unwrap_err();
        assert!(failed.contains("none of the 18 bytes of the page match \"alive\""), "{failed}");
    }

    #[test]
    fn ap_14_a_redirect_is_explained() {
        let mut redirect = answer(301, "");
        redirect.location = Some("https://127.0.0.1/status".to_owned());
        assert_eq!(
            judge(&test(None), &redirect).unwrap_err(),
            "301 to https://127.0.0.1/status: give that URL, or expect_status=301"
        );
        let mut asked = test(None);
        asked.rules.expect_status = Statuses::parse("301").unwrap();
        assert_eq!(judge(&asked, &redirect), Ok(Status::Running));
    }

    #[test]
    fn a_late_answer_is_a_degraded_one() {
        let mut test = test(None);
        test.rules.max_latency = Some(Duration::from_millis(30));
        assert_eq!(judge(&test, &answer(200, "")), Ok(Status::Running));
        test.rules.max_latency = Some(Duration::from_millis(29));
        let Ok(Status::Degraded(why)) = judge(&test, &answer(200, "")) else { panic!() };
        assert_eq!(why, "http://127.0.0.1/status: answered after 30 ms, later than max_latency=29 ms");
    }

    #[test]
    fn certificates_are_judged_where_somebody_may_have_issued_them() {
        let of = |url: &str, verify, ca: Option<&str>| {
            trust(&Test::new(url, Rules { verify, ca: ca.map(PathBuf::from), ..Rules::default() }))
        };
        for local in ["https://127.0.0.1:8443/", "https://LOCALHOST/", "https://[::1]/", "https://192.0.2.7/x"] {
            assert_eq!(of(local, None, None), Trust::None, "{local}");
            assert_eq!(of(local, Some(true), None), Trust::System, "{local}");
        }
        for named in ["https://www.example.com/", "https://localhost.example.com/"] {
            assert_eq!(of(named, None, None), Trust::System, "{named}");
            assert_eq!(of(named, Some(false), None), Trust::None, "{named}");
            assert_eq!(of(named, None, Some("/ca.pem")), Trust::File("/ca.pem".into()), "{named}");
        }
        assert_eq!(of("https://127.0.0.1/", None, Some("/ca.pem")), Trust::File("/ca.pem".into()));
    }

    #[test]
    fn paths_are_put_after_the_servers_address() {
        assert_eq!(absolute("http://[::1]:8082", "/status"), "http://[::1]:8082/status");
        assert_eq!(absolute("http://[::1]:8082/", "status"), "http://[::1]:8082/status");
        assert_eq!(absolute("http://[::1]:8082", "https://a/b"), "https://a/b");
    }
}
