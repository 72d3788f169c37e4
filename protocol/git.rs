//! git's credential helper protocol: lines of `key=value`
//!
//! ```text
//! argv   git-credential-hallpass get
//! stdin  capability[]=authtype        stdout  capability[]=authtype
//!        capability[]=state                   capability[]=state
//!        protocol=https                       username=oauth2
//!        host=git.example.com                 password=TOKEN
//!        wwwauth[]=Basic realm="x"            password_expiry_utc=1795349999
//!                                             ephemeral=1
//!                                             state[]=hallpass:1:9f2c61d04b7e83aa
//!                                             continue=1
//!                                             (a blank line)
//! ```
//!
//! Measured with git 2.39.5 and 2.47.3; the fields with a capability need 2.46. git splits a line at its first
//! `=`, ends its question by closing the pipe, ignores our exit code for `get`, and waits for the end of stdout
//! unless the answer ends with a blank line. Two rules keep git from looping for ever or failing:
//! `continue=1` is sent in the first round only, and it is what turns a refused token into another `get` inside
//! the same git command instead of an `erase` and an error.

mod question;

use crate::secret::Secret;
use crate::talk::{
    Call, Credential, Exit, Failure, Form, Framing, Kept, Kind, Protocol, Reply, Request, Step, Target, Then, Verb,
};

use question::{Question, STATE_ID};

/// git.
#[derive(Debug)]
pub(crate) struct Git;

impl Protocol for Git {
    fn names(&self) -> &'static [&'static str] {
        &["git", "git-credential-hallpass", "store", "erase"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match verb(call) {
            None => Step::fail(Failure::new(Exit::Usage, "git's operation is missing: one of get, store, erase")),
            Some("capability") => Step::answer("version 0\ncapability authtype\ncapability state\n"),
            // An operation of a later git: read what it says, and say nothing.
            Some(_) => Step::read(Framing::Block),
        }
    }

    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let question = match Question::read(input) {
            Ok(question) => question,
            Err(why) => return Step::fail(Failure::new(Exit::Refused, format!("git asked in a way we refuse: {why}"))),
        };
        match question.request(verb(call).unwrap_or_default()) {
            Some(request) => Step::ask(Request { no_prompt: forbidden(call), ..request }),
            None => Step::end(Exit::Answered),
        }
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        if !matches!(request.verb, Verb::Get) {
            return match reply {
                Reply::Failed(failure) => Step::fail(failure.clone()),
                _ => Step::end(Exit::Answered),
            };
        }
        match reply {
            Reply::Pass(credential) => match pass(request, credential) {
                Ok(answer) => Step::answer(answer),
                Err(failure) => quit(request, failure),
            },
            Reply::Kept(kept) => Step::answer(keep(request, kept)),
            Reply::Failed(failure) => quit(request, failure.clone()),
            Reply::Unsupported(why) => silent(Failure::new(Exit::Missing, why.clone())),
            Reply::Missing(Some(why)) => silent(why.clone()),
            Reply::Missing(None) | Reply::Done | Reply::Names(_) => Step::end(Exit::Answered),
        }
    }
}

/// The operation is the last argument (options stand before it), or our own name: `hallpass store`.
fn verb<'a>(call: &Call<'a>) -> Option<&'a str> {
    match call.name {
        "store" | "erase" => Some(call.name),
        _ => call.args.last().map(String::as_str),
    }
}

/// git's own way to say that nobody may be asked. (`credential.interactive` stands in git's configuration, which
/// this crate cannot read: the caller looks it up on a miss.)
fn forbidden(call: &Call<'_>) -> Option<&'static str> {
    let off = |value: String| matches!(value.as_str(), "0" | "false" | "no" | "off");
    (call.env)("GIT_TERMINAL_PROMPT").is_some_and(off).then_some("GIT_TERMINAL_PROMPT=0")
}

fn can(request: &Request, capability: &str) -> bool {
    request.capabilities.iter().any(|name| name == capability)
}

/// The schemes the server offers, lower case.
fn offers(request: &Request, scheme: &str) -> bool {
    request.challenge.iter().any(|entry| {
        let word = entry.split([' ', ',', '\t']).next().unwrap_or_default();
        word.eq_ignore_ascii_case(scheme)
    })
}

/// Basic wherever it is offered: before git 2.54 a Bearer push of more than `http.postBuffer` fails. Never Bearer
/// for mail: `git imap-send` announces the capability and then crashes on an answer without a password.
fn as_bearer(request: &Request, form: Form) -> bool {
    let http = matches!(&request.target, Target::Place(place) if place.scheme == "https" || place.scheme == "http");
    let may = can(request, "authtype") && http;
    may && match form {
        Form::Bearer => true,
        Form::Basic => false,
        Form::Auto | Form::Bare => offers(request, "bearer") && !offers(request, "basic"),
    }
}

/// An answer: `key=value` lines and the blank one that lets git go on at once.
struct Lines(String);

impl Lines {
    /// With room for all of it: a text that grew would leave the secret behind in freed memory.
    fn around(secret: &Secret) -> Self {
        const REST: usize = 512; // every other line of an answer, unless a user name is odd
        Self(String::with_capacity(secret.expose().len() + REST))
    }

    fn add(&mut self, key: &str, value: &str) {
        for part in [key, "=", value, "\n"] {
            self.0.push_str(part);
        }
    }

    fn end(mut self) -> String {
        self.0.push('\n');
        self.0
    }
}

fn pass(request: &Request, credential: &Credential) -> Result<String, Failure> {
    let account = &credential.account;
    if credential.kind != Kind::Bearer {
        return Err(Failure::new(Exit::Refused, format!("account `{account}`: git takes access tokens only")));
    }
    if !credential.secret.is_one_line() {
        return Err(Failure::new(Exit::Refused, format!("account `{account}`: the token has a line break in it")));
    }
    let mut lines = Lines::around(&credential.secret);
    let (authtype, state) = (can(request, "authtype"), can(request, "state"));
    if authtype {
        lines.add("capability[]", "authtype");
    }
    if state {
        lines.add("capability[]", "state");
    }
    if as_bearer(request, credential.form) {
        lines.add("authtype", "Bearer");
        lines.add("credential", credential.secret.expose());
    } else {
        // An empty user name makes git send `Basic Og==`: the password is lost.
        let named = request.username.as_deref().filter(|name| !name.is_empty());
        lines.add("username", named.unwrap_or(&credential.username));
        lines.add("password", credential.secret.expose());
    }
    if let Some(expiry) = credential.expires_at {
        lines.add("password_expiry_utc", &expiry.to_string());
    }
    if authtype {
        lines.add("ephemeral", "1"); // other helpers in the chain must not keep a copy
    }
    if state && !credential.id.is_empty() {
        lines.add("state[]", &format!("{STATE_ID}{}", credential.id));
        if request.refused.is_none() {
            lines.add("continue", "1");
        }
    }
    Ok(lines.end())
}

fn keep(request: &Request, kept: &Kept) -> String {
    // Another door may have brought it: a line break would add a line of its sender's choice.
    let texts = [Some(kept.secret.expose()), kept.username.as_deref(), kept.authtype.as_deref()];
    let refresh_token = kept.refresh_token.as_ref().map(Secret::expose);
    if texts.into_iter().chain([refresh_token]).flatten().any(|text| text.contains(['\n', '\r', '\0'])) {
        return String::new();
    }
    let mut lines = Lines::around(&kept.secret);
    if let Some(authtype) = &kept.authtype {
        if !can(request, "authtype") {
            return String::new();
        }
        lines.add("capability[]", "authtype");
        lines.add("authtype", authtype);
        lines.add("credential", kept.secret.expose());
        if let Some(username) = &kept.username {
            lines.add("username", username);
        }
    } else {
        lines.add("username", kept.username.as_deref().unwrap_or_default());
        lines.add("password", kept.secret.expose());
    }
    if let Some(expiry) = kept.expires_at {
        lines.add("password_expiry_utc", &expiry.to_string());
    }
    if let Some(token) = &kept.refresh_token {
        lines.add("oauth_refresh_token", token.expose());
    }
    lines.end()
}

/// Ours, but nothing to give. When the server has asked, git would go on to prompt for a password that nobody has,
/// so it is told to stop; before that (proactive authentication) the request must stay anonymous.
fn quit(request: &Request, failure: Failure) -> Step {
    let mut step = silent(failure);
    if !request.challenge.is_empty() {
        step.say = Secret::new("quit=1\n\n");
    }
    step
}

/// Nothing for git, the reason for the person. git ignores the exit code of `get`; other callers of this protocol
/// take a failing helper for a broken one.
fn silent(failure: Failure) -> Step {
    Step { say: Secret::new(""), then: Then::End(Exit::Answered, Some(failure)) }
}

#[cfg(test)]
mod tests {
    use super::{Git, as_bearer};
    use crate::secret::Secret;
    use crate::talk::{Call, Credential, Form, Kind, Protocol, Refused, Reply, Request, Then, Verb};

    fn hear(op: &str, input: &str) -> Option<Request> {
        let args = [op.to_owned()];
        let call = Call { name: "git", args: &args, env: &|_| None, now: 0 };
        match Git.hear(&call, input).then {
            Then::Ask(request) => Some(*request),
            _ => None,
        }
    }

    fn say(request: &Request, form: Form) -> String {
        let call = Call { name: "git", args: &[], env: &|_| None, now: 0 };
        let credential = Credential {
            account: "work".into(),
            username: "oauth2".into(),
            secret: Secret::new("AT1"),
            kind: Kind::Bearer,
            expires_at: Some(1_795_349_999),
            id: "9f2c61d04b7e83aa".into(),
            form,
            headers: Vec::new(),
            rule: String::new(),
        };
        Git.reply(&call, request, &Reply::Pass(Box::new(credential))).say.expose().to_owned()
    }

    const BOTH: &str = "capability[]=authtype\ncapability[]=state\n";

    #[test]
    fn basic_for_an_old_git() {
        let request = hear("get", "protocol=https\nhost=h.example\n").expect("a request");
        assert_eq!(say(&request, Form::Auto), "username=oauth2\npassword=AT1\npassword_expiry_utc=1795349999\n\n");
    }

    #[test]
    fn bearer_when_only_bearer_is_offered() {
        let input = format!("{BOTH}protocol=https\nhost=h.example\nwwwauth[]=Bearer realm=\"x\"\n");
        let request = hear("get", &input).expect("a request");
        assert_eq!(
            say(&request, Form::Auto),
            "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential=AT1\n\
             password_expiry_utc=1795349999\nephemeral=1\nstate[]=hallpass:1:9f2c61d04b7e83aa\ncontinue=1\n\n"
        );
        let both = hear("get", &format!("{input}wwwauth[]=basic realm=\"x\"\n")).expect("a request");
        assert!(!as_bearer(&both, Form::Auto) && as_bearer(&both, Form::Bearer));
    }

    #[test]
    fn mail_takes_a_password() {
        let input = format!("{BOTH}protocol=imaps\nhost=mail.example\nusername=me@mail.example\n");
        let request = hear("get", &input).expect("a request");
        let answer = say(&request, Form::Bearer);
        assert!(answer.contains("username=me@mail.example\npassword=AT1\n") && !answer.contains("authtype=Bearer"));
    }

    #[test]
    fn the_second_round_never_continues() {
        for second in ["state[]=hallpass:1:9f2c61d04b7e83aa\n", "authtype=Bearer\n"] {
            let input = format!("{BOTH}{second}protocol=https\nhost=h.example\nwwwauth[]=Bearer\n");
            let request = hear("get", &input).expect("a request");
            assert!(request.refused.is_some(), "{second}");
            assert!(!say(&request, Form::Auto).contains("continue"), "{second}");
        }
        let foreign = hear("get", "state[]=other:1\nprotocol=https\nhost=h\n").expect("a request");
        assert_eq!(foreign.refused, None);
        let ours = hear("get", "state[]=hallpass:1:ab\nprotocol=https\nhost=h\n").expect("a request");
        assert_eq!(ours.refused, Some(Refused::Id("ab".into())));
    }

    #[test]
    fn half_a_place_is_no_place() {
        for input in
            ["", "protocol=https\n", "host=h\n", "path=x\n", "protocol=https\nhost=\n", "protocol=cert\nhost=h\n"]
        {
            assert!(hear("get", input).is_none(), "{input:?}");
        }
        assert!(hear("get", "protocol=https\nhost=a\rhost=b\n").is_none());
        assert!(hear("get", "protocol=https\nhost=a\0b\n").is_none());
        assert!(hear("get", &format!("protocol=https\nhost={}\n", "a".repeat(70_000))).is_none());
    }

    #[test]
    fn reads_as_git_writes() {
        let request = hear("store", "protocol=https\r\nhost=h\r\npassword=a=b==\r\nusername=u\n\nhost=evil\n");
        let request = request.expect("a request");
        let Verb::Store(kept) = &request.verb else { panic!("{request:?}") };
        assert_eq!((kept.secret.expose(), kept.username.as_deref()), ("a=b==", Some("u")));
        assert!(hear("store", "protocol=https\nhost=h\n").is_none(), "nothing to store");
        assert!(hear("frobnicate", "protocol=https\nhost=h\n").is_none(), "unknown operations are silent");
    }
}
