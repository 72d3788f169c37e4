//! Terraform's and OpenTofu's credentials helper
//!
//! ```text
//! argv   terraform-credentials-hallpass get app.example.com        (get, store, forget; a port stays: localhost:8443)
//! stdout {"token":"TOKEN"}        or  {}  for "none"
//! stdin  {"token":"TOKEN"}        (store only; no newline)
//! ```
//!
//! Measured with terraform 1.11.4. The token becomes `Authorization: Bearer`. A failing `get` is swallowed and the request
//! goes out anonymously, so a terminal hears the reason. What `store` brings is read to its end even when it
//! is refused, and refused when it has properties that would be lost.

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::secret::{Secret, exposed};
use crate::talk::{Call, Exit, Failure, Framing, Kept, Protocol, Reply, Request, Step, Target, Verb};

/// Terraform and OpenTofu.
#[derive(Debug)]
pub(crate) struct Terraform;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[serde(with = "exposed")]
    token: Secret,
}

impl Protocol for Terraform {
    fn names(&self) -> &'static [&'static str] {
        &["terraform", "terraform-credentials-hallpass", "tofu"]
    }

    fn hides_stderr(&self) -> bool {
        true
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match words(call) {
            Some(("get", host)) => ask(Verb::Get, host),
            Some(("forget", host)) => ask(Verb::Erase(None), host),
            Some(("store", _)) => Step::read(Framing::All),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass terraform get|store|forget HOST`")),
        }
    }

    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let host = words(call).map(|(_, host)| host).unwrap_or_default();
        match serde_json::from_str::<Credentials>(input) {
            Ok(Credentials { token }) => ask(Verb::Store(Box::new(Kept::new(None, token))), host),
            // Not serde_json's words: they can quote the token.
            Err(_) => Step::fail(Failure::new(
                Exit::Usage,
                "what is to be stored is not an object with a `token` and nothing else",
            )),
        }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match (reply, &request.verb) {
            (Reply::Pass(credential), _) => match credential.access_token() {
                Ok(_) => token(&credential.secret),
                Err(failure) => Step::fail(failure),
            },
            (Reply::Kept(kept), _) => token(&kept.secret),
            (Reply::Missing(None), Verb::Get) => Step::answer("{}\n"),
            (Reply::Missing(Some(why)), Verb::Get) => {
                let step = Step::answer("{}\n");
                Step { then: crate::talk::Then::End(Exit::Answered, Some(why.clone())), ..step }
            }
            (Reply::Done | Reply::Names(_) | Reply::Missing(None), _) => Step::end(Exit::Answered),
            (other, _) => Step::fail(other.failure(request)),
        }
    }
}

fn words<'a>(call: &Call<'a>) -> Option<(&'a str, &'a str)> {
    match call.args {
        [verb, host] => Some((verb, host)),
        _ => None,
    }
}

fn ask(verb: Verb, host: &str) -> Step {
    let place = if host.is_empty() { None } else { Place::from_parts("https", host, None).ok() };
    match place {
        Some(place) => Step::ask(Request { drawer: "terraform", ..Request::new(verb, Target::Place(place)) }),
        None => Step::fail(Failure::new(Exit::Usage, "the host is not usable: it is a name and at most a port")),
    }
}

fn token(secret: &Secret) -> Step {
    match serde_json::to_string(&Credentials { token: secret.clone() }) {
        Ok(text) => Step::answer(text + "\n"),
        Err(_) => Step::fail(Failure::new(Exit::Bug, "the answer could not be written as JSON")),
    }
}

#[cfg(test)]
mod tests {
    use super::Terraform;
    use crate::secret::Secret;
    use crate::talk::{Call, Credential, Exit, Failure, Kept, Protocol, Reply, Step, Target, Then, Verb};

    fn with<T>(args: &[&str], run: impl Fn(&Call<'_>) -> T) -> T {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        run(&Call { name: "terraform", args: &args, env: &|_| None, now: 0 })
    }

    fn start(args: &[&str]) -> Step {
        with(args, |call| Terraform.start(call))
    }

    #[test]
    fn hosts_keep_their_port() {
        for (host, port) in [("app.example.com", 443), ("localhost:8443", 8443), ("xn--bcher-kva.example", 443)] {
            let Then::Ask(request) = start(&["get", host]).then else { panic!("{host}") };
            assert!(matches!(&request.target, Target::Place(place) if place.port == port && place.path.is_none()));
        }
        for odd in
            [&["get"][..], &[], &["get", ""], &["get", "a/b"], &["get", "u@h"], &["list", "h"], &["get", "h", "x"]]
        {
            assert!(matches!(start(odd).then, Then::End(Exit::Usage, Some(_))), "{odd:?}");
        }
    }

    #[test]
    fn only_a_token_is_stored() {
        let hear = |input: &str| with(&["store", "h.example"], |call| Terraform.hear(call, input).then);
        let Then::Ask(request) = hear(r#"{"token":"regtok"}"#) else { panic!() };
        assert!(matches!(&request.verb, Verb::Store(kept) if kept.secret.expose() == "regtok"));
        for odd in ["", "{}", "canary", r#"{"token":"canary","x":1}"#, r#"{"token":"a","token":"canary"}"#, "[]", "7"] {
            let Then::End(Exit::Usage, Some(failure)) = hear(odd) else { panic!("{odd}") };
            assert!(!failure.what.contains("canary"), "{odd}");
        }
    }

    #[test]
    fn answers() {
        let Then::Ask(request) = start(&["get", "h.example"]).then else { panic!() };
        let reply = |reply: &Reply| with(&["get", "h.example"], |call| Terraform.reply(call, &request, reply));
        let pass = reply(&Reply::Pass(Box::new(Credential::example("A\"T"))));
        assert_eq!(pass.say.expose(), "{\"token\":\"A\\\"T\"}\n");
        let kept = reply(&Reply::Kept(Box::new(Kept::new(None, Secret::new("regtok")))));
        assert_eq!(kept.say.expose(), "{\"token\":\"regtok\"}\n");
        assert_eq!(reply(&Reply::Missing(None)).say.expose(), "{}\n");
        let failed = reply(&Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(failed.say.expose().is_empty() && matches!(failed.then, Then::End(Exit::SignIn, Some(_))));
        assert!(reply(&Reply::Pass(Box::new(Credential::example("a\nb")))).say.expose().is_empty());
    }
}
