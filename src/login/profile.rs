//! Whom a server says a token is for
//!
//! OpenID Connect's userinfo members, or the fields that the provider's row names.

use serde_json::Value;

use crate::account::is_slug;
use crate::provider::Provider;
use crate::shown::shown;

/// What a sign-in keeps of it, for `whoami` without a network.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) identity: Option<String>,
    pub(super) tenant: Option<String>,
    /// The server's own identifier of the person.
    subject: Option<String>,
}

impl Profile {
    pub(super) fn read(body: &[u8], row: Option<&Provider>) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let text = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let at = |path: Option<&String>| text(path?.split('.').try_fold(&body, |value, name| value.get(name))?);
        let name = at(row.and_then(|row| row.profile_name.as_ref()));
        let email = at(row.and_then(|row| row.profile_email.as_ref()));
        let tenant = at(row.and_then(|row| row.profile_tenant.as_ref())).filter(|tenant| is_slug(tenant));
        let usual = || {
            // Some servers wrap it in `data`.
            let bodies = [Some(&body), body.get("data")].into_iter().flatten();
            bodies
                .map(|body| ["email", "preferred_username", "name", "sub"].map(|member| body.get(member)?.as_str()))
                .find_map(|members| members.into_iter().flatten().next().map(str::to_owned))
        };
        let identity = match (name, email) {
            (Some(name), Some(email)) => Some(format!("{name} <{email}>")),
            (name, email) => name.or(email).or_else(usual),
        };
        let subject = body.get("sub").and_then(Value::as_str).map(str::to_owned);
        Self { identity: identity.map(|identity| shown(&identity)), tenant, subject }
    }

    /// Nothing, if it is of another than the id_token is of (OpenID Connect Core 5.3.2).
    pub(super) fn of(self, subject: Option<&str>) -> Self {
        match (&self.subject, subject) {
            (Some(found), Some(known)) if found != known => Self::default(),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;
    use crate::provider::Provider;

    #[test]
    fn whom_it_names() {
        let row = Provider {
            profile_name: Some("data.name".into()),
            profile_email: Some("data.email".into()),
            profile_tenant: Some("data.tenant".into()),
            ..Provider::default()
        };
        let read = |body: &str, row: Option<&Provider>| Profile::read(body.as_bytes(), row);
        let hal = r#"{"data":{"name":"Hal","email":"hal@h.example","tenant":"acme"}}"#;
        let profile = read(hal, Some(&row));
        assert_eq!(
            (profile.identity.as_deref(), profile.tenant.as_deref()),
            (Some("Hal <hal@h.example>"), Some("acme"))
        );
        assert_eq!(read(hal, None).identity.as_deref(), Some("hal@h.example"));
        assert_eq!(read(r#"{"sub":"7","name":"Hal"}"#, Some(&row)).identity.as_deref(), Some("Hal"));
        let of = |subject| read(r#"{"sub":"7","name":"Hal"}"#, None).of(subject).identity;
        assert_eq!((of(None).as_deref(), of(Some("7")).as_deref(), of(Some("8"))), (Some("Hal"), Some("Hal"), None));
        for odd in ["", "[]", "7", "{\"data\":null}", r#"{"data":{"name":7,"tenant":"a\r\nb"}}"#] {
            assert_eq!(read(odd, Some(&row)), Profile::default(), "{odd}");
        }
    }
}
