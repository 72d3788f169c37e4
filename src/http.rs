//! Requests to the authorization server
//!
//! Never a redirect followed, never a cookie, bounded in bytes and in time. What matters afterwards is whether the
//! request can have arrived: a refresh token that was sent may be spent.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use hallpass_protocol::place::is_loopback;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use hallpass_protocol::time::from_http;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, Proxy, Timeout};
use zeroize::Zeroizing;

use crate::clock::now;
use crate::failure::{fail, fail_hint};

/// Token answers are a few kilobytes; large id_tokens some hundred.
const MAX_BODY: u64 = 1 << 20;

/// Each address gets this long; a name may have several.
const CONNECT: Duration = Duration::from_secs(10);

/// A server that has not answered by then will not.
const WHOLE: Duration = Duration::from_secs(20);

/// The way to one account's servers.
#[derive(Debug)]
pub(crate) struct Http {
    /// The operating system's trust first, then the account's own `ca_file`.
    agents: Vec<Agent>,
}

/// Whatever came back with a status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Where a redirect that was not followed leads, without its query.
    pub(crate) location: Option<String>,
    /// Its `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
    /// When it was asked for, by our clock and by the server's: seconds since the epoch.
    pub(crate) asked_at: u64,
    pub(crate) servers_time: Option<u64>,
    /// For how many seconds the server wants to be left alone.
    pub(crate) retry_after: Option<u64>,
    /// Its `DPoP-Nonce`, for the next proof.
    pub(crate) dpop_nonce: Option<String>,
}

/// Nothing came back.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It never left: no name, no connection, no TLS.
    NotSent(String),
    /// It may have arrived, and what it asked for may have been done.
    Lost(String),
}

impl Unanswered {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::Lost(why) => why,
        }
    }
}

impl Http {
    /// With the operating system's trust, and beside it the certificates of `ca_file`.
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Self> {
        let mut agents = vec![agent(RootCerts::PlatformVerifier)];
        if let Some(file) = ca_file {
            agents.push(agent(certificates(file)?));
        }
        Ok(Self { agents })
    }

    /// POST of a form.
    pub(crate) fn post(
        &self,
        url: &str,
        basic: Option<&Secret>,
        form: &[(&str, &str)],
    ) -> std::result::Result<Answer, Unanswered> {
        self.post_with(url, basic, None, form)
    }

    /// The same with a proof (RFC 9449).
    pub(crate) fn post_with(
        &self,
        url: &str,
        basic: Option<&Secret>,
        dpop: Option<&Secret>,
        form: &[(&str, &str)],
    ) -> std::result::Result<Answer, Unanswered> {
        self.each(url, |agent| {
            let mut request = agent.post(url).config().proxy(proxy(url)).build().header("Accept", "application/json");
            if let Some(basic) = basic {
                request = request.header("Authorization", basic.expose());
            }
            if let Some(proof) = dpop {
                request = request.header("DPoP", proof.expose());
            }
            request.send_form(form.iter().copied())
        })
    }

    /// GET, with a token where there is one.
    pub(crate) fn get(
        &self,
        url: &str,
        bearer: Option<&Secret>,
        headers: &[(String, String)],
    ) -> std::result::Result<Answer, Unanswered> {
        self.each(url, |agent| {
            let mut request = agent.get(url).config().proxy(proxy(url)).build().header("Accept", "application/json");
            if let Some(token) = bearer {
                request = request.header("Authorization", format!("Bearer {}", token.expose()));
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            request.call()
        })
    }

    /// A request of an API: JSON both ways, with a token where there is one, and other headers.
    pub(crate) fn json(
        &self,
        method: &str,
        url: &str,
        bearer: Option<&Secret>,
        headers: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> std::result::Result<Answer, Unanswered> {
        let text = Zeroizing::new(body.map(ToString::to_string).unwrap_or_default());
        self.each(url, |agent| {
            let mut request =
                ureq::http::Request::builder().method(method).uri(url).header("Accept", "application/json");
            if let Some(token) = bearer {
                request = request.header("Authorization", format!("Bearer {}", token.expose()));
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if body.is_some() {
                request = request.header("Content-Type", "application/json"); // of nothing, some servers refuse it
            }
            let request = request.body(text.as_str())?;
            agent.run(agent.configure_request(request).proxy(proxy(url)).build())
        })
    }

    /// A certificate that one trust does not know may be known to the next; nothing was sent before that.
    fn each(
        &self,
        url: &str,
        send: impl Fn(&Agent) -> std::result::Result<ureq::http::Response<ureq::Body>, Error>,
    ) -> std::result::Result<Answer, Unanswered> {
        // ureq asks for names on a thread of its own, and panics where there is none to be had.
        if let Err(why) = std::thread::Builder::new().spawn(|| ()) {
            return Err(Unanswered::NotSent(format!("{}: no thread can be started: {why}", host(url))));
        }
        let mut last = None;
        for agent in &self.agents {
            let asked_at = now();
            match send(agent) {
                Ok(response) => return read(url, response, asked_at),
                Err(why) if is_distrust(&why) => last = Some(why),
                Err(why) => return Err(unanswered(url, &why)),
            }
        }
        let why = last.unwrap_or(Error::ConnectionFailed);
        Err(Unanswered::NotSent(format!(
            "{}: its certificate is not trusted ({why}); behind a company proxy, name its certificate: `ca_file = \"...\"`",
            host(url)
        )))
    }
}

/// The system's resolver. Whatever its trouble is, nothing was sent: ureq's own error does not say so.
#[derive(Debug, Default)]
struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> std::result::Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, timeout).map_err(|why| match why {
            Error::Timeout(_) => why,
            _ => Error::HostNotFound,
        })
    }
}

fn agent(roots: RootCerts) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false) // a 400 has the OAuth error in its body
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        .max_response_header_size(64 << 10)
        .user_agent(concat!("hallpass/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .proxy(None) // chosen for each request
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Names::default())
}

fn certificates(file: &Path) -> Result<RootCerts> {
    let pem = std::fs::read(file)
        .map_err(|why| fail(Exit::Config, format!("`ca_file` `{}` cannot be read: {why}", file.display())))?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        let what = format!("`ca_file` `{}` has no certificate in it", file.display());
        return Err(fail_hint(Exit::Config, what, "it must be PEM: -----BEGIN CERTIFICATE-----"));
    }
    Ok(RootCerts::from(found))
}

/// Whether a URL may be sent a secret.
pub(crate) fn check_endpoint(text: &str) -> std::result::Result<(), &'static str> {
    let url = url::Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user name, a password or a fragment in it");
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if hallpass_protocol::place::is_loopback(host) => Ok(()),
        ("http", _) => Err("is http:// and not on this machine: use https://"),
        _ => Err("is not an https:// URL"),
    }
}

/// As curl reads it: by scheme, `NO_PROXY` names hosts and their subdomains, this machine never goes through one.
fn proxy(url: &str) -> Option<Proxy> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    let set =
        |name: &str| std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let none = set("no_proxy").or_else(|| set("NO_PROXY")).unwrap_or_default();
    let spared =
        none.split(',').map(|entry| entry.trim().trim_start_matches("*.").trim_start_matches('.')).any(|entry| {
            entry == "*"
                || entry == host
                || (!entry.is_empty() && host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.')))
        });
    if url.scheme() != "https" || is_loopback(host) || spared {
        return None;
    }
    let named =
        set("https_proxy").or_else(|| set("HTTPS_PROXY")).or_else(|| set("all_proxy")).or_else(|| set("ALL_PROXY"));
    Proxy::new(&named?).ok()
}

fn read(
    url: &str,
    mut response: ureq::http::Response<ureq::Body>,
    asked_at: u64,
) -> std::result::Result<Answer, Unanswered> {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let location = header("location").map(host);
    let challenge = header("www-authenticate").map(str::to_owned);
    let dpop_nonce = header("dpop-nonce").map(str::to_owned);
    let servers_time = header("date").and_then(from_http);
    // A date is meant by the server's clock.
    let until = |date| Some(from_http(date)?.saturating_sub(servers_time.unwrap_or(asked_at)));
    let retry_after = header("retry-after").and_then(|text| text.trim().parse().ok().or_else(|| until(text)));
    match response.body_mut().with_config().limit(MAX_BODY).read_to_vec() {
        Ok(body) => {
            let body = Zeroizing::new(body);
            Ok(Answer { status, body, location, challenge, asked_at, servers_time, retry_after, dpop_nonce })
        }
        // A status without its body: what was asked for may have been done.
        Err(why) => Err(Unanswered::Lost(format!("{}: its answer broke off: {why}", host(url)))),
    }
}

fn is_distrust(why: &Error) -> bool {
    match why {
        Error::Rustls(rustls) => format!("{rustls:?}").starts_with("InvalidCertificate"),
        Error::Io(io) => io.get_ref().is_some_and(|inner| format!("{inner:?}").starts_with("InvalidCertificate")),
        _ => false,
    }
}

fn unanswered(url: &str, why: &Error) -> Unanswered {
    let words = format!("{}: {}", host(url), plain(why));
    let not_sent = match why {
        Error::Io(io) => {
            use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, InvalidData, NetworkUnreachable};
            matches!(io.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | InvalidData)
        }
        Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::ConnectProxyFailed(_)
        | Error::InvalidProxyUrl
        | Error::BadUri(_)
        | Error::Tls(_)
        | Error::Rustls(_) => true,
        _ => false,
    };
    if not_sent { Unanswered::NotSent(words) } else { Unanswered::Lost(words) }
}

/// ureq's words, where ours would not be clearer.
fn plain(why: &Error) -> String {
    match why {
        Error::HostNotFound => "its name is not known, or nobody is there to ask for it".into(),
        Error::Timeout(_) => "no answer in time".into(),
        Error::ConnectionFailed => "no connection".into(),
        Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => "the connection was refused".into(),
        other => other.to_string(),
    }
}

/// Host, port and path of one of our endpoints.
pub(crate) fn endpoint(url: &str) -> String {
    let path = url::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    host(url) + &path
}

/// Host and port for messages: a path or query may hold what must not be shown.
fn host(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return "another path of the same server".to_owned() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => url.scheme().to_owned(),
    }
}
