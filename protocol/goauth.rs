//! GOAUTH: how the go command asks for the headers of a module host
//!
//! ```text
//! argv   hallpass goauth                                   before the first fetch: we say nothing
//! argv   hallpass goauth https://go.example.com/mod/@v/list     after any answer of 400 to 499
//! stdin  HTTP/1.1 401 Unauthorized
//!        Www-Authenticate: Bearer realm="x"
//!        (a blank line)
//! stdout https://go.example.com
//!        (a blank line)
//!        Authorization: Bearer TOKEN
//!        (a blank line)
//! ```
//!
//! Measured with go 1.27.3; needs 1.24. Both blank lines are required. The first call comes with every go command that
//! fetches anything, so it must not cost a look into the store; go asks again with the URL that was refused, 404 too,
//! and then keeps the answer for all URLs below ours. A 404 opens no sign-in page. go hides stderr and the exit code
//! (without -x), and panics over an address that is not https.

use crate::place::{Pattern, Place};
use crate::talk::{Call, Credential, Exit, Failure, Framing, Protocol, Reply, Request, Step, Target, Verb};

/// The go command.
#[derive(Debug)]
pub(crate) struct GoAuth;

impl Protocol for GoAuth {
    fn names(&self) -> &'static [&'static str] {
        &["goauth"]
    }

    fn hides_stderr(&self) -> bool {
        true
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match call.args {
            [] => Step::end(Exit::Answered),
            [_] => Step::read(Framing::Block),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: GOAUTH=\"hallpass goauth;netrc\"")),
        }
    }

    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let url = call.args.first().map(String::as_str).unwrap_or_default();
        match Place::from_url(url) {
            Ok(place) if place.scheme == "https" => Step::ask(Request {
                challenge: challenge(input),
                no_prompt: (!is_refusal(input)).then_some("the module host did not ask for a credential"),
                drawer: "goauth",
                ..Request::new(Verb::Get, Target::Place(place))
            }),
            Ok(_) => Step::end(Exit::Answered),
            Err(why) => Step::fail(Failure::new(Exit::Usage, format!("go's URL is not usable: {why}"))),
        }
    }

    /// A header may be in any alphabet, and what we want to know of them is not.
    fn garbled(&self, call: &Call<'_>, readable: &str, why: Failure) -> Step {
        if readable.is_empty() { Step::fail(why) } else { self.hear(call, readable) }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match (reply, &request.target) {
            (Reply::Pass(credential), Target::Place(place)) => {
                block(credential, place).map_or_else(Step::fail, Step::answer)
            }
            (Reply::Missing(None), _) => Step::end(Exit::Answered),
            (other, _) => Step::fail(other.failure(request)),
        }
    }
}

/// `HTTP/1.1 401 Unauthorized`: the server wants to know who asks.
fn is_refusal(input: &str) -> bool {
    let status = input.lines().next().and_then(|line| line.split(' ').nth(1));
    matches!(status, Some("401" | "403"))
}

fn challenge(input: &str) -> Vec<String> {
    let lines = input.lines().skip(1).filter_map(|line| line.split_once(':'));
    let challenges = lines.filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    challenges.map(|(_, value)| value.trim().to_owned()).collect()
}

/// No wider than the account's own rule: go sends the headers to everything below the address.
fn block(credential: &Credential, place: &Place) -> Result<String, Failure> {
    let authorization = credential.authorization()?;
    let prefix = Pattern::parse(&credential.rule).ok().and_then(|rule| rule.prefix_at(place));
    let prefix = prefix.as_ref().unwrap_or(place);
    let mut block = format!("{prefix}\n\nAuthorization: {}\n", authorization.expose());
    for (name, value) in &credential.headers {
        block += &format!("{name}: {value}\n");
    }
    Ok(block + "\n")
}

#[cfg(test)]
mod tests {
    use super::GoAuth;
    use crate::talk::{Call, Credential, Exit, Failure, Kind, Protocol, Reply, Request, Step, Then};

    fn with<T>(args: &[&str], run: impl Fn(&Call<'_>) -> T) -> T {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        run(&Call { name: "goauth", args: &args, env: &|_| None, now: 0 })
    }

    fn asked(url: &str, input: &str) -> Option<Request> {
        match with(&[url], |call| GoAuth.hear(call, input).then) {
            Then::Ask(request) => Some(*request),
            _ => None,
        }
    }

    const URL: &str = "https://go.example.com/mod/@v/list";

    #[test]
    fn the_first_call_asks_nobody() {
        let step = with(&[], |call| GoAuth.start(call));
        assert!(step.say.expose().is_empty() && matches!(step.then, Then::End(Exit::Answered, None)));
        assert!(matches!(with(&[URL, "x"], |call| GoAuth.start(call).then), Then::End(Exit::Usage, Some(_))));
    }

    #[test]
    fn only_a_refusal_may_open_a_page() {
        let refused = "HTTP/1.1 401 Unauthorized\nDate: now\nWww-Authenticate: Bearer realm=\"x\"\n\n";
        let request = asked(URL, refused).expect("a question");
        assert_eq!((request.no_prompt, request.challenge.as_slice()), (None, &["Bearer realm=\"x\"".to_owned()][..]));
        let tight = asked(URL, "HTTP/1.1 401\nwww-authenticate:Basic\n: x\nno colon\n\n").expect("a question");
        assert_eq!((tight.no_prompt, tight.challenge.as_slice()), (None, &["Basic".to_owned()][..]));
        for input in ["HTTP/1.1 404 Not Found\n\n", "HTTP/2.0 410 Gone\n\n", "", "garbage", "401", "\0\u{1}"] {
            let request = asked(URL, input).expect("a question");
            assert!(request.no_prompt.is_some() && request.refused.is_none(), "{input:?}");
        }
        for odd in ["http://127.0.0.1:1/x", "https://u@go.example.com/", "go.example.com", ""] {
            assert!(asked(odd, refused).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_block_has_both_blank_lines_and_the_rules_prefix() {
        let request = asked(URL, "").expect("a question");
        let say = |credential: Credential| -> Step {
            with(&[URL], |call| GoAuth.reply(call, &request, &Reply::Pass(Box::new(credential.clone()))))
        };
        let mut credential = Credential::example("AT1");
        credential.rule = "https://*.example.com".into();
        assert_eq!(say(credential.clone()).say.expose(), "https://go.example.com\n\nAuthorization: Bearer AT1\n\n");
        credential.rule = "https://go.example.com/mod".into();
        credential.headers = vec![("X-Tenant".into(), "acme".into())];
        assert_eq!(
            say(credential.clone()).say.expose(),
            "https://go.example.com/mod\n\nAuthorization: Bearer AT1\nX-Tenant: acme\n\n"
        );
        credential.kind = Kind::IdToken;
        assert!(say(credential).say.expose().is_empty());
        assert!(say(Credential::example("a\r\nX: y")).say.expose().is_empty());
    }

    #[test]
    fn nothing_to_say_is_no_failure() {
        let request = asked(URL, "").expect("a question");
        let reply = |reply: &Reply| with(&[URL], |call| GoAuth.reply(call, &request, reply));
        assert!(matches!(reply(&Reply::Missing(None)).then, Then::End(Exit::Answered, None)));
        let failed = reply(&Reply::Failed(Failure::new(Exit::SignIn, "x")));
        assert!(failed.say.expose().is_empty() && matches!(failed.then, Then::End(Exit::SignIn, Some(_))));
    }
}
