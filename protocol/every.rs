//! What holds for every protocol of the list, and the loop of the binary to show it with

use crate::place::Place;
use crate::secret::Secret;
use crate::talk::{Call, Credential, Exit, Failure, Kept, Kind, Kinds, Reply, Request, Then};
use crate::{ALL, find};

/// A question that each protocol answers with a credential: name, arguments, the variable, stdin.
const QUESTIONS: &[(&str, &[&str], &str, &str)] = &[
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
    ("get", &[], "", ""),
    ("header", &[], "", ""),
    ("json", &["get"], "", r#"{"account":"work"}"#),
];

const NUGET: &str = r#"{"RequestId":"a","Type":"Request","Method":"GetAuthenticationCredentials","Payload":{"Uri":"https://h.example/"}}"#;
const KUBELET: &str =
    r#"{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"h.example/a"}"#;

/// How a conversation ended: what was said, the exit code, the words for the person.
struct Ended {
    said: String,
    exit: Exit,
    words: String,
}

/// The loop of the binary over a scripted tool: each read takes the next line of the script, then nothing.
fn drive(name: &str, args: &[&str], variable: &str, script: &[&str], reply: &dyn Fn(&Request) -> Reply) -> Ended {
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

fn pass(token: &str) -> impl Fn(&Request) -> Reply {
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

fn asked(question: &(&str, &[&str], &str, &str), reply: &dyn Fn(&Request) -> Reply) -> Ended {
    let (name, args, variable, stdin) = question;
    drive(name, args, variable, &[stdin], reply)
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = ALL.iter().flat_map(|protocol| protocol.names()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(find("git").is_some() && find("frobnicate").is_none());
}

#[test]
fn every_protocol_has_a_question_here() {
    for protocol in ALL {
        let has = QUESTIONS.iter().any(|(name, ..)| protocol.names().contains(name));
        assert!(has, "{} has none", protocol.names()[0]);
    }
}

/// No protocol panics, whatever arrives; xorshift because a test needs no better dice.
#[test]
fn nothing_panics_on_arbitrary_input() {
    let mut dice = 0x2545_F491_4F6C_DD1D_u64;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % sides) as usize
    };
    let words = [
        "get",
        "store",
        "protocol=https\n",
        "host=",
        "{\"url\":",
        "\"",
        "\n",
        "\u{0}",
        "[]",
        "é",
        "=",
        "}",
        "'https://",
        "@",
        ": ",
        "HTTP/1.1 ",
        "{\"v\":1,",
        "--mode",
        "https://h/",
    ];
    for _ in 0..2_000 {
        let input: String = (0..roll(12)).map(|_| words[roll(words.len() as u64)]).collect();
        let args: Vec<String> = (0..roll(3)).map(|_| words[roll(words.len() as u64)].to_owned()).collect();
        for protocol in ALL {
            let env = |_: &str| Some(input.clone());
            let call = Call { name: protocol.names()[0], args: &args, env: &env, now: 0 };
            let _ = protocol.start(&call);
            let _ = protocol.hear(&call, &input);
        }
    }
}

#[test]
fn a_token_arrives_and_every_other_answer_is_without_one() {
    for question in QUESTIONS {
        let name = question.0;
        let ended = asked(question, &pass("canary"));
        let carries = ended.said.contains("canary") || matches!(name, "xoauth2" | "oauthbearer");
        assert!(carries && ended.words.is_empty() && ended.exit == Exit::Answered, "{name}: {}", ended.said);
        let why = || Failure::new(Exit::SignIn, "no session").hint("`hallpass login work`");
        let others: [&dyn Fn(&Request) -> Reply; 7] = [
            &|_| Reply::Done,
            &|_| Reply::Names(vec![(Place::from_url("https://h.example").expect("a URL"), "u".into())]),
            &|_| Reply::Missing(None),
            &|_| Reply::Missing(Some(why())),
            &|_| Reply::Unsupported("not here".into()),
            &|_| Reply::Failed(why()),
            &|_| Reply::Kept(Box::new(Kept::new(None, Secret::new("a\nb")))),
        ];
        for (at, reply) in others.iter().enumerate() {
            let ended = asked(question, reply);
            assert!(!ended.said.contains("AT1") && !ended.said.contains("a\nb\n"), "{name} {at}: {}", ended.said);
        }
        let failed = asked(question, &|_| Reply::Failed(why()));
        let told = failed.words.contains("hallpass login work") || failed.said.contains("hallpass login work");
        assert!(told, "{name}: the next command is not named: {}{}", failed.said, failed.words);
    }
}

/// A token with a line break, a control byte or a quote is escaped or refused: never half an answer, never a line more.
#[test]
fn odd_tokens_are_escaped_or_refused() {
    for question in QUESTIONS {
        let name = question.0;
        let lines = asked(question, &pass("plain")).said.lines().count();
        for byte in (0..=127_u8).chain([0]) {
            let token = format!("canary{}X-Evil: 1", char::from(byte));
            let ended = asked(question, &pass(&token));
            let whole = ended.said.lines().count() == lines && ended.exit == Exit::Answered;
            let refused = !ended.said.contains("canary");
            assert!(whole || refused, "{name} byte {byte}: {:?}", ended.said);
            assert!(!ended.said.lines().any(|line| line.starts_with("X-Evil")), "{name} byte {byte}");
            assert!(!ended.words.contains("canary"), "{name} byte {byte}: a token in the words");
            if whole && ended.said.starts_with('{') {
                let line = ended.said.lines().last().unwrap_or_default();
                let answer: serde_json::Value = serde_json::from_str(line).expect(name);
                let text = answer.to_string();
                assert!(refused || text.contains("canary"), "{name} byte {byte}");
            }
        }
    }
}

/// An id_token asserts who somebody is: only the doors made for it hand one out.
#[test]
fn id_tokens_leave_through_two_doors() {
    let id = |_: &Request| Reply::Pass(Box::new(Credential { kind: Kind::IdToken, ..Credential::example("canary") }));
    let with: Vec<_> = QUESTIONS
        .iter()
        .filter(|question| asked(question, &id).said.contains("canary"))
        .map(|(name, ..)| *name)
        .collect();
    // `get` and `json` ask for access tokens and never see one.
    assert_eq!(with, ["kubectl", "google", "get", "json"]);
    for name in ["get", "json", "git", "docker"] {
        let question = QUESTIONS.iter().find(|question| question.0 == name).expect(name);
        asked(question, &|request| {
            assert_eq!(request.kinds, Kinds::Access, "{name}");
            Reply::Missing(None)
        });
    }
}

#[test]
fn a_tool_that_is_spoken_to_first_and_asks_twice() {
    let line = |host: &str| {
        format!(
            "{{\"v\":1,\"registry\":{{\"index-url\":\"https://{host}/\"}},\"kind\":\"get\",\"operation\":\"read\"}}\n"
        )
    };
    let (mine, other) = (line("mine.example"), line("other.example"));
    let ended = drive("cargo", &[], "", &[&mine, &other], &|request| match &request.target {
        crate::talk::Target::Place(place) if place.host == "mine.example" => pass("AT1")(request),
        _ => Reply::Missing(None),
    });
    let said: Vec<_> = ended.said.lines().collect();
    assert_eq!((said[0], said[2]), ("{\"v\":[1]}", "{\"Err\":{\"kind\":\"url-not-supported\"}}"));
    assert!(said[1].starts_with("{\"Ok\":{\"kind\":\"get\",\"token\":\"Bearer AT1\"") && ended.exit == Exit::Answered);
}

#[test]
fn programs_are_the_names_with_ours_in_them() {
    let names = ALL.iter().flat_map(|protocol| protocol.names()).copied();
    let programs: Vec<_> = names.filter(|name| crate::is_program(name)).collect();
    assert!(programs.contains(&"docker-credential-hallpass") && programs.contains(&"hallpass-npm"));
    assert!(!programs.contains(&"keyring") && !programs.contains(&"git"), "somebody else's names are not ours to take");
}
