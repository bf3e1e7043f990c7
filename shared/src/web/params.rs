//! The parameters of a check, the same in each agent.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::time::Duration;

use crate::ere::Ere;
use crate::param::{Param, absolute_path, boolean, time};
use crate::sys::http;
use crate::values::{Faults, Values};

use super::status::Statuses;

/// Which status codes are good.
pub const EXPECT_STATUS: Param<Statuses> = Param::new(
    "expect_status",
    Statuses::parse,
    "Good HTTP status codes",
    "The HTTP status codes that the page may be answered with: numbers, classes and ranges, \
     separated by commas, such as 200,204 or 2xx or 200-299. Any other fails the check, whatever \
     the page says. Redirects are not followed; to accept one, name its code.",
)
.or("2xx")
.reloadable();

/// How late an answer may come.
pub const MAX_LATENCY: Param<Duration> = Param::new(
    "max_latency",
    latency,
    "When an answer counts as slow",
    "An answer that takes longer than this makes the resource degraded, which people see and the \
     cluster does not act upon. In milliseconds, or with a unit: 500, 500ms, 2s, 1min. If unset, \
     only the time-out of the operation counts.",
)
.reloadable();

/// The site to ask for.
pub const HOST_HEADER: Param<String> = Param::new(
    "host_header",
    host,
    "Name of the site to ask for",
    "The host name that is sent with the request, for servers with several sites, such as \
     www.example.com. If unset, that of the URL. The connection goes to the URL's host in any \
     case.",
)
.reloadable();

/// Whether the certificate counts.
pub const VERIFY: Param<bool> = Param::new(
    "verify",
    boolean,
    "Check the server's certificate",
    "Whether the certificate of an https server must be valid. If unset, it must be where the URL \
     has a host name, or where ca is set; not where the URL has an address or localhost, for which \
     no authority issues certificates.",
)
.boolean()
.reloadable();

/// Who vouches for the certificate.
pub const CA: Param<PathBuf> = Param::new(
    "ca",
    absolute_path,
    "File of certificates that vouch for the server's",
    "The absolute path of a file in PEM form with the certificates of the authorities that may \
     have issued the server's. If unset, those that the system trusts. A self-signed certificate \
     is accepted when it is itself in this file.",
)
.reloadable();

/// What these parameters say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Good status codes.
    pub expect_status: Statuses,
    /// The limit for a good answer, below that for any.
    pub max_latency: Option<Duration>,
    /// The site to ask for.
    pub host_header: Option<String>,
    /// Whether the certificate counts; `None` leaves it to the URL.
    pub verify: Option<bool>,
    /// Who vouches for it.
    pub ca: Option<PathBuf>,
}

impl Rules {
    /// Reads them, and adds a fault for a combination that cannot be.
    pub fn read(values: &Values, faults: &mut Faults) -> Option<Self> {
        let rules = Self {
            expect_status: values.get(&EXPECT_STATUS)?,
            max_latency: values.get(&MAX_LATENCY),
            host_header: values.get(&HOST_HEADER),
            verify: values.get(&VERIFY),
            ca: values.get(&CA),
        };
        if rules.ca.is_some() && rules.verify == Some(false) {
            faults.push("ca has no meaning with verify=false: unset one of them");
        }
        Some(rules)
    }
}

impl Default for Rules {
    fn default() -> Self {
        let no_values = Values::default();
        let expect_status =
            no_values.get(&EXPECT_STATUS).unwrap_or_else(|| unreachable!("the default is a value"));
        Self { expect_status, max_latency: None, host_header: None, verify: None, ca: None }
    }
}

/// Reads an extended regular expression, for parameters that are one.
///
/// # Errors
/// What is allowed instead.
pub fn expression(text: &str) -> Result<Ere, String> {
    Ere::new(text)
}

/// Reads a URL, for parameters that are a whole one.
///
/// # Errors
/// What is allowed instead.
pub fn url(text: &str) -> Result<String, String> {
    if http::is_plain(text) {
        return Ok(text.to_owned());
    }
    http::parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("an http or https URL ({error})"))
}

/// Reads a page, for parameters that are a whole URL or what follows the server's own address
/// ([`super::absolute`]).
///
/// # Errors
/// What is allowed instead.
pub fn page(text: &str) -> Result<String, String> {
    let page = text.trim();
    // Another scheme is a mistake, and no path.
    let is_foreign = !http::is_url(page)
        && page.split(['/', '?']).next().is_some_and(|start| start.ends_with(':'));
    let whole = super::absolute("http://localhost", page);
    let checked = if page.is_empty() || is_foreign {
        Err("an http or https URL".to_owned())
    } else {
        url(&whole)
    };
    checked
        .map(|_| page.to_owned())
        .map_err(|allowed| format!("{allowed}, or a path on the server"))
}

fn latency(text: &str) -> Result<Duration, String> {
    time(text, Duration::from_millis(1)).and_then(|limit| match limit {
        Duration::ZERO => Err("a time longer than 0".to_owned()),
        limit => Ok(limit),
    })
}

fn host(text: &str) -> Result<String, String> {
    let good = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    if good { Ok(text.to_owned()) } else { Err("a host name, with :PORT if need be".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_unless_they_say_otherwise() {
        for (text, expected) in
            [("500", 500), ("500ms", 500), ("2s", 2000), ("2 s", 2000), ("1min", 60_000)]
        {
            assert_eq!(latency(text), Ok(Duration::from_millis(expected)), "{text}");
        }
        for bad in ["", "0", "s", "-1", "1.5s", "1h", "5 5"] {
            assert!(latency(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_header_cannot_carry_another_one() {
        assert!(host("www.example.com:8080").is_ok() && host("[::1]:80").is_ok());
        assert!(host("a\r\nX: y").is_err() && host("a b").is_err());
    }

    #[test]
    fn urls_are_whole_ones() {
        assert!(url("http://[::1]:8082/x?y").is_ok());
        for bad in
            ["/status", "ftp://a/b", "http://", "http://[::1", "unix:/run/x", "localhost:80/x"]
        {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ng_f1_a_page_is_a_url_only_with_its_scheme() {
        for good in [
            "/status",
            "httpstatus",
            "https",
            "status?x=http://y",
            "http://h/x",
            "HTTPS://h",
            " /x ",
            "a:80/x",
        ] {
            assert_eq!(page(good).as_deref(), Ok(good.trim()), "{good}");
        }
        for bad in ["ftp://x/", "http://", "unix:/x", "  ", "http:/x"] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_authority_without_a_check_is_a_fault() {
        let mut faults = Faults::default();
        assert!(
            Rules::read(&Values::from_pairs(&[("ca", "/x"), ("verify", "no")]), &mut faults)
                .is_some()
        );
        assert!(!faults.is_empty());
        let mut faults = Faults::default();
        assert_eq!(Rules::read(&Values::default(), &mut faults), Some(Rules::default()));
        assert!(faults.is_empty());
        assert_eq!(
            Rules::read(&Values::from_pairs(&[("expect_status", "good")]), &mut faults),
            None
        );
    }
}
