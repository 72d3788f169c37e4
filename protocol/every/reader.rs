//! The other end of each wire, as strict as its client: what it takes for an answer, and which token it reads

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::talk::Exit;

/// What a client makes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The token.
    Token(String),
    /// "None", "done", "failed", in a way that it knows.
    Other,
    /// Nothing that it could read.
    Illegal,
}

/// Reads what was said to the tool of this name.
pub(super) fn read(name: &str, said: &str, exit: Exit) -> Read {
    let token = match name {
        "git" => git(said),
        "cargo" => cargo(said, exit),
        "docker" => docker(said, exit),
        "vault" => said.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text(said)),
        "goauth" => goauth(said),
        "xoauth2" | "oauthbearer" => mail(said),
        "header" => header(said),
        "nuget" => nuget(said),
        "get" | "askpass" | "keyring" => line(said).map(text),
        "pnpm" => line(said).map(|line| text(line.strip_prefix("Bearer ").unwrap_or_default())),
        _ => json(name, said, exit),
    };
    // Without a form of its own a failure is a code, and not a byte on stdout.
    let silent = said.is_empty() && !matches!(name, "cargo" | "docker" | "google" | "nuget" | "json");
    match token {
        Some(token) if !token.is_empty() => Read::Token(token),
        Some(_) => Read::Other,
        None if silent => Read::Other,
        None => Read::Illegal,
    }
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// One line and its end.
fn line(said: &str) -> Option<&str> {
    said.strip_suffix('\n').filter(|line| !line.is_empty() && !line.contains(['\n', '\r', '\0']))
}

fn object(text: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line(text)?).ok().filter(Value::is_object)
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(text)
}

/// Lines of `key=value`, and a blank one at the end.
fn git(said: &str) -> Option<String> {
    let lines: Vec<_> = said.strip_suffix("\n\n")?.split('\n').collect();
    if lines.iter().any(|line| line.contains(['\r', '\0']) || !line.contains('=')) {
        return None;
    }
    let value = |key: &str| lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Some(text(value("password").or_else(|| value("credential")).unwrap_or_default()))
}

/// The greeting, then an answer for each question.
fn cargo(said: &str, exit: Exit) -> Option<String> {
    let mut lines = said.strip_suffix('\n')?.split('\n');
    if exit != Exit::Answered || lines.next() != Some("{\"v\":[1]}") {
        return None;
    }
    let mut token = String::new();
    for line in lines {
        let answer: Value = serde_json::from_str(line).ok()?;
        match (&answer["Ok"]["kind"], answer["Err"]["kind"].as_str()) {
            (Value::String(kind), None) if kind == "get" => {
                answer["Ok"]["operation_independent"].as_bool()?;
                let value = answer["Ok"]["token"].as_str()?;
                token = text(value.strip_prefix("Bearer ").unwrap_or(value));
            }
            (Value::String(_), None)
            | (Value::Null, Some("not-found" | "url-not-supported" | "operation-not-supported")) => {}
            (Value::Null, Some("other")) => drop(answer["Err"]["message"].as_str()?),
            _ => return None,
        }
    }
    Some(token)
}

fn docker(said: &str, exit: Exit) -> Option<String> {
    match (exit, object(said)) {
        (Exit::Answered, Some(answer)) if answer.get("Secret").is_some() => {
            (answer["ServerURL"].is_string() && answer["Username"].is_string()).then(|| string(&answer["Secret"]))?
        }
        (Exit::Answered, Some(list)) => list.as_object()?.values().all(Value::is_string).then(String::new),
        (Exit::Answered, None) if said.is_empty() || said.starts_with("docker-credential-") => Some(String::new()),
        (Exit::Bug, _) => (!said.trim().is_empty()).then(String::new),
        _ => None,
    }
}

/// URLs, a blank line, headers, a blank line.
fn goauth(said: &str) -> Option<String> {
    let (urls, rest) = said.split_once("\n\n")?;
    let headers = rest.strip_suffix("\n\n")?;
    let is_header =
        |line: &str| line.split_once(": ").is_some_and(|(name, _)| !name.is_empty()) && !line.contains('\r');
    if !urls.lines().all(|url| url.starts_with("https://")) || !headers.split('\n').all(is_header) {
        return None;
    }
    headers.split('\n').find_map(|line| line.strip_prefix("Authorization: Bearer ")).map(text)
}

fn mail(said: &str) -> Option<String> {
    let response = String::from_utf8(STANDARD.decode(line(said)?).ok()?).ok()?;
    let mut fields = response.strip_suffix("\u{1}\u{1}")?.split('\u{1}');
    let token = fields.find_map(|field| field.strip_prefix("auth=Bearer ")).map(text);
    token.filter(|_| fields.next().is_none())
}

fn header(said: &str) -> Option<String> {
    let lines: Vec<_> = said.strip_suffix('\n')?.split('\n').collect();
    let whole = lines.iter().all(|line| line.contains(": ") && !line.contains(['\r', '\0']));
    whole.then(|| lines[0].strip_prefix("Authorization: Bearer ").map(text)).flatten()
}

/// Messages, one to a line.
fn nuget(said: &str) -> Option<String> {
    let mut token = String::new();
    for line in said.strip_suffix('\n')?.split('\n') {
        let message: Value = serde_json::from_str(line).ok()?;
        for name in ["RequestId", "Type", "Method"] {
            message[name].as_str()?;
        }
        let payload = message["Payload"].as_object()?;
        if let Some(password) = payload.get("Password") {
            (payload["ResponseCode"] == "Success").then_some(())?;
            token = string(password)?;
        }
    }
    Some(token)
}

fn json(name: &str, said: &str, exit: Exit) -> Option<String> {
    let answer = object(said)?;
    let ended_well = exit == Exit::Answered;
    let token = match name {
        "kubectl" => &answer["status"]["token"],
        "terraform" => &answer["token"],
        "bazel" | "headers" => {
            let headers = if name == "bazel" { answer.get("headers").unwrap_or(&Value::Null) } else { &answer };
            let value = if name == "bazel" { &headers["Authorization"][0] } else { &headers["Authorization"] };
            let token = value.as_str().unwrap_or_default();
            return ended_well.then(|| text(token.strip_prefix("Bearer ").unwrap_or_default()));
        }
        "google" => {
            (answer["version"] == 1).then_some(())?;
            let told = answer["success"].as_bool()? || (answer["code"].is_string() && answer["message"].is_string());
            told.then_some(&answer["id_token"])?
        }
        "kubelet" => {
            (answer["kind"] == "CredentialProviderResponse" && answer["cacheKeyType"].is_string()).then_some(())?;
            answer["auth"]
                .as_object()
                .and_then(|auth| auth.values().next())
                .map_or(&Value::Null, |auth| &auth["password"])
        }
        "aws" => (answer["Version"] == 1).then_some(&answer["SecretAccessKey"])?,
        "json" => {
            let failed = answer["error"]["code"].is_u64() && answer["error"]["message"].is_string();
            return (failed != ended_well).then(|| answer["token"].as_str().unwrap_or_default().to_owned());
        }
        _ => return None,
    };
    ended_well.then(|| token.as_str().unwrap_or_default().to_owned())
}
