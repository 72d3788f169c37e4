//! The token helper of HashiCorp Vault and OpenBao
//!
//! ```text
//! argv   hallpass-vault get             env  VAULT_ADDR (or BAO_ADDR) = https://vault.example.com:8200
//! stdout TOKEN                          no newline: it would be taken for a part of the token
//! argv   hallpass-vault store           stdin TOKEN (no newline)
//! argv   hallpass-vault erase
//! ```
//!
//! Measured with bao 2.7.1; Vault was not run. The helper is run as `$SHELL -c "PATH get"` and its output is the
//! token byte for byte; nothing is "not logged in". Both put the address in use into both variables. stderr is shown when
//! the exit code is not 0, and mixed into the answer of `store` and `erase`.

use crate::place::Place;
use crate::secret::Secret;
use crate::talk::{Call, Exit, Failure, Framing, Kept, Kinds, Protocol, Reply, Request, Step, Target, Verb};

/// Vault and OpenBao.
#[derive(Debug)]
pub(crate) struct Vault;

/// Where both look when nothing is said.
const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

impl Protocol for Vault {
    fn names(&self) -> &'static [&'static str] {
        &["vault", "hallpass-vault", "bao"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match verb(call) {
            Some("get") => ask(call, Verb::Get),
            Some("erase") => ask(call, Verb::Erase(None)),
            Some("store") => Step::read(Framing::All),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass vault get|store|erase`")),
        }
    }

    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let token = Secret::new(input.trim_end_matches(['\r', '\n']));
        match is_a_token(&token) {
            true => ask(call, Verb::Store(Box::new(Kept::new(None, token)))),
            false => Step::fail(Failure::new(Exit::Usage, "what is to be stored is no token")),
        }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match (reply, &request.verb) {
            (Reply::Pass(credential), _) => match credential.access_token() {
                Ok(_) => token(&credential.secret),
                Err(failure) => Step::fail(failure),
            },
            (Reply::Kept(kept), _) => token(&kept.secret),
            (Reply::Done | Reply::Names(_) | Reply::Missing(None), _) => Step::end(Exit::Answered),
            // An account's session outlives the token of one tool, and is not the tool's to end.
            (Reply::Unsupported(_), Verb::Erase(_)) => Step::end(Exit::Answered),
            (other, _) => Step::fail(other.failure(request)),
        }
    }
}

fn verb<'a>(call: &Call<'a>) -> Option<&'a str> {
    match call.args {
        [verb] => Some(verb),
        _ => None,
    }
}

fn ask(call: &Call<'_>, verb: Verb) -> Step {
    let address = ["VAULT_ADDR", "BAO_ADDR"].iter().find_map(|name| (call.env)(name));
    match Place::from_url(address.as_deref().unwrap_or(DEFAULT_ADDRESS)) {
        Ok(place) => {
            Step::ask(Request { kinds: Kinds::Vault, drawer: "vault", ..Request::new(verb, Target::Place(place)) })
        }
        Err(why) => Step::fail(Failure::new(Exit::Usage, format!("VAULT_ADDR is not usable: {why}"))),
    }
}

/// Printable ASCII: the clients refuse everything else, spaces too.
fn is_a_token(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

fn token(secret: &Secret) -> Step {
    match is_a_token(secret) {
        true => Step::answer(secret.expose()),
        false => Step::fail(Failure::new(Exit::Refused, "the token has characters that no token of vault has")),
    }
}

#[cfg(test)]
mod tests {
    use super::Vault;
    use crate::secret::Secret;
    use crate::talk::{Call, Credential, Exit, Failure, Kept, Protocol, Reply, Step, Target, Then, Verb};

    fn with<T>(verb: &str, address: Option<(&str, &str)>, run: impl Fn(&Call<'_>) -> T) -> T {
        let args = [verb.to_owned()];
        let env = |name: &str| address.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned());
        run(&Call { name: "vault", args: &args, env: &env, now: 0 })
    }

    fn place(address: Option<(&str, &str)>) -> Option<String> {
        match with("get", address, |call| Vault.start(call).then) {
            Then::Ask(request) => match request.target {
                Target::Place(place) => Some(place.to_string()),
                _ => None,
            },
            _ => None,
        }
    }

    #[test]
    fn the_address_is_the_place() {
        for name in ["VAULT_ADDR", "BAO_ADDR"] {
            let address = Some((name, "https://vault.example.com:8200/"));
            assert_eq!(place(address).as_deref(), Some("https://vault.example.com:8200"));
        }
        assert_eq!(place(None).as_deref(), Some("https://127.0.0.1:8200"));
        for odd in ["vault.example.com", "https://u@h", "unix:///run/agent.sock\n"] {
            assert_eq!(place(Some(("VAULT_ADDR", odd))), None, "{odd}");
        }
        for odd in ["", "list", "GET"] {
            assert!(matches!(with(odd, None, |call| Vault.start(call).then), Then::End(Exit::Usage, Some(_))), "{odd}");
        }
    }

    #[test]
    fn a_token_has_no_newline() {
        let Then::Ask(request) = with("get", None, |call| Vault.start(call).then) else { panic!() };
        let reply = |reply: &Reply| -> Step { with("get", None, |call| Vault.reply(call, &request, reply)) };
        assert_eq!(reply(&Reply::Pass(Box::new(Credential::example("hvs.AT1")))).say.expose(), "hvs.AT1");
        assert_eq!(reply(&Reply::Kept(Box::new(Kept::new(None, Secret::new("s.1"))))).say.expose(), "s.1");
        for odd in ["a\n", "a b", "é", "\u{7f}"] {
            let step = reply(&Reply::Kept(Box::new(Kept::new(None, Secret::new(odd)))));
            assert!(step.say.expose().is_empty() && matches!(step.then, Then::End(Exit::Refused, Some(_))), "{odd:?}");
        }
        let none = reply(&Reply::Missing(None));
        assert!(none.say.expose().is_empty() && matches!(none.then, Then::End(Exit::Answered, None)));
        let failed = reply(&Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(matches!(failed.then, Then::End(Exit::SignIn, Some(_))));
    }

    #[test]
    fn what_is_stored() {
        let hear = |input: &str| with("store", None, |call| Vault.hear(call, input).then);
        for input in ["hvs.AT1", "hvs.AT1\n"] {
            let Then::Ask(request) = hear(input) else { panic!("{input}") };
            assert!(matches!(&request.verb, Verb::Store(kept) if kept.secret.expose() == "hvs.AT1"));
        }
        for odd in ["", "\n", "a b", "a\nb", "a\0"] {
            assert!(matches!(hear(odd), Then::End(Exit::Usage, Some(_))), "{odd:?}");
        }
    }
}
