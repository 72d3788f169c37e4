//! What holds for every protocol of the list

mod reader;
mod script;

use crate::place::Place;
use crate::secret::Secret;
use crate::talk::{Call, Credential, Exit, Failure, Kept, Kind, Kinds, Reply, Request, Then};
use crate::{ALL, find};
use reader::{Read, read};
use script::{QUESTIONS, asked, drive, every_question, pass};

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
        assert!(has, "`{}` has none in protocol/every/script.rs", protocol.names()[0]);
    }
}

/// xorshift, because a test needs no better dice; the same at every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    /// A question as it should be, with a few of its bytes changed, doubled or gone.
    fn spoiled(&mut self, question: &str) -> String {
        let mut bytes = question.as_bytes().to_vec();
        for _ in 0..=self.roll(4) {
            let (at, byte) = (self.roll(bytes.len() + 1), self.roll(256) as u8);
            match self.roll(4) {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                2 => bytes.truncate(at),
                _ => bytes.extend_from_within(at..),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// No protocol panics, hangs or hands a token out by accident, whatever arrives.
#[test]
fn arbitrary_input_is_survived() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for _ in 0..1_500 {
        let noise: Vec<u8> = (0..dice.roll(60)).map(|_| dice.roll(256) as u8).collect();
        let noise = String::from_utf8_lossy(&noise).into_owned();
        for (name, args, variable, stdin) in every_question() {
            let spoiled = dice.spoiled(stdin);
            let input = [&noise, &spoiled][dice.roll(2)];
            let why = || Failure::new(Exit::SignIn, "no session");
            let ended = drive(name, args, variable, &[input], &|_| Reply::Failed(why()));
            assert!(!ended.words.contains("canary"), "{name}: {input:?}: {}", ended.words);
            let arg = [&noise, &dice.spoiled(args.first().copied().unwrap_or_default())][dice.roll(2)].clone();
            let args: Vec<&str> = args.iter().skip(1).copied().chain([arg.as_str()]).collect();
            drive(name, &args, &noise, &[stdin], &|_| Reply::Failed(why()));
        }
    }
}

/// A question that the loop could not make a text of ends each conversation too.
#[test]
fn what_is_no_text_ends_it() {
    for (name, args, ..) in every_question() {
        let (protocol, name) = find(name).expect(name);
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let call = Call { name, args: &args, env: &|_| None, now: 0 };
        let step = protocol.garbled(&call, "", Failure::new(Exit::Usage, "the question is not UTF-8"));
        let Then::End(exit, why) = step.then else { panic!("{name} goes on") };
        let told = step.say.expose().contains("not UTF-8") || why.is_some_and(|why| why.what.contains("not UTF-8"));
        assert!(told && (exit != Exit::Answered || name == "cargo"), "{name}");
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

const UNREAD: &str = "its client cannot read that, or protocol/every/reader.rs does not know it";

/// Whatever the answer is, its client can read it, and finds a token in it only if there is one.
#[test]
fn every_answer_is_legal() {
    let why = || Failure::new(Exit::SignIn, "no \"session\"\nat all").hint("`hallpass login work`");
    let kept = |secret: &str| Reply::Kept(Box::new(Kept::new(Some("u".into()), Secret::new(secret))));
    type Case<'a> = (&'a dyn Fn(&Request) -> Reply, bool);
    let replies: [Case<'_>; 10] = [
        (&pass("canary"), true),
        (&|_| kept("canary"), true),
        (&|_| kept("a\nb"), false),
        (&|_| Reply::Done, false),
        (&|_| Reply::Names(Vec::new()), false),
        (&|_| Reply::Names(vec![(Place::from_url("https://h.example").expect("a URL"), "u\"".into())]), false),
        (&|_| Reply::Missing(None), false),
        (&|_| Reply::Missing(Some(why())), false),
        (&|_| Reply::Unsupported("not \"here\"".into()), false),
        (&|_| Reply::Failed(why()), false),
    ];
    const KEPT: usize = 2;
    for question in every_question() {
        let is_get = QUESTIONS.contains(question);
        // Only what asks for a credential is answered with one.
        for (at, (reply, has_token)) in replies.iter().enumerate().skip(if is_get { 0 } else { KEPT + 1 }) {
            let ended = asked(question, reply);
            let (name, line) = (question.0, format!("{:?} {at}: {:?}", question, ended.said));
            match read(name, &ended.said, ended.exit) {
                Read::Illegal => {
                    assert_eq!(question.1, ["capability"], "{line}: {UNREAD}");
                }
                // JSON carries what was kept as it came.
                Read::Token(token) if at == KEPT => assert!(token == "a\nb", "{line}"),
                Read::Token(token) => assert!(*has_token && token == "canary", "{line}"),
                Read::Other => {}
            }
            assert!(!ended.words.contains("canary"), "{line}");
        }
    }
}

/// An empty answer is fatal to docker's kin: there is always a word.
#[test]
fn docker_never_answers_with_nothing() {
    let question = QUESTIONS.iter().find(|question| question.0 == "docker").expect("docker");
    let why = || Failure::new(Exit::SignIn, "x");
    let replies: [&dyn Fn(&Request) -> Reply; 7] = [
        &pass("canary"),
        &pass("a\nb"),
        &|_| Reply::Done,
        &|_| Reply::Missing(None),
        &|_| Reply::Missing(Some(why())),
        &|_| Reply::Unsupported("x".into()),
        &|_| Reply::Failed(why()),
    ];
    for (at, reply) in replies.into_iter().enumerate() {
        assert!(!asked(question, reply).said.is_empty(), "{at}");
    }
}

/// What goes in comes out at the other end, letter by letter, or nothing does: never half a token, never a line more.
#[test]
fn every_token_is_read_as_it_was_or_refused() {
    let all_letters: String = ('\u{20}'..='\u{7e}').collect();
    let letters = (0..=255_u8).map(|byte| format!("canary{}X-Evil:1", char::from(byte)));
    let odd = [
        "canary",
        &all_letters,
        "canary\u{2028}\u{feff}\u{1f511}",
        "canary\r\n\r\nX-Evil:1",
        " canary ",
        "\u{85}canary",
        "canary=",
    ];
    let tokens: Vec<String> = letters.chain(odd.map(str::to_owned)).collect();
    for question in QUESTIONS {
        let name = question.0;
        let mut read_back = 0;
        for token in &tokens {
            let ended = asked(question, &pass(token));
            match read(name, &ended.said, ended.exit) {
                Read::Token(read) => {
                    assert_eq!(read, *token, "{name}: {:?}", ended.said);
                    read_back += 1;
                }
                Read::Other => assert!(!ended.said.contains("canary"), "{name} {token:?}: {:?}", ended.said),
                Read::Illegal => panic!("{name} {token:?}: {:?}: {UNREAD}", ended.said),
            }
            assert!(!ended.said.lines().any(|line| line.starts_with("X-Evil")), "{name} {token:?}");
            assert!(!ended.words.contains("canary"), "{name} {token:?}: a token in the words");
        }
        assert!(read_back >= 90, "{name} refuses nearly everything: {read_back}");
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

/// A token that is bound to a key is of use only with its proof: only doors that can carry that hand one out.
#[test]
fn bound_tokens_leave_with_their_proof() {
    let headers = vec![("DPoP".to_owned(), "e30.e30.proof".to_owned())];
    let bound = |_: &Request| {
        Reply::Pass(Box::new(Credential {
            kind: Kind::Dpop,
            headers: headers.clone(),
            ..Credential::example("canary")
        }))
    };
    let said = QUESTIONS.iter().map(|question| (question.0, asked(question, &bound).said));
    let with: Vec<_> = said.filter(|(_, said)| said.contains("canary")).collect();
    assert_eq!(with.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["header", "json"]);
    assert!(with.iter().all(|(_, said)| said.contains("e30.e30.proof")), "{with:?}");
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
