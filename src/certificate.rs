//! The certificate of a server that is not believed: whose it is, and who says so
//!
//! "Unknown issuer" helps nobody whose company reads along. This asks once more, without sending anything, and reads the
//! two names.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::secret::Secret;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use zeroize::Zeroizing;

use crate::proxy::{self, Way};
use crate::shown::printable;
use crate::trust::cryptography;

/// It is only for a message.
const PATIENCE: Duration = Duration::from_secs(5);

/// Subject and issuer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) subject: String,
    pub(crate) issuer: String,
}

/// The names that this server's certificate has now.
pub(crate) fn presented(url: &str) -> Option<Parties> {
    let url = url::Url::parse(url).ok()?;
    let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
    let mut stream = match proxy::of(url.as_str()).ok()? {
        None => connect(host.trim_matches(['[', ']']), port)?,
        Some(Way { proxy, .. }) => {
            let mut stream = connect(proxy.host(), proxy.port())?;
            let who = proxy.username().map(|name| {
                let pair = Secret::new(format!("{name}:{}", proxy.password().unwrap_or_default()));
                format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair.expose()))
            });
            let who = Zeroizing::new(who.unwrap_or_default());
            write!(stream, "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{}\r\n", *who).ok()?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
                let mut byte = [0];
                stream.read_exact(&mut byte).ok()?;
                head.push(byte[0]);
            }
            stream
        }
    };
    let seen = Arc::new(Seen::default());
    let config = ClientConfig::builder_with_provider(cryptography()).with_safe_default_protocol_versions().ok()?;
    let config = config.dangerous().with_custom_certificate_verifier(seen.clone()).with_no_client_auth();
    let name = ServerName::try_from(host).ok()?;
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    let _ = connection.complete_io(&mut stream); // ends with our refusal
    let der = seen.0.lock().ok()?.take()?;
    names(&der)
}

fn connect(host: &str, port: u16) -> Option<TcpStream> {
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

/// Keeps the certificate and believes nobody: no connection comes of it.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<Vec<u8>>>);

fn nobody<T>() -> Result<T, Error> {
    Err(CertificateError::UnknownIssuer.into())
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Ok(mut seen) = self.0.lock() {
            *seen = Some(end_entity.to_vec());
        }
        nobody()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        nobody()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        nobody()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        cryptography().signature_verification_algorithms.supported_schemes()
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The names in a certificate (X.509, DER).
fn names(der: &[u8]) -> Option<Parties> {
    let (_, certificate, _) = element(der)?;
    let (_, mut signed, _) = element(certificate)?;
    if signed.first() == Some(&VERSION) {
        signed = element(signed)?.2;
    }
    let (_, _, rest) = element(signed)?; // the serial number
    let (_, _, rest) = element(rest)?; // how it is signed
    let (_, issuer, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?; // how long it is good
    let (_, subject, _) = element(rest)?;
    Some(Parties { subject: words(subject)?, issuer: words(issuer)? })
}

/// `CN=login.example.com, O=Example`.
fn words(mut name: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let (tag, pair, _) = element(set)?;
        let (_, kind, value) = element(pair).filter(|_| tag == SEQUENCE)?;
        let kind = match kind {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            _ => continue, // countries and the like
        };
        words.push(format!("{kind}={}", printable(&String::from_utf8_lossy(element(value)?.1))));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::{Parties, names};

    #[test]
    fn both_names() {
        let mut parameters = rcgen::CertificateParams::new(vec!["login.example.com".into()]).expect("a name");
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "login.example.com");
        parameters.distinguished_name.push(rcgen::DnType::OrganizationName, "Exa\u{1b}mple");
        parameters.distinguished_name.push(rcgen::DnType::CountryName, "CH");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        let der = certificate.der();
        let same = "CN=login.example.com, O=Exa?mple".to_owned();
        assert_eq!(names(der), Some(Parties { subject: same.clone(), issuer: same }));
        for end in 0..der.len().min(400) {
            let _ = names(&der[..end]); // whatever arrives, no panic
        }
        assert_eq!(names(b""), None);
        assert_eq!(names(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
