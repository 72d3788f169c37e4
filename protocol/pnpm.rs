//! pnpm's tokenHelper
//!
//! ```text
//! .npmrc  //npm.example.com/:tokenHelper=/home/me/bin/hallpass-npm        (the person's own file; no arguments)
//! argv    hallpass-npm                         (hallpass-npm-work: for the account `work`)
//! stdout  Bearer TOKEN
//! ```
//!
//! Measured with pnpm 9.15.9, 10.34.9 and 11.28.11. The older ones make the whole `Authorization` header of it, 11 adds
//! a scheme only where there is none. No host is named, so the program's name may name the account. pnpm asks early and
//! more than once, whether or not it needs a token: nobody is asked to sign in.

use crate::talk::{Call, Exit, Failure, Protocol, Reply, Request, Step, Target, Verb};

/// pnpm.
#[derive(Debug)]
pub(crate) struct Pnpm;

impl Protocol for Pnpm {
    fn names(&self) -> &'static [&'static str] {
        &["pnpm", "hallpass-npm", "npm"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        if !call.args.is_empty() {
            return Step::fail(Failure::new(Exit::Usage, "usage: `hallpass pnpm [--account NAME]`"));
        }
        let no_prompt = Some("pnpm asks whether or not it needs a token");
        Step::ask(Request { no_prompt, drawer: "pnpm", ..Request::new(Verb::Get, Target::Default) })
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match reply {
            Reply::Pass(credential) => match credential.authorization() {
                Ok(value) => Step::answer(format!("{}\n", value.expose())),
                Err(failure) => Step::fail(failure),
            },
            other => Step::fail(other.failure(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pnpm;
    use crate::talk::{Call, Credential, Exit, Kind, Protocol, Reply, Target, Then};

    #[test]
    fn the_scheme_is_always_there() {
        let call = Call { name: "pnpm", args: &[], env: &|_| None, now: 0 };
        let Then::Ask(request) = Pnpm.start(&call).then else { panic!() };
        assert!(request.no_prompt.is_some() && request.target == Target::Default);
        let reply = |credential| Pnpm.reply(&call, &request, &Reply::Pass(Box::new(credential)));
        assert_eq!(reply(Credential::example("AT1")).say.expose(), "Bearer AT1\n");
        for odd in [Credential::example("a\nb"), Credential { kind: Kind::IdToken, ..Credential::example("x") }] {
            let step = reply(odd);
            assert!(step.say.expose().is_empty() && matches!(step.then, Then::End(Exit::Refused, Some(_))));
        }
        let missing = Pnpm.reply(&call, &request, &Reply::Missing(None));
        assert!(matches!(missing.then, Then::End(Exit::Missing, Some(_))));
        let args = ["install".to_owned()];
        assert!(matches!(Pnpm.start(&Call { args: &args, ..call }).then, Then::End(Exit::Usage, Some(_))));
    }
}
