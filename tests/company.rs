//! Companies: certificates that only they know, and servers that ask for ours.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::idp::Idp;
use crate::world::World;

/// The company's own authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "Corp Root");
        parameters.distinguished_name.push(DnType::OrganizationName, "Corp");
        Authority(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        self.issue_for(name, 1975..4096)
    }

    /// Good from the beginning of the one year to that of the other.
    fn issue_for(&self, name: &str, years: Range<i32>) -> (String, String) {
        let (parameters, key) = (parameters(name, years), KeyPair::generate().unwrap());
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
    }

    pub fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }
}

fn parameters(name: &str, years: Range<i32>) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = rcgen::date_time_ymd(years.start, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(years.end, 1, 1);
    parameters
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

/// The authorization server behind TLS; one request for each connection.
pub fn front(authority: &Authority, name: &str, asks_for_ours: bool, idp: &Idp) -> SocketAddr {
    front_with(authority.issue(name), asks_for_ours.then_some(authority), idp)
}

/// With this certificate and key; and it asks for ours, of this authority.
fn front_with((certificate, key): (String, String), asks_for_ours: Option<&Authority>, idp: &Idp) -> SocketAddr {
    use rustls::pki_types::pem::PemObject;
    let chain = vec![rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if let Some(authority) = asks_for_ours {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let back = idp.issuer.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, back) = (config.clone(), back.clone());
            thread::spawn(move || {
                let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                let _ = one_request(&mut tls, &back);
                tls.conn.send_close_notify();
                let _ = tls.flush();
            });
        }
    });
    address
}

fn one_request(tls: &mut (impl Read + Write), back: &str) -> std::io::Result<()> {
    let mut from = BufReader::new(tls);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let mut server = TcpStream::connect(back)?;
    write!(server, "{head}Connection: close\r\n\r\n")?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    from.into_inner().write_all(&answer)
}

/// An account `ci` whose server is called so; no person is needed.
pub fn world(idp: &Idp, server: &str, lines: &str) -> World {
    let mut world = World::new(idp);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE"] {
        world.unset(name);
    }
    world.add(&format!(
        "[account.ci]\ntoken_endpoint = \"https://{server}/token\"\nclient_id = \"robot\"\nclient_secret_file = \"secret\"\n\
         flow = \"client_credentials\"\nserves = [\"https://ci.example.com\"]\n{lines}\n"
    ));
    beside(&world, "secret", "s3cret");
    world
}

pub fn beside(world: &World, name: &str, text: &str) {
    fs::write(world.config_file().with_file_name(name), text).unwrap();
}

#[test]
fn a_certificate_of_the_companys_own_authority() {
    let (idp, authority) = (Idp::start(), Authority::new());
    let server = format!("localhost:{}", front(&authority, "localhost", false, &idp).port());
    let mut world = world(&idp, &server, "");
    let words = ["localhost", "CN=Corp Root, O=Corp", "for `CN=localhost`", "ca_file", "SSL_CERT_FILE"];
    world.run(&["get", "ci"]).refused(&[6], &words);
    assert_eq!(idp.count("client_credentials"), 0);
    beside(&world, "corp.pem", &authority.pem());
    let (text, file) = (world.config_text(), world.config_file().with_file_name("corp.pem"));
    world.config(&format!("{text}ca_file = \"corp.pem\"\n"));
    world.run(&["get", "ci"]).expect(0);
    // The operating system's trust is what SSL_CERT_FILE says, for this program as for others.
    world.config(&text);
    fs::remove_file(world.data("ci")).unwrap();
    world.set("SSL_CERT_FILE", file);
    world.run(&["get", "ci"]).expect(0);
    assert_eq!(idp.count("client_credentials"), 2);
    // For another name it is no good, whoever issued it.
    let other = format!("localhost:{}", front(&authority, "other.example.com", false, &idp).port());
    world.config(&text.replace(&server, &other));
    fs::remove_file(world.data("ci")).unwrap();
    world.run(&["get", "ci"]).refused(&[6], &["localhost", "certificate is not trusted"]);
}

#[test]
fn a_ca_file_that_is_none() {
    let idp = Idp::start();
    let world = world(&idp, "localhost:1", "ca_file = \"corp.pem\"");
    world.run(&["get", "ci"]).refused(&[10], &["ca_file", "corp.pem", "cannot be read"]);
    beside(&world, "corp.pem", "no certificate");
    world.run(&["get", "ci"]).refused(&[10], &["ca_file", "corp.pem", "PEM"]);
}

#[test]
fn a_server_that_asks_for_our_certificate() {
    let (idp, authority) = (Idp::start(), Authority::new());
    let server = format!("localhost:{}", front(&authority, "localhost", true, &idp).port());
    let world = world(&idp, &server, "ca_file = \"corp.pem\"");
    beside(&world, "corp.pem", &authority.pem());
    world.run(&["get", "ci"]).refused(&[6], &["localhost", "client_certificate_file"]);
    let text = world.config_text();
    let (certificate, key) = authority.issue("robot");
    beside(&world, "robot.pem", &certificate);
    beside(&world, "robot.key", &key);
    world.config(&format!("{text}client_certificate_file = \"robot.pem\"\nclient_key_file = \"robot.key\"\n"));
    world.run(&["get", "ci"]).expect(0);
    // Both in one file.
    fs::remove_file(world.data("ci")).unwrap();
    beside(&world, "both.pem", &(key + &certificate));
    world.config(&format!("{text}client_certificate_file = \"both.pem\"\n"));
    world.run(&["get", "ci"]).expect(0);
    // What does not fit is said before anybody is asked, and without a word of the key.
    fs::remove_file(world.data("ci")).unwrap();
    beside(&world, "robot.key", &authority.issue("another").1);
    world.config(&format!("{text}client_certificate_file = \"robot.pem\"\nclient_key_file = \"robot.key\"\n"));
    world.run(&["get", "ci"]).refused(&[10], &["client_key_file", "robot.key", "not the key"]);
    beside(&world, "robot.key", "nothing");
    world.run(&["get", "ci"]).refused(&[10], &["client_key_file", "robot.key", "no private key"]);
    world.config(&format!("{text}client_key_file = \"robot.key\"\n"));
    world.run(&["get", "ci"]).refused(&[10], &["client_key_file", "client_certificate_file"]);
    // Of somebody whom the server does not know.
    let (certificate, key) = Authority::new().issue("robot");
    beside(&world, "both.pem", &(key + &certificate));
    world.config(&format!("{text}client_certificate_file = \"both.pem\"\n"));
    world.run(&["get", "ci"]).refused(&[6], &["localhost", "client_certificate_file"]);
    assert_eq!(idp.count("client_credentials"), 2);
}

/// F93: whose it is and why it is not believed, and no advice that helps nobody.
#[test]
fn a_certificate_that_is_no_good_is_named_with_its_fault() {
    let (idp, authority) = (Idp::start(), Authority::new());
    let own = KeyPair::generate().unwrap();
    let by_itself = parameters("localhost", 1975..4096).self_signed(&own).unwrap();
    let by_itself = (pem("CERTIFICATE", by_itself.der()), pem("PRIVATE KEY", &own.serialize_der()));
    let root = "comes from `CN=Corp Root, O=Corp`";
    for (certificate, words) in [
        (by_itself, ["for `CN=localhost`", "comes from `CN=localhost`", "does not know"]),
        (authority.issue_for("localhost", 1975..2020), ["for `CN=localhost`", root, "ended"]),
        (authority.issue_for("localhost", 3000..4096), ["for `CN=localhost`", root, "clock"]),
        (authority.issue("other.example.com"), ["for `CN=other.example.com`", root, "another name"]),
    ] {
        let is_root = words[1] == root;
        let server = format!("localhost:{}", front_with(certificate, None, &idp).port());
        let world = world(&idp, &server, "ca_file = \"corp.pem\"");
        beside(&world, "corp.pem", &authority.pem());
        let told = world.run(&["get", "ci"]).refused(&[6], &["localhost", "certificate is not trusted"]);
        let told = told.says(&words);
        assert_eq!(told.err.contains("ca_file = "), !is_root, "the authority is known: {told:?}");
    }
    assert_eq!(idp.every_call(), 0);
}
