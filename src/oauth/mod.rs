//! The grants: what is asked of the token endpoint, and what its answers mean
//!
//! The `oauth2` crate builds the authorization URL, PKCE and state. Its reading of answers is both too strict and too
//! trusting for real servers (a quoted `expires_in` fails, a token with a line break passes), so every POST goes
//! through one lenient and careful [`Grants::ask`].

mod answer;
mod device;
mod register;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};

use crate::account::Client;
use crate::discovery::Server;
use crate::failure::fail;
use crate::http::{Answer, Http, Unanswered, endpoint};
use answer::read;
pub(crate) use answer::{Grant, Trouble};
pub(crate) use device::{DeviceCode, Polled};
pub(crate) use register::register;

/// The token endpoint of one client.
#[derive(Debug)]
pub(crate) struct Grants<'a> {
    pub(crate) http: &'a Http,
    pub(crate) token_endpoint: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) secret: Option<Secret>,
    /// Seconds that a token lives when the answer does not say.
    pub(crate) life: Option<u64>,
}

/// What kind a token is, in a token exchange (RFC 8693 3).
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// What a tool brings is one whose issuer is another.
pub(crate) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl Grants<'_> {
    /// Trades the code of an authorization response.
    pub(crate) fn code(&self, code: &Secret, request: &AuthorizationRequest) -> Result<Grant, Trouble> {
        self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &request.redirect_uri),
            ("code_verifier", request.verifier.expose()),
        ])
    }

    /// Spends a refresh token. Scope is not asked for: what was granted stays granted.
    pub(crate) fn refresh(&self, token: &Secret, extra: &[(&str, &str)]) -> Result<Grant, Trouble> {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token.expose())];
        form.extend_from_slice(extra);
        self.ask(&form)
    }

    /// A token for the client itself (RFC 6749 4.4).
    pub(crate) fn client_credentials(&self, scope: &[String], extra: &[(&str, &str)]) -> Result<Grant, Trouble> {
        self.ask(&with_scope(vec![("grant_type", "client_credentials")], &scope.join(" "), extra))
    }

    /// One token for another, often a narrower one (RFC 8693).
    pub(crate) fn exchange(
        &self,
        subject: &Secret,
        kind: &str,
        scope: &[String],
        extra: &[(&str, &str)],
    ) -> Result<Grant, Trouble> {
        let form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject.expose()),
            ("subject_token_type", kind),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        self.ask(&with_scope(form, &scope.join(" "), extra))
    }

    /// Begins a device authorization (RFC 8628 3.1).
    pub(crate) fn device(
        &self,
        endpoint: &str,
        scope: &[String],
        extra: &[(&str, &str)],
    ) -> Result<DeviceCode, Trouble> {
        match self.post(endpoint, &with_scope(Vec::new(), &scope.join(" "), extra)) {
            Ok(answer) => device::read(&crate::http::endpoint(endpoint), &answer),
            Err(why) => Err(Trouble::Later(why.why().to_owned())),
        }
    }

    /// Asks whether the person has confirmed the code (RFC 8628 3.4).
    pub(crate) fn poll(&self, code: &Secret) -> Polled {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.expose())];
        match self.post(self.token_endpoint, &form) {
            Ok(answer) => device::polled(&endpoint(self.token_endpoint), &answer),
            Err(Unanswered::NotSent(why) | Unanswered::Lost(why)) => Polled::Silent(why),
        }
    }

    /// Tells the server that a token is not to be used any more (RFC 7009). An unknown token is no error there.
    pub(crate) fn revoke(&self, endpoint: &str, token: &Secret, hint: &str) -> Result<(), String> {
        match self.post(endpoint, &[("token", token.expose()), ("token_type_hint", hint)]) {
            Ok(answer) if answer.status < 300 => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            Err(why) => Err(why.why().to_owned()),
        }
    }

    fn ask(&self, form: &[(&str, &str)]) -> Result<Grant, Trouble> {
        match self.post(self.token_endpoint, form) {
            Ok(answer) => {
                let unquoted = |trouble: Trouble| trouble.without(secrets(form));
                let grant = read(&endpoint(self.token_endpoint), &answer).map_err(unquoted)?;
                Ok(Grant { expires_in: grant.expires_in.or(self.life), ..grant })
            }
            Err(Unanswered::NotSent(why)) => Err(Trouble::Later(why)),
            Err(Unanswered::Lost(why)) => Err(Trouble::Lost(why)),
        }
    }

    /// One way of naming the client, never both (RFC 6749 2.3): a secret goes into the header, a public client's
    /// identifier into the form.
    fn post(&self, url: &str, form: &[(&str, &str)]) -> std::result::Result<Answer, Unanswered> {
        match &self.secret {
            Some(secret) => {
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encode(self.client_id), encode(secret.expose()));
                self.http.post(url, Some(&Secret::new(format!("Basic {}", STANDARD.encode(pair)))), form)
            }
            None => {
                let mut form = form.to_vec();
                form.push(("client_id", self.client_id));
                self.http.post(url, None, &form)
            }
        }
    }
}

/// The members of a form that are nobody's business.
fn secrets<'a>(form: &'a [(&str, &'a str)]) -> impl Iterator<Item = &'a str> + Clone {
    const SECRETS: [&str; 4] = ["code", "code_verifier", "refresh_token", "subject_token"];
    form.iter().filter(|(name, _)| SECRETS.contains(name)).map(|(_, value)| *value)
}

/// A form with what else is asked for.
fn with_scope<'a>(
    mut form: Vec<(&'a str, &'a str)>,
    scope: &'a str,
    extra: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    form.extend_from_slice(extra);
    if !scope.is_empty() {
        form.push(("scope", scope));
    }
    form
}

/// The secret of a confidential client.
pub(crate) fn client_secret(client: &Client) -> Result<Option<Secret>> {
    let Some(file) = &client.client_secret_file else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|why| {
        fail(Exit::Config, format!("`client_secret_file` `{}` cannot be read: {why}", file.display()))
    })?;
    let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
    match secret.is_one_line() {
        true => Ok(Some(secret)),
        false => Err(fail(Exit::Config, format!("`client_secret_file` `{}` is not one line", file.display()))),
    }
}

/// A request for a person's consent, and what its answer must match.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) url: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Secret,
    pub(crate) nonce: Secret,
    verifier: Secret,
}

impl AuthorizationRequest {
    /// Fresh 256-bit verifier, state and nonce for each attempt.
    pub(crate) fn new(
        account: &str,
        client: &Client,
        server: &Server,
        client_id: &str,
        redirect_uri: &str,
    ) -> Result<Self> {
        let config = |what: &str| fail(Exit::Config, format!("account `{account}` {what}"));
        let endpoint = server.authorization_endpoint.clone().ok_or_else(|| config("has no authorization endpoint"))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random_len(32);
        let built = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_auth_uri(AuthUrl::new(endpoint).map_err(|_| config("has an authorization endpoint that is no URL"))?)
            .set_redirect_uri(
                RedirectUrl::new(redirect_uri.to_owned()).map_err(|_| config("has no usable redirect URI"))?,
            );
        let mut request = built
            .authorize_url(|| CsrfToken::new_random_len(32))
            .set_pkce_challenge(challenge)
            .add_scopes(client.scope.iter().cloned().map(Scope::new));
        if client.scope.iter().any(|scope| scope == "openid") {
            request = request.add_extra_param("nonce", nonce.secret());
        }
        if client.scope.iter().any(|scope| scope == "offline_access") {
            request = request.add_extra_param("prompt", "consent"); // OpenID Connect Core 11 demands both together
        }
        for (name, value) in resource(client, None) {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Ok(Self {
            url: url.to_string(),
            redirect_uri: redirect_uri.to_owned(),
            state: Secret::new(state.secret()),
            nonce: Secret::new(nonce.secret()),
            verifier: Secret::new(verifier.secret()),
        })
    }
}

/// What the token is for, as its server wants it said: RFC 8707 `resource` for a URI, `audience` for other names.
pub(crate) fn resource<'a>(client: &'a Client, audience: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    match audience {
        Some(audience) if audience.contains("://") && !audience.contains('#') => vec![("resource", audience)],
        Some(audience) => vec![("audience", audience)],
        None => {
            let resource = client.resource.as_deref().map(|resource| ("resource", resource));
            let audience = client.audience.as_deref().map(|audience| ("audience", audience));
            resource.into_iter().chain(audience).collect()
        }
    }
}
