//! The kubelet's image credential provider
//!
//! ```text
//! argv   hallpass-kubelet        (the `name` in CredentialProviderConfig, in --image-credential-provider-bin-dir)
//! stdin  {"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"reg.example.com/team/app:1",
//!         "serviceAccountToken":"JWT"}                 (the token from 1.33 on, where `tokenAttributes` wants it)
//! stdout {"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderResponse","cacheKeyType":"Registry",
//!         "serviceAccountTokenCacheType":"Pod","cacheDuration":"3540s",
//!         "auth":{"reg.example.com":{"username":"oauth2","password":"TOKEN"}}}
//! ```
//!
//! From the types of k8s.io/kubelet; a kubelet was not run. It runs as root on a node: only accounts that sign in
//! without a person are of use there. `auth: null` is "none". An account that serves only some paths of a registry
//! answers for these paths, and is asked anew for each image. A question with a service account's token wants to hear
//! for whom the answer may be kept, or it is not used: for that pod alone, since an account may exchange the token for
//! the registry's, and who the exchange looks at is the server's business.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::place::{Pattern, Place};
use crate::secret::{Secret, exposed_option};
use crate::talk::{Call, Credential, Exit, Failure, Framing, Protocol, Reply, Request, Step, Target, Then, Verb};

/// The kubelet.
#[derive(Debug)]
pub(crate) struct Kubelet;

const GROUP: &str = "credentialprovider.kubelet.k8s.io/";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];

#[derive(Deserialize)]
struct Question {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    image: String,
    #[serde(rename = "serviceAccountToken", default, with = "exposed_option")]
    token: Option<Secret>,
}

impl Protocol for Kubelet {
    fn names(&self) -> &'static [&'static str] {
        &["kubelet", "hallpass-kubelet"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        match call.args {
            [] => Step::read(Framing::All),
            _ => Step::fail(Failure::new(Exit::Usage, "usage: `hallpass kubelet`, the question on stdin")),
        }
    }

    fn hear(&self, _: &Call<'_>, input: &str) -> Step {
        let odd = |what: &str| Step::fail(Failure::new(Exit::Usage, what));
        // Not serde_json's words: the question may hold a service account's token.
        let Ok(question) = serde_json::from_str::<Question>(input) else {
            return odd("the kubelet's question is not a CredentialProviderRequest in JSON");
        };
        let version = question.api_version.strip_prefix(GROUP).unwrap_or_default();
        if question.kind != "CredentialProviderRequest" || !VERSIONS.contains(&version) {
            return odd("the kubelet asked in a version that hallpass does not speak");
        }
        match Place::from_registry(&registry(&question.image)) {
            Ok(place) => Step::ask(Request {
                no_prompt: Some("the kubelet has nobody to ask"),
                drawer: "kubelet",
                subject: question.token.filter(|token| !token.expose().is_empty()),
                note: question.api_version,
                ..Request::new(Verb::Get, Target::Place(place))
            }),
            Err(_) => odd("the image's name is not usable"),
        }
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match (reply, &request.target) {
            (Reply::Pass(credential), Target::Place(place)) => match credential.access_token() {
                Ok(_) => pass(call.now, request, place, credential),
                Err(failure) => Step::fail(failure),
            },
            (Reply::Missing(why), Target::Place(place)) => match place.over_tls() {
                Some(place) => Step::ask(Request { target: Target::Place(place), ..request.clone() }),
                None => {
                    let none = response(request, "Registry", &Value::Null);
                    Step { then: Then::End(Exit::Answered, why.clone()), ..Step::answer(format!("{none}\n")) }
                }
            },
            (other, _) => Step::fail(other.failure(request)),
        }
    }
}

/// `app`, `team/app` and `reg.example.com/app:1@sha256:...` as `host[:port]/path`: without a host it is Docker Hub's.
fn registry(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    let rest = rest.split(':').next().unwrap_or_default();
    match first.contains(['.', ':']) || first == "localhost" {
        true => format!("{first}/{rest}"),
        false => format!("docker.io/{first}/{rest}"),
    }
}

fn response(request: &Request, cache: &str, auth: &Value) -> Value {
    let version = &request.note;
    let mut response =
        json!({ "apiVersion": version, "kind": "CredentialProviderResponse", "cacheKeyType": cache, "auth": auth });
    if request.subject.is_some() {
        response["serviceAccountTokenCacheType"] = "Pod".into();
    }
    response
}

fn pass(now: u64, request: &Request, place: &Place, credential: &Credential) -> Step {
    let rule = Pattern::parse(&credential.rule).ok().and_then(|rule| rule.prefix_at(place));
    let path = rule.as_ref().unwrap_or(place).path.as_deref().filter(|path| !path.is_empty());
    let (cache, key) = match path {
        None => ("Registry", place.authority()),
        Some(path) => ("Image", format!("{}/{path}", place.authority())),
    };
    let password = credential.secret.expose();
    let auth = json!({ key: { "username": credential.username, "password": password } });
    let mut answer = response(request, cache, &auth);
    if let Some(expiry) = credential.expires_at {
        answer["cacheDuration"] = format!("{}s", expiry.saturating_sub(now)).into();
    }
    Step::answer(format!("{answer}\n"))
}

#[cfg(test)]
mod tests {
    use super::{Kubelet, registry};
    use crate::talk::{Call, Credential, Exit, Protocol, Reply, Step, Then};

    fn call<T>(run: impl Fn(&Call<'_>) -> T) -> T {
        run(&Call { name: "kubelet", args: &[], env: &|_| None, now: 1_795_350_296 })
    }

    fn question(version: &str, image: &str) -> String {
        let more = r#""serviceAccountAnnotations":{"a":"b"},"later":1"#;
        format!(
            r#"{{"apiVersion":"credentialprovider.kubelet.k8s.io/{version}","kind":"CredentialProviderRequest","image":"{image}",{more}}}"#
        )
    }

    fn run(input: &str, reply: &Reply) -> Step {
        call(|call| match Kubelet.hear(call, input).then {
            Then::Ask(request) => Kubelet.reply(call, &request, reply),
            then => Step { then, ..Step::end(Exit::Bug) },
        })
    }

    #[test]
    fn images() {
        for (image, want) in [
            ("reg.example.com/team/app:1", "reg.example.com/team/app"),
            ("reg.example.com:5000/app@sha256:00", "reg.example.com:5000/app"),
            ("localhost/app", "localhost/app"),
            ("team/app:latest", "docker.io/team/app"),
            ("app", "docker.io//app"),
        ] {
            assert_eq!(registry(image), want, "{image}");
        }
    }

    #[test]
    fn answers() {
        let mut credential = Credential::example("AT1");
        credential.rule = "https://reg.example.com".into();
        let pass = |credential: &Credential| Reply::Pass(Box::new(credential.clone()));
        let input = question("v1beta1", "reg.example.com/team/app:1");
        assert_eq!(
            run(&input, &pass(&credential)).say.expose(),
            "{\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1beta1\",\
             \"auth\":{\"reg.example.com\":{\"password\":\"AT1\",\"username\":\"oauth2\"}},\
             \"cacheDuration\":\"600s\",\"cacheKeyType\":\"Registry\",\"kind\":\"CredentialProviderResponse\"}\n"
        );
        credential.rule = "https://reg.example.com/team".into();
        let said = run(&input, &pass(&credential)).say.expose().to_owned();
        assert!(said.contains("\"cacheKeyType\":\"Image\"") && said.contains("\"reg.example.com/team\""), "{said}");
        let none = run(&input, &Reply::Missing(None));
        assert!(none.say.expose().contains("\"auth\":null") && matches!(none.then, Then::End(Exit::Answered, None)));
        assert!(run(&input, &pass(&Credential::example("a\nb"))).say.expose().is_empty());
    }

    #[test]
    fn a_service_accounts_token_is_for_its_pod_alone() {
        let with = |token: &str| {
            question("v1", "reg.example.com/app").replace("\"later\":1", &format!("\"serviceAccountToken\":{token}"))
        };
        let asked = |token: &str| match call(|call| Kubelet.hear(call, &with(token)).then) {
            Then::Ask(request) => request.subject,
            other => panic!("{other:?}"),
        };
        assert_eq!(asked("\"h.p.s\"").map(|token| token.expose().to_owned()).as_deref(), Some("h.p.s"));
        assert!(asked("\"\"").is_none() && asked("null").is_none());
        for reply in [Reply::Pass(Box::new(Credential::example("AT1"))), Reply::Missing(None)] {
            let said = run(&with("\"h.p.s\""), &reply).say.expose().to_owned();
            assert!(said.contains("\"serviceAccountTokenCacheType\":\"Pod\"") && !said.contains("h.p.s"), "{said}");
            let said = run(&with("\"\""), &reply).say.expose().to_owned();
            assert!(!said.contains("serviceAccountTokenCacheType"), "{said}");
        }
    }

    #[test]
    fn odd_questions_fail_without_their_text() {
        let twice = question("v1", "reg.example.com/a").replace("\"kind\"", "\"image\":\"canary\",\"kind\"");
        for odd in [
            "",
            "[]",
            &question("v2", "reg.example.com/a"),
            &question("v1", "reg.example.com/../a"),
            &question("v1", "").replace("Request", "Response"),
            &twice,
            &question("v1", "reg.example.com/a").replace("\"later\":1", "\"serviceAccountToken\":[\"canary\"]"),
        ] {
            let Then::End(Exit::Usage, Some(failure)) = call(|call| Kubelet.hear(call, odd).then) else {
                panic!("{odd}")
            };
            assert!(!failure.what.contains("canary"), "{odd}");
        }
    }
}
