//! Against servers that misbehave, each in a thread on a port of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc;

use super::*;

mod tls;

/// Serves connections one after the other for as long as the test runs, and gives the address. A
/// server that does not want to end keeps its thread, which no test waits for.
fn serve(each: impl Fn(TcpStream, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let request = head(&mut &stream);
            each(stream, request);
        }
    });
    format!("127.0.0.1:{}", address.port())
}

/// A server that always says this and closes.
fn says(answer: impl Into<Vec<u8>>) -> String {
    let answer = answer.into();
    serve(move |mut stream, _| drop(stream.write_all(&answer)))
}

/// Reads a request up to its empty line.
fn head(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        request.push(byte[0]);
    }
    String::from_utf8(request).unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn ask(peer: &str) -> Result<Answer, HttpError> {
    get(&Get::new(&format!("http://{peer}/"), soon()))
}

/// Asks with little time, and makes sure that no more is taken.
fn ask_briefly(peer: &str) -> HttpError {
    let began = Instant::now();
    let failed =
        get(&Get::new(&format!("http://{peer}/"), Deadline::after(Duration::from_millis(400))))
            .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    failed
}

fn kind_and_text(failed: HttpError) -> (HttpErrorKind, String) {
    (failed.kind, failed.to_string())
}

#[test]
fn fuzz_any_url_is_judged() {
    let texts = [
        "http://user:pass@[fe80::1%25eth0]:8080/a?b#c",
        "https://localhost/",
        "http://127.0.0.1:99999/x",
    ];
    crate::testing::fuzz::survives_text(&texts, |url| {
        let _ = (is_tls(url), is_local(url), shown(url));
        // What is plain is a URL, or the agent would ask what it has said yes to.
        assert!(!is_plain(url) || parse(url).is_ok(), "{url}");
    });
}

#[test]
fn an_answer_is_taken_as_it_comes() {
    let peer = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let answer = ask(&peer).unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.truncated),
        (200, &b"hello"[..], false)
    );
    assert!(answer.elapsed < Duration::from_secs(5));

    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    assert_eq!(ask(&says(chunked)).unwrap().body, b"hello");
    assert_eq!(ask(&says("HTTP/1.0 200 OK\r\n\r\nuntil the end")).unwrap().body, b"until the end");
    let nothing = ask(&says("HTTP/1.1 204 No Content\r\n\r\n")).unwrap();
    assert_eq!((nothing.status_text().as_str(), nothing.body.len()), ("204 No Content", 0));
    let sorry = ask(&says("HTTP/1.1 500 Oh\r\nContent-Length: 7\r\n\r\n</html>")).unwrap();
    assert_eq!(
        (sorry.status_text().as_str(), sorry.body.as_slice()),
        ("500 Internal Server Error", &b"</html>"[..])
    );
    assert_eq!(
        ask(&says("HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n")).unwrap().status_text(),
        "599"
    );
}

#[test]
fn a_connection_that_stays_open_is_not_waited_for() {
    let peer = serve(|mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        // Ends when the client goes.
        let _ = stream.read(&mut [0]);
    });
    assert_eq!(ask(&peer).unwrap().body, b"ok");
}

#[test]
fn ap_10_a_server_that_never_answers_is_left_in_time() {
    let (kind, text) = kind_and_text(ask_briefly(&serve(|stream, _| std::mem::forget(stream))));
    assert_eq!(kind, HttpErrorKind::Timeout);
    assert!(
        text.starts_with("no answer from 127.0.0.1:") && text.ends_with(" within 0.4 s"),
        "{text}"
    );
    // One that does not even accept, like a frozen one: the kernel does it.
    let frozen = TcpListener::bind("127.0.0.1:0").unwrap();
    let failed = ask_briefly(&frozen.local_addr().unwrap().to_string());
    assert_eq!(failed.kind, HttpErrorKind::Timeout);
}

#[test]
fn an_answer_that_comes_byte_by_byte_does_not_stretch_the_deadline() {
    let drip = |stream: &mut TcpStream, bytes: &[u8]| {
        bytes.iter().all(|byte| {
            Deadline::after(Duration::from_secs(9)).sleep(Duration::from_millis(40));
            stream.write_all(&[*byte]).is_ok()
        })
    };
    let body = serve(move |mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").unwrap();
        drip(&mut stream, &[b'x'; 5000]);
    });
    let (kind, text) = kind_and_text(ask_briefly(&body));
    assert_eq!(kind, HttpErrorKind::Timeout);
    assert!(
        text.contains("did not end within 0.4 s (") && text.ends_with(" bytes came)"),
        "{text}"
    );
    let head = serve(move |mut stream, _| {
        drip(&mut stream, &[b'H'; 5000]);
    });
    assert!(matches!(ask_briefly(&head).kind, HttpErrorKind::Timeout | HttpErrorKind::Answer));
}

#[test]
fn of_an_endless_body_no_more_is_read_than_is_kept() {
    let (sent, written) = mpsc::channel();
    let peer = serve(move |mut stream, _| {
        let mut count = 0_usize;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {
            count += 4096;
        }
        let _ = sent.send(count);
    });
    let url = format!("http://{peer}/");
    let answer = get(&Get { body_limit: 10_000, ..Get::new(&url, soon()) }).unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (10_000, true));
    assert!(
        written.recv_timeout(Duration::from_secs(20)).unwrap() < 50_000_000,
        "the client goes when it has enough"
    );
    let answer = get(&Get { body_limit: 0, ..Get::new(&url, soon()) }).unwrap();
    assert_eq!((answer.body.len(), answer.truncated, answer.status), (0, true, 200));
    assert_eq!(get(&Get::new(&url, soon())).unwrap().body.len(), BODY_LIMIT);
}

#[test]
fn a_body_as_long_as_the_limit_is_whole() {
    let peer = says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let answer =
        get(&Get { body_limit: 5, ..Get::new(&format!("http://{peer}/"), soon()) }).unwrap();
    assert_eq!((answer.body.as_slice(), answer.truncated), (&b"hello"[..], false));
}

#[test]
fn what_is_no_http_is_reported() {
    for broken in [
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        b"\0\xff\xfe garbage".to_vec(),
        b"HTTP/1.1 abc\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort".to_vec(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(3_000_000)).into_bytes(),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(100_000)).into_bytes(),
    ] {
        let shown = String::from_utf8_lossy(&broken[..broken.len().min(40)]).into_owned();
        let (kind, text) = kind_and_text(ask(&says(broken)).unwrap_err());
        assert_eq!(kind, HttpErrorKind::Answer, "{shown}: {text}");
        assert!(text.contains("127.0.0.1:") && !text.contains('\n'), "{shown}: {text}");
    }
}

#[test]
fn a_server_that_is_gone_is_reported() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(
        kind_and_text(ask(&unused).unwrap_err()),
        (HttpErrorKind::Connect, format!("connection refused by {unused}"))
    );
    let (kind, text) = kind_and_text(ask(&says("")).unwrap_err());
    assert_eq!(kind, HttpErrorKind::Answer, "closes at once: {text}");
    // Closing while something is unread resets the connection.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
    });
    let (kind, text) = kind_and_text(ask(&peer).unwrap_err());
    assert_eq!(
        (kind, text),
        (HttpErrorKind::Answer, format!("{peer} broke off the connection without an answer"))
    );
}

#[test]
fn redirects_are_reported_and_not_followed() {
    let (sent, requests) = mpsc::channel();
    let peer = serve(move |mut stream, request| {
        sent.send(request).unwrap();
        let _ = stream
            .write_all(b"HTTP/1.1 302 Found\r\nLocation: /again?a=b\r\nContent-Length: 0\r\n\r\n");
    });
    let answer = ask(&peer).unwrap();
    assert_eq!((answer.status, answer.location), (302, Some(format!("http://{peer}/again?a=b"))));
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn the_request_has_what_was_given() {
    let (sent, requests) = mpsc::channel();
    let peer = serve(move |mut stream, request| {
        sent.send(request).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    ask(&peer).unwrap();
    let plain = requests.recv().unwrap().to_ascii_lowercase();
    assert!(
        plain.starts_with("get / http/1.1\r\n") && plain.contains(&format!("\r\nhost: {peer}\r\n")),
        "{plain}"
    );
    assert!(
        plain.contains(&format!("\r\nuser-agent: ocf-agents/{}\r\n", env!("CARGO_PKG_VERSION"))),
        "{plain}"
    );
    let url = format!("http://{}/a?b", peer.replace("127.0.0.1", "localhost"));
    let full = Get {
        host_header: Some("www.example.com"),
        user: Some(("joe", "a:b")),
        ..Get::new(&url, soon())
    };
    get(&full).unwrap();
    let full = requests.recv().unwrap().to_ascii_lowercase();
    assert!(
        full.starts_with("get /a?b http/1.1\r\n") && full.contains("\r\nhost: www.example.com\r\n"),
        "{full}"
    );
    assert_eq!(full.matches("\r\nhost:").count(), 1);
    assert!(
        full.contains("\r\nauthorization: basic am9lomE6yg==\r\n".to_ascii_lowercase().as_str()),
        "{full}"
    );
}

#[test]
fn ng_05_unix_sockets_and_ipv6_addresses_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    let request = Get { unix_socket: Some(&path), ..Get::new("http://localhost/status", soon()) };
    assert_eq!(get(&request).unwrap().body, b"ok");
    let missing = folder.path().join("missing");
    let (kind, text) =
        kind_and_text(get(&Get { unix_socket: Some(&missing), ..request }).unwrap_err());
    assert_eq!(
        (kind, text),
        (
            HttpErrorKind::Connect,
            format!("no connection to {}: No such file or directory", missing.display())
        )
    );

    // Machines without IPv6 are rare, and have nothing to test here.
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    assert_eq!(ask(&format!("[::1]:{port}")).unwrap().body, b"ok");
}

#[test]
fn a_name_that_nobody_has_is_reported() {
    let (kind, text) = kind_and_text(
        get(&Get::new("http://no-such-host.invalid/", Deadline::after(Duration::from_secs(5))))
            .unwrap_err(),
    );
    // A name server that does not answer is possible where tests run.
    assert!(matches!(kind, HttpErrorKind::Connect | HttpErrorKind::Name), "{text}");
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

#[test]
fn urls_that_cannot_be_asked_are_reported() {
    for bad in
        ["", "/status", "ftp://127.0.0.1/", "http://", "http://a b/", "http://127.0.0.1:99999/"]
    {
        assert_eq!(get(&Get::new(bad, soon())).unwrap_err().kind, HttpErrorKind::Request, "{bad}");
    }
    let header = Get { host_header: Some("a\r\nX: y"), ..Get::new("http://127.0.0.1:9/", soon()) };
    assert_eq!(get(&header).unwrap_err().kind, HttpErrorKind::Request);
}

#[test]
fn urls_that_look_plain_can_be_asked() {
    let plain = [
        "http://127.0.0.1",
        "http://localhost:8080/",
        "https://192.0.2.1:443/a?b=c&d=%20#e",
        "http://127.0.0.1/\\",
    ];
    for url in plain {
        assert!(is_plain(url) && parse(url).is_ok(), "{url}");
    }
    let others = [
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:+1/",
        "http://127.1/",
        "http://[::1]/",
        "http://user@127.0.0.1/",
        "http://localhost?q",
        "http://127.0.0.1/ ",
        "ftp://localhost/",
        "http://example.com/",
        "http:///",
        "http://",
    ];
    for url in others {
        assert!(!is_plain(url), "{url}");
    }
}

#[test]
fn passwords_are_not_shown() {
    assert_eq!(shown("http://joe:secret@a/b"), "http://joe:hidden@a/b");
    assert_eq!(shown("http://a/b"), "http://a/b");
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let failed = ask(&format!("joe:secret@{unused}")).unwrap_err();
    assert_eq!(failed.to_string(), format!("connection refused by {unused}"));
}

#[test]
fn local_urls_are_known() {
    for local in [
        "http://localhost:80/",
        "https://LocalHost./x",
        "http://a.localhost/",
        "http://127.1/",
        "http://[::1]:8/",
        "http://192.0.2.1/",
    ] {
        assert!(is_local(local), "{local}");
    }
    for remote in [
        "http://example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "nonsense",
    ] {
        assert!(!is_local(remote), "{remote}");
    }
}

/// Where the helper below finds its server.
const SERVER: &str = "OCF_TEST_HTTP_SERVER";

#[test]
fn ap_12_proxies_of_the_environment_mean_nothing() {
    let peer = says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--ignored",
        "--exact",
        "sys::http::tests::helper_that_asks_the_server_of_the_environment",
    ]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        child.env(name, "http://127.0.0.1:9");
    }
    child.env(SERVER, peer).env_remove("no_proxy").env_remove("NO_PROXY");
    let output = crate::sys::command::run(child, None, soon()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.code == Some(0) && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by the test above, in an environment of its own"]
#[expect(clippy::disallowed_methods, reason = "the environment is what it is about")]
fn helper_that_asks_the_server_of_the_environment() {
    assert_eq!(ask(&std::env::var(SERVER).unwrap()).unwrap().body, b"ok");
}

#[test]
fn an_interface_in_a_url_is_for_us_alone() {
    for (url, plain, zone) in [
        ("http://[fe80::1%eth0]:80/a%20b", "http://[fe80::1]:80/a%20b", Some("eth0")),
        ("https://[fe80::1%25eth0.2]", "https://[fe80::1]", Some("eth0.2")),
        ("http://[::1]/%5b%", "http://[::1]/%5b%", None),
        ("http://host/[a%b]", "http://host/[a%b]", None),
        ("http://[fe80::1%eth0", "http://[fe80::1%eth0", None),
    ] {
        assert_eq!(without_zone(url), (plain.into(), zone), "{url}");
    }
    assert!(is_local("https://[fe80::1%eth0]/"));
}
