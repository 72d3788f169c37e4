//! The grants: what is asked of the token endpoint, and what its answers mean
//!
//! The `oauth2` crate builds the authorization URL, PKCE and state. Its reading of answers is both too strict and too
//! trusting for real servers (a quoted `expires_in` fails, a token with a line break passes), so every POST goes
//! through one lenient and careful [`Grants::ask`].

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hallpass_protocol::secret::{Secret, exposed_option};
use hallpass_protocol::talk::Exit;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use serde::Deserialize;
use serde_json::Value;

use crate::account::Client;
use crate::config::shown;
use crate::discovery::Server;
use crate::failure::fail;
use crate::http::{Answer, Http, Unanswered, endpoint};

/// The longest life we believe: a wrong unit must not make a token immortal.
const TEN_YEARS: f64 = 10.0 * 365.0 * 86_400.0;

/// What the token endpoint gave.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) access_token: Secret,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    /// Seconds from now; `None` when the server did not say.
    pub(crate) expires_in: Option<u64>,
    pub(crate) scope: Option<String>,
}

/// Why it gave nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// `invalid_grant`: the code or refresh token is not good any more. The server's words, made safe to show.
    Ended(String),
    /// Another "no" of the server (RFC 6749 5.2): about the client or the request, not the grant.
    Refused(String),
    /// Not now: nothing was decided about the grant.
    Later(String),
    /// Sent, and no answer came: the grant may be spent.
    Lost(String),
}

/// The token endpoint of one client.
#[derive(Debug)]
pub(crate) struct Grants<'a> {
    pub(crate) http: &'a Http,
    pub(crate) token_endpoint: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) secret: Option<Secret>,
}

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
            Ok(answer) => read(&endpoint(self.token_endpoint), &answer),
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
        Some(audience) if audience.contains("://") => vec![("resource", audience)],
        Some(audience) => vec![("audience", audience)],
        None => {
            let resource = client.resource.as_deref().map(|resource| ("resource", resource));
            let audience = client.audience.as_deref().map(|audience| ("audience", audience));
            resource.into_iter().chain(audience).collect()
        }
    }
}

/// The members of a token answer, right or wrong. `Value` where servers differ in type.
#[derive(Deserialize, Default)]
struct Body {
    #[serde(default, with = "exposed_option")]
    access_token: Option<Secret>,
    #[serde(default, with = "exposed_option")]
    refresh_token: Option<Secret>,
    #[serde(default, with = "exposed_option")]
    id_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    scope: Option<Value>,
    error: Option<BasicErrorResponseType>,
    error_description: Option<Value>,
}

fn read(endpoint: &str, answer: &Answer) -> Result<Grant, Trouble> {
    let status = answer.status;
    if let (300..=399, location) = (status, &answer.location) {
        let to = location.as_deref().unwrap_or("nowhere");
        return Err(Trouble::Later(format!("{endpoint} redirects to {to}, which is not followed")));
    }
    let body = serde_json::from_slice::<Body>(answer.body.trim_ascii()).ok().or_else(|| form(&answer.body));
    match body {
        // GitHub sends its errors with status 200. 5xx with an error in it is still the server's trouble.
        Some(Body { error: Some(error), error_description, .. }) if status < 500 && status != 429 => {
            let description = error_description.as_ref().and_then(Value::as_str);
            let words = [Some(error.as_ref()), description].into_iter().flatten().map(printable).collect::<Vec<_>>();
            let words = words.join(": ");
            Err(match error {
                BasicErrorResponseType::InvalidGrant => Trouble::Ended(words),
                // Errors of other endpoints that some servers send here too (RFC 6749 4.1.2.1, RFC 8628 3.5).
                _ if ["temporarily_unavailable", "server_error", "slow_down"].contains(&error.as_ref()) => {
                    Trouble::Later(format!("{endpoint} answered {words}"))
                }
                _ => Trouble::Refused(words),
            })
        }
        Some(body) if status == 200 || status == 201 => grant(endpoint, body),
        _ if status == 200 => Err(Trouble::Later(format!("{endpoint} answered with something that is no token"))),
        _ => Err(Trouble::Later(format!("{endpoint} answered with status {status}"))),
    }
}

fn grant(endpoint: &str, body: Body) -> Result<Grant, Trouble> {
    let odd = |what: &str| Err(Trouble::Later(format!("{endpoint} gave {what}")));
    let Some(access_token) = body.access_token else { return odd("no access token") };
    let all = [Some(&access_token), body.refresh_token.as_ref(), body.id_token.as_ref()];
    if !all.into_iter().flatten().all(Secret::is_one_line) {
        return odd("a token with a line break in it, which is refused");
    }
    if let Some(kind) = body.token_type.filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return odd(&format!("a token of type {}, which is not supported", printable(&kind)));
    }
    Ok(Grant {
        access_token,
        refresh_token: body.refresh_token,
        id_token: body.id_token,
        expires_in: body.expires_in.as_ref().and_then(life),
        scope: body.scope.as_ref().and_then(Value::as_str).map(printable),
    })
}

/// A number, or a number in quotes; negative and senseless ones count as unsaid.
fn life(value: &Value) -> Option<u64> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    (seconds >= 0.0).then(|| seconds.min(TEN_YEARS) as u64)
}

/// `access_token=...&token_type=bearer`: what GitHub sends to clients that do not ask for JSON.
fn form(bytes: &[u8]) -> Option<Body> {
    let mut body = Body::default();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        match &*name {
            "access_token" => body.access_token = Some(Secret::new(value)),
            "refresh_token" => body.refresh_token = Some(Secret::new(value)),
            "id_token" => body.id_token = Some(Secret::new(value)),
            "token_type" => body.token_type = Some(value.into_owned()),
            "expires_in" => body.expires_in = Some(Value::String(value.into_owned())),
            "scope" => body.scope = Some(Value::String(value.into_owned())),
            "error" => body.error = serde_json::from_value(Value::String(value.into_owned())).ok(),
            "error_description" => body.error_description = Some(Value::String(value.into_owned())),
            _ => {}
        }
    }
    (body.access_token.is_some() || body.error.is_some()).then_some(body)
}

/// A server's words, safe for a terminal: RFC 6749 5.2 allows printable ASCII only.
pub(crate) fn printable(text: &str) -> String {
    let clean: String =
        text.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect();
    shown(&clean)
}

#[cfg(test)]
mod tests {
    use super::{Trouble, read};
    use crate::http::Answer;
    use zeroize::Zeroizing;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: Zeroizing::new(body.as_bytes().to_vec()), location: None }
    }

    #[test]
    fn lives() {
        for (said, life) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("3600.0", Some(3600)),
            ("0", Some(0)),
            ("-1", None),
            ("null", None),
            ("\"abc\"", None),
            ("1e30", Some(315_360_000)),
            ("18446744073709551615", Some(315_360_000)),
        ] {
            let grant =
                read("t", &answer(200, &format!(r#"{{"access_token":"AT","expires_in":{said}}}"#))).expect(said);
            assert_eq!(grant.expires_in, life, "{said}");
        }
    }

    #[test]
    fn dialects() {
        assert!(read("t", &answer(201, r#"{"access_token":"AT","token_type":"bEARER"}"#)).is_ok());
        assert!(read("t", &answer(200, "access_token=AT&token_type=bearer&scope=a")).is_ok());
        let refused = [
            answer(400, r#"{"error":"invalid_grant","error_description":"no\u001b[2J"}"#),
            answer(200, r#"{"error":"invalid_grant"}"#),
            answer(401, "error=invalid_grant"),
        ];
        for answer in refused {
            match read("t", &answer) {
                Err(Trouble::Ended(words)) => assert!(!words.contains('\u{1b}')),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_decision() {
        for (status, body) in [
            (200, "<html>sign in</html>"),
            (200, "[]"),
            (200, "{}"),
            (200, r#"{"access_token":"A\nhost=evil"}"#),
            (200, r#"{"access_token":"AT","token_type":"mac"}"#),
            (200, r#"{"access_token":"AT","access_token":"AT2"}"#),
            (403, "<html>"),
            (404, ""),
            (429, r#"{"error":"slow_down"}"#),
            (503, r#"{"error":"temporarily_unavailable"}"#),
            (307, ""),
        ] {
            assert!(matches!(read("t", &answer(status, body)), Err(Trouble::Later(_))), "{status} {body}");
        }
    }
}
