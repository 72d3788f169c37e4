//! The shared words of every conversation with a tool
//!
//! A tool asks **what for**; the answer is **here is one**, **not mine** or **it failed, because**. Only the
//! spelling differs from tool to tool:
//!
//! ```text
//!   wire text --hear--> Request --(the caller answers)--> Reply --reply--> wire text
//! ```
//!
//! A [`Protocol`] is a conversation without input or output of its own: at each turn it returns a [`Step`],
//! that is, bytes to say and what to do next. The caller reads, asks whoever holds the credentials, and
//! calls again. Protocols keep no state between turns: what a later turn needs travels in the [`Request`].

use std::fmt;

pub use crate::credential::{Credential, Form, Kept, Kind};
pub use crate::failure::{Exit, Failure};
use crate::place::Place;
use crate::secret::Secret;

/// One tool's way of asking for a credential.
///
/// Three turns hold every protocol measured so far: git and docker read, ask and answer; kubectl asks at once;
/// cargo says its greeting first, then reads a line, asks, answers and reads the next line.
pub trait Protocol: Sync {
    /// The canonical name first (`hallpass NAME ...`), then the program names and the first arguments by which
    /// only this tool calls (`git-credential-hallpass`, `--cargo-plugin`).
    fn names(&self) -> &'static [&'static str];

    /// Whether the tool keeps our stderr from its user: then a terminal, where there is one, hears why it failed.
    fn hides_stderr(&self) -> bool {
        false
    }

    /// The conversation begins; nothing has been read.
    fn start(&self, call: &Call<'_>) -> Step;

    /// The input asked for by [`Then::Read`], at most [`MAX_INPUT`] bytes. Empty means the tool said nothing.
    fn hear(&self, call: &Call<'_>, input: &str) -> Step {
        let _ = (call, input);
        Step::end(Exit::Answered)
    }

    /// The input asked for is none: it is too long, or no text (`readable` is what can be read of it all the same), or
    /// it cannot be read at all. Ends in the tool's own way to fail.
    fn garbled(&self, call: &Call<'_>, readable: &str, why: Failure) -> Step {
        let _ = (call, readable);
        Step::fail(why)
    }

    /// The answer to the request made by [`Then::Ask`].
    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step;
}

/// The most bytes of one question. git's documented line limit is 65,535; registries send long headers.
pub const MAX_INPUT: usize = 1 << 20;

/// How the tool called: everything a protocol may know about the world.
pub struct Call<'a> {
    /// The one of [`Protocol::names`] by which it was called.
    pub name: &'a str,
    /// The arguments after the protocol's name, without hallpass's own `--account` and `--api-url`.
    pub args: &'a [String],
    /// Looks an environment variable up; one that is empty or not UTF-8 is absent.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Seconds since the epoch.
    pub now: u64,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("args", &self.args.len()).field("now", &self.now).finish_non_exhaustive()
    }
}

/// What to say to the tool, and what to do next.
#[derive(Debug)]
#[must_use]
pub struct Step {
    /// Bytes for stdout, written and flushed before anything else happens.
    pub say: Secret,
    /// What to do next.
    pub then: Then,
}

/// What to do after the bytes of a [`Step`] are out.
#[derive(Debug)]
pub enum Then {
    /// Read a question and call [`Protocol::hear`].
    Read(Framing),
    /// Answer this and call [`Protocol::reply`].
    Ask(Box<Request>),
    /// Write or remove a file that the tool named, and end well.
    File(Box<Copy>),
    /// Exit with this code, which a protocol may dictate whatever the failure says; the failure's words, if any, go
    /// to the person.
    End(Exit, Option<Failure>),
    /// Not ours: the next program of this name on PATH takes over, with our arguments and streams. Where there is none
    /// it goes on with this, else it ends with code 1, by which such a program says that it has nothing.
    PassOn(&'static str, Option<Box<Step>>),
}

/// An answer in a file beside, or in place of, the one on stdout.
#[derive(Debug, Clone)]
pub struct Copy {
    /// Its path, as the tool named it.
    pub path: String,
    /// What it says; `None` removes it.
    pub text: Option<Secret>,
    /// The tool reads nothing else: that it cannot be written is a failure. Else nobody hears of it.
    pub required: bool,
}

impl Step {
    /// Says nothing and reads.
    pub fn read(framing: Framing) -> Self {
        Self { say: Secret::new(""), then: Then::Read(framing) }
    }

    /// Says nothing and asks.
    pub fn ask(request: Request) -> Self {
        Self { say: Secret::new(""), then: Then::Ask(Box::new(request)) }
    }

    /// Says nothing and ends.
    pub fn end(exit: Exit) -> Self {
        Self { say: Secret::new(""), then: Then::End(exit, None) }
    }

    /// Says this and ends well.
    pub fn answer(text: impl Into<String>) -> Self {
        Self { say: Secret::new(text), then: Then::End(Exit::Answered, None) }
    }

    /// Says this and reads.
    pub fn say_and_read(text: impl Into<String>, framing: Framing) -> Self {
        Self { say: Secret::new(text), then: Then::Read(framing) }
    }

    /// Says this and ends with a code that the protocol dictates.
    pub fn end_with(text: impl Into<String>, exit: Exit) -> Self {
        Self { say: Secret::new(text), then: Then::End(exit, None) }
    }

    /// Says nothing and leaves it to the next program of this name.
    pub fn pass_on(program: &'static str) -> Self {
        Self { say: Secret::new(""), then: Then::PassOn(program, None) }
    }

    /// Says nothing to the tool, and why to the person.
    pub fn fail(failure: Failure) -> Self {
        Self { say: Secret::new(""), then: Then::End(failure.exit, Some(failure)) }
    }
}

/// How much of stdin is one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// To the end of the file.
    All,
    /// To a blank line or the end of the file (git ends by closing the pipe, other callers by a blank line).
    Block,
    /// One line; stdin stays open.
    Line,
}

/// A question in our words.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// What the credential is for.
    pub target: Target,
    /// Narrows the choice to this account as `--account` does, for tools that send our options inside their question.
    pub account: Option<String>,
    /// The user name the tool asked for; it selects among accounts and is never replaced by another.
    pub username: Option<String>,
    /// Which kinds of token this door may hand out.
    pub kinds: Kinds,
    /// The credential that the server refused, when the tool says so.
    pub refused: Option<Refused>,
    /// A token of whoever the tool asks for, which an account may exchange for one that is theirs alone.
    pub subject: Option<Secret>,
    /// The server's `WWW-Authenticate` values.
    pub challenge: Vec<String>,
    /// What the tool announced that it can read.
    pub capabilities: Vec<String>,
    /// The audience or resource the token must be for, when the tool names one.
    pub audience: Option<String>,
    /// The resource (RFC 8707) it must be for, when the caller says that it is one.
    pub resource: Option<String>,
    /// The scopes the token is to be narrowed to, when the caller names them: with a space between, in alphabetical order.
    pub scope: Option<String>,
    /// The role that keys are wanted for, when the caller names one and does not leave it to the account.
    pub role: Option<String>,
    /// The request that the token is to be shown with, when the caller says: one that is bound to a key needs a proof for it.
    pub shown_with: Option<ShownWith>,
    /// Seconds of life the credential must have left; `None` is the account's leeway.
    pub min_life: Option<u64>,
    /// Why nobody may be asked to sign in, when the tool itself forbids it; nothing overrides it.
    pub no_prompt: Option<&'static str>,
    /// Seconds after which the tool gives up on us; `None` when it waits for as long as a person takes.
    pub patience: Option<u64>,
    /// What the tool wants to hear every few seconds for as long as it waits, so that it does not give up on a person.
    pub heartbeat: Option<String>,
    /// What a tool brought is kept for the same door alone: a cargo token is no password for git. Passwords of git
    /// are kept under the empty name.
    pub drawer: &'static str,
    /// For the protocol itself, which remembers nothing between its turns: handed back with the reply.
    pub note: String,
}

impl Request {
    /// A question with nothing but a verb and a target; access tokens only.
    #[must_use]
    pub fn new(verb: Verb, target: Target) -> Self {
        Self {
            verb,
            target,
            account: None,
            username: None,
            kinds: Kinds::Access,
            refused: None,
            subject: None,
            challenge: Vec::new(),
            capabilities: Vec::new(),
            audience: None,
            resource: None,
            scope: None,
            role: None,
            shown_with: None,
            min_life: None,
            no_prompt: None,
            patience: None,
            heartbeat: None,
            drawer: "",
            note: String::new(),
        }
    }
}

/// A request that shows a token (RFC 9449 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownWith {
    /// As in the request's first line: `GET`.
    pub method: String,
    /// As the request has it; a query is not part of the proof.
    pub url: String,
    /// What the resource gave in its `DPoP-Nonce`.
    pub nonce: Option<String>,
}

/// What the tool wants done.
#[derive(Debug, Clone)]
pub enum Verb {
    /// Hand a credential out.
    Get,
    /// Keep this one.
    Store(Box<Kept>),
    /// Forget what matches; with a secret, only if it is the one held.
    Erase(Option<Secret>),
    /// Name the places for which there is a credential; the target is not looked at.
    List,
    /// Say whether an account serves the target: [`Reply::Unsupported`] if one does, for then nothing is stored there or
    /// erased; [`Reply::Missing`] if not.
    Whose,
    /// End the account's session: a person said so to the tool.
    SignOut,
}

/// What a credential is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An account by name.
    Account(String),
    /// A place, served or not.
    Place(Place),
    /// Nothing was named: the default account.
    Default,
}

/// Which kinds of token a door may hand out. An id_token asserts who somebody is to one audience: given to a
/// git host it could be replayed there, so only doors made for it take one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// An access token and nothing else.
    Access,
    /// An id_token and nothing else.
    Id,
    /// Keys of AWS, which are bought with an id_token, or with an access token of IAM Identity Center.
    Aws,
    /// A token of Vault, bought where the account logs in there; else an access token and nothing else.
    Vault,
    /// Either is legal here: the account's `hand_out` decides, else an id_token where the session has one.
    Either,
}

/// The credential a server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The one with this [`Credential::id`].
    Id(String),
    /// This very value.
    Value(Secret),
    /// The one handed out last; the tool did not say which.
    Last,
}

/// The answer in our words. `Missing`, `Unsupported` and `Failed` stay apart because every wire spells them apart.
#[derive(Debug)]
pub enum Reply {
    /// Here is one.
    Pass(Box<Credential>),
    /// Kept earlier by a tool.
    Kept(Box<Kept>),
    /// Stored or erased; also when there was nothing to do.
    Done,
    /// The places for which there is a credential, and the user name of each.
    Names(Vec<(Place, String)>),
    /// Not mine: somebody else may have it. With words where a person might have expected otherwise.
    Missing(Option<Failure>),
    /// Mine, but not in this form.
    Unsupported(String),
    /// Mine, and it failed.
    Failed(Failure),
}

impl Reply {
    /// The failure in it, for a wire that knows only "here is one" and "it failed". An answer that is no failure
    /// but cannot be spelled on such a wire counts as missing.
    #[must_use]
    pub fn failure(&self, request: &Request) -> Failure {
        match self {
            Self::Failed(failure) | Self::Missing(Some(failure)) => failure.clone(),
            Self::Unsupported(why) => Failure::new(Exit::Missing, why.clone()),
            _ => {
                let what = match &request.target {
                    Target::Place(place) => format!("no account serves {place}"),
                    Target::Account(name) => format!("there is no account `{name}`"),
                    Target::Default => "there is no default account".to_owned(),
                };
                Failure::new(Exit::Missing, what).hint("`hallpass accounts` lists them, `hallpass login` adds one")
            }
        }
    }
}
