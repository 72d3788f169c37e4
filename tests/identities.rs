//! The identity of a CI job: fetched as its service has it, and shown to the authorization server for a token.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tiny_http::{Header, Response, Server};

use crate::answers::{At, Fault};
use crate::forms::{encode, field};
use crate::grants::now;
use crate::idp::Idp;
use crate::runs::{Done, done};
use crate::world::World;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A job's identity for this audience, which the authorization server takes.
pub fn jwt(idp: &Idp, audience: &str, life: i64) -> String {
    let claims = json!({ "iss": "https://ci.example", "sub": "repo:a/b", "aud": audience, "exp": now() + life });
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    idp.add_pat(&token);
    token
}

pub fn world(idp: &Idp, lines: &str) -> World {
    let world = World::bare();
    let serves = "serves = [\"https://ci.example.com\"]";
    world.config(&format!("[account.ci]\nissuer = \"{}\"\nclient_id = \"robot\"\n{serves}\n{lines}\n", idp.issuer));
    world
}

/// `hallpass get` in a job with these variables.
pub fn get(world: &World, variables: &[(&str, &str)]) -> Done {
    run(world, &["get", "ci"], variables)
}

pub fn run(world: &World, args: &[&str], variables: &[(&str, &str)]) -> Done {
    done(world.hallpass(args).env_remove("HALLPASS_INTERACTIVE").envs(variables.iter().copied()))
}

/// What the token endpoint was last asked.
pub fn asked(idp: &Idp) -> Vec<(String, String)> {
    idp.calls(At::Token).pop().unwrap().form
}

/// A service that gives identities out, as GitHub's runners know it.
struct Service {
    address: SocketAddr,
    server: Arc<Server>,
    /// Method, path with its query, and `Authorization` of each request.
    seen: Arc<Mutex<Vec<(String, String, String)>>>,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Service {
    fn start(status: u16, body: &str) -> Service {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let service = Service {
            address: server.server_addr().to_ip().unwrap(),
            server: server.clone(),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new((status, body.to_owned()))),
        };
        let (seen, answer) = (service.seen.clone(), service.answer.clone());
        std::thread::spawn(move || {
            while let Ok(request) = server.recv() {
                let authorization = request.headers().iter().find(|header| header.field.equiv("Authorization"));
                let authorization = authorization.map_or(String::new(), |header| header.value.to_string());
                seen.lock().unwrap().push((request.method().to_string(), request.url().to_owned(), authorization));
                let (status, body) = answer.lock().unwrap().clone();
                let elsewhere = Header::from_bytes("Location", "https://portal.example.com/").unwrap();
                let _ = request.respond(Response::from_string(body).with_status_code(status).with_header(elsewhere));
            }
        });
        service
    }

    fn say(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn url(&self) -> String {
        format!("http://{}/token/12/idtoken?api-version=2.0", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

#[test]
fn github_actions_is_asked_as_its_runners_want_it() {
    let idp = Idp::start();
    let token = jwt(&idp, &idp.issuer, 300);
    let service = Service::start(200, &json!({ "count": 9, "value": token }).to_string());
    let url = service.url();
    let job = [
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-runner-token"),
    ];
    for (lines, grant, key) in [
        ("flow = \"token_exchange\"\nsubject_token = \"ci\"", EXCHANGE, "subject_token"),
        ("flow = \"token_exchange\"\nsubject_token = \"github-actions\"", EXCHANGE, "subject_token"),
        ("flow = \"jwt_bearer\"\nsubject_token = \"ci\"", BEARER, "assertion"),
        ("flow = \"client_credentials\"\nsubject_token = \"ci\"", "client_credentials", "client_assertion"),
    ] {
        let world = world(&idp, lines);
        let got = get(&world, &job).expect(0);
        assert!(idp.live_access_token(got.out.trim_end()) && got.err.is_empty(), "{got:?}");
        let (method, path, authorization) = service.seen.lock().unwrap().pop().unwrap();
        assert_eq!((method.as_str(), authorization.as_str()), ("GET", "Bearer canary-runner-token"));
        assert_eq!(path, format!("/token/12/idtoken?api-version=2.0&audience={}", encode(&idp.issuer)));
        let form = asked(&idp);
        assert_eq!((field(&form, "grant_type"), field(&form, key)), (Some(grant), Some(token.as_str())), "{lines}");
        assert_eq!(field(&form, "subject_token_type"), (key == "subject_token").then_some(JWT));
        // It is asked for once, and neither it nor what it was had with is kept or said.
        get(&world, &job).expect(0);
        assert!(service.seen.lock().unwrap().is_empty());
        let kept = fs::read_to_string(world.data("ci")).unwrap();
        for name in ["status", "doctor"] {
            let told = run(&world, &[name, "ci"], &job);
            assert!(told.out.contains("GitHub Actions"), "{told:?}");
            assert!(!format!("{kept}{told:?}").contains(&token) && !format!("{kept}{told:?}").contains("canary"));
        }
        let why = run(&world, &["why", "git", "https://ci.example.com/x"], &job);
        assert!(why.out.contains("needs nobody") && why.out.contains("GitHub Actions"), "{why:?}");
    }
    let line = "subject_token_audience = \"api://reports\"";
    let world = world(&idp, &format!("flow = \"token_exchange\"\nsubject_token = \"ci\"\n{line}"));
    service.say(200, &json!({ "value": jwt(&idp, "api://reports", 300) }).to_string());
    get(&world, &job).expect(0);
    assert!(service.seen.lock().unwrap().pop().unwrap().1.ends_with("&audience=api%3A%2F%2Freports"));
}

#[test]
fn a_job_that_gets_no_identity_is_told_why_and_nothing_is_lost() {
    let idp = Idp::start();
    let good = json!({ "value": jwt(&idp, &idp.issuer, 300) }).to_string();
    let service = Service::start(200, &good);
    let (url, name) = (service.url(), "GITHUB_ACTIONS");
    let world = world(&idp, "flow = \"token_exchange\"\nsubject_token = \"ci\"");
    let job = [
        (name, "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-runner-token"),
    ];
    get(&world, &job).expect(0);
    let before = fs::read(world.data("ci")).unwrap();
    let login = |job: &[(&str, &str)]| run(&world, &["login", "ci"], job);
    login(&[]).refused(&[10], &["no CI service"]);
    login(&job[..1]).refused(&[10], &["ACTIONS_ID_TOKEN_REQUEST_URL", "id-token: write"]);
    login(&job[..2]).refused(&[10], &["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "id-token: write"]);
    let plain = [job[0], ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://runner.example.com/?x=1"), job[2]];
    login(&plain).refused(&[9], &["ACTIONS_ID_TOKEN_REQUEST_URL", "http://"]);
    service.seen.lock().unwrap().clear();
    for (status, body, exit) in [
        (401, "", 4),
        (403, "{\"message\":\"no\"}", 4),
        (500, "oops", 6),
        (302, "", 6),
        (200, "<!doctype html><title>portal</title>", 6),
        (200, "{}", 6),
        (200, "{\"value\":7}", 6),
        (200, "{\"value\":\"\"}", 10),
        (200, "{\"value\":\"a\\nb\"}", 10),
        (404, "", 6),
    ] {
        service.say(status, body);
        let told = login(&job).refused(&[exit], &["ci", "GitHub Actions"]);
        assert!(!told.err.contains("canary"), "{told:?}");
    }
    service.say(200, &json!({ "value": "x".repeat(2 << 20) }).to_string());
    login(&job).refused(&[6], &["GitHub Actions"]);
    service.say(200, &json!({ "value": jwt(&idp, &idp.issuer, -5) }).to_string());
    login(&job).refused(&[4], &["GitHub Actions", "expired at"]);
    // The server's turn: what it does not take, and what makes no sense.
    service.say(200, &json!({ "value": "e30.e30.c2ln" }).to_string());
    login(&job).refused(&[10], &["GitHub Actions", "invalid_request"]);
    service.say(200, &good);
    idp.once(At::Token, Fault::Status(400, vec![], "{\"error\":\"invalid_grant\"}"));
    login(&job).refused(&[4], &["GitHub Actions", "invalid_grant", "audience", &idp.issuer]);
    let bare = "{\"access_token\":\"AT\",\"token_type\":\"Bearer\"}";
    idp.once(At::Token, Fault::Status(200, vec![], bare));
    login(&job).refused(&[6], &["issued_token_type"]);
    let other = "{\"access_token\":\"AT\",\"token_type\":\"Bearer\",\
                 \"issued_token_type\":\"urn:ietf:params:oauth:token-type:refresh_token\"}";
    idp.once(At::Token, Fault::Status(200, vec![], other));
    login(&job).refused(&[6], &["refresh_token"]);
    let none = "{\"access_token\":\"AT\",\"token_type\":\"N_A\",\
                \"issued_token_type\":\"urn:ietf:params:oauth:token-type:jwt\"}";
    idp.once(At::Token, Fault::Status(200, vec![], none));
    login(&job).refused(&[6], &["N_A"]);
    idp.once(At::Token, Fault::Html200);
    login(&job).refused(&[6], &["ci"]);
    assert_eq!(fs::read(world.data("ci")).unwrap(), before, "what was there is untouched");
    login(&job).expect(0);
}

#[test]
fn gitlab_gives_it_in_a_variable_that_the_job_declares() {
    let idp = Idp::start();
    let token = jwt(&idp, "https://vault.example.com", 300);
    let lines = "flow = \"token_exchange\"\nsubject_token = \"gitlab\"";
    let named = format!("{lines}\nsubject_token_env = \"ID_TOKEN\"");
    let by_audience = format!("{lines}\nsubject_token_audience = \"https://vault.example.com\"");
    for (lines, variable) in [(&named, "ID_TOKEN"), (&by_audience, "HTTPS___VAULT_EXAMPLE_COM_ID_TOKEN")] {
        let world = world(&idp, lines);
        get(&world, &[]).refused(&[10], &["GITLAB_CI is not set"]);
        let why = get(&world, &[("GITLAB_CI", "true")]).refused(&[10], &[variable, ".gitlab-ci.yml", "aud:"]);
        assert!(why.err.contains("id_tokens"), "{why:?}");
        get(&world, &[("GITLAB_CI", "true"), (variable, &token)]).expect(0);
        assert_eq!(field(&asked(&idp), "subject_token"), Some(token.as_str()));
    }
    // F134: of another audience, and of yesterday.
    let world = world(&idp, &by_audience);
    let other = jwt(&idp, "https://other.example.com", 300);
    let variable = "HTTPS___VAULT_EXAMPLE_COM_ID_TOKEN";
    let count = idp.count(EXCHANGE);
    let told = get(&world, &[("GITLAB_CI", "true"), (variable, &other)]);
    told.refused(&[10], &[variable, "other.example.com", "vault.example.com", "subject_token_audience"]);
    let old = jwt(&idp, "https://vault.example.com", -86_400);
    get(&world, &[("GITLAB_CI", "true"), (variable, &old)]).refused(&[4], &[variable, "expired at"]);
    assert_eq!((idp.count(EXCHANGE), world.opened().len()), (count, 0), "nothing was asked, and nobody");
}

#[cfg(unix)]
#[test]
fn buildkite_and_circleci_are_asked_through_their_programs() {
    let idp = Idp::start();
    let token = jwt(&idp, &idp.issuer, 300);
    let agent = "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >\"$0.argv\"\necho \"$TOKEN\"\n";
    for (service, variable, program, words) in [
        ("buildkite", "BUILDKITE", "buildkite-agent", format!("oidc\nrequest-token\n--audience\n{}\n", idp.issuer)),
        ("circleci", "CIRCLECI", "circleci", format!("run\noidc\nget\n--claims\n{{\"aud\":\"{}\"}}\n", idp.issuer)),
    ] {
        for subject in ["ci", service] {
            let world = world(&idp, &format!("flow = \"token_exchange\"\nsubject_token = \"{subject}\""));
            get(&world, &[(variable, "true")]).refused(&[10], &[program, "PATH"]);
            fs::create_dir(world.path("bin")).unwrap();
            world.script(&format!("bin/{program}"), agent);
            let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap());
            let job = [(variable, "true"), ("PATH", path.as_str())];
            get(&world, &[job[0], job[1], ("TOKEN", "two words")]).refused(&[4, 10], &["ci"]);
            world.script(&format!("bin/{program}"), "#!/bin/sh\nexit 3\n");
            get(&world, &job).refused(&[4], &[program]);
            world.script(&format!("bin/{program}"), agent);
            get(&world, &[job[0], job[1], ("TOKEN", &token)]).expect(0);
            assert_eq!(fs::read_to_string(world.path(&format!("bin/{program}.argv"))).unwrap(), words);
            assert_eq!(field(&asked(&idp), "subject_token"), Some(token.as_str()));
        }
    }
    // Without the program CircleCI's own variable does, whose audience is the organization.
    let token = jwt(&idp, "org-1", 300);
    let world = world(&idp, "flow = \"token_exchange\"\nsubject_token = \"ci\"");
    get(&world, &[("CIRCLECI", "true"), ("CIRCLE_OIDC_TOKEN_V2", &token)]).expect(0);
    assert_eq!(field(&asked(&idp), "subject_token"), Some(token.as_str()));
}

#[cfg(unix)]
#[test]
fn who_acts_and_what_for_is_said_in_the_exchange() {
    let idp = Idp::start();
    let (subject, actor) = (jwt(&idp, "a", 300), jwt(&idp, "b", 300));
    let lines = "flow = \"token_exchange\"\nsubject_token_command = [\"printenv\", \"SUBJECT\"]\n\
                 actor_token_env = \"ACTOR\"\nactor_token_type = \"urn:ietf:params:oauth:token-type:id_token\"\n\
                 audience = [\"one\", \"two\"]\nresource = [\"https://a.example\", \"https://b.example\"]";
    let world = world(&idp, lines);
    get(&world, &[("SUBJECT", &subject), ("ACTOR", &actor)]).expect(0);
    let form = asked(&idp);
    for (key, value) in [
        ("subject_token", subject.as_str()),
        ("actor_token", &actor),
        ("actor_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ] {
        assert_eq!(field(&form, key), Some(value), "{key}");
    }
    let all = |key: &str| form.iter().filter(|(k, _)| k == key).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    assert_eq!(all("audience"), ["one", "two"]);
    assert_eq!(all("resource"), ["https://a.example", "https://b.example"]);
    let world = self::world(&idp, &lines.replace("printenv", "false"));
    get(&world, &[]).refused(&[4], &["subject_token_command", "false"]);
}
