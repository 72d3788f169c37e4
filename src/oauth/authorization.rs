//! The authorization request: what the browser is sent with, and what its answer must match

use anyhow::Result;
use hallpass_protocol::secret::Secret;
use hallpass_protocol::talk::Exit;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};

use super::resource;
use crate::account::Client;
use crate::discovery::Server;
use crate::failure::fail;
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
}
