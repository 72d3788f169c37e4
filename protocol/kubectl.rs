//! Kubernetes exec credential plugins: `client.authentication.k8s.io`
//!
//! ```text
//! env    KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",
//!                              "spec":{"interactive":false}}
//! stdout {"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
//!         "status":{"expirationTimestamp":"2026-11-22T12:34:56Z","token":"TOKEN"}}
//! ```
//!
//! Measured with kubectl 1.27 to 1.33. The version that asked must be the version that answers; the expiry is in
//! whole seconds, because every other spelling but `...Z` fails to parse; no timeout, so Ctrl-C is ours to handle.
//! With `provideClusterInfo: true` the cluster's address and its `client.authentication.k8s.io/exec` extension
//! come along: the address is then a place like any other, and the extension may name the audience.

use serde::Deserialize;

use crate::place::Place;
use crate::talk::{Call, Credential, Exit, Failure, Kind, Kinds, Protocol, Reply, Request, Step, Target, Verb};
use crate::time::rfc3339;

/// kubectl, and everything else that uses client-go.
#[derive(Debug)]
pub(crate) struct Kubectl;

const GROUP: &str = "client.authentication.k8s.io/";
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

#[derive(Deserialize)]
struct ExecInfo {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize, Default)]
struct Spec {
    /// Absent in v1beta1 of old clients, which ran plugins with the terminal.
    interactive: Option<bool>,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    server: String,
    config: Option<serde_json::Value>,
}

impl Protocol for Kubectl {
    fn names(&self) -> &'static [&'static str] {
        &["kubectl", "kubectl-credential-hallpass"]
    }

    fn start(&self, call: &Call<'_>) -> Step {
        let (_, spec) = match info(call) {
            Ok(info) => info,
            Err(failure) => return Step::fail(failure),
        };
        let mut request = Request { kinds: Kinds::Either, ..Request::new(Verb::Get, Target::Default) };
        if spec.interactive == Some(false) {
            request.no_prompt = Some("kubectl says interactive: false");
        }
        if let Some(cluster) = spec.cluster {
            request.target = match Place::from_url(&cluster.server) {
                Ok(place) => Target::Place(place),
                Err(why) => {
                    let what = format!("the cluster's address is not usable: {why}");
                    return Step::fail(Failure::new(Exit::Refused, what));
                }
            };
            request.audience = match cluster.config.as_ref().and_then(|config| config.get("audience")) {
                None => None,
                Some(serde_json::Value::String(audience)) if !audience.is_empty() => Some(audience.clone()),
                Some(_) => {
                    return Step::fail(Failure::new(Exit::Config, "the cluster's `audience` is not a text"));
                }
            };
        }
        Step::ask(request)
    }

    fn reply(&self, call: &Call<'_>, request: &Request, reply: &Reply) -> Step {
        match (reply, info(call)) {
            (Reply::Pass(credential), Ok((version, _))) => answer(&version, credential),
            (_, Err(failure)) => Step::fail(failure),
            (Reply::Failed(failure), _) => Step::fail(failure.clone()),
            _ => Step::fail(missing(request, reply)),
        }
    }
}

/// The version to answer in and what the client said. By hand, without the variable, it is v1 and nothing.
fn info(call: &Call<'_>) -> Result<(String, Spec), Failure> {
    let Some(text) = (call.env)("KUBERNETES_EXEC_INFO") else {
        return Ok((format!("{GROUP}v1"), Spec::default()));
    };
    let odd = |what: &str| {
        Failure::new(Exit::Usage, format!("KUBERNETES_EXEC_INFO {what}"))
            .hint("it is set by kubectl; unset it to try this command by hand")
    };
    let info: ExecInfo = serde_json::from_str(&text).map_err(|_| odd("is not an ExecCredential in JSON"))?;
    let version = info.api_version.strip_prefix(GROUP).filter(|version| VERSIONS.contains(version));
    match version {
        Some(_) if info.kind == "ExecCredential" => Ok((info.api_version, info.spec)),
        Some(_) => Err(odd("is not of kind ExecCredential")),
        None => Err(Failure::new(
            Exit::Usage,
            "kubectl asked in a version of the exec protocol that hallpass does not speak",
        )
        .hint(format!("set `apiVersion: {GROUP}v1` in the kubeconfig's exec stanza"))),
    }
}

fn answer(version: &str, credential: &Credential) -> Step {
    let account = &credential.account;
    if credential.kind == Kind::Dpop {
        let what = format!("account `{account}`: its token is bound to a key, and kubectl carries no proof");
        return Step::fail(Failure::new(Exit::Refused, what));
    }
    if !credential.secret.is_one_line() {
        return Step::fail(Failure::new(
            Exit::Refused,
            format!("account `{account}`: the token has a line break in it"),
        ));
    }
    let mut status = serde_json::Map::new();
    if let Some(expiry) = credential.expires_at {
        status.insert("expirationTimestamp".into(), rfc3339(expiry).into());
    }
    status.insert("token".into(), credential.secret.expose().into());
    let answer = serde_json::json!({ "apiVersion": version, "kind": "ExecCredential", "status": status });
    Step::answer(serde_json::to_string(&answer).expect("a map with texts for keys") + "\n")
}

/// Here a person can name the account, whatever else is said.
fn missing(request: &Request, reply: &Reply) -> Failure {
    reply.failure(request).hint("name one in the kubeconfig's exec stanza: `args: [kubectl, --account, NAME]`")
}

#[cfg(test)]
mod tests {
    use super::Kubectl;
    use crate::secret::Secret;
    use crate::talk::{Call, Credential, Exit, Form, Kind, Protocol, Reply, Request, Target, Then, Verb};

    fn start(info: Option<&str>) -> Then {
        let env = |name: &str| info.filter(|_| name == "KUBERNETES_EXEC_INFO").map(str::to_owned);
        Kubectl.start(&Call { name: "kubectl", args: &[], env: &env, now: 0 }).then
    }

    fn exec_info(version: &str, spec: &str) -> String {
        format!(r#"{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/{version}","spec":{spec}}}"#)
    }

    #[test]
    fn the_same_version_comes_back() {
        for version in ["v1", "v1beta1"] {
            let info = exec_info(version, r#"{"interactive":false}"#);
            let env = |_: &str| Some(info.clone());
            let call = Call { name: "kubectl", args: &[], env: &env, now: 0 };
            let credential = Credential {
                account: "work".into(),
                username: "x".into(),
                secret: Secret::new("AT1"),
                kind: Kind::IdToken,
                expires_at: Some(1_795_350_896),
                id: String::new(),
                form: Form::Auto,
                headers: Vec::new(),
                rule: String::new(),
            };
            let request = Request::new(Verb::Get, Target::Default);
            let step = Kubectl.reply(&call, &request, &Reply::Pass(Box::new(credential)));
            assert_eq!(
                step.say.expose(),
                format!(
                    "{{\"apiVersion\":\"client.authentication.k8s.io/{version}\",\"kind\":\"ExecCredential\",\
                     \"status\":{{\"expirationTimestamp\":\"2026-11-22T12:34:56Z\",\"token\":\"AT1\"}}}}\n"
                )
            );
        }
    }

    #[test]
    fn a_cluster_is_a_place_with_an_audience() {
        let spec = r#"{"interactive":true,"cluster":{"server":"https://k.example:6443","config":{"audience":"hall"}}}"#;
        let Then::Ask(request) = start(Some(&exec_info("v1", spec))) else { panic!() };
        assert_eq!(request.audience.as_deref(), Some("hall"));
        assert!(matches!(&request.target, Target::Place(place) if place.port == 6443));
        assert_eq!(request.no_prompt, None);
    }

    #[test]
    fn odd_questions_fail_with_words() {
        for info in [
            "x",
            "{}",
            &exec_info("v1alpha1", "{}"),
            &exec_info("v1", "[]"),
            &exec_info("v1", r#"{"cluster":{"server":"file:///etc/passwd"}}"#),
            &exec_info("v1", r#"{"cluster":{"server":"https://h","config":{"audience":7}}}"#),
            r#"{"kind":"Pod","apiVersion":"client.authentication.k8s.io/v1"}"#,
        ] {
            assert!(matches!(start(Some(info)), Then::End(exit, Some(_)) if exit != Exit::Answered), "{info}");
        }
        assert!(matches!(start(None), Then::Ask(_)));
    }
}
