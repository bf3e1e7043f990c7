//! Encrypted connections, with certificates made for the test.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// Serves one page over TLS.
fn serve_tls(certificate: CertificateDer<'static>, key: &KeyPair) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config =
        Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream =
                StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            // One that does not like us closes in the middle.
            if head(&mut stream).is_empty() {
                continue;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    format!("127.0.0.1:{port}")
}

fn names(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn ask(peer: &str, trust: Trust) -> Result<Answer, HttpError> {
    get(&Get { trust: &trust, ..Get::new(&format!("https://{peer}/"), soon()) })
}

fn refusal(peer: &str, trust: Trust) -> String {
    let failed = ask(peer, trust).unwrap_err();
    assert_eq!(failed.kind, HttpErrorKind::Tls, "{failed}");
    let text = failed.to_string();
    assert!(!text.contains('\n'));
    text.replace(peer, "PEER")
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> Trust {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    Trust::File(path)
}

/// The system's certificates vouch for none of these servers, if there are any at all.
fn assert_the_system_refuses(peer: &str, end: &str) {
    let text = refusal(peer, Trust::System);
    assert!(
        text.ends_with(end)
            || text.starts_with("no certificate authority is trusted on this machine"),
        "{text}"
    );
}

const UNKNOWN: &str = "the certificate of PEER is not accepted: its issuer is unknown (is it \
    self-signed, or is a CA file needed?)";

#[test]
fn a_self_signed_certificate_is_good_where_nobody_looks_or_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = names(&["127.0.0.1"]).self_signed(&key).unwrap();
    let peer = serve_tls(certificate.der().clone(), &key);
    assert_eq!(ask(&peer, Trust::None).unwrap().body, b"ok");
    assert_the_system_refuses(&peer, UNKNOWN);
    assert_eq!(ask(&peer, file(&folder, "own.pem", &certificate.pem())).unwrap().body, b"ok");
    let other = names(&["127.0.0.1"]).self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(
        refusal(&peer, file(&folder, "other.pem", &other.pem()))
            .starts_with("the certificate of PEER is not accepted: ")
    );
}

#[test]
fn an_authority_vouches_for_the_right_name_and_time_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut authority = names(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let trust = file(&folder, "ca.pem", &pem);

    let key = KeyPair::generate().unwrap();
    let good =
        serve_tls(names(&["127.0.0.1"]).signed_by(&key, &issuer).unwrap().der().clone(), &key);
    assert_eq!(ask(&good, trust.clone()).unwrap().body, b"ok");
    assert_the_system_refuses(&good, UNKNOWN);

    let elsewhere = serve_tls(
        names(&["www.example.com"]).signed_by(&key, &issuer).unwrap().der().clone(),
        &key,
    );
    let text = refusal(&elsewhere, trust.clone());
    assert!(
        text.starts_with("the certificate of PEER is not accepted: it is for another name"),
        "{text}"
    );

    let mut old = names(&["127.0.0.1"]);
    old.not_after = rcgen::date_time_ymd(2001, 1, 1);
    old.not_before = rcgen::date_time_ymd(2000, 1, 1);
    let old = serve_tls(old.signed_by(&key, &issuer).unwrap().der().clone(), &key);
    assert_eq!(refusal(&old, trust), "the certificate of PEER is not accepted: it has expired");
}

#[test]
fn a_certificate_that_is_its_own_authority_is_good_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let authority = |name: &str, year| {
        let mut params = names(&[name]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.self_signed(&key).unwrap()
    };
    let serve = |certificate: &rcgen::Certificate| serve_tls(certificate.der().clone(), &key);
    let good = authority("127.0.0.1", 4000);
    let trust = file(&folder, "good.pem", &good.pem());
    let peer = serve(&good);
    assert_eq!(ask(&peer, Trust::None).unwrap().body, b"ok");
    assert_eq!(ask(&peer, trust.clone()).unwrap().body, b"ok");
    assert_the_system_refuses(
        &peer,
        "it is marked as that of a CA, and is not in the CA file itself",
    );

    // The same key and subject in another certificate, another name, and another time.
    let twin = serve(&authority("127.0.0.1", 4001));
    assert!(refusal(&twin, trust).contains("marked as that of a CA"));
    let elsewhere = authority("www.example.com", 4000);
    let text = refusal(&serve(&elsewhere), file(&folder, "elsewhere.pem", &elsewhere.pem()));
    assert!(text.contains("it is for another name"), "{text}");
    let old = authority("127.0.0.1", 2001);
    assert!(
        refusal(&serve(&old), file(&folder, "old.pem", &old.pem())).ends_with("it has expired")
    );
}

#[test]
fn what_is_no_tls_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Until the client goes, so that the connection is not reset before it has read this.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert_eq!(
        refusal(&peer, Trust::None),
        "no TLS connection to PEER: what came is not TLS (is it a plain http port?)"
    );
}

#[test]
fn a_file_without_certificates_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    for trust in [file(&folder, "empty.pem", ""), Trust::File(folder.path().join("missing.pem"))] {
        let failed = ask("127.0.0.1:9", trust).unwrap_err();
        assert_eq!(failed.kind, HttpErrorKind::Request);
        assert!(failed.to_string().contains(".pem"), "{failed}");
    }
}
