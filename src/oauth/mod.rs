//! The grants: what is asked of the token endpoint, and what its answers mean
//!
//! The `oauth2` crate builds the authorization URL, PKCE and state. Its reading of answers is both too strict and too
//! trusting for real servers (a quoted `expires_in` fails, a token with a line break passes), so every POST goes
//! through one lenient and careful [`Grants::ask`].

mod answer;
mod authorization;
mod camel;
mod device;
mod dpop;
mod jwt;
mod proof;
mod register;
mod secretfile;

use hallpass_protocol::secret::Secret;

use crate::account::Client;
use crate::http::{Answer, Http, Unanswered, endpoint};
use crate::token::Purpose;
use answer::read;
pub(crate) use answer::{Grant, Trouble};
pub(crate) use authorization::AuthorizationRequest;
pub(crate) use camel::TOKEN_HEADER;
pub(crate) use device::{DeviceCode, Polled};
pub(crate) use dpop::Dpop;
pub(crate) use proof::Proof;
pub(crate) use register::{Registered, Uses, register};

/// The token endpoint of one client.
#[derive(Debug)]
pub(crate) struct Grants<'a> {
    pub(crate) http: &'a Http,
    pub(crate) token_endpoint: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) proof: Proof,
    /// The key that its tokens are bound to.
    pub(crate) dpop: Option<&'a Dpop>,
    /// Seconds that a token lives when the answer does not say.
    pub(crate) life: Option<u64>,
    /// It is AWS IAM Identity Center, which speaks a dialect.
    pub(crate) camel: bool,
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
    pub(crate) fn client_credentials(&self, scope: &str, extra: &[(&str, &str)]) -> Result<Grant, Trouble> {
        self.ask(&with_scope(vec![("grant_type", "client_credentials")], scope, extra))
    }

    /// A token for whom a JWT speaks of (RFC 7523 2.1).
    pub(crate) fn jwt_bearer(&self, assertion: &Secret, scope: &str, extra: &[(&str, &str)]) -> Result<Grant, Trouble> {
        let form =
            vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.expose())];
        self.ask(&with_scope(form, scope, extra))
    }

    /// One token for another, often a narrower one (RFC 8693). Each of those that are shown comes with its type.
    pub(crate) fn exchange(
        &self,
        (subject, kind): (&Secret, &str),
        actor: Option<(&Secret, &str)>,
        scope: &str,
        extra: &[(&str, &str)],
    ) -> Result<Grant, Trouble> {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject.expose()),
            ("subject_token_type", kind),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        if let Some((actor, kind)) = actor {
            form.extend([("actor_token", actor.expose()), ("actor_token_type", kind)]);
        }
        let grant = self.ask(&with_scope(form, scope, extra))?;
        let unfit = |what: String| Trouble::Unfit {
            why: format!("{} {what}", endpoint(self.token_endpoint)),
            refresh_token: None,
        };
        // RFC 8693 2.2.1: without it what came could be anything, a refresh token too.
        match grant.issued_token_type.as_deref() {
            Some(ACCESS_TOKEN | JWT) => Ok(grant),
            Some(other) => Err(unfit(format!("gave a token of the type {other} for an access token"))),
            None => Err(unfit("does not say what type of token it gave (`issued_token_type`)".to_owned())),
        }
    }

    /// Begins a device authorization (RFC 8628 3.1).
    pub(crate) fn device(
        &self,
        endpoint: &str,
        scope: &[String],
        extra: &[(&str, &str)],
    ) -> Result<DeviceCode, Trouble> {
        // Known there from the registration, and not asked for again.
        let scope = if self.camel { String::new() } else { scope.join(" ") };
        let form = with_scope(Vec::new(), &scope, extra);
        match self.post(endpoint, &form) {
            Ok(answer) => {
                let read = device::read(&crate::http::endpoint(endpoint), &answer);
                read.map_err(|trouble| trouble.without(self.secrets(&form)))
            }
            Err(why) => Err(Trouble::Later(why.why().to_owned())),
        }
    }

    /// Asks whether the person has confirmed the code (RFC 8628 3.4).
    pub(crate) fn poll(&self, code: &Secret) -> Polled {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.expose())];
        match self.post(self.token_endpoint, &form) {
            Ok(answer) => match device::polled(&endpoint(self.token_endpoint), &answer) {
                Polled::Granted(grant) => match self.bound(*grant) {
                    Ok(grant) => Polled::Granted(Box::new(grant)),
                    Err(Trouble::Unfit { why, .. }) => Polled::Odd(why),
                    Err(_) => Polled::Odd("it gave a token that is not bound as it should be".to_owned()),
                },
                other => other.without(self.secrets(&form)),
            },
            Err(Unanswered::NotSent(why) | Unanswered::Lost(why)) => Polled::Silent(why),
        }
    }

    /// Tells the server that a token is not to be used any more (RFC 7009). An unknown token is no error there.
    pub(crate) fn revoke(&self, endpoint: &str, token: &Secret, hint: &str) -> Result<(), String> {
        let told = match (self.camel, hint) {
            // The whole session ends with any of its access tokens, and nothing is told a refresh token.
            (true, "access_token") => self.http.json("POST", endpoint, None, &[(TOKEN_HEADER, token.expose())], None),
            (true, _) => return Ok(()),
            (false, _) => self.post(endpoint, &[("token", token.expose()), ("token_type_hint", hint)]),
        };
        match told {
            Ok(answer) if answer.status < 300 => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            Err(why) => Err(why.why().to_owned()),
        }
    }

    fn ask(&self, form: &[(&str, &str)]) -> Result<Grant, Trouble> {
        match self.post(self.token_endpoint, form) {
            Ok(answer) => {
                let read = read(&endpoint(self.token_endpoint), &answer);
                let grant = self.bound(read.map_err(|trouble| trouble.without(self.secrets(form)))?)?;
                Ok(Grant { expires_in: grant.expires_in.or(self.life), ..grant })
            }
            Err(Unanswered::NotSent(why)) => Err(Trouble::Later(why)),
            Err(Unanswered::Lost(why)) => Err(Trouble::Lost(why)),
        }
    }

    /// A token that anybody could use is none where one bound to our key was asked for (RFC 9449 5).
    fn bound(&self, grant: Grant) -> Result<Grant, Trouble> {
        let what = match (self.dpop.is_some(), grant.is_bound) {
            (true, false) => "a token that is not bound to our key, as it should be (DPoP)",
            (false, true) => "a token of type DPoP, which was not asked for: `dpop_bound_access_tokens = true`",
            _ => return Ok(grant),
        };
        let why = format!("{} gave {what}", endpoint(self.token_endpoint));
        Err(Trouble::Unfit { why, refresh_token: grant.refresh_token })
    }

    /// What was sent and is nobody's business: of the form, and of the client's proof.
    fn secrets<'a>(&'a self, form: &'a [(&str, &'a str)]) -> impl Iterator<Item = &'a str> + Clone {
        const SECRETS: [&str; 7] =
            ["code", "code_verifier", "device_code", "refresh_token", "subject_token", "actor_token", "assertion"];
        let of_form = form.iter().filter(|(name, _)| SECRETS.contains(name)).map(|(_, value)| *value);
        of_form.chain(self.proof.secret())
    }

    /// Once more with the server's nonce, if that is what it wants (RFC 9449 8).
    fn post(&self, url: &str, form: &[(&str, &str)]) -> std::result::Result<Answer, Unanswered> {
        let answer = self.once(url, form)?;
        let (Some(dpop), Some(nonce)) = (self.dpop, &answer.dpop_nonce) else { return Ok(answer) };
        dpop.remember(nonce);
        let wants_it =
            matches!(answer.status, 400 | 401) && answer::error(&answer).as_deref() == Some("use_dpop_nonce");
        if wants_it { self.once(url, form) } else { Ok(answer) }
    }

    /// With the client's proof, made anew for each request.
    fn once(&self, url: &str, form: &[(&str, &str)]) -> std::result::Result<Answer, Unanswered> {
        let Some(added) = self.proof.added(self.client_id) else {
            return Err(Unanswered::NotSent("there are no random bytes to sign a proof of the client with".to_owned()));
        };
        let own = added.form.iter().map(|(name, value)| (*name, value.expose()));
        let own = own.filter(|(name, _)| !form.iter().any(|(already, _)| already == name));
        let form: Vec<_> = form.iter().copied().chain(own).collect();
        if self.camel {
            return self.http.json("POST", url, None, &[], Some(&camel::Members::of(&form).0)).map(camel::answer);
        }
        let dpop = self.dpop.filter(|_| url == self.token_endpoint).and_then(|dpop| dpop.for_server(url));
        self.http.post_with(url, added.authorization.as_ref(), dpop.as_ref(), &form)
    }
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

/// What the token is for, as its server wants it said. An audience that is a URL goes as RFC 8707 `resource`, unless the
/// account has an `audience`: then that is its server's word.
pub(crate) fn resource<'a>(client: &'a Client, purpose: &'a Purpose) -> Vec<(&'static str, &'a str)> {
    let word = |audience: &str| {
        let is_uri = audience.contains("://") && !audience.contains('#');
        if is_uri && client.audience.is_empty() { "resource" } else { "audience" }
    };
    let mut named: Vec<_> = purpose.resource.iter().map(|resource| ("resource", resource.as_str())).collect();
    named.extend(purpose.audience.iter().map(|audience| (word(audience), audience.as_str())));
    if named.is_empty() {
        named.extend(client.resource.iter().map(|resource| ("resource", resource.as_str())));
        named.extend(client.audience.iter().map(|audience| ("audience", audience.as_str())));
    }
    named
}
