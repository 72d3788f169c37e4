//! A question that is none: each tool hears so in its own way to fail, and nobody sees what was in it.

use serde_json::Value;

use crate::idp::Idp;
use crate::runs::Done;
use crate::world::World;

/// How a tool's question ends and how it may fail.
struct Wire {
    args: &'static [&'static str],
    /// With a place for what is odd about it.
    question: &'static str,
    failed: fn(&Done) -> bool,
}

const WIRES: &[Wire] = &[
    Wire { args: &["git", "get"], question: "protocol=https\nhost=@\n\n", failed: as_git },
    Wire { args: &["docker", "get"], question: "@", failed: on_stdout },
    Wire {
        args: &["docker", "store"],
        question: r#"{"ServerURL":"h","Username":"u","Secret":"@"}"#,
        failed: on_stdout,
    },
    Wire { args: &["cargo"], question: "{\"v\":1,\"kind\":\"login\",\"token\":\"@\"}\n", failed: as_cargos_error },
    Wire { args: &["terraform", "store", "h.example"], question: r#"{"token":"@"}"#, failed: in_words },
    Wire { args: &["bazel", "get"], question: r#"{"uri":"@"}"#, failed: in_words },
    Wire { args: &["vault", "store"], question: "@", failed: in_words },
    Wire { args: &["kubelet"], question: r#"{"serviceAccountToken":"@"}"#, failed: in_words },
    Wire { args: &["nuget", "-Plugin"], question: "{\"RequestId\":\"@\"}\n", failed: as_a_fault },
    Wire { args: &["json", "get"], question: r#"{"token":"@"}"#, failed: as_json },
];

/// A code, a line on stderr, nothing on stdout.
fn in_words(done: &Done) -> bool {
    matches!(done.code, Some(2 | 3 | 9)) && done.out.is_empty() && done.err.starts_with("hallpass: error: ")
}

/// Or not a word: a question that names no host is nobody's.
fn as_git(done: &Done) -> bool {
    in_words(done) || (done.code == Some(0) && done.out.is_empty() && done.err.is_empty())
}

fn on_stdout(done: &Done) -> bool {
    let known = ["hallpass: ", "no credentials ", "credentials not found "];
    done.code == Some(1) && known.iter().any(|words| done.out.starts_with(words)) && done.err.is_empty()
}

fn as_cargos_error(done: &Done) -> bool {
    let answer: Value = serde_json::from_str(done.out.lines().nth(1).unwrap_or_default()).unwrap_or_default();
    let is_a_kind = matches!(answer["Err"]["kind"].as_str(), Some("other" | "url-not-supported"));
    done.code == Some(0) && is_a_kind && done.err.is_empty()
}

fn as_a_fault(done: &Done) -> bool {
    let last: Value = serde_json::from_str(done.out.lines().last().unwrap_or_default()).unwrap_or_default();
    done.code == Some(2) && last["Type"] == "Fault"
}

fn as_json(done: &Done) -> bool {
    let answer: Value = serde_json::from_str(&done.out).unwrap_or_default();
    done.code == Some(2) && answer["error"]["code"] == 2
}

/// The question with these bytes in it, or, where they are a whole one of their own, in its place.
fn asked(question: &str, odd: &[u8], whole: bool) -> Vec<u8> {
    let (before, after) = question.split_once('@').unwrap();
    match whole {
        true => [odd, b"\n"].concat(),
        false => [before.as_bytes(), odd, after.as_bytes()].concat(),
    }
}

#[test]
fn each_tool_hears_it_in_its_own_way() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let deep = "[".repeat(200_000) + "canary";
    let long = "canary".repeat((1 << 20) / 6 + 1);
    let twice = r#"{"kind":"canary","kind":"canary","uri":"u","uri":"u","token":"t","token":"canary","RequestId":"a","RequestId":"b"}"#;
    let odd: [(&str, &[u8], bool); 8] = [
        ("not UTF-8", b"canary\xff\xfe", false),
        ("a lone surrogate", b"canary\xed\xa0\x80", false),
        ("longer than 1 MiB", long.as_bytes(), false),
        ("longer than 1 MiB, alone", long.as_bytes(), true),
        ("deep", deep.as_bytes(), true),
        ("twice", twice.as_bytes(), true),
        ("control bytes", b"canary\x01\x1b[2J\x07", false),
        ("a NUL", b"can\0ary", false),
    ];
    for wire in WIRES {
        for (what, bytes, whole) in odd {
            let done = world.ask(wire.args, asked(wire.question, bytes, whole));
            let line = format!("{:?} {what}: {:.300?}", wire.args, done);
            assert!((wire.failed)(&done), "{line}");
            assert!(
                !done.out.contains("canary") && !done.err.contains("canary") && !done.err.contains('\u{1b}'),
                "{line}"
            );
        }
    }
}

/// 65,535 is the longest line that git promises to send; JSON has no such limit.
#[test]
fn long_lines_are_read_whole() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let token = world.token();
    let filler = "x".repeat(100_000);
    let realm = &filler[..65_000];
    let headers = format!(r#""headers":["X-Long: {filler}"]"#);
    for (args, question) in [
        (&["git", "get"][..], format!("wwwauth[]=Basic realm=\"{realm}\"\nprotocol=https\nhost=git.example.com\n\n")),
        (&["bazel", "get"], format!(r#"{{"later":"{filler}","uri":"https://git.example.com/{filler}"}}"#)),
        (
            &["cargo"],
            format!(
                "{{\"v\":1,\"registry\":{{\"index-url\":\"sparse+https://git.example.com/\",{headers}}},\"kind\":\"get\",\"operation\":\"read\"}}\n"
            ),
        ),
        (&["json", "get"], format!(r#"{{"url":"https://git.example.com/{filler}"}}"#)),
    ] {
        let done = world.ask(args, question).expect(0);
        assert!(done.out.contains(&token) && done.err.is_empty(), "{args:?}: {:.200}", done.err);
    }
}

/// HTTP headers are in any alphabet; the status is what we want to know.
#[test]
fn a_header_in_latin_1_does_not_keep_go_from_its_answer() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let refusal = b"HTTP/1.1 401 Unauthorized\nX-Name: Zo\xeb\nWww-Authenticate: Bearer\n\n";
    let done = world.ask(&["goauth", "https://git.example.com/mod"], &refusal[..]).expect(0);
    assert!(done.out.contains(&world.token()) && done.err.is_empty(), "{done:?}");
}
