//! The authorization request: what the browser is sent with, and what its answer must match
//!
//! Where its server wants that it is pushed (RFC 9126): sent ahead over our own connection, so that the browser carries no
//! more than its name, which is good for this one attempt.

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use serde::Deserialize;
use url::Url;

use super::{Grants, Trouble, resource};
use crate::account::Client;
use crate::discovery::Server;
use crate::failure::fail;
use crate::http::{Answer, endpoint};
use crate::shown::printable;
use crate::token::Purpose;

/// A request for a person's consent, and what its answer must match.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) url: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Secret,
    pub(crate) nonce: Secret,
    pub(super) verifier: Secret,
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
        let mut request = built.authorize_url(|| CsrfToken::new_random_len(32)).set_pkce_challenge(challenge);
        request = match &client.aws_start_url {
            Some(_) => request.add_extra_param("scopes", client.scope.join(" ")), // its own word
            None => request.add_scopes(client.scope.iter().cloned().map(Scope::new)),
        };
        if client.scope.iter().any(|scope| scope == "openid") {
            request = request.add_extra_param("nonce", nonce.secret());
        }
        // OpenID Connect Core 11 demands both together; a row knows where that does harm.
        let offline = client.scope.iter().any(|scope| scope == "offline_access").then_some("consent");
        let prompt = client.provider.as_ref().and_then(|provider| provider.prompt.as_deref()).or(offline);
        if let Some(prompt) = prompt {
            request = request.add_extra_param("prompt", prompt);
        }
        for (name, value) in resource(client, &Purpose::OWN) {
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

    /// The same request by reference.
    pub(crate) fn pushed(mut self, grants: &Grants<'_>, push_to: &str) -> Result<Self, Trouble> {
        let odd = |_| Trouble::Later("the authorization endpoint is no URL".to_owned());
        let mut url = Url::parse(&self.url).map_err(odd)?;
        let pairs: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), Secret::new(value))).collect();
        let form: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        let answer = grants.post(push_to, &form).map_err(|why| Trouble::Later(why.why().to_owned()))?;
        let name = request_uri(&endpoint(push_to), &answer);
        let name = name.map_err(|trouble| trouble.without(grants.secrets(&form)))?;
        url.query_pairs_mut().clear().append_pair("client_id", grants.client_id).append_pair("request_uri", &name);
        self.url = url.into();
        Ok(self)
    }
}

/// The name of a request that was pushed.
fn request_uri(endpoint: &str, answer: &Answer) -> Result<String, Trouble> {
    #[derive(Deserialize, Default)]
    struct Body {
        request_uri: Option<String>,
        error: Option<String>,
        error_description: Option<String>,
    }
    let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
    let plain = |name: &String| (1..=2048).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    match body {
        Body { error: Some(error), error_description, .. } if (400..500).contains(&answer.status) => {
            let words = [Some(error), error_description].into_iter().flatten().map(|words| printable(&words));
            Err(Trouble::Refused(words.collect::<Vec<_>>().join(": ")))
        }
        Body { request_uri: Some(name), .. } if matches!(answer.status, 200 | 201) && plain(&name) => Ok(name),
        _ => Err(Trouble::Later(format!("{endpoint} answered with status {} and took no request", answer.status))),
    }
}
