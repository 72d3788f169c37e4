//! NuGet's cross-platform plugin, version 2
//!
//! ```text
//! argv   nuget-plugin-hallpass -Plugin              one JSON message to a line, both ways, with request ids
//! stdout {"Method":"Handshake","Payload":{"MinimumProtocolVersion":"1.0.0","ProtocolVersion":"2.0.0"},"RequestId":"1","Type":"Request"}
//! stdin  {"RequestId":"a","Type":"Request","Method":"GetAuthenticationCredentials","Payload":{
//!         "Uri":"https://nuget.example.com/v3/index.json","IsRetry":false,"IsNonInteractive":true,"CanShowDialog":false}}
//! stdout {"Method":"GetAuthenticationCredentials","Payload":{"AuthenticationTypes":["Basic"],"Password":"TOKEN",
//!         "ResponseCode":"Success","Username":"oauth2"},"RequestId":"a","Type":"Response"}
//! ```
//!
//! From its specification and NuGet.Client's source; dotnet was not run. Both sides send a handshake. An answer is due
//! within 5 s (30 s in the present source), unless a `Progress` with the question's id comes before: one every two seconds is what a
//! person gets who may be asked to sign in (`dotnet restore --interactive`); otherwise nobody is asked. One that came after
//! its answer would end the connection. `IsRetry` says that what we gave was refused. Only a question about no feed in
//! particular has `Authentication` among its claims. `Close`, or the end of stdin, which is also that of NuGet's process,
//! ends it; what is no request is not answered, and what is no message is a `Fault`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::place::Place;
use crate::secret::Secret;
use crate::talk::{
    Call, Credential, Exit, Failure, Framing, Protocol, Refused, Reply, Request, Step, Target, Then, Verb,
};

/// dotnet, msbuild and nuget.
#[derive(Debug)]
pub(crate) struct NuGet;

const CREDENTIALS: &str = "GetAuthenticationCredentials";

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "RequestId")]
    id: String,
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Method")]
    method: String,
    #[serde(rename = "Payload", default)]
    payload: Value,
}

impl Protocol for NuGet {
    fn names(&self) -> &'static [&'static str] {
        &["nuget", "nuget-plugin-hallpass"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        if !matches!(call.args, [flag] if flag.eq_ignore_ascii_case("-plugin")) {
            return Step::fail(Failure::new(Exit::Usage, "NuGet starts this itself: `nuget-plugin-hallpass -Plugin`"));
        }
        let payload = json!({ "ProtocolVersion": "2.0.0", "MinimumProtocolVersion": "1.0.0" });
        message("Request", "1", "Handshake", &payload)
    }

    fn hear(&self, _: &Call<'_>, input: &str) -> Step {
        if input.is_empty() {
            return Step::end(Exit::Answered);
        }
        let Ok(Message { id, kind, method, payload }) = serde_json::from_str(input) else {
            return fault(Failure::new(Exit::Usage, "NuGet said what is no message of its plugin protocol"));
        };
        let response = |payload: &Value| message("Response", &id, &method, payload);
        match (kind.as_str(), method.as_str()) {
            ("Request", "Close") => Step::end(Exit::Answered),
            ("Request", "Handshake") => response(&json!({ "ResponseCode": "Success", "ProtocolVersion": "2.0.0" })),
            ("Request", "GetOperationClaims") => {
                let of_a_feed = ["PackageSourceRepository", "ServiceIndex"].iter().any(|name| !payload[name].is_null());
                response(&json!({ "Claims": if of_a_feed { &[][..] } else { &["Authentication"] } }))
            }
            ("Request", CREDENTIALS) => ask(id, &payload),
            ("Request", "Initialize" | "SetLogLevel" | "SetCredentials" | "MonitorNuGetProcessExit") => {
                response(&json!({ "ResponseCode": "Success" }))
            }
            ("Request", _) => response(&json!({ "ResponseCode": "Error" })),
            _ => Step::read(Framing::Line), // an answer to our handshake, a cancellation, a fault
        }
    }

    fn garbled(&self, _: &Call<'_>, _: &str, why: Failure) -> Step {
        fault(why)
    }

    fn reply(&self, _: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        let payload = match reply {
            Reply::Pass(credential) => pass(credential).unwrap_or_else(|failure| refused("Error", Some(&failure))),
            Reply::Missing(why) => refused("NotFound", why.as_ref()),
            other => refused("Error", Some(&other.failure(request))),
        };
        message("Response", &request.note, CREDENTIALS, &payload)
    }
}

/// Seconds within which NuGet wants each answer.
const PATIENCE: u64 = 5;

fn ask(id: String, payload: &Value) -> Step {
    let uri = payload["Uri"].as_str().unwrap_or_default();
    // A page is a dialog; older clients do not say whether one can be shown.
    let a_person = payload["IsNonInteractive"] == false && payload["CanShowDialog"] != false;
    match Place::from_url(uri) {
        Ok(place) => Step::ask(Request {
            refused: (payload["IsRetry"] == true).then_some(Refused::Last),
            patience: (!a_person).then_some(PATIENCE),
            heartbeat: a_person.then(|| line("Progress", &id, CREDENTIALS, &json!({}))),
            drawer: "nuget",
            note: id,
            ..Request::new(Verb::Get, Target::Place(place))
        }),
        Err(_) => message("Response", &id, CREDENTIALS, &refused("NotFound", None)),
    }
}

fn pass(credential: &Credential) -> Result<Value, Failure> {
    let token = credential.access_token()?;
    let types = ["Basic"];
    Ok(json!({
        "ResponseCode": "Success", "Username": credential.username, "Password": token, "AuthenticationTypes": types
    }))
}

fn refused(code: &str, why: Option<&Failure>) -> Value {
    match why {
        Some(why) => json!({ "ResponseCode": code, "Message": format!("hallpass: {}", why.in_one_line()) }),
        None => json!({ "ResponseCode": code }),
    }
}

fn message(kind: &str, id: &str, method: &str, payload: &Value) -> Step {
    Step::say_and_read(line(kind, id, method, payload), Framing::Line)
}

fn line(kind: &str, id: &str, method: &str, payload: &Value) -> String {
    format!("{}\n", json!({ "RequestId": id, "Type": kind, "Method": method, "Payload": payload }))
}

/// It cannot be told where the next message begins: NuGet is told so, and ends the connection.
fn fault(why: Failure) -> Step {
    let payload = json!({ "Message": format!("hallpass: {}", why.in_one_line()) });
    Step { say: Secret::new(line("Fault", "2", "None", &payload)), then: Then::End(why.exit, Some(why)) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::NuGet;
    use crate::talk::{
        Call, Credential, Exit, Failure, Framing, Protocol, Refused, Reply, Request, Step, Target, Then,
    };

    fn call<T>(run: impl Fn(&Call<'_>) -> T) -> T {
        run(&Call { name: "nuget", args: &["-Plugin".to_owned()], env: &|_| None, now: 0 })
    }

    fn hear(kind: &str, method: &str, payload: &Value) -> Step {
        let input = json!({ "RequestId": "a\"1", "Type": kind, "Method": method, "Payload": payload }).to_string();
        call(|call| NuGet.hear(call, &input))
    }

    fn said(step: &Step) -> Value {
        assert!(matches!(step.then, Then::Read(Framing::Line)), "the conversation goes on");
        serde_json::from_str(step.say.expose()).unwrap_or(Value::Null)
    }

    fn asked(payload: &Value) -> Request {
        match hear("Request", "GetAuthenticationCredentials", payload).then {
            Then::Ask(request) => *request,
            other => panic!("{payload}: {other:?}"),
        }
    }

    const URI: &str = "https://nuget.example.com/v3/index.json";

    #[test]
    fn both_sides_shake_hands() {
        let ours = said(&call(|call| NuGet.start(call)));
        assert_eq!((&ours["Type"], &ours["Method"]), (&json!("Request"), &json!("Handshake")));
        let theirs = said(&hear("Request", "Handshake", &json!({ "ProtocolVersion": "2.0.0" })));
        let payload = json!({ "ResponseCode": "Success", "ProtocolVersion": "2.0.0" });
        let want = json!({ "RequestId": "a\"1", "Type": "Response", "Method": "Handshake", "Payload": payload });
        assert_eq!(theirs, want);
        let claims = said(&hear("Request", "GetOperationClaims", &json!({ "ServiceIndex": null })));
        assert_eq!(claims["Payload"], json!({ "Claims": ["Authentication"] }));
        for of_a_feed in
            [json!({ "ServiceIndex": {} }), json!({ "PackageSourceRepository": "https://x", "ServiceIndex": null })]
        {
            let claims = said(&hear("Request", "GetOperationClaims", &of_a_feed));
            assert_eq!(claims["Payload"], json!({ "Claims": [] }), "{of_a_feed}");
        }
        for method in ["Initialize", "SetLogLevel", "MonitorNuGetProcessExit"] {
            assert_eq!(said(&hear("Request", method, &json!({})))["Payload"], json!({ "ResponseCode": "Success" }));
        }
        assert_eq!(said(&hear("Request", "Later", &json!({})))["Payload"]["ResponseCode"], "Error");
        for kind in ["Response", "Progress", "Fault", "Cancel"] {
            assert_eq!(said(&hear(kind, "Handshake", &json!({}))), Value::Null, "{kind} is not answered");
        }
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        assert!(matches!(hear("Request", "Close", &Value::Null).then, Then::End(Exit::Answered, None)));
        assert!(matches!(call(|call| NuGet.hear(call, "").then), Then::End(Exit::Answered, None)));
        for odd in ["canary", "[]", "{}", "\n", &"[".repeat(100_000)] {
            let step = call(|call| NuGet.hear(call, odd));
            assert!(step.say.expose().contains("\"Type\":\"Fault\"") && !step.say.expose().contains("canary"));
            let Then::End(Exit::Usage, Some(why)) = step.then else { panic!("{odd:.20}") };
            assert!(!why.what.contains("canary"));
        }
        let call = Call { name: "nuget", args: &[], env: &|_| None, now: 0 };
        assert!(matches!(NuGet.start(&call).then, Then::End(Exit::Usage, Some(_))));
    }

    #[test]
    fn a_person_is_waited_for_where_one_may_be_asked() {
        let beat = |payload: &Value| {
            let request = asked(payload);
            assert_eq!(request.patience.is_none(), request.heartbeat.is_some(), "{payload}");
            request.heartbeat
        };
        for there in [
            json!({ "Uri": URI, "IsNonInteractive": false, "CanShowDialog": true }),
            json!({ "Uri": URI, "IsNonInteractive": false }),
        ] {
            let line = beat(&there).expect("a heartbeat");
            let message: Value = serde_json::from_str(line.strip_suffix('\n').expect("a line")).expect("JSON");
            let method = "GetAuthenticationCredentials";
            assert_eq!(message, json!({ "RequestId": "a\"1", "Type": "Progress", "Method": method, "Payload": {} }));
        }
        for nobody in [
            json!({ "Uri": URI }),
            json!({ "Uri": URI, "IsNonInteractive": true }),
            json!({ "Uri": URI, "IsNonInteractive": "false" }),
            json!({ "Uri": URI, "IsNonInteractive": false, "CanShowDialog": false }),
        ] {
            assert_eq!(beat(&nobody), None, "{nobody}");
        }
    }

    #[test]
    fn credentials() {
        let request = asked(&json!({ "Uri": URI, "IsRetry": false, "IsNonInteractive": true, "CanShowDialog": true }));
        assert!(request.patience == Some(5) && request.refused.is_none() && request.heartbeat.is_none());
        assert!(matches!(&request.target, Target::Place(place) if place.host == "nuget.example.com"));
        assert_eq!(asked(&json!({ "Uri": URI, "IsRetry": true })).refused, Some(Refused::Last));
        let reply = |reply: &Reply| said(&call(|call| NuGet.reply(call, &request, reply)))["Payload"].clone();
        assert_eq!(
            reply(&Reply::Pass(Box::new(Credential::example("A\"T")))),
            json!({ "ResponseCode": "Success", "Username": "oauth2", "Password": "A\"T", "AuthenticationTypes": ["Basic"] })
        );
        assert_eq!(reply(&Reply::Missing(None)), json!({ "ResponseCode": "NotFound" }));
        let failed = reply(&Reply::Failed(Failure::new(Exit::SignIn, "x").hint("`hallpass login work`")));
        assert_eq!(failed, json!({ "ResponseCode": "Error", "Message": "hallpass: x; `hallpass login work`" }));
        for odd in [json!({}), json!({ "Uri": 7 }), json!({ "Uri": "/tmp/feed" }), json!({ "Uri": "https://u@h/" })] {
            let step = hear("Request", "GetAuthenticationCredentials", &odd);
            assert_eq!(said(&step)["Payload"]["ResponseCode"], "NotFound", "{odd}");
        }
    }
}
