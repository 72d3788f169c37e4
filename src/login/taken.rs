//! What a grant makes of a session

use anyhow::Result;
use hallpass_protocol::talk::Exit;

use crate::claims::Claims;
use crate::failure::fail;
use crate::oauth::Grant;
use crate::shown::shown;
use crate::token::{Purpose, Session, Token, TokenKind};

/// Puts a grant into a session: new tokens in the old ones' place, a refresh token only if there is a new one.
///
/// Every time in a session is by the clock of this machine, right or wrong: it is what tools compare with. So the end
/// that an id_token names by its server's clock is brought over to ours.
pub(crate) fn take(
    session: &mut Session,
    account: &str,
    grant: Grant,
    purpose: &Purpose,
    nonce: Option<&str>,
) -> Result<()> {
    let Grant { asked_at, servers_time, .. } = grant;
    let mut tokens = vec![Token {
        kind: TokenKind::AccessToken,
        audience: purpose.audience.clone(),
        resource: purpose.resource.clone(),
        scope: purpose.scope.clone(),
        secret: grant.access_token,
        id: fresh_id(),
        obtained_at: asked_at,
        expires_at: grant.expires_in.map(|life| asked_at.saturating_add(life)),
        dead: false,
    }];
    if let Some(secret) = grant.id_token {
        let claims = Claims::check(&secret, &session.issuer, &session.client_id, nonce, servers_time)?;
        if session.subject.as_ref().is_some_and(|subject| *subject != claims.sub) {
            let what =
                format!("account `{account}`: the server answered for another person than the one who signed in");
            return Err(fail(Exit::Refused, what));
        }
        session.identity = Some(shown(&claims.identity()));
        session.subject = Some(claims.sub);
        tokens.push(Token {
            kind: TokenKind::IdToken,
            audience: None,
            resource: None,
            scope: None,
            secret,
            id: fresh_id(),
            obtained_at: asked_at,
            expires_at: Some(asked_at.saturating_add(claims.exp.saturating_sub(servers_time))),
            dead: false,
        });
    }
    for token in tokens {
        session.tokens.retain(|old| !token.replaces(old));
        session.tokens.push(token);
    }
    // Of a new one that it says nothing of, nothing is known; an old one may have been given more time.
    if grant.refresh_token.is_some() || grant.refresh_expires_in.is_some() {
        session.refresh_expires_at = grant.refresh_expires_in.map(|life| asked_at.saturating_add(life));
    }
    if grant.refresh_token.is_some() {
        session.refresh_token = grant.refresh_token;
    }
    // What a narrower token is for says nothing about what was granted.
    if grant.scope.is_some() && *purpose == Purpose::OWN {
        session.scope = grant.scope;
    }
    Ok(())
}

/// A name for a token that says nothing about it: 16 hex digits.
pub(crate) fn fresh_id() -> String {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    format!("{:016x}", u64::from_le_bytes(bytes))
}
