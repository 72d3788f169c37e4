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

use crate::place::Place;
use crate::secret::Secret;
use crate::talk::{
    Call, Credential, Exit, Failure, Form, Framing, Kept, Kind, Protocol, Refused, Reply, Request, Step, Target, Then,
    Verb,
};

/// git.
#[derive(Debug)]
pub(crate) struct Git;

/// The most bytes of one line: what git documents for helpers, newline included.
const MAX_LINE: usize = 65_535;

/// The prefix of our `state[]` lines (git hands those of other helpers to us too), and of those that name a token.
const STATE: &str = "hallpass:";
const STATE_ID: &str = "hallpass:1:";

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
            Reply::Missing(Some(why)) => silent(Failure::new(Exit::Missing, why.clone())),
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

/// A question as git wrote it.
#[derive(Debug, Default)]
struct Question<'a> {
    protocol: Option<&'a str>,
    host: Option<&'a str>,
    path: Option<&'a str>,
    username: Option<&'a str>,
    password: Option<&'a str>,
    authtype: Option<&'a str>,
    credential: Option<&'a str>,
    expiry: Option<u64>,
    refresh_token: Option<&'a str>,
    ephemeral: bool,
    capabilities: Vec<&'a str>,
    challenge: Vec<&'a str>,
    state: Vec<&'a str>,
}

impl<'a> Question<'a> {
    /// Reads up to the first blank line. Unknown keys are skipped, the last duplicate wins, an empty list value
    /// clears the list, and a line without `=` is skipped: all as git does or documents.
    fn read(input: &'a str) -> Result<Self, &'static str> {
        let mut question = Self::default();
        for line in input.split('\n') {
            if line.len() >= MAX_LINE {
                return Err("a line is longer than 65,535 bytes");
            }
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                break;
            }
            if line.bytes().any(|byte| byte == b'\r' || byte == 0) {
                return Err("a value has a carriage return or a NUL in it");
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            match key {
                "protocol" => question.protocol = Some(value),
                "host" => question.host = Some(value),
                "path" => question.path = Some(value),
                "username" => question.username = Some(value),
                "password" => question.password = Some(value),
                "authtype" => question.authtype = Some(value),
                "credential" => question.credential = Some(value),
                "password_expiry_utc" => question.expiry = value.parse().ok().filter(|expiry| *expiry > 0),
                "oauth_refresh_token" => question.refresh_token = Some(value),
                "ephemeral" => question.ephemeral = matches!(value, "1" | "true" | "yes" | "on"),
                "capability[]" => push(&mut question.capabilities, value),
                "wwwauth[]" => push(&mut question.challenge, value),
                "state[]" => push(&mut question.state, value),
                "url" => question.url(value)?,
                _ => {}
            }
        }
        Ok(question)
    }

    /// All of the place as one URL. git takes it apart before it asks a helper; other callers do not.
    fn url(&mut self, url: &'a str) -> Result<(), &'static str> {
        let (protocol, rest) = url.split_once("://").ok_or("`url=` is not a URL")?;
        // Taken as it stands: an escape could hide a line break, and git's own hosts have none.
        if rest.contains(['%', '\\', '#', '?']) {
            return Err("`url=` has an escape, a query or a backslash in it");
        }
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if user.is_some_and(|user| user.contains('@')) {
            return Err("`url=` has more than one `@` in it");
        }
        let (username, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
            Some((username, "")) => (Some(username), None),
            Some((username, password)) => (Some(username), Some(password)),
            None => (None, None),
        };
        (self.protocol, self.host, self.path) = (Some(protocol), Some(host), path);
        (self.username, self.password) = (username.or(self.username), password.or(self.password));
        Ok(())
    }

    fn request(&self, verb: &str) -> Option<Request> {
        let (scheme, host) = (self.protocol?, self.host?);
        if host.is_empty() || scheme == "cert" {
            return None;
        }
        let place = Place::from_parts(scheme, host, self.path).ok()?;
        let secret = self.credential.or(self.password).map(Secret::new);
        let verb = match verb {
            "get" => Verb::Get,
            "store" => Verb::Store(Box::new(Kept {
                username: self.username.map(str::to_owned),
                secret: secret?,
                authtype: self.credential.and(self.authtype).map(str::to_owned),
                expires_at: self.expiry,
                refresh_token: self.refresh_token.map(Secret::new),
                ephemeral: self.ephemeral,
            })),
            "erase" => Verb::Erase(secret),
            _ => return None,
        };
        let owned = |list: &[&str]| list.iter().map(|value| (*value).to_owned()).collect();
        Some(Request {
            username: self.username.map(str::to_owned),
            refused: self.refused(),
            challenge: owned(&self.challenge),
            capabilities: owned(&self.capabilities),
            ..Request::new(verb, Target::Place(place))
        })
    }

    /// The second round of one git command: our state comes back, or, at a POST after a GET that worked, only
    /// the `authtype` of our first answer.
    fn refused(&self) -> Option<Refused> {
        let ours = self.state.iter().find(|state| state.starts_with(STATE));
        match ours.map(|state| state.strip_prefix(STATE_ID)) {
            Some(Some(id)) => Some(Refused::Id(id.to_owned())),
            Some(None) => Some(Refused::Last),
            None => self.authtype.map(|_| Refused::Last),
        }
    }
}

fn can(request: &Request, capability: &str) -> bool {
    request.capabilities.iter().any(|name| name == capability)
}

fn push<'a>(list: &mut Vec<&'a str>, value: &'a str) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(value);
    }
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
        Form::Auto => offers(request, "bearer") && !offers(request, "basic"),
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
    let mut lines = String::new();
    let mut line = |key: &str, value: &str| {
        lines.push_str(key);
        lines.push('=');
        lines.push_str(value);
        lines.push('\n');
    };
    let (authtype, state) = (can(request, "authtype"), can(request, "state"));
    if authtype {
        line("capability[]", "authtype");
    }
    if state {
        line("capability[]", "state");
    }
    if as_bearer(request, credential.form) {
        line("authtype", "Bearer");
        line("credential", credential.secret.expose());
    } else {
        // An empty user name makes git send `Basic Og==`: the password is lost.
        let named = request.username.as_deref().filter(|name| !name.is_empty());
        line("username", named.unwrap_or(&credential.username));
        line("password", credential.secret.expose());
    }
    if let Some(expiry) = credential.expires_at {
        line("password_expiry_utc", &expiry.to_string());
    }
    if authtype {
        line("ephemeral", "1"); // other helpers in the chain must not keep a copy
    }
    if state && !credential.id.is_empty() {
        line("state[]", &format!("{STATE_ID}{}", credential.id));
        if request.refused.is_none() {
            line("continue", "1");
        }
    }
    lines.push('\n');
    Ok(lines)
}

fn keep(request: &Request, kept: &Kept) -> String {
    let mut lines = String::new();
    let mut line = |key: &str, value: &str| {
        lines.push_str(key);
        lines.push('=');
        lines.push_str(value);
        lines.push('\n');
    };
    if let Some(authtype) = &kept.authtype {
        if !can(request, "authtype") {
            return String::new();
        }
        line("capability[]", "authtype");
        line("authtype", authtype);
        line("credential", kept.secret.expose());
        if let Some(username) = &kept.username {
            line("username", username);
        }
    } else {
        line("username", kept.username.as_deref().unwrap_or_default());
        line("password", kept.secret.expose());
    }
    if let Some(expiry) = kept.expires_at {
        line("password_expiry_utc", &expiry.to_string());
    }
    if let Some(token) = &kept.refresh_token {
        line("oauth_refresh_token", token.expose());
    }
    lines.push('\n');
    lines
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
