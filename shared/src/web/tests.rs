use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

fn judge(test: &Test, answer: &Answer) -> Result<Status, String> {
    super::judge(test, answer, Deadline::after(Duration::from_secs(20)))
}

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
    let mut wanted = test(None);
    wanted.rules.expect_status = Statuses::parse("301").unwrap();
    assert_eq!(judge(&wanted, &redirect), Ok(Status::Running));
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
    for local in
        ["https://127.0.0.1:8443/", "https://LOCALHOST/", "https://[::1]/", "https://192.0.2.7/x"]
    {
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
    assert_eq!(absolute("http://[::1]:8082", "HTTPS://a/b"), "HTTPS://a/b");
    assert_eq!(absolute("http://[::1]:8082", "httpd-status"), "http://[::1]:8082/httpd-status");
}

/// What a check of a server that says this leads to, and the request that the server received.
fn checked(says: &'static str, change: impl FnOnce(&mut Test)) -> (Result<Status, String>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let count = stream.read(&mut request).unwrap();
        stream.write_all(says.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..count]).into_owned()
    });
    let mut test = Test::new(format!("http://{address}/page"), Rules::default());
    change(&mut test);
    let seen = check(&test, Deadline::after(Duration::from_secs(20)));
    let seen = seen.map_err(|failure| {
        assert_eq!(failure.kind, crate::failure::Kind::Generic);
        failure.to_string().replace(&address.to_string(), "SERVER")
    });
    (seen, server.join().unwrap())
}

#[test]
fn a_check_asks_and_judges() {
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nAlive\n";
    assert_eq!(checked(page, |_| {}).0, Ok(Status::Running));
    let (seen, request) = checked(page, |test| {
        test.regex = Some(Ere::new("^alive$").unwrap());
        test.login = Some(("joe".into(), "secret".into()));
        test.rules.host_header = Some("www.example.com".into());
    });
    assert_eq!(seen, Ok(Status::Running));
    assert!(request.starts_with("GET /page ") && request.contains("www.example.com"), "{request}");
    assert!(request.to_ascii_lowercase().contains("authorization: basic"), "{request}");
    let (seen, _) = checked("HTTP/1.1 500 No\r\nContent-Length: 7\r\n\r\n</html>", |test| {
        test.regex = Some(Ere::new("</html>").unwrap());
    });
    let why = "500 Internal Server Error, expected 2xx: look at the server's error log, give \
               another URL, or expect_status=500";
    assert_eq!(seen, Err(format!("http://SERVER/page: {why}")));
    let (seen, _) = checked(
        "HTTP/1.1 301 Moved\r\nLocation: https://www.example.com/\r\nContent-Length: 0\r\n\r\n",
        |_| {},
    );
    let why = "301 to https://www.example.com/: give that URL, or expect_status=301";
    assert_eq!(seen, Err(format!("http://SERVER/page: {why}")));
}

#[test]
fn ap_15_any_answer_of_the_server_itself_is_a_sign_of_life() {
    for (says, alive) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", false),
    ] {
        let (seen, _) = checked(says, |test| test.rules.expect_status = Statuses::alive());
        assert_eq!(seen.is_ok(), alive, "{says}");
    }
}

#[test]
fn a_reason_shows_no_password() {
    let (seen, _) = checked("HTTP/1.1 404 No\r\n\r\n", |test| {
        test.url = test.url.replace("//", "//joe:secret@")
    });
    assert!(
        seen.unwrap_err().starts_with("http://joe:hidden@SERVER/page: 404 Not Found, expected 2xx")
    );
}

#[test]
fn wt_5_a_search_that_takes_too_long_is_a_failure() {
    let page: String = "a".repeat(1 << 20);
    let test = test(Some("(a|b|ab){1000}[yz]"));
    let why = super::judge(&test, &answer(200, &page), Deadline::after(Duration::from_millis(50)))
        .unwrap_err();
    assert!(why.ends_with("takes too long: give a simpler expression"), "{why}");
}
