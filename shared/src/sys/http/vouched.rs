//! Certificates that a file vouches for: those that its authorities issued, and those that are in
//! the file themselves.
//!
//! `openssl req -x509` makes by default a certificate that is its own authority, and many servers
//! use one. The library refuses any authority as a server, even one that it is configured to trust;
//! other clients accept it, and so it is here when exactly this certificate is in the file. Time
//! and name must be right in any case.
#![forbid(unsafe_code)]

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::error::is_authority_as_server;
use crate::sys::file::{self, Trust};

/// The certificates of all authorities that there are have half a megabyte.
const LARGEST: u64 = 8 << 20;

/// The settings for a connection to a server that the certificates in a file vouch for.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn config(path: &Path) -> Result<ClientConfig, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let pem = file::read(path, LARGEST, Trust::NotEverybody)
        .map_err(|error| wrong(crate::failure::plain(&error)))?;
    let own: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let own = own.map_err(|error| wrong(format!("no certificates in PEM form: {error:?}")))?;
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(own.iter().cloned());
    if good == 0 {
        return Err(wrong("no certificate in PEM form".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let usual =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = Vouched { own, usual: usual.map_err(|error| wrong(error.to_string()))? };
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| wrong(error.to_string()))?.dangerous();
    let mut config =
        config.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct Vouched {
    own: Vec<CertificateDer<'static>>,
    usual: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Vouched {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.usual.verify_server_cert(server, between, name, ocsp, now) {
            // The library comes to this only after it has found the time right, and before it looks
            // at the name.
            Err(Error::InvalidCertificate(why))
                if is_authority_as_server(&why) && self.own.contains(server) =>
            {
                verify_server_name(&ParsedCertificate::try_from(server)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}
