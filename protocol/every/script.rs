//! What each tool asks, and the loop of the binary to ask it with

use crate::find;
use crate::secret::Secret;
use crate::talk::{Call, Credential, Exit, Kind, Kinds, Reply, Request, Then};

pub(super) type Question = (&'static str, &'static [&'static str], &'static str, &'static str);

/// A question that each protocol answers with a credential: name, arguments, the variable, stdin.
pub(super) const QUESTIONS: &[Question] = &[
    ("git", &["get"], "", "protocol=https\nhost=h.example\n"),
    ("kubectl", &[], "", ""),
    ("docker", &["get"], "", "h.example"),
    ("cargo", &[], "", r#"{"v":1,"registry":{"index-url":"https://h.example"},"kind":"get","operation":"read"}"#),
    ("terraform", &["get", "h.example"], "", ""),
    ("bazel", &["get"], "", r#"{"uri":"https://h.example/a"}"#),
    ("vault", &["get"], "https://h.example", ""),
    ("goauth", &["https://h.example/mod"], "", "HTTP/1.1 401 Unauthorized\n\n"),
    ("google", &[], "", ""),
    ("pnpm", &[], "", ""),
    ("askpass", &["Password for 'https://me@h.example': "], "", ""),
    ("xoauth2", &[], "", ""),
    ("oauthbearer", &["imaps://h.example"], "", ""),
    ("kubelet", &[], "", KUBELET),
    ("keyring", &["get", "https://h.example/simple", "me"], "", ""),
    ("headers", &["https://h.example"], "", ""),
    ("nuget", &["-Plugin"], "", NUGET),
    ("aws", &[], "", ""),
    ("aws", &["--role", "123456789012/ReadOnly"], "", ""),
    ("get", &[], "", ""),
    ("header", &[], "", ""),
    ("json", &["get"], "", r#"{"account":"work"}"#),
];

/// What else they ask: to keep, to forget, to name. None of the answers has a token in it.
pub(super) const OTHERS: &[Question] = &[
    ("git", &["store"], "", "protocol=https\nhost=h.example\nusername=u\npassword=canary\n"),
    ("git", &["erase"], "", "protocol=https\nhost=h.example\nusername=u\npassword=canary\n"),
    ("git", &["capability"], "", ""),
    ("docker", &["store"], "", r#"{"ServerURL":"h.example","Username":"u","Secret":"canary"}"#),
    ("docker", &["erase"], "", "h.example"),
    ("docker", &["list"], "", "unused"),
    ("docker", &["version"], "", ""),
    ("cargo", &[], "", r#"{"v":1,"registry":{"index-url":"https://h.example"},"kind":"login","token":"canary"}"#),
    ("cargo", &[], "", r#"{"v":1,"registry":{"index-url":"https://h.example"},"kind":"logout"}"#),
    ("terraform", &["store", "h.example"], "", r#"{"token":"canary"}"#),
    ("terraform", &["forget", "h.example"], "", ""),
    ("vault", &["store"], "https://h.example", "canary"),
    ("vault", &["erase"], "https://h.example", ""),
    ("keyring", &["set", "https://h.example", "me"], "", "canary\n"),
    ("keyring", &["del", "https://h.example", "me"], "", ""),
    (
        "nuget",
        &["-Plugin"],
        "",
        r#"{"RequestId":"a","Type":"Request","Method":"SetCredentials","Payload":{"Password":"canary"}}"#,
    ),
    ("json", &["store"], "", r#"{"url":"https://h.example","token":"canary"}"#),
    ("json", &["erase"], "", r#"{"url":"https://h.example","token":"canary"}"#),
];

const NUGET: &str = r#"{"RequestId":"a","Type":"Request","Method":"GetAuthenticationCredentials","Payload":{"Uri":"https://h.example/"}}"#;
const KUBELET: &str =
    r#"{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"h.example/a"}"#;

/// How a conversation ended: what was said, the exit code, the words for the person.
pub(super) struct Ended {
    pub(super) said: String,
    pub(super) exit: Exit,
    pub(super) words: String,
}

/// The loop of the binary over a scripted tool: each read takes the next line of the script, then nothing.
pub(super) fn drive(
    name: &str,
    args: &[&str],
    variable: &str,
    script: &[&str],
    reply: &dyn Fn(&Request) -> Reply,
) -> Ended {
    let (protocol, name) = find(name).expect(name);
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let env = |name: &str| Some(variable.to_owned()).filter(|value| !value.is_empty() && name.ends_with("_ADDR"));
    let call = Call { name, args: &args, env: &env, now: 1_795_350_000 };
    let (mut said, mut script) = (String::new(), script.iter());
    let mut step = protocol.start(&call);
    for _ in 0..20 {
        said.push_str(step.say.expose());
        step = match step.then {
            Then::Read(_) => protocol.hear(&call, script.next().copied().unwrap_or_default()),
            Then::Ask(request) => protocol.reply(&call, &request, &reply(&request)),
            Then::End(exit, failure) => {
                return Ended { said, exit, words: failure.map_or(String::new(), |why| why.in_one_line()) };
            }
            Then::File(copy) => {
                said.push_str(copy.text.as_ref().map_or("", Secret::expose));
                return Ended { said, exit: Exit::Answered, words: String::new() };
            }
            Then::PassOn(..) => return Ended { said, exit: Exit::Bug, words: String::new() },
        };
    }
    panic!("{name}: the conversation does not end");
}

pub(super) fn pass(token: &str) -> impl Fn(&Request) -> Reply {
    move |request| {
        let (kind, value) = match request.kinds {
            Kinds::Id => (Kind::IdToken, token.to_owned()),
            Kinds::Aws => {
                let keys = serde_json::json!({ "AccessKeyId": "a", "SecretAccessKey": token, "SessionToken": "t" });
                (Kind::Aws, keys.to_string())
            }
            Kinds::Access | Kinds::Vault | Kinds::Either => (Kind::Bearer, token.to_owned()),
        };
        Reply::Pass(Box::new(Credential { kind, ..Credential::example(&value) }))
    }
}

pub(super) fn asked(question: &Question, reply: &dyn Fn(&Request) -> Reply) -> Ended {
    let (name, args, variable, stdin) = question;
    drive(name, args, variable, &[stdin], reply)
}

/// Both.
pub(super) fn every_question() -> impl Iterator<Item = &'static Question> {
    QUESTIONS.iter().chain(OTHERS)
}
