//! NuGet's plugin: messages with request ids, a conversation that stays open. A transcript: no dotnet is run.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::callback::{approve, get};
use crate::idp::Idp;
use crate::runs::until;
use crate::tools::Link;
use crate::world::{Behaviour, World};

struct Plugin {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Plugin {
    fn start(world: &World) -> Plugin {
        let mut command = Link::new(world, "nuget-plugin-hallpass").command(&["-Plugin"]);
        command.env("HALLPASS_INTERACTIVE", "always");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut plugin = Plugin { child, stdin, stdout };
        let greeting = plugin.line();
        assert_eq!((&greeting["Type"], &greeting["Method"]), (&json!("Request"), &json!("Handshake")));
        plugin.send("Response", "1", "Handshake", json!({"ResponseCode": "Success", "ProtocolVersion": "2.0.0"}));
        plugin
    }
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line:?}"))
    }
    fn send(&mut self, kind: &str, id: &str, method: &str, payload: Value) {
        let message = json!({"RequestId": id, "Type": kind, "Method": method, "Payload": payload});
        write!(self.stdin, "{message}\r\n").unwrap();
    }
    /// The payload of the answer, which must carry the question's id.
    fn ask(&mut self, id: &str, method: &str, payload: Value) -> Value {
        self.send("Request", id, method, payload);
        let answer = self.line();
        assert_eq!(
            (&answer["RequestId"], &answer["Type"], &answer["Method"]),
            (&json!(id), &json!("Response"), &json!(method))
        );
        answer["Payload"].clone()
    }
    fn credentials(&mut self, id: &str, uri: &str, retry: bool) -> Value {
        let payload = json!({"Uri": uri, "IsRetry": retry, "IsNonInteractive": true, "CanShowDialog": false});
        self.ask(id, "GetAuthenticationCredentials", payload)
    }
    #[track_caller]
    fn end(mut self) {
        self.send("Request", "z", "Close", Value::Null);
        let output = self.child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
    }
}

const URI: &str = "https://git.example.com/v3/index.json";

#[test]
fn a_whole_conversation() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let mut nuget = Plugin::start(&world);
    let shaken = nuget.ask("a", "Handshake", json!({"ProtocolVersion": "2.0.0", "MinimumProtocolVersion": "1.0.0"}));
    assert_eq!(shaken, json!({"ResponseCode": "Success", "ProtocolVersion": "2.0.0"}));
    for method in ["Initialize", "SetLogLevel", "MonitorNuGetProcessExit"] {
        assert_eq!(nuget.ask("b", method, json!({})), json!({"ResponseCode": "Success"}));
    }
    let claims = nuget.ask("c", "GetOperationClaims", json!({"PackageSourceRepository": null, "ServiceIndex": null}));
    assert_eq!(claims, json!({"Claims": ["Authentication"]}));
    let good = json!({
        "ResponseCode": "Success", "Username": "oauth2", "Password": world.token(), "AuthenticationTypes": ["Basic"]
    });
    assert_eq!(nuget.credentials("d", URI, false), good);
    assert_eq!(
        nuget.credentials("e", "https://evil.example/v3/index.json", false),
        json!({"ResponseCode": "NotFound"})
    );
    nuget.end();
}

#[test]
fn a_retry_replaces_a_token_that_was_refused() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(120);
    let mut nuget = Plugin::start(&world);
    let old = nuget.credentials("a", URI, false)["Password"].clone();
    let new = nuget.credentials("b", URI, true)["Password"].clone();
    assert!(new != old && idp.live_access_token(new.as_str().unwrap()));
    assert_eq!(idp.count("refresh_token"), 1);
    nuget.end();
}

#[test]
fn nobody_is_asked_to_sign_in() {
    let idp = Idp::start();
    let world = World::new(&idp);
    let mut nuget = Plugin::start(&world);
    let answer = nuget.credentials("a", URI, false);
    assert_eq!(answer["ResponseCode"], "Error");
    assert!(answer["Message"].as_str().unwrap().contains("hallpass login work"), "{answer}");
    assert_eq!(world.opened(), [""; 0]);
    nuget.end();
    for odd in [&b"canary\n"[..], b"{\"canary\": \xff}\n", &[b'['; 2 << 20]] {
        let alone = Link::new(&world, "nuget-plugin-hallpass").ask(&["-Plugin"], odd);
        let last: Value = serde_json::from_str(alone.out.lines().last().unwrap()).unwrap();
        assert_eq!((&last["Type"], alone.code), (&json!("Fault"), Some(2)));
        assert!(!alone.err.contains("canary") && !alone.out.contains("canary"), "{alone:?}");
    }
}

/// A person takes longer than NuGet waits: it hears that somebody is at it, and nothing more once it has the answer.
#[test]
fn a_heartbeat_while_a_person_signs_in() {
    let idp = Idp::start();
    let world = World::new(&idp);
    world.browser(Behaviour::Ignore);
    let mut nuget = Plugin::start(&world);
    let payload = json!({"Uri": URI, "IsRetry": false, "IsNonInteractive": false, "CanShowDialog": true});
    nuget.send("Request", "a", "GetAuthenticationCredentials", payload);
    for _ in 0..2 {
        let beat = nuget.line();
        assert_eq!((&beat["Type"], &beat["RequestId"]), (&json!("Progress"), &json!("a")), "{beat}");
    }
    let page = world.opened().remove(0);
    assert_eq!(get(&approve(&page)).status, 200);
    let answer = until("the answer", || Some(nuget.line()).filter(|message| message["Type"] != "Progress"));
    assert_eq!((&answer["Type"], &answer["RequestId"]), (&json!("Response"), &json!("a")));
    assert_eq!(answer["Payload"]["Password"], json!(world.token()));
    assert_eq!(nuget.credentials("b", URI, false)["ResponseCode"], "Success");
    drop(nuget.stdin);
    let mut rest = String::new();
    nuget.stdout.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), nuget.child.wait().unwrap().code()), ("", Some(0)), "not a word after the answer");
}

/// Questions that came while another was answered, in the order and with the ids that they came with; answers to what
/// was never asked, and cancellations, are not answered. NuGet's own end is that of stdin.
#[test]
fn ids_are_the_questions_own() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    let mut nuget = Plugin::start(&world);
    nuget.send("Request", "m", "MonitorNuGetProcessExit", json!({"ProcessId": 1}));
    nuget.send("Response", "never-asked", "Handshake", json!({"ResponseCode": "Error"}));
    nuget.send("Cancel", "z9", "GetAuthenticationCredentials", Value::Null);
    for id in ["z9", "a1"] {
        let payload = json!({"Uri": URI, "IsRetry": false, "IsNonInteractive": true});
        nuget.send("Request", id, "GetAuthenticationCredentials", payload);
    }
    nuget.send("Request", "c", "GetOperationClaims", json!({"PackageSourceRepository": null, "ServiceIndex": null}));
    let ids: Vec<_> = (0..4).map(|_| nuget.line()["RequestId"].clone()).collect();
    assert_eq!(ids, ["m", "z9", "a1", "c"]);
    drop(nuget.stdin);
    assert_eq!(nuget.child.wait().unwrap().code(), Some(0), "with its parent gone nothing is left behind");
}

/// Whoever waits for a lock that another holds gives up before its tool does, and says who holds it; with a person there,
/// no page is opened for a tool that would not wait for one.
#[test]
fn a_tool_that_does_not_wait_is_told_in_time() {
    let idp = Idp::start();
    let world = World::signed_in(&idp);
    world.shift(4000);
    let lock =
        std::fs::File::options().read(true).write(true).create(true).truncate(false).open(world.data("work.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    let mut nuget = Plugin::start(&world);
    let answer = nuget.credentials("a", URI, false);
    assert!(
        answer["ResponseCode"] == "Error" && answer["Message"].as_str().unwrap().contains("waited 4 s"),
        "{answer}"
    );
    drop(lock);
    std::fs::remove_file(world.data("work")).unwrap();
    let opened = world.opened().len();
    let mut command = world.hallpass(&["bazel", "get"]);
    command.env("HALLPASS_INTERACTIVE", "always").write_stdin("{\"uri\":\"https://git.example.com/a.tgz\"}");
    crate::runs::done(&mut command).refused(&[4], &["does not wait for a person", "hallpass login work"]);
    assert_eq!(world.opened().len(), opened);
}
