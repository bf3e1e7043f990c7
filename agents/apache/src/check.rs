//! Does it serve? One request, judged.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use ocf::sys::http::{self, Get, Trust};
use ocf::web::{self, Test, testfile};

use crate::listen::{self, Listen};
use crate::record::Record;
use crate::settings::Checks;

/// A server that takes longer to say anything at all does not work.
const LONGEST: Duration = Duration::from_secs(10);

/// The URL of the server, without a path; `None` where it listens on other machines' addresses only
/// (`ip_nonlocal_bind`): what answers there is another server.
fn base(known: &Record, checks: &Checks, port: Option<u16>) -> Option<String> {
    let nothing_known = Listen { host: None, port: 80, tls: false };
    let port = checks.port.or(port);
    let is_wanted = |listen: &&Listen| port.is_none_or(|port| listen.port == port);
    let (here, elsewhere): (Vec<Listen>, Vec<Listen>) =
        known.listens.iter().filter(is_wanted).cloned().partition(Listen::is_here);
    if here.is_empty() && !elsewhere.is_empty() {
        return None;
    }
    let place = listen::choose(&here, port).unwrap_or(nothing_known);
    Some(place.url(checks.use_ipv6))
}

/// A page of the server; a whole URL says itself where it is.
fn on_server(known: &Record, checks: &Checks, port: Option<u16>, page: &str) -> Option<String> {
    if http::is_url(page) {
        return Some(page.to_owned());
    }
    Some(web::absolute(&base(known, checks, port)?, page))
}

/// The page that every monitor asks for; `None` where there is none on this machine.
pub fn page(known: &Record, checks: &Checks) -> Option<String> {
    if let Some(url) = &checks.statusurl {
        return on_server(known, checks, None, url);
    }
    // A page that all virtual hosts have is on the port of the request anyway.
    let pages = &known.status_pages;
    match pages.iter().find(|page| page.port.is_none()).or(pages.last()) {
        Some(page) => on_server(known, checks, page.port, &page.path),
        None => on_server(known, checks, None, "/"),
    }
}

/// The check of level 0. A server that has no page on this machine is judged by its master alone.
///
/// # Errors
/// What is wrong with the answer, or that there is none.
pub fn basic(known: &Record, checks: &Checks, deadline: Deadline) -> Result<Status, Failure> {
    let Some(url) = page(known, checks) else { return Ok(Status::Running) };
    if checks.is_strict {
        let test = Test { regex: checks.regex.clone(), ..Test::new(url, checks.rules.clone()) };
        return web::check(&test, deadline);
    }
    let limit = Deadline::after(LONGEST).min(deadline);
    match life(&url, checks, limit)? {
        Life { is_error: false, status } => Ok(status),
        Life { status, .. } => {
            // A status page of its own may be broken where the server is not.
            let index = on_server(known, checks, None, "/").filter(|index| *index != url);
            let other = index.and_then(|index| life(&index, checks, limit).ok());
            let other = other.filter(|it| !it.is_error);
            Ok(other.map_or(status, |other| other.status))
        }
    }
}

/// An answer, and what it says about the server.
struct Life {
    /// Whether it is an error of the server's side: 500 and above.
    is_error: bool,
    status: Status,
}

/// Any answer proves that the server lives. With an error of the server's side people should look
/// at it: an application behind it may be down, which a restart of the server does not cure.
fn life(url: &str, checks: &Checks, deadline: Deadline) -> Result<Life, Failure> {
    let trust = match (&checks.rules.ca, checks.rules.verify) {
        (Some(file), _) => Trust::File(file.clone()),
        (None, Some(true)) => Trust::System,
        _ => Trust::None,
    };
    let get = Get {
        host_header: checks.rules.host_header.as_deref(),
        trust: &trust,
        body_limit: 0,
        ..Get::new(url, deadline)
    };
    let shown = || http::shown(url);
    match http::get(&get) {
        Ok(answer) if answer.status >= 500 => {
            let text =
                format!("{}: {}: look at the server's error log", shown(), answer.status_text());
            Ok(Life { is_error: true, status: Status::Degraded(text) })
        }
        Ok(answer) => {
            let status = match checks.rules.max_latency.filter(|limit| answer.elapsed > *limit) {
                Some(limit) => Status::Degraded(format!(
                    "{}: answered after {} ms, later than max_latency={} ms",
                    shown(),
                    answer.elapsed.as_millis(),
                    limit.as_millis()
                )),
                None => Status::Running,
            };
            Ok(Life { is_error: false, status })
        }
        Err(error) => Err(Failure::generic(format!("{}: {error}", shown()))),
    }
}

/// The check of level 10: the test that the parameters or the file describe, else that of level 0.
///
/// # Errors
/// As [`basic`], and what is wrong with the file.
pub fn deep(
    context: &Context<'_>,
    known: &Record,
    checks: &Checks,
    deadline: Deadline,
) -> Result<Status, Failure> {
    match test(context, known, checks)? {
        Some(test) => web::check(&test, deadline),
        None => basic(known, checks, deadline),
    }
}

/// The test of level 10, if there is one on this machine.
///
/// # Errors
/// What is wrong with the file of tests.
pub fn test(
    context: &Context<'_>,
    known: &Record,
    checks: &Checks,
) -> Result<Option<Test>, Failure> {
    let Some(path) = &checks.testconffile else {
        let url = match (&checks.testurl, &checks.regex10) {
            (Some(url), _) => on_server(known, checks, None, url),
            (None, Some(_)) => page(known, checks),
            (None, None) => None,
        };
        return Ok(url.map(|url| Test {
            regex: checks.regex10.clone(),
            ..Test::new(url, checks.rules.clone())
        }));
    };
    let found = testfile::load(path, checks.testname.as_deref())
        .map_err(|failure| failure.wrap("testconffile"))?;
    if !found.ignored.is_empty() {
        context.log.debug(format_args!("without effect: {}", found.ignored.join("; ")));
    }
    let base = match base(known, checks, None) {
        Some(base) => base,
        None if http::is_url(&found.url) => String::new(),
        None => return Ok(None),
    };
    Ok(Some(found.into_test(&base, checks.rules.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StatusPage;
    use ocf::web::Rules;

    fn known(pages: &[(&str, Option<u16>)]) -> Record {
        let listen = |port| Listen { host: Some("127.0.0.1".into()), port, tls: false };
        Record {
            key: String::new(),
            config: "/c".into(),
            programs: Vec::new(),
            pid_file: "/p".into(),
            listens: vec![listen(80), listen(8099)],
            status_pages: pages
                .iter()
                .map(|(path, port)| StatusPage { path: (*path).into(), port: *port })
                .collect(),
            serial: None,
        }
    }

    fn checks(statusurl: Option<&str>, port: Option<u16>) -> Checks {
        Checks {
            port,
            use_ipv6: false,
            statusurl: statusurl.map(str::to_owned),
            regex: None,
            is_strict: false,
            testurl: None,
            regex10: None,
            testconffile: None,
            testname: None,
            rules: Rules::default(),
        }
    }

    #[test]
    fn the_page_is_the_given_one_or_that_of_mod_status_or_the_first() {
        let everywhere = known(&[("/inner", Some(8099)), ("/s", None)]);
        let cases = [
            (known(&[]), checks(None, None), "http://127.0.0.1:80/"),
            (known(&[]), checks(None, Some(8099)), "http://127.0.0.1:8099/"),
            (known(&[("/s", Some(8099))]), checks(None, None), "http://127.0.0.1:8099/s"),
            (everywhere.clone(), checks(None, None), "http://127.0.0.1:80/s"),
            (everywhere.clone(), checks(Some("/mine"), None), "http://127.0.0.1:80/mine"),
            (everywhere, checks(Some("https://a/b"), None), "https://a/b"),
        ];
        for (known, checks, expected) in cases {
            assert_eq!(page(&known, &checks).as_deref(), Some(expected));
        }
        assert_eq!(
            page(&Record { listens: vec![], ..known(&[]) }, &checks(None, None)).as_deref(),
            Some("http://localhost:80/")
        );
    }

    #[test]
    fn a_server_on_another_machine_is_not_asked() {
        let at = |hosts: &[&str]| Record {
            listens: hosts
                .iter()
                .map(|host| Listen { host: Some((*host).into()), port: 80, tls: false })
                .collect(),
            ..known(&[])
        };
        let elsewhere = at(&["192.0.2.1"]);
        assert_eq!(page(&elsewhere, &checks(None, None)), None);
        let soon = Deadline::after(Duration::from_secs(5));
        let strict = Checks { is_strict: true, ..checks(Some("/s"), None) };
        assert_eq!(basic(&elsewhere, &strict, soon), Ok(Status::Running));
        let whole = page(&elsewhere, &checks(Some("http://a/b"), None));
        assert_eq!(whole.as_deref(), Some("http://a/b"));
        let both = page(&at(&["192.0.2.1", "127.0.0.1"]), &checks(None, None));
        assert_eq!(both.as_deref(), Some("http://127.0.0.1:80/"));
    }
}
