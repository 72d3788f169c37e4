//! Requests to the authorization server
//!
//! Never a redirect followed, never a cookie, bounded in bytes and in time. What matters afterwards is whether the
//! request can have arrived: a refresh token that was sent may be spent.

mod unanswered;
mod url;

use std::time::{Duration, Instant};

use hallpass_protocol::secret::Secret;
use hallpass_protocol::time::from_http;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, Proxy};
use zeroize::Zeroizing;

use crate::clock::now;
use crate::log;
use crate::proxy;
use crate::trust::Trust;
pub(crate) use unanswered::Unanswered;
use unanswered::{distrusted, is_distrust, unanswered};
use url::host;
pub(crate) use url::{check_endpoint, check_issuer, endpoint};

/// Token answers are a few kilobytes; large id_tokens some hundred.
const MAX_BODY: u64 = 1 << 20;

/// Each address gets this long; a name may have several.
const CONNECT: Duration = Duration::from_secs(10);

/// A server that has not answered by then will not.
const WHOLE: Duration = Duration::from_secs(20);

/// What a request comes back with.
type Sent = Result<ureq::http::Response<ureq::Body>, Error>;

/// The way to one account's servers.
#[derive(Debug)]
pub(crate) struct Http {
    /// One for each trust, in the order in which they are tried.
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

impl Answer {
    /// An answer without headers, for the tests of those who read bodies.
    #[cfg(test)]
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.as_bytes().to_vec().into(),
            location: None,
            challenge: None,
            asked_at: 1_000,
            servers_time: None,
            retry_after: None,
            dpop_nonce: None,
        }
    }

    /// The token is good, and has no scope for what was asked (RFC 6750 3.1). Some say so in the body alone.
    pub(crate) fn lacks_scope(&self) -> bool {
        const WORD: &str = "insufficient_scope";
        let named = self.challenge.as_ref().is_some_and(|challenge| challenge.contains(WORD));
        let body = || serde_json::from_slice::<serde_json::Value>(&self.body).unwrap_or_default();
        self.status == 403 && (named || body()["error"] == WORD)
    }
}

impl Http {
    /// With the operating system's trust, and with what the account says beside it.
    pub(crate) fn new(trust: &Trust) -> anyhow::Result<Self> {
        Ok(Self { agents: trust.ways()?.into_iter().map(agent).collect() })
    }

    /// POST of a form.
    pub(crate) fn post(&self, url: &str, basic: Option<&Secret>, form: &[(&str, &str)]) -> Result<Answer, Unanswered> {
        self.post_with(url, basic, None, form)
    }

    /// The same with a proof (RFC 9449).
    pub(crate) fn post_with(
        &self,
        url: &str,
        basic: Option<&Secret>,
        dpop: Option<&Secret>,
        form: &[(&str, &str)],
    ) -> Result<Answer, Unanswered> {
        self.each("POST", url, |agent, proxy| {
            let mut request = agent.post(url).config().proxy(proxy).build().header("Accept", "application/json");
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
    ) -> Result<Answer, Unanswered> {
        self.each("GET", url, |agent, proxy| {
            let mut request = agent.get(url).config().proxy(proxy).build().header("Accept", "application/json");
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
    ) -> Result<Answer, Unanswered> {
        let text = Zeroizing::new(body.map(ToString::to_string).unwrap_or_default());
        self.each(method, url, |agent, proxy| {
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
            agent.run(agent.configure_request(request).proxy(proxy).build())
        })
    }

    /// Sends it, and notes that.
    fn each(
        &self,
        method: &str,
        url: &str,
        send: impl Fn(&Agent, Option<Proxy>) -> Sent,
    ) -> Result<Answer, Unanswered> {
        let began = Instant::now();
        let answer = self.by_each_trust(url, send);
        log::note(|| {
            let end = match &answer {
                Ok(answer) => answer.status.to_string(),
                Err(why) => why.why().to_owned(),
            };
            format!("{method} {}: {end} in {} ms", endpoint(url), began.elapsed().as_millis())
        });
        answer
    }

    /// A certificate that one trust does not know may be known to the next; nothing was sent before that.
    fn by_each_trust(&self, url: &str, send: impl Fn(&Agent, Option<Proxy>) -> Sent) -> Result<Answer, Unanswered> {
        // ureq asks for names on a thread of its own, and panics where there is none to be had.
        if let Err(why) = std::thread::Builder::new().spawn(|| ()) {
            return Err(Unanswered::NotSent(format!("{}: no thread can be started: {why}", host(url))));
        }
        let way = proxy::of(url).map_err(|why| Unanswered::NotSent(format!("{}: {why}", host(url))))?;
        let whom = match &way {
            Some(way) => format!("{}, through {}", host(url), way.words),
            None => host(url),
        };
        let mut last = None;
        for agent in &self.agents {
            let asked_at = now();
            match send(agent, way.as_ref().map(|way| way.proxy.clone())) {
                Ok(response) => return read(url, response, asked_at),
                Err(why) if is_distrust(&why) => last = Some(why),
                Err(why) => return Err(unanswered(&whom, &why)),
            }
        }
        let why = last.unwrap_or(Error::ConnectionFailed);
        Err(Unanswered::NotSent(format!("{whom}: {}", distrusted(url, &why))))
    }
}

/// The system's resolver. Whatever its trouble is, nothing was sent: ureq's own error does not say so.
#[derive(Debug, Default)]
struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, timeout).map_err(|why| match why {
            Error::Timeout(_) => why,
            _ => Error::HostNotFound,
        })
    }
}

fn agent(tls: TlsConfig) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false) // a 400 has the OAuth error in its body
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        .max_response_header_size(64 << 10)
        .user_agent(concat!("hallpass/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .proxy(None) // chosen for each request
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Names::default())
}

fn read(url: &str, mut response: ureq::http::Response<ureq::Body>, asked_at: u64) -> Result<Answer, Unanswered> {
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
